"""Staff: users with a role and perhaps a team; their passwords and console sessions."""

import hashlib
import secrets
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

import sqlalchemy as sa
from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError
from email_validator import EmailNotValidError, validate_email

from bot.crm.territory import territories_of
from bot.errors import Conflict, Forbidden, InvalidInput, NotFound, NotSignedIn
from bot.records.actor import ROLES, Actor, Role
from bot.records.entity import EVERYTHING, Entity, entity
from bot.records.keys import BUSINESS
from bot.records.tx import Record, Tx
from bot.records.write import create, update
from bot.storage import Id, Instant, metadata


def _guard_team(tx: Tx, row: Record) -> None:
    """A team with people in it stays."""
    table = USER.table
    member = sa.select(table.c.id).where(table.c.team_id == row["id"], table.c.active)
    if tx.execute(member.limit(1)).scalar() is not None:
        raise Conflict("This team still has members; move them first", reason="has_children")


TEAM: Entity = entity(
    "teams",
    sa.Column("name", sa.String(100), nullable=False, unique=True),
    scope="open",
    title="name",
    guard=_guard_team,
    takes=EVERYTHING,
)


def _prepare(tx: Tx, before: Record | None, values: dict[str, Any]) -> None:
    """An address in its one form, a name, a role that exists; one active admin stays."""
    if "email" in values:
        values["email"] = _clean_email(values["email"])
        known = sa.select(USER.table.c.id).where(USER.table.c.email == values["email"])
        if tx.row(known) is not None:
            raise Conflict(f"There is a user {values['email']} already", field="email")
    if "role" in values and values["role"] not in ROLES:
        raise InvalidInput(f"{values['role']!r} is no role; one of {', '.join(ROLES)}", field="role")
    require_admin_for(tx, values.get("role", ""))
    if before is not None:
        require_admin_for(tx, before["role"])
    if before is None:
        values["name"] = values.get("name") or values["email"].split("@")[0].replace(".", " ").title()
    elif before["role"] == "admin" and before["active"] and values.get("role", "admin") != "admin":
        require_another_admin(tx, before["id"])


def require_admin_for(tx: Tx, role: str) -> None:
    """Whoever else may change users: admins are made and changed by admins. Raises Forbidden."""
    if role == "admin" and tx.actor.kind == "user" and tx.actor.role != "admin":
        raise Forbidden("Only an admin may make or change an admin", field="role")


def require_another_admin(tx: Tx, user_id: str) -> None:
    """Raise Conflict unless somebody else is an active admin, too."""
    table = USER.table
    others = sa.select(table.c.id).where(
        table.c.role == "admin", table.c.active, table.c.deleted_at.is_(None), table.c.id != user_id
    )
    if tx.dialect == "postgresql":
        others = others.with_for_update()  # two admins who demote one another: the second is refused
    if tx.row(others) is None:
        raise Conflict("This is the last admin; make somebody else one first", field="role")


USER: Entity = entity(
    "users",
    sa.Column("email", sa.String(254), nullable=False, unique=True),
    sa.Column("name", sa.String(200), nullable=False),
    sa.Column("role", sa.String(20), nullable=False),
    sa.Column("team_id", Id, sa.ForeignKey("teams.id")),
    sa.Column("password_hash", sa.String(200)),
    sa.Column("active", sa.Boolean, nullable=False),
    sa.Column("seen_at", Instant),
    # Customers may book a visit with them: what stands in their calendar is busy.
    sa.Column("bookable", sa.Boolean, nullable=False),
    enums={"role": ROLES},
    internal=("password_hash",),
    computed=("active", "seen_at"),
    defaults={"name": "", "active": True, "bookable": False},
    scope="open",
    title="name",
    prepare=_prepare,
    takes=frozenset({"create", "update"}),
)
console_sessions = sa.Table(
    "console_sessions",
    metadata,
    sa.Column("digest", sa.String(64), primary_key=True),
    sa.Column("user_id", Id, sa.ForeignKey("users.id"), nullable=False, index=True),
    sa.Column("expires_at", Instant, nullable=False),
)
SESSION_LIFE = timedelta(days=14)
ONLINE_FOR = timedelta(minutes=2)
"""A staff member counts as online this long after their console last called."""
MIN_PASSWORD = 10
_hasher = PasswordHasher()
_NO_SUCH = _hasher.hash("no such user")  # checked against for unknown addresses, so that timing tells nothing


def _digest(secret: str) -> str:
    # Keys and session tokens carry 256 random bits: a plain hash keeps them as well as a slow one.
    return hashlib.sha256(secret.encode()).hexdigest()


def _clean_email(email: str) -> str:
    try:
        return validate_email(
            email.strip(), check_deliverability=False, test_environment=True
        ).normalized.lower()
    except EmailNotValidError as error:
        raise InvalidInput(f"{email!r} is not an e-mail address: {error}", field="email") from error


def hash_password(password: str) -> str:
    """argon2id: tens of milliseconds, so never in the event loop. Raises InvalidInput when short."""
    if len(password) < MIN_PASSWORD:
        raise InvalidInput(f"A password needs at least {MIN_PASSWORD} characters", field="password")
    return _hasher.hash(password)


def add_user(
    tx: Tx, email: str, role: Role, *, name: str = "", password: str | None = None, team: str | None = None
) -> str:
    """Add a staff member; returns the id. Raises InvalidInput, Conflict when the address is taken."""
    return create(
        tx,
        USER,
        {
            "email": email,
            "name": name,
            "role": role,
            "team_id": team_id(tx, team) if team else None,
            "password_hash": hash_password(password) if password else None,
        },
    )


def team_id(tx: Tx, name: str) -> str:
    """The team of this name, made when there is none."""
    there = sa.select(TEAM.table.c.id).where(TEAM.table.c.name == name, TEAM.table.c.deleted_at.is_(None))
    return tx.execute(there).scalar() or create(tx, TEAM, {"name": name})


def team_named(tx: Tx, name: str) -> str:
    """The id of a team there is. Raises NotFound."""
    there = sa.select(TEAM.table.c.id).where(TEAM.table.c.name == name, TEAM.table.c.deleted_at.is_(None))
    found = tx.execute(there).scalar()
    if found is None:
        raise NotFound(f"There is no team {name}")
    return str(found)


def by_email(tx: Tx, email: str) -> Record:
    """The user of this address. Raises NotFound."""
    row = tx.row(sa.select(USER.table).where(USER.table.c.email == _clean_email(email)))
    if row is None:
        raise NotFound(f"There is no user {email}. `samvad user add {email} --role agent` makes one.")
    return row


def set_password(tx: Tx, user_id: str, password: str) -> None:
    """Give a user a new password and end their console sessions."""
    row = tx.row(sa.select(USER.table).where(USER.table.c.id == user_id))
    if row is None:
        raise NotFound(f"No user {user_id}")
    require_admin_for(tx, row["role"])
    update(tx, USER, row, {"password_hash": hash_password(password)}, action="password_set")
    tx.execute(console_sessions.delete().where(console_sessions.c.user_id == user_id))


def actor_of(tx: Tx, row: Record, scopes: Sequence[str] | None = None) -> Actor:
    """The user of this row, as who they act; `scopes` are those of the key they came with."""
    return Actor(
        "user",
        id=row["id"],
        role=row["role"],
        team_id=row["team_id"],
        name=row["name"],
        territory_ids=territories_of(tx, row["id"]),
        scopes=None if scopes is None else frozenset(scopes),
        access=tx.schema.access,
    )


def actor_by_id(tx: Tx, user_id: str) -> Actor:
    """A user as who acts, for what is done in their name. Raises NotFound, and Forbidden for a user who is
    not active any more."""
    row = tx.row(sa.select(USER.table).where(USER.table.c.id == user_id, USER.table.c.deleted_at.is_(None)))
    if row is None:
        raise NotFound("There is no such user")
    if not row["active"]:
        raise Forbidden(f"{row['name']} is not active any more: give the rule another user")
    return actor_of(tx, row)


def check_password(password_hash: str | None, password: str) -> bool:
    """Whether the password is right; as slow for an unknown user as for a wrong password."""
    try:
        return _hasher.verify(password_hash or _NO_SUCH, password) and password_hash is not None
    except (VerificationError, InvalidHashError):
        return False


def for_sign_in(tx: Tx, email: str) -> Record | None:
    """The active user of this address with their password's hash; None for an unknown one."""
    table = USER.table
    return tx.row(sa.select(table).where(table.c.email == email.strip().lower(), table.c.active))


def open_session(tx: Tx, user_id: str) -> str:
    """A console session's token, after `check_password`, which is slow and stays outside transactions."""
    token = secrets.token_urlsafe(32)
    row = {"digest": _digest(token), "user_id": user_id, "expires_at": tx.now + SESSION_LIFE}
    tx.execute(console_sessions.delete().where(console_sessions.c.expires_at < tx.now))
    tx.execute(console_sessions.insert(), row)
    tx.event(USER, user_id, "signed_in")
    return token


def actor_for_session(tx: Tx, token: str) -> Actor:
    """Who is signed in with this token. Raises NotSignedIn when the session ended."""
    statement = (
        sa.select(USER.table)
        .join(console_sessions, console_sessions.c.user_id == USER.table.c.id)
        .where(
            console_sessions.c.digest == _digest(token),
            console_sessions.c.expires_at > tx.now,
            USER.table.c.active,
        )
    )
    row = tx.row(statement) if token else None
    if row is None:
        raise NotSignedIn("Please sign in.")
    return actor_of(tx, row)


def sign_out(tx: Tx, token: str) -> None:
    """End a console session."""
    this = console_sessions.c.digest == _digest(token)
    user_id = tx.execute(sa.select(console_sessions.c.user_id).where(this)).scalar()
    if user_id is not None:
        tx.execute(console_sessions.delete().where(this))
        tx.event(USER, user_id, "signed_out")


def log_failure(tx: Tx, user_id: str | None) -> None:
    """Somebody tried to sign in with a wrong password, or (None) as a user there is not: both are written, so
    that both take the same time."""
    tx.event(USER, user_id or BUSINESS, "sign_in_failed")


def mark_seen(tx: Tx, user_id: str) -> None:
    """Their console is open. No event: presence is not a change of a record."""
    tx.execute(USER.table.update().where(USER.table.c.id == user_id).values(seen_at=tx.now))


def agents_online(tx: Tx) -> bool:
    """Whether anyone who can take a conversation has a console open."""
    since: datetime = tx.now - ONLINE_FOR
    return tx.row(_online, {"since": since}) is not None


_online = (
    sa.select(USER.table.c.id)
    .where(
        USER.table.c.seen_at > sa.bindparam("since", type_=Instant),
        USER.table.c.active,
        USER.table.c.role.in_(("agent", "rep", "manager", "admin")),
    )
    .limit(1)
)


def staff_to_tell(tx: Tx, roles: tuple[str, ...]) -> list[Record]:
    """Active users of these roles, for notifications."""
    table = USER.table
    return list(tx.rows(sa.select(table).where(table.c.active, table.c.role.in_(roles)).order_by(table.c.id)))
