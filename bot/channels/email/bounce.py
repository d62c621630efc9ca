"""Bounces: which mail failed, for whom, and what the mail server said. Pure.

A report in the standard form (RFC 3464) is read field by field; the free text of older and odd mail
servers by families of wording, in `bounce_text`. Feedback reports (complaints, RFC 5965), vacation
answers and receipts of delivery are no bounces.
"""

import json
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from email.message import Message

from bot.channels.email.bounce_reason import is_final_address_error
from bot.channels.email.bounce_text import (
    ADDRESS,
    Said,
    announces_failure,
    explains,
    failed_in_text,
    is_delay,
    split_returned,
)
from bot.channels.email.html import text_from_html
from bot.channels.email.words import decoded, inner_of, text_of

_TEXT_LIMIT = 30_000
_DIAGNOSIS_LIMIT = 1_000
_FAILURES_LIMIT = 100
_PARTS_LIMIT = 200
_BLOCKS_LIMIT = 200
_MESSAGE_ID = re.compile(r"<[^<>\s]{1,250}>")
_ID_IN_TEXT = re.compile(r"^[ \t>]{0,9}Message-ID:\s{0,80}(<[^<>\s]{1,250}>)", re.IGNORECASE | re.MULTILINE)
_STATUS = re.compile(r"(?<![\d.])([245])\.(\d{1,3})\.(\d{1,3})(?![\d.])")
_FIELD_IN_TEXT = re.compile(
    r"^[ \t>]{0,9}(?:Final|Original)-Recipient[ \t]{0,9}:", re.IGNORECASE | re.MULTILINE
)
_REPORTS = frozenset({"message/delivery-status", "message/global-delivery-status"})
_RETURNED = frozenset(
    {"message/rfc822", "message/global", "text/rfc822-headers", "message/global-headers", "message/partial"}
)
_WENT_WELL = frozenset({"delivered", "relayed", "expanded", "deliverable"})


@dataclass(frozen=True, slots=True)
class Failure:
    """One receiver that a mail did not reach.

    `hard`: the address itself is no good (unknown, moved, no such host), so that another try is pointless.
    `delayed`: the server is still trying.
    """

    address: str
    status: str = ""
    diagnosis: str = ""
    delayed: bool = False
    hard: bool = False


@dataclass(frozen=True, slots=True)
class Bounce:
    """What a mail server reports of a mail; `message_id` is that mail's, where it is shown."""

    failures: tuple[Failure, ...]
    message_id: str = ""

    @property
    def delayed(self) -> bool:
        """Nothing has failed yet."""
        return bool(self.failures) and all(one.delayed for one in self.failures)


def read_bounce(mail: Message, _depth: int = 0) -> Bounce | None:
    """The report that a mail is; None when it is something else."""
    report = _Report(mail)
    if report.is_other_report:
        return None
    found = _from_fields(report) or _from_notification(report)
    if not found and _depth < 3 and not failed_in_text(report.text):
        # Some gateways wrap a report that names the receiver into one that does not.
        for inner in report.wrapped:
            if (nested := read_bounce(inner, _depth + 1)) is not None:
                return nested
    if not found and not (report.fields and _all_well(report.fields)):
        found = _from_text(report)
    if not found:
        return None
    return Bounce(tuple(found[:_FAILURES_LIMIT]), report.message_id)


def is_complaint(mail: Message) -> bool:
    """A receiver marked a mail as spam (RFC 5965)."""
    return any(part.get_content_type() == "message/feedback-report" for part in _walk(mail))


class _Report:
    """The pieces of a mail that may be a report."""

    def __init__(self, mail: Message) -> None:
        self.mail = mail
        self.fields: list[dict[str, str]] = []
        self.returned: list[Message] = []
        self.is_other_report = False
        plain: list[str] = []
        html: list[str] = []
        for part in _walk(mail):
            kind = part.get_content_type()
            if kind in _REPORTS:
                self.fields.extend(_blocks(part)[:_BLOCKS_LIMIT])
            elif kind in _RETURNED:
                self.returned.append(part)
            elif kind == "message/feedback-report":
                self.is_other_report = True
            elif kind == "message/disposition-notification":
                # A receipt (RFC 8098); some servers refuse by one: read, but thrown away by a machine.
                self.is_other_report = not re.search(
                    r"automatic-action[^\n]{0,80}deleted", _raw_text(part), re.IGNORECASE
                )
            elif kind.startswith("text/") or (kind.startswith("multipart/") and not part.is_multipart()):
                (html if kind == "text/html" else plain).append(_raw_text(part))
        whole = "\n".join(plain)[:_TEXT_LIMIT]
        if not whole.strip():
            whole = text_from_html("\n".join(html)[: 10 * _TEXT_LIMIT])[:_TEXT_LIMIT]
        whole = whole.replace("\r\n", "\n").replace("\r", "\n")
        self.whole = whole
        self.text, self.rest = split_returned(whole)
        if not self.fields and _FIELD_IN_TEXT.search(whole):
            self.fields.extend(_blocks_of_text(whole)[:_BLOCKS_LIMIT])
        self.subject = decoded(str(mail.get("Subject", ""))[:2000])

    @property
    def wrapped(self) -> list[Message]:
        """Reports that this one returns."""
        inner = [one for part in self.returned for one in inner_of(part)[:1]]
        return [one for one in inner if one.get_content_type() == "multipart/report"]

    @property
    def message_id(self) -> str:
        """The returned mail's Message-ID."""
        for part in self.returned:
            if found := _returned_id(part):
                return found
        for block in self.fields:
            if named := _MESSAGE_ID.search(block.get("original-message-id", "")):
                return named[0]
        if in_text := _ID_IN_TEXT.search(self.rest) or _ID_IN_TEXT.search(self.whole):
            return in_text[1]
        # Some servers answer the mail that failed.
        thread = f"{self.mail.get('References', '')} {self.mail.get('In-Reply-To', '')}"
        ids: list[str] = _MESSAGE_ID.findall(thread)
        return ids[-1] if ids else ""

    @property
    def receivers(self) -> list[str]:
        """To whom the returned mail was addressed, as a last resort; only when that is one."""
        for part in self.returned:
            to = "".join(str(headers.get("To", "")) for headers in inner_of(part)[:1])
            found = list(dict.fromkeys(re.findall(ADDRESS, to)))
            if len(found) == 1:
                return found
        return []


def _walk(mail: Message) -> Iterator[Message]:
    """The parts of the report itself, without those of the mail it returns."""
    waiting, seen = [mail], 0
    while waiting and seen < _PARTS_LIMIT:
        part = waiting.pop(0)
        seen += 1
        yield part
        if part.get_content_maintype() == "multipart" and part.is_multipart():
            waiting = inner_of(part) + waiting


def _raw_text(part: Message) -> str:
    payload = part.get_payload(decode=True)
    if isinstance(payload, bytes):
        return text_of(payload, part.get_content_charset())
    return "\n".join(str(one) for one in inner_of(part))


def _blocks(part: Message) -> list[dict[str, str]]:
    """The groups of fields of a delivery-status part."""
    if not part.is_multipart():
        return _blocks_of_text(_raw_text(part))
    blocks = inner_of(part)
    encoding = str(part.get("Content-Transfer-Encoding", "")).strip().lower()
    if encoding in ("base64", "quoted-printable"):
        plain = Message()
        plain["Content-Transfer-Encoding"] = encoding
        plain.set_payload("\n\n".join(str(block) for block in blocks).strip())
        raw = plain.get_payload(decode=True)
        return _blocks_of_text(text_of(raw if isinstance(raw, bytes) else b"", None))
    return [_folded(block.items()) for block in blocks[:_BLOCKS_LIMIT]]


def _blocks_of_text(text: str) -> list[dict[str, str]]:
    """Groups of fields in plain text, where a server forgot to mark them as such."""
    blocks: list[dict[str, str]] = []
    for group in re.split(r"\n[ \t]{0,9}\n", text.replace("\r\n", "\n")):
        unfolded = re.sub(r"\n[ \t]{1,40}", " ", group)
        items = re.findall(
            r"^[ \t>]{0,9}([A-Za-z-]{2,40})[ \t]{0,9}:[ \t]{0,9}([^\n]{0,2000})", unfolded, re.MULTILINE
        )
        if items:
            blocks.append(_folded(items))
    return blocks


def _folded(items: Iterable[tuple[str, object]]) -> dict[str, str]:
    found: dict[str, str] = {}
    for name, value in items:
        found.setdefault(str(name).lower(), decoded(re.sub(r"\s+", " ", str(value))).strip())
    return found


def _receiver(block: dict[str, str]) -> str:
    """As we addressed it, where the report says so; else as the server knew it."""
    for name in ("original-recipient", "final-recipient", "x-actual-recipient"):
        found = re.search(ADDRESS, block.get(name, ""))
        if found:
            return found[0].strip(".").lower()
    return ""


def _all_well(fields: list[dict[str, str]]) -> bool:
    actions = [_action(block) for block in fields if "action" in block]
    return bool(actions) and all(action in _WENT_WELL for action in actions)


def _action(block: dict[str, str]) -> str:
    return re.split(r"[\s;(]", block.get("action", "").strip().lower())[0]


def _from_fields(report: _Report) -> list[Failure]:
    found: dict[str, Failure] = {}
    said = {one.address: one for one in failed_in_text(report.text)} if report.fields else {}
    for block in report.fields:
        action, address = _action(block), _receiver(block)
        known = "final-recipient" in block or "original-recipient" in block
        if action in _WENT_WELL or not (known or action):
            continue
        if not action and not block.get("status", "5").startswith(("4", "5")):
            continue
        address = address or next(iter(said), "") or next(iter(report.receivers), "")
        if not address:
            continue
        in_text = said.get(address, Said(address, ""))
        told = block.get("diagnostic-code", "")
        told = re.sub(r"^[A-Za-z0-9-]{1,20}[ \t]{0,9};[ \t]{0,9}", "", told)
        told = told or _comment(block.get("status", ""))
        # Some cut the field after the first line of a longer answer.
        context = in_text.diagnosis if in_text.diagnosis.strip() else report.text
        failure = Failure(
            address,
            _status(told, block.get("status", "")),
            (told or _first_words(in_text.diagnosis))[:_DIAGNOSIS_LIMIT],
            delayed=action == "delayed",
        )
        found.setdefault(address, replace(failure, hard=_hard(failure, context)))
    return list(found.values())


def _from_text(report: _Report) -> list[Failure]:
    named = re.findall(ADDRESS, str(report.mail.get("X-Failed-Recipients", "")))
    if not named and not announces_failure(report.mail, report.subject, report.text):
        return []
    delayed = is_delay(report.subject, report.text)
    said = failed_in_text(report.text, report.subject, _domain_of_sender(report.mail))
    if named:
        spoken = {one.address: one for one in said}
        said = [spoken.get(one.lower(), Said(one.lower(), "")) for one in dict.fromkeys(named)]
    if not said:
        said = [Said(one.lower(), "") for one in report.receivers] or [Said("", "")]
    found = []
    for one in said[:_FAILURES_LIMIT]:
        told = one.diagnosis if explains(one.diagnosis) else report.text
        failure = Failure(one.address, _status(told, ""), _first_words(told), delayed=delayed)
        found.append(replace(failure, hard=_hard(failure, report.text)))
    return found


def _from_notification(report: _Report) -> list[Failure]:
    """Amazon SES tells by a mail of JSON."""
    text = report.whole.strip()
    if '"bouncedRecipients' not in text[:20_000].replace("\\", ""):
        return []
    start = text.find("{")
    try:
        # Mail servers break long lines.
        reader = json.JSONDecoder(strict=False)
        data, _ = reader.raw_decode(text[start:].replace("\n", ""))
        if isinstance(data.get("Message"), str):
            data, _ = reader.raw_decode(data["Message"])
        rows = data["bounce"]["bouncedRecipients"]
        soft = data["bounce"].get("bounceType") != "Permanent"
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return []
    found = []
    for row in rows if isinstance(rows, list) else []:
        if isinstance(row, dict) and "@" in str(row.get("emailAddress", "")):
            told = re.sub(r"^smtp; ?", "", str(row.get("diagnosticCode", "")))[:_DIAGNOSIS_LIMIT]
            failure = Failure(
                str(row["emailAddress"]).lower(), _status(told, str(row.get("status", ""))), told
            )
            found.append(replace(failure, hard=not soft and _hard(failure, told)))
    return found


def _hard(failure: Failure, context: str) -> bool:
    return not failure.delayed and is_final_address_error(failure.status, failure.diagnosis, context)


def _status(told: str, field: str) -> str:
    """The code in what the server said, before the reporter's own, which is often 5.0.0."""
    for text in (told, field):
        found = _STATUS.search(text)
        if found and found[0][1:] != ".0.0":
            return found[0]
    found = _STATUS.search(f"{told} {field}")
    return found[0] if found else ""


def _comment(field: str) -> str:
    """`5.4.4 (no such host)`: some say there what they do not say elsewhere."""
    found = re.search(r"\(([^()]{3,200})\)", field)
    return found[1] if found else ""


def _first_words(text: str) -> str:
    return re.sub(r"\s+", " ", text[: 2 * _DIAGNOSIS_LIMIT]).strip()[:_DIAGNOSIS_LIMIT]


def _domain_of_sender(mail: Message) -> str:
    found = re.search(ADDRESS, str(mail.get("From", "")))
    return found[0].rpartition("@")[2].lower() if found else ""


def _returned_id(part: Message) -> str:
    inner = next(iter(inner_of(part)), None)
    if inner is not None:
        named = _MESSAGE_ID.search(str(inner.get("Message-ID", "")))
        if named:
            return named[0]
        text = _raw_text(inner)
    else:
        text = _raw_text(part)
    found = _ID_IN_TEXT.search(text[:_TEXT_LIMIT].replace("\r\n", "\n"))
    return found[1] if found else ""
