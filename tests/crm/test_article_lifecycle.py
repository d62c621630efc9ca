"""The life of an article: who publishes, who is told, what a translation was made of, and its versions."""

from datetime import timedelta
from typing import Any

import pytest
import sqlalchemy as sa
from hypothesis import given
from hypothesis import strategies as st

from bot.crm.article import ARTICLE, edit_article, propose, save_article, source_of, stale
from bot.crm.article_version import restore_version, versions
from bot.crm.business import seed_profile
from bot.crm.notification import NOTIFICATION
from bot.crm.user import add_user
from bot.difference import difference
from bot.errors import Forbidden, InvalidInput, NotFound, VersionConflict
from bot.records.actor import SYSTEM, Actor
from bot.records.change import change_record, create_record
from bot.records.store import Store
from bot.records.tx import Record, Tx
from bot.records.write import delete, get, restore
from bot.settings import Settings


def staff(store: Store, role: Any) -> Actor:
    user_id = store.write_now(add_user, SYSTEM, f"{role}@shop.example", role)
    return Actor("user", user_id, role, name=role.title())


def row_of(store: Store, article_id: str) -> Record:
    return store.read_now(get, SYSTEM, ARTICLE, article_id)


def told(store: Store) -> list[tuple[str | None, str]]:
    def read(tx: Tx) -> list[tuple[str | None, str]]:
        table = NOTIFICATION.table
        rows = tx.rows(sa.select(table).order_by(table.c.id))
        return [(row["user_id"], row["key"].removeprefix("notify.article_")) for row in rows]

    return store.read_now(read, SYSTEM)


def test_from_draft_to_published_and_who_is_told(store: Store) -> None:
    agent, manager, marketer = (staff(store, role) for role in ("agent", "manager", "marketer"))
    values = {"key": "returns", "lang": "en", "title": "Returns", "body": "Within 30 days"}
    made = store.write_now(create_record, agent, ARTICLE, values)
    which = made["id"]
    assert (made["status"], made["owner_id"]) == ("draft", agent.id)
    for refused in ({"status": "published"}, {"status": "published", "body": "At once"}):
        with pytest.raises(Forbidden):
            store.write_now(change_record, agent, ARTICLE, which, refused)
    with pytest.raises(Forbidden):
        store.write_now(create_record, agent, ARTICLE, {**values, "key": "x", "status": "published"})
    store.write_now(change_record, agent, ARTICLE, which, {"status": "review"})
    assert told(store) == [(manager.id, "review"), (marketer.id, "review")]
    store.write_now(change_record, manager, ARTICLE, which, {"status": "draft"})
    store.write_now(change_record, agent, ARTICLE, which, {"status": "review"})
    store.write_now(change_record, marketer, ARTICLE, which, {"status": "published"})
    assert [one for one in told(store) if one[0] == agent.id] == [
        (agent.id, "sent_back"),
        (agent.id, "published"),
    ]
    # What readers see stays as it is until somebody who may publish takes the change over.
    with pytest.raises(Forbidden):
        store.write_now(edit_article, agent, which, {"body": "Within 60 days"})
    with pytest.raises(InvalidInput):
        store.write_now(propose, agent, which, "Returns", "  ")
    assert store.write_now(propose, agent, which, "Returns", "Within 30 days") is False
    assert store.write_now(propose, agent, which, "Returns", "Within 60 days") is True
    assert row_of(store, which)["body"] == "Within 30 days"
    assert told(store)[-2:] == [(manager.id, "proposed"), (marketer.id, "proposed")]
    asked = store.read_now(versions, agent, which)[0]
    assert (asked.proposed, asked.body, asked.before) == (
        True,
        "Within 60 days",
        ("Returns", "Within 30 days"),
    )
    with pytest.raises(Forbidden):
        store.write_now(restore_version, agent, which, asked.event_id)
    assert store.write_now(restore_version, manager, which, asked.event_id)
    assert row_of(store, which)["body"] == "Within 60 days"


def test_a_business_of_admins_alone_reviews_too(store: Store) -> None:
    admin, agent = staff(store, "admin"), staff(store, "agent")
    store.write_now(save_article, agent, "hours", "en", "Hours", "9 to 5", "review")
    assert told(store) == [(admin.id, "review")]


def test_what_cannot_be_an_article_is_refused(store: Store) -> None:
    day = timedelta(days=1)
    which = store.write_now(save_article, SYSTEM, "hours", "en", " Opening\n hours ", "9 to 5\r\nor so\r")
    row = row_of(store, which)
    assert (row["title"], row["body"]) == ("Opening hours", "9 to 5\nor so")
    for wrong, field in (
        ({"body": "x" * 100_001}, "body_length"),
        ({"title": "\n"}, "title"),
        ({"audience": "friends"}, "audience"),
        ({"publish_at": row["created_at"], "expires_at": row["created_at"] - day}, "expires_at"),
    ):
        with pytest.raises(InvalidInput) as caught:
            store.write_now(edit_article, SYSTEM, which, wrong)
        assert caught.value.data["field"] == field
    with pytest.raises(VersionConflict):
        store.write_now(edit_article, SYSTEM, which, {"title": "Hours"}, row["version"] - 1)
    assert store.write_now(edit_article, SYSTEM, which, {"title": "Opening  hours"}, row["version"]) is False


def test_a_translation_is_stale_once_its_source_says_something_else(store: Store) -> None:
    store.write_now(seed_profile, SYSTEM, Settings(languages="en,hi"))
    older = store.write_now(save_article, SYSTEM, "hours", "hi", "समय", "9 से 5")

    def is_stale() -> bool:
        def read(tx: Tx) -> bool:
            return stale(get(tx, ARTICLE, older), source_of(tx, "hours", "hi"))

        return store.read_now(read, SYSTEM)

    assert not is_stale()  # there is no source
    source = store.write_now(save_article, SYSTEM, "hours", "en", "Hours", "9 to 5")
    assert not is_stale()  # nobody knows
    store.write_now(edit_article, SYSTEM, source, {"body": "9 to 6"})
    assert is_stale()
    store.write_now(edit_article, SYSTEM, older, {"body": "9 से 6"})
    assert not is_stale()
    for change in ({"status": "archived"}, {"category": "Shop"}, {"status": "published"}):
        store.write_now(edit_article, SYSTEM, source, change)
        assert not is_stale()
    store.write_now(lambda tx: delete(tx, ARTICLE, get(tx, ARTICLE, source)), SYSTEM)
    store.write_now(restore, SYSTEM, ARTICLE, source)
    assert not is_stale()
    store.write_now(edit_article, SYSTEM, source, {"title": "Opening hours"})
    assert is_stale()
    assert row_of(store, source)["translates"] is None


def test_versions_are_every_text_it_ever_had(store: Store) -> None:
    manager = staff(store, "manager")
    which = store.write_now(save_article, SYSTEM, "hours", "en", "Hours", "one\ntwo")
    texts = [("Hours", "one\ntwo")]
    for title, body in (("Hours", "one\n2"), ("Open", "one\n2"), ("Open", "one\n2\nthree")):
        store.write_now(edit_article, manager, which, {"title": title, "body": body})
        texts.append((title, body))
        store.write_now(edit_article, manager, which, {"category": title + body[-1]})
    found = store.read_now(versions, manager, which)
    written = [one for one in found if {"title", "body"} & set(one.changed)]
    assert [(one.title, one.body) for one in reversed(written)] == texts
    assert [one.before for one in reversed(written)][1:] == texts[:-1]
    assert [one.number for one in found] == list(range(len(found), 0, -1))
    assert store.write_now(restore_version, manager, which, written[-1].event_id)
    row = row_of(store, which)
    assert (row["title"], row["body"], row["category"]) == ("Hours", "one\ntwo", "Opene")
    assert store.write_now(restore_version, manager, which, written[-1].event_id) is False
    with pytest.raises(NotFound):
        store.write_now(restore_version, manager, which, which)


def test_a_difference_is_told_line_by_line() -> None:
    old = "\n".join(str(n) for n in range(20))
    new = old.replace("\n10\n", "\nten\n")
    assert difference(old, old) == []
    lines = difference(old, new)
    assert lines[0] == ("skip", "7") and lines[-1] == ("skip", "6")
    assert [line for line in lines if line[0] in ("gone", "new")] == [("gone", "10"), ("new", "ten")]


@given(st.lists(st.sampled_from("abc"), max_size=12), st.lists(st.sampled_from("abc"), max_size=12))
def test_a_difference_holds_both_texts(old: list[str], new: list[str]) -> None:
    lines = difference("\n".join(old), "\n".join(new))
    gone, came = (sum(kind == name for kind, _ in lines) for name in ("gone", "new"))
    assert len(old) - gone == len(new) - came
    assert bool(lines) == (old != new)
