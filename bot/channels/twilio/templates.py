"""Message templates at Twilio: its Content API. Pure.

https://www.twilio.com/docs/content/content-api-resources
"""

import json
from collections.abc import Mapping
from typing import Any

from bot.messages import Button, Template, TemplateUse, clean, holes

_STATES = {
    "approved": "approved",
    "pending": "pending",
    "received": "pending",
    "rejected": "rejected",
    "paused": "paused",
}
_TYPES = (
    "whatsapp/card",
    "twilio/card",
    "twilio/quick-reply",
    "twilio/call-to-action",
    "twilio/media",
    "twilio/text",
)
"""The kinds of content that we can show and fill in, the richest first."""


def read_content(item: Any) -> Template | None:
    """One of Twilio's contents with its approval by WhatsApp; None for one that was never handed in for it.
    A kind that we cannot show counts as disabled."""
    approval = item.approval_requests or {}
    state = str(approval.get("status") or "unsubmitted")
    if not item.sid or state == "unsubmitted":
        return None
    types: Mapping[str, Any] = item.types or {}
    kind = next((name for name in _TYPES if isinstance(types.get(name), dict)), None)
    shown: Mapping[str, Any] = types[kind] if kind else {}
    examples = {str(name): str(value) for name, value in (item.variables or {}).items()}
    actions = [one for one in shown.get("actions") or () if isinstance(one, dict)]
    return Template(
        external_id=item.sid,
        name=str(approval.get("name") or item.friendly_name or item.sid),
        lang=str(item.language or ""),
        category=str(approval.get("category") or "").lower(),
        status=_STATES.get(state, "disabled") if kind else "disabled",
        reason=clean(str(approval.get("rejection_reason") or "")) if kind else ", ".join(types),
        header=_text(shown, "header_text") or (_text(shown, "title") if "body" in shown else ""),
        body=_text(shown, "body") or _text(shown, "title"),
        footer=_text(shown, "footer") or _text(shown, "subtitle"),
        buttons=tuple(
            Button(str(one.get("id") or place), str(one.get("title") or ""))
            for place, one in enumerate(actions)
        ),
        # The same variable may stand in several places: it is filled in once.
        params=tuple(holes("any", json.dumps(shown, ensure_ascii=False), examples)),
    )


def variables(use: TemplateUse) -> str:
    """The values as Twilio wants them: a JSON object."""
    return json.dumps(
        {part.name: use.values.get(part.key, "") for part in use.template.params}, ensure_ascii=False
    )


def _text(shown: Mapping[str, Any], name: str) -> str:
    found = shown.get(name)
    return clean(found) if isinstance(found, str) else ""
