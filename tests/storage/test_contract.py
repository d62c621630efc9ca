"""What storage promises, on both databases alike."""

import asyncio
import threading
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import sqlalchemy as sa

from bot.conversations.channel_account import ensure_account
from bot.conversations.entities import ENTITIES
from bot.conversations.inbox import NewEvent, append, pending
from bot.conversations.lane import NewLane, claim, commit_claim, ensure_lanes
from bot.crm.contact import CONTACT, add_contact, add_identity, find_by_identity, learn_about
from bot.errors import Forbidden, LaneLost, VersionConflict
from bot.records import lease
from bot.records.actor import SYSTEM, Actor
from bot.records.events import newest_position, read_after
from bot.records.numbers import next_number
from bot.records.store import Store
from bot.records.tx import Record, Tx
from bot.records.write import get, update
from bot.storage import metadata
from bot.storage.migrate import downgrade, upgrade
from bot.storage.migrate import pending as pending_migrations
from bot.storage.partitions import ensure_partitions
from tests.support.people import found


def test_migrations_go_up_and_down(store: Store) -> None:
    database = store.database
    assert pending_migrations(database) == []
    store.write_now(found, SYSTEM, "agent")
    downgrade(database, "0001")  # with records in it
    upgrade(database)
    downgrade(database, "base")
    assert pending_migrations(database)[:1] == ["0001"]
    upgrade(database)
    upgrade(database)
    assert pending_migrations(database) == []


def test_the_schema_is_what_the_code_says(store: Store) -> None:
    with store.database.read() as connection:
        inspector = sa.inspect(connection)
        for table in metadata.sorted_tables:
            there = {column["name"] for column in inspector.get_columns(table.name)}
            assert there == {column.name for column in table.columns}, table.name
            indexes = {index["name"] for index in inspector.get_indexes(table.name)}
            wanted = {str(index.name) for index in table.indexes}
            assert wanted <= indexes, table.name


def test_partitions_are_made_ahead(postgres: Store) -> None:
    store = postgres
    with store.database.write() as connection:
        made = ensure_partitions(connection, datetime(2031, 12, 5, tzinfo=UTC))
    assert made[:2] == ["events_2031_12", "events_2032_01"]
    assert len(made) == 8


def test_what_fails_leaves_nothing(store: Store) -> None:
    def fails(tx: Tx) -> None:
        add_contact(tx, "Asha")
        raise RuntimeError("in the middle")

    with pytest.raises(RuntimeError):
        store.write_now(fails, SYSTEM)
    assert _count(store, CONTACT.table) == 0
    assert _count(store, ENTITIES["events"].table) == 0


def _count(store: Store, table: sa.Table) -> int:
    def count(tx: Tx) -> int:
        return int(tx.execute(sa.select(sa.func.count()).select_from(table)).scalar_one())

    return store.read_now(count, SYSTEM)


def test_a_change_leaves_one_event_and_a_stale_one_is_refused(store: Store) -> None:
    contact_id = store.write_now(add_contact, SYSTEM, "Asha")
    row = store.read_now(lambda tx: get(tx, CONTACT, contact_id), SYSTEM)
    assert store.write_now(lambda tx: update(tx, CONTACT, row, {"lang": "hi"}), SYSTEM) is True
    with pytest.raises(VersionConflict):
        store.write_now(lambda tx: update(tx, CONTACT, row, {"lang": "en"}), SYSTEM)
    events = store.read_now(lambda tx: read_after(tx.connection, (0, 0), 100), SYSTEM)
    assert [event["action"] for event in events] == ["created", "updated"]
    assert events[1]["changes"] == {"lang": [None, "hi"]}


def test_personal_values_are_sealed_in_the_log_and_go_with_their_key(store: Store) -> None:
    contact_id = store.write_now(add_contact, SYSTEM, "Asha Rao")
    (event,) = store.read_now(lambda tx: read_after(tx.connection, (0, 0), 100), SYSTEM)
    assert "Asha" not in str(dict(event))
    assert event["sealed"] and event["contact_id"] == contact_id
    assert store.keys.find(contact_id) is not None
    store.keys.destroy(contact_id)
    assert store.keys.find(contact_id) is None


def test_short_numbers_are_given_once_under_contention(store: Store) -> None:
    given: list[int] = []

    def work() -> None:
        for _ in range(10):
            given.append(store.write_now(next_number, SYSTEM, "case"))

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(given) == list(range(1001, 1041))


def test_a_lease_has_one_holder_until_it_runs_out(store: Store) -> None:
    life = timedelta(seconds=10)
    assert store.write_now(lease.hold, SYSTEM, "poll", "one", life) is True
    assert store.write_now(lease.hold, SYSTEM, "poll", "two", life) is False
    assert store.write_now(lease.hold, SYSTEM, "poll", "one", life) is True

    def later(tx: Tx) -> bool:
        tx.now += timedelta(seconds=11)
        return lease.hold(tx, "poll", "two", life)

    assert store.write_now(later, SYSTEM) is True
    store.write_now(lease.let_go, SYSTEM, "poll", "two")
    assert store.write_now(lease.hold, SYSTEM, "poll", "three", life) is True


def _lane(tx: Tx) -> NewLane:
    lane = NewLane(ensure_account(tx, "whatsapp", "whatsapp", "1"), "9199")
    ensure_lanes(tx, [lane])
    ensure_lanes(tx, [lane])
    return lane


def test_a_lane_is_claimed_once_and_a_lost_claim_does_not_commit(store: Store) -> None:
    lane = store.write_now(_lane, SYSTEM)
    first = store.write_now(claim, SYSTEM, lane.id, "one")
    assert first is not None and first["epoch"] == 1
    assert store.write_now(claim, SYSTEM, lane.id, "two") is None

    def after_the_lease(tx: Tx) -> Record | None:
        tx.now += timedelta(minutes=1)
        return claim(tx, lane.id, "two")

    second = store.write_now(after_the_lease, SYSTEM)
    assert second is not None and second["epoch"] == 2

    def commit(tx: Tx, epoch: int) -> None:
        commit_claim(tx, lane.id, epoch, contact_id=None, conversation_id=None, stopped_at=None, more=False)

    with pytest.raises(LaneLost):
        store.write_now(commit, SYSTEM, 1)
    store.write_now(commit, SYSTEM, 2)
    assert store.write_now(claim, SYSTEM, lane.id, "three") is not None


def test_the_inbox_stores_an_event_once_and_orders_by_provider_time(store: Store) -> None:
    lane = store.write_now(_lane, SYSTEM)
    noon = datetime(2026, 3, 2, 12, tzinfo=UTC)

    def event(key: str, at: datetime) -> NewEvent:
        return NewEvent(lane.channel_account_id, key, "message", {"text": key}, lane.id, at)

    late, early = event("late", noon + timedelta(seconds=5)), event("early", noon)
    assert len(store.write_now(append, SYSTEM, [late, early, late])) == 2
    assert store.write_now(append, SYSTEM, [early]) == {}
    same = event("same second", noon)
    assert len(store.write_now(append, SYSTEM, [same])) == 1
    rows = store.read_now(pending, SYSTEM, lane.id)
    assert [row["payload"]["text"] for row in rows] == ["early", "same second", "late"]


def test_readers_of_the_log_miss_nothing_that_commits_late(postgres: Store) -> None:
    """A transaction that began first and commits last must not slip behind a reader's cursor (SQLite has one
    writer: there it cannot happen)."""
    store = postgres
    began, go_on = threading.Event(), threading.Event()

    def slow(tx: Tx) -> None:
        add_contact(tx, "First")
        tx.flush()
        began.set()
        go_on.wait(10)

    thread = threading.Thread(target=store.write_now, args=(slow, SYSTEM))
    thread.start()
    began.wait(10)
    store.write_now(add_contact, SYSTEM, "Second")
    seen = store.read_now(lambda tx: read_after(tx.connection, (0, 0), 100), SYSTEM)
    assert seen == []  # the second is committed, but the first may still come before it
    go_on.set()
    thread.join()
    seen = store.read_now(lambda tx: read_after(tx.connection, (0, 0), 100), SYSTEM)
    assert len(seen) == 2
    position = store.read_now(lambda tx: newest_position(tx.connection), SYSTEM)
    assert store.read_now(lambda tx: read_after(tx.connection, position, 100), SYSTEM) == []


def test_a_claim_never_takes_a_verified_address_away(store: Store) -> None:
    one = store.write_now(add_contact, SYSTEM, "One")
    two = store.write_now(add_contact, SYSTEM, "Two")

    def link(tx: Tx, contact: str, verified: bool) -> bool:
        return add_identity(tx, contact, "phone", "+919876543210", verified=verified)

    assert store.write_now(link, SYSTEM, two, False) is True
    assert store.write_now(link, SYSTEM, one, True) is True
    assert store.write_now(link, SYSTEM, two, True) is False
    found = store.read_now(lambda tx: find_by_identity(tx, "phone", "+919876543210"), SYSTEM)
    assert found == one


def test_a_name_never_overwrites_one_from_a_surer_source(store: Store) -> None:
    contact = store.write_now(add_contact, SYSTEM, "asha99", source="channel")
    for name, source in (("Asha Rao", "staff"), ("Asha", "said"), ("a99", "channel")):
        store.write_now(learn_about, SYSTEM, contact, name=name, source=source)
    assert store.read_now(lambda tx: get(tx, CONTACT, contact), SYSTEM)["name"] == "Asha Rao"


def test_who_may_not_write_is_refused(store: Store) -> None:
    marketer = Actor("user", "01890a5d-ac96-774b-bcce-b302099a8057", "marketer")
    with pytest.raises(Forbidden):
        store.write_now(add_contact, marketer, "Asha")
    assert _count(store, CONTACT.table) == 0


async def test_a_cancelled_caller_does_not_cancel_its_transaction(store: Store) -> None:
    began, go_on = threading.Event(), threading.Event()

    def slow(tx: Tx) -> None:
        began.set()
        go_on.wait(10)
        add_contact(tx, "Asha")

    task = asyncio.create_task(store.run(slow))
    await asyncio.to_thread(began.wait, 10)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    go_on.set()
    async with asyncio.timeout(10):
        while await store.run(_names) != ["Asha"]:  # noqa: ASYNC110 (another thread commits)
            await asyncio.sleep(0.01)


def _names(tx: Tx) -> list[str]:
    return [row["name"] for row in tx.rows(sa.select(CONTACT.table.c.name))]


def test_a_reserved_thread_takes_urgent_work_alone() -> None:
    from bot.storage.threads import Threads

    threads, hold, order = Threads(1, "test", reserved=1), threading.Event(), []
    urgent_done = threading.Event()

    def done(_: object, error: BaseException | None) -> None:
        assert error is None

    threads.submit(lambda: hold.wait(10), done)
    threads.submit(lambda: order.append("later"), done)
    threads.submit(lambda: (order.append("urgent"), urgent_done.set()), done, urgent=True)
    assert urgent_done.wait(10)
    assert order == ["urgent"]
    hold.set()
    threads.close()
    assert order == ["urgent", "later"]


async def test_urgent_work_goes_first(tmp_path: Path) -> None:
    from bot.storage.threads import Threads

    threads, order, hold = Threads(1, "test"), [], threading.Event()
    ended: list[BaseException | None] = []

    def done(_: object, error: BaseException | None) -> None:
        ended.append(error)

    threads.submit(lambda: hold.wait(10), done)
    for name in ("a", "b"):
        threads.submit(lambda name=name: order.append(name), done)
    threads.submit(lambda: order.append("urgent"), done, urgent=True)
    threads.submit(lambda: 1 // 0, done)
    hold.set()
    threads.close()
    assert order == ["urgent", "a", "b"]
    assert [type(error) for error in ended] == [type(None)] * 4 + [ZeroDivisionError]
