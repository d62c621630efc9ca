"""`samvad user …`."""

from typing import cast

import sqlalchemy as sa

from bot.crm.user import USER, add_user, by_email, make_api_key, set_password
from bot.records.actor import Role
from bot.records.tx import Tx


def add_or_equip(
    tx: Tx, email: str, role: str, *, name: str, team: str, password: str, api_key: bool
) -> tuple[str, str | None]:
    """Add the user unless they are there; then give them what was asked for. Returns (id, key)."""
    known = tx.row(sa.select(USER.table.c.id).where(USER.table.c.email == email.strip().lower()))
    if known is None or not (api_key or password):
        user_id = add_user(
            tx, email, cast(Role, role), name=name, team=team or None, password=password or None
        )
    else:
        user_id = known["id"]
        if password:
            set_password(tx, user_id, password)
    return user_id, make_api_key(tx, user_id) if api_key else None


def reset(tx: Tx, email: str, password: str) -> None:
    """A new password for the user of this address."""
    set_password(tx, by_email(tx, email)["id"], password)


def first_admin(tx: Tx, email: str, password: str) -> bool:
    """Make the first admin when there is no user yet; False when there is one."""
    if tx.row(sa.select(USER.table.c.id).limit(1)) is not None:
        return False
    add_user(tx, email, "admin", name="Admin", password=password)
    return True
