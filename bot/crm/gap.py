"""What the knowledge base lacks: the latest finding of its gaps, and the drafts made of them.

A gap is a group of questions that mean the same and got no good answer. Finding them is slow and is done by
a worker; its tables hold what was worked out, no words of customers.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

import sqlalchemy as sa

from bot.crm.article import ARTICLE
from bot.crm.contact import CONTACT
from bot.crm.question import QUESTION
from bot.records.keys import BUSINESS
from bot.records.tx import Record, Tx
from bot.storage import Id, Instant, Json, metadata
from bot.storage.upsert import insert

WITHIN = timedelta(days=90)
MOST = 2000
"""Questions that are looked at, the newest."""
AGAIN = timedelta(hours=24)
"""How often gaps are looked for by themselves, where there are new questions."""
_LEASE = timedelta(seconds=60)

gap_runs = sa.Table(
    "gap_runs",
    metadata,
    # One row: the latest finding.
    sa.Column("id", Id, primary_key=True),
    sa.Column("state", sa.String(10), nullable=False),
    sa.Column("done", sa.Integer, nullable=False),
    sa.Column("total", sa.Integer, nullable=False),
    sa.Column("lease_until", Instant),
    sa.Column("made_at", Instant),
    # [{"question": the most central one, "ids": all of them, "none", "unsure", "bad": how many of each,
    # "langs"}], the largest first.
    sa.Column("found", Json),
)
question_vectors = sa.Table(
    "question_vectors",
    metadata,
    sa.Column("question_id", Id, sa.ForeignKey("questions.id", ondelete="CASCADE"), primary_key=True),
    sa.Column("model", sa.String(60), nullable=False),
    sa.Column("vector", sa.LargeBinary, nullable=False),
)
question_drafts = sa.Table(
    "question_drafts",
    metadata,
    sa.Column("question_id", Id, sa.ForeignKey("questions.id", ondelete="CASCADE"), primary_key=True),
    sa.Column("article_id", Id, sa.ForeignKey("articles.id"), nullable=False, index=True),
)
_questions = QUESTION.table
_READ = ("id", "text", "lang", "outcome", "helpful")


def lacking(now: datetime) -> sa.ColumnElement[bool]:
    """Which questions show that something is missing: unanswered, asked back about and not chosen, answered
    badly; and no article was drafted for them."""
    bad = sa.or_(_questions.c.outcome.in_(("none", "unsure")), _questions.c.helpful == "no")
    drafted = sa.exists().where(question_drafts.c.question_id == _questions.c.id)
    return sa.and_(bad, _questions.c.created_at > now - WITHIN, _questions.c.deleted_at.is_(None), ~drafted)


def latest_run(tx: Tx) -> Record | None:
    """The latest finding, and how far the one that runs has come."""
    tx.require("read", QUESTION.name)
    return tx.row(sa.select(gap_runs).where(gap_runs.c.id == BUSINESS))


def want_gaps(tx: Tx) -> None:
    """Have gaps looked for soon; asked twice, it is done once."""
    tx.require("create", ARTICLE.name)
    row = {"id": BUSINESS, "state": "waiting", "done": 0, "total": 0}
    fresh = {"state": "waiting", "done": 0, "total": 0, "lease_until": None}
    statement = insert(gap_runs, tx.dialect).values(row)
    idle = gap_runs.c.state.not_in(("waiting", "running"))
    late = sa.and_(gap_runs.c.state == "running", gap_runs.c.lease_until < tx.now)
    tx.execute(statement.on_conflict_do_update(index_elements=["id"], set_=fresh, where=sa.or_(idle, late)))


def is_wanted(tx: Tx) -> bool:
    """Whether somebody asked for gaps, a finding was cut off, or a day has passed and there is news."""
    row = tx.row(sa.select(gap_runs).where(gap_runs.c.id == BUSINESS))
    if row is None or row["state"] == "waiting":
        return True
    if row["state"] != "done":
        return bool(row["lease_until"] < tx.now)
    if row["made_at"] > tx.now - AGAIN:
        return False
    news = sa.select(_questions.c.id).where(lacking(tx.now), _questions.c.created_at > row["made_at"])
    return tx.row(news.limit(1)) is not None


def claim(tx: Tx) -> list[Record] | None:
    """Begin a finding: the questions to look at, oldest first, with the vectors that are known of them. None
    where another worker is at it."""
    values = {"state": "running", "done": 0, "total": 0, "lease_until": tx.now + _LEASE}
    statement = insert(gap_runs, tx.dialect).values(id=BUSINESS, **values)
    free = sa.or_(gap_runs.c.state != "running", gap_runs.c.lease_until < tx.now)
    taken = statement.on_conflict_do_update(index_elements=["id"], set_=values, where=free)
    if tx.execute(taken.returning(gap_runs.c.id)).scalar() is None:
        return None
    known = question_vectors
    wanted = (
        sa.select(*(_questions.c[name] for name in _READ), known.c.model, known.c.vector)
        .outerjoin(known, known.c.question_id == _questions.c.id)
        .where(lacking(tx.now))
        .order_by(_questions.c.id.desc())
        .limit(MOST)
    )
    return list(reversed(tx.rows(wanted)))


def keep_vectors(tx: Tx, model: str, vectors: Mapping[str, bytes], done: int, total: int) -> None:
    """What was worked out so far: a finding that is cut off goes on from there."""
    if vectors:
        statement = insert(question_vectors, tx.dialect)
        fresh = {name: statement.excluded[name] for name in ("model", "vector")}
        rows = [{"question_id": id, "model": model, "vector": vector} for id, vector in vectors.items()]
        tx.execute(statement.on_conflict_do_update(index_elements=["question_id"], set_=fresh), rows)
    progress = gap_runs.update().where(gap_runs.c.id == BUSINESS)
    tx.execute(progress.values(done=done, total=total, lease_until=tx.now + _LEASE))


def finish(tx: Tx, found: Sequence[Mapping[str, Any]]) -> None:
    """The finding is done."""
    values = {"state": "done", "found": [dict(one) for one in found], "made_at": tx.now, "lease_until": None}
    tx.execute(gap_runs.update().where(gap_runs.c.id == BUSINESS).values(values))


def failed(tx: Tx) -> None:
    """The finding broke off; it is tried again after a while."""
    values = {"state": "failed", "lease_until": tx.now + AGAIN}
    tx.execute(gap_runs.update().where(gap_runs.c.id == BUSINESS).values(values))


def questions_of(tx: Tx, ids: Sequence[str]) -> list[Record]:
    """Questions as the page shows them: with the name of who asked (`name`), the article that answered
    (`title`), and the draft that was made since (`draft_id`), in the order of the ids."""
    tx.require("read", QUESTION.name)
    columns = ("id", "text", "lang", "outcome", "helpful", "article_id", "conversation_id", "created_at")
    drafts, articles, contacts = question_drafts, ARTICLE.table, CONTACT.table
    statement = (
        sa.select(
            *(_questions.c[name] for name in columns),
            contacts.c.name,
            articles.c.title,
            drafts.c.article_id.label("draft_id"),
        )
        .join(contacts, contacts.c.id == _questions.c.contact_id)
        .outerjoin(articles, articles.c.id == _questions.c.article_id)
        .outerjoin(drafts, drafts.c.question_id == _questions.c.id)
        .where(_questions.c.id.in_(ids), _questions.c.deleted_at.is_(None))
    )
    found = {row["id"]: row for row in tx.rows(statement)}
    return [found[id] for id in ids if id in found]


def keep_drafts(tx: Tx, ids: Sequence[str], article_id: str) -> None:
    """Remember what was drafted of which questions; of one that has a draft the first stays."""
    tx.require("create", ARTICLE.name)
    if ids:
        statement = insert(question_drafts, tx.dialect).on_conflict_do_nothing(index_elements=["question_id"])
        tx.execute(statement, [{"question_id": id, "article_id": article_id} for id in ids])
