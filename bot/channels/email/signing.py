"""DKIM (RFC 6376, RFC 8463): our mails are signed, so that other servers see that they are ours."""

import base64
import re
from pathlib import Path

import dkim
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey

from bot.errors import ChannelRejected, ConfigurationInvalid
from bot.settings import Settings

_SIGNED = (
    b"from",
    b"to",
    b"subject",
    b"date",
    b"message-id",
    b"in-reply-to",
    b"references",
    b"reply-to",
    b"mime-version",
    b"content-type",
    b"list-unsubscribe",
    b"list-unsubscribe-post",
)
"""A name without a header is signed too: nobody can then add that header on the way."""
_LABELS = re.compile(r"(?!-)[A-Za-z0-9-]{1,63}(?<!-)(?:\.(?!-)[A-Za-z0-9-]{1,63}(?<!-))*")


class Signer:
    """Signs for one domain with one key."""

    def __init__(self, selector: str, domain: str, key: RSAPrivateKey | Ed25519PrivateKey) -> None:
        """`selector` names the key in the DNS of `domain`."""
        self.selector, self.domain = selector, domain
        public = key.public_key()
        if isinstance(key, RSAPrivateKey):
            self._algorithm, kind = b"rsa-sha256", "rsa"
            self._key = key.private_bytes(
                serialization.Encoding.PEM,
                serialization.PrivateFormat.TraditionalOpenSSL,
                serialization.NoEncryption(),
            )
            shown = public.public_bytes(
                serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
            )
        else:
            self._algorithm, kind = b"ed25519-sha256", "ed25519"
            self._key = base64.b64encode(key.private_bytes_raw())
            shown = public.public_bytes(serialization.Encoding.Raw, serialization.PublicFormat.Raw)
        self.record = f"v=DKIM1; k={kind}; p={base64.b64encode(shown).decode()}"
        """The TXT record to publish at `record_name`."""

    @property
    def record_name(self) -> str:
        """Where receivers look for the key."""
        return f"{self.selector}._domainkey.{self.domain}"

    def sign(self, mail: bytes) -> bytes:
        """The mail with its signature above it. Takes milliseconds: call it beside the loop.

        Raises ChannelRejected."""
        try:
            signature: bytes = dkim.DKIM(mail, signature_algorithm=self._algorithm).sign(
                self.selector.encode(),
                self.domain.encode(),
                self._key,
                canonicalize=(b"relaxed", b"relaxed"),
                # From once more than it stands there: a second one put above it breaks the signature.
                include_headers=[b"from", *_SIGNED],
            )
        except dkim.DKIMException as error:
            raise ChannelRejected(f"This mail cannot be signed: {error}") from error
        return signature + mail


def read_signer(settings: Settings, address: str) -> Signer | None:
    """The signer that the settings describe for our `address`; None when mail is not signed here.

    Raises ConfigurationInvalid for half the settings, and for what is no key."""
    selector = settings.email_dkim_selector.strip()
    given = settings.email_dkim_key.get_secret_value().strip()
    if not selector and not given:
        return None
    if not given:
        raise ConfigurationInvalid(
            "Please set SAMVAD_EMAIL_DKIM_KEY too (a PEM private key or a path to one), "
            "or unset SAMVAD_EMAIL_DKIM_SELECTOR"
        )
    if not _LABELS.fullmatch(selector):
        raise ConfigurationInvalid(
            "SAMVAD_EMAIL_DKIM_SELECTOR must be a name of letters, digits and hyphens, like samvad1"
        )
    domain = (settings.email_dkim_domain.strip() or address.rpartition("@")[2]).lower()
    try:
        domain = domain.encode("idna").decode()
    except UnicodeError as error:
        raise ConfigurationInvalid("SAMVAD_EMAIL_DKIM_DOMAIN must be a domain, like example.com") from error
    if not _LABELS.fullmatch(domain):
        raise ConfigurationInvalid("SAMVAD_EMAIL_DKIM_DOMAIN must be a domain, like example.com")
    return Signer(selector, domain, _read_key(given))


def _read_key(given: str) -> RSAPrivateKey | Ed25519PrivateKey:
    """The key from its PEM text, or from the file of that name."""
    pem = given
    if "-----BEGIN" not in given:
        try:
            pem = Path(given).expanduser().read_text("ascii")
        except (OSError, ValueError) as error:
            why = getattr(error, "strerror", None) or "it is no text"
            raise ConfigurationInvalid(
                f"SAMVAD_EMAIL_DKIM_KEY is neither a PEM key nor a file that can be read ({why})"
            ) from error
    try:
        # Some ways to set an environment variable keep `\n` as two characters.
        key = serialization.load_pem_private_key(pem.replace("\\n", "\n").encode(), password=None)
    except (ValueError, TypeError, UnsupportedAlgorithm) as error:
        raise ConfigurationInvalid(
            "SAMVAD_EMAIL_DKIM_KEY is no private key in PEM form without a password; make one with: "
            "openssl genrsa 2048"
        ) from error
    if isinstance(key, Ed25519PrivateKey):
        return key
    if not isinstance(key, RSAPrivateKey):
        raise ConfigurationInvalid(
            "SAMVAD_EMAIL_DKIM_KEY must be an RSA key of 2048 bits or an Ed25519 key; make one with: "
            "openssl genrsa 2048"
        )
    return key
