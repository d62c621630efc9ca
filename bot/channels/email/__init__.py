"""E-mail: a built-in SMTP listener or an IMAP mailbox in, SMTP out. See README.md."""

from bot.channels.email.channel import Email
from bot.channels.email.html import text_from_html
from bot.channels.email.parse import parse_mail
from bot.channels.email.text import reply_text

__all__ = ["Email", "parse_mail", "reply_text", "text_from_html"]
