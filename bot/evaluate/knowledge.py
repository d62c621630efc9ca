"""`samvad eval retrieval` and `samvad eval answering`: articles found, and answered from."""

from pathlib import Path
from time import perf_counter
from typing import Any

from bot.evaluate.gold import read_rows, share
from bot.knowledge.answer import answer
from bot.knowledge.embeddings import embed_one, embed_pieces
from bot.knowledge.index import KnowledgeIndex
from bot.knowledge.passages import ArticleText, texts_of
from bot.knowledge.retrieve import Asked

LOOKED_AT = 50
"""Passages from which articles are ranked."""


def evaluate_retrieval(articles: Path, questions: Path) -> dict[str, Any]:
    """How often the right article of `id, title, text, lang` is first, or among five, for `question,
    article_id`; the mean reciprocal rank; and the time a question takes with its embedding."""
    index, seconds = _indexed(articles)
    ranks: list[int] = []
    began = perf_counter()
    rows = read_rows(questions)
    for row in rows:
        question = str(row["question"])
        found = index.search(question, LOOKED_AT, embed_one(question))
        keys = list(dict.fromkeys(hit.passage.article.id for hit in found))
        ranks.append(keys.index(row["article_id"]) + 1 if row["article_id"] in keys else 0)
    took = perf_counter() - began
    return {
        "recall_at_1": share(ranks.count(1), len(ranks)),
        "recall_at_5": share(sum(0 < rank <= 5 for rank in ranks), len(ranks)),
        "mrr": round(sum(1 / rank for rank in ranks if rank) / len(ranks), 4) if ranks else None,
        "ms_per_question": round(took / len(rows) * 1000, 2) if rows else None,
        "index_seconds": round(seconds, 2),
        "articles": len(index.titles),
        "passages": len(index.passages),
        "questions": len(rows),
    }


def evaluate_answering(articles: Path, questions: Path, foreign: Path) -> dict[str, Any]:
    """Of questions with an article, the share answered from it; of foreign ones, the share declined. Asking
    back is neither; `asked_back` is the share of questions where the right article is among those offered."""
    index, seconds = _indexed(articles)
    right = offered = wrong = 0
    asked = read_rows(questions)
    for row in asked:
        said = answer(index, _asked(str(row["question"])), str(row.get("lang", "en")))
        right += said.kind == "found" and said.article_id == row["article_id"]
        wrong += said.kind == "found" and said.article_id != row["article_id"]
        offered += said.kind == "unsure" and row["article_id"] in {option.id for option in said.options}
    strangers = read_rows(foreign)
    texts = [str(row.get("question", row.get("text", ""))) for row in strangers]
    declined = sum(answer(index, _asked(text), "en").kind != "found" for text in texts)
    return {
        "answered_right": share(right, len(asked)),
        "answered_wrong": share(wrong, len(asked)),
        "asked_back": share(offered, len(asked)),
        "declined_right": share(declined, len(texts)),
        "index_seconds": round(seconds, 2),
        "questions": len(asked),
        "foreign": len(texts),
    }


def _asked(question: str) -> Asked:
    return Asked(question, embed_one(question))


def _indexed(file: Path) -> tuple[KnowledgeIndex, float]:
    """The index of a file's articles, as the product makes it, and the seconds it took."""
    began = perf_counter()
    articles = [
        ArticleText(
            str(row["id"]), str(row["id"]), str(row.get("lang", "en")), str(row["title"]), str(row["text"])
        )
        for row in read_rows(file)
    ]
    texts = list(dict.fromkeys(text for article in articles for text in texts_of(article)))
    known = dict(zip(texts, embed_pieces(texts), strict=True))
    return KnowledgeIndex.build(articles, known), perf_counter() - began
