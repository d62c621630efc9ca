#!/usr/bin/env bash
# A browser and a mail server for the tests that want real ones. Where this user may not install packages, or
# the machine is no Debian, those tests skip and say so (under CI=true they fail instead).
set -u
wanted=()
command -v chromium >/dev/null || command -v chromium-browser >/dev/null || command -v google-chrome >/dev/null || wanted+=(chromium)
[ -x /usr/sbin/dovecot ] || wanted+=(dovecot-imapd)
[ ${#wanted[@]} -eq 0 ] && exit 0
if ! command -v apt-get >/dev/null || [ "$(id -u)" -ne 0 ]; then
  echo "Not installed, so the tests that need them skip: ${wanted[*]}"
  exit 0
fi
echo "Installing ${wanted[*]} for the tests (once)"
export DEBIAN_FRONTEND=noninteractive
{ apt-get update -qq && apt-get install -y -qq --no-install-recommends "${wanted[@]}"; } >/tmp/samvad-apt.log 2>&1 ||
  echo "That did not work; see /tmp/samvad-apt.log. The tests that need them skip."
