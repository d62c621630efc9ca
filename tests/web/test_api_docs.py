"""docs/api.md and docs/query.md say what the code does."""

import re
import shlex
from itertools import pairwise
from pathlib import Path

import pytest

from bot.conversations.entities import ENTITIES
from bot.errors import QueryInvalid
from bot.ids import new_id
from bot.records.actor import Actor
from bot.records.query import DEFAULT_LIMIT, OPERATORS, parse, parse_fields, parse_text, to_text
from bot.records.query.syntax import MAX_CONDITIONS, MAX_LENGTH, MAX_VALUES
from bot.records.schema import Schema
from bot.web.api.auth import REMEMBERED_S
from bot.web.api.kinds import KINDS
from bot.web.api.records import LIST_PARAMETERS, MAX_LIMIT
from bot.web.api.routes import ROUTES
from bot.web.api.send import STARTED_ON

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
    assert _first_column(API, "Lists") == set(LIST_PARAMETERS)
    assert f"1 to {MAX_LIMIT}; {DEFAULT_LIMIT} by default" in API
    assert f"within {REMEMBERED_S:.0f} seconds" in API


def test_every_operator_is_described() -> None:
    assert _first_column(QUERY, "Conditions") == set(OPERATORS)
    for number in (MAX_LENGTH, MAX_CONDITIONS, MAX_VALUES):
        assert f"{number:,}" in QUERY


def test_every_other_route_and_refusal_is_described() -> None:
    statuses = {int(status) for status in re.findall(r"^\| (\d{3}) \|", API, re.MULTILINE)}
    for route in ROUTES:
        assert set(route.refuses) <= statuses
        if route.kind is None and route.method == "POST":
            assert route.path.rpartition("/")[2] in API
    for channel in STARTED_ON:
        assert f"`{channel}`" in API


def test_the_examples_of_lists_work() -> None:
    commands = re.findall(r"curl -G (?:.+\\\n)*.+", API)
    assert commands
    for command in commands:
        words = shlex.split(command.replace("\\\n", " "))
        kind = KINDS[next(word for word in words if word.startswith("$SAMVAD/")).rpartition("/")[2]]
        given = dict(word.split("=", 1) for last, word in pairwise(words) if last.startswith("--"))
        assert set(given) <= set(LIST_PARAMETERS)
        parse(SCHEMA, kind.entity, ADMIN, where=given.get("where", ""), order=given.get("order", ""))
        if "fields" in given:
            parse_fields(given["fields"], SCHEMA, kind.entity, ADMIN, also=kind.extra)


def test_the_examples_of_the_language_work() -> None:
    first, sentence = re.findall(r"^    ((?:status in|cases where) .+)$", QUERY, re.MULTILINE)
    parse(SCHEMA, ENTITIES["cases"], ADMIN, where=first)
    assert to_text(parse_text(sentence, SCHEMA, ADMIN)) == sentence


@pytest.mark.parametrize("found", re.findall(r"where=(.+)\n    (.+?)  +position (\d+)", QUERY))
def test_the_examples_of_errors_are_what_is_said(found: tuple[str, str, str]) -> None:
    where, message, position = found
    with pytest.raises(QueryInvalid) as caught:
        parse(SCHEMA, ENTITIES["cases"], ADMIN, where=where)
    assert (caught.value.message, caught.value.data["position"]) == (message, int(position))
