"""Twilio's error codes, in words an agent can act on.

30003 to 30999 come with a status after Twilio has taken the message: they are told, never tried again by us.
"""

from collections.abc import Mapping

from bot.channels.reading import delay_of
from bot.errors import ChannelError, ChannelRejected, ChannelRetryable

# Codes after which the same request may succeed later, whatever the HTTP status.
RETRYABLE = frozenset({14107, 20429, 20500, 20503, 21611, 30001, 63018, 63038})

REASONS: Mapping[int, str] = {
    10001: "Our Twilio account is not active.",
    11751: "The file is larger than the person's carrier takes.",
    12300: "Twilio does not send files of this type.",
    20003: "Twilio did not accept our account and token. Please check them.",
    20404: "Twilio does not know this account or number.",
    21211: "The number is not a valid phone number.",
    21212: "Our sender number is not valid at Twilio.",
    21266: "Sender and receiver are the same number.",
    21408: "Our Twilio account may not send to that country yet. Please allow it in its geo permissions.",
    21602: "Twilio takes no empty message.",
    21603: "The message has no sender.",
    21604: "The message has no receiver.",
    21606: "Our number cannot send messages to this number.",
    21608: "A trial account of Twilio sends to verified numbers only.",
    21609: "Twilio does not take our address for delivery reports. Please check SAMVAD_BASE_URL.",
    21610: "The person has sent STOP. Nothing may be sent until they send START.",
    21612: "Twilio has no way to this number from ours.",
    21614: "The number cannot receive SMS: it is not a mobile number.",
    21617: "The message is longer than 1600 characters.",
    21619: "Twilio takes no empty message.",
    21620: "The address of the file is not valid.",
    21623: "The message has more than ten files.",
    21635: "The number is a landline: it receives no SMS.",
    21656: "The template's values are not valid.",
    21658: "The message is longer than 1600 characters.",
    21660: "Our sender number does not belong to this Twilio account.",
    21670: "Twilio does not send files from the region of our account.",
    21703: "The Messaging Service has no number that can send this. Please add one to it.",
    21704: "The Messaging Service has no number. Please add one to it.",
    21705: "The Messaging Service is not known to Twilio. Please check SAMVAD_TWILIO_MESSAGING_SERVICE_SID.",
    30002: "Our Twilio account is suspended.",
    30003: "The phone is switched off or out of reach.",
    30004: "The message was blocked by the person or the carrier.",
    30005: "The number does not exist, or is out of service.",
    30006: "The number is a landline or its carrier does not take SMS.",
    30007: "The carrier took the message for spam.",
    30008: "The carrier did not deliver the message and gives no reason.",
    30009: "A part of the message was lost on the way.",
    30010: "The message costs more than our Twilio account allows.",
    30011: "Files cannot be sent to this number: its carrier or phone takes no MMS.",
    30019: "The message or its file is larger than the carrier takes.",
    30022: "We send faster than the carrier allows for our registration.",
    30023: "The carrier takes no more messages from us today.",
    30024: "Our number is not ready at the carriers yet.",
    30032: "Our toll-free number is not verified yet.",
    30034: "Our number is not registered for messages to the United States (A2P 10DLC).",
    30036: "The message could not be delivered in the time given for it.",
    30044: "A trial account of Twilio does not send texts this long.",
    30410: "The carrier did not answer in time.",
    30450: "Twilio took the message for fraud and held it back.",
    63001: "WhatsApp did not accept our sender's credentials at Twilio.",
    63003: "The number is not on WhatsApp.",
    63005: "WhatsApp did not take the message's content.",
    63007: "Our WhatsApp sender is not set up at Twilio.",
    63012: "WhatsApp had a failure of its own.",
    63013: "WhatsApp held the message back for breaking a policy.",
    63015: "The person has not joined our WhatsApp sandbox at Twilio.",
    63016: "More than 24 hours have passed since the customer last wrote. Only a template may be sent.",
    63019: "WhatsApp could not fetch the file.",
    63020: "WhatsApp does not let our business account send. Please look at it in Business Manager.",
    63021: "WhatsApp found something wrong in the message's content.",
    63024: "The WhatsApp number is not valid.",
    63032: "WhatsApp may not write to this person just now.",
    63049: "WhatsApp held the message back, because the person had many marketing messages lately.",
}


def explain(code: int, message: str = "") -> str:
    """A sentence for an agent with Twilio's code behind it."""
    return f"{REASONS.get(code) or message or 'Twilio did not take the message.'} ({code})"


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
