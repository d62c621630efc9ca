"""Every error that Samvad raises on purpose.

    SamvadError                     one root: code, HTTP status, data, a key in locales/
    ├── InvalidInput          400   what was sent cannot be used; says which field and why
    │   ├── QueryInvalid      400   a `where` or `order` that does not parse; carries the position
    │   ├── NoSuchTarget      409   an id or name that points to nothing the actor sees
    │   ├── KeyReused         422   an Idempotency-Key that belongs to another request
    │   └── TooLarge          413   a body, message or file over its limit
    ├── NotSignedIn           401   no key, a forged key, an ended session
    ├── Forbidden             403   the actor may not do this
    │   └── SignatureInvalid  403   a webhook that its provider did not sign
    ├── NotFound              404   no such record, or none this actor may see
    ├── Conflict              409   somebody else changed it first
    │   ├── VersionConflict   409   a record moved on since it was read
    │   ├── Stale             412   a record is not the one that If-Match names
    │   └── LaneLost          409   the lane's lease or owner changed under a turn: run it again
    ├── Unreadable            422   rightly signed, but not in the provider's documented form
    ├── TooMany               429   more requests than this key may send; `retry_after` seconds
    ├── Unavailable           503   a part this needs is down; trying again may help
    ├── ConfigurationInvalid  500   settings that cannot work; says which one and what to do
    ├── GateRefused           409   an outbound message that may not leave, and why
    └── ChannelError          502
        ├── ChannelRetryable  502   the provider may accept it later; `delay` seconds
        └── ChannelRejected   502   the provider will never accept it; `reason`

Vendor errors are translated into ChannelError at the adapter's edge. `bot.web.errors` renders
the tree as problem+json, the console as a sentence, a chat by the locale key.
"""

from typing import Any


class SamvadError(Exception):
    """The root. `data` holds what a person or program needs to mend it, never a secret."""

    code = "error"
    status = 500

    def __init__(self, message: str = "", **data: Any) -> None:
        super().__init__(message or self.code)
        self.message = message or self.code
        self.data = data

    @property
    def locale_key(self) -> str:
        """Key of the sentence for this error in `locales/`."""
        return f"error.{self.code}"


class InvalidInput(SamvadError):
    """What was sent cannot be used; `data["field"]` names the field where there is one."""

    code = "invalid_input"
    status = 400


class QueryInvalid(InvalidInput):
    """A query that does not parse; `data["position"]` counts characters from 0."""

    code = "query_invalid"


class TooLarge(InvalidInput):
    """Over a size limit; `data["limit"]` in bytes or characters as the message says."""

    code = "too_large"
    status = 413


class NoSuchTarget(InvalidInput):
    """Rightly written, but it points to no record that the actor sees; `data["field"]` names the field."""

    code = "no_such_target"
    status = 409


class KeyReused(InvalidInput):
    """An Idempotency-Key that was used for another request."""

    code = "key_reused"
    status = 422


class NotSignedIn(SamvadError):
    """No credentials, or ones we do not know."""

    code = "not_signed_in"
    status = 401


class Forbidden(SamvadError):
    """The actor may not do this."""

    code = "forbidden"
    status = 403


class SignatureInvalid(Forbidden):
    """A webhook whose signature is missing or wrong."""

    code = "signature_invalid"


class NotFound(SamvadError):
    """No such record, or none that this actor may see."""

    code = "not_found"
    status = 404


class Conflict(SamvadError):
    """Somebody else changed it first."""

    code = "conflict"
    status = 409


class VersionConflict(Conflict):
    """The record's version moved on since it was read."""

    code = "version_conflict"


class Stale(Conflict):
    """The record is not the one that the request's If-Match names."""

    code = "stale"
    status = 412


class LaneLost(Conflict):
    """The lane's lease or the conversation's owner changed under a turn; the turn runs again."""

    code = "lane_lost"


class Unreadable(SamvadError):
    """Rightly signed, but not in the provider's documented form: quarantined."""

    code = "unreadable"
    status = 422


class TooMany(SamvadError):
    """More requests than a key may send; `data["retry_after"]` is when to try again, in seconds."""

    code = "too_many"
    status = 429


class Unavailable(SamvadError):
    """A part this needs is down; trying again may help."""

    code = "unavailable"
    status = 503


class ConfigurationInvalid(SamvadError):
    """Settings that cannot work; the message names the setting and the remedy."""

    code = "configuration_invalid"


class GateRefused(SamvadError):
    """An outbound message that may not leave; `data["reason"]` is one of the gate's reasons."""

    code = "gate_refused"
    status = 409


class ChannelError(SamvadError):
    """A provider did not take a message."""

    code = "channel_error"
    status = 502


class ChannelRetryable(ChannelError):
    """The provider may accept it later.

    `delay` is in seconds, as the provider asked (Retry-After) or 0 for our own back-off.
    `maybe_sent` says that the provider may have taken the message although no answer came.
    """

    code = "channel_retryable"

    def __init__(self, message: str = "", delay: float = 0.0, maybe_sent: bool = False, **data: Any) -> None:
        super().__init__(message, **data)
        self.delay = delay
        self.maybe_sent = maybe_sent


class ChannelRejected(ChannelError):
    """The provider will never accept it; `reason` is a sentence an agent can act on. Of a file that is too
    large `data["limit"]` tells how many bytes it may have."""

    code = "channel_rejected"

    def __init__(self, reason: str, **data: Any) -> None:
        super().__init__(reason, **data)
        self.reason = reason
