"""Readable text of an HTML mail, with or without what it quotes. Pure.

Mail programs mark a quote each in its own way; where they do, the mark is surer than any wording. What is
not marked is left to the rules for text. The reading is ours: `html.parser` takes minutes for 100 kB of
hostile mark-up, and holds the interpreter meanwhile. Here every step goes forward.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from html import unescape

_BLOCKS = frozenset(
    re.findall(
        r"\w+",
        "address article blockquote br dd div dl dt figure footer form h1 h2 h3 h4 h5 h6 header hr li main"
        " nav ol p pre section table tr ul",
    )
)
_HIDDEN = frozenset({"head", "script", "style", "title", "template"})
_VOID = frozenset({"br", "hr", "img", "input", "meta", "link", "base", "col", "wbr", "area", "source"})
_DEPTH_LIMIT = 500
_SPANS_LIMIT = 200
_HTML_LIMIT = 1_000_000
# Quotes may hold a `>`. Possessive, so that nothing is tried twice.
_TAG = re.compile(
    r"<(/?)([A-Za-z][A-Za-z0-9:_-]{0,40}+)"
    r"((?:[^<>\"']{1,200}+|\"[^\"]{0,3000}+\"|'[^']{0,3000}+'){0,60}+)>"
)
# Somebody forgot a quotation mark.
_TORN_TAG = re.compile(r"<(/?)([A-Za-z][A-Za-z0-9:_-]{0,40}+)([^<>]{0,500}+)>")
_ATTRIBUTE = re.compile(
    r"([A-Za-z][A-Za-z0-9:_-]{0,40}+)(?:\s{0,9}+=\s{0,9}+(?:\"([^\"]{0,3000}+)\"|'([^']{0,3000}+)'|([^\s\"'>]{1,500}+)))?"
)
# Whole elements that hold a quote.
_QUOTES = frozenset(
    {
        "gmail_quote",
        "gmail_quote_container",
        "yahoo_quoted",
        "protonmail_quote",
        "zmail_extra",
        "tutanota_quote",
        "moz-cite-prefix",
        "gmail_attr",
        "ms-outlook-mobile-reference-message",
        "ymail_quoted",
    }
)
# From here to the end is a quote.
_QUOTE_BEGINS = frozenset(
    {"divrplyfwdmsg", "appendonsend", "stopspelling", "mail-editor-reference-message-container"}
)
# What a separator line must be followed by: a block of headers, in whatever language.
_LABEL = re.compile(r"\s{0,40}\*?[^\W\d][^\n:：]{0,20}[:：][ \xa0\t]{0,9}[^\s]")
_BORDER = re.compile(r"border-top(?:-style)?\s{0,9}:\s{0,9}(?!none)[^;]{0,40}solid", re.IGNORECASE)
_ANNOUNCES = re.compile(r"[\d@]")
_FORWARDED = re.compile(
    r"\s{0,40}-{2,20}[ \t]{0,9}(?:forwarded message|weitergeleitete|message transféré)", re.IGNORECASE
)


@dataclass(slots=True)
class _Span:
    """A stretch of the text, by the pieces it consists of."""

    kind: str
    start: int
    end: int = -1


class _Reader:
    """Collects text and where quotes may lie in it."""

    def __init__(self) -> None:
        self.parts: list[str] = []
        self.spans: list[_Span] = []
        self._hidden: list[str] = []
        self._open: list[tuple[str, _Span | None]] = []
        self._quoted = 0

    def begin(self, tag: str, attributes: str) -> None:
        """An element begins."""
        if tag in _HIDDEN:
            self._hidden.append(tag)
            return
        if tag in _BLOCKS:
            self.parts.append("\n")
        wanted = not self._quoted and len(self.spans) < _SPANS_LIMIT
        kind = _mark(tag, _attributes(attributes)) if wanted else None
        span = _Span(kind, len(self.parts)) if kind else None
        if span:
            self.spans.append(span)
        if tag not in _VOID and len(self._open) < _DEPTH_LIMIT:
            self._open.append((tag, span))
            self._quoted += span is not None and span.kind in ("block", "indent")

    def end(self, tag: str) -> None:
        """An element ends, and with it those inside that somebody forgot to end."""
        if tag in self._hidden:
            # A forgotten </style> must not hide the rest: any outer end closes the inner ones.
            del self._hidden[self._hidden.index(tag) :]
            return
        if any(name == tag for name, _ in self._open[-50:]):
            while True:
                name, span = self._open.pop()
                if span is not None:
                    span.end = len(self.parts)
                    self._quoted -= span.kind in ("block", "indent")
                if name == tag:
                    break
        if tag in _BLOCKS:
            self.parts.append("\n")
        elif tag in ("td", "th"):
            self.parts.append(" ")

    def say(self, data: str) -> None:
        """Text."""
        if not self._hidden:
            self.parts.append(re.sub(r"\s+", " ", unescape(data)))


def _mark(tag: str, attrs: dict[str, str]) -> str | None:
    """`quote`: the element is one; `rest`: all from here; `line`: all from here if headers follow;
    `block`: perhaps; `indent`: if it is announced."""
    names = {name.lower() for name in f"{attrs.get('class', '')} {attrs.get('id', '')}".split()[:20]}
    if names & _QUOTE_BEGINS:
        return "line" if tag == "hr" else "rest"
    if tag == "blockquote":
        if attrs.get("type", "").lower() == "cite" or "cite" in attrs:
            return "quote"
        # Gmail's button for indenting writes this one too.
        return "indent" if "gmail_quote" in names else "block"
    if names & _QUOTES or any(name.startswith("yahoo_quoted") for name in names):
        return "quote"
    if tag == "hr" or _BORDER.search(attrs.get("style", "")[:500]):
        return "line"
    return None


def text_from_html(html: str) -> str:
    """Readable text of an HTML mail."""
    return _tidy(_read(html).parts)


def reply_from_html(html: str) -> str:
    """The text without what mail programs marked as quoted; all of it when nothing else is left."""
    reader = _read(html)
    parts = reader.parts
    kept = [True] * len(parts)
    for span in _quotes(reader):
        start = (
            _before_announcement(parts, span.start)
            if span.kind in ("quote", "block", "indent")
            else span.start
        )
        for number in range(start, span.end):
            kept[number] = False
    text = _tidy([part for part, keep in zip(parts, kept, strict=True) if keep])
    return text or _tidy(parts)


def _read(html: str) -> _Reader:
    reader = _Reader()
    for closes, tag, rest in _tokens(html[:_HTML_LIMIT]):
        if not tag:
            reader.say(rest)
        elif closes:
            reader.end(tag)
        else:
            reader.begin(tag, rest)
    for span in reader.spans:
        if span.end < 0 or span.kind in ("rest", "line"):
            span.end = len(reader.parts)
    return reader


def _tokens(html: str) -> Iterator[tuple[bool, str, str]]:
    """(closes, tag, attributes) of tags and (False, "", text) of text; comments are left out."""
    place = 0
    while (start := html.find("<", place)) >= 0:
        yield False, "", html[place:start]
        if html.startswith(("<!", "<?"), start):
            mark = "-->" if html.startswith("<!--", start) else ">"
            end = html.find(mark, start + 2)
            if end < 0:
                return
            place = end + len(mark)
        elif found := _TAG.match(html, start) or _TORN_TAG.match(html, start):
            yield bool(found[1]), found[2].lower(), found[3]
            place = found.end()
        else:
            yield False, "", "<"
            place = start + 1
    yield False, "", html[place:]


def _attributes(text: str) -> dict[str, str]:
    return {
        found[1].lower(): unescape(found[2] or found[3] or found[4] or "")
        for found in _ATTRIBUTE.finditer(text)
    }


def _quotes(reader: _Reader) -> list[_Span]:
    """The spans that are quotes indeed."""
    found = []
    for span in reader.spans:
        inside = "".join(reader.parts[span.start : span.start + 60])[:400]
        if _FORWARDED.match(inside):
            # Who forwards a mail wants it read.
            continue
        if span.kind in ("quote", "rest") or (span.kind == "line" and _LABEL.match(inside)):
            found.append(span)
    blocks = [span for span in reader.spans if span.kind in ("block", "indent")][-1:]
    # People quote with a plain blockquote too, or indent with it: only the last one is a mail program's.
    return [
        *found,
        *(
            span
            for span in blocks
            if span.kind == "block" or _before_announcement(reader.parts, span.start) != span.start
        ),
    ]


def _before_announcement(parts: list[str], start: int) -> int:
    """Where the line before a quote begins, when it announces it: `NAME, 3 May:`."""
    line: list[str] = []
    for number in range(start - 1, max(-1, start - 40), -1):
        if "".join(line).strip() and parts[number] == "\n" and not _unfinished(line):
            break
        line.insert(0, parts[number])
    else:
        number = max(-1, start - 41)
    said = re.sub(r"\s+", " ", "".join(line)).strip()
    return number + 1 if said.endswith(":") and len(said) < 300 and _ANNOUNCES.search(said) else start


def _unfinished(line: list[str]) -> bool:
    """`wrote:` alone on its line goes on from the one before."""
    said = "".join(line).strip()
    return said.endswith(":") and not _ANNOUNCES.search(said) and len(said) < 40


def _tidy(parts: list[str]) -> str:
    lines = (re.sub(r"[ \t\xa0]+", " ", line).strip() for line in "".join(parts).split("\n"))
    return re.sub(r"\n{3,}", "\n\n", "\n".join(lines)).strip()
