"""Where the files that come with the program lie: beside `bot/` in a checkout, inside it in a wheel."""

from pathlib import Path

_BOT = Path(__file__).resolve().parent


def shipped(name: str) -> Path:
    """The folder `locales` or `knowledge_base`."""
    beside = _BOT.parent / name
    return beside if beside.is_dir() else _BOT / "_shipped" / name
