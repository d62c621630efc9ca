"""Rows whose id is one of many, in a statement that is the same for any number of them."""

import json
from collections.abc import Iterable
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import ARRAY


def among(column: sa.ColumnElement[Any], name: str, dialect: str) -> sa.ColumnElement[bool]:
    """The condition that the column is one of the ids bound as `name`, which `ids` writes."""
    if dialect == "sqlite":
        given = sa.func.json_each(sa.bindparam(name, type_=sa.Text)).table_valued("value")
        return column.in_(sa.select(given.c.value))
    bound: sa.BindParameter[Any] = sa.bindparam(name, type_=ARRAY(sa.Text))
    return column == sa.any_(sa.cast(bound, ARRAY(sa.Uuid(as_uuid=False))))


def ids(values: Iterable[str], dialect: str) -> Any:
    """Ids as `among` takes them."""
    return json.dumps(list(values)) if dialect == "sqlite" else list(values)
