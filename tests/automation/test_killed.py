"""A worker killed in the middle of a batch: what it had begun is not there, and everything is done once."""

import signal
import subprocess
import sys
from collections import Counter
from pathlib import Path

import sqlalchemy as sa

from bot.automation.consumer import advance
from bot.crm.activity import ACTIVITY
from bot.crm.contact import CONTACT
from bot.crm.rule import RULE_RUN
from bot.records.actor import SYSTEM
from bot.records.tx import Tx
from bot.records.write import create
from tests.support.rules import Scene

EVENTS, RULES = 300, 10


def test_a_killed_worker_leaves_nothing_half_done(scene: Scene, tmp_path: Path) -> None:
    for number in range(RULES):
        scene.rule(
            *(f"Rule {number}", "contacts", "created"),
            {"action": "add_tags", "tags": [f"t{number}"]},
            {"action": "create_task", "subject": "Call {name}"},
            condition=f'city = "c{number}"',
        )
    scene.work()

    def fill(tx: Tx) -> None:
        for number in range(EVENTS):
            create(tx, CONTACT, {"name": f"C{number}", "city": f"c{number % (RULES + 2)}"})

    scene.do(fill)
    url, keys = scene.store.database.url, scene.store.keys._database.url
    given = [one.render_as_string(hide_password=False) for one in (url, keys)]
    command = [sys.executable, str(Path(__file__).with_name("killed.py")), *given, str(tmp_path), "1600"]
    assert subprocess.run(command, check=False).returncode == -signal.SIGKILL
    begun = len(scene.rows(RULE_RUN))
    assert 0 < begun < EVENTS // 2 and begun == len(scene.rows(ACTIVITY, body="", kind="task"))
    while scene.store.write_now(advance, SYSTEM, scene.runtime):
        pass
    cities = [f"c{number}" for number in range(RULES)]
    wanted = {row["id"]: f"t{row['city'][1:]}" for row in scene.rows(CONTACT) if row["city"] in cities}
    ran = Counter(row["record_id"] for row in scene.rows(RULE_RUN, state="done"))
    tasks = Counter(row["about_id"] for row in scene.rows(ACTIVITY, kind="task"))
    ours = dict.fromkeys(wanted, 1)
    assert ran == tasks == ours and len(ours) == EVENTS * RULES // (RULES + 2)
    tags = sa.select(CONTACT.table.c.id, CONTACT.table.c.tags).where(CONTACT.table.c.id.in_(ours))
    tagged = {row["id"]: row["tags"] for row in scene.store.read_now(Tx.rows, SYSTEM, tags)}
    assert tagged == {record: [tag] for record, tag in wanted.items()}
