"""Channels: one adapter per provider, each in a folder of its own, registered here by hand.

A channel is on when its credentials are set. Half a set of credentials is a mistake, and says so.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from bot.adapter import Channel
from bot.channels.checking import examine
from bot.channels.email import Email
from bot.channels.messenger import Messenger
from bot.channels.telegram import Telegram
from bot.channels.twilio import Twilio
from bot.channels.webchat import Publish, WebChat
from bot.channels.whatsapp import WhatsApp
from bot.errors import ConfigurationInvalid
from bot.settings import Settings

__all__ = ["CHANNELS", "Provider", "Publish", "WebChat", "build_channels", "examine"]


def _is_set(settings: Settings, name: str) -> bool:
    value = getattr(settings, name)
    return bool(value.get_secret_value() if hasattr(value, "get_secret_value") else value)


@dataclass(frozen=True, slots=True)
class Provider:
    """An adapter and the settings that switch it on, which the console asks for as well."""

    make: Callable[[Settings], Channel]
    required: tuple[str, ...]
    any_of: tuple[str, ...] = ()
    optional: tuple[str, ...] = ()

    @property
    def fields(self) -> tuple[str, ...]:
        """All settings that a person who connects the channel gives."""
        return self.required + self.any_of + self.optional

    def named_by(self, settings: Settings) -> bool:
        """Whether the settings set it up, wholly or in part."""
        return any(_is_set(settings, name) for name in self.required + self.any_of)

    def build(self, settings: Settings) -> Channel | None:
        """None when nothing is set. Raises ConfigurationInvalid that names what a part of them lacks."""
        if not self.named_by(settings):
            return None
        missing = [f"SAMVAD_{name.upper()}" for name in self.required if not _is_set(settings, name)]
        if self.any_of and not any(_is_set(settings, name) for name in self.any_of):
            missing.append(" or ".join(f"SAMVAD_{name.upper()}" for name in self.any_of))
        if missing:
            raise ConfigurationInvalid(
                f"Please set {', '.join(missing)} too, or unset the channel's other settings.",
                settings=missing,
            )
        return self.make(settings)


CHANNELS: Mapping[str, Provider] = {
    "whatsapp": Provider(
        WhatsApp,
        (
            "whatsapp_phone_number_id",
            "whatsapp_access_token",
            "whatsapp_app_secret",
            "whatsapp_verify_token",
        ),
        optional=("whatsapp_business_account_id",),
    ),
    "twilio": Provider(
        Twilio,
        ("twilio_account_sid", "twilio_auth_token"),
        any_of=("twilio_sms_from", "twilio_whatsapp_from", "twilio_voice_from"),
        optional=("twilio_messaging_service_sid", "twilio_voice_forward_to"),
    ),
    "telegram": Provider(Telegram, ("telegram_bot_token",), optional=("telegram_mode",)),
    "messenger": Provider(
        Messenger,
        (
            "messenger_page_id",
            "messenger_access_token",
            "messenger_app_secret",
            "messenger_verify_token",
        ),
        optional=("messenger_instagram_id",),
    ),
    "email": Provider(
        Email,
        ("email_address", "email_smtp_url"),
        optional=("email_imap_url", "email_listen", "email_webhook_token", "email_mailgun_signing_key"),
    ),
}


def build_channels(settings: Settings, webchat_publish: Publish) -> dict[str, Channel]:
    """Every channel that the settings switch on, by name; web chat always.

    `webchat_publish(address, outbox_id)` tells the visitor's open page that a message waits.
    Raises ConfigurationInvalid when a channel's settings are only partly there.
    """
    channels: dict[str, Channel] = {"webchat": WebChat(webchat_publish, settings.public_url)}
    for name, provider in CHANNELS.items():
        if (channel := provider.build(settings)) is not None:
            channels[name] = channel
    return channels
