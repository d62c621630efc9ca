"""What flows do about orders: look one up, and have its customer prove by a code that it is theirs."""

import re
from collections.abc import Generator
from typing import Any

from bot.dialogs.actions.outcome import Context, Outcome
from bot.dialogs.deeds import CodeTried, SendCode
from bot.dialogs.found import digits
from bot.dialogs.looks import CheckCode, CodeAnswer, FindOrder, OrderAnswer, OrderView
from bot.dialogs.turn import Need, Say
from bot.i18n import Key, day_words

STATUSES = frozenset(
    ["placed", "confirmed", "packed", "shipped", "out_for_delivery", "delivered", "cancelled", "returned"]
)
"""Statuses that we have words for; others are said as the order system writes them."""
_SHOWN_ITEMS = 5


def find_order_system(context: Context) -> Generator[Need, Any, Outcome]:
    """Whether orders can be looked up at all (slot `orders`: on or off)."""
    found: OrderAnswer = yield FindOrder("")
    return Outcome(slots={"orders": "off" if found.state == "off" else "on"})


def show_order(context: Context) -> Generator[Need, Any, Outcome]:
    """Say how the order stands, where that may be said; the slot `order` tells: shown, hidden, down."""
    found: OrderAnswer = yield FindOrder(str(context.slots.get("order_number") or ""))
    says = _lines(found.order, context.lang) if found.order is not None else ()
    return Outcome(says, slots={"order": found.state})


def _lines(order: OrderView, lang: str) -> tuple[Say, ...]:
    known = order.status in STATUSES
    status: Any = Key(f"order.status.{order.status}") if known else order.status
    says = [Say("order.stands", {"number": order.number, "status": status})]
    if order.items:
        says.append(Say("order.items", {"items": ", ".join(order.items[:_SHOWN_ITEMS])}))
    if order.expected_on is not None and order.status not in ("delivered", "cancelled", "returned"):
        says.append(Say("order.expected", {"day": day_words(order.expected_on, lang)}))
    if order.tracking_url:
        says.append(Say("order.tracking", {"url": order.tracking_url}))
    return tuple(says)


def send_code(context: Context) -> Generator[Need, Any, Outcome]:
    """Send a code to the address on the order; the slot `code_sent` tells whether one may have gone."""
    number = str(context.slots.get("order_number") or "")
    found: OrderAnswer = yield FindOrder(number)
    if found.state != "hidden":
        return Outcome(slots={"code_sent": False, "verified": found.state == "shown"})
    if not found.reachable:
        return Outcome((Say("code.no_way"),), slots={"code_sent": False, "verified": False})
    if not found.codes_left:
        return Outcome((Say("code.too_many"),), slots={"code_sent": False, "verified": False})
    return Outcome(writes=(SendCode(number),), slots={"code_sent": True, "verified": False})


def check_code(context: Context) -> Generator[Need, Any, Outcome]:
    """Compare the slot `code` with what was sent; the slot `code_state` tells: right, wrong, over."""
    number = str(context.slots.get("order_number") or "")
    typed = "".join(re.findall(r"\d", digits(str(context.slots.get("code") or ""))))
    found: CodeAnswer = yield CheckCode(number, typed)
    if found.state == "over":
        return Outcome((Say("code.over"),), slots={"code_state": "over"})
    write = CodeTried(number, found.code_id, found.tries, found.state == "right")
    if found.state == "right":
        return Outcome(writes=(write,), slots={"code_state": "right", "verified": True})
    if found.tries_left == 0:
        return Outcome((Say("code.over"),), (write,), {"code_state": "over"})
    says = (Say("code.wrong", {"count": found.tries_left}),)
    return Outcome(says, (write,), {"code_state": "wrong"})
