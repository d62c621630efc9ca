"""Conditions of a request (RFC 9110, 13): `If-None-Match` spares what is known already, `If-Match` keeps a
change from undoing somebody else's."""

import re
from collections.abc import Mapping
from typing import Any

from bot.errors import InvalidInput, Stale

_TAGS = re.compile(r'\s*(?:W/)?"[\x21\x23-\x7e\x80-\xff]*"\s*(?:,\s*(?:W/)?"[\x21\x23-\x7e\x80-\xff]*"\s*)*')
_TAG = re.compile(r'(?:W/)?"([^"]*)"')


def _tags(header: str, name: str) -> list[str]:
    if not _TAGS.fullmatch(header):
        raise InvalidInput(
            f'{name} is * or tags in quotes: an ETag that we sent, or a version ("3")', field=name
        )
    return _TAG.findall(header)


def known(if_none_match: str, etag: str) -> bool:
    """Whether the client has this already. A tag that a proxy weakened still counts."""
    if not if_none_match:
        return False
    if if_none_match.strip() == "*":
        return True
    return etag.strip('"') in _tags(if_none_match, "If-None-Match")


def check(if_match: str, record: Mapping[str, Any]) -> None:
    """Raise Stale where the record is not at a version that If-Match names. The version alone will do, and
    a proxy on the way that compresses may have weakened the tag."""
    if not if_match or if_match.strip() == "*":
        return
    version = str(record["version"])
    if version not in {tag.partition("-")[0] for tag in _tags(if_match, "If-Match")}:
        raise Stale(
            f"The record is at version {version} by now; read it again",
            id=record["id"],
            version=record["version"],
        )
