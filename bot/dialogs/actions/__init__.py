"""What a flow can `do`. An action reads by yielding needs and answers with an Outcome; it writes nothing
itself. `ACTIONS` is the whole list.
"""

from collections.abc import Mapping

from bot.dialogs.actions import calls, cases, leads, orders, talk, visits
from bot.dialogs.actions.leads import FOLLOWUP, FOLLOWUP_AFTER
from bot.dialogs.actions.outcome import Action, Context, Outcome
from bot.dialogs.actions.talk import MENU, answer_question, hand_off

__all__ = [
    "ACTIONS",
    "FOLLOWUP",
    "FOLLOWUP_AFTER",
    "MENU",
    "ONLY_LOOK",
    "Action",
    "Context",
    "Outcome",
    "answer_question",
    "hand_off",
]

ACTIONS: Mapping[str, Action] = {
    "recall_lead": leads.recall_lead,
    "save_lead": leads.save_lead,
    "drop_lead": leads.drop_lead,
    "open_case": cases.open_case,
    "drop_case": cases.drop_case,
    "open_warranty_case": cases.open_warranty_case,
    "open_return_case": cases.open_return_case,
    "find_open_cases": cases.find_open_cases,
    "add_to_case": cases.add_to_case,
    "case_status": cases.case_status,
    "offer_days": visits.offer_days,
    "offer_times": visits.offer_times,
    "check_time": visits.check_time,
    "count_visits": visits.count_visits,
    "book_visit": visits.book_visit,
    "find_visits": visits.find_visits,
    "find_own_visit": visits.find_own_visit,
    "move_visit": visits.move_visit,
    "call_off_visit": visits.call_off_visit,
    "offer_call_times": calls.offer_call_times,
    "check_call_time": calls.check_call_time,
    "book_call": calls.book_call,
    "keep_feedback": calls.keep_feedback,
    "find_order_system": orders.find_order_system,
    "show_order": orders.show_order,
    "send_code": orders.send_code,
    "check_code": orders.check_code,
    "answer_question": talk.answer_question,
    "hand_off": talk.hand_off,
    "change_language": talk.change_language,
    "opt_out": talk.opt_out,
    "opt_in": talk.opt_in,
}

ONLY_LOOK = frozenset(
    {
        "recall_lead", "find_open_cases", "case_status", "offer_days", "offer_times", "check_time",
        "count_visits", "find_visits", "find_own_visit", "offer_call_times", "check_call_time",
        "find_order_system", "show_order", "check_code", "answer_question",
    }
)  # fmt: skip
"""Actions that look something up, check it or tell it: with these nothing has happened yet."""
