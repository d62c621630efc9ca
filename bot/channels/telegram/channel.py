"""The Telegram adapter: secret header, parse, send, poll, files."""

import asyncio
import hashlib
import hmac
import json
import logging
from collections import OrderedDict
from collections.abc import AsyncIterator, Coroutine, Sequence
from typing import Any
from urllib.parse import urlencode

import httpx
from telegram import Bot, InlineKeyboardButton, InlineKeyboardMarkup, InputFile, Message, ReplyParameters
from telegram.constants import ChatAction
from telegram.error import TelegramError
from telegram.request import HTTPXRequest

from bot.adapter import Check, Features, Listener, MediaLimit, Receive
from bot.channels.telegram.checks import look
from bot.channels.telegram.errors import to_channel_error
from bot.channels.telegram.manners import Groups, set_commands
from bot.channels.telegram.parse import group_of, parse_update
from bot.errors import (
    ChannelRejected,
    ChannelRetryable,
    NotFound,
    SignatureInvalid,
    Unavailable,
    Unreadable,
)
from bot.messages import (
    Button,
    ChannelName,
    InboundMessage,
    Media,
    MediaKind,
    OutboundMessage,
    Parsed,
    Receipt,
    WebhookRequest,
)
from bot.settings import Settings

API_URL = "https://api.telegram.org"
TEXT_LIMIT = 4096
CAPTION_LIMIT = 1024
_DATA_LIMIT = 64  # bytes of callback_data
_UPLOAD = 50 * 1024 * 1024
_DOWNLOAD = 20 * 1024 * 1024
_UPDATES = ["message", "edited_message", "callback_query", "my_chat_member"]
_POLL_SECONDS = 25
_PAUSE_SECONDS = 3.0
_PRESSED_KEPT = 1000
_TYPING_SECONDS = 4.5  # Telegram shows it for five

_FEATURES = Features(
    text_limit=TEXT_LIMIT,
    buttons=20,
    button_title_limit=64,
    media={
        MediaKind.IMAGE: MediaLimit(10 * 1024 * 1024, ("image/jpeg", "image/png", "image/webp")),
        MediaKind.AUDIO: MediaLimit(_UPLOAD, ("audio/mpeg", "audio/mp4")),
        MediaKind.VOICE: MediaLimit(_UPLOAD, ("audio/ogg", "audio/mpeg", "audio/mp4")),
        MediaKind.VIDEO: MediaLimit(_UPLOAD, ("video/mp4",)),
        MediaKind.DOCUMENT: MediaLimit(_UPLOAD),
    },
    captioned=frozenset(MediaKind),
    caption_limit=CAPTION_LIMIT,
    typing=True,
    per_second=30.0,
)
_log = logging.getLogger(__name__)


class Telegram:
    """One bot. Its id is the number before the colon in its token."""

    name = "telegram"

    def __init__(self, settings: Settings) -> None:
        self._token = settings.telegram_bot_token.get_secret_value()
        self._account = self._token.partition(":")[0]
        self._secret = settings.telegram_secret_token.get_secret_value() or derived_secret(self._token)
        self._polls = settings.telegram_mode == "polling"
        self._webhook = f"{settings.public_url}/channels/telegram"
        self._root = settings.telegram_api_url or API_URL
        self._bot: Bot | None = None
        self._requests: tuple[HTTPXRequest, ...] = ()
        # Presses whose answer stops the button's spinner, by chat; forgotten presses just spin longer.
        self._pressed: OrderedDict[int, str] = OrderedDict()
        self._tasks: set[asyncio.Task[None]] = set()
        self._languages = settings.language_list
        self._groups = Groups(self._languages)
        self._loop: asyncio.AbstractEventLoop | None = None

    @property
    def accounts(self) -> Sequence[tuple[ChannelName, str]]:
        """The bot's id."""
        return (("telegram", self._account),)

    def features(self, channel: ChannelName) -> Features:
        """What the Bot API takes."""
        return _FEATURES

    def listeners(self) -> Sequence[Listener]:
        """The poll, when updates are fetched instead of pushed."""
        return (Listener("telegram-poll", self._poll, exclusive=True),) if self._polls else ()

    def verify(self, request: WebhookRequest) -> str:
        """Telegram has no hand-shake. Raises NotFound."""
        raise NotFound("Telegram has no hand-shake")

    def parse(self, request: WebhookRequest) -> Parsed:
        """Check the secret header, then read. Raises SignatureInvalid, Unreadable."""
        given = request.headers.get("x-telegram-bot-api-secret-token", "").encode()
        if not hmac.compare_digest(given, self._secret.encode()):
            raise SignatureInvalid("Telegram's secret token is missing or wrong")
        try:
            raw = json.loads(request.body)
        except (ValueError, RecursionError) as error:
            raise Unreadable("not JSON") from error
        return self._read(raw)

    def _read(self, raw: object) -> Parsed:
        if (group := group_of(raw)) is not None and self._loop is not None:
            # Large bodies are read in a thread.
            self._loop.call_soon_threadsafe(self._refuse_group, *group)
        parsed, pressed = parse_update(raw, self._account)
        if pressed is not None:
            chat, query_id = pressed
            self._pressed[chat] = query_id
            while len(self._pressed) > _PRESSED_KEPT:
                self._pressed.popitem(last=False)
        return parsed

    async def open(self) -> None:
        """Open the connection pools; tell Telegram our address when it is one it can call."""
        # httpx logs every URL at INFO, and the bot's token is part of each.
        logging.getLogger("httpx").setLevel(logging.WARNING)
        # Polls hold their connection for long, so they have their own pool.
        self._requests = (
            HTTPXRequest(connection_pool_size=64, read_timeout=20, connect_timeout=5, pool_timeout=10),
            HTTPXRequest(connection_pool_size=2, read_timeout=_POLL_SECONDS + 10, connect_timeout=5),
        )
        for request in self._requests:
            await request.initialize()
        self._bot = Bot(
            self._token,
            base_url=f"{self._root}/bot",
            base_file_url=f"{self._root}/file/bot",
            request=self._requests[0],
            get_updates_request=self._requests[1],
        )
        if not self._polls and self._webhook.startswith("https://"):
            try:
                await self._bot.set_webhook(
                    self._webhook, secret_token=self._secret, allowed_updates=_UPDATES
                )
            except TelegramError as error:
                # The address set earlier usually still stands, so a pause at Telegram stops nothing here.
                _log.warning("Telegram did not take the webhook address: %s", error.message)
        self._loop = asyncio.get_running_loop()
        self._beside(set_commands(self._bot, self._languages))

    async def close(self) -> None:
        """Close them."""
        self._loop = None
        for task in tuple(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        for request in self._requests:
            await request.shutdown()
        self._requests, self._bot = (), None

    async def send(self, message: OutboundMessage) -> Receipt:
        """Hand a message to Telegram. Raises ChannelRetryable, ChannelRejected."""
        bot = self._opened()
        chat = int(message.address) if message.address.lstrip("-").isdecimal() else 0
        if not chat:
            raise ChannelRejected("The address is not a Telegram chat.")
        self._release_button(bot, chat)
        reply = (
            ReplyParameters(int(message.reply_to), allow_sending_without_reply=True)
            if message.reply_to and message.reply_to.isdecimal()
            else None
        )
        markup = keyboard(message.buttons)
        try:
            if message.media:
                sent = await _send_file(bot, chat, message, reply, markup)
            else:
                sent = await bot.send_message(chat, message.text, reply_parameters=reply, reply_markup=markup)
        except TelegramError as error:
            raise to_channel_error(error) from error
        except (KeyError, TypeError, AttributeError) as error:
            raise ChannelRetryable("Telegram's answer cannot be read", maybe_sent=True) from error
        return Receipt(str(sent.message_id))

    async def typing(self, said: InboundMessage) -> float:
        """Show that we are writing. Raises ChannelRetryable, ChannelRejected."""
        try:
            await self._opened().send_chat_action(said.address, ChatAction.TYPING)
        except TelegramError as error:
            raise to_channel_error(error) from error
        return _TYPING_SECONDS

    async def fetch_media(self, media: Media) -> AsyncIterator[bytes]:
        """Stream a customer's file. Raises ChannelRetryable, ChannelRejected."""
        try:
            file = await self._opened().get_file(media.ref)
        except TelegramError as error:
            raise to_channel_error(error) from error
        if not file.file_path:
            raise ChannelRejected("Telegram no longer has this file.")
        taken = 0
        try:
            async with (
                httpx.AsyncClient(timeout=30) as client,
                client.stream("GET", file.file_path) as response,
            ):
                if response.status_code >= 500 or response.status_code == 429:
                    raise ChannelRetryable("Telegram did not give the file")
                if response.status_code >= 400:
                    raise ChannelRejected("Telegram no longer has this file.")
                async for chunk in response.aiter_bytes(65_536):
                    taken += len(chunk)
                    if taken > _DOWNLOAD:
                        raise ChannelRejected("The file is larger than 20 MB.", limit=20 * 1024 * 1024)
                    yield chunk
        except httpx.HTTPError as error:
            raise ChannelRetryable(f"Telegram did not give the file: {type(error).__name__}") from error

    async def check(self) -> tuple[Check, ...]:
        """The bot, and how its updates come to us."""
        request = HTTPXRequest(read_timeout=10, connect_timeout=5)
        async with request:
            bot = Bot(self._token, base_url=f"{self._root}/bot", request=request)
            try:
                return await look(bot, "" if self._polls else self._webhook)
            except TelegramError as error:
                raise to_channel_error(error) from error

    def _opened(self) -> Bot:
        if self._bot is None:
            raise Unavailable("the Telegram channel is not open")
        return self._bot

    def _release_button(self, bot: Bot, chat: int) -> None:
        """Stop the spinner on the button pressed last, beside the send and at no cost to it."""
        query_id = self._pressed.pop(chat, None)
        if query_id is None:
            return

        async def answer() -> None:
            try:
                await bot.answer_callback_query(query_id)
            except TelegramError as error:
                _log.debug("a button's press could not be answered: %s", error.message)

        self._beside(answer())

    def _refuse_group(self, chat: int, lang: str) -> None:
        if self._bot is not None and not self._groups.is_told(chat):
            self._beside(self._groups.tell(self._bot, chat, lang))

    def _beside(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _poll(self, receive: Receive) -> None:
        """Fetch updates; the next call confirms an update only after `receive` has committed it."""
        offset = 0
        webhook_gone = False
        while True:
            try:
                if not webhook_gone:
                    # While a webhook is set Telegram refuses to be polled.
                    webhook_gone = await self._opened().delete_webhook()
                for raw in await self._updates(offset):
                    try:
                        parsed = self._read(raw)
                    except Unreadable as error:
                        _log.error("skipped a Telegram update: %s", error.message)
                        parsed = Parsed(unhandled=("unreadable",))
                    await receive(parsed)
                    if isinstance(raw, dict) and type(raw.get("update_id")) is int:
                        offset = raw["update_id"] + 1
            except TelegramError as error:
                translated = to_channel_error(error)
                _log.warning("Telegram poll: %s", translated.message)
                delay = translated.delay if isinstance(translated, ChannelRetryable) else 0.0
                await asyncio.sleep(delay or _PAUSE_SECONDS)
            except Exception:
                # `receive` could not commit: ask for the same updates again.
                _log.exception("Telegram poll: updates could not be stored")
                await asyncio.sleep(_PAUSE_SECONDS)

    async def _updates(self, offset: int) -> list[object]:
        """Raw updates: the SDK's own method fails as a whole when it cannot read one of them."""
        query = urlencode(
            {"offset": offset, "timeout": _POLL_SECONDS, "allowed_updates": json.dumps(_UPDATES)}
        )
        self._opened()
        found = await self._requests[1].post(f"{self._root}/bot{self._token}/getUpdates?{query}")
        return list(found) if isinstance(found, list) else []


def derived_secret(token: str) -> str:
    """A stable webhook secret for a bot without a configured one, so that the check always holds."""
    return hmac.new(token.encode(), b"samvad telegram webhook", hashlib.sha256).hexdigest()


def keyboard(buttons: Sequence[Button]) -> InlineKeyboardMarkup | None:
    """One button per row. Raises ChannelRejected for an id that Telegram would cut."""
    if not buttons:
        return None
    rows = []
    for button in buttons:
        if not 0 < len(button.id.encode()) <= _DATA_LIMIT:
            raise ChannelRejected(f"A Telegram button's id has at most {_DATA_LIMIT} bytes.")
        rows.append([InlineKeyboardButton(button.title, callback_data=button.id)])
    return InlineKeyboardMarkup(rows)


async def _send_file(
    bot: Bot,
    chat: int,
    message: OutboundMessage,
    reply: ReplyParameters | None,
    markup: InlineKeyboardMarkup | None,
) -> Message:
    media = message.media[0]
    name = media.filename or media.kind.value
    file: InputFile | str
    if media.content is not None:
        file = InputFile(media.content, filename=name)
    elif media.ref.startswith("https://"):
        file = media.ref
    else:
        raise ChannelRejected("The file's bytes are not at hand.")
    caption = message.text[:CAPTION_LIMIT] or None
    if media.kind is MediaKind.IMAGE:
        return await bot.send_photo(chat, file, caption=caption, reply_parameters=reply, reply_markup=markup)
    if media.kind is MediaKind.VOICE:
        return await bot.send_voice(chat, file, caption=caption, reply_parameters=reply, reply_markup=markup)
    if media.kind is MediaKind.AUDIO:
        return await bot.send_audio(chat, file, caption=caption, reply_parameters=reply, reply_markup=markup)
    if media.kind is MediaKind.VIDEO:
        return await bot.send_video(chat, file, caption=caption, reply_parameters=reply, reply_markup=markup)
    return await bot.send_document(chat, file, caption=caption, reply_parameters=reply, reply_markup=markup)
