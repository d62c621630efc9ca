"""How each channel is connected: what to do at the provider step by step, and what to enter here."""

import re
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import quote, unquote, urlsplit

from bot.channels import CHANNELS
from bot.crm.address import normal_phone
from bot.errors import InvalidInput
from bot.pipeline.connections import is_secret

MADE_HERE = frozenset({"whatsapp_verify_token", "messenger_verify_token", "email_webhook_token"})
"""Tokens of our own making: they are made when the channel is connected, and shown, to be pasted there."""
SERVERS = frozenset({"email_smtp_url", "email_imap_url"})
"""Mail servers, asked for in parts: a person has a host and a password, not a URL."""
PARTS = ("host", "port", "safety", "user", "password")
CHOICES: Mapping[str, tuple[str, ...]] = {"telegram_mode": ("webhook", "polling")}
_PHONES = frozenset(
    {"twilio_sms_from", "twilio_whatsapp_from", "twilio_voice_from", "twilio_voice_forward_to"}
)
_SHORT_CODE = re.compile(r"\d{3,8}")
_PATTERNS = {
    "whatsapp_phone_number_id": r"\d{5,30}",
    "whatsapp_business_account_id": r"\d{5,30}",
    "messenger_page_id": r"\d{5,30}",
    "messenger_instagram_id": r"\d{5,30}",
    "twilio_account_sid": r"AC[0-9a-fA-F]{32}",
    "twilio_messaging_service_sid": r"MG[0-9a-fA-F]{32}",
    "telegram_bot_token": r"\d{3,20}:[\w-]{5,100}",
    "telegram_mode": r"webhook|polling",
    "email_address": r"[^@\s]{1,64}@[^@\s]{1,250}",
    "email_listen": r"[\w.:\[\]-]{0,100}:\d{1,5}",
}
_ANY_KEY = r"[\x21-\x7e]{4,1000}"
_LIMIT = 1000


@dataclass(frozen=True, slots=True)
class Step:
    """One thing to do; `copies` are values to paste there: key of its label -> value."""

    key: str
    copies: tuple[tuple[str, str], ...] = ()
    link: str = ""


def steps_of(adapter: str, public_url: str, values: Mapping[str, str]) -> tuple[Step, ...]:
    """The provider's side, with exact values. `values` hold our own tokens once they are made."""
    url = f"{public_url}/channels/{adapter}"
    made: dict[str, str] = {name: values.get(name, "") for name in MADE_HERE}
    if adapter == "whatsapp":
        return (
            Step("connect.whatsapp.app", link="https://developers.facebook.com/apps"),
            Step("connect.whatsapp.token", link="https://business.facebook.com/settings/system-users"),
            Step("connect.enter"),
            Step(
                "connect.whatsapp.webhook",
                (
                    ("connect.callback", url),
                    ("connect.verify_token", made["whatsapp_verify_token"]),
                    ("connect.fields", "messages, message_template_status_update, calls"),
                ),
            ),
        )
    if adapter == "messenger":
        return (
            Step("connect.messenger.app", link="https://developers.facebook.com/apps"),
            Step("connect.messenger.token", link="https://business.facebook.com/settings/system-users"),
            Step("connect.enter"),
            Step(
                "connect.messenger.webhook",
                (
                    ("connect.callback", url),
                    ("connect.verify_token", made["messenger_verify_token"]),
                    ("connect.fields", "messages, messaging_postbacks, message_deliveries, message_reads"),
                ),
            ),
        )
    if adapter == "twilio":
        return (
            Step("connect.twilio.account", link="https://console.twilio.com"),
            Step("connect.enter"),
            Step("connect.twilio.sms", (("connect.callback", f"{url}/messages"),)),
            Step("connect.twilio.whatsapp", (("connect.callback", f"{url}/messages"),)),
            Step("connect.twilio.voice", (("connect.callback", f"{url}/voice"),)),
        )
    if adapter == "telegram":
        return (
            Step("connect.telegram.bot", (("connect.command", "/newbot"),), "https://t.me/BotFather"),
            Step("connect.telegram.enter"),
        )
    if adapter == "email":
        posted = f"{url}?token={made['email_webhook_token']}" if made["email_webhook_token"] else ""
        return (
            Step("connect.email.server"),
            Step("connect.enter"),
            Step("connect.email.post", (("connect.callback", posted),)),
        )
    page = f'<script src="{public_url}/widget.js" async></script>'
    return (Step("connect.webchat.page", (("connect.snippet", page),)),)


def fields_of(adapter: str) -> tuple[str, ...]:
    """What the form asks for."""
    provider = CHANNELS.get(adapter)
    return tuple(name for name in provider.fields if name not in MADE_HERE) if provider else ()


def may_lack(adapter: str, name: str) -> bool:
    """Whether the form may leave it empty."""
    return name not in CHANNELS[adapter].required


def shown(name: str, value: str) -> str:
    """What the form shows of a value it has: of a secret its last four characters."""
    return f"…{value[-4:]}" if is_secret(name) and len(value) >= 12 else "…" if is_secret(name) else value


def server_parts(url: str) -> dict[str, str]:
    """A server's URL as the form's parts; the password stays out."""
    parts = urlsplit(url)
    safe = parts.scheme.endswith("s")
    port = parts.port or {"smtp": 587, "smtps": 465, "imap": 143, "imaps": 993}.get(parts.scheme, 0)
    return {
        "host": parts.hostname or "",
        "port": str(port) if url else "",
        "safety": "tls" if safe or not url else "starttls",
        "user": unquote(parts.username or ""),
    }


def read_form(
    adapter: str, form: Mapping[str, str], before: Mapping[str, str], country: str
) -> dict[str, str]:
    """Checked values of a channel's form. A secret left empty stays what it was before.

    Raises InvalidInput that names the field."""
    values: dict[str, str] = {}
    for name in fields_of(adapter):
        if name in SERVERS:
            value = _server(name, form, before.get(name, ""))
        else:
            value = form.get(name, "").strip()
            value = before.get(name, "") if is_secret(name) and not value else value
            value = _checked(name, value, country)
        if not value and not may_lack(adapter, name):
            raise InvalidInput("Please fill this in", field=name)
        values[name] = value
    for name in MADE_HERE.intersection(CHANNELS[adapter].fields):
        values[name] = before.get(name) or secrets.token_urlsafe(24)
    any_of = CHANNELS[adapter].any_of
    if any_of and not any(values[name] for name in any_of):
        raise InvalidInput("Please give one of these", field=any_of[0])
    return values


def _checked(name: str, value: str, country: str) -> str:
    if not value:
        return ""
    if name in _PHONES:
        number = value.removeprefix("whatsapp:")
        found = number if _SHORT_CODE.fullmatch(number) else normal_phone(number, country)
        if found is None:
            raise InvalidInput("That is no telephone number", field=name)
        return found
    pattern = _PATTERNS.get(name) or _ANY_KEY
    if len(value) > _LIMIT or not re.fullmatch(pattern, value):
        raise InvalidInput("That does not look right", field=name)
    return value


def _server(name: str, form: Mapping[str, str], before: str) -> str:
    """A server's parts as a URL; empty without a host."""
    host, port, safety, user, password = (form.get(f"{name}.{part}", "").strip() for part in PARTS)
    if not host:
        return ""
    numbered = port.isascii() and port.isdigit() and 0 < int(port) < 65_536
    if not numbered or not re.fullmatch(r"[\w.-]{1,250}", host):
        raise InvalidInput("A server has a name and a port", field=name)
    known = server_parts(before)
    if not password and (known["host"], known["user"]) == (host, user):
        # Kept only for the server it was given for: else it could be had by naming another.
        password = unquote(urlsplit(before).password or "")
    login = f"{quote(user, safe='')}:{quote(password, safe='')}@" if user else ""
    scheme = name.split("_")[1] + ("s" if safety == "tls" else "")
    folder = urlsplit(before).path if before else ""
    return f"{scheme}://{login}{host}:{port}{folder}"
