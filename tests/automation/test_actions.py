"""What rules do, each action on real records; the dry run; and what cannot be saved."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
import sqlalchemy as sa

from bot.automation.actions import CARRY_OUT
from bot.automation.dry_run import Tried, sound, try_rule
from bot.crm.activity import ACTIVITY
from bot.crm.case import CASE
from bot.crm.lead import LEAD
from bot.crm.notification import NOTIFICATION
from bot.crm.opportunity import OPPORTUNITY
from bot.crm.rule import RULE, RULE_RUN
from bot.crm.rule_action import ACTIONS
from bot.crm.rule_check import KINDS, SPECIAL, triggers_of
from bot.crm.user import actor_by_id, add_user
from bot.errors import Forbidden, InvalidInput, QueryInvalid
from bot.pipeline.runtime import Runtime
from bot.records.actor import SYSTEM
from bot.records.change import change_record, create_record
from bot.records.definitions import ACCESS_RULE
from bot.records.events import events
from bot.records.shares import SHARE
from bot.records.tags import taggings
from bot.records.tx import Tx
from bot.storage import metadata
from tests.support.docs import DOCS
from tests.support.rules import Scene


def test_every_action_that_can_be_saved_can_be_done() -> None:
    assert set(ACTIONS) == set(CARRY_OUT)


def test_every_special_event_in_the_docs_can_be_waited_for() -> None:
    rows = [
        line.split("|")[1:3] for line in (DOCS / "events.md").read_text("utf-8").splitlines() if "| `" in line
    ]
    told = {(kind.strip(" `"), action.strip(" `")) for kind, action in rows}
    general = {"created", "updated", "deleted", "restored"}
    special = {(kind, action) for kind, action in told if kind == "messages" or action not in general}
    wanted = {(kind, action) for kind, actions in SPECIAL.items() for action in actions}
    assert {pair for pair in special if pair[0] in KINDS} == wanted


def test_actions_on_a_lead(scene: Scene) -> None:
    people, teams = scene.business.users, scene.business.rows["teams"]
    fields = {"source": "expo", "budget": 1500.5, "currency": "INR", "timeline": "={need}"}
    scene.rule(
        *("All of it", "leads", "created"),
        {"action": "set_fields", "fields": fields},
        {"action": "add_tags", "tags": ["hot", "new"]},
        {"action": "remove_tags", "tags": "cold"},
        {"action": "assign", "user_id": people["stranger"]},
        {"action": "share", "user_id": people["loner"], "level": "write"},
        {"action": "create_task", "subject": "Call about {need} ({budget} {currency})", "due_minutes": 60},
        {"action": "add_note", "text": "From {source}"},
        {"action": "notify", "to": ["owner", "team", "role:admin", people["mate"]], "text": "Look: {status}"},
    )
    contact = scene.business.rows["contacts"]["self"]
    lead = scene.do(create_record, LEAD, {"contact_id": contact, "need": "a fridge", "tags": ["cold"]})["id"]
    scene.work()
    row = scene.row(LEAD, lead)
    assert (row["source"], row["budget"], row["timeline"]) == ("expo", 150050, "a fridge")
    assert (row["tags"], row["owner_id"], row["team_id"]) == (
        ["hot", "new"],
        people["stranger"],
        teams["south"],
    )
    indexed = sa.select(taggings.c.tag).where(taggings.c.record_id == lead)
    assert {one["tag"] for one in scene.store.read_now(Tx.rows, SYSTEM, indexed)} == {"hot", "new"}
    (share,) = scene.rows(SHARE, record_id=lead)
    assert (share["user_id"], share["level"], share["shared_by"]) == (people["loner"], "write", scene.boss.id)
    task, note = scene.rows(ACTIVITY, about_id=lead)
    assert task["subject"] == "Call about a fridge (1500.5 INR)" and task["owner_id"] == people["stranger"]
    assert task["due_at"] - task["created_at"] == timedelta(hours=1)
    assert (note["kind"], note["body"], note["contact_id"]) == ("note", "From expo", contact)
    told = scene.rows(NOTIFICATION, key="notify.rule")
    wanted = {people["stranger"], people["mate"], scene.boss.id}
    assert {one["user_id"] for one in told} == wanted and len(told) == len(wanted)
    assert {one["data"]["text"] for one in told} == {"Look: new"}
    # The log of what was done holds no personal values: a text, a name.
    (run,) = scene.rows(RULE_RUN)
    assert run["state"] == "done" and "fridge" not in str(run["changes"]) and "expo" in str(run["changes"])


def test_a_team_takes_its_turns_and_cases_escalate(scene: Scene) -> None:
    team = scene.business.rows["teams"]["north"]
    scene.rule("North", "cases", "created", {"action": "assign", "team_id": team}, {"action": "escalate"})
    contact = scene.business.rows["contacts"]["self"]
    cases = [
        scene.do(create_record, CASE, {"contact_id": contact, "subject": "Leak"})["id"] for _ in range(4)
    ]
    scene.work()
    rows = [scene.row(CASE, case) for case in cases]
    first, second = sorted([scene.business.users["self"], scene.business.users["mate"]])
    assert [row["owner_id"] for row in rows] == [first, second, first, second]
    assert {(row["team_id"], row["escalation_level"]) for row in rows} == {(team, 1)}
    assert len(scene.rows(NOTIFICATION, key="notify.case_waiting")) == 4 * 4  # every rep there is
    escalated = sa.select(events).where(events.c.action == "escalated")
    assert len(scene.store.read_now(Tx.rows, SYSTEM, escalated)) == 4


def _trial(tx: Tx, runtime: Runtime, rule: dict[str, Any], **given: Any) -> list[Tried]:
    return try_rule(tx, runtime, sound(tx, rule), **given)


def test_a_trial_tells_everything_and_writes_nothing(scene: Scene) -> None:
    given = {"contact_id": scene.business.rows["contacts"]["self"], "need": "a fridge"}
    lead = scene.do(create_record, LEAD, given)["id"]
    busy = scene.do(create_record, LEAD, {**given, "status": "working"})["id"]
    scene.work()
    rule: dict[str, Any] = {
        "name": "Trial",
        "entity": "leads",
        "trigger": "due",
        "due_field": "created_at",
        "due_minutes": 60,
        "condition": "status = new",
        "actions": [
            {"action": "set_fields", "fields": {"need": "a {need}"}},
            {"action": "create_task", "subject": "About {need}"},
            {"action": "assign", "team_id": scene.business.rows["teams"]["south"]},
        ],
    }
    before = _everything(scene)
    found = scene.do(_trial, scene.runtime, rule, where="status in (new, working)")
    by_id = {one.record_id: one for one in found}
    assert not by_id[busy].matches and by_id[busy].actions == ()
    tried = by_id[lead]
    assert tried.matches and tried.due_at == scene.row(LEAD, lead)["created_at"] + timedelta(hours=1)
    changed, task, assigned = tried.actions
    assert changed["changes"] == {"need": ["a fridge", "a {need}"]}
    assert task["text"] == "About a {need}" and assigned["changes"]["owner_id"][1] is not None
    assert _everything(scene) == before
    (alone,) = scene.do(_trial, scene.runtime, rule, record_id=lead)
    assert alone.actions[0] == changed
    saved = scene.rule(
        "Saved", "leads", "created", {"action": "assign", "team_id": scene.business.rows["teams"]["north"]}
    )
    (other,) = scene.do(_trial, scene.runtime, scene.row(RULE, saved), record_id=lead)
    assert other.matches and other.error == ""
    marketer = scene.do(add_user, "m@example.com", "marketer", actor=SYSTEM)
    marketer = scene.do(actor_by_id, marketer)
    with pytest.raises(Forbidden):
        scene.do(_trial, scene.runtime, rule, record_id=lead, actor=marketer)


def _everything(scene: Scene) -> dict[str, Any]:
    """Every row of every table but the keys' and the clock's."""

    def read(tx: Tx) -> dict[str, Any]:
        return {table.name: sorted(map(str, tx.rows(sa.select(table)))) for table in metadata.sorted_tables}

    found: dict[str, Any] = scene.store.read_now(read, SYSTEM)
    return found


_NOTE = {"action": "add_note", "text": "x"}
WRONG: list[tuple[dict[str, Any], str, str]] = [
    ({"entity": "events"}, "entity", "A rule watches one of accounts"),
    ({"trigger": "escalated"}, "trigger", "one of created, updated"),
    ({"trigger": "due"}, "due_field", "Due when? One of"),
    ({"trigger": "due", "due_field": "need"}, "due_field", "created_at"),
    ({"trigger": "due", "due_field": "created_at", "due_minutes": 10**9}, "due_minutes", "ten years"),
    ({"changed": ["nede"]}, "changed", "no field 'nede'"),
    ({"trigger": "deleted", "condition": "status = new"}, "condition", "no condition"),
    ({"trigger": "deleted"}, "actions", "add_note cannot be done to a deleted record"),
    ({"actions": []}, "actions", "actions needs a value"),
    ({"actions": [_NOTE] * 21}, "actions", "1 to 20 actions"),
    ({"actions": [{"action": "explode"}]}, "actions", "no action 'explode'; one of set_fields"),
    ({"actions": [{"action": "escalate"}]}, "actions", "escalate is nothing for leads"),
    ({"actions": [{**_NOTE, "colour": "red"}]}, "actions", "no 'colour'; it has text"),
    ({"actions": [{"action": "add_note"}]}, "actions", "add_note needs text"),
    ({"actions": [{**_NOTE, "text": "Dear {nmae}"}]}, "actions", "names {nmae}"),
    ({"actions": [{"action": "assign"}]}, "actions", "one of user_id and team_id"),
    ({"actions": [{"action": "assign", "user_id": "me"}]}, "actions", "user_id is an id"),
    ({"actions": [{"action": "notify", "to": "role:boss", "text": "x"}]}, "actions", "name the role 'boss'"),
    ({"actions": [{"action": "set_fields", "fields": {"status": "nwe"}}]}, "actions", "nwe"),
    ({"actions": [{"action": "set_fields", "fields": {"number": 5}}]}, "actions", "number"),
    (
        {"actions": [{"action": "set_fields", "fields": {"need": "={budget}"}}]},
        "actions",
        "cannot copy budget",
    ),
    ({"actions": "no json"}, "actions", "JSON"),
    ({"run_as_id": "01890000-0000-7000-8000-000000000000"}, "run_as_id", "users"),
]


def test_what_is_unsound_is_not_saved(scene: Scene) -> None:
    sound = {"name": "R", "entity": "leads", "trigger": "created", "actions": [_NOTE]}
    for given, field, words in WRONG:
        with pytest.raises(InvalidInput) as error:
            scene.do(create_record, RULE, {**sound, **given})
        assert (error.value.data["field"], words in error.value.message) == (field, True), error.value.message
    with pytest.raises(QueryInvalid) as pointed:
        scene.do(create_record, RULE, {**sound, "condition": "statsu = new"})
    assert pointed.value.data["position"] == 0 and pointed.value.data["in"] == "condition"
    assert scene.rows(RULE) == []
    # The condition is read as the rule's user would: what is hidden from them does not exist.
    for trigger in triggers_of("leads"):
        more = {"due_field": "created_at"} if trigger == "due" else {}
        note = {"action": "notify", "to": "run_as", "text": "x"} if trigger == "deleted" else _NOTE
        scene.do(create_record, RULE, {**sound, **more, "actions": [note], "trigger": trigger})


def test_only_admins_write_rules_and_lend_rights(scene: Scene) -> None:
    sound = {"name": "R", "entity": "leads", "trigger": "created", "actions": [_NOTE]}
    manager = scene.do(actor_by_id, scene.do(add_user, "m@example.com", "manager", actor=SYSTEM))
    rule = scene.do(create_record, RULE, sound)["id"]
    with pytest.raises(Forbidden):
        scene.do(change_record, RULE, rule, {"name": "mine"}, actor=manager)
    may = {"role": "manager", "entity": "rules", "may": "read create update"}
    scene.do(create_record, ACCESS_RULE, may)
    scene.store.reload_schema()
    manager = scene.do(actor_by_id, manager.id)
    own = scene.do(create_record, RULE, sound, actor=manager)["id"]
    assert scene.row(RULE, own)["run_as_id"] == manager.id
    for record, given in (
        (rule, {"name": "mine"}),
        (own, {"run_as_id": scene.boss.id}),
        (rule, {"run_as_id": manager.id}),
    ):
        with pytest.raises(Forbidden, match="somebody else"):
            scene.do(change_record, RULE, record, given, actor=manager)


def test_a_limited_key_makes_no_rules(scene: Scene) -> None:
    sound = {"name": "R", "entity": "leads", "trigger": "created", "actions": [_NOTE]}
    limited = replace(scene.boss, scopes=frozenset({"rules:write", "rules:read"}))
    with pytest.raises(Forbidden, match="limited"):
        scene.do(create_record, RULE, sound, actor=limited)


def test_amounts_are_compared_as_people_write_them(scene: Scene) -> None:
    step = {"action": "set_fields", "fields": {"next_step": "Ask the CFO"}}
    scene.rule(
        "Big",
        "opportunities",
        "updated",
        step,
        changed=["amount"],
        condition="amount > 12 lakh and (status = open or account.city = Pune)",
    )
    deal = scene.do(create_record, OPPORTUNITY, {"name": "Roof"})["id"]
    scene.do(change_record, OPPORTUNITY, deal, {"amount": "12,50,000"})
    scene.work()
    assert scene.row(OPPORTUNITY, deal)["next_step"] == "Ask the CFO"
