"""Whether the receiving mail server vouches for the sender (RFC 8601, DMARC). Pure.

Anybody can write an Authentication-Results header. Only one of the server that the settings name counts, and
of those only the topmost: servers add headers above what came, and RFC 8601 has them remove others' under
their own name.
"""

import re
from email.message import Message
from email.utils import getaddresses

import authres

_HEADER_LIMIT = 8_000
_FOLDS = re.compile(r"\r?\n(?=[ \t])")
_ID = re.compile(r"\s*([A-Za-z0-9._-]{1,255})(?=[\s;(]|$)")


def is_proven(mail: Message, author: str, trusted: str) -> bool:
    """Whether the server named `trusted` says that DMARC passed for the domain of `author`."""
    if not trusted or not _is_only_author(mail, author):
        return False
    for value in mail.get_all("Authentication-Results", []):
        header = _FOLDS.sub("", str(value))
        named = _ID.match(header)
        if named is not None and named[1].lower() == trusted.lower():
            return _passes(header, author.rpartition("@")[2])
    return False


def _is_only_author(mail: Message, author: str) -> bool:
    """One From with one address: of several, the server may have checked another than we read."""
    headers = [str(value) for value in mail.get_all("From", [])]
    addresses = [found for _, found in getaddresses(headers)]
    return len(headers) == 1 and [one.strip().lower() for one in addresses] == [author.lower()]


def _passes(header: str, domain: str) -> bool:
    if len(header) > _HEADER_LIMIT:
        return False
    try:
        found = authres.parse_value(header)
    except (authres.AuthResError, RecursionError):
        return False
    verdicts = [one for one in found.results if getattr(one, "method", "") == "dmarc"]
    return bool(verdicts) and all(one.result == "pass" and _is_of(one, domain) for one in verdicts)


def _is_of(verdict: authres.AuthenticationResult, domain: str) -> bool:
    """Whether the verdict is about this domain, as From names it."""
    named = [
        str(one.value).lower() for one in verdict.properties if (one.type, one.name) == ("header", "from")
    ]
    return [one.rpartition("@")[2] for one in named] == [domain.lower()]
