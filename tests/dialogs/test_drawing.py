"""The pictures of flows: nothing overlaps, nothing is left out, whatever the words are."""

import re
from itertools import combinations, pairwise
from pathlib import Path
from xml.etree import ElementTree

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bot.commands.flows import draw_flow
from bot.dialogs.actions import ACTIONS, ONLY_LOOK
from bot.dialogs.drawing import arranged, draw
from bot.dialogs.drawing.layout import Laid, lay_out
from bot.dialogs.drawing.letters import width, wrap
from bot.dialogs.flows.model import Flows
from bot.dialogs.flows.read import Reader
from bot.dialogs.publishing import shipped
from bot.errors import ConfigurationInvalid, InvalidInput, NotFound
from bot.i18n import Words

WORDS = Words.load(strict=True)
SVG = "{http://www.w3.org/2000/svg}"


def apart(sizes: dict[str, tuple[float, float]], laid: Laid) -> None:
    """No two boxes touch; no lane runs through a box; all lies within the picture."""
    frames = []
    for id, (wide, high) in sizes.items():
        x, y = laid.boxes[id]
        frames.append((x - wide / 2, y, x + wide / 2, y + high))
    for one, other in combinations(frames, 2):
        assert one[2] < other[0] or other[2] < one[0] or one[3] < other[1] or other[3] < one[1], (one, other)
    for left, top, right, bottom in frames:
        assert left >= 0 and right <= laid.width and top >= 0 and bottom <= laid.height
        for x, begins, ends in laid.lanes:
            assert not (left <= x <= right and top < ends and begins < bottom), (x, left, right)


@pytest.mark.parametrize("lang", WORDS.languages)
def test_every_shipped_flow_is_drawn_whole(lang: str) -> None:
    flows = shipped()
    for flow in flows.values():
        made, laid = arranged(flow, flows, WORDS, lang)
        apart({id: box.size for id, box in made.boxes.items()}, laid)
        tree = ElementTree.fromstring(draw(flow, flows, WORDS, lang))
        shown = {one.get("data-step") for one in tree.iter(f"{SVG}g")}
        for path in tree.iter(f"{SVG}path"):
            shown |= set((path.get("data-steps") or "").split())
        assert set(flow.positions) <= shown, flow.name
        assert tree.find(f"{SVG}title") is not None
        assert tree.findtext(f"{SVG}desc") == flow.description
        directions = {text.get("direction") for text in tree.iter(f"{SVG}text")}
        assert directions == {"rtl" if lang == "ur" else "ltr"}


def test_every_action_has_words_and_those_that_only_look_are_actions() -> None:
    assert set(ACTIONS) >= ONLY_LOOK
    assert [name for name in ACTIONS if not WORDS.has(f"draw.action.{name}")] == []


ROUND = """name: "round"
version: 1
description: "<b>&\\" a </title> of ours"
steps:
  - collect: phone
    type: phone
    ask: <script>alert(1)</script>
    tries: 1
    otherwise: phone
  - branch: phone == <i>&
    then: again
  - branch:
      - {when: size > 5, then: phone}
      - {when: "<u>name == x", then: end}
      - {when: fine != true, then: end}
    otherwise: end
  - id: again
    goto: hop
  - id: hop
    goto: phone
  - id: never
    goto: end
"""


def test_what_an_admin_writes_is_text_and_circles_are_drawn() -> None:
    problems: list[str] = []
    flow = Reader("", problems).read(ROUND.replace("<u>", ""))
    assert flow is not None and problems == []
    made, laid = arranged(flow, Flows({}), WORDS, "en")
    apart({id: box.size for id, box in made.boxes.items()}, laid)
    svg = draw(flow, Flows({}), WORDS, "en")
    assert "<script" not in svg and "<i>" not in svg and "</title> of" not in svg
    tree = ElementTree.fromstring(svg)
    said = " ".join(text.text or "" for text in tree.iter(f"{SVG}text"))
    assert "<script>alert(1)</script>" in said and "size is more than 5" in said and "not fine" in said
    assert {"again", "hop"} <= {
        step for path in tree.iter() for step in (path.get("data-steps") or "").split()
    }
    assert any(group.get("data-step") == "never" for group in tree.iter(f"{SVG}g"))


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_any_graph_is_laid_out_apart(data: st.DataObject) -> None:
    ids = [str(number) for number in range(data.draw(st.integers(1, 12)))]
    sides = st.floats(10, 300)
    sizes = {id: (data.draw(sides), data.draw(sides)) for id in ids}
    pairs = st.tuples(st.sampled_from(ids), st.sampled_from(ids)).filter(lambda pair: pair[0] != pair[1])
    arrows = data.draw(st.lists(pairs, unique=True, max_size=20)) if len(ids) > 1 else []
    laid = lay_out(sizes, arrows, mirror=data.draw(st.booleans()))
    apart(sizes, laid)
    assert len(laid.paths) == len(arrows)
    assert all(re.fullmatch(r"[MVC\d\s.-]+", path) for path in laid.paths)


@given(st.text(max_size=200))
def test_lines_fit(text: str) -> None:
    lines = wrap(text, 120, 3)
    assert len(lines) <= 3 and all(width(line) <= 120 for line in lines)


def test_a_picture_is_written_to_a_file(tmp_path: Path) -> None:
    made = draw_flow("open_case", tmp_path / "case.svg", "ur")
    assert ElementTree.fromstring(made.read_text("utf-8")).get("lang") == "ur"
    own = tmp_path / "own.yaml"
    own.write_text(ROUND.replace("<u>", ""), "utf-8")
    assert draw_flow(str(own), tmp_path / "own.svg", "en").exists()
    own.write_text("name: own\nsteps: 3\n", "utf-8")
    with pytest.raises(ConfigurationInvalid, match="steps must be a list"):
        draw_flow(str(own), None, "en")
    with pytest.raises(NotFound, match="open_case"):
        draw_flow("nothing", None, "en")
    with pytest.raises(NotFound, match="hi-Latn"):
        draw_flow("open_case", None, "xx")


def test_what_nobody_could_read_is_not_drawn() -> None:
    steps = "".join("  - say: lead.thanks\n" for _ in range(300))
    flow = Reader("", []).read(f"name: long\nversion: 1\ndescription: d\nsteps:\n{steps}")
    assert flow is not None
    with pytest.raises(InvalidInput):
        draw(flow, Flows({}), WORDS, "en")
    ids = [str(number) for number in range(100)]
    tangled = [(one, ids[number * 7 % 100]) for number, one in enumerate(ids) if number]
    with pytest.raises(InvalidInput, match="tangled"):
        lay_out(dict.fromkeys(ids, (10, 10)), [*pairwise(ids), *tangled])
