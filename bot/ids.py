"""Identifiers: UUIDv7 (RFC 9562 §5.7), so that ids sort by the time they were made."""

from datetime import datetime
from uuid import UUID, uuid5

import uuid_utils

# Names a lane by what it is, so that two processes that hear of it first agree without a look-up.
_LANES = UUID("7d0a3f0e-7f3a-5a57-9a55-53616d766164")


def new_id() -> str:
    """A fresh id, 36 characters, greater than every id this process made before."""
    return str(uuid_utils.uuid7())


def is_id(text: str) -> bool:
    """Whether a text from outside has the form of an id."""
    try:
        return len(text) == 36 and str(UUID(text)) == text.lower()
    except ValueError:
        return False


def lane_id(channel_account_id: str, address: str) -> str:
    """The lane of a sender on one of our channel accounts (UUIDv5, RFC 9562 §5.5)."""
    return str(uuid5(_LANES, f"{channel_account_id}\n{address}"))


def first_id_at(moment: datetime) -> str:
    """The smallest UUIDv7 made at or after a moment: bounds partitions and time ranges."""
    millis = int(moment.timestamp() * 1000)
    raw = f"{millis:012x}70008000000000000000"
    return f"{raw[:8]}-{raw[8:12]}-{raw[12:16]}-{raw[16:20]}-{raw[20:]}"
