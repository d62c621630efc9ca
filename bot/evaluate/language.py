"""`samvad eval language`: which language each message is taken to be in.

A message that does not tell ("ok") is taken to be English, as a business does whose first language that is.
"""

from collections import Counter
from pathlib import Path
from time import perf_counter
from typing import Any

from bot.dialogs.understanding.language import detect
from bot.evaluate.gold import read_rows, share


def evaluate_language(test: Path) -> dict[str, Any]:
    """Accuracy, in all and by language, over a JSONL file of `text, lang`; and the time it takes."""
    rows = [(str(row.get("text", "")), str(row.get("lang", ""))) for row in read_rows(test)]
    asked = Counter(lang for _, lang in rows)
    for text in {lang: text for text, lang in rows}.values():
        detect(text)  # the lists are read at the first message of a language
    began = perf_counter()
    found = [detect(text) or "en" for text, _ in rows]
    took = perf_counter() - began
    right = Counter(lang for (_, lang), ours in zip(rows, found, strict=True) if ours == lang)
    taken_for = Counter(f"{lang}>{ours}" for (_, lang), ours in zip(rows, found, strict=True) if ours != lang)
    return {
        "accuracy": share(right.total(), len(rows)),
        "accuracy_by_lang": {lang: share(right[lang], asked[lang]) for lang in sorted(asked)},
        "ms_per_message": round(took / len(rows) * 1000, 3) if rows else None,
        "rows": len(rows),
        "taken_for": dict(taken_for.most_common(20)),
    }
