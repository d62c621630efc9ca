"""The docs say what the code does: generated sections, events, dependencies and links are compared."""

import ast
import re
import tomllib
from collections.abc import Iterator
from functools import cache
from importlib import import_module
from pathlib import Path
from typing import get_args
from urllib.parse import unquote

import pytest

from bot.channels import CHANNELS
from bot.conversations.entities import ENTITIES
from bot.dialogs.actions import ACTIONS
from bot.dialogs.flows import load_flows
from bot.dialogs.flows.model import REPAIRS, SLOT_TYPES, Step
from bot.dialogs.flows.read import FLOW_FIELDS, STEP_FIELDS
from bot.i18n import Words
from bot.pipeline.timers import TIMERS
from bot.pipeline.writes import WRITES
from bot.records.entity import Entity
from bot.settings import Settings
from bot.web import health, webhooks
from tests.support.docs import DOCS, GENERATED, ROOT, WIDTH, sections
from tests.test_layers import HOUSE, module_of, modules, room_of

PAGES = [ROOT / "README.md", *sorted(DOCS.rglob("*.md"))]
GUIDES = (
    *("customer", "agent", "rep", "admin", "developer", "operator", "cli", "events", "flows", "channels"),
    *("dependencies", "api", "query"),
)
_LINK = re.compile(r"!?\[[^\]]*\]\(([^)\s]+)\)")
_ANCHOR = re.compile(r"[^\w\- ]")


def read(name: str) -> str:
    """A page of docs/."""
    return (DOCS / f"{name}.md").read_text("utf-8")


def rows(text: str) -> Iterator[list[str]]:
    """The cells of every table row of a page, heads and rules included."""
    for line in text.splitlines():
        if line.startswith("|"):
            yield [cell.strip() for cell in line.strip().strip("|").split(" | ")]


def relative(path: Path) -> str:
    """As it is named in messages."""
    return str(path.relative_to(ROOT))


# --- generated sections ----------------------------------------------------------------------------


@pytest.mark.parametrize("name", GENERATED)
def test_a_generated_section_is_up_to_date(name: str) -> None:
    found = [
        (page, text) for page in PAGES for held, text in sections(page.read_text("utf-8")) if held == name
    ]
    assert len(found) == 1, f"exactly one page holds <!-- generated: {name} -->"
    page, text = found[0]
    assert text == GENERATED[name](), f"{relative(page)}: run `python -m tests.support.docs`"


def test_generated_sections_are_known() -> None:
    assert {name for page in PAGES for name, _ in sections(page.read_text("utf-8"))} == set(GENERATED)


def test_every_setting_is_there_and_every_command() -> None:
    operator, commands = read("operator"), read("cli")
    assert [name for name in Settings.model_fields if f"`SAMVAD_{name.upper()}`" not in operator] == []
    assert re.findall(r"^## (.+)$", commands, re.MULTILINE)[0] == "samvad"
    assert [line for line in commands.partition("## samvad")[2].splitlines() if len(line) > WIDTH] == []


# --- what is written by hand and must be whole ------------------------------------------------------


def test_every_room_of_the_house_is_in_the_developer_guide() -> None:
    text = read("developer").replace("/", ".")
    assert [
        room for room in HOUSE if not re.search(rf"\b{re.escape(room.removesuffix('.__main__'))}\b", text)
    ] == []


def test_flows_are_explained_as_they_are_read() -> None:
    text = read("flows")
    words = {*STEP_FIELDS, *FLOW_FIELDS, *(field for fields in STEP_FIELDS.values() for field in fields)}
    assert [word for word in sorted({*words, *SLOT_TYPES, *REPAIRS}) if f"`{word}`" not in text] == []
    assert [action for action in ACTIONS if f"`{action}`" not in read("admin")] == []


def test_the_example_flows_load(tmp_path: Path) -> None:
    examples = re.findall(r"```yaml\n(name: .*?)```", read("flows"), re.DOTALL)
    for number, example in enumerate(examples):
        (tmp_path / f"example{number}.yaml").write_text(example, "utf-8")
    (tmp_path / "open_case.yaml").write_text(
        (ROOT / "bot/dialogs/flows/open_case.yaml").read_text("utf-8"), "utf-8"
    )
    known = Words.load().has
    given = set(re.findall(r'^msgid "([\w.]+)"$', read("admin"), re.MULTILINE))
    flows = load_flows(tmp_path, actions=ACTIONS, knows=lambda key: known(key) or key in given)
    assert len(flows) == len(examples) + 1 > 2
    # One of them shows every kind of step.
    kinds = {type(step) for step in flows["book_tasting"].steps}
    assert kinds == set(get_args(Step))


def test_timers_writes_and_actions_are_in_the_developer_guide() -> None:
    text = read("developer")
    names = [*TIMERS, *(kind.__name__ for kind in WRITES)]
    assert [name for name in names if f"`{name}`" not in text] == []


def test_addresses_for_operators_are_in_their_guide() -> None:
    text = read("operator")
    source = Path(health.__file__).read_text("utf-8")
    paths = {*re.findall(r'add_get\("([^"]+)"', source), *webhooks.PATHS}
    assert [path for path in sorted(paths) if f"`{path}`" not in text] == []


def test_every_adapter_has_its_page() -> None:
    text = read("channels") + read("admin")
    for name in ("webchat", *CHANNELS):
        assert (ROOT / "bot" / "channels" / name / "README.md").is_file()
        assert f"../bot/channels/{name}/README.md" in text


def test_dependencies_are_those_of_the_project() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))
    asked = [*project["project"]["dependencies"], *project["build-system"]["requires"]]
    for extra in project["project"]["optional-dependencies"].values():
        asked += extra
    wanted = {re.split(r"[\[<>=;! ]", one, maxsplit=1)[0] for one in asked}
    explained = [cells[0].strip("`") for cells in rows(read("dependencies")) if cells[0].startswith("`")]
    assert sorted(explained) == sorted(wanted)


# --- events ----------------------------------------------------------------------------------------

EVERY_KIND = {"created", "updated", "deleted", "restored", "refused"}
"""What `bot.records.write` says of whichever kind it writes."""
_GENERIC = ("bot.records.tx", "bot.records.write", "bot.records.bulk")


@cache
def entity_names() -> dict[str, str]:
    """CASE -> cases, of every module that defines a record kind."""
    found = {}
    for path in modules():
        if room_of(module_of(path)) in ("bot.crm", "bot.conversations"):
            for name, value in vars(import_module(module_of(path))).items():
                if isinstance(value, Entity):
                    found[name] = value.name
    return found


def actions_of(node: ast.expr | None, around: ast.AST, path: str) -> set[str]:
    """The actions that an expression may be: a text, a choice, or a name given one just before."""
    if isinstance(node, ast.Constant):
        return {str(node.value)}
    if isinstance(node, ast.IfExp):
        return actions_of(node.body, around, path) | actions_of(node.orelse, around, path)
    if isinstance(node, ast.Name):
        given = [
            inner.value
            for inner in ast.walk(around)
            if isinstance(inner, ast.Assign)
            and any(isinstance(target, ast.Name) and target.id == node.id for target in inner.targets)
        ]
        if given:
            return {action for value in given for action in actions_of(value, around, path)}
    raise AssertionError(f"{path}: cannot tell which action {ast.dump(node) if node else node} is")


def written_events() -> set[tuple[str, str]]:
    """(entity, action) of every event that the code writes."""
    found: set[tuple[str, str]] = set()
    for path in modules():
        if module_of(path) in _GENERIC:
            continue
        tree = ast.parse(path.read_text("utf-8"))
        functions = [
            node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        ]
        for around in functions:
            for call in ast.walk(around):
                if isinstance(call, ast.Call):
                    found |= events_of(call, around, relative(path))
    return found


def events_of(call: ast.Call, around: ast.AST, path: str) -> set[tuple[str, str]]:
    """What one call writes, if it is `tx.event(…)`, or an `update(…)` that names its action."""
    function = call.func
    name = function.attr if isinstance(function, ast.Attribute) else getattr(function, "id", "")
    if name == "event" and isinstance(function, ast.Attribute):
        kind, action = call.args[0], call.args[2]
    elif name == "update" and (given := [word.value for word in call.keywords if word.arg == "action"]):
        kind, action = call.args[1], given[0]
    else:
        return set()
    entity = entity_names().get(kind.attr if isinstance(kind, ast.Attribute) else getattr(kind, "id", ""))
    assert entity is not None, f"{path}:{call.lineno}: which record kind is {ast.dump(kind)}?"
    return {(entity, one) for one in actions_of(action, around, path)}


def test_every_event_is_in_the_list_and_no_other() -> None:
    listed = {
        (cells[0].strip("`"), cells[1].strip("`"))
        for cells in rows(read("events"))
        if cells[0].startswith("`")
    }
    of_every_kind = {action for entity, action in listed if entity == "*"}
    assert of_every_kind == EVERY_KIND
    listed = {pair for pair in listed if pair[0] != "*"}
    written = written_events()
    assert sorted(pair for pair in written - listed if pair[1] not in EVERY_KIND) == []
    assert sorted(listed - written) == []
    assert {entity for entity, _ in listed} <= set(ENTITIES)


# --- links -----------------------------------------------------------------------------------------


def anchors(page: Path) -> set[str]:
    """The addresses of a page's headings, as GitHub makes them."""
    heads = re.findall(r"^#+ (.+)$", page.read_text("utf-8"), re.MULTILINE)
    return {_ANCHOR.sub("", head.lower().replace("`", "")).replace(" ", "-") for head in heads}


@pytest.mark.parametrize("page", PAGES, ids=relative)
def test_links_lead_somewhere(page: Path) -> None:
    text = re.sub(r"```.*?```", "", page.read_text("utf-8"), flags=re.DOTALL)
    broken = []
    for link in _LINK.findall(text):
        target, _, anchor = unquote(link).partition("#")
        if re.match(r"[a-z]+:", target):
            continue
        file = (page.parent / target).resolve() if target else page
        if not file.exists() or (anchor and anchor not in anchors(file)):
            broken.append(link)
    assert broken == []


def test_the_guides_are_reached_from_the_front_page() -> None:
    front = (ROOT / "README.md").read_text("utf-8")
    assert [name for name in GUIDES if f"docs/{name}.md" not in front] == []
    assert len(front.splitlines()) <= 80
    decisions = sorted(path.name for path in (DOCS / "decisions").glob("*.md"))
    developer = read("developer")
    assert [name for name in decisions if f"decisions/{name}" not in developer] == []
    assert [name[:4] for name in decisions] == [f"{number:04}" for number in range(1, len(decisions) + 1)]


@pytest.mark.parametrize("page", PAGES, ids=relative)
def test_pages_name_files_that_exist(page: Path) -> None:
    text = re.sub(r"```.*?```", "", page.read_text("utf-8"), flags=re.DOTALL)
    named = re.findall(r"`((?:bot|workers|benchmarks|tests|locales|knowledge_base)/[\w./-]+)`", text)
    assert [name for name in named if not (ROOT / name).exists()] == []


@pytest.mark.parametrize("path", modules(), ids=module_of)
def test_pages_that_the_code_names_exist(path: Path) -> None:
    named = re.findall(r"(?<![\w/])docs/(?:decisions/\d{4}|[\w/-]+\.md)", path.read_text("utf-8"))
    missing = [
        name
        for name in named
        if not (ROOT / name).exists()
        and not (
            re.fullmatch(r"docs/decisions/\d{4}", name) and list(DOCS.glob(f"decisions/{name[-4:]}-*.md"))
        )
    ]
    assert missing == []
