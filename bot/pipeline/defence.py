"""Too much, too long, too big: what a sender may take of us, and what happens beyond it (docs/defence.md).

A flood is answered once, then gathered in silence; it costs no language model. STOP, START and the wish for a
person are always heard.
"""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, replace

from bot import metrics
from bot.adapter import Features
from bot.dialogs.understanding.exact import asks_to_stop, bare
from bot.logs import logger
from bot.messages import InboundMessage, clean_name
from bot.pipeline.runtime import Runtime

TOLD_S = 600.0
"""How long a sender who was told that it is too much is not told again."""
_MINUTE_S, _HOUR_S = 60.0, 3600.0
_STOP_LIMIT = 200
_log = logger("defence")


@dataclass(frozen=True, slots=True)
class Verdict:
    """`quiet`: too much came in; `notice`: the key of what is said about it, empty when it was said."""

    quiet: bool = False
    notice: str = ""


class Defence:
    """Counts for one process; together with the others where there is Valkey."""

    def __init__(self, runtime: Runtime) -> None:
        """`runtime` is shared with the rest of the pipe."""
        self._settings, self._limits = runtime.settings, runtime.limits
        self._flows = runtime.flows

    async def keeps(self, lane_id: str, message: InboundMessage) -> bool:
        """Whether a message is stored: up to a number an hour of one sender, and STOP always."""
        if message.kind != "message" or message.button is not None:
            return True
        if await self._limits.take(f"kept:{lane_id}", self._settings.flood_kept, _HOUR_S):
            return True
        if self._is_consent(message.text):
            return True
        metrics.UNKEPT.labels(message.channel).inc()
        _log.warning("flood_not_kept", lane=lane_id, channel=message.channel)
        return False

    def _is_consent(self, text: str) -> bool:
        if not text or len(text) > _STOP_LIMIT:
            return False
        said = bare(text)
        words = (
            word
            for name in ("stop", "start")
            if name in self._flows
            for listed in self._flows[name].keywords.values()
            for word in listed
        )
        return asks_to_stop(said) or any(said == bare(word) for word in words)

    async def weigh(self, lane_id: str, account_id: str, said: Sequence[InboundMessage]) -> Verdict:
        """Whether these messages are answered, or are too many."""
        for limit, name, most in (
            ("sender", lane_id, self._settings.flood_sender),
            ("account", account_id, self._settings.flood_account),
        ):
            amount = min(len(said), most)
            if not await self._limits.take(f"{limit}:{name}", most, _MINUTE_S, amount):
                metrics.FLOODS.labels(limit).inc()
                first = await self._limits.add(f"told:{lane_id}", 1, TOLD_S) == 1
                return Verdict(True, f"flood.{limit}" if first else "")
        return Verdict()


def trimmed(message: InboundMessage, features: Features, text_limit: int) -> InboundMessage:
    """The message as it is kept: names in one plain line, no longer than the limit, and marked when it brings
    a file that is larger than its channel's files may be."""
    over = len(message.text) - text_limit
    if over > 0:
        message = replace(message, text=message.text[:text_limit], cut=over)
    name = clean_name(message.sender_name)
    files = tuple(replace(one, filename=clean_name(one.filename)) for one in message.media)
    if name != message.sender_name or files != message.media:
        message = replace(message, sender_name=name, media=files)
    if any(_too_large(one.kind, one.size, features) for one in files) and not message.unsupported:
        message = replace(message, unsupported="file")
    return message


def _too_large(kind: str, size: int | None, features: Features) -> bool:
    limit = next((limit for known, limit in features.media.items() if known == kind), None)
    return size is not None and limit is not None and size > limit.max_bytes


def address_name(address: str) -> str:
    """A network address as a counter's name: not the address itself, which is personal."""
    return hashlib.sha256(address.encode()).hexdigest()[:16]
