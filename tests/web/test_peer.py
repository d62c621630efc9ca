"""Whose call it is: a header is believed only from a proxy that is ours."""

import pytest

from bot.errors import ConfigurationInvalid
from bot.settings import load_settings
from bot.web.peer import caller_of


@pytest.mark.parametrize(
    ("remote", "forwarded", "trusted", "caller"),
    [
        ("203.0.113.7", "", None, "203.0.113.7"),
        ("203.0.113.7", "198.51.100.1", None, "203.0.113.7"),
        ("10.0.0.5", "198.51.100.1", None, "10.0.0.5"),
        ("127.0.0.1", "198.51.100.1", None, "198.51.100.1"),
        ("::1", "198.51.100.1", None, "198.51.100.1"),
        ("127.0.0.1", "made.up, 198.51.100.1", None, "198.51.100.1"),
        ("127.0.0.1", "", None, ""),
        ("127.0.0.1", "nobody", None, ""),
        ("", "198.51.100.1", None, ""),
        ("10.0.0.5", "198.51.100.1, 10.0.0.9", "10.0.0.0/8", "198.51.100.1"),
        ("127.0.0.1", "198.51.100.1", "10.0.0.5", "127.0.0.1"),
        ("2001:db8:1:2::7", "", None, "2001:db8:1:2::/64"),
        ("2001:db8:1:2:ffff::9", "", None, "2001:db8:1:2::/64"),
        ("::ffff:203.0.113.7", "", None, "203.0.113.7"),
        ("::ffff:127.0.0.1", "2001:db8::1", None, "2001:db8::/64"),
    ],
)
def test_a_caller_is_who_our_own_proxies_name(
    remote: str, forwarded: str, trusted: str | None, caller: str
) -> None:
    settings = load_settings() if trusted is None else load_settings(trusted_proxies=trusted)
    assert caller_of(remote, forwarded, settings.trusted_networks) == caller


def test_a_proxy_is_an_address_or_a_network() -> None:
    with pytest.raises(ConfigurationInvalid, match=r"SAMVAD_TRUSTED_PROXIES.*'proxy.local'"):
        load_settings(trusted_proxies="10.0.0.1, proxy.local")
