"""Channels: one adapter per provider, each in a folder of its own, registered here by hand.

A channel is on when its credentials are set. Half a set of credentials is a mistake, and says so.
"""

from collections.abc import Callable, Mapping

from bot.channels.email import Email
from bot.channels.messenger import Messenger
from bot.channels.telegram import Telegram
from bot.channels.twilio import Twilio
from bot.channels.webchat import Publish, WebChat
from bot.channels.whatsapp import WhatsApp
from bot.errors import ConfigurationInvalid
from bot.messages import Channel
from bot.settings import Settings

__all__ = ["CHANNELS", "Publish", "WebChat", "build_channels"]


def _is_set(settings: Settings, name: str) -> bool:
    value = getattr(settings, name)
    return bool(value.get_secret_value() if hasattr(value, "get_secret_value") else value)


def _registered(
    make: Callable[[Settings], Channel], required: tuple[str, ...], any_of: tuple[str, ...] = ()
) -> Callable[[Settings], Channel | None]:
    """A builder: None when nothing is set, an error that names what is missing when only part is."""

    def build(settings: Settings) -> Channel | None:
        if not any(_is_set(settings, name) for name in required + any_of):
            return None
        missing = [f"SAMVAD_{name.upper()}" for name in required if not _is_set(settings, name)]
        if any_of and not any(_is_set(settings, name) for name in any_of):
            missing.append(" or ".join(f"SAMVAD_{name.upper()}" for name in any_of))
        if missing:
            raise ConfigurationInvalid(
                f"Please set {', '.join(missing)} too, or unset the channel's other settings.",
                settings=missing,
            )
        return make(settings)

    return build


CHANNELS: Mapping[str, Callable[[Settings], Channel | None]] = {
    "whatsapp": _registered(
        WhatsApp,
        (
            "whatsapp_phone_number_id",
            "whatsapp_access_token",
            "whatsapp_app_secret",
            "whatsapp_verify_token",
        ),
    ),
    "twilio": _registered(
        Twilio,
        ("twilio_account_sid", "twilio_auth_token"),
        any_of=("twilio_sms_from", "twilio_whatsapp_from", "twilio_voice_from"),
    ),
    "telegram": _registered(Telegram, ("telegram_bot_token",)),
    "messenger": _registered(
        Messenger,
        (
            "messenger_page_id",
            "messenger_access_token",
            "messenger_app_secret",
            "messenger_verify_token",
        ),
    ),
    "email": _registered(
        Email,
        ("email_address", "email_smtp_url"),
    ),
}


def build_channels(settings: Settings, webchat_publish: Publish) -> dict[str, Channel]:
    """Every channel that the settings switch on, by name; web chat always.

    `webchat_publish(address, outbox_id)` tells the visitor's open page that a message waits.
    Raises ConfigurationInvalid when a channel's settings are only partly there.
    """
    channels: dict[str, Channel] = {"webchat": WebChat(webchat_publish)}
    for name, build in CHANNELS.items():
        if (channel := build(settings)) is not None:
            channels[name] = channel
    return channels
