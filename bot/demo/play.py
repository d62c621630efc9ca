"""`samvad demo add`: plays the script, so that every row and event is written as if it had happened then."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from bot.conversations import message
from bot.conversations.channel_account import ensure_account
from bot.conversations.conversation import CONVERSATION, change_owner
from bot.conversations.lane import NewLane, commit_claim, ensure_lanes
from bot.crm.account import ACCOUNT, add_account
from bot.crm.activity import add_note
from bot.crm.case import CASE, display_number, open_case, set_status
from bot.crm.consent import record_consent
from bot.crm.contact import CONTACT, add_contact, add_identity, learn_about
from bot.crm.lead import LEAD, add_lead, add_to_lead
from bot.demo.script import Counts, Person, Script, Step, load_script
from bot.ids import first_id_at, new_id
from bot.messages import STATUS_RANK
from bot.records.tx import Tx
from bot.records.write import create, get, update

ADAPTER = "demo"
"""Channel accounts of this adapter are nobody's: there is none of that name, so nothing can be sent."""
# How far a message usually gets: some channels tell no more than that they took it.
_REACHED = {
    "webchat": "delivered",
    "whatsapp": "read",
    "sms": "delivered",
    "telegram": "sent",
    "messenger": "delivered",
    "instagram": "read",
    "email": "sent",
}
_conversations = CONVERSATION.table


def add(tx: Tx) -> Counts:
    """Add the customers who are not there yet, with all they wrote and what came of it."""
    script = load_script()
    known = _known(tx)
    new = [person for person in script.people if (person.channel, person.address) not in known]
    now = tx.now
    stage = _Stage(tx, script)
    players = [_Player(stage, person, person.first_moment(now, script.zone)) for person in new]
    # As it happened: numbers and events then stand in the order of time.
    timeline = [
        (player.begins + step.after, player, step) for player in players for step in player.person.talk
    ]
    try:
        for moment, player, step in sorted(timeline, key=lambda entry: entry[0]):
            tx.now = moment
            player.play(step)
    finally:
        tx.now = now
    return Counts(**stage.tally)


def _known(tx: Tx) -> set[tuple[str, str]]:
    statement = (
        sa.select(_conversations.c.channel, _conversations.c.address)
        .join(CONTACT.table, CONTACT.table.c.id == _conversations.c.contact_id)
        .where(CONTACT.table.c.demo)
    )
    return {(row.channel, row.address) for row in tx.execute(statement)}


def _id_then(moment: datetime) -> str:
    """An id as it would have been made then: ids sort by time."""
    return first_id_at(moment)[:15] + new_id()[15:]


@dataclass(slots=True)
class _Stage:
    """What all players share."""

    tx: Tx
    script: Script
    tally: dict[str, int] = field(default_factory=dict)

    def count(self, name: str) -> None:
        self.tally[name] = self.tally.get(name, 0) + 1

    def account(self, domain: str) -> str:
        """The account of this domain, made when there is none."""
        table = ACCOUNT.table
        known = self.tx.row(
            sa.select(table.c.id).where(table.c.domain == domain, table.c.deleted_at.is_(None))
        )
        if known is not None:
            return str(known["id"])
        self.count("accounts")
        return add_account(self.tx, self.script.accounts[domain], domain=domain)


class _Player:
    """One customer's conversation as it goes on."""

    def __init__(self, stage: _Stage, person: Person, begins: datetime) -> None:
        self.stage = stage
        self.tx = stage.tx
        self.person = person
        self.begins = begins
        self.contact = self.conversation = self.lane = self.case = self.lead = ""
        self.said: dict[str, str] = {}

    def play(self, step: Step) -> None:
        """Do one step; the first opens the conversation."""
        if not self.conversation:
            self._open()
        STEPS[step.kind](self, step)

    def _open(self) -> None:
        tx, person, stage = self.tx, self.person, self.stage
        # Who comes by these has no name until they say it; a telephone number got one from staff.
        name = "" if person.channel in ("webchat", "messenger", "instagram") else person.name
        source = "staff" if person.channel == "sms" else "channel"
        self.contact = add_contact(
            tx, name, source=source, lang=person.lang, contact_id=_id_then(tx.now), demo=True
        )
        for kind, value in _identities(person):
            add_identity(tx, self.contact, kind, value, verified=kind != "email")
        if person.account:
            contact = get(tx, CONTACT, self.contact)
            update(tx, CONTACT, contact, {"account_id": stage.account(person.account)})
        our_account = ensure_account(tx, ADAPTER, person.channel, stage.script.ours[person.channel])
        lane = NewLane(our_account, person.address)
        ensure_lanes(tx, [lane])
        self.lane = lane.id
        self.conversation = create(
            tx,
            CONVERSATION,
            {
                "id": _id_then(tx.now),
                "lane_id": lane.id,
                "contact_id": self.contact,
                "channel": person.channel,
                "channel_account_id": our_account,
                "address": person.address,
                "subject": person.subject,
                "status": "open",
                "owner": "bot",
                "owner_epoch": 0,
                "lang": person.lang,
                "last_text": "",
                "escalation_level": 0,
                "held": False,
            },
        )
        self._hold_lane(None)
        stage.count("contacts")
        stage.count("conversations")

    def _hold_lane(self, stopped_at: datetime | None) -> None:
        commit_claim(
            self.tx,
            self.lane,
            0,
            contact_id=self.contact,
            conversation_id=self.conversation,
            stopped_at=stopped_at,
            more=False,
        )

    def _write(self, step: Step, author: str, status: Mapping[str, Any]) -> None:
        text = str(step.value)
        for name, number in self.said.items():
            text = text.replace(f"{{{name}}}", number)
        tx = self.tx
        row = {
            "id": _id_then(tx.now),
            "conversation_id": self.conversation,
            "contact_id": self.contact,
            "channel": self.person.channel,
            "direction": "inbound" if author == "contact" else "outbound",
            "author": author,
            "text": text,
            "lang": self.person.lang,
            "error": step.error or None,
            "provider_at": tx.now,
            "created_at": tx.now,
        }
        message.append(tx, [{**row, **status}])
        self._touch(last_text=" ".join(text.split())[:200], last_message_at=tx.now)
        self.stage.count("messages")

    def _touch(self, **values: Any) -> None:
        """Keep the conversation's books; messages and owners have events of their own."""
        statement = _conversations.update().where(_conversations.c.id == self.conversation)
        self.tx.execute(statement.values(updated_at=self.tx.now, **values))
        self.tx.notify("conversation", self.conversation)

    def customer_writes(self, step: Step) -> None:
        """A message of theirs; with a person as owner they now wait."""
        self._write(step, "contact", message.inbound_status())
        self._touch(last_inbound_at=self.tx.now)
        row = get(self.tx, CONVERSATION, self.conversation)
        if row["owner"] == "human" and row["waiting_since"] is None:
            self._touch(waiting_since=self.tx.now)

    def bot_writes(self, step: Step) -> None:
        """An answer of the bot."""
        self._write(step, "bot", self._sent(step))

    def agent_writes(self, step: Step) -> None:
        """An answer of a person: nobody waits any more."""
        self._write(step, "agent", self._sent(step))
        self._touch(waiting_since=None)

    def _sent(self, step: Step) -> Mapping[str, Any]:
        status = step.status or _REACHED[self.person.channel]
        return {"status": status, "status_rank": STATUS_RANK[status]}

    def learn_name(self, step: Step) -> None:
        """They said who they are."""
        learn_about(self.tx, self.contact, name=step.value, source="said")

    def claim_identity(self, step: Step) -> None:
        """An address they typed."""
        add_identity(self.tx, self.contact, step.value["kind"], step.value["value"], verified=False)

    def fill_lead(self, step: Step) -> None:
        """Open the lead, or add to it."""
        slots = dict(step.value)
        qualified = slots.pop("qualified", False)
        if "budget" in slots:
            slots |= {"budget": slots["budget"] * 100, "currency": self.stage.script.currency}
        if not self.lead:
            self.lead, number = add_lead(
                self.tx, self.contact, slots, source=self.person.channel, conversation_id=self.conversation
            )
            self.said["lead"] = f"L-{number}"
            self.stage.count("leads")
        add_to_lead(self.tx, get(self.tx, LEAD, self.lead), slots, qualified=qualified)

    def move_lead(self, step: Step) -> None:
        """Another status."""
        update(self.tx, LEAD, get(self.tx, LEAD, self.lead), {"status": step.value})

    def begin_case(self, step: Step) -> None:
        """A problem to solve."""
        self.case, number = open_case(
            self.tx, self.contact, **step.value, origin=self.person.channel, conversation_id=self.conversation
        )
        self.said["case"] = display_number(number)
        self.stage.count("cases")

    def move_case(self, step: Step) -> None:
        """Another status."""
        set_status(self.tx, get(self.tx, CASE, self.case), step.value)

    def hand_off(self, step: Step) -> None:
        """A person is wanted."""
        row = get(self.tx, CONVERSATION, self.conversation)
        change_owner(
            self.tx,
            row,
            "human",
            waiting_since=self.tx.now,
            reason=step.value["reason"],
            summary=step.value["summary"],
        )

    def hand_back(self, step: Step) -> None:
        """The bot again."""
        change_owner(self.tx, get(self.tx, CONVERSATION, self.conversation), "bot")

    def stop(self, step: Step) -> None:
        """They want no more messages."""
        record_consent(
            self.tx, self.contact, self.person.channel, "withdrawn", how="message", words=step.value
        )
        self._hold_lane(self.tx.now)

    def note(self, step: Step) -> None:
        """What colleagues should know."""
        add_note(self.tx, "conversations", self.conversation, step.value, contact_id=self.contact)

    def close(self, step: Step) -> None:
        """Done."""
        update(self.tx, CONVERSATION, get(self.tx, CONVERSATION, self.conversation), {"status": "closed"})


def _identities(person: Person) -> list[tuple[str, str]]:
    if person.channel == "whatsapp":
        return [("whatsapp", person.address), ("phone", f"+{person.address}")]
    return [("phone" if person.channel == "sms" else person.channel, person.address)]


STEPS: Mapping[str, Callable[[_Player, Step], None]] = {
    "in": _Player.customer_writes,
    "bot": _Player.bot_writes,
    "agent": _Player.agent_writes,
    "name": _Player.learn_name,
    "claim": _Player.claim_identity,
    "lead": _Player.fill_lead,
    "lead_status": _Player.move_lead,
    "case": _Player.begin_case,
    "case_status": _Player.move_case,
    "handoff": _Player.hand_off,
    "hand_back": _Player.hand_back,
    "stop": _Player.stop,
    "note": _Player.note,
    "close": _Player.close,
}
"""What can happen in a conversation."""
