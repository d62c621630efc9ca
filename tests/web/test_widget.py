"""The widget's script and its line to us."""

import asyncio
import gzip
import json
import re
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from bot.ids import new_id
from bot.messages import MediaKind
from bot.records.actor import SYSTEM
from bot.web.pages.extra import File
from bot.web.widget.files import as_page_sees
from bot.web.widget.visitor import recognise
from tests.web.conftest import Site


class Page:
    """A visitor's page as the script plays it."""

    def __init__(self, socket: aiohttp.ClientWebSocketResponse) -> None:
        self.socket = socket
        self.welcome: dict[str, Any] = {}

    async def hear(self, kind: str, seconds: float = 10) -> dict[str, Any]:
        """The next message of this kind."""
        async with asyncio.timeout(seconds):
            while True:
                data: dict[str, Any] = await self.socket.receive_json()
                if data["type"] == kind:
                    return data

    async def say(self, text: str, client_id: str | None = None, **more: str) -> str:
        """Write; returns the id the page gave it."""
        which = client_id or new_id()
        await self.socket.send_json({"type": "message", "id": which, "text": text, **more})
        return which


@pytest.fixture
async def http(site: Site) -> Any:
    async with aiohttp.ClientSession(site.url) as session:
        yield session


async def open_page(http: aiohttp.ClientSession, token: object = None, lang: str = "en", **more: Any) -> Page:
    page = Page(await http.ws_connect("/widget/ws", headers={"Origin": "https://another.example"}))
    await page.socket.send_json({"type": "hello", "token": token, "lang": lang, "after": None, **more})
    page.welcome = await page.hear("welcome")
    return page


async def test_script_is_one_small_file_that_browsers_keep(http: aiohttp.ClientSession) -> None:
    answer = await http.get("/widget.js")
    body = await answer.text()
    assert answer.status == 200 and answer.content_type == "text/javascript"
    assert len(gzip.compress(body.encode(), 6)) < 40 * 1024
    assert "innerHTML" not in body and "eval(" not in body and "import(" not in body
    assert "चैट खोलें" in body and "Chat kholein" in body and "Asha Kitchens" in body
    again = await http.get("/widget.js", headers={"If-None-Match": answer.headers["ETag"]})
    assert again.status == 304


async def test_a_message_is_acknowledged_answered_and_kept_over_a_reload(http: aiohttp.ClientSession) -> None:
    page = await open_page(http)
    assert page.welcome["messages"] == [] and page.welcome["business"] == "Asha Kitchens"
    written = await page.say("Hello")
    assert (await page.hear("accepted"))["id"] == written
    said = [(await page.hear("message"))["message"] for _ in range(2)]
    mine = next(one for one in said if one["author"] == "contact")
    answer = next(one for one in said if one["author"] == "bot")
    assert mine["client"] == written and mine["text"] == "Hello" and answer["text"]
    await page.socket.close()

    again = await open_page(http, page.welcome["token"])
    assert again.welcome["visitor"] == page.welcome["visitor"]
    assert [one["id"] for one in again.welcome["messages"]] == sorted(one["id"] for one in said)
    later = await open_page(http, page.welcome["token"], after=answer["id"])
    assert later.welcome["messages"] == []


async def test_the_same_message_sent_again_is_stored_once_and_seen_in_every_tab(http: Any) -> None:
    one = await open_page(http)
    two = await open_page(http, one.welcome["token"])
    written = await one.say("Is anyone there?")
    await one.hear("accepted")
    await one.say("Is anyone there?", written)
    await one.hear("accepted")
    heard = [(await two.hear("message"))["message"] for _ in range(2)]
    assert sum(message.get("client") == written for message in heard) == 1
    await asyncio.sleep(0.3)
    fresh = await open_page(http, one.welcome["token"])
    assert sum(message["author"] == "contact" for message in fresh.welcome["messages"]) == 1


@pytest.mark.parametrize("token", ["visitor:018f0000-0000-7000-8000-000000000000.forged", 7, "", "x" * 9999])
async def test_nobody_gets_into_a_conversation_with_a_forged_token(http: Any, token: object) -> None:
    page = await open_page(http, token)
    assert page.welcome["token"] != token and page.welcome["messages"] == []


def test_a_token_signed_for_something_else_is_no_visitor(site: Site) -> None:
    assert recognise(site.app, site.app.sign("csrf:visitor:018f0000-0000-7000-8000-000000000000")) is None
    assert recognise(site.app, site.app.sign("visitor:' or 1=1")) is None


@pytest.mark.parametrize(
    ("sent", "code"),
    [
        ({"type": "message", "id": "a", "text": "x" * 4097}, "too_large"),
        ({"type": "message", "id": "a", "text": "  "}, "invalid_input"),
        ({"type": "message", "id": 4, "text": "x"}, "invalid_input"),
        ({"type": "dance"}, "invalid_input"),
        ([1, 2], "invalid_input"),
        ("[" * 30_000, "invalid_input"),
    ],
)
async def test_what_cannot_be_used_is_refused_in_words(http: Any, sent: Any, code: str) -> None:
    page = await open_page(http, lang="hi")
    await page.socket.send_str(sent if isinstance(sent, str) else json.dumps(sent))
    error = await page.hear("error")
    assert error["code"] == code and any("ऀ" <= char <= "ॿ" for char in error["text"])
    await page.say("Hello")
    await page.hear("accepted")


async def test_who_writes_too_fast_is_asked_to_wait(http: Any) -> None:
    page = await open_page(http)
    for _ in range(21):
        await page.say("again")
    error = await page.hear("error")
    assert error["code"] == "too_fast" and error["retry_after"] > 0 and error["text"]


async def test_babble_and_too_large_frames_end_the_line(http: Any) -> None:
    socket = await http.ws_connect("/widget/ws")
    await socket.send_str("not json")
    assert (await socket.receive(5)).type in (aiohttp.WSMsgType.CLOSE, aiohttp.WSMsgType.CLOSED)
    page = await open_page(http)
    await page.socket.send_str(json.dumps({"type": "message", "id": "a", "text": "x" * 60_000}))
    kind = (await page.socket.receive(5)).type
    assert kind in (aiohttp.WSMsgType.CLOSE, aiohttp.WSMsgType.CLOSED, aiohttp.WSMsgType.ERROR)


async def test_a_file_is_handed_out_by_its_signed_address_and_does_no_harm(site: Site, http: Any) -> None:
    ref = site.app.media.put(b"<script>alert(1)</script>")
    picture = as_page_sees(File(0, MediaKind.IMAGE, "image/png", "a b.png", 3, ref), site.app.runtime.links)
    answer = await http.get(picture["url"])
    assert answer.status == 200 and answer.headers["X-Content-Type-Options"] == "nosniff"
    assert "sandbox" in answer.headers["Content-Security-Policy"]
    page = as_page_sees(File(0, MediaKind.DOCUMENT, "text/html", "x.html", 3, ref), site.app.runtime.links)
    answer = await http.get(page["url"])
    assert answer.content_type == "application/octet-stream"
    assert answer.headers["Content-Disposition"].startswith("attachment")
    assert (await http.get("/files/ZmlsZTo.forged")).status == 404
    assert site.app.runtime.links.open(site.app.sign("visitor:x")) is None


async def test_a_person_who_takes_over_is_told_to_the_page_and_heard_in_it(
    site: Site, http: Any, staff: Any
) -> None:
    page = await open_page(http)
    await page.say("Hello")
    await page.hear("message")
    colleague = await staff("manager")
    conversation = site.conversation("are you there", page.welcome["visitor"])
    await colleague.post(f"/console/conversations/{conversation}/take-over")
    assert (await page.hear("owner"))["owner"] == "human"
    await colleague.post(f"/console/conversations/{conversation}/say", text="I am", mode="reply")
    while (heard := (await page.hear("message"))["message"])["author"] != "agent":
        pass
    assert heard["text"] == "I am" and heard["name"]
    await colleague.post(f"/console/conversations/{conversation}/say", text="secret", mode="note")
    fresh = await open_page(http, page.welcome["token"])
    assert all(message["text"] != "secret" for message in fresh.welcome["messages"])


async def test_what_the_visitor_saw_is_read_for_the_agent_once(site: Site, http: Any, staff: Any) -> None:
    page, stranger = await open_page(http), await open_page(http)
    await page.say("Hello")
    while (answer := (await page.hear("message"))["message"])["author"] != "bot":
        pass
    conversation = site.conversation("again", page.welcome["visitor"])
    await stranger.socket.send_json({"type": "read", "id": "ffffffff-ffff-7fff-bfff-ffffffffffff"})
    await stranger.say("x")
    await stranger.hear("accepted")
    colleague = await staff("manager")
    path = f"/console/conversations/{conversation}"
    assert f"m-{answer['id']}" in (thread := await colleague.text(path)) and "tick read" not in thread
    for wrong in (None, 7, "", "0"):
        await page.socket.send_json({"type": "read", "id": wrong})
    for _ in range(2):
        await page.socket.send_json({"type": "read", "id": answer["id"]})
    async with asyncio.timeout(10):
        while "tick read" not in await colleague.text(path):  # noqa: ASYNC110
            await asyncio.sleep(0.1)
    fresh = await open_page(http, page.welcome["token"])
    assert next(one for one in fresh.welcome["messages"] if one["id"] == answer["id"])["read"] is True


async def test_typing_goes_both_ways_and_is_stored_nowhere(site: Site, http: Any, staff: Any) -> None:
    page = await open_page(http)
    await page.say("Hello")
    await page.hear("message")
    conversation = site.conversation("are you there", page.welcome["visitor"])
    colleague, outsider = await staff("manager"), await staff("marketer")
    events: asyncio.Queue[dict[str, Any]] = asyncio.Queue()

    async def listen() -> None:
        async with colleague.http.get("/console/live") as stream:
            async for line in stream.content:
                if line.startswith(b"data:") and b"typing" in line:
                    events.put_nowait(json.loads(line[5:]))

    listener = asyncio.create_task(listen())
    await asyncio.sleep(0.5)
    for _ in range(5):
        await page.socket.send_json({"type": "typing"})
    async with asyncio.timeout(5):
        while not (news := await events.get())["typing"]:
            pass
    assert news["typing"] == [conversation] and not news["conversations"]
    await asyncio.sleep(0.4)
    assert not any(events.get_nowait()["typing"] for _ in range(events.qsize()))  # throttled
    listener.cancel()
    path = f"/console/conversations/{conversation}/typing"
    await colleague.post(path, 204)
    await page.hear("typing")
    await outsider.post(path, 403)
    with pytest.raises(TimeoutError):
        await page.hear("typing", 0.5)


def test_all_widget_words_are_there_in_every_language(site: Site) -> None:
    assert site.app.store.read_now(lambda tx: tx.actor, SYSTEM) is SYSTEM
    wrong = [line for line in site.app.words.check() if "widget." in line or "page." in line]
    assert wrong == []


def test_every_attribute_call_event_and_frame_is_in_the_docs() -> None:
    root = Path(__file__).resolve().parents[2]
    text = (root / "docs" / "widget.md").read_text("utf-8")
    static = root / "bot" / "web" / "widget" / "static"
    source = "\n".join(path.read_text("utf-8") for path in static.glob("*.js"))
    asked = {
        "data-" + re.sub("[A-Z]", lambda letter: f"-{letter[0].lower()}", name)
        for name in re.findall(r"dataset\.([a-zA-Z]+)", (static / "theme.js").read_text("utf-8"))
    }
    listed = set(re.findall(r"^\| `(data-[a-z-]+)`", text, re.MULTILINE))
    assert asked == listed
    calls = set(
        re.findall(r"^    (\w+)(?:\(|:)", source.partition("window.Samvad = {")[2].partition("};")[0], re.M)
    )
    assert calls == set(re.findall(r"`Samvad\.(\w+)\(", text))
    assert set(re.findall(r"samvad:[a-z]+(?=\")", source)) == set(re.findall(r"`(samvad:[a-z]+)`", text))
    frames = set(re.findall(r'type: "(\w+)"', source)) - {"file", "button", "text", "submit"}
    heard = set(
        re.findall(
            r"^    (\w+)(?:\(data\)|:)", source.partition("const heard = {")[2].partition("\n  };")[0], re.M
        )
    )
    assert sorted(name for name in frames | heard if f"| `{name}` |" not in text) == []
