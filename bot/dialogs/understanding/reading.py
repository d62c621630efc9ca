"""All that is known of a message before commands are proposed for it, and what its labels mean."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from bot.dialogs.flows.model import Flow, Flows
from bot.dialogs.state import DialogState, Frame, running
from bot.dialogs.turn import Turn
from bot.dialogs.understanding.extract import Extracted
from bot.dialogs.understanding.model import Guess

CHITCHAT = ("greeting", "thanks", "goodbye")
INFORM = "inform"
"""Somebody says who they are: the extractors hold what it says."""
HAS_NONE = "has_none"
"""Somebody has no such number, or would rather not say."""
UNKNOWN = Guess((), False)


@dataclass(frozen=True, slots=True)
class Reading:
    """All that is known of a text. `guess` is the classifier's; `answer` what it makes of the text as an
    answer to the question that waits, where it learned such, `aside` as what is said in place of any answer,
    and `choices` (slot -> guess) as new answers to questions before it; `lang` the text's language."""

    text: str
    lang: str
    found: Extracted
    guess: Guess
    turn: Turn
    state: DialogState
    flows: Flows
    answer: Guess = UNKNOWN
    aside: Guess = UNKNOWN
    choices: Mapping[str, Guess] = field(default_factory=dict)

    @property
    def frame(self) -> Frame | None:
        """The running flow."""
        top = self.state.top
        return top if top is not None and running(top, self.flows) is not None else None

    @property
    def flow(self) -> Flow:
        """The flow of the running frame, in the version that it began."""
        found = running(self.frame, self.flows) if self.frame is not None else None
        assert found is not None, "asked only while a flow runs"
        return found
