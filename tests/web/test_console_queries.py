"""What the console and the widget read, on both databases."""

import pytest

from bot.conversations.conversation import CONVERSATION
from bot.crm.activity import add_note
from bot.crm.article import save_article
from bot.crm.user import USER
from bot.errors import InvalidInput, NotFound
from bot.ids import new_id
from bot.records.actor import SYSTEM, Actor
from bot.records.store import Store
from bot.records.tx import Tx
from bot.web.console import queries
from bot.web.console.customer import read_customer
from bot.web.console.news import newest, read_news
from bot.web.console.notifications import count_unread
from bot.web.console.queries import list_conversations, read_thread
from bot.web.widget.thread import read_thread as read_page
from tests.support.people import Business, found


@pytest.fixture
def agent(store: Store) -> Actor:
    """Of the team `north`, with all of `found` in the store and every conversation alive and waiting."""
    store.write_now(_prepare, SYSTEM)
    return store.read_now(_agent, SYSTEM)


def _prepare(tx: Tx) -> Business:
    made = found(tx, "agent")
    table = CONVERSATION.table
    tx.execute(table.update().values(last_message_at=tx.now, waiting_since=tx.now))
    for owner, conversation in made.rows["conversations"].items():
        add_note(tx, "conversations", conversation, f"a note for {owner}")
    return made


def _agent(tx: Tx) -> Actor:
    row = tx.row(USER.table.select().where(USER.table.c.email == "self@example.com"))
    assert row is not None
    return Actor("user", row["id"], row["role"], row["team_id"], row["name"])


def names(store: Store, actor: Actor, tab: queries.Tab) -> list[str]:
    return [row["contact_name"] for row in store.read_now(list_conversations, actor, tab).rows]


def test_tabs_hold_what_the_actor_may_see(store: Store, agent: Actor) -> None:
    assert set(names(store, agent, "all")) == {"self", "mate", "loner", "nobody"}
    assert names(store, agent, "mine") == ["self"]
    assert set(names(store, agent, "waiting")) == {"self", "mate", "loner"}
    assert "stranger" in names(store, SYSTEM, "all")
    assert store.read_now(list_conversations, agent, "mine").waiting == 3


@pytest.mark.parametrize("tab", ["all", "waiting"])
def test_keyset_pages(store: Store, agent: Actor, tab: queries.Tab, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = names(store, SYSTEM, tab)
    monkeypatch.setattr(queries, "PAGE", 2)
    paged: list[str] = []
    after: str | None = ""
    while after is not None:
        page = store.read_now(list_conversations, SYSTEM, tab, after)
        assert len(page.rows) <= 2
        paged += [row["contact_name"] for row in page.rows]
        after = page.after
    assert paged == whole
    for rubbish in ("x", "2026-01-01T00:00:00+00:00~1"):
        with pytest.raises(InvalidInput):
            store.read_now(list_conversations, SYSTEM, tab, rubbish)


def test_thread_and_customer(store: Store, agent: Actor) -> None:
    rows = {row["contact_name"]: row["id"] for row in store.read_now(list_conversations, SYSTEM, "all").rows}
    thread = store.read_now(read_thread, agent, rows["self"])
    assert [item.kind for item in thread.items] == ["message", "note"] and thread.before is None
    assert store.read_now(read_thread, agent, rows["self"], thread.items[0].row["id"]).items == []
    customer = store.read_now(read_customer, agent, rows["self"])
    assert len(customer.identities) == 3 and len(customer.cases) == 1 and len(customer.leads) == 1
    assert [one["state"] for one in customer.consents] == ["given"] and not customer.stopped
    for read in (read_thread, read_customer):
        with pytest.raises(NotFound):
            store.read_now(read, agent, rows["stranger"])


def test_news_since_a_place(store: Store, agent: Actor) -> None:
    rows = {row["contact_name"]: row for row in store.read_now(list_conversations, SYSTEM, "all").rows}
    place = store.read_now(newest, agent)
    assert not store.read_now(read_news, agent, place, [])
    for name in ("self", "stranger"):
        row = rows[name]
        store.write_now(add_note, SYSTEM, "conversations", row["id"], "x", contact_id=row["contact_id"])
    store.write_now(save_article, SYSTEM, "news", "en", "News", "None")
    news = store.read_now(read_news, agent, place, [rows["self"]["id"], rows["stranger"]["id"]])
    assert news.conversations == {rows["self"]["id"]} and news.contacts == {rows["self"]["contact_id"]}
    assert news.listed and news.articles and not news.everything
    assert not store.read_now(read_news, agent, news.position, [])
    from_start = store.read_now(read_news, agent, (0, 0), [])
    assert (
        rows["stranger"]["id"] not in from_start.conversations
        and rows["self"]["id"] in from_start.conversations
    )


def test_small_reads(store: Store, agent: Actor) -> None:
    assert store.read_now(count_unread, agent) == 1
    assert store.read_now(read_page, SYSTEM, new_id()).messages == []
