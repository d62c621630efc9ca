"""How each kind of record is laid out: sections of fields, columns of its list, what stands beside it.

One dict, as data. A field that no section names still shows: admins' own fields in a section of theirs, what
the program keeps in the last one.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from bot.records.entity import Entity

Section = tuple[str, tuple[str, ...]]
_BELONGS: Section = ("belongs", ("owner_id", "team_id", "territory_id", "category_id", "tags"))
_ADDRESS: Section = ("address", ("address", "city", "region", "country"))
_KEPT = ("created_at", "updated_at")
_NEVER = frozenset({"id", "deleted_at", "version", "about", "about_id", "series_id", "event_id", "sequence"})


@dataclass(frozen=True, slots=True)
class Layout:
    """`head` are the fields under a record's title; `related` the (kind, field) lists beside it; `choices`
    names, for a text field, where its values come from; `at` is where a record of a kind with a room of its
    own is opened; `alone` is False where a record makes sense only beside another."""

    icon: str
    sections: tuple[Section, ...]
    columns: tuple[str, ...]
    head: tuple[str, ...] = ()
    related: tuple[tuple[str, str], ...] = ()
    choices: Mapping[str, str] | None = None
    order: str = "id desc"
    at: str = "/console/records/{kind}/{id}"
    alone: bool = True
    timeline: bool = False


LAYOUTS: dict[str, Layout] = {
    "contacts": Layout(
        "person",
        (
            ("main", ("name", "title", "account_id", "lang", "birthday", "description")),
            _ADDRESS,
            _BELONGS,
        ),
        ("name", "phones", "account_id", "city", "owner_id", "tags"),
        ("phones", "emails", "account_id", "title", "owner_id"),
        (
            ("cases", "contact_id"),
            ("leads", "contact_id"),
            ("opportunities", "contact_id"),
            ("activities", "contact_id"),
            ("conversations", "contact_id"),
            ("affiliations", "contact_id"),
            ("contact_links", "contact_id"),
            ("contact_links", "other_id"),
            ("stakeholders", "contact_id"),
            ("identities", "contact_id"),
        ),
        timeline=True,
    ),
    "accounts": Layout(
        "building",
        (
            ("main", ("name", "kind", "parent_id", "industry", "website", "domain", "phone")),
            ("size", ("employees", "revenue", "currency")),
            _ADDRESS,
            _BELONGS,
        ),
        ("name", "kind", "industry", "city", "phone", "owner_id"),
        ("kind", "parent_id", "phone", "website", "owner_id"),
        (
            ("contacts", "account_id"),
            ("opportunities", "account_id"),
            ("cases", "account_id"),
            ("accounts", "parent_id"),
            ("affiliations", "account_id"),
        ),
        timeline=True,
    ),
    "leads": Layout(
        "spark",
        (
            ("main", ("contact_id", "status", "source", "need")),
            ("bant", ("budget", "currency", "authority", "timeline")),
            _BELONGS,
        ),
        ("number", "contact_id", "need", "budget", "status", "owner_id", "created_at"),
        ("status", "contact_id", "budget", "owner_id"),
        (("opportunities", "lead_id"),),
        timeline=True,
    ),
    "opportunities": Layout(
        "target",
        (
            ("main", ("name", "account_id", "contact_id", "stage", "next_step", "description")),
            ("money", ("amount", "currency", "probability", "close_date", "closed_at", "source")),
            _BELONGS,
        ),
        ("name", "account_id", "stage", "amount", "close_date", "owner_id"),
        ("stage", "amount", "close_date", "account_id", "owner_id"),
        (("stakeholders", "opportunity_id"),),
        {"stage": "stages"},
        timeline=True,
    ),
    "cases": Layout(
        "flag",
        (
            ("main", ("subject", "contact_id", "account_id", "status", "priority", "description")),
            ("origin", ("origin", "conversation_id", "escalation_level")),
            _BELONGS,
        ),
        ("number", "subject", "contact_id", "status", "priority", "owner_id", "created_at"),
        ("status", "priority", "contact_id", "owner_id"),
        timeline=True,
    ),
    "activities": Layout(
        "calendar",
        (
            ("main", ("kind", "subject", "contact_id", "priority", "location", "body")),
            ("when", ("due_at", "starts_at", "ends_at", "all_day", "reminder_minutes")),
            ("outcome", ("done_at", "outcome", "direction", "seconds")),
            ("series", ("rrule", "zone", "occurs_at", "detached")),
            ("guests", ("invite",)),
            _BELONGS,
        ),
        ("kind", "subject", "contact_id", "due_at", "starts_at", "done_at", "owner_id"),
        ("kind", "due_at", "starts_at", "done_at", "contact_id", "owner_id"),
        timeline=True,
    ),
    "conversations": Layout(
        "inbox",
        (("main", ("channel", "status", "owner", "assignee_id")),),
        ("last_text", "channel", "status", "last_message_at"),
        at="/console/conversations/{id}",
        alone=False,
    ),
    "identities": Layout("at", (("main", ("kind", "value", "contact_id")),), ("kind", "value"), alone=False),
    "affiliations": Layout(
        "building",
        (("main", ("contact_id", "account_id", "title", "since", "until")),),
        ("contact_id", "account_id", "title", "since", "until"),
        alone=False,
    ),
    "contact_links": Layout(
        "person",
        (("main", ("contact_id", "kind", "other_id", "influence", "note")),),
        ("contact_id", "kind", "other_id", "influence"),
        alone=False,
    ),
    "stakeholders": Layout(
        "person",
        (("main", ("opportunity_id", "contact_id", "role", "influence", "note")),),
        ("contact_id", "role", "influence", "opportunity_id"),
        alone=False,
    ),
    "attendees": Layout(
        "people",
        (
            ("main", ("activity_id", "contact_id", "user_id", "email", "name", "required")),
            ("answer", ("answer", "answered_at", "comment")),
        ),
        ("name", "email", "answer", "required", "answered_at"),
        alone=False,
    ),
    "files": Layout(
        "file",
        (("main", ("name", "description", "expires_on", "private", "owner_id", "contact_id")),),
        ("name", "size", "revision", "expires_on", "created_at"),
        ("mime", "size", "revision", "owner_id"),
        alone=False,
    ),
    "stages": Layout(
        "target",
        (("main", ("name", "position", "probability", "status")),),
        ("name", "position", "probability", "status"),
        order="position",
    ),
    "categories": Layout(
        "tag",
        (("main", ("name", "entity", "parent_id")),),
        ("name", "entity", "parent_id"),
        related=(("categories", "parent_id"),),
        choices={"entity": "kinds"},
    ),
    "territories": Layout(
        "place",
        (("main", ("name", "parent_id")),),
        ("name", "parent_id"),
        related=(("territory_members", "territory_id"), ("territories", "parent_id")),
    ),
    "territory_members": Layout(
        "person", (("main", ("territory_id", "user_id")),), ("user_id", "territory_id"), alone=False
    ),
    "teams": Layout("people", (("main", ("name",)),), ("name",), related=(("users", "team_id"),)),
    "users": Layout(
        "people",
        (("main", ("name", "email", "role", "team_id", "active")),),
        ("name", "email", "role", "team_id", "active"),
        ("email", "role", "team_id", "active"),
        (("territory_members", "user_id"),),
    ),
    "custom_fields": Layout(
        "template",
        (
            (
                "main",
                ("entity", "label", "name", "type", "values", "target", "currency", "searchable", "position"),
            ),
        ),
        ("label", "entity", "type", "name", "position"),
        ("entity", "type", "name"),
        choices={"entity": "kinds", "target": "targets", "currency": "currencies"},
    ),
    "validation_rules": Layout(
        "check",
        (("main", ("entity", "field", "kind", "pattern", "condition", "message", "active")),),
        ("entity", "field", "kind", "message", "active"),
        ("entity", "field", "kind", "active"),
        choices={"entity": "kinds"},
    ),
    "rules": Layout(
        "spark",
        (
            ("main", ("name", "entity", "trigger", "changed", "condition", "run_as_id")),
            ("when", ("due_field", "due_minutes")),
            ("order", ("active", "position", "stop_after")),
        ),
        ("name", "entity", "trigger", "active", "position"),
        ("entity", "trigger", "active", "position"),
        (("rule_runs", "rule_id"),),
        choices={"entity": "kinds"},
        order="position",
    ),
    "rule_runs": Layout(
        "spark",
        (
            ("main", ("rule_id", "rule_version", "entity", "record_id", "run_as_id")),
            ("outcome", ("state", "tries", "error", "changes", "started_at", "finished_at")),
        ),
        ("rule_id", "state", "entity", "record_id", "started_at", "finished_at", "error"),
        ("state", "rule_id", "started_at"),
        choices={"entity": "kinds"},
        alone=False,
    ),
}
MAIN = ("contacts", "accounts", "leads", "opportunities", "cases", "activities")
"""What the bar of the console leads to, in this order; the other kinds stand under "More"."""
ROOMS = tuple((kind, LAYOUTS[kind].icon) for kind in MAIN)
"""The same with their signs."""
SETTINGS = (
    *("users", "teams", "territories", "categories", "stages"),
    *("custom_fields", "validation_rules", "rules", "rule_runs"),
)
CHOICES = {"currency": "currencies", "country": "countries", "lang": "languages"}
"""Where the values of text fields come from that are the same in every kind."""


def layout_of(entity: Entity) -> Layout:
    """The layout of a kind; one without its own gets all its fields in their order."""
    known = LAYOUTS.get(entity.name)
    if known is not None:
        return known
    names = tuple(name for name, spec in entity.fields.items() if not spec.computed and not spec.internal)
    return Layout("file", (("main", names),), names[:5], alone=False)


def sections_of(entity: Entity, layout: Layout) -> list[Section]:
    """The sections with every field that shows in exactly one of them."""
    named = {name for _, names in layout.sections for name in names} | _NEVER
    rest = [name for name, spec in entity.fields.items() if name not in named and not spec.internal]
    own = tuple(name for name in rest if entity.fields[name].custom)
    kept = tuple(name for name in rest if entity.fields[name].computed)
    more = tuple(name for name in rest if name not in own and name not in kept)
    found = [
        (title, tuple(name for name in names if name in entity.fields)) for title, names in layout.sections
    ]
    return [
        (title, names) for title, names in (*found, ("more", more), ("own", own), ("kept", kept)) if names
    ]


def choices_of(layout: Layout, name: str) -> str:
    """Where the values of a text field come from; empty: it is free text."""
    return (layout.choices or {}).get(name) or CHOICES.get(name, "")


def address_of(entity: Entity, record_id: str) -> str:
    """Where a record is opened."""
    return layout_of(entity).at.format(kind=entity.name, id=record_id)
