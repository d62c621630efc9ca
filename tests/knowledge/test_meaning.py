"""Articles found by what they mean, with the real embeddings, and only by who reads them."""

import asyncio
import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pytest

from bot.crm.article import save_article
from bot.evaluate.knowledge import evaluate_answering, evaluate_retrieval
from bot.knowledge import vectors
from bot.knowledge.answer import answer
from bot.knowledge.embeddings import embed_one, embed_pieces
from bot.knowledge.index import KnowledgeIndex
from bot.knowledge.library import Library
from bot.knowledge.passages import ArticleText, pieces, texts_of
from bot.knowledge.retrieve import Asked, retrieve
from bot.records.actor import SYSTEM
from bot.records.store import Store

ARTICLES = (
    ArticleText(
        "a1", "refund", "en", "When do I get my refund?", "Money is back in your account after 5 days."
    ),
    ArticleText("a2", "repair", "en", "What does a repair cost?", "A technician's visit costs ₹349."),
    ArticleText("a3", "hours", "en", "When are you open?", "The shop is open from 10:30 to 20:30."),
)


def _asked(question: str, **more: frozenset[str]) -> Asked:
    return Asked(question, embed_one(question), **more)


@pytest.fixture(scope="module")
def index() -> KnowledgeIndex:
    texts = [text for article in ARTICLES for text in texts_of(article)]
    return KnowledgeIndex.build(ARTICLES, dict(zip(texts, embed_pieces(texts), strict=True)))


@pytest.mark.parametrize(
    ("question", "article"),
    [
        ("how soon will you pay me back", "a1"),
        ("मुझे मेरे पैसे वापस कब मिलेंगे?", "a1"),
        ("பணம் எப்போது திரும்பக் கிடைக்கும்?", "a1"),
    ],
)
def test_no_word_in_common_and_another_language(index: KnowledgeIndex, question: str, article: str) -> None:
    assert retrieve(index, Asked(question))[1].certainty != "sure"
    found = retrieve(index, _asked(question))[1]
    assert found.hits[0].passage.article.id == article and found.certainty == "sure"


def test_what_no_article_is_about_is_declined(index: KnowledgeIndex) -> None:
    for question in ("who won the cricket match yesterday", "write a poem about the sea", "2+2"):
        assert answer(index, _asked(question), "en").kind == "none"


def test_only_who_an_article_is_for_finds_it_and_only_in_its_time() -> None:
    moment = datetime.now(UTC)
    hour = timedelta(hours=1)
    ours = [
        ArticleText("p", "p", "en", "Warranty of pumps", "Pumps have two years."),
        ArticleText("c", "c", "en", "Warranty of fans", "Fans have one year.", "customers"),
        ArticleText("s", "s", "en", "Warranty of irons", "Irons: ask the manager.", "agents"),
        ArticleText("o", "o", "en", "Warranty of lamps", "Lamps had none.", ends=moment - hour),
        ArticleText("n", "n", "en", "Warranty of mixers", "Mixers will have two.", begins=moment + hour),
    ]
    index = KnowledgeIndex.build(ours)
    everybody, customers = frozenset({"public"}), frozenset({"public", "customers"})

    def seen(audiences: frozenset[str]) -> set[str]:
        return {hit.passage.article.id for hit in index.search("what is the warranty", 16, None, audiences)}

    assert seen(everybody) == {"p"} and seen(customers) == {"p", "c"}
    assert seen(customers | {"agents"}) == {"p", "c", "s"}
    for title in ("Warranty of irons", "Warranty of fans", "Warranty of lamps", "Warranty of mixers"):
        assert answer(index, Asked(title), "en").article_id in ("", "p")


def test_a_translation_is_quoted_only_to_whom_it_is_for() -> None:
    english = ArticleText("e", "fans", "en", "Warranty of fans", "Fans have one year.")
    for hidden in (
        ArticleText("h", "fans", "hi", "पंखों की वारंटी", "भीतरी नोट: दो साल।", "agents"),
        ArticleText(
            "h", "fans", "hi", "पंखों की वारंटी", "कल से दो साल।", begins=datetime.now(UTC) + timedelta(hours=1)
        ),
    ):
        said = answer(KnowledgeIndex.build([english, hidden]), Asked("Warranty of fans"), "hi")
        assert (said.article_id, said.text) == ("e", "Fans have one year.")
    staff = frozenset({"public", "agents"})
    inside = KnowledgeIndex.build([english, replace(hidden, audience="agents", begins=None)])
    assert answer(inside, Asked("Warranty of fans", None, staff), "hi").article_id == "h"


def test_what_is_not_embedded_yet_is_answered_by_its_words() -> None:
    texts = texts_of(ARTICLES[0])
    half = KnowledgeIndex.build(ARTICLES, dict(zip(texts, embed_pieces(texts), strict=True)))
    assert answer(half, _asked("what does a repair cost for me"), "en").article_id == "a2"
    assert answer(half, _asked("how soon will you pay me back"), "en").article_id == "a1"


def test_pieces_hold_all_of_a_passage_in_order() -> None:
    body = "\n\n".join(
        f"Sentence {number} says something of its own about matter {number}." for number in range(40)
    )
    texts = texts_of(ArticleText("a", "a", "en", "Title", body))
    assert texts[0] == "Title" and all(text.startswith("Title: ") and len(text) <= 300 for text in texts[1:])
    told = " ".join(text.removeprefix("Title: ") for text in texts[1:])
    assert told == " ".join(body.split("\n\n"))


async def test_a_worker_embeds_what_is_saved_and_every_process_reads_it(store: Store) -> None:
    def write(body: str) -> None:
        store.write_now(save_article, SYSTEM, "refund", "en", ARTICLES[0].title, body)

    write(ARTICLES[0].body)
    worker, web = Library(store, meaning=True), Library(store, meaning=True)
    await worker.refresh()
    await web.refresh()
    assert web.index.meaning is None or not len(web.index.meaning.pieces)
    told = asyncio.Event()
    assert worker.begin(told.set) and not worker.begin(told.set)
    async with asyncio.timeout(60):
        await told.wait()
    assert not worker.lacks
    await web.refresh()
    assert not web.lacks and web.index.meaning is not None
    question = "मुझे मेरे पैसे वापस कब मिलेंगे?"
    assert retrieve(web.index, await web.asked(question))[1].certainty == "sure"
    follow = await web.asked("and in cash?", before="when do I get my refund?")
    assert answer(web.index, follow, "en").kind == "found"
    assert answer(web.index, await web.asked("and in cash?"), "en").kind == "none"
    other = await web.asked("who is the president of France", before="when do I get my refund?")
    assert other.whole is None and answer(web.index, other, "en").kind == "none"
    assert not worker.begin(told.set)

    write("Refunds are made in cash at the counter.")
    await worker.refresh()
    assert len(worker.lacks) == 1  # the title is known
    await worker.embed_some()
    with store.database.read() as connection:
        kept = connection.execute(vectors.passage_vectors.select()).all()
    assert len(kept) == 2  # what the article no longer says is forgotten
    await worker.close()


def test_vectors_are_kept_once_and_read_as_they_were(store: Store) -> None:
    vector = np.linspace(-1, 1, 384, dtype=np.float32)
    for _ in range(2):
        store.write_now(vectors.keep, SYSTEM, {"one": vector})
    found = store.read_now(vectors.kept, SYSTEM, ["one", "two"])
    assert set(found) == {"one"} and np.allclose(found["one"], vector, atol=1e-3)
    assert store.write_now(vectors.forget_others, SYSTEM, ("two",)) == 1


def test_the_evaluations_count_right_wrong_and_declined(tmp_path: Path) -> None:
    def write(name: str, rows: list[dict[str, str]]) -> Path:
        file = tmp_path / name
        file.write_text("\n".join(json.dumps(row) for row in rows), encoding="utf-8")
        return file

    articles = write(
        "a.jsonl", [{"id": one.id, "title": one.title, "text": one.body, "lang": "en"} for one in ARTICLES]
    )
    questions = write(
        "q.jsonl",
        [
            {"question": "when will I have my refund", "article_id": "a1"},
            {"question": "what do I pay for a repair", "article_id": "a3"},
        ],
    )
    foreign = write("f.jsonl", [{"text": "who won the cricket match yesterday"}])
    found = evaluate_retrieval(articles, questions)
    assert (found["recall_at_1"], found["recall_at_5"]) == (0.5, 1.0) and 0.5 < found["mrr"] < 1
    said = evaluate_answering(articles, questions, foreign)
    assert (said["answered_right"], said["answered_wrong"], said["declined_right"]) == (0.5, 0.5, 1.0)


def test_a_passage_is_cut_into_pieces_with_its_title(index: KnowledgeIndex) -> None:
    assert pieces(index.passages[1]) == ["What does a repair cost?: A technician's visit costs ₹349."]
