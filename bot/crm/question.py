"""Questions that customers asked the knowledge base: what came of each, whether it helped, whether it is
resolved.

A question is resolved when the customer says so (`confirmed`), or when nothing more comes of it for a day
(`assumed`). Who asks the same again comes back (`reopened`), and whom a person had to help was
`handed_over`: neither counts as resolved, whatever was counted before.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any, Literal

import sqlalchemy as sa

from bot.records.actor import SYSTEM
from bot.records.entity import entity
from bot.records.timer import set_timer
from bot.records.tx import Record, Tx
from bot.records.write import create, find, update
from bot.storage import Id, Instant

OUTCOMES = ("answered", "unsure", "none", "chosen")
"""Answered at once; asked back which article, and one was `chosen` or not; no answer."""
ANSWERED = ("answered", "chosen")
HELPFUL = ("unknown", "yes", "no")
RESOLUTIONS = ("open", "confirmed", "assumed", "reopened", "handed_over")
SILENCE = timedelta(hours=24)
"""Nothing more for so long, and an answer is taken to have sufficed: who still needs something writes on the
same or the next day, and it is as long as most chat channels keep a conversation open."""
GOES_ON = timedelta(minutes=10)
"""How long a question may be gone on from: "and the bigger one?"."""
TIMER = "question_silence"
LONGEST = 2000
_LATELY = 20
"""Questions of a contact that are looked at when they come back."""

Happening = Literal["helped", "not_helped", "silence", "came_back", "person"]
_ANY_ANSWER = ("open", "assumed", "confirmed")
_MOVES: Mapping[Happening, Mapping[str, str]] = {
    "helped": dict.fromkeys((*_ANY_ANSWER, "reopened"), "confirmed"),
    "not_helped": dict.fromkeys(_ANY_ANSWER, "reopened"),
    "silence": {"open": "assumed"},
    "came_back": dict.fromkeys(_ANY_ANSWER, "reopened"),
    "person": dict.fromkeys((*_ANY_ANSWER, "reopened"), "handed_over"),
}
"""What a happening makes of a resolution; what is not here stays. A person's help is the last word."""

QUESTION = entity(
    "questions",
    sa.Column("text", sa.Text, nullable=False),
    sa.Column("lang", sa.String(12), nullable=False),
    sa.Column("channel", sa.String(20), nullable=False),
    sa.Column("contact_id", Id, sa.ForeignKey("contacts.id"), nullable=False),
    sa.Column("conversation_id", Id, nullable=False),
    sa.Column("article_id", Id, sa.ForeignKey("articles.id")),
    sa.Column("outcome", sa.String(10), nullable=False),
    sa.Column("helpful", sa.String(10), nullable=False),
    sa.Column("resolution", sa.String(12), nullable=False),
    # When an answer was given: at once, or when an article was chosen.
    sa.Column("answered_at", Instant),
    sa.Column("resolved_at", Instant),
    # The day in the business's time zone: what reports count by.
    sa.Column("asked_on", sa.Date, nullable=False),
    sa.Index("ix_questions_asked", "asked_on"),
    sa.Index("ix_questions_article", "article_id", "asked_on"),
    sa.Index("ix_questions_contact", "contact_id", "id"),
    sa.Index("ix_questions_conversation", "conversation_id", "id"),
    enums={"outcome": OUTCOMES, "helpful": HELPFUL, "resolution": RESOLUTIONS},
    personal=("text",),
    long=("text",),
    to={"conversation_id": "conversations"},
    computed=("answered_at", "resolved_at", "asked_on"),
    defaults={"helpful": "unknown", "resolution": "open"},
    scope="open",
    takes=frozenset({"delete"}),
    title="text",
)
_table = QUESTION.table
_of_contact = (
    sa.select(_table)
    .where(
        _table.c.contact_id == sa.bindparam("contact"),
        _table.c.created_at > sa.bindparam("since", type_=Instant),
        _table.c.deleted_at.is_(None),
    )
    .order_by(_table.c.id.desc())
    .limit(_LATELY)
)


@dataclass(frozen=True, slots=True)
class Asked:
    """A question as its turn saw it. `id`: what its buttons call it; empty for any."""

    text: str
    lang: str
    channel: str
    contact_id: str
    conversation_id: str
    outcome: str
    asked_on: date
    article_id: str | None = None
    id: str = ""


def asked_before(tx: Tx, contact_id: str, conversation_id: str) -> str:
    """What the customer asked in this conversation a moment ago; empty where there is nothing of the kind."""
    found = tx.row(
        sa.select(_table.c.text)
        .where(
            _table.c.conversation_id == conversation_id,
            _table.c.contact_id == contact_id,
            _table.c.created_at > tx.now - GOES_ON,
            _table.c.deleted_at.is_(None),
        )
        .order_by(_table.c.id.desc())
        .limit(1)
    )
    return str(found["text"]) if found else ""


def next_resolution(question: Mapping[str, Any], happening: Happening) -> str:
    """What a happening makes of a question. Where no answer was given, only a person changes anything."""
    was: str = question["resolution"]
    if question["outcome"] not in ANSWERED and happening != "person":
        return was
    return _MOVES[happening].get(was, was)


def is_recent(question: Mapping[str, Any], now: datetime) -> bool:
    """Whether what the customer does now still tells of this question: for as long after it was resolved as
    silence takes to resolve it. The same, whether its timer was on time or late."""
    return now <= (question["resolved_at"] or _silent_at(question)) + SILENCE


def _silent_at(question: Mapping[str, Any]) -> datetime:
    answered: datetime = question["answered_at"] or question["created_at"]
    return answered + SILENCE


def ask(tx: Tx, asked: Asked) -> str:
    """Keep a question; earlier ones on the same matter have come back. The choice of an article answers the
    question that was unsure. Returns the question's id."""
    recent = _recent(tx, asked.contact_id)
    here = [row for row in recent if row["conversation_id"] == asked.conversation_id]
    if asked.outcome == "chosen":
        chosen = next((row for row in here if row["outcome"] in ("unsure", "chosen")), None)
        if chosen is not None and chosen["outcome"] == "unsure":
            given = {"outcome": "chosen", "article_id": asked.article_id, "answered_at": tx.now}
            update(tx, QUESTION, chosen, given)
            _wait(tx, chosen["id"])
            return str(chosen["id"])
        if chosen is not None and chosen is here[0] and chosen["article_id"] == asked.article_id:
            return str(chosen["id"])  # the same button, pressed twice
    for row in recent:
        if row["outcome"] in ANSWERED and _same_matter(row, asked):
            _move(tx, row, "came_back")
    question_id = create(
        tx,
        QUESTION,
        {
            **({"id": asked.id} if asked.id else {}),
            "text": asked.text[:LONGEST],
            "lang": asked.lang,
            "channel": asked.channel,
            "contact_id": asked.contact_id,
            "conversation_id": asked.conversation_id,
            "article_id": asked.article_id,
            "outcome": asked.outcome,
            "answered_at": tx.now if asked.outcome in ANSWERED else None,
            "asked_on": asked.asked_on,
        },
    )
    if asked.outcome in ANSWERED:
        _wait(tx, question_id)
    return question_id


def rate(tx: Tx, question_id: str, contact_id: str, *, helped: bool) -> bool:
    """The customer says whether the answer helped; the last word counts. False where nothing changes, also
    for a question that is not theirs."""
    row = find(tx, QUESTION, question_id)
    if row is None or row["contact_id"] != contact_id:
        return False
    return _move(tx, row, "helped" if helped else "not_helped", helpful="yes" if helped else "no")


def needs_person(tx: Tx, contact_id: str) -> None:
    """A person helps this customer, or a case was opened for them: their last question was not resolved
    without one, and no earlier one may still be taken to be."""
    for place, row in enumerate(_recent(tx, contact_id)):
        # One whose time is over counts as assumed, also where its timer is late.
        if place == 0 or (row["resolution"] == "open" and tx.now <= _silent_at(row)):
            with tx.acting(SYSTEM):  # whoever helps need not be one who may change questions
                _move(tx, row, "person")


def assume(tx: Tx, question_id: str, due_at: datetime) -> bool:
    """Nothing more came of an answer until `due_at`; False where something did."""
    row = find(tx, QUESTION, question_id)
    return row is not None and _move(tx, row, "silence", at=due_at)


def _recent(tx: Tx, contact_id: str) -> list[Record]:
    """The newest questions of a contact that what happens now may still tell of, the newest first."""
    rows = tx.rows(_of_contact, {"contact": contact_id, "since": tx.now - 8 * SILENCE})
    return [row for row in rows if is_recent(row, tx.now)]


def _same_matter(row: Record, asked: Asked) -> bool:
    if row["article_id"] is not None and row["article_id"] == asked.article_id:
        return True
    return _bare(row["text"]) == _bare(asked.text)


def _bare(text: str) -> str:
    return " ".join(text.casefold().split())


def _wait(tx: Tx, question_id: str) -> None:
    set_timer(tx, TIMER, question_id, tx.now + SILENCE)


def _move(tx: Tx, row: Record, happening: Happening, *, at: datetime | None = None, **more: Any) -> bool:
    to = next_resolution(row, happening)
    values: dict[str, Any] = {"resolution": to, **more}
    if to != row["resolution"]:
        values["resolved_at"] = (at or tx.now) if to in ("confirmed", "assumed") else None
    return update(tx, QUESTION, row, values)
