"""Rules on events: who is answered, in which order, once; what fails, what goes round in a circle."""

import threading
from datetime import timedelta
from typing import Any

import pytest
import sqlalchemy as sa

from bot.automation.consumer import NAME, advance, behind
from bot.automation.retention import forget_runs
from bot.crm.activity import ACTIVITY
from bot.crm.case import CASE
from bot.crm.contact import CONTACT
from bot.crm.lead import LEAD
from bot.crm.notification import NOTIFICATION
from bot.crm.rule import RULE, RULE_RUN, RULE_VERSION, consumers
from bot.crm.user import USER, actor_by_id, add_user, team_id
from bot.errors import Forbidden
from bot.pipeline.timers import escalate_case
from bot.records.access import Access
from bot.records.actor import SYSTEM, Actor
from bot.records.change import change_record, create_record, delete_record, restore_record
from bot.records.events import events
from bot.records.query import page, parse
from bot.records.show import shown
from bot.records.tx import Tx
from bot.records.write import get, update
from tests.support.rules import Scene

NOTE = {"action": "add_note", "text": "seen"}


def _lead(scene: Scene, **given: Any) -> str:
    contact = scene.business.rows["contacts"]["self"]
    return str(scene.do(create_record, LEAD, {"contact_id": contact, **given})["id"])


def test_rules_answer_in_their_order_and_stop_where_told(scene: Scene) -> None:
    scene.rule("last", "leads", "created", {"action": "set_fields", "fields": {"need": "three"}}, position=3)
    scene.rule(
        *("first", "leads", "created", {"action": "set_fields", "fields": {"need": "one"}}),
        position=1,
        condition='source = "web"',
    )
    # It sees what the first has done a moment before.
    scene.rule(
        *("second", "leads", "created", {"action": "add_tags", "tags": ["two"]}),
        position=2,
        condition='need = "one"',
        stop_after=True,
    )
    web, other = _lead(scene, source="web"), _lead(scene, source="staff")
    scene.work()
    assert scene.runs(record_id=web) == [("first", "done"), ("second", "done")]
    assert scene.runs(record_id=other) == [("last", "done")]
    assert (scene.row(LEAD, web)["need"], scene.row(LEAD, web)["tags"]) == ("one", ["two"])
    run = scene.rows(RULE_RUN, record_id=web)[0]
    assert (run["rule_version"], run["tries"], run["entity"]) == (1, 1, "leads")
    # What may hold personal data stands in the log by name only.
    assert run["changes"] == [{"action": "set_fields", "changes": {}, "personal": ["need"]}]
    told = sa.select(events).where(events.c.record_id == web).order_by(events.c.seq)
    _made, by_rule, *_ = scene.store.read_now(Tx.rows, SYSTEM, told)
    assert by_rule["correlation_id"] == f"rule:{run['id']}"
    assert (by_rule["actor_id"], by_rule["reason"]) == (scene.boss.id, "rule: first")


def test_updated_means_any_change_and_changed_fields_narrow_it(scene: Scene) -> None:
    scene.rule("any", "cases", "updated", NOTE)
    scene.rule("priority", "cases", "updated", NOTE, changed=["priority"])
    scene.rule("subject", "cases", "updated", NOTE, changed=["subject"])  # sealed in the log
    scene.rule("escalated", "cases", "escalated", NOTE)
    case = scene.business.rows["cases"]["self"]
    scene.do(change_record, CASE, case, {"priority": "high"})
    scene.work()
    assert scene.runs() == [("any", "done"), ("priority", "done")]
    scene.do(change_record, CASE, case, {"subject": "Another leak"})
    scene.work()
    assert scene.runs()[2:] == [("any", "done"), ("subject", "done")]
    scene.do(lambda tx: escalate_case(tx, get(tx, CASE, case)))
    scene.work()
    assert scene.runs()[4:] == [("any", "done"), ("escalated", "done")]
    scene.do(delete_record, CASE, case)
    scene.work()
    assert len(scene.runs()) == 6


def test_deleted_and_restored_records(scene: Scene) -> None:
    scene.rule("gone", "leads", "deleted", {"action": "notify", "to": ["run_as"], "text": "{number} is gone"})
    scene.rule("back", "leads", "restored", NOTE)
    lead = _lead(scene)
    scene.do(delete_record, LEAD, lead)
    scene.do(restore_record, LEAD, lead)
    scene.work()
    assert scene.runs() == [("gone", "done"), ("back", "done")]
    (told,) = scene.rows(NOTIFICATION, key="notify.rule")
    assert told["data"]["text"] == f"L-{scene.row(LEAD, lead)['number']} is gone"


def test_a_rule_sees_what_its_user_sees(scene: Scene) -> None:
    mine = scene.rule("rep's", "leads", "created", NOTE, run_as_id=scene.business.users["self"])
    theirs = _lead(scene, owner_id=scene.business.users["stranger"])
    own = _lead(scene, owner_id=scene.business.users["self"])
    scene.work()
    assert scene.runs() == [("rep's", "done")]
    assert scene.rows(RULE_RUN)[0]["record_id"] == own != theirs
    assert mine in scene.names


def test_a_user_without_the_right_stops_the_run_in_words(scene: Scene) -> None:
    marketer = scene.do(add_user, "m@example.com", "marketer", actor=SYSTEM)
    rep = scene.business.users["self"]
    scene.rule("rep's", "leads", "created", NOTE, run_as_id=rep)
    scene.rule("boss's", "leads", "created", NOTE)
    scene.rule("marketer's", "leads", "created", NOTE, run_as_id=marketer)
    scene.do(lambda tx: update(tx, USER, get(tx, USER, rep), {"active": False}), actor=SYSTEM)
    _lead(scene, owner_id=marketer)
    _lead(scene, owner_id=marketer)
    scene.work()
    failed = scene.rows(RULE_RUN, state="gave_up")
    assert scene.runs() == [("rep's", "gave_up"), ("boss's", "done"), ("marketer's", "gave_up")] * 2
    assert "not active any more" in failed[0]["error"]
    assert failed[1]["error"] == "A marketer may not create activities. Ask an admin for a role that may."
    # Whoever can mend it is told, once an hour a rule.
    told = [row["user_id"] for row in scene.rows(NOTIFICATION, key="notify.rule_failed")]
    assert sorted(told) == sorted([scene.boss.id, rep, scene.boss.id, marketer])


def test_what_fails_is_tried_five_times_and_holds_nothing_up(scene: Scene) -> None:
    empty = scene.do(team_id, "Empty", actor=SYSTEM)
    tagged = {"action": "add_tags", "tags": ["half"]}
    scene.rule("fails", "leads", "created", tagged, {"action": "assign", "team_id": empty}, position=1)
    scene.rule("works", "leads", "created", NOTE, position=2)
    lead = _lead(scene)
    scene.work()
    assert scene.runs() == [("fails", "failed"), ("works", "done")]
    assert scene.row(LEAD, lead)["tags"] is None  # all of it or nothing
    run = scene.rows(RULE_RUN, state="failed")[0]
    assert run["error"].startswith("Nobody active is in this team")
    assert scene.fire() == []
    for days, tries in enumerate((2, 3, 4, 5), 1):
        assert scene.fire(timedelta(days=days)) == ["rule_retry"]
        assert scene.row(RULE_RUN, run["id"])["tries"] == tries
    assert scene.row(RULE_RUN, run["id"])["state"] == "gave_up"
    assert scene.fire(timedelta(days=9)) == []
    assert {row["user_id"] for row in scene.rows(NOTIFICATION, key="notify.rule_failed")} == {scene.boss.id}


def test_what_failed_is_done_once_it_can_be(scene: Scene) -> None:
    team = scene.do(team_id, "Empty", actor=SYSTEM)
    scene.rule("assigns", "leads", "created", {"action": "assign", "team_id": team}, condition="status = new")
    first, second = _lead(scene), _lead(scene)
    scene.work()
    scene.do(change_record, LEAD, second, {"status": "working"})
    loner = scene.business.users["loner"]
    scene.do(lambda tx: update(tx, USER, get(tx, USER, loner), {"team_id": team}), actor=SYSTEM)
    assert scene.fire(timedelta(minutes=2)) == ["rule_retry", "rule_retry"]
    assert scene.runs() == [("assigns", "done"), ("assigns", "skipped")]
    assert scene.row(LEAD, first)["owner_id"] == loner != scene.row(LEAD, second)["owner_id"]


def test_rules_that_go_round_in_a_circle_are_stopped_and_named(scene: Scene) -> None:
    # Each gives what the other waits for: three values go round in three fields.
    swap = {"authority": "={timeline}", "timeline": "={authority}"}
    scene.rule("There", "leads", "updated", {"action": "set_fields", "fields": swap}, changed=["need"])
    swap = {"need": "={timeline}", "timeline": "={need}"}
    scene.rule("Back", "leads", "updated", {"action": "set_fields", "fields": swap}, changed=["authority"])
    ours = [_lead(scene, need="a", authority="b", timeline="c") for _ in range(3)]
    for number, lead in enumerate(ours, 1):
        scene.do(change_record, LEAD, lead, {"need": f"now {number}"})
        scene.work()
        stopped = scene.rows(RULE_RUN, state="stopped")
        assert [row["record_id"] for row in stopped] == ours[:number]
    assert all(row["error"] == "There → Back → There → Back → There → Back → There" for row in stopped)
    # The third circle within the hour switched the rule off that would have gone on.
    assert {row["name"]: row["active"] for row in scene.rows(RULE)} == {
        "There": False,
        "Back": True,
    }
    keys = [row["key"] for row in scene.rows(NOTIFICATION, user_id=scene.boss.id) if "rule" in row["key"]]
    assert keys == ["notify.rule_stopped", "notify.rule_stopped", "notify.rule_switched_off"]
    assert scene.work() == 0


def test_a_chain_that_only_grows_is_stopped_too(scene: Scene) -> None:
    scene.rule("Sows", "activities", "created", {"action": "create_task", "subject": "and another"})
    about = {"about": "contacts", "about_id": scene.business.rows["contacts"]["self"]}
    scene.do(create_record, ACTIVITY, {"kind": "task", "subject": "one", **about})
    scene.work()
    assert scene.runs() == [("Sows", "done")] * 10 + [("Sows", "stopped")]


def test_every_change_is_a_version_and_runs_name_theirs(scene: Scene) -> None:
    rule = scene.rule("notes", "leads", "created", NOTE)
    _lead(scene)
    scene.work()
    scene.do(change_record, RULE, rule, {"actions": [{**NOTE, "text": "seen again"}], "name": "notes more"})
    scene.do(change_record, RULE, rule, {"name": "notes more"})  # nothing new
    _lead(scene)
    scene.work()
    versions = scene.rows(RULE_VERSION, rule_id=rule)
    assert [(row["number"], row["definition"]["name"], row["changed_by"]) for row in versions] == [
        (1, "notes", scene.boss.id),
        (2, "notes more", scene.boss.id),
    ]
    assert versions[1]["definition"]["actions"] == [{"action": "add_note", "text": "seen again"}]
    assert [row["rule_version"] for row in scene.rows(RULE_RUN)] == [1, 2]
    scene.do(change_record, RULE, rule, {"active": False})
    scene.do(change_record, RULE, rule, {"active": True})
    scene.do(delete_record, RULE, rule)
    _lead(scene)
    scene.work()
    assert len(scene.rows(RULE_RUN)) == 2


def test_a_rule_begins_with_what_happens_next_and_never_repeats(scene: Scene) -> None:
    old = _lead(scene)
    scene.work()
    scene.rule("notes", "leads", "created", NOTE)
    new = _lead(scene)
    assert scene.store.read_now(behind, SYSTEM)
    scene.work()
    assert not scene.store.read_now(behind, SYSTEM)
    assert [row["record_id"] for row in scene.rows(RULE_RUN)] == [new] != [old]
    # Somebody sets the cursor back to the beginning of the log: what was answered stays answered.
    back = consumers.update().values(xid=0, seq=0)
    scene.do(Tx.execute, back, actor=SYSTEM)
    scene.work()
    answered = [row["record_id"] for row in scene.rows(RULE_RUN)]
    assert sorted(answered) == sorted(row["id"] for row in scene.rows(LEAD))
    # Without a cursor the rules begin at the end of the log.
    scene.do(Tx.execute, consumers.delete(), actor=SYSTEM)
    assert scene.work() == 0
    assert scene.store.read_now(Tx.row, SYSTEM, sa.select(consumers))["name"] == NAME  # type: ignore[index]


def test_two_workers_at_once_do_everything_once(scene: Scene) -> None:
    scene.rule("notes", "contacts", "created", NOTE, condition='city = "Pune"')
    for number in range(60):
        scene.do(create_record, CONTACT, {"name": f"C{number}", "city": "Pune" if number % 2 else "Goa"})

    def work() -> None:
        while scene.store.write_now(advance, SYSTEM, scene.runtime):
            pass

    threads = [threading.Thread(target=work) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    scene.work()
    assert len(scene.rows(RULE_RUN, state="done")) == len(scene.rows(ACTIVITY, body="seen")) == 30


def test_the_run_log_is_for_who_may_see_it(scene: Scene) -> None:
    scene.rule("notes", "leads", "created", NOTE)
    _lead(scene)
    scene.work()

    def seen(tx: Tx) -> int:
        return len(page(tx, RULE_RUN, parse(tx.schema, RULE_RUN, tx.actor, where="state = done")).rows)

    assert scene.do(seen) == 1
    rep = scene.do(actor_by_id, scene.business.users["self"])
    with pytest.raises(Forbidden):
        scene.do(seen, actor=rep)


def test_the_run_log_keeps_hidden_fields_hidden(scene: Scene) -> None:
    scene.rule("sets", "leads", "created", {"action": "set_fields", "fields": {"status": "working"}})
    _lead(scene)
    scene.work()
    (run,) = scene.rows(RULE_RUN)

    def told(hidden: str, scopes: frozenset[str] | None = None) -> Any:
        access = Access(hidden={("manager", "leads"): frozenset({hidden})})
        actor = Actor("user", scene.boss.id, "manager", access=access, scopes=scopes)
        return scene.do(lambda tx: shown(tx, RULE_RUN, [run], ("changes",))[0]["changes"], actor=actor)

    assert told("source")[0]["changes"] == {"status": ["new", "working"]}
    assert told("status")[0]["changes"] == {}
    assert told("source", frozenset({"rule_runs:read"})) is None


def test_without_rules_events_cost_one_read_of_the_log(scene: Scene) -> None:
    for _ in range(5):
        _lead(scene)
    statements: list[str] = []
    write, _ = scene.store.database.engines
    sa.event.listen(write, "before_cursor_execute", lambda *args: statements.append(args[2]))
    assert scene.work() == 5
    asked = [text for text in statements if not text.startswith("BEGIN")]
    # The cursor, the log, the rules, the cursor's move; and once more the cursor and the log.
    assert len(asked) == 6


def test_old_runs_are_forgotten(scene: Scene) -> None:
    scene.rule("notes", "leads", "created", NOTE)
    _lead(scene)
    _lead(scene)
    scene.work()

    def tidy(tx: Tx, ahead: timedelta) -> int:
        tx.now += ahead
        return forget_runs(tx)

    assert scene.do(tidy, timedelta(days=89), actor=SYSTEM) == 0
    assert scene.do(tidy, timedelta(days=91), actor=SYSTEM) == 2
    assert scene.rows(RULE_RUN) == []
