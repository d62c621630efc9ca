"""docs/api.md and docs/query.md say what the code does."""

import re
import shlex
from contextlib import suppress
from itertools import pairwise
from pathlib import Path

import pytest

from bot.conversations.entities import ENTITIES
from bot.errors import QueryInvalid
from bot.ids import new_id
from bot.records.actor import SYSTEM, Actor
from bot.records.query import (
    DEFAULT_LIMIT,
    OPERATORS,
    parse,
    parse_sentence,
    parse_text,
    to_text,
)
from bot.records.query.amounts import SCALES
from bot.records.query.parse import MAX_JOINS
from bot.records.query.summary import MAX_GROUPS
from bot.records.query.syntax import MAX_CONDITIONS, MAX_DEPTH, MAX_EXISTS, MAX_LENGTH, MAX_VALUES
from bot.records.replies import KEPT_FOR
from bot.records.schema import Schema
from bot.records.search.index import MAX_WORDS
from bot.records.store import Store
from bot.settings import Settings
from bot.web.api.auth import REMEMBERED_S
from bot.web.api.kinds import KINDS
from bot.web.api.records import LIST_PARAMETERS, MAX_LIMIT
from bot.web.api.routes import ROUTES
from bot.web.api.send import STARTED_ON
from bot.web.api.writes import MAX_ROWS
from tests.support.people import found
from tests.support.web import serving

DOCS = Path(__file__).parent.parent.parent / "docs"
API = (DOCS / "api.md").read_text(encoding="utf-8")
QUERY = (DOCS / "query.md").read_text(encoding="utf-8")
ADMIN = Actor("user", id=new_id(), role="admin")
SCHEMA = Schema(ENTITIES)


def _first_column(text: str, heading: str) -> set[str]:
    """The code words in the first column of the table under this heading."""
    part = text.split(f"\n## {heading}\n", 1)[1].split("\n## ", 1)[0]
    rows = re.findall(r"^\| (.+?) \|", part, re.MULTILINE)
    return {word for row in rows for word in re.findall(r"`([^`]+)`", row)}


def test_every_kind_is_described() -> None:
    assert _first_column(API, "Records") == set(KINDS)


def test_every_parameter_is_described() -> None:
    assert _first_column(API, "Lists") == {*LIST_PARAMETERS, "deleted"}
    assert f"1 to {MAX_LIMIT}; {DEFAULT_LIMIT} by default" in API
    assert f"within {REMEMBERED_S:.0f} seconds" in API


def test_every_operator_is_described() -> None:
    assert _first_column(QUERY, "Conditions") == {*OPERATORS, "~"}
    limits = QUERY.rpartition("At most ")[2]
    for number in (MAX_LENGTH, MAX_CONDITIONS, MAX_VALUES, MAX_WORDS, MAX_DEPTH, MAX_EXISTS, MAX_JOINS):
        assert f"{number:,} " in limits
    assert f"{MAX_GROUPS:,} groups" in QUERY
    for scale in SCALES:
        assert f"`{scale.removesuffix('s')}`" in QUERY or scale in ("thousand", "lakhs", "lacs", "crores")


def test_every_other_route_and_refusal_is_described() -> None:
    statuses = {int(status) for status in re.findall(r"^\| (\d{3}) \|", API, re.MULTILINE)}
    for route in ROUTES:
        assert set(route.refuses) <= statuses
        if route.kind is None and route.method == "POST":
            assert route.path.rpartition("/")[2] in API
    for word in ("timeline", "summary", "bulk", "restore", "share"):
        assert f"/{word}" in API
    assert f"up to {MAX_ROWS} rows" in API and f"for {KEPT_FOR.days * 24} hours" in API
    assert f"`SAMVAD_API_RATE` requests a minute ({Settings().api_rate})" in API
    for channel in STARTED_ON:
        assert f"`{channel}`" in API


def _commands() -> list[list[str]]:
    """The examples of the page in their order, as the words of a shell; `$KEY` and the like still stand."""
    blocks = re.findall(r"^ +curl .+(?:\n {4,}.+)*", API, re.MULTILINE)
    return [shlex.split(block.replace("\\\n", " ").replace("'$CONTACT'", "$CONTACT")) for block in blocks]


async def test_the_examples_work(store: Store) -> None:
    """Each is sent as curl would send it, in the order of the page."""
    business = store.write_now(found, SYSTEM, "rep")
    known = {"$KEY": business.keys["rep"], "$SAMVAD": "/api/v1"}
    known["01890a5d-ac96-774b-bcce-b302099a8057"] = business.rows["conversations"]["nobody"]
    asked = []
    async with serving(store) as client:
        for words in _commands():
            for name, value in known.items():
                words = [word.replace(name, value) for word in words]
            headers, query, body, method = _sent(words)
            path = next(word for word in words if word.startswith("/api/v1/"))
            async with client.request(method, path, headers=headers, params=query, data=body) as response:
                told = await response.json()
                assert response.status < 300, (words, told)
            asked.append((method, path))
            if path.endswith("/contacts") and method == "POST":
                known["$CONTACT"] = told["id"]
            elif path.endswith("/opportunities") and method == "POST":
                known["$OPPORTUNITY"] = told["id"]
            elif path.endswith("/summary"):
                assert told["data"][0]["sum(amount)"] == 250000.5
            elif method == "PATCH":
                assert told["stage"] == "Negotiation"
            elif path.endswith("/bulk"):
                # A rep makes and changes contacts; deleting them is for managers.
                assert [result["status"] for result in told["results"]] == [201, 200, 403]
    assert len(asked) >= 11


def _sent(words: list[str]) -> tuple[dict[str, str], list[tuple[str, str]], str | None, str]:
    """Headers, parameters, body and method that curl would send."""
    pairs = list(pairwise(words))
    headers = dict(word.split(": ", 1) for last, word in pairs if last == "-H")
    query = [
        (word.partition("=")[0], word.partition("=")[2]) for last, word in pairs if last == "--data-urlencode"
    ]
    body = next((word for last, word in pairs if last == "-d"), None)
    method = next((word for last, word in pairs if last == "-X"), "GET" if body is None else "POST")
    return headers, query, body, method


def _examples() -> list[str]:
    """Every indented line of the page that is an example: not of errors, not of the grammar."""
    text = QUERY.split("\n## Grammar", 1)[0]
    before, errors = text.split("\n## Errors", 1)
    assert "where=" in errors
    return re.findall(r"^    (\S.+)$", before, re.MULTILINE)


@pytest.mark.parametrize("example", _examples())
def test_the_examples_of_the_language_work(example: str) -> None:
    if example.split(" ", 1)[0] in ENTITIES:
        asked = parse_sentence(example, SCHEMA, ADMIN)
        assert parse_sentence(to_text(asked), SCHEMA, ADMIN) == asked
        return
    understood = []
    for kind in ("cases", "contacts", "opportunities", "accounts", "activities"):
        with suppress(QueryInvalid):
            understood.append(parse(SCHEMA, ENTITIES[kind], ADMIN, where=example))
    assert understood
    assert all(parse_text(to_text(query), SCHEMA, ADMIN).where == query.where for query in understood)


@pytest.mark.parametrize("example", re.findall(r"where=(.+)\n    (.+?)  +position (\d+)", QUERY))
def test_the_examples_of_errors_are_what_is_said(example: tuple[str, str, str]) -> None:
    where, message, position = example
    with pytest.raises(QueryInvalid) as caught:
        parse(SCHEMA, ENTITIES["cases"], ADMIN, where=where)
    assert (caught.value.message, caught.value.data["position"]) == (message, int(position))
