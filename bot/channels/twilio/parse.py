"""Twilio's form fields into our vocabulary. Pure."""

from collections.abc import Mapping

from bot.channels.reading import place
from bot.channels.twilio.errors import explain
from bot.errors import Unreadable
from bot.messages import (
    ChannelName,
    Identity,
    InboundMessage,
    Location,
    Media,
    Parsed,
    Status,
    StatusUpdate,
    kind_of,
)

EMPTY_TWIML = '<?xml version="1.0" encoding="UTF-8"?><Response></Response>'
_PREFIX = "whatsapp:"
_MAX_MEDIA = 10
_STATUSES = {
    "sent": Status.SENT,
    "delivered": Status.DELIVERED,
    "read": Status.READ,
    "failed": Status.FAILED,
    "undelivered": Status.FAILED,
    "canceled": Status.FAILED,
}
_OPT_OUT = frozenset({"STOP", "START", "HELP"})

Form = Mapping[str, str]


def parse_message(form: Form) -> Parsed:
    """An SMS or WhatsApp message. Raises Unreadable."""
    sid = needed(form, "MessageSid", "SmsMessageSid", "SmsSid")
    channel, address = split_address(needed(form, "From"))
    _, account = split_address(needed(form, "To"))
    text = form.get("Body", "")
    button = form.get("ButtonPayload") or form.get("ListId") or None
    if button:
        text = form.get("ButtonText") or form.get("ListTitle") or text
    # Twilio has acted on the keyword already; ours may be another word for it, or another language.
    opt_out = form.get("OptOutType", "").upper()
    if opt_out in _OPT_OUT:
        text = opt_out
    message = InboundMessage(
        event_key=sid,
        channel=channel,
        account=account,
        address=address,
        external_id=sid,
        text=text,
        sender_name=form.get("ProfileName", ""),
        identities=_identities(channel, address),
        button=button,
        media=_media(form),
        location=_location(form),
        reply_to=form.get("OriginalRepliedMessageSid") or None,
    )
    return Parsed(messages=(message,), response=EMPTY_TWIML, response_type="text/xml")


def parse_status(form: Form, outbox_id: str | None) -> Parsed:
    """What became of a message of ours. Raises Unreadable."""
    sid = needed(form, "MessageSid", "SmsSid")
    name = needed(form, "MessageStatus", "SmsStatus").lower()
    if name not in _STATUSES:
        return Parsed(unhandled=(f"status:{name}",))
    channel, account = split_address(needed(form, "From"))
    _, address = split_address(form.get("To", ""))
    status = _STATUSES[name]
    code = form.get("ErrorCode", "")
    update = StatusUpdate(
        event_key=f"{sid}:{name}",
        channel=channel,
        account=account,
        external_id=sid,
        status=status,
        outbox_id=outbox_id,
        address=address,
        reason=explain(int(code) if code.isascii() and code.isdigit() and len(code) < 9 else 0)
        if status is Status.FAILED
        else "",
    )
    return Parsed(statuses=(update,))


def split_address(value: str) -> tuple[ChannelName, str]:
    """`whatsapp:+91…` is WhatsApp, a bare number SMS."""
    if value.startswith(_PREFIX):
        return "whatsapp", value[len(_PREFIX) :]
    return "sms", value


def join_address(channel: ChannelName, address: str) -> str:
    """The form Twilio takes."""
    return f"{_PREFIX}{address}" if channel == "whatsapp" else address


def _identities(channel: ChannelName, address: str) -> tuple[Identity, ...]:
    digits = address.removeprefix("+")
    is_phone = address.startswith("+") and digits.isascii() and digits.isdigit()
    phone = (Identity("phone", address, verified=is_phone),)
    if channel == "whatsapp":
        # The same value as the Cloud API gives, so that a change of provider keeps the contact.
        whatsapp = Identity("whatsapp", digits if is_phone else address, verified=True)
        return (whatsapp, *phone) if is_phone else (whatsapp,)
    return phone


def _media(form: Form) -> tuple[Media, ...]:
    count = form.get("NumMedia", "")
    number = int(count) if count.isascii() and count.isdigit() and len(count) < 3 else 0
    found = []
    for index in range(min(number, _MAX_MEDIA)):
        url = form.get(f"MediaUrl{index}", "")
        if url:
            mime = form.get(f"MediaContentType{index}") or "application/octet-stream"
            found.append(Media(kind=kind_of(mime), ref=url, mime=mime.split(";")[0].strip()))
    return tuple(found)


def _location(form: Form) -> Location | None:
    try:
        return place(
            form.get("Latitude"), form.get("Longitude"), form.get("Label", ""), form.get("Address", "")
        )
    except Unreadable:
        return None


def needed(form: Form, *names: str) -> str:
    """The first of these fields that is there. Raises Unreadable."""
    for name in names:
        if form.get(name):
            return form[name]
    raise Unreadable(f"{names[0]} is missing", field=names[0])
