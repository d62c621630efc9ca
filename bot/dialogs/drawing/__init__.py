"""A flow as a picture that an admin understands: SVG, in any language there are words for.

svg = draw(flow, flows, words, "hi")
"""

from functools import cache
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from bot.dialogs.drawing.graph import Graph, graph
from bot.dialogs.drawing.layout import Laid, lay_out
from bot.dialogs.drawing.letters import SIZE
from bot.dialogs.flows.model import Flow, Flows
from bot.errors import InvalidInput
from bot.i18n import Words, written_from_right

MOST = 250
"""Steps of a flow that is still drawn: nobody reads a larger picture."""
STYLE = Path(__file__).parent / "flow.css"
"""How a picture looks. It stands in a picture of its own, and beside one that is part of a page."""


def draw(flow: Flow, flows: Flows, words: Words, lang: str, *, alone: bool = True) -> str:
    """The picture of a flow; `alone`: a file of its own. Raises InvalidInput for one that is too large."""
    if len(flow.steps) > MOST:
        raise InvalidInput(f"A flow of more than {MOST} steps is not drawn; call other flows from it")
    made, laid = arranged(flow, flows, words, lang)
    right = written_from_right(lang)
    return (
        _environment()
        .get_template("flow.svg")
        .render(
            flow=flow,
            lang=lang,
            dir="rtl" if right else "ltr",
            graph=made,
            laid=laid,
            size=SIZE,
            style=STYLE.read_text(encoding="utf-8") if alone else "",
            title=words.say(flow.title, lang) if words.has(flow.title) else flow.name.replace("_", " "),
        )
    )


def arranged(flow: Flow, flows: Flows, words: Words, lang: str) -> tuple[Graph, Laid]:
    """What is drawn, and where."""
    made = graph(flow, flows, words, lang)
    sizes = {id: box.size for id, box in made.boxes.items()}
    arrows = [(start, to) for start, to, _ in made.arrows]
    return made, lay_out(sizes, arrows, written_from_right(lang))


@cache
def _environment() -> Environment:
    return Environment(
        loader=FileSystemLoader(Path(__file__).parent),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
