"""Messages in the shape that their channel takes: long text in parts, buttons as numbered lines, several
files as messages of their own; and in one line, for a list."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from bot.adapter import Features
from bot.conversations import gate
from bot.dialogs.render import Rendered
from bot.messages import Button, InboundMessage, Media, TemplateUse, numbered
from bot.pipeline.payloads import buttons_to_json, extra_of, media_to_json, template_to_json


@dataclass(frozen=True, slots=True)
class StaffText:
    """A text a staff member or the business itself sends, not the dialog engine."""

    message_id: str
    text: str
    author: str
    author_id: str | None
    purpose: gate.Purpose
    media: tuple[Media, ...] = ()
    template: TemplateUse | None = None
    sealed: str = ""
    """What leaves in place of the text, which is all that is kept: a code."""


def fit(rendered: Rendered, features: Features) -> list[tuple[str, tuple[Button, ...]]]:
    """The parts to send, in order; buttons go with the last, or become numbers to answer with."""
    text, buttons = rendered.text, rendered.buttons
    if buttons and not _takes(buttons, features):
        text, buttons = numbered(text, buttons), ()
    parts = split(text, features.text_limit)
    return [(part, ()) for part in parts[:-1]] + [(parts[-1], buttons)]


def with_files(text: str, media: Sequence[Media], features: Features) -> list[tuple[str, tuple[Media, ...]]]:
    """A text and files as messages, in order; the text goes with the first file where the channel allows."""
    groups = _groups(media, features)
    if not groups:
        return [(part, ()) for part in split(text, features.text_limit)]
    together = len(text) <= features.caption_limit and all(
        one.kind in features.captioned for one in groups[0]
    )
    if together or not text:
        return [(text, groups[0]), *(("", group) for group in groups[1:])]
    parts = split(text, features.text_limit)
    return [(part, ()) for part in parts] + [("", group) for group in groups]


def _groups(media: Sequence[Media], features: Features) -> list[tuple[Media, ...]]:
    """The files of each message: no more than it may have, nor heavier than one file may be."""
    groups: list[tuple[Media, ...]] = []
    for one in media:
        limit = features.media.get(one.kind)
        last = groups[-1] if groups else ()
        weight = sum(other.size or 0 for other in last) + (one.size or 0)
        if last and len(last) < features.files and (limit is None or weight <= limit.max_bytes):
            groups[-1] = (*last, one)
        else:
            groups.append((one,))
    return groups


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


def parts_of(staff: StaffText, features: Features) -> list[tuple[str, dict[str, Any] | None]]:
    """What a person sends as messages: (text, what goes beside it). A template is one whole."""
    if staff.template is not None:
        beside: dict[str, Any] = {"template": template_to_json(staff.template)}
        if staff.template.template.buttons:
            beside["buttons"] = buttons_to_json(staff.template.template.buttons)
        if staff.media:
            beside["media"] = [media_to_json(one) for one in staff.media]
        return [(staff.text, beside)]
    return [
        (text, {"media": [media_to_json(one) for one in media]} if media else None)
        for text, media in with_files(staff.text, staff.media, features)
    ]


def preview(said: InboundMessage) -> str:
    """One line for the list."""
    return one_line(said.text, extra_of(said) or {})


def one_line(words: str, extra: Mapping[str, Any]) -> str:
    """A message in at most 200 characters; without words, what else it holds."""
    text = " ".join(words.split())
    if not text and extra.get("media"):
        text = f"[{extra['media'][0]['kind']}]"
    elif not text and extra.get("location"):
        text = "[location]"
    elif not text and extra.get("unsupported"):
        text = f"[{extra['unsupported']}]"
    return text[:200]
