"""A business's own flows: drafted by admins, published only when sound, served over those that ship."""

import asyncio
import contextlib
import re
import threading
from collections.abc import Callable
from pathlib import Path

import pytest
import sqlalchemy as sa

from bot.app import open_store
from bot.crm.flow_version import FLOW_VERSION
from bot.crm.user import actor_by_id, add_user
from bot.dialogs.publishing import (
    check_source,
    publish,
    retire,
    save_draft,
    served,
    shipped,
    shipped_source,
)
from bot.dialogs.state import Frame, running
from bot.errors import Conflict, Forbidden, InvalidInput, SamvadError
from bot.records.actor import SYSTEM, Actor
from bot.records.events import events
from bot.records.store import Store
from bot.records.tx import Tx
from bot.records.write import get, update
from tests.support.world import samvad

CASE = (Path(__file__).parents[2] / "bot/dialogs/flows/open_case.yaml").read_text("utf-8")
NEXT = CASE.replace("  - say: case.opened", "  - say: case.opened\n  - say: courtesy.fine")
OWN = (
    "name: visit\nversion: 1\ndescription: d\nsteps:\n"
    "  - collect: day\n    type: date\n    ask: lead.ask_need\n"
)


def _user(store: Store, role: str) -> Actor:
    def make(tx):  # type: ignore[no-untyped-def]
        return actor_by_id(tx, add_user(tx, f"{role}@example.com", role))  # type: ignore[arg-type]

    actor = store.write_now(make, SYSTEM)
    assert actor is not None
    return actor


def test_a_draft_is_served_once_it_is_published_and_the_old_version_is_kept(store: Store) -> None:
    admin = _user(store, "admin")
    before = store.read_now(served, SYSTEM)
    draft = store.write_now(save_draft, admin, NEXT)
    assert store.write_now(save_draft, admin, NEXT + "\n") == draft, "one draft a flow"
    assert store.read_now(served, SYSTEM)["open_case"] == before["open_case"]
    store.write_now(publish, admin, draft)
    flows = store.read_now(served, SYSTEM)
    assert flows["open_case"].version == 2 and len(flows["open_case"].steps) == 4
    old = running(Frame("open_case", 1, "description"), flows)
    assert old is not None and old.version == 1 and len(old.steps) == 3
    third = store.write_now(save_draft, admin, CASE)
    store.write_now(publish, admin, third)
    states = [store.read_now(get, admin, FLOW_VERSION, one)["state"] for one in (draft, third)]
    assert states == ["retired", "published"]
    flows = store.read_now(served, SYSTEM)
    assert flows["open_case"].version == 3 and len(flows.version("open_case", 2).steps) == 4  # type: ignore[union-attr]
    store.write_now(retire, admin, "open_case")
    assert store.read_now(served, SYSTEM)["open_case"] == shipped()["open_case"]
    actions = store.read_now(
        lambda tx: tx.rows(sa.select(events.c.action).where(events.c.entity == FLOW_VERSION.name)), SYSTEM
    )
    assert len(actions) >= 6


def test_what_is_unsound_can_be_kept_but_not_published(store: Store) -> None:
    admin = _user(store, "admin")
    for source, said in (
        (OWN + "  - goto: nowhere\n", "8: there is no step nowhere"),
        (OWN + "  - id: x\n    say: lead.thanks\n  - goto: x\n", "the flow never ends"),
        (OWN + "  - say: no.such.key\n", "no words for no.such.key"),
        (OWN + "  - shout: x\n", "8: a step is one of"),
        (OWN.replace("visit", "stop"), "stop cannot be changed"),
    ):
        errors, _ = store.read_now(check_source, admin, source)
        assert any(said in error for error in errors), errors
        draft = store.write_now(save_draft, admin, source)
        with pytest.raises(InvalidInput) as refused:
            store.write_now(publish, admin, draft)
        assert refused.value.data["problems"] == errors
    bomb = "a: &a [x, x]\nb: &b [*a, *a]\nname: *b\n"
    for source, said in (("a: [", "not YAML"), ("[" * 90_000, "levels deep"), (bomb, "2: `*name`")):
        with pytest.raises(InvalidInput, match=re.escape(said)):
            store.write_now(save_draft, admin, source)
    assert dict(store.read_now(served, SYSTEM)) == dict(shipped())


def test_a_flow_that_others_call_is_not_retired(store: Store) -> None:
    admin = _user(store, "admin")
    for source in (OWN, OWN.replace("name: visit", "name: caller") + "  - call: visit\n"):
        store.write_now(publish, admin, store.write_now(save_draft, admin, source))
    with pytest.raises(Conflict):
        store.write_now(retire, admin, "visit")
    assert "visit" in store.read_now(served, SYSTEM)


def test_a_keyword_has_one_flow(store: Store) -> None:
    admin = _user(store, "admin")
    own = OWN.replace("steps:", "keywords: {en: [%s]}\nsteps:")
    for taken, owner in (("Stop!", "stop"), ("menu", "help")):
        errors, _ = store.read_now(check_source, admin, own % taken)
        assert [f"belongs to the flow {owner}" in error for error in errors] == [True], errors
    shy = shipped_source("help").replace(" menu,", "")
    for source in (shy, own % "menu"):
        store.write_now(publish, admin, store.write_now(save_draft, admin, source))
    with pytest.raises(Conflict, match="menu"):
        store.write_now(retire, admin, "help")


def test_a_flow_that_fits_no_more_takes_no_other_out_of_service(store: Store) -> None:
    admin = _user(store, "admin")
    caller = OWN.replace("name: visit", "name: caller") + "  - call: visit\n"
    tour = OWN.replace("visit", "tour")

    def put(source: str) -> str:
        draft = store.write_now(save_draft, admin, source)
        store.write_now(publish, admin, draft)
        return draft

    def outlive(tx: Tx, version_id: str) -> None:
        """The program does not have any more what this version does."""
        row = get(tx, FLOW_VERSION, version_id)
        update(tx, FLOW_VERSION, row, {"source": row["source"] + "  - do: gone\n"})

    newest = [put(source) for source in (OWN, caller, NEXT, NEXT + "\n", tour, tour + "\n")]
    for version_id in (newest[0], newest[3], newest[5]):
        store.write_now(outlive, SYSTEM, version_id)
    flows = store.read_now(served, SYSTEM)
    assert not {"visit", "caller"} & flows.keys(), "nor what calls a flow that is left out"
    assert flows["open_case"].version == 2 and flows["tour"].version == 1, "the version before stands in"
    kept = [flows.version("open_case", number) for number in (1, 2, 3)]
    assert [flow and flow.version for flow in kept] == [1, 2, 2], "nobody is led into what fits no more"
    with pytest.raises(InvalidInput):
        put(caller)
    store.write_now(retire, admin, "tour")  # what was unsound before keeps nobody from this
    assert "tour" not in store.read_now(served, SYSTEM)


async def test_of_two_who_publish_at_once_the_second_sees_what_the_first_did(postgres: Store) -> None:
    store, admin = postgres, _user(postgres, "admin")
    store.write_now(publish, admin, store.write_now(save_draft, admin, OWN))
    caller = OWN.replace("name: visit", "name: caller") + "  - call: visit\n"
    draft = await store.run(save_draft, admin, caller)
    ready = threading.Barrier(2)

    def race(tx: Tx, operation: Callable[[Tx, str], None], given: str) -> None:
        operation(tx, given)
        with contextlib.suppress(threading.BrokenBarrierError):
            ready.wait(2)  # neither commits before the other is done, unless it has to wait for that

    found = await asyncio.gather(
        store.run(race, admin, publish, draft),
        store.run(race, admin, retire, "visit"),
        return_exceptions=True,
    )
    assert len([one for one in found if isinstance(one, SamvadError)]) == 1, found
    flows = await store.read(served, SYSTEM)
    assert ("caller" in flows) == ("visit" in flows)


@pytest.mark.parametrize("role", ["manager", "agent", "rep", "marketer"])
def test_only_admins_change_flows(store: Store, role: str) -> None:
    admin, other = _user(store, "admin"), _user(store, role)
    draft = store.write_now(save_draft, admin, OWN)
    for operation, given in ((save_draft, OWN), (publish, draft), (retire, "visit")):
        with pytest.raises(Forbidden):
            store.write_now(operation, other, given)


async def test_a_running_process_serves_what_is_published_without_a_restart(tmp_path: Path) -> None:
    async with samvad(tmp_path, articles=False) as world:
        app = world.app
        draft = await app.store.run(save_draft, SYSTEM, OWN)
        await app.store.run(publish, SYSTEM, draft)
        for _ in range(1000):
            if "visit" in app.runtime.flows:
                break
            await asyncio.sleep(0.02)
        assert "visit" in app.runtime.flows


async def test_a_publication_whose_notice_was_lost_is_caught_up_with(tmp_path: Path) -> None:
    async with samvad(tmp_path, articles=False, redis_url="redis://127.0.0.1:1/0") as world:
        elsewhere = open_store(world.app.settings)  # another process, that nobody hears
        try:
            draft = elsewhere.write_now(save_draft, SYSTEM, OWN)
            elsewhere.write_now(publish, SYSTEM, draft)
        finally:
            elsewhere.close()
        for _ in range(1000):
            if "visit" in world.app.runtime.flows:
                break
            await asyncio.sleep(0.02)
        assert "visit" in world.app.runtime.flows
        assert not await world.app.stale()
