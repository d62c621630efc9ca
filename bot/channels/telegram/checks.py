"""The live test: who the bot is, and how its updates come to us."""

from datetime import timedelta

from telegram import Bot, WebhookInfo

from bot import clock
from bot.adapter import Check
from bot.channels.checking import webhook

RECENT = timedelta(hours=1)
"""An error of Telegram's on the way to us that is older has been got over."""
MANY_PENDING = 20


async def look(bot: Bot, ours: str) -> tuple[Check, ...]:
    """Ask Telegram. `ours` is our address; empty: updates are fetched. Raises TelegramError."""
    me = await bot.get_me()
    found = [Check("check.telegram.bot", "ok", {"name": me.username or me.first_name})]
    info = await bot.get_webhook_info()
    if ours:
        return (*found, webhook(info.url, ours), *_delivery(info))
    if info.url:
        return (*found, Check("check.telegram.polling_blocked", "bad", {"found": info.url}))
    return (*found, Check("check.telegram.polling"))


def _delivery(info: WebhookInfo) -> list[Check]:
    """What Telegram met when it last called us."""
    found = []
    if info.last_error_date and clock.now() - info.last_error_date < RECENT:
        said = info.last_error_message or "?"
        found.append(Check("check.telegram.last_error", "bad", {"said": said}))
    if info.pending_update_count > MANY_PENDING:
        found.append(Check("check.telegram.pending", "warn", {"waiting": info.pending_update_count}))
    return found
