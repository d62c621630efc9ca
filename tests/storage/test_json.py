"""JSON as the database and the API hold it."""

import json
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import pytest
from sqlalchemy.sql.elements import quoted_name

from bot.storage.database import dump_json


@pytest.mark.parametrize(
    "value",
    [
        {"नाम": "लक्ष्मी", "none": None, "list": [1, 2.5, True, ""]},
        {quoted_name("name", None): "Asha", 7: "a number as a name"},
        [2**63, -(2**70), "\ud800"],
        "\u2028 </script> \x00",
    ],
)
def test_what_is_written_is_read_back(value: Any) -> None:
    assert json.loads(dump_json(value)) == json.loads(json.dumps(value))


def test_scripts_stay_and_nothing_is_spaced_out() -> None:
    assert dump_json({"a": ["ہاں", 1]}) == '{"a":["ہاں",1]}'


@dataclass
class _Thing:
    name: str


@pytest.mark.parametrize("value", [datetime(2026, 1, 1, tzinfo=UTC), _Thing("x"), {1, 2}, object()])
def test_what_json_does_not_know_is_refused(value: Any) -> None:
    with pytest.raises(TypeError):
        dump_json({"value": value})
