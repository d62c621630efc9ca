"""`samvad user …`."""

from collections.abc import Sequence
from typing import cast

import sqlalchemy as sa

from bot.crm.api_key import keys_of, make_api_key, revoke_key
from bot.crm.leaving import deactivate
from bot.crm.user import USER, add_user, by_email, set_password, team_named
from bot.records.actor import Role
from bot.records.tx import Record, Tx


def add_or_equip(
    tx: Tx,
    email: str,
    role: str,
    *,
    name: str,
    team: str,
    password: str,
    api_key: bool,
    scopes: Sequence[str] = (),
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
    return user_id, make_api_key(tx, user_id, scopes=scopes) if api_key else None


def reset(tx: Tx, email: str, password: str) -> None:
    """A new password for the user of this address."""
    set_password(tx, by_email(tx, email)["id"], password)


def leave(tx: Tx, email: str, *, to: str, to_team: str) -> dict[str, int]:
    """Deactivate the user of this address and hand their work over."""
    heir = by_email(tx, to)["id"] if to else None
    team = team_named(tx, to_team) if to_team else None
    return deactivate(tx, by_email(tx, email)["id"], to_user=heir, to_team=team)


def keys(tx: Tx, email: str, revoke: str) -> list[Record]:
    """The keys of the user of this address, after one is revoked."""
    if revoke:
        revoke_key(tx, revoke)
    return keys_of(tx, by_email(tx, email)["id"])


def first_admin(tx: Tx, email: str, password: str) -> bool:
    """Make the first admin when there is no user yet; False when there is one."""
    if tx.row(sa.select(USER.table.c.id).limit(1)) is not None:
        return False
    add_user(tx, email, "admin", name="Admin", password=password)
    return True
