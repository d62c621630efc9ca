"""BM25 over passages, in memory. Built once per change of the articles; never changed after."""

import math
import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from bot.knowledge.tokens import terms

K1, B = 1.2, 0.6
TITLE_BOOST, HEADING_BOOST = 3, 2
TITLE_SCORE = 1.0
"""What a question's word in the title adds to a passage's score, by its weight."""
PASSAGE_CHARS = 700

_HEADING = re.compile(r"^#{1,6}\s+(.*?)\s*#*\s*$")
_LINK = re.compile(r"!?\[([^\]]*)\]\(([^)\s]+)[^)]*\)")
_BULLET = re.compile(r"^(\s*)[-*+]\s+", re.MULTILINE)
_ROW = re.compile(r"^\|(.+)\|[ \t]*$", re.MULTILINE)
_RULE_ROW = re.compile(r"^[\s:–-]*–[\s:–-]*\n", re.MULTILINE)
_MARKS = re.compile(r"(\*\*|__|`+)")
_ITALIC = re.compile(r"(?<!\w)[*_](\S(?:.*?\S)?)[*_](?!\w)")


@dataclass(frozen=True, slots=True)
class ArticleText:
    """An article in one language. `key` is the same in all its languages."""

    id: str
    key: str
    lang: str
    title: str
    body: str


@dataclass(frozen=True, slots=True)
class Passage:
    """A part of an article under one heading, as plain text. `place` counts within the article."""

    article: ArticleText
    place: int
    heading: str
    text: str


@dataclass(frozen=True, slots=True)
class Hit:
    """A passage found. `coverage`: the share of the question's weight that it or its title holds, `titled`
    the share that the title holds, both 0 to 1."""

    passage: Passage
    score: float
    coverage: float
    titled: float = 0.0


@dataclass(frozen=True)
class KnowledgeIndex:
    """All articles of all languages. `build` makes one; `search` asks it."""

    passages: tuple[Passage, ...] = ()
    postings: Mapping[str, tuple[tuple[int, float], ...]] = field(default_factory=dict)
    idf: Mapping[str, float] = field(default_factory=dict)
    strange: float = 1.0
    """The weight of a word that no article has."""
    titles: Mapping[str, frozenset[str]] = field(default_factory=dict)
    """Article id -> the terms of its title."""
    by_key: Mapping[tuple[str, str], tuple[int, ...]] = field(default_factory=dict)

    @classmethod
    def build(cls, articles: Iterable[ArticleText]) -> "KnowledgeIndex":
        """Cut the articles into passages and weigh their words."""
        passages = tuple(passage for article in articles for passage in cut(article))
        if not passages:
            return cls()
        counts = [_weighed(passage) for passage in passages]
        sizes = [sum(count.values()) for count in counts]
        mean = sum(sizes) / len(sizes) or 1.0
        documents = Counter(term for count in counts for term in count)
        idf = {term: math.log(1 + (len(counts) - n + 0.5) / (n + 0.5)) for term, n in documents.items()}
        postings: dict[str, list[tuple[int, float]]] = defaultdict(list)
        for number, (count, size) in enumerate(zip(counts, sizes, strict=True)):
            for term, n in count.items():
                weight = idf[term] * n * (K1 + 1) / (n + K1 * (1 - B + B * size / mean))
                postings[term].append((number, weight))
        by_key: dict[tuple[str, str], list[int]] = defaultdict(list)
        for number, passage in enumerate(passages):
            by_key[passage.article.key, passage.article.lang].append(number)
        ordered = sorted(idf.values())
        titles = {passage.article.id: frozenset(terms(passage.article.title)) for passage in passages}
        return cls(
            passages,
            {term: tuple(rows) for term, rows in postings.items()},
            idf,
            ordered[len(ordered) // 2],
            titles,
            {key: tuple(numbers) for key, numbers in by_key.items()},
        )

    def search(self, question: str, limit: int = 8) -> list[Hit]:
        """The passages that fit a question best, best first."""
        asked = set(terms(question))
        if not asked:
            return []
        # Coverage counts rarity less than the score does: one strange word, the name of a town say, must not
        # outweigh all that was found.
        total = sum(1 + self.idf.get(term, self.strange) for term in asked)
        scores: dict[int, float] = {}
        covered: dict[int, float] = {}
        for term in asked:
            idf = self.idf.get(term, 0.0)
            for number, weight in self.postings.get(term, ()):
                scores[number] = scores.get(number, 0.0) + weight
                covered[number] = covered.get(number, 0.0) + 1 + idf
        hits = [
            self._hit(number, asked, score, covered[number] / total, total)
            for number, score in scores.items()
        ]
        return sorted(hits, key=lambda hit: -hit.score)[:limit]

    def _hit(self, number: int, asked: set[str], score: float, coverage: float, total: float) -> Hit:
        passage = self.passages[number]
        titled = [self.idf[term] for term in asked & self.titles[passage.article.id]]
        share = (sum(titled) + len(titled)) / total
        return Hit(passage, score + TITLE_SCORE * sum(titled), coverage, share)

    def in_language(self, passage: Passage, langs: Sequence[str]) -> Passage:
        """The same passage in the first of these languages that its article exists in: the one at its place
        when the translation has as many, else its first."""
        if passage.article.lang == langs[0]:
            return passage
        own = self.by_key.get((passage.article.key, passage.article.lang), ())
        for lang in langs:
            theirs = self.by_key.get((passage.article.key, lang), ())
            if theirs:
                return self.passages[theirs[passage.place] if len(theirs) == len(own) else theirs[0]]
        return passage


def _weighed(passage: Passage) -> Counter[str]:
    count = Counter(terms(passage.text))
    for term in set(terms(passage.heading)):
        count[term] += HEADING_BOOST
    for term in set(terms(passage.article.title)):
        count[term] += TITLE_BOOST
    return count


def cut(article: ArticleText) -> list[Passage]:
    """Passages of an article: at headings, and at paragraphs where a section is long."""
    sections: list[tuple[str, list[str]]] = [("", [])]
    fenced = False
    for line in article.body.splitlines():
        fenced ^= line.lstrip().startswith("```")
        match = None if fenced else _HEADING.match(line)
        if match:
            sections.append((plain(match.group(1)), []))
        else:
            sections[-1][1].append(line)
    passages: list[Passage] = []
    for heading, text in _sized([(heading, plain("\n".join(lines))) for heading, lines in sections]):
        passages.append(Passage(article, len(passages), heading, text))
    return passages or [Passage(article, 0, "", article.title)]


def _sized(sections: Sequence[tuple[str, str]]) -> list[tuple[str, str]]:
    """Sections joined while they are short, cut at paragraphs where they are long: an answer of one
    sentence leaves out too much, and one of a page is not read."""
    sized: list[tuple[str, str]] = []
    for heading, text in sections:
        for number, part in enumerate(_parts(text)):
            titled = f"{heading}\n{part}" if heading and number == 0 else part
            if sized and len(sized[-1][1]) + len(titled) < PASSAGE_CHARS:
                above, before = sized[-1]
                sized[-1] = (above, f"{before}\n\n{titled}")
            else:
                sized.append((heading, titled))
    return sized


def _parts(text: str) -> list[str]:
    parts: list[str] = []
    for paragraph in re.split(r"\n\s*\n", text):
        paragraph = paragraph.strip()
        if not paragraph:
            continue
        if parts and len(parts[-1]) + len(paragraph) < PASSAGE_CHARS:
            parts[-1] += "\n\n" + paragraph
        else:
            parts.append(paragraph)
    return parts


def plain(markdown: str) -> str:
    """Markdown as a chat shows it: no marks, dots for bullets, lines for table rows, links' addresses."""
    text = _RULE_ROW.sub("", _ROW.sub(_row, markdown))
    text = _LINK.sub(lambda match: f"{match[1]} ({match[2]})" if match[1] != match[2] else match[2], text)
    return _ITALIC.sub(r"\1", _MARKS.sub("", _BULLET.sub(r"\1• ", text))).replace("```", "").strip()


def _row(match: re.Match[str]) -> str:
    """A table's row as a line."""
    return " – ".join(cell.strip() for cell in match[1].split("|"))
