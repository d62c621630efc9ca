"""Markdown to HTML that is safe to show: no raw HTML goes in, and what comes out is cleaned once more."""

import nh3
from markdown_it import MarkdownIt

_MARKDOWN = MarkdownIt("commonmark", {"html": False}).enable(["table", "strikethrough"])
_TAGS = {
    *(
        "a",
        "blockquote",
        "br",
        "code",
        "del",
        "em",
        "h2",
        "h3",
        "h4",
        "hr",
        "img",
        "li",
        "ol",
        "p",
        "pre",
        "s",
    ),
    *("strong", "table", "tbody", "td", "th", "thead", "tr", "ul"),
}


def to_html(text: str) -> str:
    """The page's HTML; a leading `#` heading becomes a second-level one, for the title is the first."""
    lines = ["#" + line if line.startswith("# ") else line for line in text.splitlines()]
    return nh3.clean(
        _MARKDOWN.render("\n".join(lines)),
        tags=_TAGS,
        attributes={"a": {"href", "title"}, "img": {"src", "alt", "title"}, "ol": {"start"}},
        url_schemes={"http", "https", "mailto", "tel"},
        link_rel="noopener noreferrer",
    )
