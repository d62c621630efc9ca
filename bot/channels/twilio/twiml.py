"""What a caller hears: each step of a call as TwiML. Pure.

Nothing of a call is kept here: where it stands travels in the query of the URLs that Twilio is given, which
its signature covers.
"""

import base64
import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

from cryptography.fernet import Fernet, InvalidToken
from twilio.twiml.voice_response import VoiceResponse  # type: ignore[import-untyped]

from bot.errors import Unreadable
from bot.messages import Caller

MAX_SECONDS = 120
RING_SECONDS = 25
KEY_SECONDS = 6
ASKED_TWICE, ASKED_ENOUGH = 2, 4
"""Silence is asked once more, wrong keys a few times; then the caller may leave a message."""

# What Twilio can say, of its standard voices. A voice that does not know the language ends the call.
VOICES: Mapping[str, tuple[str, str]] = {
    "en": ("en-IN", "Polly.Raveena"),
    "hi": ("hi-IN", "Polly.Aditi"),
    "bn": ("bn-IN", "Google.bn-IN-Standard-C"),
    "gu": ("gu-IN", "Google.gu-IN-Standard-C"),
    "kn": ("kn-IN", "Google.kn-IN-Standard-C"),
    "ml": ("ml-IN", "Google.ml-IN-Wavenet-C"),
    "mr": ("mr-IN", "Google.mr-IN-Standard-A"),
    "ta": ("ta-IN", "Google.ta-IN-Standard-C"),
    "te": ("te-IN", "Google.te-IN-Standard-A"),
}
_UNDERSTOOD = {"ur": "hi", "ne": "hi"}
"""Twilio does not speak these; their speakers understand Hindi by ear."""


def spoken(lang: str) -> str:
    """The language in which somebody of this language is spoken to."""
    base = lang.split("-")[0]
    return base if base in VOICES else _UNDERSTOOD.get(base, "en")


def is_phone(address: str) -> bool:
    """Whether one could call back there."""
    digits = address.removeprefix("+")
    return address.startswith("+") and digits.isascii() and digits.isdigit() and 7 <= len(digits) <= 15


def number(text: str | None) -> int | None:
    """Digits as a number, None for anything else."""
    return int(text) if text and text.isascii() and text.isdigit() and len(text) < 7 else None


@dataclass(frozen=True, slots=True)
class Line:
    """Our telephone: the URL Twilio asks at, the number of a person or none, and the secret that seals a
    caller's number in the one URL whose callback does not name them."""

    url: str
    forward_to: str
    secret: str

    def seal(self, account: str, address: str) -> str:
        """Both sides of a call as a token."""
        return self._box.encrypt(f"{account} {address}".encode()).decode()

    def unseal(self, token: str) -> tuple[str, str]:
        """(our number, the caller's address). Raises Unreadable."""
        try:
            account, _, address = self._box.decrypt(token.encode()).decode().partition(" ")
        except (InvalidToken, ValueError) as error:
            raise Unreadable("the callback names no caller of ours", field="caller") from error
        return account, address

    @property
    def _box(self) -> Fernet:
        return Fernet(base64.urlsafe_b64encode(hashlib.sha256(self.secret.encode()).digest()))


@dataclass(frozen=True, slots=True)
class Step:
    """Where a call stands: the step Twilio asks for, the language spoken, those offered, how often it was
    asked, the key that was pressed, whether the person dialed has answered."""

    name: str
    account: str
    address: str
    lang: str = ""
    offered: tuple[str, ...] = ()
    asked: int = 1
    key: str = ""
    answered: bool = False

    @property
    def chosen(self) -> str:
        """The language that the key stands for; empty for another key."""
        place = number(self.key) or 0
        return self.offered[place - 1] if 1 <= place <= len(self.offered) else ""


@dataclass(frozen=True, slots=True)
class _Speaker:
    """Speaks one language into a piece of TwiML, and knows the URL of the next step."""

    line: Line
    at: Step
    caller: Caller
    lang: str

    def say(self, verb: Any, *keys: str, **values: str) -> None:
        language, voice = VOICES[self.lang]
        for key in keys:
            words = self.caller.say(key, self.lang, "voice", **values)
            verb.say(words, language=language, voice=voice)

    def url(self, step: str, **more: object) -> str:
        return f"{self.line.url}?{urlencode({'step': step, 'lang': self.lang, **more})}"

    def ask(self, url: str) -> tuple[VoiceResponse, Any]:
        """A question for one key; silence leads to the same URL, without a key."""
        response = VoiceResponse()
        gather = response.gather(num_digits=1, timeout=KEY_SECONDS, action=url)
        response.redirect(url)
        return response, gather

    def language(self, offered: tuple[str, ...], asked: int, *first: str) -> str:
        """Which language? Each is named in itself."""
        url = self.url("language", offered=" ".join(offered), asked=asked)
        response, gather = self.ask(url)
        self.say(gather, *first, business=self.caller.business)
        for key, lang in enumerate(offered, 1):
            _Speaker(self.line, self.at, self.caller, lang).say(gather, "voice.language", key=str(key))
        return str(response)

    def menu(self, asked: int, *first: str) -> str:
        """What the keys do; who hides the number cannot be called back."""
        response, gather = self.ask(self.url("menu", asked=asked))
        self.say(gather, *first, business=self.caller.business)
        self.say(gather, "voice.menu.message")
        if is_phone(self.at.address):
            self.say(gather, "voice.menu.call_back")
        if self.line.forward_to:
            self.say(gather, "voice.menu.person")
        return str(response)

    def message(self, *first: str) -> str:
        """Record. A recording without a sound goes on below it."""
        response = VoiceResponse()
        self.say(response, *first, "voice.record")
        response.record(
            action=self.url("recorded"),
            max_length=MAX_SECONDS,
            timeout=5,
            finish_on_key="#",
            play_beep=True,
            recording_status_callback=self.url(
                "recording", caller=self.line.seal(self.at.account, self.at.address)
            ),
            recording_status_callback_event="completed absent",
        )
        return self.end(response, "voice.nothing_heard")

    def person(self) -> str:
        """Ring a person; what became of it comes back."""
        response = VoiceResponse()
        self.say(response, "voice.connecting")
        known = is_phone(self.at.address)
        response.dial(
            self.line.forward_to,
            action=self.url("dialed"),
            timeout=RING_SECONDS,
            caller_id=None if known else self.at.account,
        )
        return str(response)

    def end(self, response: VoiceResponse, key: str) -> str:
        """A last word."""
        self.say(response, key)
        response.hangup()
        return str(response)


def _speaker(line: Line, at: Step, caller: Caller) -> _Speaker:
    return _Speaker(line, at, caller, at.lang)


def _start(line: Line, at: Step, caller: Caller) -> str:
    if caller.blocked:
        response = VoiceResponse()
        response.reject(reason="busy")
        return str(response)
    offered = tuple(dict.fromkeys(map(spoken, caller.languages))) or ("en",)
    known = spoken(caller.lang) if caller.lang else ""
    if known in offered or len(offered) == 1:
        return _Speaker(line, at, caller, known or offered[0]).menu(1, "voice.welcome")
    return _Speaker(line, at, caller, offered[0]).language(offered, 1, "voice.welcome")


def _language(line: Line, at: Step, caller: Caller) -> str:
    speaker = _speaker(line, at, caller)
    if at.chosen:
        return _Speaker(line, at, caller, at.chosen).menu(1)
    if not at.offered or _enough(at):
        return speaker.message()
    wrong = ("voice.wrong_key",) if at.key else ()
    return speaker.language(at.offered, at.asked + 1, *wrong)


def _menu(line: Line, at: Step, caller: Caller) -> str:
    speaker = _speaker(line, at, caller)
    if at.key == "1":
        return speaker.message()
    if at.key == "2" and is_phone(at.address):
        return speaker.end(VoiceResponse(), "voice.call_back")
    if at.key == "0" and line.forward_to:
        return speaker.person()
    if _enough(at):
        return speaker.message()
    return speaker.menu(at.asked + 1, *(("voice.wrong_key",) if at.key else ()))


def _enough(at: Step) -> bool:
    return at.asked >= (ASKED_ENOUGH if at.key else ASKED_TWICE)


def _recorded(line: Line, at: Step, caller: Caller) -> str:
    return _speaker(line, at, caller).end(VoiceResponse(), "voice.recorded")


def _dialed(line: Line, at: Step, caller: Caller) -> str:
    if at.answered:
        response = VoiceResponse()
        response.hangup()
        return str(response)
    return _speaker(line, at, caller).message("voice.nobody_free")


ANSWERS: Mapping[str, Callable[[Line, Step, Caller], str]] = {
    "": _start,
    "language": _language,
    "menu": _menu,
    "recorded": _recorded,
    "dialed": _dialed,
}
"""The steps in which something is said."""
