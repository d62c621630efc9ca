"""Phone calls: what Twilio posts about one. Pure.

Twilio asks with `?step=`: none (a call comes in, or it has ended), `language` and `menu` (a key, or none),
`recorded` (a message was spoken), `recording` (what became of its file), `dialed` (did a person answer).
"""

from collections.abc import Mapping
from functools import partial

from bot.channels.twilio.parse import EMPTY_TWIML, Form, needed
from bot.channels.twilio.twiml import ANSWERS, VOICES, Line, Step, is_phone, number, spoken
from bot.errors import Unreadable
from bot.messages import (
    WITHHELD,
    CallNews,
    Identity,
    InboundMessage,
    Media,
    MediaKind,
    Parsed,
    WaitingCall,
)

_NO_NUMBER = frozenset({"", "anonymous", "restricted", "private", "unavailable", "unknown", "blocked"})
# The same words spelt on a telephone's keys: ANONYMOUS, RESTRICTED, UNAVAILABLE, BLOCKED, UNKNOWN, PRIVATE.
_SPELT = frozenset(
    {"+266696687", "+7378742833", "+86282452253", "+2562533", "+8656696", "+7748283"},
)
_OVER = frozenset({"completed", "busy", "failed", "no-answer", "canceled"})
_SILENT = frozenset({"16101", "16102"})
"""Recordings that Twilio drops: too short, or without a sound."""


def read_call(line: Line, form: Form, query: Mapping[str, str]) -> Parsed:
    """A request of Twilio's about a call: what became known, and how it is answered. Raises Unreadable."""
    sid = needed(form, "CallSid")
    step = query.get("step", "")
    if step == "recording":
        account, address = line.unseal(query.get("caller", ""))
    else:
        account, address = needed(form, "To", "Called"), _address(form, sid)
    at = Step(
        step,
        account,
        address,
        spoken(query.get("lang", "")),
        tuple(lang for lang in query.get("offered", "").split(" ") if lang in VOICES),
        number(query.get("asked")) or 1,
        form.get("Digits", ""),
        form.get("DialCallStatus") in ("completed", "answered"),
    )
    news = _news(at, form)
    messages = () if news is None else (_message(sid, at, *news),)
    over = not step and form.get("CallStatus") in _OVER
    if over or step == "recording":
        return Parsed(messages, response=EMPTY_TWIML, response_type="text/xml")
    if step not in ANSWERS:
        raise Unreadable("a call has no such step", step=step[:20])
    call = WaitingCall(account, address, partial(ANSWERS[step], line, at))
    return Parsed(messages, call=call, response_type="text/xml")


def _address(form: Form, sid: str) -> str:
    """Who calls; who hides the number is another person in each call."""
    shown = form.get("From", "").strip()
    return f"{WITHHELD}{sid}" if shown.lower() in _NO_NUMBER or shown in _SPELT else shown


# --- what became known -----------------------------------------------------------------------------

News = tuple[CallNews, str, tuple[Media, ...]]
"""The news, what tells it from other news of the call, and files."""


def _news(at: Step, form: Form) -> News | None:
    if not at.name and form.get("CallStatus") in _OVER:
        return CallNews("ended", form["CallStatus"], number(form.get("CallDuration"))), "ended", ()
    if not at.name:
        return CallNews("started"), "started", ()
    if at.name == "language" and at.chosen:
        return CallNews("language", at.chosen), "language", ()
    if at.name == "menu" and at.key == "2" and is_phone(at.address):
        return CallNews("call_back"), "call_back", ()
    if at.name == "dialed":
        return CallNews("dialed", "answered" if at.answered else "unanswered"), "dialed", ()
    if at.name in ("recorded", "recording"):
        return _recording(at.name, form)
    return None


def _recording(step: str, form: Form) -> News | None:
    status = form.get("RecordingStatus", "completed")
    if status not in ("completed", "absent", "failed"):
        return None
    sid, url = form.get("RecordingSid", ""), form.get("RecordingUrl", "")
    # Ten times smaller than the WAV that lies there without an ending.
    media = (Media(MediaKind.VOICE, f"{url}.mp3", "audio/mpeg"),) if url else ()
    seconds = number(form.get("RecordingDuration"))
    if step == "recorded":
        return CallNews("recorded", seconds=seconds), f"recorded:{sid}", media
    value = status
    if status == "absent":
        value = "silent" if form.get("ErrorCode") in _SILENT else "failed"
    return CallNews("recording", value, seconds), f"recording:{sid}:{status}", media


def _message(sid: str, at: Step, news: CallNews, key: str, media: tuple[Media, ...]) -> InboundMessage:
    phone = (Identity("phone", at.address, verified=False),) if is_phone(at.address) else ()
    return InboundMessage(
        event_key=f"{sid}:{key}",
        channel="voice",
        account=at.account,
        address=at.address,
        external_id=sid,
        identities=phone,
        media=media,
        kind="call",
        call=news,
    )
