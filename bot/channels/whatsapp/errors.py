"""Meta's error codes, in words an agent can act on."""

from collections.abc import Mapping
from typing import Any

from bot.channels.meta import error_of
from bot.channels.reading import delay_of
from bot.errors import ChannelError, ChannelRejected, ChannelRetryable

# Codes after which the same request may succeed later, whatever the HTTP status.
RETRYABLE = frozenset({1, 2, 4, 80007, 130429, 131000, 131016, 131048, 131056, 131057, 133004})

REASONS: Mapping[int, str] = {
    0: "WhatsApp did not accept our access token. Please make a new one and set it.",
    3: "The access token lacks the permission to send. Please grant whatsapp_business_messaging.",
    10: "The access token lacks the permission to send. Please grant whatsapp_business_messaging.",
    33: "Our phone number id is not known to WhatsApp. Please check it.",
    100: "WhatsApp found something wrong in the message itself.",
    131005: "The access token lacks the permission to send. Please grant whatsapp_business_messaging.",
    131008: "WhatsApp misses a part of the message.",
    131009: "WhatsApp found a value in the message that it does not take.",
    131021: "Sender and receiver are the same number.",
    131026: "The message cannot be delivered: the number is not on WhatsApp, "
    "or the person uses an old version or has blocked us.",
    131030: "The number is not on the list of allowed test receivers.",
    131031: "WhatsApp has locked our business account. Please look at the account in Business Manager.",
    131042: "WhatsApp cannot charge us. Please check the payment method in Business Manager.",
    131045: "Our number is not registered for sending. Please register it in WhatsApp Manager.",
    131047: "More than 24 hours have passed since the customer last wrote. Only a template may be sent.",
    131049: "WhatsApp held the message back, because the person had many marketing messages lately.",
    131050: "The person has stopped marketing messages from us.",
    131051: "WhatsApp does not take this type of message.",
    131052: "WhatsApp could not fetch the customer's file.",
    131053: "WhatsApp could not take our file: wrong type, or too large.",
    130472: "WhatsApp held the message back, because the number is part of an experiment of theirs.",
    130497: "WhatsApp does not let us write to people in that country.",
    132000: "The template has another number of placeholders.",
    132001: "There is no such template in that language, or it is not approved yet.",
    132015: "The template is paused because of low quality.",
    132016: "The template is switched off because of low quality.",
    133010: "Our number is not registered with the Cloud API.",
    190: "Our access token has expired. Please make a new one and set it.",
    368: "WhatsApp has restricted our account for breaking a policy.",
}


def explain(code: int, error: Mapping[str, Any]) -> str:
    """A sentence for an agent; Meta's own detail is kept behind it."""
    if code in REASONS:
        words = REASONS[code]
    elif 200 <= code <= 299:
        words = REASONS[10]
    else:
        words = str(error.get("title") or error.get("message") or "WhatsApp did not take the message.")
    data = error.get("error_data")
    detail = data.get("details") if isinstance(data, dict) else None
    detail = detail if isinstance(detail, str) else ""
    return f"{words} ({code}{': ' + detail if detail else ''})"


def to_channel_error(status: int, body: object, retry_after: str | None) -> ChannelError:
    """Translate a refused request."""
    error, code = error_of(status, body)
    words = explain(code, error)
    if status == 429 or status >= 500 or code in RETRYABLE:
        # A gateway's time-out does not say whether the machine behind it took the message.
        return ChannelRetryable(
            words, delay=delay_of(retry_after), maybe_sent=status == 504, provider_code=code, http=status
        )
    return ChannelRejected(words, provider_code=code, http=status)
