"""Files that customers send: fetched from the provider after the turn, kept, and shown from our own store;
and those that we send, handed to the channel.

A timer written in the turn's transaction asks again for what a crash or a provider's bad day left unfetched.
"""

import asyncio
from collections.abc import Mapping
from dataclasses import replace
from datetime import timedelta
from typing import Any

import sqlalchemy as sa

from bot import clock
from bot.conversations.conversation import CONVERSATION
from bot.conversations.message import MESSAGE, messages
from bot.errors import ChannelRejected, SamvadError, TooLarge
from bot.logs import logger
from bot.media import MAX_BYTES
from bot.media.fitting import playable
from bot.messages import InboundMessage, OutboundMessage
from bot.pipeline.business import answer_late
from bot.pipeline.load import read_conversation
from bot.pipeline.payloads import media_from_json, media_to_json
from bot.pipeline.runtime import Runtime
from bot.records.actor import SYSTEM
from bot.records.store import explain
from bot.records.timer import cancel_timer, set_timer
from bot.records.tx import Record, Tx

TIMER = "fetch_media"
ASKS_AGAIN = timedelta(minutes=2)
MAX_TRIES = 5
_log = logger("files")


def is_remote(ref: str) -> bool:
    """Whether a file is still the provider's."""
    return not ref.startswith("media:")


def has_remote(said: InboundMessage) -> bool:
    """Whether a message names files that are still the provider's."""
    return any(is_remote(one.ref) for one in said.media)


def want(tx: Tx, message_id: str, tries: int = 0) -> None:
    """Note that this message's files are to be fetched, and see to it once the turn is committed."""
    set_timer(tx, TIMER, message_id, tx.now + ASKS_AGAIN * (tries + 1), {"tries": tries})
    tx.notify("media", message_id)


def expect(tx: Tx, message_id: str) -> None:
    """The provider is still making these files, and says when they are there: ask, should it never say so."""
    set_timer(tx, TIMER, message_id, tx.now + ASKS_AGAIN, {"tries": 0})


def give_up(tx: Tx, message_id: str) -> None:
    """The provider says that there will be none."""
    cancel_timer(tx, TIMER, message_id)


def ask_again(tx: Tx, _runtime: Runtime, row: Record) -> None:
    """The timer: what was not fetched yet is asked for once more, up to five times."""
    tries = row["data"].get("tries", 0) + 1
    if tries < MAX_TRIES:
        want(tx, row["subject_id"], tries)
    else:
        tx.event(MESSAGE, row["subject_id"], "file_lost")


class Files:
    """Fetches in one serving process, a few at a time."""

    def __init__(self, runtime: Runtime) -> None:
        """`runtime` is shared with the rest of the pipe."""
        self._runtime = runtime
        self._few = asyncio.Semaphore(4)
        self._tasks: set[asyncio.Task[None]] = set()

    def wake(self, message_id: str) -> None:
        """This message names files to fetch."""
        task = asyncio.create_task(self._fetch(message_id))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def close(self) -> None:
        """Stop; the timers ask again."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _fetch(self, message_id: str) -> None:
        async with self._few:
            row = await self._runtime.store.read(_message, SYSTEM, message_id)
            if row is None:
                return
            try:
                kept = [await self._keep(row, one) for one in row["extra"].get("media", ())]
            except SamvadError as error:
                _log.warning("file_not_fetched", message_id=message_id, error=explain(error))
                return
            await self._runtime.store.run(_kept, SYSTEM, self._runtime, message_id, kept)

    async def _keep(self, row: Record, one: Mapping[str, Any]) -> dict[str, Any]:
        if not is_remote(one["ref"]):
            return dict(one)
        adapter, channel, _ = self._runtime.account(row["channel_account_id"])
        source = self._runtime.channel(adapter)
        media = media_from_json(dict(one))
        limit = source.features(channel).media.get(media.kind)
        stream = source.fetch_media(media)
        try:
            ref = await self._runtime.media.put_stream(stream, limit.max_bytes if limit else MAX_BYTES)
        except (ChannelRejected, TooLarge) as error:
            return {**one, "lost": True, **({"too_large": True} if "limit" in error.data else {})}
        size = self._runtime.media.path(ref).stat().st_size
        kept = {**one, "ref": ref, "size": size}
        if (heard := await playable(self._runtime.media, media_from_json(kept))) is not None:
            kept |= media_to_json(heard)
            await asyncio.to_thread(self._runtime.media.remove, ref, clock.now() + timedelta(minutes=1))
        return kept


async def attach(runtime: Runtime, account_id: str, message: OutboundMessage) -> OutboundMessage:
    """The message with its files as the channel wants them: a link it can fetch, or their bytes.

    Raises ChannelRejected for a file that is gone."""
    if not message.media:
        return message
    by_link = runtime.features(account_id).by_link
    given = []
    for one in message.media:
        if by_link:
            given.append(replace(one, ref=runtime.links.url(one)))
            continue
        try:
            content = await asyncio.to_thread(runtime.media.path(one.ref).read_bytes)
        except (SamvadError, OSError) as error:
            raise ChannelRejected(f"{one.filename or 'A file'} is not here any more.") from error
        given.append(replace(one, content=content))
    return replace(message, media=tuple(given))


def _message(tx: Tx, message_id: str) -> Record | None:
    table = CONVERSATION.table
    return tx.row(
        sa.select(messages.c.extra, messages.c.conversation_id, table.c.channel_account_id)
        .join(table, table.c.id == messages.c.conversation_id)
        .where(messages.c.id == message_id)
    )


def _kept(tx: Tx, runtime: Runtime, message_id: str, media: list[dict[str, Any]]) -> None:
    # Read anew: what is known of a message may have changed while its file was under way.
    row = tx.row(sa.select(messages).where(messages.c.id == message_id).with_for_update())
    if row is None:
        return
    if (row["extra"] or {}).get("deleted"):
        cancel_timer(tx, TIMER, message_id)  # the customer took it back meanwhile
        return
    extra = {**(row["extra"] or {}), "media": media}
    extra["version"] = extra.get("version", 0) + 1
    told = any(one.get("too_large") for one in (row["extra"] or {}).get("media", ()))
    tx.execute(messages.update().where(messages.c.id == message_id).values(extra=extra))
    if not told and any(one.get("too_large") for one in media):
        _tell_too_large(tx, runtime, row["conversation_id"])
    cancel_timer(tx, TIMER, message_id)
    tx.notify("message", row["conversation_id"])


def _tell_too_large(tx: Tx, runtime: Runtime, conversation_id: str) -> None:
    """The provider did not say how large the file is, so that the turn could not tell its sender. Where a
    person has the conversation, they see it."""
    conversation = read_conversation(tx, conversation_id)
    if conversation is None or conversation["owner"] != "bot":
        return
    lang = conversation["lang"] or runtime.profile.languages[0]
    answer_late(tx, conversation, runtime.words.say("media.too_large", lang, conversation["channel"]))
