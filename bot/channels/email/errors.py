"""Errors of aiosmtplib, as ours."""

import aiosmtplib

from bot.errors import ChannelError, ChannelRejected, ChannelRetryable


def to_channel_error(error: BaseException, handed_over: bool) -> ChannelError:
    """Translate. `handed_over`: the mail was already on its way, so silence may mean it was taken."""
    if isinstance(error, aiosmtplib.SMTPRecipientsRefused):
        # One receiver per mail, so the first refusal is the whole story.
        return to_channel_error(error.recipients[0], handed_over=False)
    if isinstance(error, aiosmtplib.SMTPAuthenticationError) and error.code >= 500:
        return ChannelRejected(f"The mail server did not accept our user and password. ({error.code})")
    if isinstance(error, aiosmtplib.SMTPResponseException):
        return _answered(error.code, error.message)
    if isinstance(error, aiosmtplib.SMTPNotSupported):
        return ChannelRejected(f"The mail server lacks something the mail needs: {error}")
    if isinstance(error, aiosmtplib.SMTPConnectError | aiosmtplib.SMTPConnectTimeoutError):
        return ChannelRetryable(f"The mail server cannot be reached: {error}")
    if isinstance(error, aiosmtplib.SMTPException | OSError | TimeoutError):
        return ChannelRetryable(
            f"The mail server did not answer: {type(error).__name__}", maybe_sent=handed_over
        )
    return ChannelRejected(f"This cannot be sent as a mail: {error}")


def _answered(code: int, text: str) -> ChannelError:
    said = " ".join(text.split())[:300]
    if 400 <= code < 500 or code < 200:
        return ChannelRetryable(f"The mail server asks us to wait: {code} {said}", provider_code=code)
    if code in (550, 551, 553):
        return ChannelRejected(f"The address does not exist or does not take our mail: {code} {said}")
    if code == 552:
        return ChannelRejected(f"The mailbox is full or the mail too large: {code} {said}")
    return ChannelRejected(f"The mail server refused the mail: {code} {said}", provider_code=code)
