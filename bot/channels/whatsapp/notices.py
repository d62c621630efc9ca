"""What Meta tells about the account itself, in a sentence for an admin. Pure.

Fields: https://developers.facebook.com/docs/whatsapp/cloud-api/webhooks/reference
"""

from collections.abc import Mapping
from typing import Any

from bot.messages import clean

_LONGEST = 500


def read_notice(field: str, value: Mapping[str, Any]) -> str | None:
    """The sentence, in Meta's own words; None for a field that tells nothing of the account."""
    describe = _NOTICES.get(field)
    return clean(describe(value))[:_LONGEST] if describe is not None else None


def _account(value: Mapping[str, Any]) -> str:
    """An event of the whole account: banned, restricted, a partner added."""
    ban = _part(value, "ban_info")
    violation = _part(value, "violation_info")
    limits = [_text(one, "restriction_type") for one in _parts(value, "restriction_info")]
    return _sentence(
        _text(value, "event"),
        _text(ban, "waba_ban_state"),
        _text(violation, "violation_type"),
        *limits,
    )


def _alert(value: Mapping[str, Any]) -> str:
    alert = _part(value, "alert_info") or value
    names = ("alert_severity", "alert_type", "alert_description")
    return _sentence(*(_text(alert, name) for name in names))


def _template(value: Mapping[str, Any]) -> str:
    """A template approved, rejected, paused or disabled, with the reason and what Meta recommends."""
    rejection = _part(value, "rejection_info")
    reason = _text(rejection, "reason") or _text(value, "reason")
    said = "" if reason == "NONE" else reason
    return _sentence(_named(value), _text(value, "event"), said, _text(rejection, "recommendation"))


def _quality(value: Mapping[str, Any]) -> str:
    scores = f"{_text(value, 'previous_quality_score')} → {_text(value, 'new_quality_score')}"
    return _sentence(_named(value), scores)


def _category(value: Mapping[str, Any]) -> str:
    before = _text(value, "previous_category") or _text(value, "correct_category")
    changed = " → ".join(part for part in (before, _text(value, "new_category")) if part)
    return _sentence(_named(value), changed)


def _components(value: Mapping[str, Any]) -> str:
    return _sentence(_named(value), _text(value, "message_template_element"))


def _number(value: Mapping[str, Any]) -> str:
    """Our number: its quality, limit or name."""
    names = ("display_phone_number", "event", "current_limit", "decision", "requested_verified_name")
    return _sentence(*(_text(value, name) for name in names), _text(value, "rejection_reason"))


_NOTICES = {
    "account_update": _account,
    "account_review_update": lambda value: _text(value, "decision"),
    "account_alerts": _alert,
    "business_capability_update": lambda value: _sentence(
        *(f"{name}: {value[name]}" for name in sorted(value) if isinstance(value[name], int | str))
    ),
    "message_template_status_update": _template,
    "message_template_quality_update": _quality,
    "message_template_components_update": _components,
    "template_category_update": _category,
    "phone_number_quality_update": _number,
    "phone_number_name_update": _number,
}


def _named(value: Mapping[str, Any]) -> str:
    name, lang = _text(value, "message_template_name"), _text(value, "message_template_language")
    return f"{name} ({lang})" if lang else name


def _sentence(*parts: str) -> str:
    return ". ".join(part.rstrip(". ") for part in parts if part)


def _part(value: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    found = value.get(name)
    return found if isinstance(found, dict) else {}


def _parts(value: Mapping[str, Any], name: str) -> list[Mapping[str, Any]]:
    found = value.get(name)
    return [one for one in found if isinstance(one, dict)] if isinstance(found, list) else []


def _text(value: Mapping[str, Any], name: str) -> str:
    found = value.get(name)
    return found if isinstance(found, str) else ""
