"""Phone calls: what a caller hears next is asked for here, and what a provider tells of a call is gathered.

A call is one line of its thread and one activity, in whatever order its news comes; a voice message becomes a
case, the wish to be called back a task.
"""

from dataclasses import asdict, dataclass, replace
from datetime import timedelta
from typing import Any
from zoneinfo import ZoneInfo

import sqlalchemy as sa

from bot.conversations import gate, message
from bot.conversations.conversation import CONVERSATION
from bot.conversations.lane import NewLane, lanes
from bot.conversations.message import messages
from bot.crm.activity import add_note
from bot.crm.call import ask_call_back, find_call, log_call
from bot.crm.contact import CONTACT, find_by_identity
from bot.dialogs import turn as plans
from bot.ids import new_id
from bot.messages import WITHHELD, Caller, CallNews, InboundMessage, WaitingCall
from bot.pipeline import files
from bot.pipeline.payloads import media_to_json
from bot.pipeline.runtime import Runtime
from bot.pipeline.writes import TurnWrites, carry_out
from bot.records.actor import BOT
from bot.records.tx import Record, Tx
from bot.records.write import find, get
from bot.storage import Id

_line = (
    sa.select(messages)
    .where(
        messages.c.external_id == sa.bindparam("external"),
        messages.c.contact_id == sa.bindparam("contact", type_=Id),
    )
    .limit(1)
    .with_for_update()
)
SPOKEN = 2
"""Seconds from which a recording is a message; shorter ones are a receiver put down."""
CALL_BACK_WITHIN = timedelta(hours=2)
_WEIGHT = {None: 0, "voicemail": 1, "call_back": 2, "answered": 3, "blocked": 4}


# --- what the caller hears -------------------------------------------------------------------------


async def answer_call(runtime: Runtime, adapter: str, call: WaitingCall) -> str:
    """What the provider is to say next, in the caller's language where it is known."""
    account = runtime.accounts.get((adapter, "voice", call.account), "")
    lang, blocked = await runtime.store.read(_caller, BOT, account, call.address)
    able = runtime.words.languages
    languages = tuple(
        name for name in runtime.profile.languages if name in able or name.split("-")[0] in able
    )
    return call.answer(Caller(lang, blocked, runtime.profile.name, languages, runtime.words.say))


def _caller(tx: Tx, account_id: str, address: str) -> tuple[str, bool]:
    """(language, blocked) of whoever calls from there, as far as we know them."""
    lane_id = NewLane(account_id, address).id
    contact_id = tx.execute(sa.select(lanes.c.contact_id).where(lanes.c.id == lane_id)).scalar()
    contact_id = contact_id or find_by_identity(tx, "phone", address)
    contact = find(tx, CONTACT, contact_id) if contact_id else None
    if contact is None:
        return "", False
    spoke = CONVERSATION.table.c
    newest = (
        sa.select(spoke.lang)
        .where(spoke.contact_id == contact["id"], spoke.lang.is_not(None), spoke.last_message_at.is_not(None))
        .order_by(spoke.last_message_at.desc())
        .limit(1)
    )
    return contact["lang"] or tx.execute(newest).scalar() or "", contact["blocked"]


# --- what is known of a call: pure -----------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Known:
    """A call so far. `spoken`: seconds of its recording, which is `promised`, `ready`, `none` (without a
    sound) or `lost`; `case_id`: the case it became."""

    outcome: str | None = None
    ended: bool = False
    seconds: int | None = None
    spoken: int | None = None
    recording: str = ""
    case_id: str = ""

    @property
    def shown(self) -> str | None:
        """What came of it; a call that ended with nothing was missed."""
        return self.outcome or ("missed" if self.ended else None)


def learn(known: Known, news: CallNews) -> Known:
    """The call as it is known after this news; the order in which news comes does not matter."""
    if news.what == "ended":
        return replace(known, ended=True, seconds=news.seconds)
    if news.what == "call_back":
        return _came_to(known, "call_back")
    if news.what == "dialed" and news.value == "answered":
        return _came_to(known, "answered")
    if news.what == "recorded":
        known = replace(known, spoken=_longest(known.spoken, news.seconds))
        if (known.spoken or 0) >= SPOKEN:
            kept = "lost" if known.recording == "none" else known.recording or "promised"
            return replace(_came_to(known, "voicemail"), recording=kept)
    if news.what == "recording":
        return _recording(known, news)
    return known


def _recording(known: Known, news: CallNews) -> Known:
    known = replace(known, spoken=_longest(known.spoken, news.seconds))
    if news.value == "completed":
        heard = (known.spoken or 0) >= SPOKEN
        return replace(_came_to(known, "voicemail"), recording="ready") if heard else known
    if known.outcome == "voicemail":
        return replace(known, recording="lost")
    if news.value == "failed" and (known.spoken is None or known.spoken >= SPOKEN):
        return replace(_came_to(known, "voicemail"), recording="lost")
    return replace(known, recording="none")


def _came_to(known: Known, outcome: str) -> Known:
    return replace(known, outcome=outcome) if _WEIGHT[outcome] > _WEIGHT[known.outcome] else known


def _longest(one: int | None, other: int | None) -> int | None:
    return max((seconds for seconds in (one, other) if seconds is not None), default=None)


# --- what is written down --------------------------------------------------------------------------


def note_missed(tx: Tx, runtime: Runtime, contact_id: str, said: InboundMessage) -> None:
    """A call on a channel that takes none (WhatsApp): the thread shows it by itself, the log gets it too."""
    lang = runtime.profile.languages[0]
    caller = said.sender_name or said.address
    log_call(
        tx,
        None,
        said.external_id[:100],
        contact_id,
        subject=runtime.words.say("call.subject", lang, "voice", caller=caller),
        body=runtime.words.say("call.outcome.missed", lang, "voice"),
        outcome="missed",
        seconds=None,
        ended=True,
    )


def note_call(
    tx: Tx, runtime: Runtime, turn: TurnWrites, said: InboundMessage, before: Record | None
) -> None:
    """Write down what became known of a call. `before`: the conversation as it was, None for a new one."""
    _Note(tx, runtime, turn, said, before).write()


class _Note:
    """The writing of one piece of news."""

    def __init__(
        self, tx: Tx, runtime: Runtime, turn: TurnWrites, said: InboundMessage, before: Record | None
    ) -> None:
        assert said.call is not None
        self.tx, self.runtime, self.turn, self.said, self.before = tx, runtime, turn, said, before
        self.news = said.call
        self.contact = get(tx, CONTACT, turn.contact_id)
        self.line = tx.row(_line, {"external": said.external_id, "contact": turn.contact_id})
        self.message_id: str = self.line["id"] if self.line else new_id()
        self.extra: dict[str, Any] = dict(self.line["extra"] or {}) if self.line else {}
        number = self._say("call.withheld") if said.address.startswith(WITHHELD) else said.address
        self.who = f"{self.contact['name']} ({number})" if self.contact["name"] else number

    def write(self) -> None:
        known = Known(**self.extra.get("call", {}))
        now = learn(known, self.news)
        if self.contact["blocked"] and known.outcome is None:
            now = replace(now, outcome="blocked")
        if self.news.what == "language":
            self.turn.conversation["lang"] = self.news.value
        if now.outcome == "voicemail" and not now.case_id:
            now = replace(now, case_id=self._open_case(now))
        elif now.recording == "lost" != known.recording and now.case_id:
            words = self._say("call.recording_lost")
            add_note(self.tx, "cases", now.case_id, words, contact_id=self.contact["id"])
        if now.outcome == "call_back" != known.outcome:
            self._ask_call_back()
        if self.line is not None and now == known:
            return
        sentence = self._sentence(now)
        self._log(now, sentence)
        self._keep_recording(known, now)
        self._write_line(now, sentence)

    def _say(self, key: str, **values: Any) -> str:
        """What is kept is written in the business's own language."""
        return self.runtime.words.say(key, self.runtime.profile.languages[0], "voice", **values)

    def _sentence(self, now: Known) -> str:
        """What came of it and how long it was: `Voice message · 0:42`."""
        words = self._say(f"call.outcome.{now.shown or 'under_way'}")
        length = now.spoken if now.outcome == "voicemail" else now.seconds
        return f"{words} · {length // 60}:{length % 60:02}" if length else words

    def _open_case(self, now: Known) -> str:
        local = self.tx.now.astimezone(ZoneInfo(self.runtime.profile.time_zone))
        subject = self._say("call.case_subject", caller=self.who, time=f"{local:%d/%m/%Y %H:%M}")
        lost = now.recording == "lost"
        description = self._say("call.recording_lost" if lost else "call.case_description")
        carry_out(self.tx, self.turn, (plans.OpenCase(subject, description),))
        return str(self.turn.results["case_id"])

    def _ask_call_back(self) -> None:
        """A task, and the conversation waits for a person as after any hand-off. Asked twice is once."""
        zone = self.runtime.profile.time_zone
        due = (gate.quiet_until(self.tx.now, zone) or self.tx.now) + CALL_BACK_WITHIN
        words = self._say("task.call_back", caller=self.who)
        if not ask_call_back(self.tx, self.contact["id"], self.turn.conversation_id, words, due):
            return
        if self.before is not None and self.before["owner"] == "human":
            self.turn.conversation["waiting_since"] = self.before["waiting_since"] or self.tx.now
        else:
            carry_out(self.tx, self.turn, (plans.HandOff("call_back", words),))

    def _log(self, now: Known, sentence: str) -> None:
        log_call(
            self.tx,
            find_call(self.tx, self.said.external_id, self.contact["id"]),
            self.said.external_id,
            self.contact["id"],
            subject=self._say("call.subject", caller=self.who),
            body=sentence,
            outcome=now.shown,
            seconds=now.seconds,
            ended=now.ended,
        )

    def _keep_recording(self, known: Known, now: Known) -> None:
        """Name the file in the line, and see to it that it is fetched when the provider has it."""
        if now.recording == known.recording:
            return
        if now.recording == "lost":
            self.extra.pop("media", None)
            files.give_up(self.tx, self.message_id)
        elif now.recording in ("promised", "ready"):
            stored = self.extra.get("media", ())
            if all(files.is_remote(one["ref"]) for one in stored):
                self.extra["media"] = [media_to_json(one) for one in self.said.media]
            see_to = files.want if now.recording == "ready" else files.expect
            see_to(self.tx, self.message_id)

    def _write_line(self, now: Known, sentence: str) -> None:
        kept = {name: value for name, value in asdict(now).items() if value not in (None, "")}
        extra = {**self.extra, "call": kept, "version": self.extra.get("version", 0) + 1}
        shown = {"last_text": sentence[:200], "last_inbound_at": self.tx.now}
        if self.line is None:
            message.append(self.tx, [self._new_line(extra, sentence)])
            self.turn.conversation |= {**shown, "last_message_at": self.tx.now, "status": "open"}
        else:
            changed = messages.update().where(messages.c.id == self.message_id)
            self.tx.execute(changed.values(text=sentence, extra=extra))
            # The list shows the newest call, also when an older one's recording is told of afterwards.
            if self.before and self.before["last_text"] == self.line["text"][:200] != sentence[:200]:
                self.turn.conversation |= shown
        self.tx.notify("message", self.turn.conversation_id)

    def _new_line(self, extra: dict[str, Any], sentence: str) -> dict[str, Any]:
        return {
            "id": self.message_id,
            "conversation_id": self.turn.conversation_id,
            "contact_id": self.contact["id"],
            "channel": "voice",
            "direction": "inbound",
            "author": "system",
            "text": sentence,
            "extra": extra,
            "lang": self.runtime.profile.languages[0],
            "external_id": self.said.external_id,
            "provider_at": self.tx.now,
            "created_at": self.tx.now,
            **message.inbound_status(),
        }
