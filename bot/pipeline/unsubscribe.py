"""The link that stops what we start: signed, so that nobody can stop another's mails."""

from collections.abc import Mapping
from typing import Any

from bot.ids import is_id
from bot.pipeline.runtime import Runtime
from bot.records.tokens import Tokens

_PREFIX = "stop:"


def way_out(runtime: Runtime, lane_id: str, channel: str, row: Mapping[str, Any]) -> dict[str, str]:
    """What a mail that we start carries: the link for a mail program's own button, and one in its text."""
    link = f"{runtime.settings.public_url}/u/{runtime.tokens.sign(_PREFIX + lane_id)}"
    line = runtime.words.say(
        "consent.unsubscribe", row["lang"] or runtime.profile.languages[0], channel, url=link
    )
    return {"unsubscribe": link, "text": f"{row['text']}\n\n{line}"}


def lane_of_link(tokens: Tokens, token: str) -> str | None:
    """The lane that a token of ours names; None for any other text."""
    value = tokens.unsign(token) or ""
    lane_id = value.removeprefix(_PREFIX)
    return lane_id if value.startswith(_PREFIX) and is_id(lane_id) else None
