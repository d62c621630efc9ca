"""Cutting a text to what its channel takes: long text into parts, buttons into numbered lines."""

from bot.dialogs.render import Rendered
from bot.messages import Button, Features, numbered


def fit(rendered: Rendered, features: Features) -> list[tuple[str, tuple[Button, ...]]]:
    """The parts to send, in order; buttons go with the last, or become numbers to answer with."""
    text, buttons = rendered.text, rendered.buttons
    if buttons and not _takes(buttons, features):
        text, buttons = numbered(text, buttons), ()
    parts = split(text, features.text_limit)
    return [(part, ()) for part in parts[:-1]] + [(parts[-1], buttons)]


def _takes(buttons: tuple[Button, ...], features: Features) -> bool:
    short = all(len(button.title) <= features.button_title_limit for button in buttons)
    return len(buttons) <= features.buttons and short


def split(text: str, limit: int) -> list[str]:
    """Parts of at most `limit` characters, cut at a paragraph, line, sentence or word where one is near."""
    parts = []
    rest = text.strip()
    while len(rest) > limit:
        cut = limit
        for mark in ("\n\n", "\n", "। ", "۔ ", ". ", " "):
            found = rest.rfind(mark, limit // 2, limit - len(mark) + 1)
            if found > 0:
                cut = found + len(mark)
                break
        parts.append(rest[:cut].strip())
        rest = rest[cut:].strip()
    return [*parts, rest]
