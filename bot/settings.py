"""Settings: environment `SAMVAD_…`, or `samvad.toml` in the working directory. docs/operator.md lists them.

Every `Field` has a description; tests/test_docs.py checks that the page and this class agree.
"""

from functools import cached_property
from ipaddress import IPv4Network, IPv6Network, ip_network
from pathlib import Path
from typing import Literal
from urllib.parse import urlsplit

from pydantic import Field, SecretStr, ValidationError, field_validator
from pydantic_settings import (
    BaseSettings,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
    TomlConfigSettingsSource,
)

from bot.errors import ConfigurationInvalid


class Settings(BaseSettings):
    """All settings. A channel is on when its credentials are set."""

    model_config = SettingsConfigDict(
        env_prefix="SAMVAD_", toml_file="samvad.toml", extra="ignore", frozen=True, env_ignore_empty=True
    )

    database_url: str = Field("", description="Database; unset: SQLite under the data directory")
    redis_url: str = Field("", description="Redis or Valkey; unset: the embedded Valkey")
    data_dir: Path = Field(Path("data"), description="Directory of everything kept on disk")
    secret_key: SecretStr = Field(SecretStr(""), description="Seals secrets; unset: made on first start")
    base_url: str = Field("", description="Public address, as providers call it; unset: http://HOST:PORT")
    host: str = Field("127.0.0.1", description="Address the web server listens on")
    port: int = Field(8080, description="Port the web server listens on", ge=0, le=65535)
    trusted_proxies: str = Field(
        "127.0.0.0/8,::1",
        description="Proxies whose X-Forwarded-For is believed: addresses or networks, comma",
    )

    business_name: str = Field("Samvad", description="Business profile at first start: name")
    country: str = Field("IN", description="Business profile: country, to read local phone numbers")
    time_zone: str = Field("Asia/Kolkata", description="Business profile: time zone")
    languages: str = Field("en,hi,hi-Latn", description="Business profile: languages, default first")
    currency: str = Field("INR", description="Business profile: currency")
    opening_hours: str = Field(
        "mon-sat 10:00-19:00", description="Business profile: opening hours, in which customers book visits"
    )
    closed_days: str = Field("", description="Business profile: holidays, as 2026-01-26, 2026-08-15")
    visit_minutes: int = Field(30, description="Business profile: length of a visit, minutes", ge=5, le=480)
    visit_lead_minutes: int = Field(
        60, description="Business profile: how long ahead a visit is booked, minutes", ge=0, le=43_200
    )
    visits_at_once: int = Field(
        1, description="Business profile: visits at a time, where no users are marked bookable", ge=1, le=100
    )

    twilio_account_sid: str = Field("", description="Twilio account")
    twilio_auth_token: SecretStr = Field(SecretStr(""), description="Twilio token; signs webhooks")
    twilio_sms_from: str = Field("", description="Number that sends SMS, E.164")
    twilio_whatsapp_from: str = Field("", description="WhatsApp number at Twilio, E.164 without prefix")
    twilio_voice_from: str = Field("", description="Number that customers call, E.164")
    twilio_voice_forward_to: str = Field("", description="Number that rings when a caller presses 0, E.164")
    twilio_messaging_service_sid: str = Field("", description="Messaging Service that chooses the SMS sender")
    twilio_api_url: str = Field("", description="Root of the Twilio API, for tests and proxies")

    whatsapp_phone_number_id: str = Field("", description="WhatsApp Cloud API: phone number id")
    whatsapp_business_account_id: str = Field(
        "", description="WhatsApp Cloud API: business account, where the token names none"
    )
    whatsapp_access_token: SecretStr = Field(SecretStr(""), description="WhatsApp Cloud API: token")
    whatsapp_app_secret: SecretStr = Field(SecretStr(""), description="Meta app secret; signs webhooks")
    whatsapp_verify_token: SecretStr = Field(SecretStr(""), description="Token of the webhook hand-shake")
    whatsapp_api_url: str = Field("", description="Root of the Graph API, for tests and proxies")

    telegram_bot_token: SecretStr = Field(SecretStr(""), description="Telegram bot token")
    telegram_secret_token: SecretStr = Field(SecretStr(""), description="Telegram webhook secret")
    telegram_api_url: str = Field("", description="Root of the Bot API, for tests and proxies")
    telegram_mode: Literal["webhook", "polling"] = Field("webhook", description="How updates arrive")

    messenger_page_id: str = Field("", description="Facebook Page: id")
    messenger_access_token: SecretStr = Field(SecretStr(""), description="Facebook Page: access token")
    messenger_app_secret: SecretStr = Field(SecretStr(""), description="Meta app secret; signs webhooks")
    messenger_verify_token: SecretStr = Field(SecretStr(""), description="Token of the webhook hand-shake")
    messenger_instagram_id: str = Field("", description="Instagram professional account linked to the Page")
    messenger_api_url: str = Field("", description="Root of the Graph API, for tests and proxies")

    email_address: str = Field("", description="Address that mail comes to and leaves from")
    email_smtp_url: SecretStr = Field(SecretStr(""), description="smtp[s]://user:pass@host:port to send")
    email_imap_url: SecretStr = Field(SecretStr(""), description="imap[s]://user:pass@host:port to read")
    email_listen: str = Field("", description="host:port of the built-in SMTP listener")
    email_webhook_token: SecretStr = Field(
        SecretStr(""), description="Token in the URL that SendGrid posts mail to"
    )
    email_mailgun_signing_key: SecretStr = Field(
        SecretStr(""), description="Mailgun's webhook signing key, when Mailgun posts mail"
    )
    email_dkim_selector: str = Field("", description="DKIM: name of the key in the domain's DNS")
    email_dkim_key: SecretStr = Field(
        SecretStr(""), description="DKIM: private key that signs mail, as PEM text or a path to it"
    )
    email_dkim_domain: str = Field("", description="DKIM: signing domain; unset: that of the address")
    email_trusted_authserv: str = Field(
        "", description="Mail server whose DMARC verdict proves the sender: its authserv-id, exactly"
    )

    widget_secret: SecretStr = Field(
        SecretStr(""), description="Signs the tokens by which a site says who its visitor is; unset: off"
    )
    widget_origins: str = Field(
        "", description="Sites that may embed the widget, like https://shop.example, comma; unset: any"
    )

    llm_base_url: str = Field("", description="OpenAI-compatible endpoint, with /v1; unset: no LLM")
    llm_api_key: SecretStr = Field(SecretStr(""), description="Its key")
    llm_model: str = Field("", description="Its model")
    llm_timeout_s: float = Field(
        4.0, description="Seconds a turn may wait for the LLM before the plain path answers", gt=0
    )
    llm_at_once: int = Field(8, description="Questions that the LLM is asked at the same time", gt=0)
    llm_price_in: float = Field(0.0, description="What the LLM costs for a million tokens sent", ge=0)
    llm_price_out: float = Field(0.0, description="What the LLM costs for a million tokens received", ge=0)
    llm_daily_limit: float = Field(
        0.0, description="What the LLM may cost a day (UTC) before it is no longer asked; 0: anything", ge=0
    )

    orders_url: str = Field(
        "", description="Order system: Samvad asks GET URL/orders/NUMBER; unset: no order is looked up"
    )
    orders_key: SecretStr = Field(SecretStr(""), description="Its key, sent as a bearer token")
    orders_timeout_s: float = Field(
        3.0, description="Seconds the order system may take, its retries included", gt=0
    )
    embeddings: bool = Field(
        True,
        description="Understand by meaning where words do not suffice; `false` spares 62 MB",
    )

    flood_sender: int = Field(
        60, description="Messages a minute up to which a sender is answered; 0: any number", ge=0
    )
    flood_account: int = Field(
        30_000, description="The same of all senders to one of our numbers or addresses; 0: any number", ge=0
    )
    flood_address: int = Field(
        120, description="Web chat: messages a minute taken from one network address; 0: any number", ge=0
    )
    flood_kept: int = Field(
        1000, description="Messages an hour of one sender that are kept; more are counted; 0: all", ge=0
    )
    text_limit: int = Field(
        20_000,
        description="Characters of a message that are kept; the rest is cut off",
        ge=1000,
        le=1_000_000,
    )

    api_rate: int = Field(600, description="Requests a minute that one API key may send; 0: any number", ge=0)
    gather_ms: int | None = Field(
        None, description="Overrides every channel's gather time, milliseconds", ge=0
    )
    ask_helped: Literal["never", "buttons", "always"] = Field(
        "buttons",
        description="Ask whether an answer helped: where there are buttons, everywhere (SMS too), or never",
    )
    followup_hours: float = Field(24.0, description="Hours of silence before a lead is followed up", gt=0)
    escalation_minutes: float = Field(
        15.0, description="Minutes a handoff or new case may wait before it escalates", gt=0
    )
    overdue_hours: float = Field(
        24.0, description="Hours a task may be overdue before its owner's manager is told", gt=0
    )
    file_mb: int = Field(25, description="Megabytes that one file of a record may have", gt=0, le=100)
    media_days: int = Field(
        365, description="Days that files of messages are kept after they last came; 0: for ever", ge=0
    )
    log_level: str = Field("info", description="debug, info, warning or error")

    @field_validator(
        "base_url",
        "twilio_api_url",
        "whatsapp_api_url",
        "telegram_api_url",
        "messenger_api_url",
        "llm_base_url",
        "orders_url",
    )
    @classmethod
    def _no_trailing_slash(cls, value: str) -> str:
        if value and urlsplit(value).scheme not in ("http", "https"):
            raise ValueError("must start with http:// or https://")
        return value.rstrip("/")

    @field_validator("widget_secret")
    @classmethod
    def _long_enough(cls, value: SecretStr) -> SecretStr:
        if 0 < len(value.get_secret_value()) < 32:
            raise ValueError("must have at least 32 characters; `openssl rand -hex 32` makes one")
        return value

    @field_validator("widget_origins")
    @classmethod
    def _are_origins(cls, value: str) -> str:
        for part in _listed(value):
            site = urlsplit(part)
            if site.scheme not in ("http", "https") or part != f"{site.scheme}://{site.netloc}":
                raise ValueError(f"{part!r} must be scheme and host alone, like https://shop.example")
        return value

    @field_validator("trusted_proxies")
    @classmethod
    def _are_networks(cls, value: str) -> str:
        for part in _listed(value):
            try:
                ip_network(part)
            except ValueError:
                raise ValueError(f"{part!r} must be an address or a network, like 10.0.0.0/8") from None
        return value

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """What is passed wins, then the environment, then samvad.toml."""
        return init_settings, env_settings, TomlConfigSettingsSource(settings_cls)

    @property
    def public_url(self) -> str:
        """The address providers and customers use, without a trailing slash."""
        return self.base_url or f"http://{self.host}:{self.port}"

    @property
    def language_list(self) -> tuple[str, ...]:
        """Languages of the business; the first is the default."""
        return _listed(self.languages) or ("en",)

    @property
    def widget_origin_list(self) -> tuple[str, ...]:
        """Sites that may embed the widget; empty: any."""
        return _listed(self.widget_origins)

    @cached_property
    def trusted_networks(self) -> tuple[IPv4Network | IPv6Network, ...]:
        """Where proxies of our own stand."""
        return tuple(ip_network(part) for part in _listed(self.trusted_proxies))

    def sqlite_path(self) -> Path:
        """Where the embedded database lies."""
        return self.data_dir.resolve() / "samvad.db"


def _listed(value: str) -> tuple[str, ...]:
    return tuple(part.strip() for part in value.split(",") if part.strip())


def load_settings(**given: object) -> Settings:
    """Read the settings. Raises ConfigurationInvalid that names each wrong one and says why."""
    try:
        return Settings(**given)  # type: ignore[arg-type]
    except ValidationError as error:
        wrong = "; ".join(
            f"SAMVAD_{'_'.join(str(part) for part in item['loc']).upper()}: {item['msg']}"
            for item in error.errors()
        )
        raise ConfigurationInvalid(f"Please mend these settings: {wrong}") from error
