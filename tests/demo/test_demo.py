"""The demo business comes, stays one, and goes without a trace."""

import re
from collections import Counter
from datetime import datetime, timedelta

import phonenumbers
import pytest
import sqlalchemy as sa
import time_machine

from bot import clock
from bot.channels import CHANNELS as ADAPTERS
from bot.conversations.channel_account import CHANNEL_ACCOUNT, CHANNELS
from bot.conversations.conversation import CONVERSATION, change_owner, get_conversation
from bot.conversations.inbox import NewEvent
from bot.conversations.inbox import append as append_inbox
from bot.conversations.message import MESSAGE, messages
from bot.conversations.outbox import append as append_outbox
from bot.crm.account import ACCOUNT
from bot.crm.activity import add_note
from bot.crm.case import CASE, CASE_STATUSES, display_number, open_case
from bot.crm.contact import CONTACT, add_contact, add_identity, find_by_identity
from bot.crm.lead import LEAD, LEAD_STATUSES, add_lead
from bot.crm.notification import notify_user
from bot.crm.user import add_user
from bot.demo import Counts, add, remove
from bot.demo.play import ADAPTER, STEPS
from bot.demo.script import load_script
from bot.ids import new_id
from bot.knowledge.files import read_article
from bot.records.actor import SYSTEM
from bot.records.events import events
from bot.records.store import Store
from bot.records.timer import set_timer
from bot.records.tx import Tx
from bot.records.write import get, update
from bot.shipped import shipped
from bot.storage import metadata

NOTHING = Counts()


def _counts(tx: Tx) -> dict[str, int]:
    return {
        table.name: tx.execute(sa.select(sa.func.count()).select_from(table)).scalar_one()
        for table in metadata.sorted_tables
    }


def _all(store: Store, table: sa.Table) -> list[sa.RowMapping]:
    def read(tx: Tx) -> list[sa.RowMapping]:
        return list(tx.execute(sa.select(table).order_by(table.c.id)).mappings())

    return store.read_now(read, SYSTEM)


def test_it_adds_what_it_says(store: Store) -> None:
    added = store.write_now(add, SYSTEM)
    counts = store.read_now(_counts, SYSTEM)
    for name in ("contacts", "accounts", "conversations", "messages", "leads", "cases"):
        assert counts[name] == getattr(added, name)
    assert added.contacts == added.conversations == len(load_script().people) == 16
    assert added.accounts == 3
    assert all(row["demo"] and row["name"] for row in _all(store, CONTACT.table))


def test_conversations_are_as_varied_as_a_shop_s(store: Store) -> None:
    store.write_now(add, SYSTEM)
    conversations = _all(store, CONVERSATION.table)
    assert {row["channel"] for row in conversations} == set(CHANNELS) - {"voice"}
    assert {row["lang"] for row in conversations} == {"en", "hi", "hi-Latn"}
    waiting = [row for row in conversations if row["waiting_since"]]
    assert len(waiting) == 2
    assert all(row["owner"] == "human" and row["handoff_summary"] for row in waiting)
    lengths = Counter(row["conversation_id"] for row in _all(store, messages))
    assert all(4 <= length <= 12 for length in lengths.values())
    assert {row["status"] for row in _all(store, CASE.table)} == set(CASE_STATUSES)
    assert {row["status"] for row in _all(store, LEAD.table)} == set(LEAD_STATUSES)


def test_numbers_in_the_texts_are_those_of_the_records(store: Store) -> None:
    store.write_now(add, SYSTEM)
    said = {row["conversation_id"]: "" for row in _all(store, messages)}
    for row in _all(store, messages):
        assert "{" not in row["text"]
        said[row["conversation_id"]] += row["text"]
    for case in _all(store, CASE.table):
        assert display_number(case["number"]) in said[case["conversation_id"]]


@pytest.mark.parametrize("now", ["2026-03-01T18:31:00+00:00", "2026-07-15T06:00:00+00:00"])
def test_everything_happened_in_the_last_ten_days(store: Store, now: str) -> None:
    with time_machine.travel(datetime.fromisoformat(now), tick=False):
        store.write_now(add, SYSTEM)
        present = clock.now()
        rows = _all(store, messages)
        moments = [row["created_at"] for row in rows] + [row["at"] for row in _all(store, events)]
        assert max(moments) < present
        assert min(moments) > present - timedelta(days=12)
    assert moments[: len(rows)] == sorted(moments[: len(rows)]), "ids of messages must sort by time"


def test_events_follow_one_another_in_time(store: Store) -> None:
    store.write_now(add, SYSTEM)

    def read(tx: Tx) -> list[datetime]:
        return list(tx.execute(sa.select(events.c.at).order_by(events.c.seq)).scalars())

    moments = store.read_now(read, SYSTEM)
    assert moments == sorted(moments)


def test_nothing_of_it_can_be_sent(store: Store) -> None:
    store.write_now(add, SYSTEM)
    assert ADAPTER not in ADAPTERS
    assert {row["adapter"] for row in _all(store, CHANNEL_ACCOUNT.table)} == {ADAPTER}
    counts = store.read_now(_counts, SYSTEM)
    assert counts["outbox"] == counts["timers"] == counts["inbox"] == 0


def test_added_twice_it_is_there_once(store: Store) -> None:
    store.write_now(add, SYSTEM)
    before = store.read_now(_counts, SYSTEM)
    assert store.write_now(add, SYSTEM) == NOTHING
    assert store.read_now(_counts, SYSTEM) == before


def _real_business(tx: Tx) -> str:
    """A user, a contact with a lead and a case: what must survive."""
    add_user(tx, "asha@shop.example.com", "agent")
    contact = add_contact(tx, "Real Customer")
    add_identity(tx, contact, "email", "real@example.com", verified=True)
    add_lead(tx, contact, {"need": "a mixer"}, source="email")
    open_case(tx, contact, "Noise", "It is loud", origin="email")
    return contact


def _visitors_play_with_it(tx: Tx) -> None:
    """What piles up around the demo while people try it out."""
    conversation = tx.rows(sa.select(CONVERSATION.table).where(CONVERSATION.table.c.owner == "human"))[0]
    contact, number = conversation["contact_id"], conversation["id"]
    change_owner(tx, get_conversation(tx, number), "bot")
    add_note(tx, "conversations", number, "Tried it out", contact_id=contact)
    set_timer(tx, "followup", number, tx.now)
    case, _ = open_case(tx, contact, "Another", "Another", origin="webchat", conversation_id=number)
    set_timer(tx, "case_escalation", case, tx.now)
    account, lane = conversation["channel_account_id"], conversation["lane_id"]
    append_inbox(tx, [NewEvent(account, "reply:1", "reply", {"text": "Hello"}, lane)])
    row = {"id": new_id(), "conversation_id": number, "lane_id": lane, "author": "agent", "purpose": "staff"}
    append_outbox(tx, [{**row, "owner_epoch": 1, "payload": {}, "state": "parked"}])
    said = tx.execute(sa.select(messages.c.id).where(messages.c.contact_id == contact).limit(1)).scalar_one()
    tx.event(MESSAGE, said, "cancelled", None, None, "stopped")
    user = tx.execute(sa.text("SELECT id FROM users")).scalar()
    notify_user(tx, str(user), "notify.handoff_waiting", {}, f"/console/conversations/{number}")


def test_removed_it_leaves_nothing_and_takes_nothing_else(store: Store) -> None:
    contact = store.write_now(_real_business, SYSTEM)
    before = store.read_now(_counts, SYSTEM)
    added = store.write_now(add, SYSTEM)
    store.write_now(_visitors_play_with_it, SYSTEM)
    people = [row["id"] for row in _all(store, CONTACT.table) if row["demo"]]

    removed = store.write_now(remove, SYSTEM)

    assert store.read_now(_counts, SYSTEM) == before
    assert (removed.contacts, removed.messages) == (added.contacts, added.messages)
    assert removed.cases == added.cases + 1
    assert store.read_now(find_by_identity, SYSTEM, "email", "real@example.com") == contact
    assert not any(store.keys.find(person) for person in people), "their keys go with them"
    assert store.keys.find(contact)
    assert store.write_now(remove, SYSTEM) == NOTHING


def test_a_fresh_start_after_it_counts_from_the_beginning(store: Store) -> None:
    before = store.read_now(_counts, SYSTEM)
    for _ in range(2):
        store.write_now(add, SYSTEM)
        store.write_now(remove, SYSTEM)
        assert store.read_now(_counts, SYSTEM) == before


def test_numbers_that_a_real_customer_knows_are_never_given_again(store: Store) -> None:
    store.write_now(add, SYSTEM)
    contact = store.write_now(add_contact, SYSTEM, "Real Customer")
    _, number = store.write_now(open_case, SYSTEM, contact, "Noise", "Loud", origin="email")
    store.write_now(remove, SYSTEM)
    _, following = store.write_now(open_case, SYSTEM, contact, "Smell", "Burnt", origin="email")
    assert following == number + 1


def test_an_account_that_a_real_contact_was_put_into_stays(store: Store) -> None:
    store.write_now(add, SYSTEM)
    account = _all(store, ACCOUNT.table)[0]["id"]
    contact = store.write_now(add_contact, SYSTEM, "Real Customer")

    def join(tx: Tx) -> None:
        update(tx, CONTACT, get(tx, CONTACT, contact), {"account_id": account})

    store.write_now(join, SYSTEM)
    assert store.write_now(remove, SYSTEM).accounts == 2
    assert [row["id"] for row in _all(store, ACCOUNT.table)] == [account]


def test_nobody_real_is_in_the_script() -> None:
    script = load_script()
    for person in script.people:
        if person.channel == "email":
            assert person.address.endswith("example.com")
        elif person.channel in ("whatsapp", "sms"):
            assert not _valid_phone(person.address)
    assert all(domain.endswith(".example.com") for domain in script.accounts)
    assert {step.kind for person in script.people for step in person.talk} == set(STEPS)


def _valid_phone(address: str) -> bool:
    number = phonenumbers.parse(f"+{address.removeprefix('+')}")
    return phonenumbers.is_valid_number(number)


def test_the_sources_it_names_are_articles() -> None:
    titles = {read_article(path).title for path in shipped("knowledge_base").glob("*/*.md")}
    said = [str(step.value) for person in load_script().people for step in person.talk if step.kind == "bot"]
    named = [source for text in said for source in re.findall(r"(?:Source|स्रोत): (.+)", text)]
    assert len(named) > 5
    assert set(named) <= titles
