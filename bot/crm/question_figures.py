"""What the knowledge base achieved, in figures: how much was answered, and how much was resolved without a
person. Each formula stands in docs/knowledge-loop.md.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date
from typing import Any, Literal

import sqlalchemy as sa

from bot.crm.article import ARTICLE
from bot.crm.question import ANSWERED, QUESTION
from bot.records.tx import Tx

By = Literal["all", "day", "lang", "channel", "article"]
GROUPS: tuple[By, ...] = ("all", "day", "lang", "channel", "article")
_table = QUESTION.table


@dataclass(frozen=True, slots=True)
class Figures:
    """Questions of one group. `label` is an article's title, else what it is grouped by."""

    key: Any = None
    label: str = ""
    asked: int = 0
    answered: int = 0
    confirmed: int = 0
    assumed: int = 0
    reopened: int = 0
    handed_over: int = 0
    open: int = 0
    """Answered, and the time in which the customer may still come back is not over."""
    helpful: int = 0
    unhelpful: int = 0

    @property
    def resolved(self) -> int:
        """Confirmed and assumed; who came back or needed a person is in neither."""
        return self.confirmed + self.assumed

    @property
    def answer_rate(self) -> float | None:
        """Questions that got an answer, of all."""
        return _share(self.answered, self.asked)

    @property
    def deflection_rate(self) -> float | None:
        """Questions resolved without a person, of all that are settled: an open one is not yet either."""
        return _share(self.resolved, self.asked - self.open)

    @property
    def helpful_rate(self) -> float | None:
        """Answers that helped, of those that customers judged."""
        return _share(self.helpful, self.helpful + self.unhelpful)


def figures(tx: Tx, since: date, until: date, by: By = "all") -> list[Figures]:
    """The figures of the questions asked on the days from `since` to `until`, both included; the groups with
    most questions first, days in their order. One statement."""
    tx.require("read", QUESTION.name)
    key: Any = {
        "day": _table.c.asked_on,
        "lang": _table.c.lang,
        "channel": _table.c.channel,
        "article": _table.c.article_id,
    }.get(by)
    counted = sa.select(*_counts()).where(
        _table.c.asked_on.between(since, until), _table.c.deleted_at.is_(None)
    )
    if key is None:
        return [Figures(**tx.rows(counted)[0])]
    counted = counted.add_columns(key.label("key")).where(key.is_not(None)).group_by(key)
    if by == "article":
        title = ARTICLE.table.c.title
        joined = ARTICLE.table.c.id == _table.c.article_id
        counted = counted.join(ARTICLE.table, joined).add_columns(title.label("label")).group_by(title)
    order = (key,) if by == "day" else (sa.func.count().desc(), key)
    return [Figures(**row) for row in tx.rows(counted.order_by(*order))]


def usefulness(tx: Tx, since: date, until: date) -> dict[str, Figures]:
    """Of each article that answered anything: answers given, helpful and unhelpful, resolved."""
    return {one.key: one for one in figures(tx, since, until, "article")}


def _counts() -> Iterable[sa.ColumnElement[int]]:
    """A column for each count; of no rows all are 0."""
    given = _table.c.outcome.in_(ANSWERED)

    def count(condition: sa.ColumnElement[bool], name: str) -> sa.ColumnElement[int]:
        return sa.func.coalesce(sa.func.sum(sa.case((condition, 1), else_=0)), 0).label(name)

    yield sa.func.count().label("asked")
    yield count(given, "answered")
    for resolution in ("confirmed", "assumed", "reopened", "handed_over"):
        yield count(_table.c.resolution == resolution, resolution)
    yield count(sa.and_(given, _table.c.resolution == "open"), "open")
    yield count(_table.c.helpful == "yes", "helpful")
    yield count(_table.c.helpful == "no", "unhelpful")


def _share(part: int, whole: int) -> float | None:
    return part / whole if whole > 0 else None
