"""Twilio's error codes, in words an agent can act on."""

from collections.abc import Mapping

from bot.errors import ChannelError, ChannelRejected, ChannelRetryable

# Codes after which the same request may succeed later, whatever the HTTP status.
RETRYABLE = frozenset({14107, 20429, 20500, 20503, 21611, 30001, 63018, 63038})

REASONS: Mapping[int, str] = {
    20003: "Twilio did not accept our account and token. Please check them.",
    20404: "Twilio does not know this account or number.",
    21211: "The number is not a valid phone number.",
    21212: "Our sender number is not valid at Twilio.",
    21408: "Our Twilio account may not send to that country yet.",
    21602: "Twilio takes no empty message.",
    21604: "The message has no receiver.",
    21606: "Our number cannot send messages to this number.",
    21608: "A trial account of Twilio sends to verified numbers only.",
    21610: "The person has sent STOP. Nothing may be sent until they send START.",
    21612: "Twilio has no way to this number from ours.",
    21614: "The number cannot receive SMS: it is not a mobile number.",
    21617: "The message is longer than 1600 characters.",
    21619: "Twilio takes no empty message.",
    21656: "The template's values are not valid.",
    21658: "The message is longer than 1600 characters.",
    21660: "Our sender number does not belong to this Twilio account.",
    30002: "Our Twilio account is suspended.",
    30003: "The phone is switched off or out of reach.",
    30004: "The message was blocked by the person or the carrier.",
    30005: "The number does not exist, or is out of service.",
    30006: "The number is a landline or its carrier does not take SMS.",
    30007: "The carrier took the message for spam.",
    30008: "The carrier did not deliver the message and gives no reason.",
    30032: "Our toll-free number is not verified yet.",
    30034: "Our number is not registered for messages to the United States.",
    63003: "The number is not on WhatsApp.",
    63005: "WhatsApp did not take the message's content.",
    63007: "Our WhatsApp sender is not set up at Twilio.",
    63013: "WhatsApp held the message back for breaking a policy.",
    63016: "More than 24 hours have passed since the customer last wrote. Only a template may be sent.",
    63024: "The WhatsApp number is not valid.",
    63032: "WhatsApp may not write to this person just now.",
    63049: "WhatsApp held the message back, because the person had many marketing messages lately.",
}


def explain(code: int, message: str = "") -> str:
    """A sentence for an agent with Twilio's code behind it."""
    return f"{REASONS.get(code) or message or 'Twilio did not take the message.'} ({code})"


def delay_of(retry_after: str | None) -> float:
    """Seconds from a Retry-After header; 0 when there is none or it is a date."""
    try:
        return min(max(float(retry_after or 0), 0.0), 86_400.0)
    except ValueError:
        return 0.0


def to_channel_error(
    status: int, code: int | None, message: str, retry_after: str | None = None
) -> ChannelError:
    """Translate a refused request."""
    code = code or status
    words = explain(code, message)
    if status == 429 or status >= 500 or code in RETRYABLE:
        return ChannelRetryable(
            words, delay=delay_of(retry_after), maybe_sent=status == 504, provider_code=code, http=status
        )
    return ChannelRejected(words, provider_code=code, http=status)
