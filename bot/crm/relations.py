"""Who stands in what relation: contacts with several accounts, contacts with one another, and who decides in
an opportunity.
"""

from typing import Any

import sqlalchemy as sa

from bot.crm.contact import through_contact
from bot.crm.opportunity import through_opportunity
from bot.errors import InvalidInput
from bot.records.entity import EVERYTHING, Entity, entity
from bot.records.tx import Record, Tx
from bot.storage import Id

LINK_KINDS = ("reports_to", "influences", "spouse", "parent", "sibling", "relative", "colleague", "referred")
STAKEHOLDER_ROLES = ("decision_maker", "approver", "influencer", "champion", "user", "blocker")
INFLUENCES = ("low", "medium", "high")

AFFILIATION: Entity = entity(
    "affiliations",
    sa.Column("contact_id", Id, sa.ForeignKey("contacts.id"), nullable=False),
    sa.Column("account_id", Id, sa.ForeignKey("accounts.id"), nullable=False),
    sa.Column("title", sa.String(100)),
    sa.Column("since", sa.Date),
    sa.Column("until", sa.Date),
    sa.UniqueConstraint("contact_id", "account_id"),
    sa.Index("ix_affiliations_account", "account_id", "id"),
    takes=EVERYTHING,
    scope="parent",
    parent=lambda actor, writing: through_contact(actor, AFFILIATION.table.c.contact_id, writing),
)
"""A contact's further accounts; the first is `account_id` of the contact."""


def _other(tx: Tx, before: Record | None, values: dict[str, Any]) -> None:
    both = {**(before or {}), **values}
    if both.get("contact_id") == both.get("other_id"):
        raise InvalidInput("A contact has no relation to itself", field="other_id")


CONTACT_LINK: Entity = entity(
    "contact_links",
    sa.Column("contact_id", Id, sa.ForeignKey("contacts.id"), nullable=False),
    sa.Column("other_id", Id, sa.ForeignKey("contacts.id"), nullable=False),
    sa.Column("kind", sa.String(20), nullable=False),
    sa.Column("influence", sa.String(10)),
    sa.Column("note", sa.String(500)),
    sa.UniqueConstraint("contact_id", "other_id", "kind"),
    sa.Index("ix_contact_links_other", "other_id", "id"),
    enums={"kind": LINK_KINDS, "influence": INFLUENCES},
    personal=("note",),
    prepare=_other,
    takes=EVERYTHING,
    scope="parent",
    parent=lambda actor, writing: through_contact(actor, CONTACT_LINK.table.c.contact_id, writing),
)
"""`contact` reports to, influences, is the spouse of … `other`."""

STAKEHOLDER: Entity = entity(
    "stakeholders",
    sa.Column("opportunity_id", Id, sa.ForeignKey("opportunities.id"), nullable=False),
    sa.Column("contact_id", Id, sa.ForeignKey("contacts.id"), nullable=False),
    sa.Column("role", sa.String(20), nullable=False),
    sa.Column("influence", sa.String(10)),
    sa.Column("note", sa.String(500)),
    sa.UniqueConstraint("opportunity_id", "contact_id"),
    sa.Index("ix_stakeholders_contact", "contact_id", "id"),
    enums={"role": STAKEHOLDER_ROLES, "influence": INFLUENCES},
    personal=("note",),
    takes=EVERYTHING,
    scope="parent",
    parent=lambda actor, writing: through_opportunity(actor, STAKEHOLDER.table.c.opportunity_id, writing),
)
