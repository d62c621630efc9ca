"""An answer quoted from an article, with its source; or a question back; or an honest none."""

import re
from dataclasses import dataclass
from functools import lru_cache
from typing import Literal

from bot.knowledge.index import KnowledgeIndex
from bot.knowledge.passages import SENTENCE, Passage
from bot.knowledge.retrieve import Asked, Found, reading_order, retrieve
from bot.knowledge.tokens import terms

CHAT_LIMIT = 450
OPTIONS = 3
LATER = 0.1
"""What a piece further down is worth less, in words: an article begins with what matters."""
_BLOCK = re.compile(r"\S(?:[^\n]|\n(?!\s*\n))*")


@dataclass(frozen=True, slots=True)
class Option:
    """An article to choose when the question was not clear."""

    id: str
    title: str


@dataclass(frozen=True, slots=True)
class Answer:
    """`found`: `text` with its source. `unsure`: `options` for one clarifying question. `none`: neither.
    `source` is the whole passage quoted from, which a rewritten answer is checked against."""

    kind: Literal["found", "unsure", "none"]
    text: str = ""
    article_id: str = ""
    title: str = ""
    url: str = ""
    options: tuple[Option, ...] = ()
    source: str = ""


def answer(
    index: KnowledgeIndex,
    asked: Asked,
    lang: str,
    *,
    limit: int = CHAT_LIMIT,
    base_url: str = "",
) -> Answer:
    """Answer a question in `lang` where the article is translated, in at most `limit` characters.

    `base_url` is where articles are read: `{base_url}/{lang}/{key}`.
    """
    understood, found = retrieve(index, asked)
    return settle(index, understood, found, lang, limit=limit, base_url=base_url)


def settle(
    index: KnowledgeIndex,
    asked: Asked,
    found: Found,
    lang: str,
    *,
    limit: int = CHAT_LIMIT,
    base_url: str = "",
) -> Answer:
    """The answer to what `retrieve` found."""
    if found.certainty == "none":
        return Answer("none")
    passages = in_order(index, asked, found, lang)
    if found.certainty == "sure":
        return quote(passages[0], asked.text, limit, base_url)
    options = tuple(Option(passage.article.id, passage.article.title) for passage in passages[:OPTIONS])
    return Answer("unsure", options=options)


def in_order(index: KnowledgeIndex, asked: Asked, found: Found, lang: str) -> list[Passage]:
    """The passages found, best first, in the asker's language where they may read them in it."""
    return [index.in_language(hit.passage, reading_order(lang), asked.audiences) for hit in found.hits]


def quote(passage: Passage, question: str, limit: int = CHAT_LIMIT, base_url: str = "") -> Answer:
    """The passage as an answer, cut to the sentences that fit."""
    article = passage.article
    url = f"{base_url.rstrip('/')}/{article.lang}/{article.key}" if base_url else ""
    return Answer(
        "found",
        shorten(passage.text, _beyond_title(question, article.title), limit),
        article.id,
        article.title,
        url,
        source=f"{article.title}\n{passage.text}",
    )


def _beyond_title(question: str, title: str) -> str:
    """What a question asks beyond the article's title, which all of its paragraphs are about."""
    return " ".join(sorted(set(terms(question)) - set(terms(title))))


def shorten(text: str, question: str, limit: int) -> str:
    """The run of whole paragraphs within `limit` that holds most of the question's words; of whole
    sentences, where one paragraph is too long or holds more than any that fits."""
    if len(text) <= limit:
        return text
    asked = set(terms(question))
    best, worth = _run(text, _BLOCK, asked, limit)
    finer, finer_worth = _run(text, SENTENCE, asked, limit)
    if not best or finer_worth > worth + 0.5:
        best = finer
    return best or text[: limit - 1].rsplit(" ", 1)[0] + "…"


def _run(text: str, piece: re.Pattern[str], asked: set[str], limit: int) -> tuple[str, float]:
    """The run of pieces that fits and holds most of what was asked, and how much that is."""
    pieces = _pieces(text, piece)
    best, best_worth = "", -1.0
    for first, (start, _, _) in enumerate(pieces):
        end, held = start, set[str]()
        for _, stop, words in pieces[first:]:
            if stop - start > limit:
                break
            end = stop
            held |= asked & words
        run = _whole(text[start:end].strip())
        worth = len(held) - first * LATER
        if run and worth > best_worth:
            best, best_worth = run, worth
    return best, best_worth


@lru_cache(maxsize=4096)
def _pieces(text: str, piece: re.Pattern[str]) -> tuple[tuple[int, int, frozenset[str]], ...]:
    """(start, stop, words) of each piece; an article's text stays the same from question to question."""
    found = (match.span() for match in piece.finditer(text))
    return tuple((start, stop, frozenset(terms(text[start:stop]))) for start, stop in found)


def _whole(run: str) -> str:
    """Without a heading left at the end."""
    lines = run.splitlines()
    while lines and not (
        lines[-1].endswith((".", "!", "?", "।", "۔", "؟", ")"))
        or lines[-1].startswith("•")
        or " – " in lines[-1]
    ):
        lines.pop()
    return "\n".join(lines).rstrip()
