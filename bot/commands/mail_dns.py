"""What the DNS must say of a domain that mail leaves from: SPF, DKIM, DMARC, each a TXT record."""

from dataclasses import dataclass
from urllib.parse import urlsplit

from dns.exception import DNSException
from dns.resolver import NXDOMAIN, NoAnswer, Resolver

from bot.channels.email.signing import Signer, read_signer
from bot.errors import SamvadError
from bot.settings import Settings

_SECONDS = 3.0


@dataclass(frozen=True, slots=True)
class MailRecord:
    """A record: whether it is there (None: the DNS could not be asked), and what to know or do."""

    what: str
    there: bool | None
    says: str


def mail_records(settings: Settings, resolver: Resolver | None = None) -> list[MailRecord]:
    """The three records of the domain of SAMVAD_EMAIL_ADDRESS; none where mail is not set up rightly."""
    address = settings.email_address.strip().lower()
    domain = address.rpartition("@")[2]
    if not domain:
        return []
    try:
        signer = read_signer(settings, address)
    except SamvadError:
        return []  # the channels' own line says what is wrong
    ask = _Dns(resolver)
    return [_spf(ask, domain, settings), _dkim(ask, signer), _dmarc(ask, domain, address)]


class _Dns:
    """Asks for TXT records, and gives up for good where nobody answers."""

    def __init__(self, resolver: Resolver | None) -> None:
        self._resolver = resolver
        self._away = False

    def texts(self, name: str) -> list[str] | None:
        """What stands at this name; None when nobody can tell."""
        if self._away:
            return None
        try:
            self._resolver = self._resolver or Resolver()
            found = self._resolver.resolve(name, "TXT", lifetime=_SECONDS)
        except (NXDOMAIN, NoAnswer):
            return []
        except (DNSException, OSError):
            self._away = True
            return None
        return [b"".join(one.strings).decode("ascii", "replace") for one in found]


def _record(what: str, found: list[str] | None, right: bool, ok: str, publish: str) -> MailRecord:
    if found is None:
        return MailRecord(what, None, f"the DNS could not be asked; there must be {publish}")
    return MailRecord(what, right, ok if right else f"please publish {publish}")


def _spf(ask: _Dns, domain: str, settings: Settings) -> MailRecord:
    found = ask.texts(domain)
    right = any(text.lower().split(" ")[0] == "v=spf1" for text in found or ())
    host = urlsplit(settings.email_smtp_url.get_secret_value()).hostname or "your-mail-server"
    publish = f'a TXT record at {domain}, like "v=spf1 a:{host} ~all" (or what your mail provider asks for)'
    return _record("SPF", found, right, f"{domain} says who may send for it", publish)


def _dkim(ask: _Dns, signer: Signer | None) -> MailRecord:
    if signer is None:
        return MailRecord(
            "DKIM", True, "left to the mail server; SAMVAD_EMAIL_DKIM_KEY and …_SELECTOR sign mail here"
        )
    found = ask.texts(signer.record_name)
    key = signer.record.rpartition("p=")[2]
    right = any(_tag(text, "p") == key for text in found or ())
    publish = f'a TXT record at {signer.record_name}: "{signer.record}"'
    if found and not right:
        publish += " (another key stands there now)"
    return _record("DKIM", found, right, f"{signer.record_name} holds our key", publish)


def _dmarc(ask: _Dns, domain: str, address: str) -> MailRecord:
    """At the domain itself, or at one above it that speaks for it too."""
    labels = domain.split(".")
    found: list[str] | None = []
    right = False
    for first in range(max(1, len(labels) - 1)):
        found = ask.texts("_dmarc." + ".".join(labels[first:]))
        right = any(_tag(text, "v").upper() == "DMARC1" for text in found or ())
        if right or found is None:
            break
    publish = f'a TXT record at _dmarc.{domain}, like "v=DMARC1; p=none; rua=mailto:{address}"'
    return _record("DMARC", found, right, f"{domain} says what to do with forged mail", publish)


def _tag(record: str, name: str) -> str:
    """The value of a tag in `v=…; p=…`, without blanks."""
    pairs = (part.partition("=") for part in record.split(";"))
    return next(("".join(value.split()) for tag, _, value in pairs if tag.strip().lower() == name), "")
