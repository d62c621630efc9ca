"""What is said of an order only to whoever proved that it is theirs: by the channel they write on, or by a
code sent to the address on the order.

Before that an order that is there and one that is not look the same: a code "goes out" for both, the hour's
codes are counted for both, and nothing of an address is shown.
"""

import hmac
import secrets
from collections.abc import Mapping
from typing import Any

import sqlalchemy as sa

from bot.conversations import gate, inbox, lane
from bot.conversations.conversation import CONVERSATION
from bot.conversations.lane import NewLane, ensure_lanes, lanes
from bot.crm import code
from bot.crm.address import normal_email, normal_phone
from bot.crm.contact import add_contact, add_identity, find_by_identity, identities_of
from bot.dialogs.looks import CodeAnswer, OrderAnswer, OrderView
from bot.dialogs.turn import Turn
from bot.errors import Unavailable
from bot.ids import new_id
from bot.orders import Order
from bot.pipeline.load import new_conversation, read_conversation
from bot.pipeline.runtime import Runtime
from bot.records.actor import BOT
from bot.records.tokens import Tokens
from bot.records.tx import Record, Tx
from bot.records.write import create

_HIDDEN = "••••"
Address = tuple[str, str]
"""(kind, value): phone or email."""


def row_of(number: str) -> str:
    """Under which name a turn remembers an order that it looked up."""
    return f"order:{number}"


def proved(number: str) -> str:
    """Under which name a turn remembers that the order's code was typed in it."""
    return f"proved:{number}"


async def look_at_order(
    runtime: Runtime,
    turn: Turn,
    contact_id: str | None,
    conversation_id: str | None,
    number: str,
    rows: dict[str, Record],
) -> OrderAnswer:
    """What this customer may be told of an order."""
    if runtime.orders is None:
        return OrderAnswer("off")
    if not number:
        return OrderAnswer("on")
    try:
        order = await runtime.orders.find(number)
    except Unavailable:
        return OrderAnswer("down")
    addresses = _addresses(order, runtime.profile.country)
    rows[row_of(number)] = {"addresses": addresses}
    if order is not None and proved(number) in rows:
        return OrderAnswer("shown", _view(order))
    return await runtime.store.read(
        _answer, BOT, runtime, turn, contact_id, conversation_id, (number, order, addresses)
    )


def _addresses(order: Order | None, country: str) -> tuple[Address, ...]:
    """Where its customer can be reached, in the forms that identities have."""
    if order is None:
        return ()
    phone, email = normal_phone(order.phone, country), normal_email(order.email)
    return tuple([("phone", phone)] if phone else []) + tuple([("email", email)] if email else [])


def _answer(
    tx: Tx,
    runtime: Runtime,
    turn: Turn,
    contact_id: str | None,
    conversation_id: str | None,
    of: tuple[str, Order | None, tuple[Address, ...]],
) -> OrderAnswer:
    number, order, addresses = of
    matter = runtime.tokens.digest(row_of(number))
    theirs = bool(set(addresses) & _proved_by_channel(tx, turn, contact_id))
    theirs = theirs or (conversation_id is not None and code.is_proved(tx, conversation_id, matter))
    if order is not None and theirs:
        return OrderAnswer("shown", _view(order))
    way = _way(tx, runtime, addresses)
    left = code.AN_HOURS_CODES - code.sent_lately(tx, _digest_of(runtime.tokens, number, way))
    if contact_id is not None:
        theirs_too = sa.select(CONVERSATION.table.c.id).where(CONVERSATION.table.c.contact_id == contact_id)
        asked = code.asked_lately(tx, tx.execute(theirs_too).scalars().all())
        left = min(left, code.AN_HOURS_REQUESTS - asked)
    # What the business can send on at all: of one order's address nothing is told by it.
    reachable = any(_account(runtime, channel) for channel in ("sms", "whatsapp", "email"))
    return OrderAnswer("hidden", None, max(0, left), reachable)


def _view(order: Order) -> OrderView:
    return OrderView(order.number, order.status, order.items, order.expected_on, order.tracking_url)


def _proved_by_channel(tx: Tx, turn: Turn, contact_id: str | None) -> set[Address]:
    """The addresses that are this customer's beyond doubt, on the channel they write on now."""
    found: set[Address] = {
        (one.kind, one.value) for message in turn.messages for one in message.identities if one.verified
    }
    if contact_id is not None and turn.channel not in ("email", "voice"):
        # By mail each letter is proved or not, and the number a call shows proves nothing.
        found |= {(kind, value) for kind, value, verified in identities_of(tx, contact_id) if verified}
    return {("phone", f"+{value}") if kind == "whatsapp" else (kind, value) for kind, value in found}


def _digest_of(tokens: Tokens, number: str, way: Address | None) -> str:
    """By what the hour's codes of an address are counted."""
    return tokens.digest(f"address:{way[0]}:{way[1]}" if way is not None else f"nowhere:{number}")


# --- ways to an address ----------------------------------------------------------------------------


def _account(runtime: Runtime, channel: str) -> str | None:
    """The account of ours that sends on a channel."""
    for (adapter, known, _), account_id in runtime.accounts.items():
        if known == channel and adapter in runtime.channels:
            return account_id
    return None


def _lane_to(tx: Tx, runtime: Runtime, address: Address) -> NewLane | None:
    """The lane a code takes: SMS, else a WhatsApp conversation whose window is open, else mail."""
    kind, value = address
    if kind == "email":
        account = _account(runtime, "email")
        return NewLane(account, value) if account else None
    if account := _account(runtime, "sms"):
        return NewLane(account, value)
    account = _account(runtime, "whatsapp")
    for target in (value, value.removeprefix("+")) if account else ():
        ours = NewLane(str(account), target)
        row = tx.row(sa.select(lanes.c.conversation_id).where(lanes.c.id == ours.id))
        conversation = read_conversation(tx, row["conversation_id"]) if row is not None else None
        if conversation is not None and _open(tx, runtime, conversation):
            return ours
    return None


def _open(tx: Tx, runtime: Runtime, conversation: Record) -> bool:
    features = runtime.features(conversation["channel_account_id"])
    recipient = gate.Recipient(
        conversation["contact_blocked"],
        False,
        conversation["last_inbound_at"],
        None,
        runtime.profile.time_zone,
    )
    return gate.check("answer", recipient, features, tx.now).open


def _way(tx: Tx, runtime: Runtime, addresses: tuple[Address, ...]) -> Address | None:
    """The first address of an order that a code can go to."""
    return next((one for one in addresses if _lane_to(tx, runtime, one) is not None), None)


# --- codes -----------------------------------------------------------------------------------------


def _code_digest(tokens: Tokens, code_id: str, typed: str) -> str:
    return tokens.digest(f"code:{code_id}:{typed}")


def check_code(tx: Tx, tokens: Tokens, conversation_id: str, number: str, typed: str) -> CodeAnswer:
    """Whether this is the code that this conversation was sent for the order."""
    sent = code.newest_code(tx, conversation_id, tokens.digest(row_of(number)))
    if sent is None or code.is_over(tx, sent):
        return CodeAnswer("over")
    right = hmac.compare_digest(sent["digest"], _code_digest(tokens, sent["id"], typed))
    left = code.TRIES - sent["tries"] - 1
    return CodeAnswer("right" if right else "wrong", sent["id"], sent["tries"], left)


def send_code(tx: Tx, runtime: Runtime, conversation_id: str, lang: str, number: str, order: Record) -> None:
    """Make a code, keep its digest, and put it into the lane of the order's address."""
    way = _way(tx, runtime, order["addresses"])
    code_id, digits = new_id(), f"{secrets.randbelow(1_000_000):06d}"
    matter, address = runtime.tokens.digest(row_of(number)), _digest_of(runtime.tokens, number, way)
    digest = _code_digest(runtime.tokens, code_id, digits)
    code.keep_code(tx, conversation_id, matter, address, code_id, digest)
    ours = _lane_to(tx, runtime, way) if way is not None else None
    if ours is None or way is None:
        return  # there is no such order, or no way to its customer: nothing leaves, and nobody is told
    conversation = _conversation_at(tx, runtime, ours, way)
    text = {
        shown: runtime.words.say(
            "code.message", lang, business=runtime.profile.name, code=shown, minutes=code.LIFE.seconds // 60
        )
        for shown in (digits, _HIDDEN)
    }
    sealed = tx.keys.seal_values(conversation["contact_id"], {"text": text[digits]})
    payload = {"message_id": code_id, "conversation_id": conversation["id"]}
    payload |= {"text": text[_HIDDEN], "sealed": sealed}
    account = conversation["channel_account_id"]
    inbox.append(tx, [inbox.NewEvent(account, f"code:{code_id}", "code", payload, ours.id)])
    tx.notify("lane", ours.id)


def _conversation_at(tx: Tx, runtime: Runtime, ours: NewLane, way: Address) -> Mapping[str, Any]:
    """The conversation of a lane, begun for the code where there is none."""
    ensure_lanes(tx, [ours])
    row = tx.row(sa.select(lanes).where(lanes.c.id == ours.id))
    assert row is not None
    found = read_conversation(tx, row["conversation_id"])
    if found is not None:
        return found
    contact_id = row["contact_id"] or find_by_identity(tx, *way)
    if contact_id is None:
        contact_id = add_contact(tx, source="channel")
        add_identity(tx, contact_id, *way, verified=False)
    _, channel, _ = runtime.account(ours.channel_account_id)
    values = new_conversation(row, contact_id, channel, "")
    conversation_id = create(tx, CONVERSATION, values)
    lane.set_conversation(tx, ours.id, contact_id, conversation_id)
    made = read_conversation(tx, conversation_id)
    assert made is not None
    return made


def note_try(
    tx: Tx, runtime: Runtime, contact_id: str, known: Mapping[str, Any], tried: tuple[str, str, int, bool]
) -> None:
    """A code was typed: count it; a right one proves the address it went to."""
    number, code_id, tries, right = tried
    sent = {"id": code_id, "tries": tries}
    code.note_try(tx, sent, right=right)
    order = known.get(row_of(number))
    for kind, value in order["addresses"] if right and order is not None else ():
        row = tx.row(sa.select(code.codes.c.address).where(code.codes.c.id == code_id))
        if row is not None and row["address"] == _digest_of(runtime.tokens, number, (kind, value)):
            add_identity(tx, contact_id, kind, value, verified=True)
