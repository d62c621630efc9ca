"""Message templates at Meta: reading them, and filling one in. Pure.

https://developers.facebook.com/docs/whatsapp/business-management-api/message-templates
"""

from collections.abc import Mapping
from typing import Any

from bot.messages import Button, Media, Template, TemplatePart, TemplateUse, clean, holes

FIELDS = "id,name,language,category,status,components,rejected_reason"
_STATES = {
    "APPROVED": "approved",
    "PENDING": "pending",
    "IN_APPEAL": "pending",
    "REJECTED": "rejected",
    "PAUSED": "paused",
}
_FILES = {"IMAGE": "image", "VIDEO": "video", "DOCUMENT": "document"}
_SENDABLE = {"HEADER", "BODY", "FOOTER", "BUTTONS"}


def read_template(item: Mapping[str, Any]) -> Template | None:
    """One of Meta's templates; None for what has no id or name. One with parts that we cannot fill in (a
    carousel, a place) counts as disabled, with the part as its reason."""
    external_id, name = _text(item, "id"), _text(item, "name")
    if not external_id or not name:
        return None
    parts = {_text(one, "type"): one for one in _list(item, "components")}
    header, body = parts.get("HEADER", {}), parts.get("BODY", {})
    form = _text(header, "format")
    cannot = sorted(parts.keys() - _SENDABLE) or [form] * (form not in ("", "TEXT", *_FILES))
    buttons = _list(parts.get("BUTTONS", {}), "buttons")
    reason = _text(item, "rejected_reason")
    return Template(
        external_id=external_id,
        name=name,
        lang=_text(item, "language"),
        category=_text(item, "category").lower(),
        status="disabled" if cannot else _STATES.get(_text(item, "status"), "disabled"),
        reason=", ".join(cannot) or ("" if reason == "NONE" else reason),
        header=_text(header, "text"),
        header_file=_FILES.get(form, ""),
        body=_text(body, "text"),
        footer=_text(parts.get("FOOTER", {}), "text"),
        buttons=tuple(Button(str(place), _text(one, "text")) for place, one in enumerate(buttons)),
        params=(
            *holes("header", _text(header, "text"), _examples(header, "header_text")),
            *holes("body", _text(body, "text"), _examples(body, "body_text")),
            *(part for place, one in enumerate(buttons) for part in _of_button(place, one)),
        ),
    )


def _of_button(place: int, one: Mapping[str, Any]) -> list[TemplatePart]:
    """A link may end in something to fill in; a code to copy is filled in as a whole."""
    example = one.get("example")
    first = str(example[0]) if isinstance(example, list) and example else str(example or "")
    kind = _text(one, "type")
    if kind == "COPY_CODE":
        return [TemplatePart(f"code.{place}", "1", first)]
    if kind == "OTP":
        return [TemplatePart(f"button.{place}", "1", first)]
    return [TemplatePart(f"button.{place}", part.name, first) for part in holes("button", _text(one, "url"))]


def _examples(component: Mapping[str, Any], name: str) -> dict[str, str]:
    example = component.get("example")
    if not isinstance(example, dict):
        return {}
    named = example.get(f"{name}_named_params")
    if isinstance(named, list):
        return {_text(one, "param_name"): _text(one, "example") for one in named if isinstance(one, dict)}
    given = example.get(name)
    if isinstance(given, list) and given and isinstance(given[0], list):
        given = given[0]
    return {str(place): str(one) for place, one in enumerate(given, 1)} if isinstance(given, list) else {}


def fill(use: TemplateUse, media: Media | None, media_id: str | None) -> dict[str, Any]:
    """The `template` of a message's body. `media_id`: the upload of the file that heads it."""
    template = use.template
    components: list[dict[str, Any]] = []
    if template.header_file and media is not None:
        file: dict[str, Any] = {"id": media_id} if media_id else {"link": media.ref}
        if template.header_file == "document" and media.filename:
            file["filename"] = media.filename
        given = {"type": template.header_file, template.header_file: file}
        components.append({"type": "header", "parameters": [given]})
    for part in dict.fromkeys(one.part for one in template.params):
        of_part = [one for one in template.params if one.part == part]
        kind, _, place = part.partition(".")
        component: dict[str, Any] = {"type": "button" if place else kind}
        if place:
            component |= {"sub_type": "copy_code" if kind == "code" else "url", "index": place}
        component["parameters"] = [_parameter(kind, one, use.values.get(one.key, "")) for one in of_part]
        components.append(component)
    return {"name": template.name, "language": {"code": template.lang}, "components": components}


def _parameter(kind: str, part: TemplatePart, value: str) -> dict[str, str]:
    if kind == "code":
        return {"type": "coupon_code", "coupon_code": value}
    given = {"type": "text", "text": value}
    # Templates have numbers or names for what is filled in, never both.
    return given if part.name.isdigit() or kind == "button" else given | {"parameter_name": part.name}


def _text(value: Mapping[str, Any], name: str) -> str:
    found = value.get(name)
    return clean(str(found)) if isinstance(found, str | int) else ""


def _list(value: Mapping[str, Any], name: str) -> list[Mapping[str, Any]]:
    found = value.get(name)
    return [one for one in found if isinstance(one, dict)] if isinstance(found, list) else []
