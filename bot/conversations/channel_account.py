"""Channel accounts: our side of a channel (a WhatsApp number, a mail address). Settings seed them."""

import sqlalchemy as sa

from bot.ids import new_id
from bot.records.entity import entity
from bot.records.tx import Tx, create

CHANNELS = ("webchat", "whatsapp", "sms", "telegram", "messenger", "instagram", "email", "voice")

CHANNEL_ACCOUNT = entity(
    "channel_accounts",
    sa.Column("adapter", sa.String(20), nullable=False),
    sa.Column("channel", sa.String(20), nullable=False),
    sa.Column("address", sa.String(320), nullable=False),
    sa.Column("active", sa.Boolean, nullable=False),
    # Credentials given in the console are sealed here; those of the settings stay in the settings.
    sa.Column("credentials", sa.Text),
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
