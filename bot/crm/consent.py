"""The consent ledger: what a customer allowed or forbade on a channel, in which words, and when."""

import sqlalchemy as sa

from bot.crm.contact import through_contact
from bot.records.entity import Entity, entity
from bot.records.tx import Record, Tx
from bot.records.write import create
from bot.storage import Id

CONSENT_STATES = ("given", "withdrawn")

CONSENT: Entity = entity(
    "consents",
    sa.Column("contact_id", Id, sa.ForeignKey("contacts.id"), nullable=False, index=True),
    sa.Column("channel", sa.String(20), nullable=False),
    sa.Column("purpose", sa.String(20), nullable=False),
    sa.Column("state", sa.String(10), nullable=False),
    sa.Column("how", sa.String(40), nullable=False),
    sa.Column("words", sa.Text, nullable=False),
    enums={"state": CONSENT_STATES},
    personal=("words",),
    scope="parent",
    parent=lambda actor, writing: through_contact(actor, CONSENT.table.c.contact_id, writing),
)


def last_consent(tx: Tx, contact_id: str, channel: str) -> Record | None:
    """The newest entry of a contact on a channel."""
    table = CONSENT.table
    mine = sa.select(table).where(table.c.contact_id == contact_id, table.c.channel == channel)
    return tx.row(mine.order_by(table.c.id.desc()).limit(1))


def record_consent(tx: Tx, contact_id: str, channel: str, state: str, *, how: str, words: str) -> str:
    """Append to the ledger; earlier entries stay as proof."""
    values = {"contact_id": contact_id, "channel": channel, "purpose": "all", "state": state}
    return create(tx, CONSENT, {**values, "how": how, "words": words[:2000]})
