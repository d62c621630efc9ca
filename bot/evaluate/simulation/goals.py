"""Customers made from parts (`goals.yaml`): a goal, a language, a channel and at most one twist, by seed."""

import random
from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any

from bot.evaluate.simulation.script import CHANNELS, Conversation, Twist
from bot.yaml_text import read_yaml

LANGS = ("en", "hi", "hi-Latn")
_SAID_LATER: Mapping[str, str] = {"digression": "digressions", "cancel": "cancels", "person": "persons"}


def customers(count: int, seed: int = 1) -> list[Conversation]:
    """So many, each flow in turn; the same seed makes the same ones."""
    flows = list(_parts()["flows"])
    return [_customer(number, flows[number % len(flows)], seed) for number in range(count)]


@lru_cache(maxsize=1)
def _parts() -> Mapping[str, Any]:
    found: Mapping[str, Any] = read_yaml((Path(__file__).parent / "goals.yaml").read_text(encoding="utf-8"))
    return found


def _customer(number: int, flow: str, seed: int) -> Conversation:
    dice = random.Random(f"{seed}/{number}")  # noqa: S311  # plays, hides nothing
    lang, channel = dice.choice(LANGS), dice.choice(CHANNELS)
    parts = _parts()["flows"][flow]
    answers: dict[str, str] = {}
    expects: dict[str, Any] = {}
    for slot, given in parts["answers"].items():
        answers[slot], value = _answer(given, lang, dice)
        if value is not None:
            expects[slot] = value
    twist = _twist(parts, flow, lang, channel, list(answers), expects, dice)
    id = f"{flow}-{lang}-{number}" + (f"-{twist.kind}" if twist else "")
    opening = (dice.choice(parts["opening"][lang]),)
    return Conversation(id, lang, channel, flow, opening, answers, (twist,) if twist else (), expects)


def _answer(given: Any, lang: str, dice: random.Random) -> tuple[str, Any]:
    """(what they type, what is then on record)."""
    if given == "names":
        name = dice.choice(_parts()["names"])
        return name, name
    if given == "phones":
        number = f"98765{dice.randrange(10_000, 99_999)}"
        return number, f"+91{number}"
    if given == "codes":
        return "{code}", None
    ((text, value),) = dice.choice(given[lang]).items()
    return str(text), value


def _twist(
    parts: Mapping[str, Any],
    flow: str,
    lang: str,
    channel: str,
    slots: list[str],
    expects: Mapping[str, Any],
    dice: random.Random,
) -> Twist | None:
    """Something on the way, for about two of three."""
    # The last answer ends the flow: nothing can be said before the next one.
    middle = [slot for slot in slots[:-1] if slot not in ("code", "contact")]
    kinds = ["", "digression", "cancel", "person"] if middle else [""]
    kinds += ["correction"] * bool(parts.get("corrections")) + ["invalid"] * bool(parts.get("invalid"))
    kinds += ["moves"] * (flow == "order_status" and channel == "webchat")
    kind = dice.choice(kinds)
    if kind in _SAID_LATER:
        return Twist(kind, after=dice.choice(middle), say=dice.choice(_parts()[_SAID_LATER[kind]][lang]))  # type: ignore[arg-type]
    if kind == "correction":
        slot = dice.choice(list(parts["corrections"]))
        ((text, value),) = dice.choice(parts["corrections"][slot][lang]).items()
        if isinstance(value, Mapping):  # another hour of the same day
            value = f"{str(expects[slot])[:11]}{value['hour']}"
        return Twist("correction", after=slot, say=text, expects={slot: value})
    if kind == "invalid":
        slot = dice.choice(list(parts["invalid"]))
        return Twist("invalid", at=slot, say=dice.choice(parts["invalid"][slot]))
    if kind == "moves":
        return Twist("moves", after="order_number", to="whatsapp")
    return None
