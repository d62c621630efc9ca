"""`samvad eval bounces`: is it a bounce, of whom, for good or for now.

Gold of two kinds. flufl-like rows list `{addresses, temporary}`; none: not a bounce; one without addresses
says nothing certain and is left out. sisimai-like rows list `{reason, hardbounce}` or have `not_bounce`; null
gold is left out. Complaints (reason `feedback`), vacation answers and receipts of delivery are not bounces:
they must not be taken for one, and are neither hard nor soft. `temporary` is compared with "the server is
still trying", `hardbounce` with "the address is no good".
"""

from collections import Counter
from email import message_from_bytes, policy
from pathlib import Path
from typing import Any

from bot.channels.email.bounce import Bounce, read_bounce
from bot.evaluate.gold import raw_bytes, read_rows, share

_NO_BOUNCES = frozenset({"feedback", "vacation", "delivered"})


def evaluate_bounces(test: Path) -> dict[str, Any]:
    """Accuracy per field over a JSONL file of raw mails with gold."""
    right: Counter[str] = Counter()
    asked: Counter[str] = Counter()
    wrong: dict[str, list[str]] = {}
    rows = read_rows(test)
    for row in rows:
        mail = message_from_bytes(raw_bytes(str(row.get("raw", ""))), policy=policy.compat32)
        found = read_bounce(mail)
        for field, expected, ours in _compared(row, found):
            asked[field] += 1
            right[field] += expected == ours
            if expected != ours:
                wrong.setdefault(field, []).append(str(row.get("file") or row.get("path") or ""))
    figures = {
        field: share(right[field], asked[field]) for field in ("bounce_or_not", "recipient", "hard_or_soft")
    }
    return {**figures, "rows": len(rows), "asked": dict(asked), "wrong": wrong}


def _compared(row: dict[str, Any], found: Bounce | None) -> list[tuple[str, Any, Any]]:
    """(field, expected, ours) of what the row's gold says."""
    gold = row.get("gold")
    if row.get("not_bounce") or gold == []:
        return [("bounce_or_not", False, found is not None)]
    if not isinstance(gold, list):
        return []
    if any("reason" in one for one in gold):
        return _compared_by_reason(gold, found)
    named = {address.lower() for one in gold for address in one.get("addresses", ())}
    if not named:
        return []
    compared: list[tuple[str, Any, Any]] = [("bounce_or_not", True, found is not None)]
    ours = {one.address.lower() for one in found.failures} if found else set()
    compared.append(("recipient", named, ours))
    temporary = {bool(one["temporary"]) for one in gold if one.get("addresses") and "temporary" in one}
    if len(temporary) == 1:
        compared.append(("hard_or_soft", temporary.pop(), found.delayed if found else None))
    return compared


def _compared_by_reason(gold: list[dict[str, Any]], found: Bounce | None) -> list[tuple[str, Any, Any]]:
    failed = [one for one in gold if one.get("reason") not in _NO_BOUNCES]
    if not failed:
        return [("bounce_or_not", False, found is not None)]
    compared: list[tuple[str, Any, Any]] = [("bounce_or_not", True, found is not None)]
    if all("hardbounce" in one for one in failed):
        ours = sorted(one.hard for one in found.failures) if found else None
        compared.append(("hard_or_soft", sorted(bool(one["hardbounce"]) for one in failed), ours))
    return compared
