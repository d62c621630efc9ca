"""The one registry of channels."""

import inspect

import pytest

from bot.adapter import Channel
from bot.channels import CHANNELS, build_channels
from bot.errors import ConfigurationInvalid

FULL = {
    "whatsapp": {
        "whatsapp_phone_number_id": "1",
        "whatsapp_access_token": "t",
        "whatsapp_app_secret": "s",
        "whatsapp_verify_token": "v",
    },
    "twilio": {"twilio_account_sid": "AC1", "twilio_auth_token": "t", "twilio_sms_from": "+15550001111"},
    "telegram": {"telegram_bot_token": "1:t"},
    "messenger": {
        "messenger_page_id": "1",
        "messenger_access_token": "t",
        "messenger_app_secret": "s",
        "messenger_verify_token": "v",
    },
    "email": {"email_address": "help@samvad.test", "email_smtp_url": "smtp://localhost"},
}


async def publish(address: str, outbox_id: str) -> None:
    """Nobody listens."""


def test_only_web_chat_without_credentials(settings):
    assert list(build_channels(settings(), publish)) == ["webchat"]


def test_all(settings):
    every = {name: value for group in FULL.values() for name, value in group.items()}
    channels = build_channels(settings(**every), publish)
    assert set(channels) == {"webchat", *CHANNELS}
    for name, channel in channels.items():
        assert channel.name == name
        assert channel.accounts
        for kind, _ in channel.accounts:
            assert channel.features(kind).text_limit > 0
        for method, _ in inspect.getmembers(Channel, inspect.isfunction):
            assert hasattr(channel, method), (name, method)


@pytest.mark.parametrize(
    ("name", "left_out"),
    [(name, setting) for name, group in FULL.items() for setting in group if len(group) > 1],
)
def test_half_a_set_says_what_is_missing(settings, name, left_out):
    given = {key: value for key, value in FULL[name].items() if key != left_out}
    with pytest.raises(ConfigurationInvalid, match=f"SAMVAD_{left_out.upper()}"):
        build_channels(settings(**given), publish)
