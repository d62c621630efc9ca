"""`samvad db …`."""

from bot.settings import Settings
from bot.storage import Database
from bot.storage.migrate import pending


def check(settings: Settings) -> list[str]:
    """What keeps the database from being used by this version; empty when nothing."""
    database = Database(settings.database_url or f"sqlite:///{settings.sqlite_path()}")
    try:
        missing = pending(database)
    finally:
        database.close()
    if missing:
        return [f"Not upgraded yet: {', '.join(missing)}. Run `samvad db upgrade`."]
    return []
