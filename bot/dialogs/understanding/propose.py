"""From all that is known of a message to the commands that are proposed. Pure."""

from bot.dialogs.commands import Command
from bot.dialogs.understanding.answer import answer, confirmation
from bot.dialogs.understanding.reading import Reading
from bot.dialogs.understanding.request import request


def propose(reading: Reading) -> tuple[Command, ...]:
    """The commands of a message."""
    step, frame = reading.state.awaited(reading.flows), reading.frame
    if step is not None and frame is not None:
        return answer(reading, step, frame, reading.flow)
    if frame is not None and reading.state.confirming(reading.flows) is not None:
        return confirmation(reading, frame, reading.flow)
    return request(reading)
