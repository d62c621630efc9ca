"""Meta's error codes for Messenger and Instagram, in words an agent can act on."""

from collections.abc import Mapping
from typing import Any

from bot.channels.meta import error_of
from bot.channels.reading import delay_of
from bot.errors import ChannelError, ChannelRejected, ChannelRetryable

# Codes after which the same request may succeed later, whatever the HTTP status.
RETRYABLE = frozenset({-1, 1, 2, 4, 9, 17, 32, 341, 613, 1200, 80002, 80006})
# Subcodes of those that no waiting mends.
NEVER = frozenset({99, 2018109, 2018344, 2018352, 2018354})
OUTSIDE_WINDOW = frozenset({2018065, 2018278, 2534022})
"""Subcodes of 10: the customer last wrote too long ago."""
MAYBE_SENT = frozenset({1357046})
"""Meta's own word: the message has gone, the answer is the error."""

_PERMISSION = "The access token lacks the permission to send. Please grant pages_messaging."
_UNAVAILABLE = "The person cannot be reached: they have blocked us, or their account is closed or paused."
_WINDOW = (
    "More than 24 hours have passed since the customer last wrote. "
    "Nothing may be sent until they write again."
)

REASONS: Mapping[int, str] = {
    3: "Our Meta app may not use this part of Messenger.",
    10: _PERMISSION,
    33: "Our Page id is not known to Meta. Please check it.",
    100: "Meta found something wrong in the message itself.",
    105: "The message has more choices than Meta takes.",
    190: "Our access token is not valid any more. Please make a new one and set it.",
    194: "Meta misses a part of the message.",
    230: _PERMISSION,
    368: "Meta has restricted our Page for breaking a policy.",
    506: "Meta took the message for a repetition of the one before it.",
    551: _UNAVAILABLE,
}

SUBCODES: Mapping[int, str] = {
    33: "Meta does not know the Page or the person, or our token does not reach them.",
    99: "Meta did not take the message; most often a permission or the app's review is missing.",
    1545041: _UNAVAILABLE,
    2018001: "The person is not known to Meta, or has never written to this Page.",
    2018008: "Meta could not fetch our file.",
    2018022: "Meta takes no more messages from us just now.",
    2018028: "Until Meta has reviewed our app, it writes only to people with a role in it.",
    2018047: "Meta could not take our file: wrong type, or too large.",
    2018065: _WINDOW,
    2018074: "Meta no longer has our file.",
    2018108: "The person does not take messages from us just now.",
    2018109: "Meta could not take our file: it is too large.",
    2018278: _WINDOW,
    2018294: "Meta could not take our file in time.",
    2018300: "Another app holds this conversation. Please make Samvad the default app of the Page.",
    2018344: "An admin of the Page must accept Meta's terms first.",
    2534014: "The person is not known to Instagram, or has never written to us.",
    2534015: "Instagram found something wrong in the message itself.",
    2534022: _WINDOW,
    2534037: "Another app holds this conversation. Please make Samvad the default app of the account.",
}


def explain(code: int, subcode: int, error: Mapping[str, Any]) -> str:
    """A sentence for an agent, with Meta's numbers behind it."""
    if subcode in SUBCODES:
        words = SUBCODES[subcode]
    elif code in REASONS:
        words = REASONS[code]
    elif 200 <= code <= 299:
        words = _PERMISSION
    else:
        words = str(error.get("error_user_msg") or error.get("message") or "Meta did not take the message.")
    return f"{words} ({code}{f'/{subcode}' if subcode else ''})"


def to_channel_error(status: int, body: object, retry_after: str | None) -> ChannelError:
    """Translate a refused request."""
    error, code = error_of(status, body)
    subcode = error.get("error_subcode")
    subcode = subcode if isinstance(subcode, int) else 0
    words = explain(code, subcode, error)
    transient = status == 429 or status >= 500 or code in RETRYABLE or error.get("is_transient") is True
    if transient and subcode not in NEVER:
        # A gateway's time-out does not say whether the machine behind it took the message.
        maybe_sent = status == 504 or subcode in MAYBE_SENT
        return ChannelRetryable(
            words, delay=delay_of(retry_after), maybe_sent=maybe_sent, provider_code=code, http=status
        )
    return ChannelRejected(words, provider_code=code, provider_subcode=subcode, http=status)
