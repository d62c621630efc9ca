"""Time. Everything inside is an aware `datetime` in UTC; people's zones come in at the edge."""

from datetime import UTC, datetime
from functools import lru_cache


def now() -> datetime:
    """The present moment in UTC. Tests move it with time-machine."""
    return datetime.now(UTC)


def from_epoch(seconds: float) -> datetime:
    """A provider's Unix time stamp, seconds since 1970."""
    return datetime.fromtimestamp(seconds, UTC)


@lru_cache(
    maxsize=10_000
)  # a page writes a hundred, mostly the same again: formatting is slower than finding
def to_iso(moment: datetime) -> str:
    """`2026-01-31T09:30:00.000Z`: what the API and the logs write."""
    return moment.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
