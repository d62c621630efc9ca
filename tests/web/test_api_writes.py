"""Writing by the REST API over real databases: records, many at once, conditions, repeats, limits, summaries,
timelines."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import pytest
import time_machine

from bot.clock import now
from bot.crm.api_key import actor_for_key
from bot.errors import Forbidden
from bot.records.actor import SYSTEM
from bot.records.defining import set_access
from bot.records.replies import forget_replies
from bot.records.store import Store
from bot.settings import Settings
from bot.web.api.limits import Limiter
from bot.web.api.serve import LIMITER, RUNNING
from bot.web.uploads import Upload, add_upload
from tests.support.people import Business, found, keys_of_every_role
from tests.support.web import Client, serving

UNKNOWN = "01890a5d-ac96-774b-bcce-b302099a8057"


@dataclass
class Told:
    """An answer."""

    status: int
    headers: Any
    body: Any


@dataclass
class Caller:
    """A client with a key."""

    client: Client
    key: str

    async def ask(
        self, method: str, path: str, headers: dict[str, str] | None = None, **options: Any
    ) -> Told:
        """One request."""
        given = {"Authorization": f"Bearer {self.key}", **(headers or {})}
        async with self.client.request(method, f"/api/v1/{path}", headers=given, **options) as response:
            body = await response.json() if await response.read() else None
            return Told(response.status, response.headers, body)

    async def post(self, path: str, body: Any = None, **headers: str) -> Told:
        """POST, with headers like `idempotency_key`."""
        given = {name.replace("_", "-"): value for name, value in headers.items()}
        return await self.ask("POST", path, given, **({} if body is None else {"json": body}))

    async def get(self, path: str, **parameters: str) -> Any:
        """The body of a GET that succeeds."""
        told = await self.ask("GET", path, params=parameters)
        assert told.status == 200, told.body
        return told.body


@dataclass
class Shop:
    """The API over a small business, as its admin."""

    store: Store
    business: Business
    admin: Caller


@pytest.fixture
async def shop(store: Store) -> AsyncIterator[Shop]:
    """The API over a small business."""
    business = store.write_now(found, SYSTEM, "admin")
    async with serving(store) as client:
        yield Shop(store, business, Caller(client, business.keys["admin"]))


async def test_a_record_is_made_changed_deleted_and_restored(shop: Shop) -> None:
    api = shop.admin
    made = await api.post("contacts", {"name": " Asha Rao ", "phones": ["98765 43210"], "tags": ["vip"]})
    assert (made.status, made.headers["Location"]) == (201, f"/api/v1/contacts/{made.body['id']}")
    assert (made.body["name"], made.body["phones"]) == ("Asha Rao", ["+919876543210"])
    assert made.body["owner_id"] == shop.business.users["self"]
    path = f"contacts/{made.body['id']}"
    shown = await api.ask("GET", path)
    assert (shown.body, shown.headers["ETag"]) == (made.body, made.headers["ETag"])
    changed = await api.ask("PATCH", path, json={"title": "Owner", "tags": None})
    assert (changed.status, changed.body["title"], changed.body["version"]) == (200, "Owner", 2)
    merged = {"Content-Type": "application/merge-patch+json"}
    assert (await api.ask("PATCH", path, merged, data=b'{"title": null}')).body["title"] is None
    assert (await api.ask("DELETE", path)).status == 204
    assert (await api.ask("GET", path)).status == (await api.ask("PATCH", path, json={})).status == 404
    gone = await api.get("contacts", deleted="true", fields="name")
    assert gone["data"] == [{"id": made.body["id"], "name": "Asha Rao"}]
    back = await api.post(f"{path}/restore")
    assert (back.status, back.body["name"]) == (200, "Asha Rao")
    assert (await api.post(f"{path}/restore")).status == 409


REFUSED: list[tuple[str, Any, int, dict[str, Any]]] = [
    ("contacts", {}, 400, {"field": "name"}),
    ("contacts", {"name": "A", "nmae": 1}, 400, {"field": "nmae"}),
    ("contacts", {"name": "A", "blocked": True}, 400, {"field": "blocked"}),
    (
        "contacts",
        {"name": "A", "account_id": UNKNOWN},
        409,
        {"field": "account_id", "code": "no_such_target"},
    ),
    ("contacts", {"name": "A", "account_id": "x"}, 400, {"field": "account_id"}),
    ("contacts", {"name": "A", "phones": ["12"]}, 400, {"field": "phones"}),
    ("opportunities", {"name": "A", "amount": "12"}, 400, {"field": "amount"}),
    ("opportunities", {"name": "A", "amount": 1.234}, 400, {"field": "amount"}),
    ("opportunities", {"name": "A", "amount": 10**18}, 400, {"field": "amount"}),
    ("opportunities", {"name": "A", "stage": "Nowhere"}, 409, {"field": "stage"}),
    ("activities", {"subject": "A", "tags": "a,b"}, 400, {"field": "tags"}),
    ("teams", {"name": "north"}, 409, {"field": "name"}),
    ("identities", {"contact_id": UNKNOWN}, 409, {"field": "contact_id"}),
]


async def test_what_cannot_be_written_says_why(shop: Shop) -> None:
    for path, body, status, wanted in REFUSED:
        told = await shop.admin.post(path, body)
        assert told.status == status, (body, told.body)
        assert wanted.items() <= told.body.items()
    raw = {"Content-Type": "application/json"}
    for data in (
        b'{"name": 1e400}',
        b'{"name": NaN}',
        b'{"a":' * 40 + b"1" + b"}" * 40,
        b'{"a": 9' + b"9" * 5000 + b"}",
    ):
        assert (await shop.admin.ask("POST", "contacts", raw, data=data)).status == 400
    assert (await shop.admin.ask("GET", "contacts?where=%ff")).status == 400
    told = await shop.admin.ask("PUT", "contacts", json={})
    assert (told.status, told.headers["Allow"]) == (405, "GET,HEAD,OPTIONS,POST")
    told = await shop.admin.ask("OPTIONS", "contacts")
    assert (told.status, "POST" in told.headers["Allow"]) == (204, True)
    assert "Access-Control-Allow-Origin" not in told.headers
    told = await shop.admin.ask("HEAD", "contacts")
    assert (told.status, told.body) == (200, None)
    assert (await shop.admin.ask("GET", "nowhere")).body["code"] == "not_found"


async def test_if_match_keeps_others_changes(shop: Shop) -> None:
    api, path = shop.admin, f"contacts/{shop.business.rows['contacts']['self']}"
    shown = await api.ask("GET", path)
    tag, version = shown.headers["ETag"], shown.body["version"]
    for header, status in (
        (tag, 200),
        (tag, 412),  # it moved on
        (f'"{version + 1}"', 200),
        (f'W/"{version + 2}"', 200),
        (f'"{version}", "{version + 3}"', 200),
        ("*", 200),
        ("nonsense", 400),
        ('""', 412),
    ):
        told = await api.ask("PATCH", path, {"If-Match": header}, json={"title": f"{header}{status}"[:90]})
        assert told.status == status, (header, told.body)
    assert (await api.ask("DELETE", path, {"If-Match": tag})).status == 412
    shown = await api.ask("GET", path)
    for header, status in (
        (shown.headers["ETag"], 304),
        (f'W/{shown.headers["ETag"]}, "x"', 304),
        ("*", 304),
        (tag, 200),
    ):
        assert (await api.ask("GET", path, {"If-None-Match": header})).status == status
    other = await api.ask("GET", f"{path}?fields=name", {"If-None-Match": shown.headers["ETag"]})
    assert other.status == 200  # the tag speaks of what was shown


async def test_the_same_request_is_done_once(shop: Shop) -> None:
    api, body = shop.admin, {"name": "Big deal", "amount": 1250.5}
    first = await api.post("opportunities", body, Idempotency_Key='"a-key"')
    again = await api.post("opportunities", body, Idempotency_Key="a-key")
    assert first.status == again.status == 201 and first.body == again.body
    assert again.headers["Idempotent-Replayed"] == "true" and "Idempotent-Replayed" not in first.headers
    assert (first.headers["ETag"], first.headers["Location"]) == (
        again.headers["ETag"],
        again.headers["Location"],
    )
    told = await api.post("opportunities", {"name": "Another"}, Idempotency_Key="a-key")
    assert (told.status, told.body["code"]) == (422, "key_reused")
    assert (await api.post("opportunities", body, Idempotency_Key="a b")).status == 400
    failed = await api.post("opportunities", {"name": "x", "stage": "Nowhere"}, Idempotency_Key="b")
    assert failed.status == 409
    assert (
        await api.post("opportunities", body, Idempotency_Key="b")
    ).status == 201  # nothing was done with it
    assert api.client.app is not None
    api.client.app[RUNNING].add((shop.business.users["self"], "c"))
    told = await api.post("opportunities", body, Idempotency_Key="c")
    assert (told.status, told.headers["Retry-After"]) == (409, "1")
    many = await asyncio.gather(
        *(api.post("contacts", {"name": "Once"}, Idempotency_Key="d") for _ in range(8))
    )
    assert {told.status for told in many} <= {201, 409}
    assert len((await api.get("contacts", where="name = Once"))["data"]) == 1
    with time_machine.travel(now() + timedelta(hours=25), tick=False):
        assert shop.store.write_now(forget_replies, SYSTEM) == 3
    assert (await api.post("opportunities", {"name": "New"}, Idempotency_Key="a-key")).status == 201


async def test_many_at_once_each_with_its_result(shop: Shop) -> None:
    api, mine = shop.admin, shop.business.rows["contacts"]["self"]
    rows = [
        {"op": "create", "values": {"name": "Ravi"}},
        {"op": "change", "id": mine, "values": {"nmae": "x"}},
        {"op": "change", "id": mine, "values": {"title": "Buyer"}, "version": 1},
        {"op": "delete", "id": mine, "version": 1},
        {"op": "create", "values": {"name": "Meena", "account_id": UNKNOWN}},
        {"op": "delete", "id": UNKNOWN},
    ]
    told = await api.post("contacts/bulk", {"rows": rows})
    assert told.status == 200 and (told.body["done"], told.body["failed"]) == (2, 4)
    assert [result["status"] for result in told.body["results"]] == [201, 400, 200, 409, 409, 404]
    assert [result.get("problem", {}).get("row") for result in told.body["results"]] == [
        None,
        1,
        None,
        3,
        4,
        5,
    ]
    assert (await api.get(f"contacts/{mine}"))["title"] == "Buyer"
    ravi = told.body["results"][0]["id"]
    # What failed left no trace: neither record nor event nor entry of the index.
    assert not (await api.get("contacts", where="name ~ Meena"))["data"]
    assert len((await api.get("events", where=f"record_id = {ravi}"))["data"]) == 1
    told = await api.post(
        "contacts/bulk", {"atomic": True, "rows": [rows[0] | {"values": {"name": "Sita"}}, rows[1]]}
    )
    assert (told.status, told.body["row"], told.body["problem"]["field"]) == (409, 1, "nmae")
    assert not (await api.get("contacts", where="name ~ Sita"))["data"]
    for body in (
        {"rows": []},
        {"rows": [rows[0]] * 201},
        {"rows": [{"op": "merge"}]},
        {"rows": [rows[0] | {"id": mine}]},
        {"rows": [{"op": "delete", "id": "x"}]},
        {"rows": [{"op": "delete", "id": mine, "version": "1"}]},
        {"rows": [rows[0]], "atomic": 1},
        {"raws": []},
    ):
        assert (await api.post("contacts/bulk", body)).status == 400, body


async def test_records_inside_records(shop: Shop) -> None:
    api, rows = shop.admin, shop.business.rows
    body = await api.get(f"cases/{rows['cases']['self']}", include="contact, owner")
    assert body["contact"]["name"] == "self" and body["contact"]["phones"] == ["+919876543200"]
    assert body["owner"]["email"] == "self@example.com" and "password_hash" not in body["owner"]
    body = await api.get("cases", fields="subject,contact.name,contact.phones", limit="2")
    assert [set(row) for row in body["data"]] == [{"id", "subject", "contact"}] * 2
    assert set(body["data"][0]["contact"]) == {"id", "name", "phones"}
    rep = Caller(api.client, shop.store.write_now(keys_of_every_role, SYSTEM)["rep"])
    await api.ask(
        "PATCH", f"cases/{rows['cases']['nobody']}", json={"contact_id": rows["contacts"]["stranger"]}
    )
    body = await rep.get(f"cases/{rows['cases']['nobody']}", include="contact")
    assert body["contact_id"] == rows["contacts"]["stranger"] and body["contact"] is None  # not theirs to see


async def test_summaries(shop: Shop) -> None:
    api = shop.admin
    for name, amount, currency in (("a", 1.5, "INR"), ("b", 2, "INR"), ("c", 300, "JPY")):
        assert (
            await api.post("opportunities", {"name": name, "amount": amount, "currency": currency})
        ).status == 201
    body = await api.get("opportunities/summary", of="count, sum(amount)", by="stage", order="count desc")
    assert body["data"] == [
        {"stage": "Qualification", "currency": "INR", "count": 2, "sum(amount)": 3.5},
        {"stage": "Qualification", "currency": "JPY", "count": 1, "sum(amount)": 300},
    ]
    assert (await api.get("opportunities/summary", where="name = a"))["data"] == [{"count": 1}]
    for parameters, wanted in (
        ({"of": "sum(amuont)"}, {"parameter": "of", "position": 4, "suggestion": "amount"}),
        ({"of": "count", "by": "stgae"}, {"parameter": "by", "position": 0, "suggestion": "stage"}),
        ({"where": "stgae = x"}, {"parameter": "where", "position": 0}),
        ({"order": "stgae"}, {"parameter": "order"}),
    ):
        told = await api.ask("GET", "opportunities/summary", params=parameters)
        assert told.status == 400 and wanted.items() <= told.body.items(), told.body


async def test_a_timeline_in_pages(shop: Shop) -> None:
    api, mine = shop.admin, shop.business.rows["contacts"]["self"]
    made = await api.post("opportunities", {"name": "Roof", "contact_id": mine, "amount": 12.5})
    await api.ask("PATCH", f"opportunities/{made.body['id']}", json={"amount": 20})
    whole = (await api.get(f"contacts/{mine}/timeline", limit="200"))["data"]
    ids = [entry[entry["kind"]]["id"] for entry in whole]
    assert ids == sorted(ids, reverse=True) and {entry["kind"] for entry in whole} == {
        "event",
        "activity",
        "message",
    }
    assert whole[0]["event"]["changes"] == {"amount": [12.5, 20]}
    created = next(
        entry["event"] for entry in whole if entry["kind"] == "event" and entry["event"]["record_id"] == mine
    )
    assert created["changes"]["name"] == [None, "self"]  # sealed in the log, read for who may see it
    seen: list[str] = []
    cursor: dict[str, str] = {}
    while True:
        page = await api.get(f"contacts/{mine}/timeline", limit="3", **cursor)
        seen += [entry[entry["kind"]]["id"] for entry in page["data"]]
        if page["next_cursor"] is None:
            break
        cursor = {"cursor": page["next_cursor"]}
    assert seen == ids
    shop.store.keys.destroy(mine)
    erased = (await api.get(f"contacts/{mine}/timeline", limit="200"))["data"]
    assert [entry["event"]["erased"] for entry in erased if entry["kind"] == "event"].count(True) > 0
    assert not any(
        "name" in (entry["event"]["changes"] or {})
        for entry in erased
        if entry["kind"] == "event" and entry["event"]["record_id"] == mine
    )
    assert (await api.ask("GET", f"contacts/{mine}/timeline", params={"cursor": "x"})).status == 400
    account = (await api.post("accounts", {"name": "Rao & Sons"})).body["id"]
    await api.ask("PATCH", f"contacts/{mine}", json={"account_id": account})
    kinds = [
        entry["event"]["entity"]
        for entry in (await api.get(f"accounts/{account}/timeline"))["data"]
        if entry["kind"] == "event"
    ]
    assert {"accounts", "contacts"} <= set(kinds)
    rep = Caller(api.client, shop.store.write_now(keys_of_every_role, SYSTEM)["rep"])
    theirs = shop.business.rows["contacts"]["nobody"]
    await api.post("opportunities", {"name": "Secret", "contact_id": theirs})
    entities = [
        entry["event"]["entity"]
        for entry in (await rep.get(f"contacts/{theirs}/timeline"))["data"]
        if entry["kind"] == "event"
    ]
    assert "contacts" in entities and "opportunities" not in entities
    assert (await rep.ask("GET", f"contacts/{mine}/timeline")).status == 404
    shop.store.write_now(set_access, SYSTEM, "rep", "events", "hidden", field="changes")
    shop.store.write_now(set_access, SYSTEM, "rep", "files", "read_only", field="private")
    shop.store.reload_schema()
    entries = (await rep.get(f"contacts/{theirs}/timeline"))["data"]
    assert not any("changes" in entry["event"] for entry in entries if entry["kind"] == "event")
    texts = {"entity": "contacts", "record_id": theirs}
    actor = shop.store.read_now(actor_for_key, SYSTEM, rep.key)
    with pytest.raises(Forbidden):
        shop.store.write_now(
            add_upload, actor, Upload({**texts, "private": "true"}, "a.pdf", "application/pdf", 3, "ref")
        )
    assert shop.store.write_now(add_upload, actor, Upload(texts, "a.pdf", "application/pdf", 3, "ref"))


async def test_sharing_keys_and_leaving(shop: Shop) -> None:
    api, rows, users = shop.admin, shop.business.rows, shop.business.users
    loner = Caller(api.client, (await api.post(f"users/{users['loner']}/keys", {"name": "Shop"})).body["key"])
    path = f"contacts/{rows['contacts']['self']}"
    assert (await loner.ask("GET", path)).status == 404
    share = await api.post(f"{path}/share", {"user_id": users["loner"]})
    assert (share.status, share.body["level"]) == (200, "read")
    assert (await loner.ask("GET", path)).status == 200
    assert (await loner.ask("PATCH", path, json={"title": "x"})).status == 403
    await api.post(f"{path}/share", {"user_id": users["loner"], "level": "write"})
    assert (await loner.ask("PATCH", path, json={"title": "x"})).status == 200
    limited = await api.post(f"users/{users['self']}/keys", {"scopes": ["contacts:read"]})
    reader = Caller(api.client, limited.body["key"])
    for where in ("users/me/calendar", "users/me/calendar/new-address"):
        assert (await reader.post(where)).status == 403
    assert (await reader.ask("GET", path)).status == 200
    for method, where, scope in (("PATCH", path, "contacts:write"), ("GET", "leads", "leads:read")):
        told = await reader.ask(method, where, **({"json": {}} if method == "PATCH" else {}))
        assert (told.status, told.body["scope"]) == (403, scope)
    assert (await reader.post(f"users/{users['self']}/keys", {})).status == 403
    keys = await api.get(f"users/{users['self']}/keys")
    assert "key" not in keys["data"][0] and keys["data"][0]["scopes"] == ["contacts:read"]
    assert (await api.ask("DELETE", f"users/{users['self']}/keys/{UNKNOWN}")).status == 404
    assert (await api.ask("DELETE", f"users/{users['self']}/keys/{limited.body['id']}")).status == 204
    assert (await api.post(f"users/{users['loner']}/deactivate", {})).status == 409  # who takes their work?
    left = await api.post(f"users/{users['loner']}/deactivate", {"to_user": users["mate"]})
    assert (left.status, left.body["moved"]["contacts"]) == (200, 1)
    assert (await api.post(f"users/{users['loner']}/reactivate")).status == 200
    assert (await loner.post(f"users/{users['loner']}/deactivate", {})).status in (401, 403)


async def test_no_answer_is_repeated_to_other_rights(shop: Shop) -> None:
    api, users = shop.admin, shop.business.users
    limited = await api.post(f"users/{users['self']}/keys", {"scopes": ["contacts:read"]})
    reader = Caller(api.client, limited.body["key"])
    keys = f"users/{users['self']}/keys"
    assert (await api.post(keys, {"name": "x"}, Idempotency_Key="k")).status == 201
    told = await api.post(keys, {"name": "x"}, Idempotency_Key="k")
    assert (told.status, "key" in told.body, told.body["reason"]) == (409, False, "shown_once")
    assert (await api.post("contacts", {"name": "Secret"}, Idempotency_Key="l")).status == 201
    told = await reader.post("contacts", {"name": "Secret"}, Idempotency_Key="l")
    assert (told.status, told.body["code"]) == (422, "key_reused")


def test_a_bucket_empties_and_fills() -> None:
    moment = 0.0
    limiter = Limiter(2, lambda: moment)
    assert [limiter.take("a")[0] for _ in range(3)] == [0, 0, 30]
    assert limiter.take("b")[0] == 0
    moment = 30.0
    wait, headers = limiter.take("a")
    assert (wait, headers) == (0, {"RateLimit-Policy": '"key";q=2;w=60', "RateLimit": '"key";r=0;t=60'})
    assert Limiter(0).take("a") == (0, {})


async def test_who_asks_too_often_is_told_when_to_go_on(store: Store) -> None:
    key = store.write_now(keys_of_every_role, SYSTEM)["rep"]
    async with serving(store, settings=Settings(api_rate=1)) as client:
        assert client.app is not None
        client.app[LIMITER]._clock = lambda: 0.0
        caller = Caller(client, key)
        assert (await caller.ask("GET", "teams")).headers["RateLimit"] == '"key";r=0;t=60'
        told = await caller.ask("GET", "teams")
        assert (told.status, told.headers["Retry-After"], told.body["code"]) == (429, "60", "too_many")
        assert told.headers["RateLimit-Policy"] == '"key";q=1;w=60'
