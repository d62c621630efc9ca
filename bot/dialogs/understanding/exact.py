"""What needs no guessing: a pressed button, a whole-message keyword, a typed number or title of a choice."""

import re
from collections.abc import Mapping
from functools import lru_cache

from bot.dialogs.commands import (
    Affirm,
    Ask,
    Cancel,
    ChangeLanguage,
    Chitchat,
    Command,
    Correct,
    Deny,
    Handoff,
    OptIn,
    OptOut,
    Rate,
    Resume,
    SetSlot,
    StartFlow,
)
from bot.dialogs.flows.model import Flows
from bot.dialogs.found import digits
from bot.dialogs.state import DialogState
from bot.dialogs.turn import Choice
from bot.dialogs.understanding.examples import courtesy
from bot.i18n import Words
from bot.knowledge.tokens import WORD, fold, spelled
from bot.messages import InboundMessage

_PLAIN: Mapping[str, Command] = {
    "answer:yes": Affirm(),
    "answer:no": Deny(),
    "resume:on": Resume(),
    "resume:anew": Resume(anew=True),
}
_ALWAYS_HEARD = {"talk_to_person": 1, "start": 2, "stop": 3}
"""Flows whose keywords no other flow takes from them: who wants a person, in again, or out is heard."""


class Exact:
    """Reads one message; None when it must be understood."""

    def __init__(self, flows: Flows, words: Words) -> None:
        self._flows = flows
        self._words = words
        # The last one has a word: what must be heard comes last.
        self._keywords: Mapping[str, str] = {
            bare(keyword): flow.name
            for flow in sorted(flows.values(), key=lambda flow: _ALWAYS_HEARD.get(flow.name, 0))
            for keywords in flow.keywords.values()
            for keyword in keywords
        }

    def read(self, message: InboundMessage, state: DialogState) -> Command | None:
        """The command of a button, keyword or choice."""
        if message.button:
            return self.of_button(message.button, state.offered, message.text)
        text = message.text
        if not text and not message.subject:
            return None
        said = bare(text)
        name = self._keywords.get(said)
        if message.source and name == "start":
            # `https://t.me/BOT?start=capture_lead-spring`: a link may say which flow it is for.
            wanted = message.source.partition("-")[0]
            name = wanted if wanted in self._flows and wanted != "stop" else name
        if name is None and message.subject and not message.thread:
            name = self._keywords.get(bare(message.subject))
        if name != "start" and asks_to_stop(said):
            name = "stop"
        if name in ("stop", "start"):
            return self.of_flow(name, text or message.subject)
        chosen = self.choice(said, state.offered)
        if chosen is not None:
            return self.of_button(chosen.id, state.offered, chosen.text or text)
        return self.of_flow(name, text) if name else of_signs(text)

    def choice(self, said: str, offered: tuple[Choice, ...]) -> Choice | None:
        """The offered choice whose number or title, in any language, was typed."""
        if not offered or not said or len(said) > 200:
            return None
        number = digits(said).strip("()[]#. ")
        if number.isdecimal():
            place = int(number) if len(number) < 3 else 0
            return offered[place - 1] if 1 <= place <= len(offered) else None
        return next((choice for choice in offered if said in self.titles(choice)), None)

    def titles(self, choice: Choice) -> set[str]:
        """How a choice may be typed."""
        if not choice.key:
            return {bare(choice.text)}
        return {bare(self._words.say(choice.key, lang)) for lang in self._words.languages}

    def of_button(self, id: str, offered: tuple[Choice, ...], text: str) -> Command | None:
        """`flow:NAME`, `slot:NAME=VALUE`, `again:NAME`, `answer:yes`, `article:ID`, `helped:yes:ID`, …"""
        kind, _, rest = id.partition(":")
        if id in _PLAIN:
            return _PLAIN[id]
        if kind == "again":
            return Correct(rest, None)
        if kind == "flow":
            return self.of_flow(rest, text)
        if kind == "slot" and "=" in rest:
            name, _, value = rest.partition("=")
            return SetSlot(name, value) if value else Deny()
        if kind == "lang":
            return ChangeLanguage(rest)
        if kind == "article":
            title = next((choice.text for choice in offered if choice.id == id), text)
            return Ask(title) if title else None
        if kind == "helped":
            said, _, question = rest.partition(":")
            return Rate(question, said == "yes") if question and said in ("yes", "no") else None
        if kind == "choice" and rest.isdecimal() and 1 <= int(rest) <= len(offered):
            return self.of_button(offered[int(rest) - 1].id, (), text)
        return None

    def of_flow(self, name: str, words: str) -> Command | None:
        """The command that starts a flow: some flows have one of their own."""
        if name not in self._flows:
            return None
        own: Mapping[str, Command] = {
            "stop": OptOut(words),
            "start": OptIn(words),
            "talk_to_person": Handoff(),
            "change_language": ChangeLanguage(None),
            "cancel": Cancel(),
        }
        return own.get(name) or StartFlow(name)


_SIGNS: Mapping[str, Command] = {
    **dict.fromkeys("👍👌✅✔🆗💯", Affirm()),
    **dict.fromkeys("👎❌✖", Deny()),
    **dict.fromkeys("🙏❤😊🤝", Chitchat("thanks")),
    **dict.fromkeys("👋", Chitchat("greeting")),
}


def of_signs(text: str) -> Command | None:
    """What a message of emoji or marks alone means; None for one with words."""
    if not text.strip() or WORD.search(fold(text)):
        return None
    return next((_SIGNS[sign] for sign in text if sign in _SIGNS), Chitchat("other"))


LONGEST_STOP = 12
"""Words up to which a message that asks us to stop writing is nothing but that."""


def asks_to_stop(said: str) -> bool:
    """Whether a bare text asks, in a sentence of its own, that we write no more."""
    if not said or len(said.split()) > LONGEST_STOP:
        return False
    return any(pattern.search(said) for pattern in _stop_patterns())


@lru_cache(maxsize=1)
def _stop_patterns() -> tuple[re.Pattern[str], ...]:
    rows = courtesy()["stops"]
    return tuple(re.compile(spelled(pattern)) for lang in rows.values() for pattern in lang)


@lru_cache(maxsize=4096)
def bare(text: str) -> str:
    """A whole message as a keyword is compared: folded, without punctuation around it."""
    return " ".join(fold(text).split()).strip(" .!?,;:'\"*।॥۔؟،؛")
