"""Migrations: `samvad db upgrade` and `db check`. Alembic, driven from code so that no ini file ships."""

import secrets
from pathlib import Path

import sqlalchemy as sa
from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory

from bot.errors import ConfigurationInvalid
from bot.storage.database import Database

_FOLDER = Path(__file__).parent / "migrations"
_LOCK = 0x53616D76  # PostgreSQL advisory lock: two processes that start together upgrade once


def _config(connection: sa.Connection) -> Config:
    config = Config()
    config.set_main_option("script_location", str(_FOLDER))
    config.attributes["connection"] = connection
    return config


def upgrade(database: Database, revision: str = "head") -> None:
    """Bring the schema to `revision`. Safe to run from several processes at once."""
    with database.write() as connection:
        if database.dialect == "postgresql":
            connection.execute(sa.text("SET LOCAL lock_timeout = '30s'"))
            connection.execute(sa.text("SELECT pg_advisory_xact_lock(:key)"), {"key": _LOCK})
        command.upgrade(_config(connection), revision)


def downgrade(database: Database, revision: str) -> None:
    """Undo migrations down to `revision` ("base" for all of them)."""
    with database.write() as connection:
        command.downgrade(_config(connection), revision)


def pending(database: Database) -> list[str]:
    """Revisions that `upgrade` would still run, oldest first."""
    with database.read() as connection:
        script = ScriptDirectory.from_config(_config(connection))
        current = set(MigrationContext.configure(connection).get_current_heads())
        return [
            step.revision
            for step in reversed(list(script.walk_revisions()))
            if step.revision not in current
            and not any(step.revision in _ancestors(script, head) for head in current)
        ]


def _ancestors(script: ScriptDirectory, head: str) -> set[str]:
    return {step.revision for step in script.iterate_revisions(head, "base")}


def load_secret(given: str, data_dir: Path) -> bytes:
    """The secret that seals keys and credentials: the setting, or one made on first start."""
    if given:
        if len(given) < 16:
            raise ConfigurationInvalid("SAMVAD_SECRET_KEY is too short: give at least 16 characters")
        return given.encode()
    path = data_dir / "secret_key"
    try:
        return path.read_bytes()
    except FileNotFoundError:
        data_dir.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f"secret_key.{secrets.token_hex(4)}")
    temporary.touch(mode=0o600)
    temporary.write_bytes(secrets.token_urlsafe(48).encode())
    try:
        path.hardlink_to(temporary)  # the first of two processes wins; the other reads its secret
    except FileExistsError:
        pass
    finally:
        temporary.unlink()
    return path.read_bytes()
