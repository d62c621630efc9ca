"""Staff: users with a role and perhaps a team; their passwords, API keys and console sessions."""

import hashlib
import secrets
from datetime import datetime, timedelta
from functools import lru_cache

import sqlalchemy as sa
from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError
from email_validator import EmailNotValidError, validate_email

from bot.crm.territory import territories_of
from bot.errors import Conflict, Forbidden, InvalidInput, NotFound, NotSignedIn
from bot.ids import new_id
from bot.records.actor import ROLES, Actor, Role
from bot.records.entity import entity
from bot.records.tx import Record, Tx
from bot.records.write import create, update
from bot.storage import Id, Instant, metadata

TEAM = entity("teams", sa.Column("name", sa.String(100), nullable=False, unique=True), scope="open")
USER = entity(
    "users",
    sa.Column("email", sa.String(254), nullable=False, unique=True),
    sa.Column("name", sa.String(200), nullable=False),
    sa.Column("role", sa.String(20), nullable=False),
    sa.Column("team_id", Id, sa.ForeignKey("teams.id")),
    sa.Column("password_hash", sa.String(200)),
    sa.Column("active", sa.Boolean, nullable=False),
    sa.Column("seen_at", Instant),
    enums={"role": ROLES},
    internal=("password_hash",),
    scope="open",
)
api_keys = sa.Table(
    "api_keys",
    metadata,
    sa.Column("id", Id, primary_key=True),
    sa.Column("user_id", Id, sa.ForeignKey("users.id"), nullable=False, index=True),
    sa.Column("digest", sa.String(64), nullable=False, unique=True),
    sa.Column("created_at", Instant, nullable=False),
    sa.Column("revoked_at", Instant),
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
    if role not in ROLES:
        raise InvalidInput(f"{role!r} is no role; one of {', '.join(ROLES)}", field="role")
    address = _clean_email(email)
    if tx.row(sa.select(USER.table.c.id).where(USER.table.c.email == address)):
        raise Conflict(f"There is a user {address} already", field="email")
    return create(
        tx,
        USER,
        {
            "email": address,
            "name": name or address.split("@")[0].replace(".", " ").title(),
            "role": role,
            "team_id": team_id(tx, team) if team else None,
            "password_hash": hash_password(password) if password else None,
            "active": True,
        },
    )


def team_id(tx: Tx, name: str) -> str:
    """The team of this name, made when there is none."""
    found = tx.row(sa.select(TEAM.table.c.id).where(TEAM.table.c.name == name))
    return found["id"] if found else create(tx, TEAM, {"name": name})


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
    update(tx, USER, row, {"password_hash": hash_password(password)}, action="password_set")
    tx.execute(console_sessions.delete().where(console_sessions.c.user_id == user_id))


def make_api_key(tx: Tx, user_id: str) -> str:
    """A new key for the REST API; only its hash is kept, so this is the one time it is seen."""
    key = f"samvad_{secrets.token_urlsafe(32)}"
    tx.execute(
        api_keys.insert(),
        {
            "id": new_id(),
            "user_id": user_id,
            "digest": _digest(key),
            "created_at": tx.now,
            "revoked_at": None,
        },
    )
    return key


def _actor(tx: Tx, row: Record) -> Actor:
    return Actor(
        "user",
        id=row["id"],
        role=row["role"],
        team_id=row["team_id"],
        name=row["name"],
        territory_ids=territories_of(tx, row["id"]),
        access=tx.schema.access,
    )


def actor_of(tx: Tx, user_id: str) -> Actor:
    """A user as who acts, for what is done in their name. Raises NotFound, and Forbidden for a user who is
    not active any more."""
    row = tx.row(sa.select(USER.table).where(USER.table.c.id == user_id, USER.table.c.deleted_at.is_(None)))
    if row is None:
        raise NotFound("There is no such user")
    if not row["active"]:
        raise Forbidden(f"{row['name']} is not active any more: give the rule another user")
    return _actor(tx, row)


@lru_cache
def _by_key() -> sa.Select[tuple[object, ...]]:
    return (
        sa.select(USER.table)
        .join(api_keys, api_keys.c.user_id == USER.table.c.id)
        .where(
            api_keys.c.digest == sa.bindparam("digest"),
            api_keys.c.revoked_at.is_(None),
            USER.table.c.active,
        )
    )


def actor_for_key(tx: Tx, key: str) -> Actor:
    """Who holds this API key. Raises NotSignedIn for a forged, revoked or missing one."""
    row = tx.row(_by_key(), {"digest": _digest(key)}) if key else None
    if row is None:
        raise NotSignedIn(
            "Send `Authorization: Bearer KEY`; `samvad user add EMAIL --role ROLE --api-key` makes a key."
        )
    return _actor(tx, row)


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
    return _actor(tx, row)


def sign_out(tx: Tx, token: str) -> None:
    """End a console session."""
    tx.execute(console_sessions.delete().where(console_sessions.c.digest == _digest(token)))


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
