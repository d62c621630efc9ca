"""Channel accounts: our side of a channel (a WhatsApp number, a mail address). Settings seed them, or the
console connects them."""

from collections.abc import Mapping, Sequence

import sqlalchemy as sa

from bot.ids import new_id
from bot.records.entity import entity
from bot.records.tx import Record, Tx
from bot.records.write import create, update
from bot.storage import Instant

QUARANTINE = "quarantine"
"""The address under which signed bodies lie that nobody could read."""
CHANNELS = ("webchat", "whatsapp", "sms", "telegram", "messenger", "instagram", "email", "voice")

CHANNEL_ACCOUNT = entity(
    "channel_accounts",
    sa.Column("adapter", sa.String(20), nullable=False),
    sa.Column("channel", sa.String(20), nullable=False),
    sa.Column("address", sa.String(320), nullable=False),
    sa.Column("active", sa.Boolean, nullable=False),
    # Credentials given in the console are sealed here; those of the settings stay in the settings.
    # One set an adapter, in the row of its first address.
    sa.Column("credentials", sa.Text),
    # What the provider last said no to, and when: written once a minute at most.
    sa.Column("last_error", sa.Text),
    sa.Column("last_error_at", Instant),
    sa.UniqueConstraint("adapter", "channel", "address"),
    enums={"channel": CHANNELS},
    internal=("credentials",),
    scope="open",
)


def ensure_account(tx: Tx, adapter: str, channel: str, address: str) -> str:
    """The id of this account, made on first sight (a provider's signature proved that it is ours)."""
    table = CHANNEL_ACCOUNT.table
    known = tx.row(
        sa.select(table.c.id).where(
            table.c.adapter == adapter, table.c.channel == channel, table.c.address == address
        )
    )
    if known is not None:
        return str(known["id"])
    values = {"id": new_id(), "adapter": adapter, "channel": channel, "address": address, "active": True}
    return create(tx, CHANNEL_ACCOUNT, values)


def all_accounts(tx: Tx) -> dict[str, tuple[str, str, str]]:
    """id -> (adapter, channel, our address)."""
    table = CHANNEL_ACCOUNT.table
    rows = tx.execute(sa.select(table.c.id, table.c.adapter, table.c.channel, table.c.address))
    return {row.id: (row.adapter, row.channel, row.address) for row in rows}


def accounts_of(tx: Tx, adapter: str) -> list[Record]:
    """All rows of an adapter, oldest first."""
    table = CHANNEL_ACCOUNT.table
    return tx.rows(sa.select(table).where(table.c.adapter == adapter).order_by(table.c.id))


def seed_account(tx: Tx, adapter: str, channel: str, address: str) -> None:
    """An account that the settings name: there, and in use."""
    account_id = ensure_account(tx, adapter, channel, address)
    tx.flush()
    table = CHANNEL_ACCOUNT.table
    tx.execute(table.update().where(table.c.id == account_id, ~table.c.active).values(active=True))


def _use_accounts(tx: Tx, adapter: str, accounts: Sequence[tuple[str, str]], credentials: str | None) -> None:
    """Make these (channel, address) the adapter's own: of its others none is written from any more."""
    action = "connected" if accounts else "disconnected"
    for channel, address in accounts:
        ensure_account(tx, adapter, channel, address)
    for row in accounts_of(tx, adapter):
        here = (row["channel"], row["address"])
        first = bool(accounts) and here == tuple(accounts[0])
        values = {"active": here in accounts, "credentials": credentials if first else None}
        if row["address"] == QUARANTINE:
            continue
        update(tx, CHANNEL_ACCOUNT, row, values, action=action)


def connect(tx: Tx, adapter: str, accounts: Sequence[tuple[str, str]], values: Mapping[str, str]) -> None:
    """Keep an adapter's credentials, sealed; every process is told to take them up."""
    tx.require("update", "channel_accounts")
    sealed = tx.keys.seal_values(_subject(adapter), values)
    _use_accounts(tx, adapter, accounts, sealed)
    _clear_errors(tx, adapter)
    tx.notify("channels", adapter)


def disconnect(tx: Tx, adapter: str) -> None:
    """Forget an adapter's credentials: the channel is off. What was said on it stays."""
    tx.require("update", "channel_accounts")
    _use_accounts(tx, adapter, (), None)
    _clear_errors(tx, adapter)
    tx.notify("channels", adapter)


def connected(tx: Tx) -> dict[str, str]:
    """adapter -> sealed credentials, of what the console connected."""
    table = CHANNEL_ACCOUNT.table
    statement = sa.select(table.c.adapter, table.c.credentials).where(table.c.credentials.is_not(None))
    return {row.adapter: row.credentials for row in tx.execute(statement)}


def unsealed(tx: Tx, adapter: str, sealed: str) -> dict[str, str]:
    """Credentials as they were given. Raises ConfigurationInvalid when our secret is another by now."""
    return {name: str(value) for name, value in tx.keys.unseal_values(_subject(adapter), sealed).items()}


def note_error(tx: Tx, account_id: str, error: str) -> None:
    """Remember what the provider said. No event: it is a state of the line, not a change of ours."""
    table = CHANNEL_ACCOUNT.table
    statement = table.update().where(table.c.id == account_id)
    tx.execute(statement.values(last_error=error[:500], last_error_at=tx.now))


def _clear_errors(tx: Tx, adapter: str) -> None:
    table = CHANNEL_ACCOUNT.table
    statement = table.update().where(table.c.adapter == adapter)
    tx.execute(statement.values(last_error=None, last_error_at=None))


def _subject(adapter: str) -> str:
    return f"channel {adapter}"
