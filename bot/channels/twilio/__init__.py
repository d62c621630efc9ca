"""SMS, WhatsApp and phone calls through Twilio. See README.md."""

from bot.channels.twilio.channel import Twilio

__all__ = ["Twilio"]
