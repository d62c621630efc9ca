"""What changed, as ids alone: told to the bus after a commit. Who hears it re-reads with their own rights."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Notice:
    """A topic (message, conversation, lead, case, article, lane, …) and the id it speaks of."""

    topic: str
    id: str
