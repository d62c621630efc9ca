"""Who is at the other end of a connection, where a proxy may stand between."""

from collections.abc import Sequence
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address

_HOME = 64
"""Bits of an IPv6 address that one household or server is given: it has every address behind them."""


def caller_of(remote: str, forwarded: str, trusted: Sequence[IPv4Network | IPv6Network]) -> str:
    """The IPv4 address or IPv6 /64 that calls. `forwarded` is X-Forwarded-For, of which only what the
    trusted proxies wrote is believed. Empty when nobody tells: many callers would be one."""
    for named in (remote, *reversed(forwarded.split(","))):
        address = _read(named)
        if address is None:
            return ""
        if not any(address in network for network in trusted):
            wide = isinstance(address, IPv6Address)
            return str(IPv6Network((address, _HOME), strict=False) if wide else address)
    return ""


def _read(named: str) -> IPv4Address | IPv6Address | None:
    try:
        address = ip_address(named.strip())
    except ValueError:
        return None
    return getattr(address, "ipv4_mapped", None) or address
