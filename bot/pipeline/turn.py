"""One turn: read the lane, understand, decide, commit. Nothing waits for a network inside a transaction."""

from dataclasses import dataclass, field
from typing import Any

from bot import clock, metrics
from bot.adapter import Channel, Features
from bot.conversations import gate, inbox
from bot.conversations.message import thread
from bot.crm.contact import identities_of
from bot.crm.user import agents_online
from bot.dialogs.commands import Understood
from bot.dialogs.engine import decide
from bot.dialogs.turn import (
    AddIdentity,
    Business,
    Customer,
    HandOff,
    Line,
    Plan,
    Turn,
)
from bot.ids import new_id
from bot.llm import within
from bot.messages import InboundMessage
from bot.pipeline import invitations
from bot.pipeline.amend import AMENDMENTS, commit_amendment, find_target
from bot.pipeline.answers import answer_need
from bot.pipeline.commit import Committed, Decided, commit_turn
from bot.pipeline.defence import Defence, Verdict
from bot.pipeline.load import LaneState, conversation_of_mail, read_conversation
from bot.pipeline.payloads import media_from_json, message_from_json, template_from_json
from bot.pipeline.runtime import Runtime
from bot.pipeline.shape import StaffText
from bot.pipeline.typing import typing
from bot.records.actor import BOT, SYSTEM, Actor
from bot.records.tx import Record, Tx
from bot.settings import Settings

EARLIER = 6
"""Lines of the conversation that a language model reads before a message."""
_ONLINE_CACHE_S = 5.0
_ADDRESSES_CACHE_S, _ADDRESSES_CACHE = 60.0, 20_000
_PURPOSES: dict[str, gate.Purpose] = {
    "reply": "staff",
    "nudge": "business",
    "code": "answer",
    "late_answer": "answer",
}
"""What is sent, by the kind of its event: a code answers somebody who asked for it just now."""
Addresses = tuple[tuple[str, str, bool], ...]
"""(kind, value, verified) of a contact's identities."""


@dataclass(slots=True)
class Thought:
    """What a turn has worked out so far; a re-run after a conflict keeps what was understood."""

    understood: Understood | None = None
    verdict: Verdict | None = None
    rows: dict[str, Record] = field(default_factory=dict)


class Turns:
    """Runs turns for one process."""

    def __init__(self, runtime: Runtime) -> None:
        """`runtime` is shared with the rest of the pipe."""
        self._runtime = runtime
        self._defence = Defence(runtime)
        self._online: tuple[float, bool] = (0.0, False)
        self._addresses: dict[str, tuple[float, Addresses]] = {}

    async def run(self, state: LaneState, batch: list[Record], more: bool, thought: Thought) -> Committed:
        """Work off one batch of a claimed lane. Raises LaneLost, VersionConflict: run it again."""
        kind = batch[0]["kind"]
        if kind == "message":
            return await self._customer(state, batch, more, thought)
        if kind in _PURPOSES:
            return await self._outgoing(state, batch[0], more)
        if kind == "call":
            said = (self._said(state, batch[0]),)
            return await self._commit(state, Decided((batch[0],), said), more, BOT)
        if kind == "answer":
            return await self._invited(state, batch[0], more, thought)
        if kind in AMENDMENTS:
            return await self._amend(state, batch[0], more, thought)
        # A marker (taken over, handed back): the change itself was committed when it was made.
        return await self._commit(state, Decided(events=tuple(batch)), more, BOT)

    async def _commit(self, state: LaneState, decided: Decided, more: bool, actor: Actor) -> Committed:
        return await self._runtime.store.run(commit_turn, actor, self._runtime, state, decided, more)

    async def _customer(
        self, state: LaneState, batch: list[Record], more: bool, thought: Thought
    ) -> Committed:
        said = tuple(self._said(state, event) for event in batch)
        state = await self._mail_conversation(state, said)
        if state.conversation is not None and state.conversation["contact_blocked"]:
            return await self._commit(state, Decided(tuple(batch), said), more, BOT)
        if thought.verdict is None:
            thought.verdict = await self._defence.weigh(
                state.lane["id"], state.lane["channel_account_id"], said
            )
        turn = await self._turn(state, said, thought.verdict)
        within(self._runtime.settings.llm_timeout_s)
        async with typing(self._speaker(state, turn), said[-1]):
            if thought.understood is None:
                thought.understood = await self._runtime.understand(turn)
                metrics.UNDERSTOOD.labels(thought.understood.source, thought.understood.lang).inc()
                if thought.understood.abusive:
                    metrics.ABUSE.labels(thought.understood.lang).inc()
            thought.rows.clear()
            plan = await self._decide(state, turn, thought)
        if any(isinstance(write, AddIdentity) for write in plan.writes):
            self._addresses.pop(state.lane["contact_id"] or "", None)
        decided = Decided(
            events=tuple(batch), messages=said, plan=plan, rows=thought.rows, lang=thought.understood.lang
        )
        return await self._commit(state, decided, more, BOT)

    def _speaker(self, state: LaneState, turn: Turn) -> Channel | None:
        """The channel on which the bot is about to answer; None when it will keep silent."""
        if turn.owner_is_human or turn.stopped or turn.quiet:
            return None
        adapter, _, _ = self._runtime.account(state.lane["channel_account_id"])
        return self._runtime.channels.get(adapter)

    async def _amend(self, state: LaneState, event: Record, more: bool, thought: Thought) -> Committed:
        said, contact_id = self._said(state, event), state.lane["contact_id"]
        if said.kind == "edit" and not await self._runtime.store.read(find_target, BOT, contact_id, said):
            # What it edits never reached us: then these are the words that count.
            return await self._customer(state, [event], more, thought)
        return await self._runtime.store.run(commit_amendment, BOT, state, event, said, more=more)

    async def _invited(self, state: LaneState, event: Record, more: bool, thought: Thought) -> Committed:
        """The answer to an invitation; one that we know nothing of is kept as a mail that nobody answers."""
        said = self._said(state, event)
        if not await self._runtime.store.read(invitations.is_known, SYSTEM, said):
            return await self._customer(state, [event], more, thought)
        run = self._runtime.store.run
        return await run(invitations.commit_answer, SYSTEM, self._runtime, state, event, said, more)

    def _said(self, state: LaneState, event: Record) -> InboundMessage:
        _, channel, account = self._runtime.account(state.lane["channel_account_id"])
        return message_from_json(
            event["payload"], channel, account, state.lane["address"], event["provider_at"], event["kind"]
        )

    async def _mail_conversation(self, state: LaneState, said: tuple[InboundMessage, ...]) -> LaneState:
        """Mail has many conversations a sender: find the one this mail answers, or begin another."""
        if said[0].channel != "email":
            return state
        found = None
        if said[0].thread:
            found = await self._runtime.store.read(
                conversation_of_mail, BOT, state.lane["id"], said[0].thread
            )
        return LaneState(state.lane, state.events, found)

    async def _turn(self, state: LaneState, said: tuple[InboundMessage, ...], verdict: Verdict) -> Turn:
        runtime, conversation = self._runtime, state.conversation
        profile = runtime.profile
        features = runtime.features(state.lane["channel_account_id"])
        return Turn(
            now=clock.now(),
            channel=said[0].channel,
            business=Business(
                profile.name, profile.country, profile.time_zone, profile.languages, profile.currency
            ),
            customer=_customer_of(state, said, await self._identities(state.lane["contact_id"])),
            messages=said,
            state=(conversation["state"] or {}) if conversation else {},
            agents_online=await self._agents_online(),
            owner_is_human=conversation is not None and conversation["owner"] == "human",
            stopped=state.lane["stopped_at"] is not None,
            answers_after_stop=not features.stop_is_silent,
            article_base_url=f"{runtime.settings.public_url}/help",
            earlier=await self._earlier(conversation),
            quiet=verdict.quiet,
            notice=verdict.notice,
            asks_helped=_asks_helped(runtime.settings, features),
            question_id=new_id(),
        )

    async def _earlier(self, conversation: Record | None) -> tuple[Line, ...]:
        """The last lines of the conversation: only a language model reads them."""
        if conversation is None or not self._runtime.settings.llm_base_url:
            return ()
        lines = await self._runtime.store.read(thread, BOT, conversation["id"], EARLIER)
        return tuple(Line(one["direction"] == "inbound", one["text"]) for one in lines)

    async def _identities(self, contact_id: str | None) -> Addresses:
        """The contact's addresses, remembered a while: they tell what need not be asked, and open nothing."""
        if contact_id is None:
            return ()
        moment = clock.now().timestamp()
        found = self._addresses.get(contact_id)
        if found is None or moment - found[0] > _ADDRESSES_CACHE_S:
            if len(self._addresses) > _ADDRESSES_CACHE:
                self._addresses.clear()
            known = await self._runtime.store.read(identities_of, BOT, contact_id)
            found = self._addresses[contact_id] = (moment, tuple(known))
        return found[1]

    async def _agents_online(self) -> bool:
        moment = clock.now().timestamp()
        if moment - self._online[0] > _ONLINE_CACHE_S:
            self._online = (moment, await self._runtime.store.read(agents_online, SYSTEM))
        return self._online[1]

    async def _decide(self, state: LaneState, turn: Turn, thought: Thought) -> Plan:
        assert thought.understood is not None
        steps = decide(turn, thought.understood, self._runtime.flows)
        answer: Any = None
        try:
            while True:
                need = steps.send(answer)
                answer = await answer_need(self._runtime, state, turn, need, thought.rows)
        except StopIteration as end:
            plan: Plan = end.value
            return plan

    async def _outgoing(self, state: LaneState, event: Record, more: bool) -> Committed:
        """A person's reply, or a message the business starts (a nudge)."""
        data = event["payload"]
        staff = event["kind"] == "reply"
        text = StaffText(
            message_id=data["message_id"],
            text=data["text"],
            author="agent" if staff else "bot",
            author_id=data.get("user_id"),
            purpose=data.get("purpose") or _PURPOSES[event["kind"]],
            sealed=data.get("sealed", ""),
            media=tuple(media_from_json(one) for one in data.get("media", ())),
            template=template_from_json(data["template"]) if "template" in data else None,
        )
        if (wanted := data.get("conversation_id")) != state.lane["conversation_id"]:
            found = await self._runtime.store.read(read_conversation, BOT, wanted)
            state = LaneState(state.lane, state.events, found)
        actor = Actor("user", data["user_id"], data["role"], data["team_id"], data["name"]) if staff else BOT
        return await self._commit(state, Decided(events=(event,), staff=text), more, actor)


def park(tx: Tx, runtime: Runtime, state: LaneState, event: Record, error: str) -> Committed:
    """A message that failed five times: keep what was said, hand the customer to a person, move on."""
    said: tuple[InboundMessage, ...] = ()
    plan = None
    if event["kind"] in ("message", "edit", "answer"):  # those may turn out to be messages
        _, channel, account = runtime.account(state.lane["channel_account_id"])
        payload = event["payload"]
        said = (message_from_json(payload, channel, account, state.lane["address"], event["provider_at"]),)
        before = state.conversation
        lang = (before["lang"] if before else None) or runtime.profile.languages[0]
        plan = Plan(writes=(HandOff("failed", said[0].text[:500]),), lang=lang)
    committed = commit_turn(tx, runtime, state, Decided((event,), said, plan), more=False)
    tx.flush()  # the turn marks its event done; parked has the last word
    inbox.park(tx, event, error)
    return committed


def _asks_helped(settings: Settings, features: Features) -> bool:
    """Whether customers of this channel are asked if an answer helped: numbered lines in place of buttons
    lengthen every answer, by SMS at a price."""
    return settings.ask_helped == "always" or (settings.ask_helped == "buttons" and features.buttons >= 2)


def _customer_of(state: LaneState, said: tuple[InboundMessage, ...], known: Addresses) -> Customer:
    conversation = state.conversation
    claimed = [one for message in said for one in message.identities]
    phones = {one.value: None for one in claimed if one.kind == "phone"}
    emails = {one.value: None for one in claimed if one.kind == "email"}
    phones |= {value: None for kind, value, _ in known if kind == "phone"}
    emails |= {value: None for kind, value, _ in known if kind == "email"}
    name = conversation["contact_name"] if conversation else said[0].sender_name
    lang = (conversation["lang"] or conversation["contact_lang"]) if conversation else None
    return Customer(state.lane["contact_id"], name or "", lang, tuple(phones), tuple(emails))
