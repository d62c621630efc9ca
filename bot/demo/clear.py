"""`samvad demo remove`: takes away every row that hangs on the demo's customers, and nothing else."""

import re
from collections.abc import Iterable
from dataclasses import fields

import sqlalchemy as sa

from bot.conversations.channel_account import CHANNEL_ACCOUNT
from bot.conversations.conversation import CONVERSATION
from bot.conversations.lane import lanes
from bot.conversations.message import messages
from bot.crm.account import ACCOUNT
from bot.crm.activity import ACTIVITY
from bot.crm.case import CASE
from bot.crm.contact import CONTACT, IDENTITY
from bot.crm.lead import LEAD
from bot.crm.notification import NOTIFICATION
from bot.demo.play import ADAPTER
from bot.demo.script import Counts, load_script
from bot.records.events import events
from bot.records.numbers import FIRST, counters
from bot.records.tx import Tx
from bot.storage import metadata

# A row goes when one of these columns names something that goes. Not among them: what merely points at a
# demo record and belongs to somebody else, such as a real contact's account.
_THROUGH = (
    "id",
    "contact_id",
    "conversation_id",
    "lane_id",
    "found_id",
    "record_id",
    "about_id",
    "subject_id",
    "channel_account_id",
    "activity_id",
    "file_id",
)
_ID = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")


def remove(tx: Tx) -> Counts:
    """Delete the demo's contacts and all that is theirs: also what was written since they were added."""
    tx.require("delete", "contacts")
    tx.flush()
    contacts = _ids(tx, CONTACT.table, CONTACT.table.c.demo)
    gone = set(contacts)
    for table in (CONVERSATION.table, CASE.table, LEAD.table, ACTIVITY.table, IDENTITY.table, lanes):
        gone.update(_ids(tx, table, table.c.contact_id.in_(contacts)))
    gone.update(_accounts(tx, contacts))
    gone.update(_channel_accounts(tx, gone))
    gone.update(_notifications(tx, gone))
    _rewind_numbers(tx, CASE.name, CASE.table, contacts)
    _rewind_numbers(tx, LEAD.name, LEAD.table, contacts)
    _message_events(tx, contacts)
    deleted = {table.name: _delete(tx, table, gone) for table in reversed(metadata.sorted_tables)}
    for contact in contacts:
        tx.keys.destroy(contact)
    return Counts(**{field.name: deleted[field.name] for field in fields(Counts)})


def _ids(tx: Tx, table: sa.Table, condition: sa.ColumnElement[bool]) -> list[str]:
    return list(tx.execute(sa.select(table.c.id).where(condition)).scalars())


def _delete(tx: Tx, table: sa.Table, gone: Iterable[str]) -> int:
    hangs = [table.c[name].in_(gone) for name in _THROUGH if name in table.c]
    return tx.execute(table.delete().where(sa.or_(*hangs))).rowcount if hangs else 0


def _message_events(tx: Tx, contacts: list[str]) -> None:
    """Events of messages that do not name the contact."""
    theirs = sa.select(messages.c.id).where(messages.c.contact_id.in_(contacts))
    tx.execute(events.delete().where(events.c.record_id.in_(theirs)))


def _accounts(tx: Tx, contacts: list[str]) -> list[str]:
    """The demo's companies, but for those that a real contact was put into."""
    table, people = ACCOUNT.table, CONTACT.table
    of_others = sa.select(people.c.account_id).where(
        people.c.account_id.is_not(None), people.c.id.not_in(contacts)
    )
    return _ids(tx, table, table.c.domain.in_(load_script().accounts) & table.c.id.not_in(of_others))


def _channel_accounts(tx: Tx, gone: set[str]) -> list[str]:
    table = CHANNEL_ACCOUNT.table
    of_others = sa.select(lanes.c.channel_account_id).where(lanes.c.id.not_in(gone))
    return _ids(tx, table, (table.c.adapter == ADAPTER) & table.c.id.not_in(of_others))


def _notifications(tx: Tx, gone: set[str]) -> list[str]:
    """What staff were told about demo records: the link says which."""
    table = NOTIFICATION.table
    rows = tx.execute(sa.select(table.c.id, table.c.link))
    return [row.id for row in rows if gone.intersection(_ID.findall(row.link))]


def _rewind_numbers(tx: Tx, series: str, table: sa.Table, contacts: list[str]) -> None:
    """Begin the count anew if every number given so far was the demo's; else numbers stay used up."""
    given = tx.execute(sa.select(counters.c.value).where(counters.c.name == series)).scalar()
    of_demo = sa.select(sa.func.count()).select_from(table).where(table.c.contact_id.in_(contacts))
    if given is not None and tx.execute(of_demo).scalar() == given - FIRST + 1:
        tx.execute(counters.delete().where(counters.c.name == series))
