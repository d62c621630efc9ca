"""The REST API over real databases: what it shows, how it pages, what it refuses, what it sends."""

import json
import re
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

import pytest
import sqlalchemy as sa
from aiohttp import web

from bot.conversations.inbox import inbox
from bot.crm.api_key import api_keys
from bot.errors import ConfigurationInvalid, GateRefused, Unavailable
from bot.pipeline import staff
from bot.records.actor import SYSTEM
from bot.records.store import Store
from bot.records.tx import Tx
from bot.web.api import files
from bot.web.api.auth import KEYS, REMEMBERED_S
from bot.web.api.bodies import MAX_BODY
from bot.web.api.kinds import KINDS
from bot.web.api.openapi import document
from bot.web.api.records import LIST_PARAMETERS
from bot.web.api.routes import ROUTES
from bot.web.api.send import STARTED_ON
from tests.support.people import Business, found
from tests.support.web import Client, bearer, serving

UNKNOWN = "01890a5d-ac96-774b-bcce-b302099a8057"


@dataclass
class Api:
    """A client with an admin's key."""

    client: Client
    store: Store
    business: Business

    async def get(self, path: str, **parameters: Any) -> tuple[int, Any]:
        """GET as the admin."""
        key = bearer(self.business.keys["admin"])
        async with self.client.get(f"/api/v1/{path}", params=parameters, **key) as response:
            return response.status, await response.json()

    async def post(self, path: str, body: Any = None, **options: Any) -> tuple[int, Any]:
        """POST as the admin."""
        given = {"json": body} if body is not None else {}
        key = bearer(self.business.keys["admin"])
        headers = {**key["headers"], **options.pop("headers", {})}
        async with self.client.post(f"/api/v1/{path}", **given, **options, headers=headers) as response:
            return response.status, await response.json()


async def _slow_down(_request: web.Request) -> web.Response:
    raise RuntimeError("asha@example.com paid 98765 43210")


async def _down(_request: web.Request) -> web.Response:
    raise Unavailable("host=10.0.0.7 refused")


async def _wrong(_request: web.Request) -> web.Response:
    raise ConfigurationInvalid("SAMVAD_SECRET_KEY is wrong")


@pytest.fixture
async def api(store: Store) -> AsyncIterator[Api]:
    """The API over a small business."""
    business = store.write_now(found, SYSTEM, "admin")
    broken = [web.get("/api/broken", _slow_down), web.get("/api/down", _down), web.get("/api/wrong", _wrong)]
    async with serving(store, *broken, web.get("/broken", _slow_down)) as client:
        yield Api(client, store, business)


# --- reading ---------------------------------------------------------------------------------------


async def test_a_contact_shows_its_numbers_and_addresses(api: Api) -> None:
    contact = api.business.rows["contacts"]["self"]
    status, body = await api.get(f"contacts/{contact}")
    assert status == 200
    assert body["name"] == "self"
    assert body["phones"] == ["+919876543200"]  # the WhatsApp id is the same number
    assert body["emails"] == ["self@example.net"]
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", body["created_at"])
    _, body = await api.get(f"contacts/{contact}", fields="phones")
    assert body == {"id": contact, "phones": ["+919876543200"]}
    _, body = await api.get("contacts", fields="emails,name", limit=1)
    assert body["data"] == [{"id": contact, "emails": ["self@example.net"], "name": "self"}]


async def test_records_people_speak_of_show_their_number(api: Api) -> None:
    _, cases = await api.get("cases", where="number = C-1001")
    assert [row["number"] for row in cases["data"]] == ["C-1001"]
    _, leads = await api.get("leads", where="number in (1001, L-1002)", order="number desc")
    assert [row["number"] for row in leads["data"]] == ["L-1002", "L-1001"]
    assert {"contact_id", "status", "owner_id"} <= set(leads["data"][0]) & set(cases["data"][0])


async def test_what_a_message_and_a_conversation_show(api: Api) -> None:
    conversation = api.business.rows["conversations"]["self"]
    _, body = await api.get("messages", where=f"conversation_id = {conversation}")
    (message,) = body["data"]
    wanted = {
        "channel": "sms",
        "direction": "inbound",
        "author": "contact",
        "text": "hello",
        "status": "received",
    }
    assert wanted.items() <= message.items()
    assert message["external_id"] == "SMself"
    assert message["contact_id"] == api.business.rows["contacts"]["self"]
    _, body = await api.get(f"conversations/{conversation}")
    assert {"contact_id", "channel", "owner", "status", "assignee_id"} <= set(body)
    assert not {"state", "owner_epoch", "held"} & set(body)


async def test_the_default_order_is_that_of_time(api: Api) -> None:
    _, body = await api.get("messages")
    ids = [row["id"] for row in body["data"]]
    assert ids == sorted(ids)
    _, body = await api.get("messages", order="id desc")
    assert [row["id"] for row in body["data"]] == ids[::-1]


async def test_pages_follow_the_cursor(api: Api) -> None:
    seen: list[str] = []
    cursor: str | None = None
    while True:
        parameters = {"limit": 2, "order": "name desc"} | ({"cursor": cursor} if cursor else {})
        status, body = await api.get("contacts", **parameters)
        assert status == 200
        seen += [row["name"] for row in body["data"]]
        cursor = body["next_cursor"]
        if cursor is None:
            break
    assert seen == ["stranger", "self", "nobody", "mate", "loner"]


async def test_secrets_are_nowhere(api: Api) -> None:
    for path in KINDS:
        _, body = await api.get(path, limit=200)
        for row in body["data"]:
            assert not {"password_hash", "credentials", "sealed", "xid", "status_rank"} & set(row)
    _, body = await api.get("events", where="entity = contacts and action = created", limit=1)
    assert "name" not in body["data"][0]["changes"]  # personal values are sealed
    for path, field in (
        ("users", "password_hash"),
        ("events", "sealed"),
        ("channel-accounts", "credentials"),
    ):
        for parameter in ({"where": f"{field} != null"}, {"order": field}, {"fields": field}):
            status, body = await api.get(path, **parameter)
            assert (status, body["code"]) == (400, "query_invalid")
            assert field not in body["expected"]


async def test_a_page_of_contacts_is_one_statement_however_long(api: Api) -> None:
    counts = []
    for limit in (1, 5):
        seen: list[str] = []

        def count(*given: Any, seen: list[str] = seen) -> None:
            seen.append(given[2])

        await api.get("teams")  # the key is remembered
        engine = api.store.database.engines[1]
        sa.event.listen(engine, "before_cursor_execute", count)
        await api.get("contacts", limit=limit)
        sa.event.remove(engine, "before_cursor_execute", count)
        counts.append(len(seen))
    assert counts == [1, 1]


async def test_an_empty_page(api: Api) -> None:
    assert await api.get("contacts", where="name = Nobodyatall") == (200, {"data": [], "next_cursor": None})


# --- refusing --------------------------------------------------------------------------------------


BAD_QUERIES: list[tuple[dict[str, Any], dict[str, Any]]] = [
    ({"where": "stauts = new"}, {"parameter": "where", "position": 0, "suggestion": "status"}),
    ({"where": "status = nwe"}, {"parameter": "where", "position": 9, "suggestion": "new"}),
    ({"where": "status = "}, {"parameter": "where", "position": 9}),
    ({"where": "subject = 'a\0'"}, {"parameter": "where", "position": 12}),
    ({"order": "status up"}, {"parameter": "order", "position": 7}),
    ({"fields": "number, staus"}, {"parameter": "fields", "position": 8, "suggestion": "status"}),
    ({"limit": 0}, {"field": "limit"}),
    ({"limit": 201}, {"field": "limit"}),
    ({"limit": "ten"}, {"field": "limit"}),
    ({"limit": "١"}, {"field": "limit"}),
    ({"cursor": "x"}, {"field": "cursor"}),
    ({"cursor": ""}, {"field": "cursor"}),
    ({"deleted": "yes"}, {"field": "deleted"}),
    ({"include": "contact, onwer"}, {"parameter": "include", "position": 9, "suggestion": "owner"}),
    ({"fields": "contact.account.name"}, {"parameter": "fields"}),
    ({"filter": "x"}, {"field": "filter", "expected": [*LIST_PARAMETERS, "deleted"]}),
]


async def test_bad_queries_say_where(api: Api) -> None:
    for parameters, wanted in BAD_QUERIES:
        status, body = await api.get("cases", **parameters)
        assert (status, body["status"]) == (400, 400), parameters
        assert body["type"].startswith("urn:samvad:problem:")
        assert wanted.items() <= body.items(), parameters


async def test_a_parameter_given_twice_is_refused(api: Api) -> None:
    key = bearer(api.business.keys["admin"])
    async with api.client.get("/api/v1/cases?limit=1&limit=2", **key) as response:
        assert response.status == 400


async def test_what_is_not_there(api: Api) -> None:
    for path in (f"contacts/{UNKNOWN}", "contacts/nonsense", "contacts/%00", "opportunitiez"):
        status, body = await api.get(path)
        assert (status, body["code"]) == (404, "not_found")
    status, body = await api.post("events", {})
    assert (status, body["code"]) == (405, "method_not_allowed")
    status, _ = await api.get(f"contacts/{api.business.rows['contacts']['self']}", where="x")
    assert status == 400


async def test_a_revoked_key_stops_working(store: Store) -> None:
    business = store.write_now(found, SYSTEM, "rep")
    now = 0.0
    async with serving(store) as client:
        assert client.app is not None
        client.app[KEYS]._clock = lambda: now

        async def status() -> int:
            async with client.get("/api/v1/teams", **bearer(business.keys["rep"])) as response:
                return response.status

        assert await status() == 200

        def revoke(tx: Tx) -> None:
            tx.execute(api_keys.update().values(revoked_at=tx.now))

        store.write_now(revoke, SYSTEM)
        now = REMEMBERED_S + 0.1
        assert await status() == 401


# --- failing ---------------------------------------------------------------------------------------


async def test_an_unexpected_error_tells_nothing(api: Api, capsys: pytest.CaptureFixture[str]) -> None:
    async with api.client.get("/api/broken") as response:
        body = await response.json()
        assert response.status == 500
        assert response.content_type == "application/problem+json"
    text = json.dumps(body)
    assert "asha" not in text and "Traceback" not in text and "RuntimeError" not in text
    logged = "".join(capsys.readouterr())
    assert body["correlation_id"] in logged
    assert "RuntimeError" in logged and "_slow_down" in logged
    assert "asha" not in logged and "98765" not in logged


async def test_a_part_that_is_down_says_so_without_its_address(api: Api) -> None:
    for path, status in (("/api/down", 503), ("/api/wrong", 500)):
        async with api.client.get(path) as response:
            assert response.status == status
            text = await response.text()
            assert "10.0.0.7" not in text and "SECRET" not in text
            assert ("Retry-After" in response.headers) == (status == 503)


async def test_people_get_a_page(api: Api) -> None:
    for path, status in (("/broken", 500), ("/nowhere", 404)):
        for lang, word in (("en", 'lang="en"'), ("hi", 'lang="hi"')):
            headers = {"Accept": "text/html", "Accept-Language": lang}
            async with api.client.get(path, headers=headers) as response:
                text = await response.text()
                assert (response.status, response.content_type) == (status, "text/html")
                assert word in text and "<h1>" in text and "Traceback" not in text
        async with api.client.get(path) as response:
            assert response.content_type == "application/problem+json"


# --- writing ---------------------------------------------------------------------------------------


async def test_a_reply_is_queued(api: Api) -> None:
    conversation = api.business.rows["conversations"]["nobody"]
    status, body = await api.post("messages", {"conversation_id": conversation.upper(), "text": "Namaste ​🙏"})
    assert status == 202
    assert body.items() >= {"conversation_id": conversation, "status": "queued", "held": None}.items()
    _, shown = await api.get(f"conversations/{conversation}")
    assert shown["owner"] == "human"

    def newest(tx: Tx) -> Any:
        return tx.rows(sa.select(inbox).where(inbox.c.kind == "reply"))[-1]

    event = api.store.read_now(newest, SYSTEM)
    assert event["payload"]["message_id"] == body["id"]
    assert event["payload"]["text"] == "Namaste ​🙏"


async def test_a_closed_window_is_told(api: Api) -> None:
    from bot.conversations.conversation import CONVERSATION

    conversation = api.business.rows["conversations"]["self"]

    def forget(tx: Tx) -> None:
        tx.execute(CONVERSATION.table.update().values(last_inbound_at=None))

    api.store.write_now(forget, SYSTEM)
    status, body = await api.post("messages", {"conversation_id": conversation, "text": "Hello"})
    assert (status, body["held"]) == (202, "window_closed")


async def test_who_may_not_be_written_to(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_given: Any) -> None:
        raise GateRefused("This customer may not be written to", reason="stopped")

    monkeypatch.setattr(staff, "reply", refuse)
    conversation = api.business.rows["conversations"]["self"]
    status, body = await api.post("messages", {"conversation_id": conversation, "text": "Hello"})
    assert (status, body["code"], body["reason"]) == (409, "gate_refused", "stopped")


async def test_a_conversation_is_started(api: Api) -> None:
    given = {"channel": "sms", "address": "98111 22333", "text": "Hello", "name": "Ravi"}
    status, body = await api.post("conversations", given)
    assert (status, body["status"]) == (202, "queued")
    _, conversation = await api.get(f"conversations/{body['conversation_id']}")
    assert conversation["assignee_id"] == api.business.users["self"]
    _, contact = await api.get(f"contacts/{conversation['contact_id']}")
    assert (contact["name"], contact["phones"]) == ("Ravi", ["+919811122333"])
    status, body = await api.post("conversations", {**given, "address": "nonsense"})
    assert (status, body["field"]) == (400, "address")


async def test_taking_over_and_handing_back(api: Api) -> None:
    conversation = api.business.rows["conversations"]["nobody"]
    for path, owner in (("take-over", "human"), ("hand-back", "bot")):
        status, body = await api.post(f"conversations/{conversation}/{path}")
        assert (status, body) == (200, {"id": conversation, "owner": owner})
        _, shown = await api.get(f"conversations/{conversation}")
        assert shown["owner"] == owner
    for path in (f"conversations/{UNKNOWN}/take-over", "conversations/nonsense/hand-back"):
        assert (await api.post(path))[0] == 404
    assert (await api.post(f"conversations/{conversation}/take-over", {"a": 1}))[0] == 400


def test_conversations_start_where_the_pipeline_can() -> None:
    assert set(STARTED_ON) == set(staff._IDENTITY_OF)


_GOOD = {"conversation_id": UNKNOWN, "text": "x"}


BODIES: list[tuple[dict[str, Any], int, dict[str, Any]]] = [
    ({"json": _GOOD}, 404, {}),
    ({"json": {**_GOOD, "txt": "x"}}, 400, {"field": "txt", "expected": ["conversation_id", "text"]}),
    ({"json": {"text": "x"}}, 400, {"field": "conversation_id"}),
    ({"json": {**_GOOD, "conversation_id": "x"}}, 400, {"field": "conversation_id"}),
    ({"json": {**_GOOD, "text": ""}}, 400, {"field": "text"}),
    ({"json": {**_GOOD, "text": " \n"}}, 400, {"field": "text"}),
    ({"json": {**_GOOD, "text": 5}}, 400, {"field": "text"}),
    ({"json": {**_GOOD, "text": None}}, 400, {"field": "text"}),
    ({"json": {**_GOOD, "text": "x" * 100_001}}, 400, {"field": "text", "limit": 100_000}),
    ({"json": {**_GOOD, "text": "a\0b"}}, 400, {"field": "text"}),
    ({"json": {**_GOOD, "text": "\ud800"}}, 400, {"field": "text"}),
    ({"json": {"\ud800": "x"}}, 400, {}),
    ({"json": [1]}, 400, {}),
    ({"data": b"{", "headers": {"Content-Type": "application/json"}}, 400, {}),
    ({"data": b"\xff", "headers": {"Content-Type": "application/json"}}, 400, {}),
    ({"data": b"[" * 200_000, "headers": {"Content-Type": "application/json"}}, 400, {}),
    ({"data": {"text": "x"}}, 415, {"code": "unsupported_media_type"}),
    ({"json": {"text": "x" * MAX_BODY}}, 413, {"code": "too_large", "limit": MAX_BODY}),
]


async def test_bodies_are_checked(api: Api) -> None:
    for options, wanted_status, wanted in BODIES:
        status, body = await api.post("messages", **options)
        assert status == wanted_status, (body, str(options)[:80])
        assert wanted.items() <= body.items()


async def test_a_body_without_a_length_is_bounded_too(api: Api) -> None:
    async def endless() -> AsyncIterator[bytes]:
        for _ in range(40):
            yield b" " * 65_536

    headers = {"Content-Type": "application/json"}
    assert (await api.post("messages", data=endless(), headers=headers))[0] == 413


# --- its description -------------------------------------------------------------------------------


async def test_a_record_shows_what_is_described(api: Api) -> None:
    async with api.client.get("/api/v1/openapi.json") as response:
        described = (await response.json())["components"]["schemas"]
    for path, kind in KINDS.items():
        _, body = await api.get(path, limit=1)
        for row in body["data"]:
            _, one = await api.get(f"{path}/{row['id']}")
            relations = {spec.relation for spec in kind.entity.fields.values()} - set(kind.entity.fields)
            assert set(one) == set(described[kind.name]["properties"]) - relations, path


async def test_the_admins_own_fields_are_described_as_soon_as_they_are_there(api: Api) -> None:
    field = {"entity": "contacts", "label": "Loyalty", "type": "enum", "values": ["gold", "silver"]}
    status, made = await api.post("custom-fields", field)
    assert status == 201, made
    async with api.client.get("/api/v1/openapi.json") as response:
        document, tag = await response.json(), response.headers["ETag"]
    for name in ("contacts", "contacts_new", "contacts_change"):
        described = document["components"]["schemas"][name]["properties"][made["name"]]
        assert (described["title"], described["enum"]) == ("Loyalty", ["gold", "silver", None])
    assert made["name"] in document["components"]["schemas"]["contacts_field"]["enum"]
    async with api.client.get("/api/v1/openapi.json", headers={"If-None-Match": tag}) as response:
        assert (response.status, await response.read()) == (304, b"")
    status, contact = await api.post("contacts", {"name": "Asha", made["name"]: "gold"})
    assert (status, contact[made["name"]]) == (201, "gold")
    _, found = await api.get("contacts", where=f"{made['name']} = gold", fields=made["name"])
    assert found["data"] == [{"id": contact["id"], made["name"]: "gold"}]


async def test_every_route_is_described_and_no_other(api: Api) -> None:
    assert api.client.app is not None
    registered = {
        (route.method, route.resource.canonical)
        for route in api.client.app.router.routes()
        if route.resource is not None and route.resource.canonical.startswith("/api/v1/")
    }
    paths = document(api.store.schema, ROUTES)["paths"]
    described = {(method.upper(), path) for path, methods in paths.items() for method in methods}
    here = {(route.method, route.path) for route in ROUTES} | set(files.ROUTES)
    assert described == here | {("GET", "/api/v1/openapi.json")}
    implied = {("HEAD", path) for method, path in described if method == "GET"}
    implied |= {("OPTIONS", path) for method, path in described - set(files.ROUTES)}
    assert registered == described | implied


def test_the_document_holds_together(store: Store) -> None:
    described = document(store.schema, ROUTES)
    operations = [operation for methods in described["paths"].values() for operation in methods.values()]
    names = [operation["operationId"] for operation in operations]
    assert len(names) == len(set(names))
    for reference in set(re.findall(r'"\$ref": "#/([^"]+)"', json.dumps(described))):
        target = described
        for part in reference.split("/"):
            target = target[part]
    for route in ROUTES:
        operation = described["paths"][route.path][route.method.lower()]
        assert ("requestBody" in operation) == (route.body is not None)
        assert operation["security"] == [{"key": route.scopes}]
        assert {int(status) for status in operation["responses"]} == {route.status, *route.refuses}
