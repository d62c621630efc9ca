"""What flows do about cases: complaints, warranty claims, returns, and what became of them."""

from collections.abc import Generator
from datetime import timedelta
from typing import Any

from bot.dialogs.actions.outcome import Context, Outcome, cut
from bot.dialogs.deeds import DropCase
from bot.dialogs.turn import AddToCase, CaseView, Choice, FindCases, Need, OpenCase, Say
from bot.i18n import Key

SUBJECT_LIMIT = 80
_TAKEN_BACK = timedelta(hours=1)
"""How long a complaint is taken back by a word."""
_OPEN = ("new", "open", "pending", "resolved")


def open_case(context: Context) -> Generator[Need, Any, Outcome]:
    """Open a case from the description; its first line, or the mail's subject, is the subject."""
    yield from ()
    description = str(context.slots.get("description") or "")
    mail = next((message.subject for message in context.turn.messages if message.subject), "")
    subject = mail or description.strip().split("\n", 1)[0]
    return Outcome(writes=(OpenCase(cut(subject, SUBJECT_LIMIT), description),))


def drop_case(context: Context) -> Generator[Need, Any, Outcome]:
    """The customer takes their complaint back: the case that nobody has looked at yet is closed."""
    cases: tuple[CaseView, ...] = yield FindCases()
    newest = next(iter(cases), None)
    if newest is None or newest.status != "new" or context.turn.now - newest.updated_at > _TAKEN_BACK:
        return Outcome()
    return Outcome(writes=(DropCase(newest.id, newest.version),))


def find_open_cases(context: Context) -> Generator[Need, Any, Outcome]:
    """The cases one can still add to; the only one, or the one whose number was said, is chosen."""
    cases: tuple[CaseView, ...] = yield FindCases(_number(context))
    able = [case for case in cases if case.status in _OPEN]
    slots: dict[str, Any] = {
        "case_count": len(able),
        "cases": [[case.id, f"C-{case.number} {cut(case.subject, 40)}"] for case in able],
    }
    if len(able) == 1:
        slots["case_id"] = able[0].id
    return Outcome(slots=slots)


def add_to_case(context: Context) -> Generator[Need, Any, Outcome]:
    """Add the customer's words to the chosen case."""
    yield from ()
    return Outcome(
        writes=(AddToCase(str(context.slots.get("case_id", "")), str(context.slots.get("addition", ""))),)
    )


def case_status(context: Context) -> Generator[Need, Any, Outcome]:
    """One line a case: number, subject, status."""
    number = _number(context)
    cases: tuple[CaseView, ...] = yield FindCases(number)
    if not cases:
        offer = (
            Choice("flow:open_case", "flow.open_case"),
            Choice("flow:talk_to_person", "flow.talk_to_person"),
        )
        if number is None:
            return Outcome(says=(Say("case.none", choices=offer),))
        return Outcome(says=(Say("case.not_found", {"number": f"C-{number}"}, choices=offer),))
    lines = tuple(
        Say(
            "case.status_line",
            {
                "number": f"C-{case.number}",
                "subject": case.subject,
                "status": Key(f"case.status.{case.status}"),
            },
        )
        for case in cases
    )
    return Outcome(says=lines)


def _number(context: Context) -> int | None:
    number = context.slots.get("case_number")
    try:
        return int(str(number).upper().removeprefix("C-")) if number else None
    except ValueError:
        return None


def open_warranty_case(context: Context) -> Generator[Need, Any, Outcome]:
    """Open a claim under warranty: product, when it was bought, what is wrong with it."""
    yield from ()
    return Outcome(writes=(_case(context, "warranty", "product", _WARRANTY),))


def open_return_case(context: Context) -> Generator[Need, Any, Outcome]:
    """Open a return: which order, why, and what the customer would have for it."""
    yield from ()
    return Outcome(writes=(_case(context, "return", "order_number", _RETURN),))


_WARRANTY = ("product", "fault", "bought_on", "order_number", "name", "phone")
_RETURN = ("order_number", "reason", "wish")


def _case(context: Context, category: str, about: str, names: tuple[str, ...]) -> OpenCase:
    """A case that says the flow's slots, a line each."""
    details = tuple(
        (f"case.detail.{name}", _said(category, name, context.slots[name]))
        for name in names
        if context.slots.get(name)
    )
    subject = cut(str(context.slots.get(about) or ""), SUBJECT_LIMIT)
    return OpenCase("", "", category=category, about=subject, details=details)


def _said(category: str, name: str, value: Any) -> Any:
    """A choice as its words, anything else as it is."""
    return Key(f"{category}.{name}.{value}") if name in ("reason", "wish") else value
