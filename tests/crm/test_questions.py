"""What becomes of a question: whatever happens, in whatever order, however late its timer."""

from datetime import date, datetime, timedelta
from itertools import permutations
from typing import Any

import pytest
import sqlalchemy as sa

from bot.clock import now
from bot.crm import gap
from bot.crm.article import save_article
from bot.crm.case import open_case
from bot.crm.contact import add_contact
from bot.crm.question import QUESTION, SILENCE, TIMER, Asked, ask, assume, needs_person, next_resolution, rate
from bot.crm.question_figures import Figures, figures, usefulness
from bot.errors import Forbidden
from bot.ids import new_id
from bot.records import timer
from bot.records.actor import BOT, SYSTEM, Actor
from bot.records.store import Store
from bot.records.tx import Record, Tx

START = now()
TODAY = date(2026, 11, 20)
HOUR = timedelta(hours=1)


def made(**given: Any) -> dict[str, Any]:
    return {"outcome": "answered", "resolution": "open", **given}


@pytest.mark.parametrize(
    "was, happening, becomes",
    [
        ("open", "helped", "confirmed"),
        ("open", "not_helped", "reopened"),
        ("open", "silence", "assumed"),
        ("open", "came_back", "reopened"),
        ("open", "person", "handed_over"),
        ("assumed", "silence", "assumed"),
        ("assumed", "helped", "confirmed"),
        ("assumed", "came_back", "reopened"),
        ("confirmed", "not_helped", "reopened"),
        ("confirmed", "silence", "confirmed"),
        ("reopened", "silence", "reopened"),
        ("reopened", "helped", "confirmed"),
        ("reopened", "person", "handed_over"),
        ("handed_over", "helped", "handed_over"),
        ("handed_over", "came_back", "handed_over"),
    ],
)
def test_what_a_happening_makes_of_a_question(was: str, happening: Any, becomes: str) -> None:
    assert next_resolution(made(resolution=was), happening) == becomes


@pytest.mark.parametrize("outcome", ["none", "unsure"])
def test_what_was_not_answered_is_never_resolved(outcome: str) -> None:
    for happening in ("helped", "silence", "came_back", "not_helped"):
        assert next_resolution(made(outcome=outcome), happening) == "open"  # type: ignore[arg-type]
    assert next_resolution(made(outcome=outcome), "person") == "handed_over"


class Customer:
    """One customer, whose questions are asked at hours after START."""

    def __init__(self, store: Store) -> None:
        self.store = store
        self.contact = store.write_now(add_contact, SYSTEM, "Asha Rao")
        self.other = store.write_now(add_contact, SYSTEM, "Somebody else")
        self.articles = [
            store.write_now(save_article, SYSTEM, key, "en", f"About {key}", "Text.")
            for key in ("delivery", "returns")
        ]
        self.conversation = new_id()

    def at(self, hours: float, operation: Any, *args: Any, **given: Any) -> Any:
        def moved(tx: Tx) -> Any:
            tx.now = START + hours * HOUR
            return operation(tx, *args, **given)

        return self.store.write_now(moved, BOT)

    def asks(self, hours: float, text: str, outcome: str = "answered", article: int | None = 0) -> str:
        known = self.articles[article] if article is not None else None
        asked = Asked(
            text, "en", "webchat", self.contact, self.conversation, outcome, TODAY, article_id=known
        )
        found: str = self.at(hours, ask, asked)
        return found

    def timer_fires(self, hours: float, question: str) -> None:
        """At this hour, if it is due by then: what a worker does."""

        def fire(tx: Tx) -> None:
            due = sa.select(timer.timers).where(
                timer.timers.c.kind == TIMER, timer.timers.c.subject_id == question
            )
            row = tx.row(due)
            if row is not None and row["due_at"] <= tx.now:
                assume(tx, question, row["due_at"])

        self.at(hours, fire)

    def row(self, question: str) -> Record:
        found = self.store.read_now(
            lambda tx: tx.row(sa.select(QUESTION.table).where(QUESTION.table.c.id == question)), SYSTEM
        )
        assert found is not None
        return found

    def resolution(self, question: str) -> str:
        return str(self.row(question)["resolution"])


@pytest.fixture
def customer(store: Store) -> Customer:
    return Customer(store)


def test_silence_is_assumed_and_coming_back_takes_it_back(customer: Customer) -> None:
    first = customer.asks(0, "When do you deliver?")
    customer.timer_fires(23, first)
    assert customer.resolution(first) == "open"
    customer.timer_fires(30, first)
    customer.timer_fires(31, first)  # handed out twice
    row = customer.row(first)
    assert (row["resolution"], row["resolved_at"]) == ("assumed", START + SILENCE)  # not when it was late
    other = customer.asks(40, "Can I return it?", article=1)
    assert customer.resolution(first) == "assumed", "another matter"
    customer.asks(47, "and to Noida?")
    assert customer.resolution(first) == "reopened"
    assert customer.row(first)["resolved_at"] is None
    customer.asks(400, "Can I return it?", article=1)
    assert customer.resolution(other) == "open", "too long ago to be the same matter"


def test_the_customers_word_counts_and_only_theirs(customer: Customer) -> None:
    question = customer.asks(0, "When do you deliver?")
    assert not customer.at(1, rate, question, customer.other, helped=True)
    assert not customer.at(1, rate, new_id(), customer.contact, helped=True)
    assert customer.at(1, rate, question, customer.contact, helped=True)
    assert not customer.at(1, rate, question, customer.contact, helped=True), "pressed twice"
    assert (customer.resolution(question), customer.row(question)["helpful"]) == ("confirmed", "yes")
    assert customer.at(2, rate, question, customer.contact, helped=False)
    customer.timer_fires(30, question)
    assert (customer.resolution(question), customer.row(question)["helpful"]) == ("reopened", "no")
    assert customer.at(31, rate, question, customer.contact, helped=True)
    assert customer.resolution(question) == "confirmed"


def test_a_person_takes_the_last_question_and_what_is_not_settled(customer: Customer) -> None:
    confirmed = customer.asks(0, "When do you deliver?")
    customer.at(1, rate, confirmed, customer.contact, helped=True)
    pending = customer.asks(2, "Can I return it?", article=1)
    last = customer.asks(3, "Who owns the moon?", "none", None)
    customer.at(4, needs_person, customer.contact)
    customer.at(4, needs_person, customer.contact)
    assert [customer.resolution(one) for one in (confirmed, pending, last)] == [
        "confirmed",
        "handed_over",
        "handed_over",
    ]
    assert customer.at(5, rate, pending, customer.contact, helped=True)
    assert customer.resolution(pending) == "handed_over", "helpful, but not without a person"


def test_a_case_counts_as_a_person(customer: Customer) -> None:
    question = customer.asks(0, "When do you deliver?")
    customer.at(1, open_case, customer.contact, "Late", "", origin="webchat")
    assert customer.resolution(question) == "handed_over"


def test_a_chosen_article_answers_the_question_that_was_unsure(customer: Customer) -> None:
    unsure = customer.asks(0, "how long?", "unsure", None)
    customer.timer_fires(48, unsure)
    assert customer.resolution(unsure) == "open"
    assert customer.asks(30, "About returns", "chosen", 1) == unsure
    assert customer.asks(30, "About returns", "chosen", 1) == unsure, "pressed twice"
    row = customer.row(unsure)
    assert (row["outcome"], row["text"], row["article_id"]) == ("chosen", "how long?", customer.articles[1])
    customer.timer_fires(53, unsure)
    assert customer.resolution(unsure) == "open"
    customer.timer_fires(54, unsure)
    assert customer.resolution(unsure) == "assumed"


_HAPPENINGS: dict[str, Any] = {
    "yes": lambda one, hour, id: one.at(hour, rate, id, one.contact, helped=True),
    "no": lambda one, hour, id: one.at(hour, rate, id, one.contact, helped=False),
    "again": lambda one, hour, id: one.asks(hour, "and when is it there?"),
    "person": lambda one, hour, id: one.at(hour, needs_person, one.contact),
}


@pytest.mark.parametrize("sequence", [*permutations(_HAPPENINGS, 1), *permutations(_HAPPENINGS, 2)])
def test_a_late_timer_changes_nothing(customer: Customer, sequence: tuple[str, ...]) -> None:
    """The same comes of it whether the timer fires on time, late, twice, or after all else."""
    ends = set()
    for fires in ((24, 24), (26, 60), (49, 200), (200, 300)):
        customer.conversation, customer.contact = new_id(), customer.store.write_now(add_contact, SYSTEM, "B")
        question = customer.asks(0, "When do you deliver?")
        steps = [(25 + 2 * place, name) for place, name in enumerate(sequence)]
        steps += [(hour, "timer") for hour in fires]
        for hour, name in sorted(steps):
            if name == "timer":
                customer.timer_fires(hour, question)
            else:
                _HAPPENINGS[name](customer, hour, question)
        row = customer.row(question)
        ends.add((row["resolution"], row["helpful"], row["resolved_at"]))
    assert len(ends) == 1, ends


def test_figures_count_every_question_once(customer: Customer) -> None:
    confirmed = customer.asks(0, "When do you deliver?")
    customer.at(1, rate, confirmed, customer.contact, helped=True)
    bad = customer.asks(2, "Can I return it?", article=1)
    customer.at(3, rate, bad, customer.contact, helped=False)
    customer.asks(4, "Who owns the moon?", "none", None)
    customer.asks(5, "how long?", "unsure", None)

    def read(tx: Tx) -> list[Figures]:
        return figures(tx, TODAY, TODAY)

    (all_,) = customer.store.read_now(read, SYSTEM)
    assert (all_.asked, all_.answered, all_.confirmed, all_.reopened, all_.open) == (4, 2, 1, 1, 0)
    assert (all_.answer_rate, all_.deflection_rate, all_.helpful_rate) == (0.5, 0.25, 0.5)
    for by in ("day", "lang", "channel"):
        (group,) = customer.store.read_now(figures, SYSTEM, TODAY, TODAY, by)
        assert group.asked == 4 and group.deflection_rate == 0.25, by
    useful = customer.store.read_now(usefulness, SYSTEM, TODAY, TODAY)
    first, second = (useful[article] for article in customer.articles)
    assert (first.label, first.answered, first.helpful, first.resolved) == ("About delivery", 1, 1, 1)
    assert (second.unhelpful, second.resolved) == (1, 0)
    (nothing,) = customer.store.read_now(figures, SYSTEM, date(2020, 1, 1), date(2020, 1, 2))
    assert (nothing.asked, nothing.deflection_rate) == (0, None)
    with pytest.raises(Forbidden):
        customer.store.read_now(figures, Actor("user", new_id(), "rep"), TODAY, TODAY)


def test_gaps_are_claimed_once_and_a_finding_cut_off_is_taken_up(customer: Customer) -> None:
    lacking = [customer.asks(0, "Who owns the moon?", "none", None), customer.asks(0, "how?", "unsure", None)]
    rated = customer.asks(0, "When do you deliver?")
    customer.at(1, rate, rated, customer.contact, helped=False)
    customer.asks(1, "Can I return it?", article=1)
    store = customer.store

    def at(hours: float, operation: Any, *args: Any) -> Any:
        def moved(tx: Tx) -> Any:
            tx.now = START + hours * HOUR
            return operation(tx, *args)

        return store.write_now(moved, SYSTEM)

    rows = at(2, gap.claim)
    assert [row["id"] for row in rows] == [*lacking, rated]
    assert at(2, gap.claim) is None and not at(2, gap.is_wanted)
    at(2, gap.keep_vectors, "m 1", {lacking[0]: b"12"}, 1, 3)
    assert at(2.5, gap.is_wanted), "its worker is gone"
    again = at(2.5, gap.claim)
    assert [(row["model"], row["vector"]) for row in again] == [("m 1", b"12"), (None, None), (None, None)]
    at(3, gap.finish, [{"question": lacking[0], "ids": lacking}])
    assert not at(4, gap.is_wanted) and not at(40, gap.is_wanted), "nothing new was asked"
    at(4, gap.want_gaps)
    assert at(4, gap.is_wanted)
    at(4, gap.keep_drafts, lacking, customer.articles[0])
    at(4, gap.keep_drafts, lacking, customer.articles[1])
    assert [row["id"] for row in at(5, gap.claim)] == [rated]
    found = at(5, gap.questions_of, [*reversed(lacking)])
    assert [row["draft_id"] for row in found] == [customer.articles[0]] * 2
    assert found[0]["name"] == "Asha Rao"
    at(6, gap.finish, [])
    with pytest.raises(Forbidden):
        store.write_now(gap.want_gaps, Actor("user", new_id(), "rep"))


def test_what_was_asked_is_sealed_in_the_log(customer: Customer) -> None:
    question = customer.asks(0, "I am Asha of 12 Lake Road, when do you deliver?")

    def logged(tx: Tx) -> list[Record]:
        from bot.records.events import events

        return tx.rows(sa.select(events).where(events.c.record_id == question))

    (created,) = customer.store.read_now(logged, SYSTEM)
    assert "text" not in created["changes"] and created["sealed"]
    assert created["contact_id"] == customer.contact
    assert created["at"] >= datetime(2020, 1, 1, tzinfo=created["at"].tzinfo)
