"""What schemathesis cannot know from a description: how a text of our own formats looks that means something,
and what JSON Schema has no words for.

Read by way of schemathesis.toml. Only requests that are meant to be accepted are mended; every check is on.
"""

from datetime import date
from typing import Any
from uuid import uuid4

import schemathesis
from hypothesis import strategies as st

_ID = st.uuids().map(str)
_CONDITIONS = st.one_of(
    st.just(""),
    st.just("id != null"),
    st.builds("id = {}".format, _ID),
    st.builds("id in ({}, {})".format, _ID, _ID),
    st.builds("id > {} or not id < {}".format, _ID, _ID),
)
_FORMATS: dict[str, st.SearchStrategy[str]] = {
    "samvad-query": _CONDITIONS,
    "samvad-order": st.sampled_from(["", "id", "id desc"]),
    "samvad-summary-order": st.sampled_from(["", "count", "count desc"]),
    "samvad-measures": st.just("count"),
    "samvad-groups": st.sampled_from(["", "id"]),
    "samvad-search": st.sampled_from(["", "lakshmi", "लक्ष्मी 98765"]),
    "date": st.dates(date(1000, 1, 1), date(9998, 12, 31)).map(date.isoformat),
    "date-time": st.dates(date(1001, 1, 1), date(9998, 12, 30)).map("{}T09:30:00Z".format),
    "phone": st.builds("+9198765{:05}".format, st.integers(0, 99_999)),
    "email": st.builds("a{}@example.com".format, st.integers(0, 10**9)),
}
_NOBODY = "01890a5d-ac96-774b-bcce-b302099a8057"
_FIELD = {"entity": "contacts", "label": "Loyalty", "type": "text"}
_BODIES: dict[str, dict[str, Any]] = {
    "start_conversation": {"channel": "sms", "address": "+919811122333", "text": "Namaste"},
    "create_custom_fields": _FIELD,
    "change_custom_fields": {"label": "Loyalty"},
    "create_validation_rules": {"entity": "leads", "field": "timeline", "kind": "format", "pattern": ".*"},
    "change_validation_rules": {"message": "Please mend this"},
    "create_access_rules": {"role": "marketer", "entity": "business", "may": "read"},
    "change_access_rules": {"may": "read"},
    "create_shares": {"entity": "contacts", "record_id": _NOBODY, "user_id": _NOBODY},
    "change_shares": {"level": "read"},
    "create_rules": {
        "name": "Note",
        "entity": "leads",
        "trigger": "created",
        "condition": "status = new",
        "actions": [{"action": "add_note", "text": "New: {need}"}],
    },
    "change_rules": {"position": 2},
    "change_categories": {"name": "Repairs"},
    "save_flow": {"source": "name: visit\nversion: 1\ndescription: d\nsteps:\n  - say: courtesy.fine\n"},
}
"""Where one field says what another may be; tests of their own go through these rules."""
for _name, _strategy in _FORMATS.items():
    schemathesis.openapi.format(_name, _strategy)


@schemathesis.hook
def before_call(_context: Any, case: Any, _kwargs: Any) -> None:
    """Mend what only the server can know."""
    if case.meta is None or not case.meta.generation.mode.is_positive:
        return
    headers, query = case.headers or {}, case.query or {}
    if "Idempotency-Key" in headers:
        headers["Idempotency-Key"] = str(uuid4())  # one used before belongs to the request of before
    if "If-Match" in headers:
        headers["If-Match"] = "*"  # a tag is what an answer before gave
    if not case.path.endswith("/timeline"):
        query.pop("cursor", None)  # so is a cursor
    if isinstance(case.body, dict):
        name = case.operation.definition.raw.get("operationId", "")
        case.body = _BODIES[name] if name in _BODIES else _mended(case.body)
        if "expires_at" in case.body:
            case.body["expires_at"] = "2999-12-31T00:00:00Z"  # the future moves


def _mended(value: Any) -> Any:
    """Amounts with as many decimal places as every currency has."""
    if isinstance(value, dict):
        return {name: _mended(inner) for name, inner in value.items()}
    if isinstance(value, list):
        return [_mended(inner) for inner in value]
    return int(value) if isinstance(value, float) else value
