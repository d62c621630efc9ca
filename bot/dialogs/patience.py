"""When the bot falls quiet: too much comes in, the same comes again and again, or somebody swears. Pure."""

import hashlib
from datetime import timedelta

from bot.dialogs.commands import Chitchat, Clarify, Handoff, NotUnderstood, Understood
from bot.dialogs.state import DialogState
from bot.dialogs.turn import Choice, Say, Turn
from bot.knowledge.tokens import fold

ECHOES = 4
"""How often the same text in the same place is answered in a row; then a person is offered, then nothing."""
FORGETS = timedelta(minutes=10)
"""After such a pause it is answered again."""
PERSON = (Choice("flow:talk_to_person", "flow.talk_to_person"),)


def echo_of(turn: Turn, state: DialogState) -> str:
    """Names what was said and where in the dialog; empty when it holds more than words."""
    if not turn.text.strip() or any(one.button or one.media or one.location for one in turn.messages):
        return ""
    place = (state.top.flow, state.top.step) if state.top else ("", "")
    said = "\n".join((" ".join(fold(turn.text).split()), *place))
    return hashlib.sha256(said.encode("utf-8", "replace")).hexdigest()[:12]


def echoes(turn: Turn, state: DialogState) -> int:
    """The how manieth time in a row this was said; 0 when it cannot be told."""
    echo = echo_of(turn, state)
    if not echo or turn.owner_is_human:
        return 0
    again = echo == state.echo and state.at is not None and abs(turn.now - state.at) < FORGETS
    return state.echoes + 1 if again else 1


def is_unheard(turn: Turn, state: DialogState) -> bool:
    """Whether only STOP, START and the wish for a person count: nothing is spent on the rest."""
    return turn.quiet or echoes(turn, state) > ECHOES


def answer_instead(turn: Turn, understood: Understood, state: DialogState) -> tuple[Say, ...] | None:
    """What is said in place of an answer, perhaps nothing; None when the turn goes on as always.

    Counts in the state what was said before."""
    times = echoes(turn, state)
    state.echo, state.echoes = (echo_of(turn, state), times) if times else ("", 0)
    if any(isinstance(command, Handoff) for command in understood.commands):
        return None
    if turn.quiet:
        return (Say(turn.notice, choices=PERSON),) if turn.notice else ()
    if times > ECHOES:
        return (Say("repeat.offer", choices=PERSON),) if times == ECHOES + 1 else ()
    if understood.abusive and not state.abused:
        state.abused = True
        if all(isinstance(one, NotUnderstood | Chitchat | Clarify) for one in understood.commands):
            return (Say("abuse.calm", choices=PERSON),)
    return None
