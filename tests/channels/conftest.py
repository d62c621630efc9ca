"""What the channels' tests share."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import bot.channels
from bot.adapter import Accepted
from bot.messages import OutboundMessage, Parsed
from bot.settings import Settings, load_settings

BASE_URL = "http://samvad.test"
PAYLOADS = Path(bot.channels.__file__).parent


@pytest.fixture
def payload() -> Callable[[str, str], Any]:
    """`payload("whatsapp", "text")`: a captured payload of a channel's folder."""

    def read(channel: str, name: str) -> Any:
        folder = PAYLOADS / channel / "payloads"
        if channel == "email":
            return (folder / f"{name}.eml").read_bytes()
        return json.loads((folder / f"{name}.json").read_text(encoding="utf-8"))

    return read


@pytest.fixture
def settings() -> Callable[..., Settings]:
    """Settings with a base URL; keyword arguments are settings."""

    def make(**given: object) -> Settings:
        return load_settings(base_url=BASE_URL, **given)

    return make


@pytest.fixture
def outbound() -> Callable[..., OutboundMessage]:
    """An outbound message with what most tests do not care about filled in."""

    def make(channel: str, account: str, address: str, text: str = "Hello", **given: Any) -> OutboundMessage:
        return OutboundMessage(
            id=given.pop("id", "outbox-1"),
            channel=channel,  # type: ignore[arg-type]
            account=account,
            address=address,
            text=text,
            **given,
        )

    return make


class Inbox:
    """A `receive` that keeps what it gets, and fails when told to."""

    def __init__(self) -> None:
        self.parsed: list[Parsed] = []
        self.fails = 0

    async def __call__(self, parsed: Parsed) -> Accepted:
        if self.fails:
            self.fails -= 1
            raise RuntimeError("the database is down")
        self.parsed.append(parsed)
        return Accepted(new=len(parsed.messages), known=0)

    @property
    def texts(self) -> list[str]:
        return [message.text for parsed in self.parsed for message in parsed.messages]


@pytest.fixture
def inbox() -> Inbox:
    """A `receive` that keeps what it gets."""
    return Inbox()
