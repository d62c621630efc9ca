"""Understanding proposes: from a turn's messages to commands.

    understanding = Understanding(flows, words, Model.read(file), llm)
    understood = await understanding.understand(turn)

Sources in order: exact, extractors, classifier, and a language model when one is configured. Nothing
here decides or changes a record.
"""

import asyncio
import re
from collections.abc import Sequence
from dataclasses import dataclass, replace

from bot import metrics
from bot.dialogs.commands import Command, OptIn, OptOut, SetSlot, StartFlow, Understood
from bot.dialogs.flows.model import Flows
from bot.dialogs.patience import is_unheard
from bot.dialogs.state import DialogState, load
from bot.dialogs.turn import Turn
from bot.dialogs.understanding.abuse import is_abusive
from bot.dialogs.understanding.exact import Exact
from bot.dialogs.understanding.examples import ASIDE, question
from bot.dialogs.understanding.extract import extract
from bot.dialogs.understanding.language import detect
from bot.dialogs.understanding.legible import legible
from bot.dialogs.understanding.model import RANKED, Guess, Model
from bot.dialogs.understanding.propose import propose
from bot.dialogs.understanding.reader import read_with_llm, worth_asking
from bot.dialogs.understanding.reading import CHITCHAT, HAS_NONE, INFORM, UNKNOWN, Reading
from bot.dialogs.understanding.request import CLAUSE, near_flows, start_slots
from bot.i18n import Words
from bot.llm import LLM
from bot.messages import InboundMessage

__all__ = ["Model", "Understanding"]

_SENTENCE = re.compile(r"(?<=[.!?।۔؟])\s+|\n+")
_PARTS = 5
"""Sentences of a message that are looked at one by one."""
PLAINLY = 0.9
"""How sure one sentence must be to count beside what the whole says."""
_AT_ONCE = ("ask_knowledge", "open_case")
"""What is answered, or recorded, by the one message that begins it."""
_COURTESIES = (*CHITCHAT, "affirm", "deny", INFORM, HAS_NONE)
"""What says nothing of the matter when something else does."""


@dataclass(frozen=True, slots=True)
class _Learned:
    """What belongs together: a message is read by the flows and the model of one moment."""

    flows: Flows
    model: Model
    exact: Exact


class Understanding:
    """Holds what is the same for every message. One for the process; safe to share."""

    def __init__(self, flows: Flows, words: Words, model: Model, llm: LLM | None = None) -> None:
        self._words = words
        self._llm = llm
        self.learn(flows, model)

    def learn(self, flows: Flows, model: Model) -> None:
        """Take these flows and their model in place of the former: from the next message on."""
        self._learned = _Learned(flows, model, Exact(flows, self._words))

    @property
    def model(self) -> Model:
        """The one in use."""
        return self._learned.model

    async def understand(self, turn: Turn) -> Understood:
        """The commands of all gathered messages. Never raises for what a message holds."""
        turn = _legible(turn)
        learned = self._learned
        state = load(turn, learned.flows)
        before = state.spoken or turn.customer.lang or ""
        exact, rest = _exactly(learned.exact, turn, state)
        text = "\n".join(filter(None, (_whole(message, state) for message in rest)))
        ours = turn.business.languages
        lang = detect(text or turn.text, ours, before) or ours[0]
        if (
            any(isinstance(command, OptOut | OptIn) for command in exact)
            or not text.strip()
            or _unheard(turn)
            or is_unheard(turn, state)
        ):
            return Understood(_with_matter(exact, turn, state, learned.flows), lang, "exact")
        guess = await guess_message(learned.model, text)
        found = extract(text, turn, lang)
        waits = await _guess_answer(learned, state, text)
        reading = Reading(text, lang, found, guess, turn, state, learned.flows, *waits)
        commands, source = propose(reading), "classifier"
        if all(isinstance(command, SetSlot) for command in commands) and reading.found.values:
            source = "extractor"
        if self._llm is not None and worth_asking(reading, commands):
            heard = await read_with_llm(self._llm, learned.model, reading)
            if heard:
                commands, source = heard, "llm"
        confidence = round(reading.guess.confidence, 3)
        near = near_flows(reading.guess, learned.flows)
        return Understood((*exact, *commands), lang, source, confidence, is_abusive(text), near)


async def guess_message(model: Model, text: str) -> Guess:
    """What the classifier says of a text; of a longer one, of the sentence that says most."""
    whole = await _guess(model, text)
    split = _SENTENCE if whole.sure and whole.label != INFORM else CLAUSE
    parts = [part for part in split.split(text) if part.strip()]
    if len(parts) < 2:
        return whole
    if whole.sure and whole.label not in _COURTESIES:
        return _with_request(model, whole, parts[:_PARTS])
    guesses = [guess for part in parts[:_PARTS] if (guess := await _guess(model, part)).sure]
    matter = sorted((one for one in guesses if one.label not in _COURTESIES), key=lambda one: -one.confidence)
    if matter:
        return _of_several(matter, whole)
    # Courtesy only when all of it is: "Hello. <something not understood>" is not a greeting.
    return guesses[0] if len(guesses) == len(parts) else Guess(whole.ranked, False)


def _with_request(model: Model, whole: Guess, parts: Sequence[str]) -> Guess:
    """What a text means of which one sentence, by its words, surely means something else: either. Only of
    what would be answered or recorded at once; any other flow asks, and can be left."""
    for part in parts if whole.label in _AT_ONCE else ():
        guess = model.fast(part)
        if guess is None or guess.confidence < PLAINLY or guess.label in (*_COURTESIES, whole.label):
            continue
        return _of_several([whole, guess], whole)
    return whole


def _of_several(matter: Sequence[Guess], whole: Guess) -> Guess:
    """Of sentences that mean several things, the likeliest first; none of them is then likelier than half."""
    if len({one.label for one in matter}) == 1:
        return matter[0]
    chances: dict[str, float] = {}
    for label, chance in [(one.label, one.confidence) for one in matter] + list(whole.ranked):
        chances.setdefault(label, chance)
    together = sum(chances.values())
    ranked = sorted(
        ((label, chance / together) for label, chance in chances.items()), key=lambda row: -row[1]
    )
    return Guess(tuple(ranked[:RANKED]), True)


async def _guess_answer(
    learned: _Learned, state: DialogState, text: str
) -> tuple[Guess, Guess, dict[str, Guess]]:
    """What a text says while something waits: the answer to the question, what is said in place of any, and
    new answers to those that were given before."""
    step, sure = state.awaited(learned.flows), state.confirming(learned.flows)
    top, models = state.top, learned.model.answers

    async def guess(name: str) -> Guess:
        return await _guess(models[name], text) if name in models else UNKNOWN

    asked = step is not None or sure is not None
    if top is None or not asked:
        return UNKNOWN, await guess(ASIDE) if state.said else UNKNOWN, {}
    given = [slot for slot in top.given if step is None or slot != step.slot]
    chosen = {
        slot: await guess(question(top.flow, slot)) for slot in given if question(top.flow, slot) in models
    }
    return await guess(question(top.flow, step.slot)) if step else UNKNOWN, await guess(ASIDE), chosen


async def _guess(model: Model, text: str) -> Guess:
    """By the words when they suffice; else by the meaning too, off the event loop."""
    guess = model.fast(text)
    by_words = guess is not None or model.meaning is None
    metrics.CLASSIFIED.labels("words" if by_words else "embedding").inc()
    if guess is not None:
        return guess
    return model.full(text) if by_words else await asyncio.to_thread(model.full, text)


def _exactly(
    exact: Exact, turn: Turn, state: DialogState
) -> tuple[tuple[Command, ...], Sequence[InboundMessage]]:
    commands: list[Command] = []
    rest: list[InboundMessage] = []
    for message in turn.messages:
        command = None if message.automatic else exact.read(message, state)
        if command is not None:
            commands.append(command)
        else:
            rest.append(message)
    return tuple(commands), rest


def _with_matter(
    commands: tuple[Command, ...], turn: Turn, state: DialogState, flows: Flows
) -> tuple[Command, ...]:
    """A flow that was chosen when we asked back begins with what was said before that."""
    said = state.said
    if not said:
        return commands
    lang = detect(said, turn.business.languages, state.spoken) or turn.business.languages[0]
    reading = Reading(said, lang, extract(said, turn, lang), UNKNOWN, turn, state, flows)
    return tuple(
        StartFlow(one.flow, {**start_slots(flows[one.flow], reading), **one.slots})
        if isinstance(one, StartFlow) and one.flow in flows
        else one
        for one in commands
    )


def _legible(turn: Turn) -> Turn:
    """The same turn; where its messages play tricks with letters, as they are read."""
    plain = [(legible(one.text), legible(one.subject)) for one in turn.messages]
    if plain == [(one.text, one.subject) for one in turn.messages]:
        return turn
    read = (
        replace(one, text=text, subject=subject)
        for one, (text, subject) in zip(turn.messages, plain, strict=True)
    )
    return replace(turn, messages=tuple(read))


def _unheard(turn: Turn) -> bool:
    """Nothing but STOP and START matters: a person owns the conversation, or only machines write."""
    return turn.owner_is_human or all(message.automatic for message in turn.messages)


def _whole(message: InboundMessage, state: DialogState) -> str:
    """A message's text; a mail that begins something says in its subject what."""
    shared = " ".join(message.shared_contacts)
    text = "\n".join(filter(None, (message.text, shared)))
    if message.subject and not message.thread and not state.frames:
        return f"{message.subject}\n{text}"
    return text
