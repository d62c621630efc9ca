"""Rules that wait for a moment: set, moved, dropped with the record's date; once a moment."""

from datetime import UTC, datetime, timedelta
from typing import Any

import sqlalchemy as sa

from bot.automation import due
from bot.crm.lead import LEAD
from bot.crm.opportunity import OPPORTUNITY
from bot.crm.rule import RULE, RULE_RUN
from bot.records.actor import SYSTEM
from bot.records.change import change_record, create_record, delete_record, restore_record
from bot.records.events import events
from bot.records.timer import timers
from bot.records.tx import Record, Tx
from tests.support.rules import Scene

TASK = {"action": "create_task", "subject": "Call {name}"}
DAY = 24 * 60


def _deal(scene: Scene, **given: Any) -> str:
    return str(scene.do(create_record, OPPORTUNITY, {"name": "Roof", **given})["id"])


def _waiting(scene: Scene) -> dict[str, datetime]:
    rows: list[Record] = scene.store.read_now(
        Tx.rows, SYSTEM, sa.select(timers).where(timers.c.kind == due.TIMER)
    )
    return {row["data"]["record"]: row["due_at"] for row in rows}


def test_a_moment_follows_the_records_date(scene: Scene) -> None:
    soon = datetime.now(UTC).date() + timedelta(days=20)
    scene.rule("Before closing", "opportunities", "due", TASK,
               due_field="close_date", due_minutes=-DAY + 9 * 60, condition="status = open")  # fmt: skip
    deal, bare = _deal(scene, close_date=soon.isoformat()), _deal(scene)
    scene.work()
    # Nine in the morning of the day before, as the clock goes in Kolkata.
    nine = datetime.combine(soon - timedelta(days=1), datetime.min.time(), UTC) + timedelta(
        hours=3, minutes=30
    )
    assert _waiting(scene) == {deal: nine}
    scene.do(change_record, OPPORTUNITY, deal, {"close_date": (soon + timedelta(days=2)).isoformat()})
    scene.do(change_record, OPPORTUNITY, bare, {"close_date": soon.isoformat()})
    scene.work()
    assert _waiting(scene) == {deal: nine + timedelta(days=2), bare: nine}
    scene.do(delete_record, OPPORTUNITY, bare)
    scene.work()
    assert set(_waiting(scene)) == {deal}
    scene.do(restore_record, OPPORTUNITY, bare)
    scene.do(change_record, OPPORTUNITY, deal, {"close_date": None})
    scene.work()
    assert _waiting(scene) == {bare: nine}
    assert [kind for kind in scene.fire(timedelta(days=22)) if kind == due.TIMER] == [due.TIMER]
    (run,) = scene.rows(RULE_RUN)
    assert (run["record_id"], run["due_at"], run["event_id"], run["state"]) == (bare, nine, None, "done")
    # The same moment again, and one that passed a moment ago, are no new moments.
    scene.do(
        lambda tx: due.follow(tx, due.Ruleset(tx, scene.runtime.profile), [_event(tx, bare)]), actor=SYSTEM
    )
    scene.fire(timedelta(days=22))
    assert len(scene.rows(RULE_RUN)) == 1


def _event(tx: Tx, record_id: str) -> Record:
    row = tx.row(sa.select(events).where(events.c.record_id == record_id, events.c.action == "created"))
    assert row is not None
    return row


def test_the_condition_is_asked_when_the_moment_comes(scene: Scene) -> None:
    tag = {"action": "add_tags", "tags": ["quiet"]}
    when = {"due_field": "created_at", "due_minutes": 2 * DAY}
    scene.rule("Quiet", "leads", "due", tag, condition="status = new and source = web", **when)
    contact = scene.business.rows["contacts"]["self"]
    still, moved = (
        scene.do(create_record, LEAD, {"contact_id": contact, "source": "web"})["id"] for _ in range(2)
    )
    scene.work()
    scene.do(change_record, LEAD, moved, {"status": "working"})
    scene.work()
    assert due.TIMER not in scene.fire(timedelta(days=1))
    assert scene.fire(timedelta(days=2, minutes=1)).count(due.TIMER) >= 2
    assert [row["record_id"] for row in scene.rows(RULE_RUN)] == [still]
    assert scene.row(LEAD, still)["tags"] == ["quiet"]


def test_a_rule_switched_on_looks_at_what_is_there(scene: Scene, monkeypatch: Any) -> None:
    monkeypatch.setattr(due, "BATCH", 2)
    today = datetime.now(UTC).date()
    past, *coming = (
        _deal(scene, close_date=(today + timedelta(days=days)).isoformat()) for days in (-9, 5, 6, 7, 8, 9)
    )
    scene.work()
    rule = scene.rule("Soon", "opportunities", "due", TASK, due_field="close_date", active=False)
    scene.work()
    assert scene.fire() == []
    scene.do(change_record, RULE, rule, {"active": True})
    scene.work()
    for _ in range(3):
        assert scene.fire() == [due.BACKFILL]
    assert set(_waiting(scene)) == set(coming)
    assert past not in _waiting(scene)
    # Another offset moves them; switched off, those that fall due do nothing.
    before = _waiting(scene)
    scene.do(change_record, RULE, rule, {"due_minutes": 60})
    scene.work()
    while scene.fire():
        pass
    assert _waiting(scene) == {deal: moment + timedelta(hours=1) for deal, moment in before.items()}
    scene.do(change_record, RULE, rule, {"active": False})
    scene.work()
    assert scene.fire(timedelta(days=30)) == [due.TIMER] * 5
    assert scene.rows(RULE_RUN) == []


def test_a_moment_of_last_month_is_over(scene: Scene) -> None:
    scene.rule("Closing", "opportunities", "due", TASK, due_field="close_date")
    _deal(scene, close_date=(datetime.now(UTC).date() - timedelta(days=30)).isoformat())
    scene.work()
    assert _waiting(scene) == {}
