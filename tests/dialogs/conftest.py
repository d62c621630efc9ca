"""A conversation played against the engine: commands in, texts out, needs answered from what a test gives."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

import pytest

from bot.dialogs.actions import ACTIONS
from bot.dialogs.commands import Command, Understood
from bot.dialogs.flows import Flows, load_flows
from bot.dialogs.looks import FindFreeTimes, Times
from bot.dialogs.rehearsal import RESULTS, Rehearsal
from bot.dialogs.render import Rendered, render
from bot.dialogs.turn import OpenCase, Turn
from bot.dialogs.understanding import Model, Understanding
from bot.i18n import Words
from tests.support.world import trained


@pytest.fixture(scope="session")
def words() -> Words:
    return Words.load(strict=True)


@pytest.fixture(scope="session")
def flows(words: Words) -> Flows:
    return load_flows(actions=ACTIONS, knows=words.has)


@dataclass
class Conversation(Rehearsal):
    """One customer whose commands, or words, a test gives. `times` is what the calendar says whatever it is
    asked; without it, as its free times are."""

    words: Words = field(default_factory=Words.load)
    lang: str = "en"
    times: Times | None = None
    rendered: tuple[Rendered, ...] = ()
    needs: list[Any] = field(default_factory=list)

    def hears(self, *commands: Command, text: str = "said", **message: Any) -> str:
        """Play a turn; the texts of the reply, joined."""
        return self.plays(self.turn(text, **message), Understood(commands, self.lang, "exact"))

    def plays(self, turn: Turn, understood: Understood) -> str:
        self.rendered = render(self.play(turn, understood), RESULTS, self.words, self.channel)
        return " | ".join(one.text for one in self.rendered)

    def read(self, need: Any) -> Any:
        self.needs.append(need)
        if isinstance(need, FindFreeTimes) and self.times is not None:
            return self.times
        return super().read(need)

    def wrote(self, kind: type) -> list[Any]:
        return [write for write in self.plan.writes if isinstance(write, kind)]

    def opened_case(self) -> OpenCase:
        [case] = self.wrote(OpenCase)
        return case  # type: ignore[no-any-return]

    def later(self, **delta: float) -> None:
        self.now += timedelta(**delta)

    @property
    def buttons(self) -> list[str]:
        return [button.id for one in self.rendered for button in one.buttons]


@pytest.fixture(scope="session")
def conversation(flows: Flows, words: Words) -> Callable[..., Conversation]:
    def begin(**given: Any) -> Conversation:
        return Conversation(flows, words=words, **given)

    return begin


@pytest.fixture(scope="session")
def model(flows: Flows) -> Model:
    """The one that all tests share."""
    return Model.read(trained())


@pytest.fixture(scope="session")
def understanding(flows: Flows, words: Words, model: Model) -> Understanding:
    return Understanding(flows, words, model)


@pytest.fixture
def understand(
    flows: Flows, words: Words, understanding: Understanding
) -> Callable[..., Awaitable[Understood]]:
    """Understand one text of a customer, with nothing or a given state behind it."""

    async def one(text: str, state: Any = None, **message: Any) -> Understood:
        chat = Conversation(flows, words=words, state=state or {})
        return await understanding.understand(chat.turn(text, **message))

    return one
