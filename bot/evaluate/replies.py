"""`samvad eval replies`: what a person wrote in a mail, parted from quotes and signature."""

import re
from collections import Counter
from email import message_from_bytes, policy
from email.message import Message
from pathlib import Path
from typing import Any

from bot.channels.email.html import reply_from_html, text_from_html
from bot.channels.email.parse import body_of
from bot.channels.email.text import split_signature, without_quotes
from bot.evaluate.gold import raw_bytes, read_rows, share


def evaluate_replies(test: Path) -> dict[str, Any]:
    """Exact share per kind. A row without gold of the one right answer is left out."""
    right: Counter[str] = Counter()
    asked: Counter[str] = Counter()
    wrong: dict[str, list[str]] = {}
    rows = read_rows(test)
    for row in rows:
        kind, pair = str(row.get("kind", "")), _compared(row)
        if pair is None:
            continue
        asked[kind] += 1
        right[kind] += pair[0] == pair[1]
        if pair[0] != pair[1]:
            wrong.setdefault(kind, []).append(str(row.get("id", "")))
    shares = {kind: share(right[kind], asked[kind]) for kind in sorted(asked)}
    return {**shares, "rows": len(rows), "asked": dict(asked), "wrong": wrong}


def _compared(row: dict[str, Any]) -> tuple[str, str] | None:
    """(expected, ours)."""
    given, kind = str(row.get("input", "")), row.get("kind")
    if kind == "text" and isinstance(row.get("expected"), str):
        return _lines(row["expected"]), _lines(without_quotes(given))
    if kind == "eml" and isinstance(row.get("expected"), str):
        mail: Message = message_from_bytes(raw_bytes(given), policy=policy.compat32)
        return _lines(row["expected"]), _lines(without_quotes(body_of(mail)))
    if kind == "signature" and isinstance(row.get("expected_signature"), str):
        return _bare(row["expected_signature"]), _bare(split_signature(given)[1])
    for field in ("expected_text_no_whitespace", "expected_html_no_whitespace"):
        if kind == "html" and isinstance(row.get(field), str):
            # Gold in HTML is compared by its text: we keep no mark-up.
            expected = row[field] if "text" in field else text_from_html(row[field])
            return _bare(expected), _bare(without_quotes(reply_from_html(given)))
    return None


def _lines(text: str) -> str:
    """Without spaces at the ends of lines and more than one empty line, which nobody sees."""
    text = re.sub(r"[ \t\r]+$", "", text.replace("\r\n", "\n"), flags=re.MULTILINE)
    return re.sub(r"\n{3,}", "\n\n", text).strip()


def _bare(text: str) -> str:
    return re.sub(r"\s+", "", text)
