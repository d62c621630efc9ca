"""The answer to an invitation, as a mail brings it (RFC 5546, METHOD:REPLY).

Only the lines that are needed are read. icalendar's whole parser keeps every time zone that any document
ever defined, by name, so that a stranger's could move everybody's meetings.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Any

from bot.crm.calendar_file import ANSWERS
from bot.crm.recurrence import zone_info
from bot.errors import InvalidInput

MAX_BYTES = 64_000
MAX_COMMENT = 2000
_WANTED = re.compile(r"(BEGIN|END|METHOD|UID|ATTENDEE|SEQUENCE|RECURRENCE-ID|COMMENT)[;:]", re.IGNORECASE)
_FOLD = re.compile(r"\r?\n[ \t]")
_MOMENT = re.compile(r"[0-9]{8}(?:T[0-9]{6}Z?)?")
_Line = tuple[Any, str]
"""Parameters and value."""


@dataclass(frozen=True, slots=True)
class Reply:
    """Who answered what to which invitation. A sender can write any `attendee`: compare with the mail's.

    `recurrence_id` names the one occurrence it is about: an instant, or a day of a series of days.
    """

    uid: str
    attendee: str
    answer: str
    sequence: int = 0
    recurrence_id: datetime | date | None = None
    comment: str = ""


def read_reply(data: bytes) -> Reply | None:
    """The first answer in a document; None when it is none, or not one that can be read for sure."""
    if len(data) > MAX_BYTES:
        return None
    try:
        lines = _first_component(data)
        if lines is None or len(lines.get("ATTENDEE", ())) != 1 or len(lines.get("UID", ())) != 1:
            return None
        who, address = lines["ATTENDEE"][0]
        return Reply(
            uid=lines["UID"][0][1].strip(),
            attendee=_email(who, address),
            answer=_answer(str(who.get("PARTSTAT", ""))),
            sequence=_sequence(lines),
            recurrence_id=_occurrence(lines),
            comment=lines["COMMENT"][0][1][:MAX_COMMENT] if "COMMENT" in lines else "",
        )
    except (ValueError, InvalidInput):
        return None


def _first_component(data: bytes) -> dict[str, list[_Line]] | None:
    """The lines of the first event or task of a REPLY, by name."""
    found: dict[str, list[_Line]] = {}
    inside: list[str] = []
    method = ""
    for name, parameters, value in _lines(data):
        if name == "BEGIN":
            inside.append(value.upper())
        elif name == "END":
            if not inside or inside.pop() != value.upper():
                return None
            if value.upper() in ("VEVENT", "VTODO") and inside == ["VCALENDAR"]:
                return found if method == "REPLY" else None
        elif name == "METHOD":
            method = value.strip().upper()
        elif inside[1:] in (["VEVENT"], ["VTODO"]):
            found.setdefault(name, []).append((parameters, value))
    return None


def _lines(data: bytes) -> Iterator[tuple[str, Any, str]]:
    from icalendar.parser import Contentline

    content_line: Any = Contentline  # untyped there
    for line in _FOLD.sub("", data.decode("utf-8-sig")).split("\n"):
        if _WANTED.match(line):
            name, parameters, value = content_line(line.rstrip("\r")).parts()
            yield name.upper(), parameters, value


def _email(parameters: Any, value: str) -> str:
    scheme, _, rest = value.strip().partition(":")
    # Apple names people by urn:uuid and their address beside it.
    email = rest if scheme.lower() == "mailto" else str(parameters.get("EMAIL", ""))
    email = email.strip().lower()
    if "@" not in email or any(character.isspace() for character in email):
        raise ValueError("no address")
    return email


def _answer(value: str) -> str:
    """RFC 5545, 3.2.12: what we do not know counts as no answer yet."""
    return value.upper() if value.upper() in ANSWERS else "NEEDS-ACTION"


def _sequence(lines: dict[str, list[_Line]]) -> int:
    value = lines["SEQUENCE"][0][1].strip() if "SEQUENCE" in lines else "0"
    if not re.fullmatch(r"[0-9]{1,9}", value):
        raise ValueError("no sequence")
    return int(value)


def _occurrence(lines: dict[str, list[_Line]]) -> datetime | date | None:
    if "RECURRENCE-ID" not in lines:
        return None
    parameters, text = lines["RECURRENCE-ID"][0]
    text = text.strip()
    if not _MOMENT.fullmatch(text):
        raise ValueError("no moment")
    if "T" not in text:
        return datetime.strptime(text, "%Y%m%d").replace(tzinfo=UTC).date()
    moment = datetime.strptime(text.removesuffix("Z"), "%Y%m%dT%H%M%S").replace(tzinfo=UTC)
    if text.endswith("Z"):
        return moment
    return moment.replace(tzinfo=zone_info(_zone_name(parameters))).astimezone(UTC)


def _zone_name(parameters: Any) -> str:
    """Outlook names time zones as Windows does."""
    from icalendar.timezone.windows_to_olson import WINDOWS_TO_OLSON

    name = str(parameters["TZID"]) if "TZID" in parameters else ""
    if not name:
        raise ValueError("a time without a zone")
    return WINDOWS_TO_OLSON.get(name, name)
