"""Errors of python-telegram-bot, as ours."""

import httpx
from telegram import error as telegram

from bot.errors import ChannelError, ChannelRejected, ChannelRetryable

# A request that failed this way never left, or never reached Telegram.
_UNSENT = (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout)


def to_channel_error(error: telegram.TelegramError) -> ChannelError:
    """Translate; the order follows the SDK's tree, in which BadRequest and TimedOut are NetworkErrors."""
    said = error.message
    if isinstance(error, telegram.RetryAfter):
        wait = error.retry_after
        return ChannelRetryable(said, delay=wait if isinstance(wait, int) else wait.total_seconds())
    if isinstance(error, telegram.BadRequest):
        return ChannelRejected(f"Telegram did not take the message: {said}")
    if isinstance(error, telegram.Forbidden):
        return ChannelRejected(f"The person has blocked our bot or left Telegram: {said}")
    if isinstance(error, telegram.TimedOut):
        return ChannelRetryable(
            "Telegram did not answer in time", maybe_sent=not isinstance(error.__cause__, _UNSENT)
        )
    if isinstance(error, telegram.NetworkError):
        cause = error.__cause__
        cut_off = isinstance(cause, httpx.HTTPError) and not isinstance(cause, _UNSENT)
        return ChannelRetryable(f"Telegram cannot be reached: {said}", maybe_sent=cut_off)
    if isinstance(error, telegram.Conflict):
        return ChannelRetryable(f"Another program reads this bot's updates: {said}")
    if isinstance(error, telegram.InvalidToken | telegram.EndPointNotFound):
        return ChannelRejected("Telegram does not know our bot token. Please check it.")
    if isinstance(error, telegram.ChatMigrated):
        return ChannelRejected("The chat has moved to another one.")
    return ChannelRejected(f"Telegram did not take the message: {said}")
