"""Emulators of the providers, shipped for tests, benchmarks and the demo. Nothing in `bot` imports them.

Each is an async context manager on a port of its own on the loopback, with `.url` to set as the
`SAMVAD_…_API_URL`, and speaks for customers by the `CustomerEmulator` protocol.
"""

from bot.testing.customers import CustomerEmulator
from bot.testing.llm import LLMEmulator
from bot.testing.mail import MailEmulator, MailSink, submit_mail
from bot.testing.messenger import MessengerEmulator
from bot.testing.orders import OrdersEmulator
from bot.testing.server import Fault, Server
from bot.testing.telegram import TelegramEmulator
from bot.testing.twilio import TwilioEmulator
from bot.testing.twilio_calls import HANG_UP, PhoneCall, Speech
from bot.testing.whatsapp import WhatsAppEmulator

__all__ = [
    "HANG_UP",
    "CustomerEmulator",
    "Fault",
    "LLMEmulator",
    "MailEmulator",
    "MailSink",
    "MessengerEmulator",
    "OrdersEmulator",
    "PhoneCall",
    "Server",
    "Speech",
    "TelegramEmulator",
    "TwilioEmulator",
    "WhatsAppEmulator",
    "submit_mail",
]
