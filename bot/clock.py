"""Time. Everything inside is an aware `datetime` in UTC; people's zones come in at the edge."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from functools import lru_cache

_ahead = timedelta(0)


def now() -> datetime:
    """The present moment in UTC. Tests move it with time-machine, evaluations by `beginning_at`."""
    return datetime.now(UTC) + _ahead


@contextmanager
def beginning_at(moment: datetime) -> Iterator[None]:
    """For the whole process it is this moment now, and time goes on from there. For evaluations, whose gold
    says "tomorrow"."""
    global _ahead
    before, _ahead = _ahead, moment - datetime.now(UTC)
    try:
        yield
    finally:
        _ahead = before


def from_epoch(seconds: float) -> datetime:
    """A provider's Unix time stamp, seconds since 1970."""
    return datetime.fromtimestamp(seconds, UTC)


@lru_cache(
    maxsize=10_000
)  # a page writes a hundred, mostly the same again: formatting is slower than finding
def to_iso(moment: datetime) -> str:
    """`2026-01-31T09:30:00.000Z`: what the API and the logs write."""
    return moment.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
