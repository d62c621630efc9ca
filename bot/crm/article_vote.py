"""Whether an article was useful, as its readers say: one vote a reader, article and day."""

import sqlalchemy as sa

from bot.crm.article import ARTICLE, readable
from bot.errors import NotFound
from bot.records.entity import entity
from bot.records.tx import Tx
from bot.records.write import create, update
from bot.storage import Id

COMMENT_LIMIT = 1000

ARTICLE_VOTE = entity(
    "article_votes",
    sa.Column("article_id", Id, sa.ForeignKey("articles.id"), nullable=False),
    sa.Column("helpful", sa.Boolean, nullable=False),
    sa.Column("comment", sa.String(COMMENT_LIMIT)),
    sa.Column("lang", sa.String(12), nullable=False),
    sa.Column("voter", sa.String(64), nullable=False),
    sa.UniqueConstraint("article_id", "voter"),
    personal=("comment",),
    internal=("voter",),
    long=("comment",),
    scope="open",
)
"""`lang` is the language that the reader reads in; `voter` a keyed hash by which a second vote of theirs is
known for a day, and from which nobody finds them."""


def vote(tx: Tx, article_id: str, voter: str, lang: str, *, helpful: bool, comment: str = "") -> None:
    """Count a reader's word on an article that everybody may read; said again it is changed, and a comment
    that was left stays until there is another. Raises NotFound."""
    article, votes = ARTICLE.table, ARTICLE_VOTE.table
    readable_one = sa.select(article.c.id).where(article.c.id == article_id, readable(tx.now, ("public",)))
    if tx.row(readable_one) is None:
        raise NotFound("There is no such article.")
    said = {"helpful": helpful, "lang": lang, **({"comment": comment} if comment else {})}
    mine = sa.select(votes).where(votes.c.article_id == article_id, votes.c.voter == voter)
    if (before := tx.row(mine)) is None:
        create(tx, ARTICLE_VOTE, {"article_id": article_id, "voter": voter, **said})
    else:
        update(tx, ARTICLE_VOTE, before, said)


def usefulness(tx: Tx) -> dict[str, int]:
    """By key of an article, in whatever language it was read: how many more found it useful than not."""
    article, votes = ARTICLE.table, ARTICLE_VOTE.table
    balance = sa.func.sum(sa.case((votes.c.helpful, 1), else_=-1))
    statement = (
        sa.select(article.c.key, balance.label("balance"))
        .join(article, article.c.id == votes.c.article_id)
        .where(votes.c.deleted_at.is_(None))
        .group_by(article.c.key)
    )
    return {row["key"]: int(row["balance"]) for row in tx.rows(statement)}
