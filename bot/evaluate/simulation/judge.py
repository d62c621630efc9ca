"""Whether a customer got what they wanted: by what is on record in the end, not by how the bot spoke."""

from collections.abc import Callable, Iterator, Mapping
from datetime import datetime
from typing import Any

from bot.crm.lead import OPEN
from bot.crm.visit import CALLED_OFF
from bot.evaluate.simulation.play import Played
from bot.evaluate.simulation.shop import BOOKED, ORDERS, PHONE, ZONE
from bot.i18n import Words
from bot.records.tx import Record

_RUPEES = 1000
"""From here an expected budget is the sum; a smaller one stands for its first figures."""


def judge(played: Played, words: Words) -> list[str]:
    """What is wrong, the weightiest first; empty when all is as it should be."""
    talk, records = played.conversation, played.records
    said = {twist.kind for twist in talk.twists} - set(played.unsaid)
    if talk.flow == "talk_to_person" or "person" in said:
        return [] if records.human else ["not handed over to a person"]
    problems = ["handed over though nobody asked"] if records.human else []
    if "cancel" in said:
        return [*problems, *_nothing(played)]
    return [*problems, *_GOALS[talk.flow](played, words), *_besides(played)]


# --- nothing, or nothing else ----------------------------------------------------------------------


def _nothing(played: Played) -> Iterator[str]:
    found = _found(played)
    yield from (f"{kind} was recorded though the customer gave up" for kind, rows in found.items() if rows)
    if played.conversation.flow == "change_appointment":
        yield from _visit_at(played, BOOKED)


def _found(played: Played) -> dict[str, list[Any]]:
    records = played.records
    visits = [row for row in records.visits if row["done_at"] is None]
    if played.conversation.flow == "change_appointment":
        visits = visits[1:]
    return {
        "a lead": [row for row in records.leads if row["status"] in OPEN],
        "a case": [row for row in records.cases if row["status"] != "closed"],
        "a visit": visits,
        "a call": [row for row in records.calls if row["done_at"] is None],
        "a rating": list(records.ratings),
    }


_MAY: Mapping[str, tuple[str, ...]] = {
    "capture_lead": ("a lead",),
    "open_case": ("a case",),
    "book_appointment": ("a visit",),
    "warranty_claim": ("a case",),
    "return_item": ("a case",),
    "call_back": ("a call",),
    "feedback": ("a rating", "a case"),
}


def _besides(played: Played) -> Iterator[str]:
    """What is on record that this customer did not come for."""
    may = _MAY.get(played.conversation.flow, ())
    for kind, rows in _found(played).items():
        if rows and kind not in may:
            yield f"{kind} was recorded besides"
        elif len(rows) > 1:
            yield f"{kind} was recorded {len(rows)} times"


# --- goals -----------------------------------------------------------------------------------------


def _lead(played: Played, words: Words) -> Iterator[str]:
    leads = _found(played)["a lead"]
    if not leads:
        yield "no lead"
        return
    lead: Record = leads[0]
    for slot, wanted in played.wanted.items():
        if not _told(played, slot):
            continue
        if slot == "budget":
            rupees = f"{(lead['budget'] or 0) // 100}"
            if not (rupees == str(wanted) if float(wanted) >= _RUPEES else str(wanted) in rupees):
                yield f"the budget is {rupees}, not {wanted}"
        elif slot in ("need", "timeline", "authority"):
            yield from _holds(f"the lead's {slot}", lead[slot], wanted)
    yield from _person(played)


def _told(played: Played, slot: str) -> bool:
    """Whether the customer ever said it: the bot need not ask for everything."""
    if slot in played.answered or played.conversation.has("all_at_once"):
        return True
    return str(played.wanted.get(slot)).casefold() in " ".join(played.said).casefold()


def _complaint(played: Played, words: Words) -> Iterator[str]:
    yield from _case(played, words, (None, "complaint"), ("description",))


def _warranty(played: Played, words: Words) -> Iterator[str]:
    texts = ("product", "fault", "bought_on", "order_number", "name", "phone")
    yield from _case(played, words, ("warranty",), texts)


def _return(played: Played, words: Words) -> Iterator[str]:
    yield from _case(played, words, ("return",), ("order_number", "reason", "wish"))


def _case(
    played: Played, words: Words, categories: tuple[str | None, ...], slots: tuple[str, ...]
) -> Iterator[str]:
    cases = [row for row in played.records.cases if row["category"] in categories]
    if not cases:
        yield "no case" if not played.records.cases else "a case of another category"
        return
    text = "\n".join((cases[0]["subject"], cases[0]["description"]))
    for slot in slots:
        if (wanted := played.wanted.get(slot)) is None or not _told(played, slot):
            continue
        if slot in ("reason", "wish"):
            wanted = words.say(f"return.{slot}.{wanted}", "en")
        if slot == "phone" and not _is_on(text, wanted) and wanted in _addresses(played):
            continue
        yield from _holds(f"the case's {slot}", text, wanted)


def _visit(played: Played, words: Words) -> Iterator[str]:
    visits = _found(played)["a visit"]
    if not visits:
        yield "no visit"
        return
    if (at := played.wanted.get("starts_at")) and _local(visits[0]) != at:
        yield f"the visit is at {_local(visits[0])}, not {at}"
    if service := played.wanted.get("service"):
        yield from _holds("the visit's service", visits[0]["subject"], service)
    yield from _person(played)


def _change(played: Played, words: Words) -> Iterator[str]:
    if played.wanted.get("change") == "cancel":
        if any(row["outcome"] != CALLED_OFF for row in played.records.visits):
            yield "the visit was not called off"
        return
    if at := played.wanted.get("starts_at"):
        yield from _visit_at(played, at)


def _visit_at(played: Played, at: datetime | str) -> Iterator[str]:
    wanted = at if isinstance(at, str) else at.strftime("%Y-%m-%dT%H:%M")
    visits = [row for row in played.records.visits if row["done_at"] is None]
    found = [_local(row) for row in visits]
    if found != [wanted]:
        yield f"the visit is at {', '.join(found) or 'no time'}, not {wanted}"


def _call(played: Played, words: Words) -> Iterator[str]:
    calls = _found(played)["a call"]
    if not calls:
        yield "no call"
        return
    if (at := played.wanted.get("call_at")) and _local(calls[0]) != at:
        yield f"the call is at {_local(calls[0])}, not {at}"
    if (about := played.wanted.get("about")) is not None:
        yield from _holds("what the call is about", calls[0]["body"], about)
    phone = played.wanted.get("phone")
    if phone and _told(played, "phone") and not _is_on(calls[0]["subject"], phone):
        yield f"the call is to {calls[0]['subject']!r}, not {phone}"


def _feedback(played: Played, words: Words) -> Iterator[str]:
    ratings = played.records.ratings
    if not ratings:
        yield "no rating"
        return
    stars, comment = ratings[0]
    if (wanted := played.wanted.get("rating")) is not None and stars != int(wanted):
        yield f"the rating is {stars}, not {wanted}"
    if (word := played.wanted.get("comment")) is not None:
        yield from _holds("the comment", comment, word)
    if stars <= 2 and not any(row["category"] == "feedback" for row in played.records.cases):
        yield "no case for a low rating"


def _order(played: Played, words: Words) -> Iterator[str]:
    number = str(played.wanted.get("order_number") or played.conversation.answers.get("order_number", ""))
    order = ORDERS.get(number)
    if order is None:
        return
    statuses = {words.say(f"order.status.{order['status']}", lang) for lang in words.languages}
    told = [text for text in played.records.told if number in text and any(one in text for one in statuses)]
    # Their number proves who writes on WhatsApp.
    where = {played.conversation.channel, *(twist.to for twist in played.conversation.twists)}
    proved = played.records.proved or "whatsapp" in where
    if not told:
        yield "the order's status was not told"
    elif not proved:
        yield "the order's status was told without proof"


def _answer(played: Played, words: Words) -> Iterator[str]:
    honest = {words.say("knowledge.none", lang) for lang in words.languages}
    if not any("/help/" in text or text in honest for text in played.records.told):
        yield "neither an answer nor an honest word that there is none"


_GOALS: Mapping[str, Callable[[Played, Words], Iterator[str]]] = {
    "capture_lead": _lead,
    "open_case": _complaint,
    "book_appointment": _visit,
    "change_appointment": _change,
    "order_status": _order,
    "warranty_claim": _warranty,
    "return_item": _return,
    "call_back": _call,
    "feedback": _feedback,
    "ask_knowledge": _answer,
}
GOALS = (*_GOALS, "talk_to_person")
"""What a played customer can want."""


# --- comparing -------------------------------------------------------------------------------------


def _person(played: Played) -> Iterator[str]:
    """Name and addresses of the contact."""
    wanted = played.wanted
    if "name" in wanted and _told(played, "name"):
        names = [name.casefold() for name in played.records.names]
        if str(wanted["name"]).casefold() not in names:
            yield f"the name is {', '.join(played.records.names) or 'not known'}, not {wanted['name']}"
    for slot in ("phone", "contact"):
        if slot in wanted and _told(played, slot) and wanted[slot] not in _addresses(played):
            yield f"{wanted[slot]} is not on record"


def _addresses(played: Played) -> set[str]:
    found = set(played.records.addresses)
    return found | ({PHONE} if PHONE.removeprefix("+") in found else set())


def _holds(what: str, text: str | None, wanted: Any) -> Iterator[str]:
    if not _is_on(text or "", wanted):
        yield f"{what} is {text!r}, without {wanted!r}"


def _is_on(text: str, wanted: Any) -> bool:
    return str(wanted).casefold() in text.casefold()


def _local(row: Record) -> str:
    at: datetime = row["starts_at"]
    return at.astimezone(ZONE).strftime("%Y-%m-%dT%H:%M")
