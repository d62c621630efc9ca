"""Every role × every kind × list and get, over records owned by each kind of owner.

What is expected is said here once more, in plain Python and independently of bot.records.permissions.
"""

from typing import Any

import pytest
import sqlalchemy as sa

from bot.crm.rule import RULE, RULE_RUN, RULE_VERSION
from bot.ids import new_id
from bot.records.actor import ROLES, SYSTEM
from bot.records.change import create_record
from bot.records.query import Query, page
from bot.records.store import Store
from bot.records.tx import Tx
from bot.settings import Settings
from bot.web.api import files
from bot.web.api.kinds import KINDS
from bot.web.api.route import Route
from bot.web.api.routes import ROUTES, WITH_TIMELINE
from tests.support.people import OWNERS, Business, found, keys_of_every_role
from tests.support.web import bearer, serving

EVERYBODY = set(ROLES)
MAY_READ = {
    "contacts": EVERYBODY,
    "identities": EVERYBODY,
    "accounts": EVERYBODY,
    "leads": EVERYBODY,
    "cases": EVERYBODY - {"marketer"},
    "activities": EVERYBODY - {"marketer"},
    "conversations": EVERYBODY - {"marketer"},
    "messages": EVERYBODY - {"marketer"},
    "articles": EVERYBODY,
    "questions": EVERYBODY - {"rep"},
    "article_votes": EVERYBODY - {"rep"},
    "consents": EVERYBODY,
    "events": EVERYBODY,
    "users": EVERYBODY,
    "teams": EVERYBODY,
    "channel_accounts": {"manager", "admin"},
    "rules": {"manager", "admin"},
    "rule_versions": {"manager", "admin"},
    "rule_runs": {"manager", "admin"},
    "flow_versions": {"manager", "admin"},
    "templates": EVERYBODY,
    "notifications": EVERYBODY,
}
MAY_READ |= {
    "affiliations": EVERYBODY,
    "contact_links": EVERYBODY,
    "opportunities": EVERYBODY,
    "stages": EVERYBODY,
    "stakeholders": EVERYBODY,
    "territories": EVERYBODY,
    "territory_members": EVERYBODY,
    "categories": EVERYBODY,
    "shares": EVERYBODY - {"marketer"},
    "custom_fields": EVERYBODY,
    "validation_rules": EVERYBODY,
    "access_rules": {"admin"},
    "business": EVERYBODY,
    "activity_links": EVERYBODY - {"marketer"},
    "attendees": EVERYBODY - {"marketer"},
    "files": EVERYBODY,
    "views": EVERYBODY,
    "file_versions": EVERYBODY,
}
_HEADS, _SELLERS = {"manager", "admin"}, {"agent", "rep", "manager", "admin"}
_ADMIN = {"admin"}
MAY_WRITE: dict[str, tuple[set[str], set[str], set[str]]] = {
    "contacts": (_SELLERS, _SELLERS, _HEADS),
    "identities": (_SELLERS, _SELLERS, _SELLERS),
    "accounts": (_SELLERS - {"agent"}, _SELLERS - {"agent"}, _HEADS),
    "affiliations": (_SELLERS, _SELLERS, _SELLERS - {"agent"}),
    "contact_links": (_SELLERS, _SELLERS, _SELLERS - {"agent"}),
    "leads": (_SELLERS, _SELLERS, _HEADS),
    "opportunities": (_SELLERS - {"agent"}, _SELLERS - {"agent"}, _HEADS),
    "stakeholders": (_SELLERS - {"agent"}, _SELLERS - {"agent"}, _SELLERS - {"agent"}),
    "stages": (_HEADS, _HEADS, _HEADS),
    "cases": (_SELLERS - {"rep"}, _SELLERS - {"rep"}, _HEADS),
    "activities": (_SELLERS, _SELLERS, _HEADS),
    "articles": (EVERYBODY - {"rep"}, EVERYBODY - {"rep"}, _HEADS | {"marketer"}),
    "questions": (set(), set(), _HEADS),
    "categories": (_HEADS, _HEADS, _HEADS),
    "shares": (_SELLERS, _SELLERS, _SELLERS),
    "activity_links": (_SELLERS, _SELLERS, _SELLERS),
    "attendees": (_SELLERS, _SELLERS, _SELLERS),
    "files": (_SELLERS, _SELLERS, _SELLERS),
    "views": (EVERYBODY, EVERYBODY, EVERYBODY),
    "business": (set(), _HEADS, set()),
    **dict.fromkeys(
        (
            *("users", "teams", "territories", "territory_members"),
            *("custom_fields", "validation_rules", "access_rules", "rules"),
        ),
        (_ADMIN, _ADMIN, _ADMIN),
    ),
}
"""Who may make, change and delete (and restore) records by values."""
MAY: dict[str, set[str]] = {
    "send_message": _SELLERS,
    "start_conversation": _SELLERS,
    "take_over": _SELLERS,
    "hand_back": _SELLERS,
    "deactivate_user": _ADMIN,
    "reactivate_user": _ADMIN,
    # One's own are tried elsewhere.
    "list_keys": _ADMIN,
    "make_key": _ADMIN,
    "revoke_key": _ADMIN,
    "complete_activity": _SELLERS,
    "change_future_activities": _SELLERS,
    "delete_future_activities": _HEADS,
    "try_rules": _ADMIN,
    **dict.fromkeys(("save_flow", "publish_flow", "retire_flow", "review_flows"), _ADMIN),
    "check_flow": _HEADS,
    "search": EVERYBODY,  # kinds that one may not read are left out
    "my_calendar": _SELLERS,
    "renew_my_calendar": _SELLERS,
    # Who does not see a record does not learn that they may not share it.
    **{f"share_{name}": MAY_READ[name] for name in ("contacts", "accounts", "leads", "opportunities")},
    **{f"share_{name}": MAY_READ[name] for name in ("cases", "activities")},
}
"""Who may use the routes of named operations."""
UNKNOWN = "01890a5d-ac96-774b-bcce-b302099a8057"
SHARED = {"articles", "users", "teams", "channel_accounts", "templates"}
"""Kinds whose records everyone sees who may read the kind."""


def sees(role: str, kind: str, owner: str) -> bool:
    """Whether a user of this role sees a record of this owner (of the record it hangs on)."""
    if role not in MAY_READ[kind]:
        return False
    if kind == "notifications":
        return owner == "self"
    if role in ("manager", "admin") or kind in SHARED:
        return True
    if role == "agent":
        return owner in ("self", "mate", "loner", "nobody")  # the team's, and what no team has
    return owner in ("self", "mate", "nobody")


def test_the_matrix_knows_every_kind() -> None:
    assert set(MAY_READ) == {kind.entity.name for kind in KINDS.values()}


def with_a_rule(tx: Tx, business: Business) -> None:
    """A rule, its version, and a run of it."""
    tell = {"action": "notify", "to": ["owner"], "text": "Look"}
    whose = {"run_as_id": business.users["self"]}
    rule = {"name": "R", "entity": "leads", "trigger": "created", "actions": [tell], **whose}
    rule_id = business.keep("rules", "self", create_record(tx, RULE, rule)["id"])
    tx.flush()
    version = tx.execute(sa.select(RULE_VERSION.table.c.id)).scalar_one()
    business.keep("rule_versions", "self", version)
    run = {"id": business.keep("rule_runs", "self", new_id()), "rule_id": rule_id, "rule_version": 1, **whose}
    of = {"entity": "leads", "record_id": business.rows["leads"]["self"], "chain": [], "started_at": tx.now}
    tx.execute(RULE_RUN.table.insert(), {**run, **of, "state": "done", "tries": 1})


@pytest.mark.parametrize("role", ROLES)
async def test_who_sees_what(store: Store, role: str) -> None:
    business = store.write_now(found, SYSTEM, role)
    store.write_now(with_a_rule, SYSTEM, business)
    async with serving(store, settings=Settings(api_rate=0)) as client:
        key = bearer(business.keys[role])

        async def ask(path: str, **parameters: Any) -> tuple[int, Any]:
            async with client.get(f"/api/v1/{path}", params=parameters, **key) as response:
                return response.status, await response.json()

        for path, kind in KINDS.items():
            name = kind.entity.name
            status, body = await ask(path, limit=200)
            assert status == (200 if role in MAY_READ[name] else 403), name
            if name in ("identities", "events") or name not in business.rows:
                continue
            rows = business.rows[name]
            expected = {record for owner, record in rows.items() if sees(role, name, owner)}
            if status == 200:
                assert {row["id"] for row in body["data"]} & set(rows.values()) == expected, name
                _, counted = await ask(f"{path}/summary", where=f"id in ({', '.join(rows.values())})")
                assert counted["data"][0]["count"] == len(expected), name
            for owner, record in rows.items():
                allowed = 200 if sees(role, name, owner) else 404
                wanted = allowed if role in MAY_READ[name] else 403
                for further in ("", "/timeline") if name in WITH_TIMELINE else ("",):
                    assert (await ask(f"{path}/{record}{further}"))[0] == wanted, (name, owner, further)
        await _check_dependent_kinds(ask, business, role)
        for path in ("identities", "events"):
            _, body = await ask(path, limit=200, fields="id")
            listed = {row["id"] for row in body.get("data", ())}
            query = Query(path, limit=None, fields=("id",))
            for row in store.read_now(page, SYSTEM, KINDS[path].entity, query).rows:
                status, _ = await ask(f"{path}/{row['id']}")
                assert status == (403 if role not in MAY_READ[path] else 200 if row["id"] in listed else 404)


async def _check_dependent_kinds(ask: Any, business: Business, role: str) -> None:
    """Identities follow their contact, events the record they speak of."""
    _, body = await ask("identities", limit=200)
    owners = {record: owner for owner, record in business.rows["contacts"].items()}
    assert {owners[row["contact_id"]] for row in body["data"]} == {
        o for o in OWNERS if sees(role, "contacts", o)
    }
    _, everything = await ask("contacts", limit=200)
    for row in everything["data"]:
        assert len(row["phones"]) == 1 and len(row["emails"]) == 1
    if role == "marketer":
        return
    _, body = await ask("events", limit=200)
    whose = {record: (name, o) for name, rows in business.rows.items() for o, record in rows.items()}
    seen = {whose[row["record_id"]] for row in body["data"] if row["record_id"] in whose}
    unlogged = {"channel_accounts"} if role not in ("manager", "admin") else set()
    expected = {
        (name, owner)
        for name, rows in business.rows.items()
        for owner in rows
        if sees(role, name, owner) and name not in unlogged
    }
    # What rules were and did is a log by itself.
    expected = {pair for pair in expected if pair[0] not in ("rule_versions", "rule_runs")}
    if role not in ("manager", "admin"):
        expected = {pair for pair in expected if pair[0] != "users"}  # staff's own events are for managers
    assert seen == expected


@pytest.mark.parametrize("key", ["", "samvad_forged", "é"])
async def test_without_a_key_nothing_is_told(store: Store, key: str) -> None:
    async with serving(store) as client:
        for method, path in [*((route.method, route.path) for route in ROUTES), *files.ROUTES]:
            headers = {"Authorization": f"Bearer {key}"} if key else {}
            async with client.request(method, filled(path), headers=headers) as response:
                assert response.status == 401, path
                assert response.headers["WWW-Authenticate"] == "Bearer"
                assert (await response.json())["code"] == "not_signed_in"
        async with client.get("/api/v1/openapi.json") as response:
            assert response.status == 200  # what there is to ask is no secret


def filled(path: str) -> str:
    """A path to records that are not there."""
    return path.replace("{id}", UNKNOWN).replace("{sub_id}", UNKNOWN)


@pytest.mark.parametrize("role", ROLES)
async def test_every_route_asks_for_permission(store: Store, role: str) -> None:
    """Who may not do something to a kind gets 403 for the whole of it, before anything is looked up; who may
    is told what is wrong with a request that names nothing."""
    key = store.write_now(keys_of_every_role, SYSTEM)[role]
    async with serving(store, settings=Settings(api_rate=0)) as client:
        for route in ROUTES:
            wanted = MAY[route.name] if route.name in MAY else may_by_kind(route)
            body = {"json": BODIES.get(route.name, {})} if route.body is not None else {}
            async with client.request(route.method, filled(route.path), **body, **bearer(key)) as response:
                told = (route.name, response.status, await response.text())
            assert (response.status != 403) == (role in wanted), told
            assert response.status < 500, told
        for method, path in files.ROUTES:
            wanted = MAY_READ["files"] if method == "GET" else MAY_WRITE["files"][0]
            async with client.request(method, filled(path), **bearer(key)) as response:
                assert (response.status != 403) == (role in wanted), path
                assert response.status < 500, path


BODIES = {
    "send_message": {"conversation_id": UNKNOWN, "text": "x"},
    "start_conversation": {"channel": "sms", "address": "+919811122333", "text": "x"},
    **{name: {"source": "name: x"} for name in ("save_flow", "check_flow")},
    **{f"bulk_{name}": {"rows": [{"op": "delete", "id": UNKNOWN}]} for name in MAY_READ},
    **{f"share_{name}": {"user_id": UNKNOWN} for name in MAY_READ},
}
"""Bodies of routes that look at them before they ask."""


def may_by_kind(route: Route) -> set[str]:
    """Who may use a route that reads or writes records of one kind."""
    assert route.kind is not None, f"{route.name} is not in the matrix"
    name = route.kind.name
    verb = route.name.partition("_")[0]
    if verb in ("list", "summarise", "get", "timeline"):
        return MAY_READ[name]
    if verb == "bulk":
        return EVERYBODY  # each row is answered for itself
    column = {"create": 0, "change": 1, "delete": 2, "restore": 2}[verb]
    return MAY_WRITE[name][column]


@pytest.mark.parametrize("role", ROLES)
async def test_writing_follows_the_same_rule(store: Store, role: str) -> None:
    """Who may not see a conversation cannot write in it, take it over or hand it back."""
    business = store.write_now(found, SYSTEM, role)
    async with serving(store) as client:
        for owner, conversation in business.rows["conversations"].items():
            may = sees(role, "conversations", owner)
            wanted = 403 if role == "marketer" else None if may else 404
            asked: list[tuple[str, dict[str, Any]]] = [
                ("messages", {"json": {"conversation_id": conversation, "text": "Hello"}}),
                (f"conversations/{conversation}/take-over", {}),
                (f"conversations/{conversation}/hand-back", {}),
            ]
            for path, body in asked:
                key = bearer(business.keys[role])
                async with client.post(f"/api/v1/{path}", **body, **key) as response:
                    accepted = 202 if path == "messages" else 200
                    assert response.status == (wanted or accepted), (owner, path, await response.text())
