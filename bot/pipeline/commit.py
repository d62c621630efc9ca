"""The one commit of a turn: what was said, what was decided, what it changed, what is to leave."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

import sqlalchemy as sa

from bot import metrics
from bot.adapter import Features
from bot.conversations import gate, inbox, lane, message, outbox
from bot.conversations.conversation import CONVERSATION, reference_of
from bot.crm.contact import add_contact, add_identity, find_by_identity
from bot.dialogs.render import render
from bot.dialogs.turn import Plan
from bot.errors import LaneLost
from bot.ids import new_id
from bot.messages import InboundMessage
from bot.pipeline import calls, files
from bot.pipeline.load import LaneState, new_conversation
from bot.pipeline.payloads import buttons_to_json, extra_of
from bot.pipeline.runtime import Runtime
from bot.pipeline.shape import StaffText, fit, one_line, parts_of, preview
from bot.pipeline.unsubscribe import way_out
from bot.pipeline.writes import TurnWrites, carry_out
from bot.records.timer import cancel_timer
from bot.records.tx import Record, Tx
from bot.records.write import create
from bot.storage import Instant

_table = CONVERSATION.table
# What a turn may change of its conversation: always all of it, so that the statement is built once.
_TURN_COLUMNS = (
    "contact_id",
    "subject",
    "status",
    "owner",
    "owner_epoch",
    "assignee_id",
    "lang",
    "state",
    "last_text",
    "last_message_at",
    "last_inbound_at",
    "last_business_at",
    "waiting_since",
    "handoff_reason",
    "handoff_summary",
    "escalation_level",
    "held",
)
_save = (
    _table.update()
    .where(
        _table.c.id == sa.bindparam("saved"),
        _table.c.owner_epoch == sa.bindparam("known_epoch", type_=sa.Integer),
    )
    .values(
        **{name: sa.bindparam(f"new_{name}", type_=_table.c[name].type) for name in _TURN_COLUMNS},
        updated_at=sa.bindparam("moment", type_=Instant),
        version=_table.c.version + 1,
    )
)


@dataclass(frozen=True, slots=True)
class Decided:
    """What is to be committed: the events, the messages in them, and what the bot decided."""

    events: tuple[Record, ...]
    messages: tuple[InboundMessage, ...] = ()
    plan: Plan | None = None
    rows: Mapping[str, Record] = field(default_factory=dict)
    lang: str = ""
    purpose: gate.Purpose = "answer"
    staff: StaffText | None = None


@dataclass(frozen=True, slots=True)
class Outgoing:
    """A row that the turn leased to this process for sending at once."""

    id: str
    conversation_id: str
    account_id: str
    address: str
    payload: dict[str, Any]
    attempts: int = 0


@dataclass(frozen=True, slots=True)
class Committed:
    """What a turn left behind: rows to send now, and the lane as it is held from here on."""

    outgoing: tuple[Outgoing, ...]
    lane: Record
    human: bool
    conversation_id: str


class TurnCommit:
    """One turn's commit, step by step. Made and used inside one transaction."""

    def __init__(self, tx: Tx, runtime: Runtime, state: LaneState, decided: Decided) -> None:
        self.tx = tx
        self.runtime = runtime
        self.lane = state.lane
        self.before = state.conversation
        self.decided = decided
        _, self.channel, self.account = runtime.account(state.lane["channel_account_id"])
        self.features: Features = runtime.features(state.lane["channel_account_id"])
        self.now: datetime = tx.now
        self.rows: list[dict[str, Any]] = []
        self.leaving: list[dict[str, Any]] = []

    def run(self, more: bool) -> Committed:
        """Do it all; raises LaneLost, VersionConflict when what it relied on changed meanwhile."""
        contact_id = self.lane["contact_id"] or self._contact()
        self._prove(contact_id)
        now = self._conversation(contact_id)
        writes = self._writes(contact_id, now)
        now |= writes.conversation
        self._inbound(contact_id, now)
        stopped_at = self._stop_state(writes)
        self._outbound(contact_id, now, writes, stopped_at)
        self._save(now)
        if self.rows:
            message.append(self.tx, self.rows)
        if self.leaving:
            outbox.append(self.tx, self.leaving)
        inbox.mark_done(self.tx, [event["seq"] for event in self.decided.events])
        lane.commit_claim(
            self.tx,
            self.lane["id"],
            self.lane["epoch"],
            contact_id=contact_id,
            conversation_id=now["id"],
            stopped_at=stopped_at,
            more=more,
        )
        self._tell(now, writes)
        return self._committed(now, contact_id, stopped_at)

    def _before(self, name: str, default: Any) -> Any:
        return default if self.before is None else self.before[name]

    def _contact(self) -> str:
        """The contact of a lane that has none: whom a verified identity names, else a new one."""
        sender = self.decided.messages[0] if self.decided.messages else None
        identities = sender.identities if sender else ()
        for one in identities:
            # The number a call shows proves nothing, but it is told nothing either: it may name a contact.
            names = one.verified or self.channel == "voice"
            if names and (known := find_by_identity(self.tx, one.kind, one.value)) is not None:
                contact_id = known
                break
        else:
            name = sender.sender_name if sender else ""
            contact_id = add_contact(self.tx, name, source="channel", lang=None)
        for one in identities:
            add_identity(self.tx, contact_id, one.kind, one.value, verified=one.verified)
        return contact_id

    def _prove(self, contact_id: str) -> None:
        """A sender whom the lane knows may be proved only now: by mail, each letter is proved or not."""
        known = self.lane["contact_id"] is not None and self.channel == "email"
        for one in self.decided.messages[0].identities if known and self.decided.messages else ():
            if one.verified:
                add_identity(self.tx, contact_id, one.kind, one.value, verified=True)

    def _conversation(self, contact_id: str) -> dict[str, Any]:
        """The conversation as it will be: made now when there is none."""
        if self.before is not None:
            now = {name: self.before[name] for name in _TURN_COLUMNS}
            return now | {"id": self.before["id"]}
        subject = self.decided.messages[0].subject if self.decided.messages else ""
        values = new_conversation(self.lane, contact_id, self.channel, subject)
        create(self.tx, CONVERSATION, values)
        return {name: values.get(name) for name in _TURN_COLUMNS} | {"id": values["id"]}

    def _writes(self, contact_id: str, now: dict[str, Any]) -> TurnWrites:
        escalation = timedelta(minutes=self.runtime.settings.escalation_minutes)
        delays = {"followup": timedelta(hours=self.runtime.settings.followup_hours)}
        plan, rows = self.decided.plan, self.decided.rows
        lang = plan.lang if plan is not None else ""
        writes = TurnWrites(self.runtime, contact_id, now["id"], self.channel, lang, rows, escalation, delays)
        writes.written = self.decided.lang
        if self.decided.plan is not None:
            writes.source = str(self.decided.plan.state.get("source", ""))
            carry_out(self.tx, writes, self.decided.plan.writes)
            now["state"] = dict(self.decided.plan.state)
            now["lang"] = self.decided.plan.lang
        for said in self.decided.messages:
            if said.call is not None:
                calls.note_call(self.tx, self.runtime, writes, said, self.before)
            elif said.unsupported == "call":
                calls.note_missed(self.tx, self.runtime, contact_id, said)
        return writes

    def _inbound(self, contact_id: str, now: dict[str, Any]) -> None:
        if self.channel == "voice":
            return  # a call is one line, whatever becomes known of it
        for event, said in zip(self.decided.events, self.decided.messages, strict=False):
            if event["attempts"] >= inbox.MAX_FAILURES:
                continue  # tried again after it was parked: what was said has been in the thread since
            message_id = new_id()
            if files.has_remote(said):
                files.want(self.tx, message_id)
            self.rows.append(
                {
                    "id": message_id,
                    "conversation_id": now["id"],
                    "contact_id": contact_id,
                    "channel": self.channel,
                    "direction": "inbound",
                    "author": "contact",
                    "text": said.text,
                    "extra": extra_of(said),
                    "lang": self.decided.lang or None,
                    "external_id": said.external_id,
                    "provider_at": event["provider_at"],
                    "created_at": self.now,
                    **message.inbound_status(),
                }
            )
            now["last_text"] = preview(said)
            now["last_message_at"] = now["last_inbound_at"] = self.now
            now["status"] = "open"
        if self.decided.messages and now["owner"] == "human" and now["waiting_since"] is None:
            now["waiting_since"] = self.now
        if self.decided.messages and now["held"]:
            outbox.release_held(self.tx, now["id"])
            self.tx.notify("outbox", now["id"])
            now["held"] = False

    def _stop_state(self, writes: TurnWrites) -> datetime | None:
        stopped_at: datetime | None = self.lane["stopped_at"]
        if writes.stopped is None:
            return stopped_at
        if writes.stopped and self.before is not None:
            outbox.cancel_queued(self.tx, self.before["id"], writes.contact_id, "stopped")
        return (stopped_at or self.now) if writes.stopped else None

    def _outbound(
        self, contact_id: str, now: dict[str, Any], writes: TurnWrites, stopped_at: datetime | None
    ) -> None:
        purpose = self.decided.purpose if writes.stopped is None else "confirmation"
        plan, staff = self.decided.plan, self.decided.staff
        if plan is not None:
            for rendered in render(plan, writes.results, self.runtime.words, self.channel):
                for text, buttons in fit(rendered, self.features):
                    extra = {"buttons": buttons_to_json(buttons)} if buttons else None
                    self._write(contact_id, now, stopped_at, purpose, text, extra)
        if staff is not None:
            message_id = staff.message_id
            for text, beside in parts_of(staff, self.features):
                self._write(contact_id, now, stopped_at, staff.purpose, text, beside, staff, message_id)
                message_id = new_id()
            if staff.author == "agent":
                now["waiting_since"] = None
                cancel_timer(self.tx, "handoff_escalation", now["id"])

    def _write(
        self,
        contact_id: str,
        now: dict[str, Any],
        stopped_at: datetime | None,
        purpose: gate.Purpose,
        text: str,
        extra: dict[str, Any] | None,
        staff: StaffText | None = None,
        message_id: str = "",
    ) -> None:
        """One message to leave, if the gate lets it."""
        features = self.features if not (extra and "template" in extra) else self.features.by_template()
        verdict = gate.check(purpose, self._recipient(now, stopped_at), features, self.now)
        if not verdict.open:
            metrics.REFUSED.labels(verdict.reason).inc()
            if staff is None or staff.author != "agent":
                return  # the bot and the business keep silent; a person's words are kept and explained
        held = verdict.reason == "window_closed"
        status, rank = ("queued", 0) if verdict.open or held else ("failed", 3)
        row = {
            "id": message_id or new_id(),
            "conversation_id": now["id"],
            "contact_id": contact_id,
            "channel": self.channel,
            "direction": "outbound",
            "author": staff.author if staff else "bot",
            "author_id": staff.author_id if staff else None,
            "text": text,
            "extra": extra,
            "lang": now["lang"],
            "status": status,
            "status_rank": rank,
            "error": verdict.reason,
            "created_at": self.now,
        }
        self.rows.append(row)
        now["last_text"], now["last_message_at"] = one_line(text, extra or {}), self.now
        if purpose == "business":
            now["last_business_at"] = self.now
        if status == "queued":
            now["held"] = now["held"] or held
            leaving = self._leaving(row, now, purpose, held)
            if staff and staff.sealed:
                leaving["payload"]["sealed"] = staff.sealed
            self.leaving.append(leaving)

    def _leaving(self, row: dict[str, Any], now: dict[str, Any], purpose: str, held: bool) -> dict[str, Any]:
        answered = self.decided.messages[-1] if self.decided.messages else None
        payload: dict[str, Any] = {"text": row["text"], "automatic": row["author"] != "agent"}
        if row["extra"]:
            payload |= row["extra"]
        if self.channel == "email":
            payload |= {"subject": now["subject"] or "", "reference": reference_of(now["id"])}
            if answered is not None:
                payload["thread"] = [*answered.thread, answered.external_id]
            else:
                payload["thread"] = message.external_ids(self.tx, now["id"])
            if purpose == "business":
                payload |= way_out(self.runtime, self.lane["id"], self.channel, row)
        # The first unsent message of a conversation is leased here and now: it costs no commit of its own.
        # Files take their time: beside one only the first is, or the lease of the last would run out.
        slow = bool(self.leaving) and any("media" in one for one in (payload, self.leaving[-1]["payload"]))
        at_once = not held and not slow and not self._before("unsent", False)
        return {
            "id": row["id"],
            "conversation_id": now["id"],
            "lane_id": self.lane["id"],
            "author": row["author"],
            "purpose": purpose,
            "owner_epoch": now["owner_epoch"],
            "payload": payload,
            "state": "held" if held else "sending" if at_once else "queued",
            "lease_by": self.runtime.holder if at_once else None,
            "lease_until": self.now + outbox.SEND_LEASE if at_once else None,
            "error": "window_closed" if held else None,
        }

    def _recipient(self, now: dict[str, Any], stopped_at: datetime | None) -> gate.Recipient:
        return gate.Recipient(
            blocked=bool(self._before("contact_blocked", False)),
            stopped=stopped_at is not None,
            last_inbound_at=now["last_inbound_at"],
            last_business_at=now["last_business_at"],
            time_zone=self.runtime.profile.time_zone,
        )

    def _save(self, now: dict[str, Any]) -> None:
        parameters = {f"new_{name}": now[name] for name in _TURN_COLUMNS}
        known = self._before("owner_epoch", 0)
        parameters |= {"saved": now["id"], "known_epoch": known, "moment": self.now}
        self.tx.later(_save, parameters, LaneLost("The conversation's owner changed during the turn"))

    def _tell(self, now: dict[str, Any], writes: TurnWrites) -> None:
        if writes.handed_off is not None:
            changes = {"owner": ("bot", "human")}
            reason = writes.handed_off.reason
            contact_id = writes.contact_id
            self.tx.event(CONVERSATION, now["id"], "handed_off", changes, contact_id, reason)
        if self.rows:
            self.tx.notify("message", now["id"])
        self.tx.notify("conversation", now["id"])

    def _committed(self, now: dict[str, Any], contact_id: str, stopped_at: datetime | None) -> Committed:
        outgoing = tuple(
            Outgoing(
                row["id"], now["id"], self.lane["channel_account_id"], self.lane["address"], row["payload"]
            )
            for row in self.leaving
            if row["state"] == "sending"
        )
        held = {**self.lane, "contact_id": contact_id, "conversation_id": now["id"], "stopped_at": stopped_at}
        if any(row["state"] == "queued" for row in self.leaving):
            self.tx.notify("outbox", now["id"])
        return Committed(outgoing, held, now["owner"] == "human", now["id"])


def commit_turn(tx: Tx, runtime: Runtime, state: LaneState, decided: Decided, more: bool) -> Committed:
    """Commit a turn; `more`: keep the lane for what waits behind it."""
    return TurnCommit(tx, runtime, state, decided).run(more)
