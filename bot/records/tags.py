"""Tags: words on a main record. The record holds them; the table beside it is their index."""

from collections.abc import Iterable

import sqlalchemy as sa

from bot.records.entity import Entity
from bot.records.tx import Tx
from bot.storage import Id, metadata

taggings = sa.Table(
    "taggings",
    metadata,
    sa.Column("record_id", Id, primary_key=True),
    sa.Column("tag", sa.String(60), primary_key=True),
    sa.Column("entity", sa.String(40), nullable=False),
    sa.Index("ix_taggings_tag", "entity", "tag", "record_id"),
)


def keep(tx: Tx, entity: Entity, record_id: str, tags: Iterable[str]) -> None:
    """Write the index of a record's tags anew."""
    tx.execute(taggings.delete().where(taggings.c.record_id == record_id))
    rows = [{"record_id": record_id, "tag": tag, "entity": entity.name} for tag in tags]
    if rows:
        tx.execute(taggings.insert(), rows)
