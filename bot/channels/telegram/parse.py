"""Telegram updates into our vocabulary. Pure."""

import re
from dataclasses import replace
from typing import Any

from telegram import CallbackQuery, Contact, InlineKeyboardMarkup, Message, Update, User

from bot import clock
from bot.channels.reading import place
from bot.errors import Unreadable
from bot.messages import Identity, InboundMessage, Location, Media, MediaKind, Parsed, clean

# A message with none of these is a service message: somebody joined, a message was pinned, …
_CONTENT = (
    "text",
    "photo",
    "voice",
    "audio",
    "video",
    "video_note",
    "animation",
    "document",
    "sticker",
    "location",
    "venue",
    "contact",
)


_COMMAND = re.compile(r"(/[A-Za-z0-9_]{1,32})(?:@\w{1,64})?(?=\s|$)")
_PAYLOAD = re.compile(r"[A-Za-z0-9_-]{1,64}")


def parse_update(raw: object, account: str) -> tuple[Parsed, tuple[int, str] | None]:
    """One update, and (chat, callback query id) when a button's press waits for its answer.

    Raises Unreadable when it is not in the documented form.
    """
    if not isinstance(raw, dict) or type(raw.get("update_id")) is not int:
        raise Unreadable("an update without update_id")
    kinds = [name for name in raw if name != "update_id"]
    kind = str(kinds[0]) if kinds else "empty"
    if kind == "my_chat_member":
        return _membership(raw, account), None
    skipped = _skipped(kind, raw)
    if skipped is not None:
        return Parsed(unhandled=(clean(skipped),)), None
    try:
        update = Update.de_json(_completed(kind, raw), None)
    except Exception as error:
        # The SDK has no error of its own here: it fails with whatever the broken field leads to.
        if (kept := _kept(kind, raw, account)) is not None:
            return kept, None
        raise Unreadable(f"Telegram's {kind} cannot be read: {type(error).__name__}") from error
    try:
        if update.callback_query is not None:
            return _pressed(update.update_id, update.callback_query, account)
        if update.message is not None:
            return _written(update.update_id, update.message, account), None
        if update.edited_message is not None:
            return _edited(_written(update.update_id, update.edited_message, account)), None
    except (AttributeError, TypeError, ValueError, IndexError) as error:
        # de_json does not check types: a number where a text belongs surfaces only here.
        raise Unreadable(f"Telegram's {kind} cannot be read: {type(error).__name__}") from error
    return Parsed(unhandled=(clean(kind),)), None


def group_of(raw: object) -> tuple[int, str] | None:
    """(chat, language of the speaker) of what a person wrote in a group; None for anything else."""
    item = raw.get("message") if isinstance(raw, dict) else None
    if not isinstance(item, dict) or not any(name in item for name in _CONTENT):
        return None
    chat, sender = item.get("chat"), item.get("from")
    if not isinstance(chat, dict) or chat.get("type") not in ("group", "supergroup"):
        return None
    if not isinstance(sender, dict) or sender.get("is_bot") or type(chat.get("id")) is not int:
        return None
    return chat["id"], str(sender.get("language_code") or "")


def _membership(raw: dict[str, Any], account: str) -> Parsed:
    """Blocking the bot in a private chat is a STOP, taking the block away undoes it."""
    try:
        change = raw["my_chat_member"]
        chat, status = change["chat"], change["new_chat_member"]["status"]
        private = chat.get("type", "private") == "private"
        preference = {"kicked": "stop", "member": "resume"}.get(status) if private else None
        if preference is None:
            return Parsed(unhandled=(clean(f"my_chat_member:{chat.get('type')}:{status}"),))
        address = str(int(chat["id"]))
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise Unreadable(f"Telegram's my_chat_member cannot be read: {type(error).__name__}") from error
    message = InboundMessage(
        event_key=str(raw["update_id"]),
        channel="telegram",
        account=account,
        address=address,
        external_id="",
        kind="preference",
        text=preference,
        button="blocked",
    )
    return Parsed(messages=(message,))


def _command(text: str) -> tuple[str, str]:
    """A text without `@our_bot` behind its command, and the payload of the link that `/start` came by."""
    found = _COMMAND.match(text)
    if found is None:
        return text, ""
    name, rest = found[1], text[found.end() :]
    if name.lower() != "/start":
        return name + rest, ""
    payload = rest.strip()
    return name, payload if _PAYLOAD.fullmatch(payload) else ""


def _skipped(kind: str, raw: dict[str, Any]) -> str | None:
    """The name of an update that we do not handle; None for one that we do."""
    if kind not in ("message", "edited_message", "callback_query"):
        return kind
    item = raw[kind]
    message = item.get("message", {}) if kind == "callback_query" and isinstance(item, dict) else item
    if not isinstance(message, dict):
        raise Unreadable(f"{kind} is not an object")
    chat = message.get("chat")
    if isinstance(chat, dict) and chat.get("type", "private") != "private":
        return f"{kind}:{chat.get('type')}"
    if kind != "callback_query" and not any(name in message for name in _CONTENT):
        return f"{kind}:service"
    return None


def _completed(kind: str, raw: dict[str, Any]) -> dict[str, Any]:
    """The update with what the SDK insists on and we can do without."""
    item = raw[kind]
    if not isinstance(item, dict):
        return raw
    sender, chat = item.get("from"), item.get("chat")
    if isinstance(sender, dict):
        item = item | {"from": {"first_name": "", "is_bot": False} | sender}
    if kind != "callback_query" and isinstance(chat, dict):
        # A message has at least its sender; without an id of its own it has the update's.
        lacking = {"message_id": raw["update_id"], "date": int(clock.now().timestamp())}
        item = lacking | item | {"chat": {"type": "private"} | chat}
    return raw | {kind: item}


def _written(update_id: int, message: Message, account: str) -> Parsed:
    sender = message.from_user
    if sender is not None and sender.is_bot:
        return Parsed(unhandled=("message:bot",))
    shared = message.contact
    text, source = _command(clean(message.text or message.caption or ""))
    return Parsed(
        messages=(
            InboundMessage(
                event_key=str(update_id),
                channel="telegram",
                account=account,
                address=str(int(message.chat.id)),
                external_id=str(int(message.message_id)),
                text=text,
                source=source,
                at=message.date,
                sender_name=_name(sender),
                identities=_identities(sender, message.chat.id, shared),
                media=_media(message),
                location=_location(message),
                shared_contacts=(_card(shared),) if shared else (),
                reply_to=str(message.reply_to_message.message_id) if message.reply_to_message else None,
            ),
        )
    )


def _kept(kind: str, raw: dict[str, Any], account: str) -> Parsed | None:
    """A customer's message whose content cannot be read is a message all the same."""
    item = raw[kind]
    chat = item["chat"].get("id") if isinstance(item.get("chat"), dict) else None
    content = next((name for name in _CONTENT if isinstance(item.get(name), dict)), "")
    if kind != "message" or type(chat) is not int or not content:
        return None
    message = InboundMessage(
        event_key=str(raw["update_id"]),
        channel="telegram",
        account=account,
        address=str(chat),
        external_id=str(item.get("message_id", raw["update_id"])),
        text=clean(str(item.get("caption") or "")),
        identities=(Identity("telegram", str(chat), verified=True),),
        unsupported=content,
    )
    return Parsed(messages=(message,))


def _edited(parsed: Parsed) -> Parsed:
    """A message's new words: it keeps its id, so that the message it changes is itself."""
    messages = (replace(one, kind="edit", reply_to=one.external_id) for one in parsed.messages)
    return replace(parsed, messages=tuple(messages))


def _pressed(update_id: int, query: CallbackQuery, account: str) -> tuple[Parsed, tuple[int, str] | None]:
    if not query.data:
        return Parsed(unhandled=("callback_query:game",)), None
    chat = int(query.message.chat.id if query.message else query.from_user.id)
    markup = getattr(query.message, "reply_markup", None)
    message = InboundMessage(
        event_key=str(update_id),
        channel="telegram",
        account=account,
        address=str(chat),
        external_id=clean(query.id),
        text=clean(_title(markup, query.data)),
        sender_name=_name(query.from_user),
        identities=_identities(query.from_user, chat, None),
        button=clean(query.data),
        reply_to=str(query.message.message_id) if query.message else None,
    )
    return Parsed(messages=(message,)), (chat, query.id)


def _title(markup: InlineKeyboardMarkup | None, data: str) -> str:
    """What the pressed button said; its id when the message is too old to tell."""
    for row in markup.inline_keyboard if markup else ():
        for button in row:
            if button.callback_data == data:
                return button.text
    return data


def _name(user: User | None) -> str:
    if user is None:
        return ""
    return clean(" ".join(part for part in (user.first_name, user.last_name) if part) or user.username or "")


def _identities(user: User | None, chat: int, shared: Contact | None) -> tuple[Identity, ...]:
    """The Telegram id; also the phone, when the sender shares the card that Telegram made of them."""
    user_id = user.id if user else chat
    found = [Identity("telegram", str(int(user_id)), verified=True)]
    if shared is not None and shared.user_id is not None and shared.user_id == user_id:
        digits = "".join(sign for sign in str(shared.phone_number) if sign.isascii() and sign.isdigit())
        if digits:
            found.append(Identity("phone", f"+{digits}", verified=True))
    return tuple(found)


def _card(contact: Contact) -> str:
    name = " ".join(part for part in (contact.first_name, contact.last_name) if part)
    return clean(", ".join(part for part in (name, str(contact.phone_number or "")) if part))


def _media(message: Message) -> tuple[Media, ...]:
    if message.photo:
        # Sizes of one picture, the largest last.
        return (_file(MediaKind.IMAGE, message.photo[-1], "image/jpeg"),)
    if message.sticker:
        return (_file(MediaKind.STICKER, message.sticker, "image/webp"),)
    if message.voice:
        return (_file(MediaKind.VOICE, message.voice, "audio/ogg"),)
    if message.audio:
        return (_file(MediaKind.AUDIO, message.audio, "audio/mpeg"),)
    # A GIF comes as animation and, for old clients, as document again: take it once.
    for video in (message.video, message.video_note, message.animation):
        if video:
            return (_file(MediaKind.VIDEO, video, "video/mp4"),)
    if message.document:
        return (_file(MediaKind.DOCUMENT, message.document, "application/octet-stream"),)
    return ()


def _file(kind: MediaKind, file: Any, mime: str) -> Media:
    size = file.file_size
    return Media(
        kind=kind,
        ref=clean(file.file_id),
        mime=clean(getattr(file, "mime_type", None) or mime),
        filename=clean(getattr(file, "file_name", None) or ""),
        size=size if isinstance(size, int) else None,
    )


def _location(message: Message) -> Location | None:
    if message.venue:
        venue = message.venue
        return place(venue.location.latitude, venue.location.longitude, venue.title, venue.address)
    if message.location:
        return place(message.location.latitude, message.location.longitude)
    return None
