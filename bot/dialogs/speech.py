"""Small pure rules of the engine: which language to speak, what is known of the customer already."""

from typing import Any

from bot.dialogs.commands import Understood
from bot.dialogs.state import DialogState
from bot.dialogs.turn import Choice, Turn
from bot.messages import MediaKind


def speak_in(turn: Turn, understood: Understood, state: DialogState) -> str:
    """The language the customer chose, else the one they write, else theirs of before, else ours."""
    ours = turn.business.languages or ("en",)
    for lang in (state.lang, understood.lang, state.spoken, turn.customer.lang):
        if not lang:
            continue
        if lang in ours:
            return lang
        if (base := lang.split("-", 1)[0]) in ours:
            return base
    return ours[0]


def known_of_customer(turn: Turn) -> dict[str, Any]:
    """Slots that need not be asked. Wherever a channel can reach its sender again, that is a contact."""
    known: dict[str, Any] = {}
    sender = next((message.sender_name for message in turn.messages if message.sender_name), "")
    if name := turn.customer.name or sender:
        known["name"] = name
    phones, emails = list(turn.customer.phones), list(turn.customer.emails)
    for message in turn.messages:
        for identity in message.identities:
            if identity.kind == "phone":
                phones.append(identity.value)
            elif identity.kind == "email":
                emails.append(identity.value)
    if phones:
        known["phone"] = phones[0]
    if emails:
        known["email"] = emails[0]
    if phones or emails or turn.channel != "webchat":
        known["contact"] = (phones or emails or [turn.messages[0].address])[0]
    return known


def media_words(turn: Turn) -> str:
    """What stands for files in a text, as "[image] [document]"; empty without any."""
    kinds = [media.kind for message in turn.messages for media in message.media]
    kinds = [kind for kind in kinds if kind is not MediaKind.STICKER]
    places = ["[location]" for message in turn.messages if message.location]
    return " ".join([*(f"[{kind.value}]" for kind in kinds), *places])


def offer(choice: Choice) -> str:
    """The flow that an offered choice starts; empty when it starts none."""
    kind, _, name = choice.id.partition(":")
    return name if kind == "flow" else ""
