"""Telephone numbers and mail addresses in their one form, and as the lists that a contact shows."""

from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import Any

import phonenumbers
import sqlalchemy as sa
from email_validator import EmailNotValidError, validate_email

from bot.crm.business import load_profile
from bot.errors import Conflict, Forbidden, InvalidInput
from bot.records.entity import Entity
from bot.records.permissions import allowed, visible, writable
from bot.records.tx import Record, Tx
from bot.records.write import create, delete, update
from bot.storage import Id


def normal_phone(text: str, country: str) -> str | None:
    """A phone number as E.164 (`+919876543210`), read as in `country`; None when it is none."""
    try:
        number = phonenumbers.parse(text, country)
    except phonenumbers.NumberParseException:
        return None
    if not phonenumbers.is_possible_number(number):
        return None
    return phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164)


def normal_email(text: str) -> str | None:
    """A mail address in its one form; None when it is none."""
    try:
        found = validate_email(text.strip(), check_deliverability=False, test_environment=True)
    except EmailNotValidError:
        return None
    return found.normalized.lower()


def one_form(tx: Tx, _before: Record | None, values: dict[str, Any]) -> None:
    """A claim that staff enter is written in its one form. The channels' own addresses come in theirs."""
    if tx.actor.kind != "user" or values.get("verified") or "value" not in values:
        return
    read = _FORMS.get(values.get("kind", ""))
    if read is not None:
        values["value"] = read(tx, values["value"], "value")


def only_claims(tx: Tx, identity: Record) -> None:
    """Staff take off what was only claimed; what a channel proved stays, for messages come from there."""
    if identity["verified"] and tx.actor.kind == "user":
        raise Conflict("The channel proved this address; it cannot be taken off", reason="verified")


def _phone(tx: Tx, text: str, field: str) -> str:
    profile = load_profile(tx)
    found = normal_phone(text, profile.country if profile is not None else "IN")
    if found is None:
        raise InvalidInput(f"{text[:80]!r} is no telephone number; write it as +91 98765 43210", field=field)
    return found


def _email(_tx: Tx, text: str, field: str) -> str:
    found = normal_email(text)
    if found is None:
        raise InvalidInput(f"{text[:80]!r} is no mail address", field=field)
    return found


_FORMS: dict[str, Callable[[Tx, str, str], str]] = {"phone": _phone, "email": _email}
_LISTS = {"phones": "phone", "emails": "email"}
NAMES = tuple(_LISTS)
"""What a contact shows: telephone numbers (those of WhatsApp too) and mail addresses."""


def _shown(kind: str, value: str) -> tuple[str, str] | None:
    """(list, text) of an identity; None for one that is in neither."""
    if kind == "whatsapp":
        # A WhatsApp id is a number without its plus, or a name that hides the number.
        return ("phones", f"+{value}") if value.isdigit() else None
    return ("emails" if kind == "email" else "phones"), value


def column(contacts: sa.Table, identities: sa.Table) -> sa.ColumnElement[str]:
    """A contact's numbers and mail addresses, oldest first, as one text: a line each, the kind before it."""
    theirs = _theirs(identities, identities.c.contact_id == contacts.c.id).correlate(contacts)
    # The newline stands in the statement: as a value it would be written into it anew at every use.
    newline: Any = sa.literal_column("'\n'")
    # What a channel gives may hold anything: a value is one line.
    line = (identities.c.kind + " " + sa.func.replace(identities.c.value, newline, " ")).label("line")
    lines = theirs.where(identities.c.deleted_at.is_(None)).with_only_columns(line).subquery("lines")
    return sa.select(sa.func.aggregate_strings(lines.c.line, newline)).scalar_subquery()


def _theirs(table: sa.Table, whose: sa.ColumnElement[bool]) -> sa.Select[Any]:
    """The numbers and mail addresses, deleted ones too."""
    kinds = [table.c.kind == kind for kind in ("phone", "whatsapp", "email")]
    return sa.select(table).where(whose, sa.or_(*kinds)).order_by(table.c.id)


def read(lines: str | None) -> Mapping[str, list[str]]:
    """What `column` wrote, as lists by name, each text once."""
    found: dict[str, list[str]] = {name: [] for name in NAMES}
    for line in lines.split("\n") if lines else ():
        place = _shown(*line.split(" ", 1))
        if place is not None and place[1] not in found[place[0]]:
            found[place[0]].append(place[1])
    return found


def _require_all(tx: Tx, entity: Entity, lists: Mapping[str, list[str]]) -> None:
    """Who changes these lists changes addresses, which they must be allowed to see."""
    may = all(allowed(tx.actor, action, entity.name) for action in ("read", "update"))
    if lists and not (may and visible(tx.actor, entity, "value") and writable(tx.actor, entity, "value")):
        names = ", ".join(lists)
        raise Forbidden(f"You may not change {names} of a contact", field=next(iter(lists)))


@lru_cache
def _of_one(table: sa.Table) -> sa.Select[Any]:
    return _theirs(table, table.c.contact_id == sa.bindparam("contact", type_=Id))


def save(tx: Tx, contact_id: str, lists: Mapping[str, list[str]]) -> None:
    """Make these the contact's numbers or addresses: what is new is a claim, and only claims go."""
    entity = tx.schema.entity("identities")
    _require_all(tx, entity, lists)
    rows = tx.rows(_of_one(entity.table), {"contact": contact_id})
    for name, texts in lists.items():
        kind = _LISTS[name]
        wanted = list(dict.fromkeys(_FORMS[kind](tx, text, name) for text in texts))
        shown = [
            (place[1], row)
            for row in rows
            if (place := _shown(row["kind"], row["value"])) is not None and place[0] == name
        ]
        for text, row in shown:
            if row["deleted_at"] is None and text not in wanted:
                if row["verified"]:
                    raise Conflict(
                        f"The channel proved {text}; it cannot be taken off", field=name, reason="verified"
                    )
                delete(tx, entity, row)
        there = {text for text, row in shown if row["deleted_at"] is None}
        gone = {text: row for text, row in shown if row["deleted_at"] is not None and row["kind"] == kind}
        for text in wanted:
            if text in gone and text not in there:
                update(tx, entity, gone[text], {"deleted_at": None})
            elif text not in there:
                create(tx, entity, {"contact_id": contact_id, "kind": kind, "value": text})
