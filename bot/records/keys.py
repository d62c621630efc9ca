"""Keys of the event log: one per contact, so that destroying a key erases a person from a log that nobody
rewrites. Kept in a database of their own and committed before what they seal.
"""

import base64
import json
import os
import threading
from collections import OrderedDict
from collections.abc import Collection, Mapping
from typing import Any

import sqlalchemy as sa
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from bot.errors import ConfigurationInvalid
from bot.storage.database import Database, dump_json
from bot.storage.upsert import insert

BUSINESS = "00000000-0000-0000-0000-000000000000"
"""Seals personal values of records that belong to no contact."""

_metadata = sa.MetaData()
_keys = sa.Table(
    "keys",
    _metadata,
    sa.Column("subject", sa.String(36), primary_key=True),
    sa.Column("wrapped", sa.LargeBinary, nullable=False),
)
_by_subject = sa.select(_keys.c.wrapped).where(_keys.c.subject == sa.bindparam("subject"))
_by_subjects = sa.select(_keys.c.subject, _keys.c.wrapped).where(
    _keys.c.subject.in_(sa.bindparam("subjects", expanding=True))
)
_CACHE = 10_000


def derive(secret: bytes, purpose: str) -> bytes:
    """A 32-byte key for one purpose from the secret (HKDF-SHA256, RFC 5869)."""
    return HKDF(hashes.SHA256(), 32, salt=b"samvad", info=purpose.encode()).derive(secret)


def seal(key: bytes, plain: bytes, context: bytes = b"") -> bytes:
    """Encrypt and authenticate (AES-256-GCM, 12-byte random nonce in front)."""
    nonce = os.urandom(12)
    return nonce + AESGCM(key).encrypt(nonce, plain, context)


def unseal(key: bytes, sealed: bytes, context: bytes = b"") -> bytes:
    """The inverse of `seal`. Raises ConfigurationInvalid when the key is not the one that sealed it."""
    try:
        return AESGCM(key).decrypt(sealed[:12], sealed[12:], context)
    except InvalidTag as error:
        raise ConfigurationInvalid(
            "Sealed data cannot be read: SAMVAD_SECRET_KEY is not the one this data was written with."
        ) from error


class KeyRing:
    """Makes, keeps and destroys the log's keys."""

    def __init__(self, database: Database, secret: bytes) -> None:
        """`database` is the keys' own, never the one that holds the log."""
        self._database = database
        self._wrapping = derive(secret, "log keys")
        self._cache: OrderedDict[str, bytes] = OrderedDict()
        self._lock = threading.Lock()
        self._add = insert(_keys, database.dialect).on_conflict_do_nothing()

    def create_schema(self) -> None:
        """Make the table on first start."""
        with self._database.write() as connection:
            _metadata.create_all(connection)

    def ensure(self, subject: str) -> bytes:
        """The subject's key, made and committed if it has none."""
        with self._lock:
            if found := self._cache.get(subject):
                self._cache.move_to_end(subject)
                return found
        fresh = os.urandom(32)
        sealed = seal(self._wrapping, fresh, subject.encode())
        with self._database.write() as connection:
            made = connection.execute(self._add, {"subject": subject, "wrapped": sealed}).rowcount
        key = fresh if made == 1 else self.find(subject)
        assert key is not None
        self._remember(subject, key)
        return key

    def find(self, subject: str) -> bytes | None:
        """The subject's key, None once it was destroyed."""
        with self._lock:
            if found := self._cache.get(subject):
                return found
        with self._database.read() as connection:
            wrapped = connection.execute(_by_subject, {"subject": subject}).scalar()
        if wrapped is None:
            return None
        key = unseal(self._wrapping, bytes(wrapped), subject.encode())
        self._remember(subject, key)
        return key

    def find_all(self, subjects: Collection[str]) -> frozenset[str]:
        """Which of these subjects still have their key; one statement for those not known yet."""
        with self._lock:
            known = {subject for subject in subjects if subject in self._cache}
        if missing := [subject for subject in subjects if subject not in known]:
            with self._database.read() as connection:
                for subject, wrapped in connection.execute(_by_subjects, {"subjects": missing}):
                    self._remember(subject, unseal(self._wrapping, bytes(wrapped), subject.encode()))
                    known.add(subject)
        return frozenset(known)

    def destroy(self, subject: str) -> None:
        """Erase: what this key sealed can never be read again."""
        with self._database.write() as connection:
            connection.execute(_keys.delete().where(_keys.c.subject == subject))
        with self._lock:
            self._cache.pop(subject, None)

    def seal_values(self, subject: str, values: Mapping[str, Any]) -> str:
        """Personal values of one change, as one opaque text."""
        sealed = seal(self.ensure(subject), dump_json(values).encode(), subject.encode())
        return base64.b64encode(sealed).decode()

    def unseal_values(self, subject: str, text: str) -> dict[str, Any]:
        """What `seal_values` sealed. Raises ConfigurationInvalid when its key is gone or another."""
        key, sealed = self.find(subject), base64.b64decode(text)
        if key is None:
            raise ConfigurationInvalid("Sealed data cannot be read: its key is not there. Enter it anew.")
        values: dict[str, Any] = json.loads(unseal(key, sealed, subject.encode()))
        return values

    def _remember(self, subject: str, key: bytes) -> None:
        with self._lock:
            self._cache[subject] = key
            if len(self._cache) > _CACHE:
                self._cache.popitem(last=False)
