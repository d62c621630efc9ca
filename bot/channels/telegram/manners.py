"""What the bot says beside conversations: the menu of its commands, and in a group where to write instead."""

import asyncio
import logging
from collections import OrderedDict
from collections.abc import Sequence
from datetime import date

from telegram import Bot, BotCommand
from telegram.error import TelegramError

from bot import clock
from bot.i18n import Words

COMMANDS = ("start", "help", "agent", "language", "stop")
"""Keywords of flows, as Telegram's menu offers them."""
_GROUPS_KEPT = 10_000
_log = logging.getLogger(__name__)


async def set_commands(bot: Bot, languages: Sequence[str]) -> None:
    """Tell Telegram the menu in every language that it knows; the business's first for all others."""
    words = await asyncio.to_thread(Words.load)
    # It tells languages apart by two letters: `hi`, but not `hi-Latn`.
    told = [(languages[0], None), *((lang, lang) for lang in languages if len(lang) == 2)]
    for lang, code in told:
        menu = [BotCommand(name, words.say(f"telegram.command.{name}", lang)) for name in COMMANDS]
        try:
            await bot.set_my_commands(menu, language_code=code)
        except TelegramError as error:
            _log.warning("Telegram did not take the menu of commands: %s", error.message)
            return


class Groups:
    """Groups that the bot was put into: it says once a day in each where it can be written to."""

    def __init__(self, languages: Sequence[str]) -> None:
        self._languages = languages
        self._told: OrderedDict[int, date] = OrderedDict()

    def is_told(self, chat: int) -> bool:
        """Whether this group heard it today; from now on it has."""
        today = clock.now().date()
        if self._told.get(chat) == today:
            return True
        self._told[chat] = today
        self._told.move_to_end(chat)
        while len(self._told) > _GROUPS_KEPT:
            self._told.popitem(last=False)
        return False

    async def tell(self, bot: Bot, chat: int, lang: str) -> None:
        """Say it, in the speaker's language where we have it."""
        words = await asyncio.to_thread(Words.load)
        spoken = lang if lang in self._languages else self._languages[0]
        try:
            name = (await bot.get_me()).username
            link = f"https://t.me/{name}"
            await bot.send_message(chat, words.say("telegram.group", spoken, "telegram", url=link))
        except TelegramError as error:
            _log.info("a group could not be told where to write: %s", error.message)
