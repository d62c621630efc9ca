"""What an endpoint can do wrong, in our own words: every error of the SDK has its outcome."""

import openai

LONGEST_WISH_S = 300.0
"""An endpoint may ask to be left alone for so long."""
_ONE_MESSAGE = frozenset({400, 413, 422})
"""Its content filter, or a text that is too long for it: the next message may fare better."""


def outcome_of(error: BaseException) -> str:
    """timeout, unauthorised, too_many, unavailable, not_taken (it refused our request), or error."""
    match error:
        case TimeoutError() | openai.APITimeoutError():
            return "timeout"
        case openai.AuthenticationError() | openai.PermissionDeniedError():
            return "unauthorised"
        case openai.RateLimitError():
            return "too_many"
        case openai.InternalServerError() | openai.APIConnectionError():
            return "unavailable"
        case openai.APIStatusError():
            return "not_taken"
        case _:
            return "error"


def of_one_message(error: BaseException) -> bool:
    """Whether the endpoint answered, and would not take this one request."""
    return isinstance(error, openai.APIStatusError) and error.status_code in _ONE_MESSAGE


def pause_of(error: BaseException) -> float:
    """Seconds that the endpoint itself asks to be left alone; 0 when it does not say."""
    response = getattr(error, "response", None)
    given = response.headers.get("retry-after", "") if response is not None else ""
    return min(float(given), LONGEST_WISH_S) if given.replace(".", "", 1).isdecimal() else 0.0
