"""Who the site says its visitor is: a short token that the site's server signs with our shared secret.

A JSON Web Token, HS256, with `sub` (the site's own id of the user) and `exp`; `name`, `email`, `phone` where
known. The site vouches for them, so they count as proved: docs/widget.md tells it what that means.
"""

import hashlib
from dataclasses import dataclass, replace
from typing import Any
from urllib.parse import quote, unquote

import jwt
import sqlalchemy as sa

from bot.crm.address import normal_email, normal_phone
from bot.crm.contact import IDENTITY
from bot.errors import NotSignedIn
from bot.messages import Identity, clean
from bot.records.tx import Tx

_TOKEN_LIMIT, _ID_LIMIT, _NAME_LIMIT = 4000, 200, 200
_LEEWAY_S = 30
_identity = IDENTITY.table
_newest_visitor = (
    sa.select(_identity.c.value)
    .where(
        _identity.c.kind == "webchat",
        _identity.c.value >= sa.bindparam("first"),
        _identity.c.value < sa.bindparam("beyond"),
        _identity.c.verified,
    )
    .order_by(_identity.c.id.desc())
    .limit(1)
)
_itself = _identity.alias("itself")
_users_of = (
    sa.select(_identity.c.value)
    .join(_itself, _itself.c.contact_id == _identity.c.contact_id)
    .where(
        _itself.c.kind == "webchat",
        _itself.c.value == sa.bindparam("visitor"),
        _itself.c.verified,
        _identity.c.kind == "webchat",
        _identity.c.verified,
    )
)


@dataclass(frozen=True, slots=True)
class User:
    """A signed-in user of the site. `addresses` are proved: the site's server vouched for them. `expired`: it
    did so too long ago to let anybody in anew."""

    id: str
    name: str
    addresses: tuple[Identity, ...]
    expired: bool = False

    @property
    def mark(self) -> str:
        """What a visitor's token is bound to."""
        return _mark(self.id)

    @property
    def digest(self) -> str:
        """Another one whenever the site says something else of this user."""
        return hashlib.sha256(repr((self.id, self.name, self.addresses)).encode()).hexdigest()[:16]

    def as_visitor(self, visitor: str) -> Identity:
        """That this user writes as `visitor`."""
        return Identity("webchat", f"user:{quote(self.id, safe='')}:{visitor}", verified=True)


def _mark(user_id: str) -> str:
    return hashlib.sha256(user_id.encode()).hexdigest()[:32]


def read_user(token: object, secret: str, country: str) -> User | None:
    """The user a site's token names; None for no token. Raises NotSignedIn with the `reason` for the page's
    console: `off`, `invalid`."""
    if token is None or token == "":
        return None
    if not secret:
        raise NotSignedIn("SAMVAD_WIDGET_SECRET is not set", reason="off")
    if not isinstance(token, str) or len(token) > _TOKEN_LIMIT:
        raise NotSignedIn("That is no token", reason="invalid")
    try:
        try:
            return _user(_claims(token, secret), country)
        except jwt.ExpiredSignatureError:
            user = _user(_claims(token, secret, verify_exp=False), country)
            return replace(user, addresses=(), expired=True)
    except (jwt.PyJWTError, ValueError) as error:
        raise NotSignedIn("The site's token is not signed as it should be", reason="invalid") from error


def _claims(token: str, secret: str, *, verify_exp: bool = True) -> dict[str, Any]:
    claims: dict[str, Any] = jwt.decode(
        token,
        secret,
        algorithms=["HS256"],
        leeway=_LEEWAY_S,
        options={
            "require": ["exp", "sub"],
            "verify_exp": verify_exp,
            "verify_sub": False,
            "verify_aud": False,
        },
    )
    return claims


def _user(claims: dict[str, Any], country: str) -> User:
    subject = claims["sub"]
    user_id = clean(str(subject)).strip() if isinstance(subject, str | int) else ""
    if not user_id or len(quote(user_id, safe="")) > _ID_LIMIT:
        raise NotSignedIn(f"`sub` must be a text of 1 to {_ID_LIMIT} characters", reason="invalid")
    addresses = []
    if (email := normal_email(_claim(claims, "email"))) is not None:
        addresses.append(Identity("email", email, verified=True))
    if (phone := normal_phone(_claim(claims, "phone"), country)) is not None:
        addresses.append(Identity("phone", phone, verified=True))
    return User(user_id, _claim(claims, "name")[:_NAME_LIMIT], tuple(addresses))


def _claim(claims: dict[str, Any], name: str) -> str:
    value = claims.get(name)
    return clean(value).strip() if isinstance(value, str) else ""


def visitor_of(tx: Tx, user: User) -> str | None:
    """The visitor this user last was, in whichever browser."""
    first = user.as_visitor("").value
    found = tx.execute(_newest_visitor, {"first": first, "beyond": first[:-1] + ";"}).scalar()
    return found.rpartition(":")[2] if found else None


def users_of(tx: Tx, visitor: str) -> set[str]:
    """The marks of the users who signed in as this visitor; a token from before that opens it no more."""
    values = tx.execute(_users_of, {"visitor": visitor}).scalars()
    named = (value.split(":") for value in values if value.startswith("user:"))
    return {_mark(unquote(user)) for _, user, one in named if one == visitor}
