"""`samvad doctor`: what would keep Samvad from working."""

import asyncio
import os
import shutil
from dataclasses import dataclass
from typing import Literal
from zoneinfo import ZoneInfo

from redis import Redis
from redis.exceptions import RedisError

from bot.channels import CHANNELS, build_channels
from bot.channels import examine as examine_channel
from bot.commands.database import check
from bot.commands.mail_dns import mail_records
from bot.embedded import valkey_server
from bot.errors import SamvadError
from bot.i18n import Words
from bot.settings import Settings


@dataclass(frozen=True, slots=True)
class Line:
    """One finding."""

    level: Literal["ok", "warn", "bad"]
    what: str
    says: str


async def examine(settings: Settings) -> list[Line]:
    """Look at everything the settings name."""
    steps = (_data_dir, _zone, _database, _queue, _channels, _mail, _public_url, _words, _llm)
    found = [line for step in steps for line in await asyncio.to_thread(step, settings)]
    return found + await _live(settings)


def _data_dir(settings: Settings) -> list[Line]:
    folder = settings.data_dir.resolve()
    parent = folder
    while not parent.exists():
        parent = parent.parent
    if not os.access(parent, os.W_OK):
        return [Line("bad", "Data directory", f"{folder} cannot be written; set SAMVAD_DATA_DIR")]
    free = shutil.disk_usage(parent).free // 2**20
    level: Literal["ok", "warn"] = "ok" if free > 1024 else "warn"
    return [Line(level, "Data directory", f"{folder}, {free:,} MB free")]


def _zone(settings: Settings) -> list[Line]:
    try:
        ZoneInfo(settings.time_zone)
    except (KeyError, ValueError):
        return [Line("bad", "Time zone", f"{settings.time_zone!r} is none; set SAMVAD_TIME_ZONE")]
    return [Line("ok", "Time zone", settings.time_zone)]


def _database(settings: Settings) -> list[Line]:
    try:
        problems = check(settings)
    except SamvadError as error:
        return [Line("bad", "Database", error.message)]
    return [Line("warn", "Database", text) for text in problems] or [Line("ok", "Database", "up to date")]


def _queue(settings: Settings) -> list[Line]:
    if not settings.redis_url:
        try:
            return [Line("ok", "Queue", f"embedded ({valkey_server().name})")]
        except SamvadError as error:
            return [Line("bad", "Queue", error.message)]
    try:
        Redis.from_url(settings.redis_url, socket_timeout=3).ping()
    except (RedisError, OSError, ValueError) as error:
        return [Line("bad", "Queue", f"SAMVAD_REDIS_URL does not answer: {error}")]
    return [Line("ok", "Queue", "answers")]


def _channels(settings: Settings) -> list[Line]:
    async def publish(_address: str, _outbox_id: str) -> None: ...

    try:
        names = sorted(build_channels(settings, publish))
    except SamvadError as error:
        return [Line("bad", "Channels", error.message)]
    return [Line("ok", "Channels", ", ".join(names))]


def _mail(settings: Settings) -> list[Line]:
    return [Line("ok" if one.there else "warn", one.what, one.says) for one in mail_records(settings)]


async def _live(settings: Settings) -> list[Line]:
    """The live test of every channel that the settings name; those of the console are tested there."""
    words = Words.load()
    lines = []
    for name, provider in CHANNELS.items():
        try:
            channel = provider.build(settings)
        except SamvadError:
            continue  # told already
        for found in await examine_channel(channel) if channel is not None else ():
            says = words.say(found.key, "en", **found.values)
            lines.append(Line(found.level, f"Channel {name}", says))
    return lines


def _public_url(settings: Settings) -> list[Line]:
    needs = (
        settings.whatsapp_access_token
        or settings.twilio_auth_token
        or settings.telegram_bot_token
        or settings.messenger_access_token
    )
    if needs and not settings.public_url.startswith("https://"):
        return [
            Line(
                "warn",
                "Address",
                f"Providers call https addresses only; SAMVAD_BASE_URL is {settings.public_url}",
            )
        ]
    return [Line("ok", "Address", settings.public_url)]


def _words(_settings: Settings) -> list[Line]:
    problems = Words.load().check()
    return [Line("warn", "Words", text) for text in problems[:5]] or [Line("ok", "Words", "complete")]


def _llm(settings: Settings) -> list[Line]:
    if not settings.llm_base_url:
        return [Line("ok", "LLM", "none; the plain path answers")]
    if not settings.llm_model:
        return [Line("bad", "LLM", "SAMVAD_LLM_MODEL is not set")]
    return [Line("ok", "LLM", f"{settings.llm_model} at {settings.llm_base_url}")]
