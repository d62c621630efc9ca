"""The customer panel: who they are, what is open, what they allowed."""

from dataclasses import dataclass

import sqlalchemy as sa

from bot.conversations.conversation import get_conversation
from bot.conversations.lane import lanes
from bot.crm.activity import ACTIVITY
from bot.crm.case import CASE
from bot.crm.consent import CONSENT
from bot.crm.contact import CONTACT, identities_of
from bot.crm.lead import LEAD
from bot.crm.lead import OPEN as OPEN_LEAD
from bot.records.entity import Entity
from bot.records.permissions import allowed, row_filter
from bot.records.tx import Record, Tx

_activity = ACTIVITY.table.c
_CALL_OR_TO_DO = sa.or_(
    _activity.kind == "call", sa.and_(_activity.kind == "task", _activity.done_at.is_(None))
)


@dataclass(frozen=True, slots=True)
class Customer:
    """What an agent sees beside the thread."""

    conversation: Record
    contact: Record
    identities: list[tuple[str, str, bool]]
    cases: list[Record]
    leads: list[Record]
    activities: list[Record]
    consents: list[Record]
    stopped: bool


def read_customer(tx: Tx, conversation_id: str) -> Customer:
    """The panel of a conversation the actor may see. Raises NotFound, Forbidden."""
    conversation = get_conversation(tx, conversation_id)
    contact_id = conversation["contact_id"]
    contact = tx.row(sa.select(CONTACT.table).where(CONTACT.table.c.id == contact_id))
    assert contact is not None
    stopped = tx.execute(sa.select(lanes.c.stopped_at).where(lanes.c.id == conversation["lane_id"])).scalar()
    return Customer(
        conversation=conversation,
        contact=contact,
        identities=identities_of(tx, contact_id),
        cases=_of(tx, CASE, contact_id, CASE.table.c.status.not_in(("resolved", "closed"))),
        leads=_of(tx, LEAD, contact_id, LEAD.table.c.status.in_(OPEN_LEAD)),
        activities=_of(tx, ACTIVITY, contact_id, _CALL_OR_TO_DO),
        consents=_consents(tx, contact_id),
        stopped=stopped is not None,
    )


def _of(tx: Tx, kind: Entity, contact_id: str, condition: sa.ColumnElement[bool]) -> list[Record]:
    """The contact's open records of a kind that the actor may see, newest first."""
    if not allowed(tx.actor, "read", kind.name):
        return []
    table = kind.table
    statement = sa.select(table).where(
        table.c.contact_id == contact_id, condition, table.c.deleted_at.is_(None)
    )
    mine = row_filter(tx.actor, kind)
    if mine is not None:
        statement = statement.where(mine)
    return tx.rows(statement.order_by(table.c.id.desc()).limit(10))


def _consents(tx: Tx, contact_id: str) -> list[Record]:
    """The newest entry of the ledger for each channel."""
    if not allowed(tx.actor, "read", "consents"):
        return []
    table = CONSENT.table
    newest = (
        sa.select(sa.func.max(table.c.created_at))
        .where(table.c.contact_id == contact_id)
        .group_by(table.c.channel)
    )
    statement = sa.select(table).where(table.c.contact_id == contact_id, table.c.created_at.in_(newest))
    return tx.rows(statement.order_by(table.c.channel))
