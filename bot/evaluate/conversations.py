"""`samvad eval conversations`: customers with goals are played over the real pipe, in the served flows.

Each conversation is played `times` times, first as it is written, then with slips on the keys, other ones
each time. `failures` holds what went wrong, `transcripts` names a folder for what was said.
"""

import asyncio
import tempfile
from collections import defaultdict
from collections.abc import AsyncIterator, Callable, Iterable
from pathlib import Path
from typing import Any

from bot.errors import InvalidInput
from bot.evaluate.gold import share
from bot.evaluate.simulation.customer import Customer, ScriptedCustomer
from bot.evaluate.simulation.judge import GOALS, judge
from bot.evaluate.simulation.play import Played, play
from bot.evaluate.simulation.script import Conversation, read_conversations
from bot.evaluate.simulation.shop import Shop, open_shop
from bot.settings import load_settings

Say = Callable[[str], Any]


def evaluate_conversations(
    test: Path, times: int = 1, transcripts: Path | None = None, say: Say = lambda _line: None
) -> dict[str, Any]:
    """How many customers got what they wanted; `say` hears of each."""
    talks = read_conversations(test)
    strange = sorted({talk.flow for talk in talks} - set(GOALS))
    if strange or times < 1:
        problem = f"nobody wants {', '.join(strange)}" if strange else "times is at least 1"
        raise InvalidInput(f"{test}: {problem}", field="test")
    results = asyncio.run(_play_all(talks, times, say))
    if transcripts is not None:
        _write(transcripts, results)
    return figures(results, times)


class Result:
    """One conversation played once: `problems` is empty when it passed."""

    def __init__(self, played: Played, seed: int, problems: list[str]) -> None:
        self.played, self.seed, self.problems = played, seed, problems

    @property
    def talk(self) -> Conversation:
        """What was played."""
        return self.played.conversation


async def _play_all(talks: list[Conversation], times: int, say: Say) -> list[Result]:
    folder = tempfile.TemporaryDirectory(prefix="samvad-played-")
    with folder as data:
        # The flows' models are made once, beside the operator's data.
        models = load_settings().data_dir.resolve() / "models"
        models.mkdir(parents=True, exist_ok=True)
        (Path(data) / "models").symlink_to(models)
        async with open_shop(Path(data)) as shop:
            await _learned(shop)
            return [result async for result in played_in(shop, talks, times, say)]


async def _learned(shop: Shop) -> None:
    """The whole model, as a worker would have trained it by now."""
    ready = asyncio.Event()
    if shop.app.unlearned and shop.app.learner.begin(shop.flows, ready.set):
        await ready.wait()
        await shop.app.learned()


async def played_in(
    shop: Shop,
    talks: Iterable[Conversation],
    times: int,
    report: Say,
    customer: Callable[[Conversation, int], Customer] = ScriptedCustomer,
) -> AsyncIterator[Result]:
    """Play each as often, and report how it went; `customer` makes who plays it, of the conversation and a
    seed."""
    for talk in talks:
        for seed in range(times):
            played = await play(shop, talk, customer(talk, seed))
            problems = judge(played, shop.app.words)
            report(f"{'failed' if problems else 'passed'}  {talk.id}  {'; '.join(problems)}")
            yield Result(played, seed, problems)


def figures(results: list[Result], times: int) -> dict[str, Any]:
    """The figures of all runs. Of several, `pass_at_1` is the share of runs that passed, `pass^k` that of
    conversations of which all k did."""
    by_talk: dict[str, list[bool]] = defaultdict(list)
    for result in results:
        by_talk[result.talk.id].append(not result.problems)
    passed = sum(not result.problems for result in results)
    turns = sum(result.played.turns for result in results)
    seconds = sum(result.played.seconds for result in results)
    first = [runs[0] for runs in by_talk.values()]
    return {
        "passed": sum(first),
        "failed": len(first) - sum(first),
        "pass_rate": share(sum(first), len(first)),
        "pass_at_1": share(passed, len(results)),
        f"pass^{times}": share(sum(all(runs) for runs in by_talk.values()), len(by_talk)),
        "by_lang": _by(results, lambda talk: (talk.lang,)),
        "by_flow": _by(results, lambda talk: (talk.flow,)),
        "by_twist": _by(results, lambda talk: {twist.kind for twist in talk.twists} or ("none",)),
        "turns_mean": round(turns / len(results), 2),
        "ms_per_turn": round(1000 * seconds / turns, 1),
        "failures": [
            [result.talk.id, result.talk.lang, result.talk.flow, str(result.seed), result.problems[0]]
            for result in results
            if result.problems
        ],
    }


def _by(results: list[Result], kinds: Callable[[Conversation], Iterable[str]]) -> dict[str, float | None]:
    right: dict[str, list[bool]] = defaultdict(list)
    for result in results:
        for kind in kinds(result.talk):
            right[kind].append(not result.problems)
    return {kind: share(sum(runs), len(runs)) for kind, runs in sorted(right.items())}


def _write(folder: Path, results: list[Result]) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for result in results:
        lines = [f"{result.talk.flow} ({result.talk.lang}, {result.talk.channel})", *result.played.transcript]
        lines += [f"! {problem}" for problem in result.problems]
        name = f"{result.talk.id}-{result.seed}.txt"
        (folder / name).write_text("\n".join(lines) + "\n", encoding="utf-8")
