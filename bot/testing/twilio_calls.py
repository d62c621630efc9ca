"""A phone call as Twilio carries it out: it asks for TwiML, does what that says, and reports."""

import uuid
import xml.etree.ElementTree as ET
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass

Post = Callable[[str, dict[str, str]], Awaitable[tuple[int, str]]]
"""Signs and posts a form to a URL of Samvad's; (status, body)."""
HANG_UP = "hang up"


@dataclass(frozen=True, slots=True)
class Speech:
    """What a caller does after the tone: `seconds` of speech (0: silence), then `#` or the receiver down."""

    seconds: int
    hangs_up: bool = False


@dataclass(frozen=True, slots=True)
class Heard:
    """What the caller was told, in which language and voice."""

    language: str
    voice: str
    text: str


Deed = str | Speech
"""A key, an empty text for no key, `HANG_UP`, or what is said after the tone."""


class CallOver(Exception):
    """Nobody is on the line any more."""


class PhoneCall:
    """One call. `script` is what the caller does, in order; with nothing left they hang up."""

    def __init__(
        self,
        post: Post,
        voice_url: str,
        fields: dict[str, str],
        script: Sequence[Deed],
        *,
        recordings_url: str,
        dial_status: str,
    ) -> None:
        self.sid = f"CA{uuid.uuid4().hex}"
        self.heard: list[Heard] = []
        self.asked: list[str] = []
        """URLs that Samvad was asked at, in order."""
        self.dialed: list[dict[str, str]] = []
        """Attributes of each Dial, with its `number`."""
        self.recordings: list[dict[str, str]] = []
        """Callbacks about recordings that are still to be posted, each with its `url`."""
        self.status = "ringing"
        self._post = post
        self._voice_url = voice_url
        self._fields = {"CallSid": self.sid, "Direction": "inbound", "ApiVersion": "2010-04-01"} | fields
        self._script = list(script)
        self._recordings_url = recordings_url
        self._dial_status = dial_status
        self._seconds = 0

    @property
    def texts(self) -> list[str]:
        """What was said, without voices."""
        return [one.text for one in self.heard]

    async def run(self) -> None:
        """Carry the call out until somebody hangs up."""
        try:
            document: ET.Element | None = await self._ask(self._voice_url)
            self.status = "in-progress"
            while document is not None:
                document = await self._carry_out(document)
        except CallOver:
            pass
        if self.status != "busy":
            self.status = "completed"

    async def report_end(self) -> int:
        """The status callback, posted when the call is over."""
        form = self._fields | {"CallStatus": self.status, "CallDuration": str(self._seconds)}
        return (await self._post(self._voice_url, form))[0]

    async def report_recordings(self, **changes: str) -> int:
        """What became of the recordings; `changes` replaces fields (`RecordingStatus`, `ErrorCode`)."""
        status = 0
        for form in self.recordings:
            given = {name: value for name, value in form.items() if name != "url"} | changes
            status = (await self._post(form["url"], given))[0]
        return status

    async def _ask(self, url: str, **fields: str) -> ET.Element:
        self.asked.append(url)
        form = self._fields | {"CallStatus": self.status} | fields
        status, body = await self._post(url, form)
        if status != 200:
            raise CallOver  # "an application error has occurred"
        return ET.fromstring(body)

    def _next(self) -> Deed:
        deed = self._script.pop(0) if self._script else HANG_UP
        if deed == HANG_UP:
            raise CallOver
        return deed

    async def _carry_out(self, document: ET.Element) -> ET.Element | None:
        """Verb after verb; a document that comes instead of the rest, None when the call ends."""
        for verb in document:
            following = await getattr(self, f"_{verb.tag.lower()}")(verb)
            if following is not None:
                return following  # type: ignore[no-any-return]
        return None

    async def _say(self, verb: ET.Element) -> None:
        self.heard.append(Heard(verb.get("language", ""), verb.get("voice", ""), verb.text or ""))
        self._seconds += 3

    async def _gather(self, verb: ET.Element) -> ET.Element | None:
        for inner in verb:
            await self._say(inner)
        key = self._next()
        assert isinstance(key, str)
        return await self._ask(verb.attrib["action"], Digits=key) if key else None

    async def _redirect(self, verb: ET.Element) -> ET.Element:
        return await self._ask(verb.text or "")

    async def _record(self, verb: ET.Element) -> ET.Element | None:
        deed = self._next()
        assert isinstance(deed, Speech)
        seconds = min(deed.seconds, int(verb.get("maxLength", "3600")))
        self._seconds += seconds
        sid = f"RE{uuid.uuid4().hex}"
        said = {
            "RecordingSid": sid,
            "RecordingUrl": f"{self._recordings_url}/{sid}",
            "RecordingDuration": str(seconds),
        }
        outcome = {"RecordingStatus": "completed"}
        if not seconds:
            outcome = {"RecordingStatus": "absent", "ErrorCode": "16102"}
        # Unlike every other request this one names neither caller nor called.
        names = {name: self._fields[name] for name in ("CallSid", "AccountSid", "ApiVersion")}
        callback = {"url": verb.attrib["recordingStatusCallback"]}
        self.recordings.append(callback | names | said | outcome | {"RecordingSource": "RecordVerb"})
        if not seconds:
            return None
        if deed.hangs_up:
            self.status = "completed"
            await self._ask(verb.attrib["action"], Digits="hangup", **said)
            raise CallOver
        return await self._ask(verb.attrib["action"], Digits="#", **said)

    async def _dial(self, verb: ET.Element) -> ET.Element:
        self.dialed.append(dict(verb.attrib) | {"number": verb.text or ""})
        taken = self._dial_status == "completed"
        more = {"DialCallDuration": "60"} if taken else {}
        self._seconds += 60 if taken else 25
        return await self._ask(verb.attrib["action"], DialCallStatus=self._dial_status, **more)

    async def _hangup(self, _verb: ET.Element) -> None:
        raise CallOver

    async def _reject(self, verb: ET.Element) -> None:
        self.status = verb.get("reason", "busy")
        raise CallOver
