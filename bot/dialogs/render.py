"""From a plan to the texts that leave: words in the plan's language, results of its writes filled in."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from bot.dialogs.turn import Choice, Plan, Say
from bot.i18n import Words
from bot.messages import Button


@dataclass(frozen=True, slots=True)
class Rendered:
    """One message to send. The core cuts it to what the channel takes."""

    text: str
    buttons: tuple[Button, ...] = ()


def render(plan: Plan, results: Mapping[str, Any], words: Words, channel: str = "") -> tuple[Rendered, ...]:
    """The plan's texts. What follows without a choice between is one message: an answer and the question
    after it cost one send, and arrive in order everywhere."""
    rendered: list[Rendered] = []
    texts: list[str] = []
    for say in plan.says:
        texts.append(_text(say, plan.lang, results, words, channel))
        if say.choices:
            buttons = tuple(_button(choice, plan.lang, words, channel) for choice in say.choices)
            rendered.append(Rendered("\n\n".join(texts), buttons))
            texts = []
    if texts:
        rendered.append(Rendered("\n\n".join(texts)))
    return tuple(rendered)


def _text(say: Say, lang: str, results: Mapping[str, Any], words: Words, channel: str) -> str:
    if not say.key:
        return say.text
    return words.say(say.key, lang, channel, **{**say.values, **results})


def _button(choice: Choice, lang: str, words: Words, channel: str) -> Button:
    return Button(choice.id, words.say(choice.key, lang, channel) if choice.key else choice.text)
