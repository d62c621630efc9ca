"""The link that stops what we start: signed, so that nobody can stop another's mails."""

from bot.ids import is_id
from bot.records.tokens import Tokens

_PREFIX = "stop:"


def unsubscribe_link(tokens: Tokens, public_url: str, lane_id: str) -> str:
    """The address of the page that stops what we start in this lane."""
    return f"{public_url}/u/{tokens.sign(_PREFIX + lane_id)}"


def lane_of_link(tokens: Tokens, token: str) -> str | None:
    """The lane that a token of ours names; None for any other text."""
    value = tokens.unsign(token) or ""
    lane_id = value.removeprefix(_PREFIX)
    return lane_id if value.startswith(_PREFIX) and is_id(lane_id) else None
