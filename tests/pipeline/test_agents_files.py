"""An agent's files reach the customer on every channel, as that channel shows them."""

import asyncio
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from email.message import EmailMessage
from pathlib import Path
from typing import Any

import aiohttp
import pytest
import sqlalchemy as sa

from bot.channels.twilio.channel import _LINKS_TAKE
from bot.clock import now
from bot.conversations import outbox
from bot.media import links
from bot.messages import Media, MediaKind
from bot.records.actor import SYSTEM
from bot.records.tokens import Tokens
from bot.records.tx import Tx
from tests.support.recordings import picture, seconds_of, sound
from tests.support.world import WAYS_IN, World, customer_of
from tests.web.conftest import Site, Staff

PDF = b"%PDF-1.4 an estimate"
TEXT = "Here is the estimate"


@asynccontextmanager
async def desk(world: World) -> AsyncIterator[Staff]:
    """A manager at the console of this world."""
    site = Site(world.url, world.app)
    one = Staff(site)
    email = await asyncio.to_thread(site.user, "manager")
    assert (await one.sign_in(email)).status == 200
    try:
        yield one
    finally:
        await one.http.close()


async def say(
    one: Staff, conversation: str, text: str, *files: tuple[str, bytes, str], expected: int = 200
) -> str:
    """Send the composer's form as the browser does."""
    form = aiohttp.FormData({"mode": "reply", "text": text})
    for name, content, mime in files:
        form.add_field("files", content, filename=name, content_type=mime)
    path = f"/console/conversations/{conversation}/say"
    headers = {"X-CSRF-Token": one.csrf, "HX-Request": "true"}
    async with one.http.post(path, data=form, headers=headers) as answer:
        body = await answer.text()
        assert answer.status == expected, body[:300]
        return body


async def begin(way: str, world: World, emulator: Any, sender: str) -> str:
    await emulator.say("Hello, a question", sender=sender, message_id=f"<{way}.1@customer.test>")
    await emulator.wait_reply(sender)
    (row,) = await world.api.until("conversations", lambda rows: len(rows) == 1)
    return str(row["id"])


@pytest.mark.parametrize("way", WAYS_IN)
async def test_a_text_with_a_picture_a_voice_note_and_a_paper(way: str, tmp_path: Path) -> None:
    async with customer_of(way, tmp_path / "data") as (world, emulator, sender), desk(world) as one:
        conversation = await begin(way, world, emulator, sender)
        files = (
            ("dent.webp", picture("WEBP"), "image/webp"),
            ("voice-note.webm", sound(), "audio/webm"),
            ("estimate.pdf", PDF, "application/pdf"),
        )
        await say(one, conversation, TEXT, *files)
        rows = await world.api.until(
            "messages",
            lambda rows: rows and all(row["status"] in ("sent", "delivered", "read") for row in rows),
            where="author = agent",
        )
        await world.settled()
        shown = [media for row in rows for media in (row["extra"] or {}).get("media", ())]
        assert sorted(media["kind"] for media in shown) == ["document", "image", "voice"]
        await CHECKS[way](world, emulator, shown)
        page = await one.text(f"/console/conversations/{conversation}")
        assert page.count("/files/0") + page.count("/files/1") + page.count("/files/2") >= 3


async def _whatsapp(world: World, emulator: Any, shown: list[Any]) -> None:
    bodies = [body for body in emulator.sent if body["type"] != "interactive"][-3:]
    assert [body["type"] for body in bodies] == ["image", "audio", "document"]
    assert bodies[0]["image"]["caption"] == TEXT and bodies[1]["audio"]["voice"] is True
    assert seconds_of(emulator.files[bodies[1]["audio"]["id"]])[:2] == ("ogg", "opus")
    assert emulator.files[bodies[2]["document"]["id"]] == PDF
    assert bodies[2]["document"]["filename"] == "estimate.pdf"


async def _twilio_sms(world: World, emulator: Any, shown: list[Any]) -> None:
    bodies = [item["Body"] for item in emulator.sent if "/files/" in item["Body"]]
    assert len(bodies) == 3 and bodies[0].startswith(TEXT)
    fetched = []
    for body in bodies:
        fetched.append(await fetch(re.findall(r"http\S+", body)[0]))
    assert [kind for kind, _ in fetched] == ["image/webp", "audio/webm", "application/octet-stream"]
    assert fetched[2][1] == PDF


async def _twilio_whatsapp(world: World, emulator: Any, shown: list[Any]) -> None:
    sent = [item for item in emulator.sent if "MediaUrl" in item]
    assert [item.get("Body", "") for item in sent] == [TEXT, "", ""]
    fetched = [await fetch(item["MediaUrl"]) for item in sent]
    assert [kind for kind, _ in fetched] == ["image/jpeg", "audio/ogg", "application/octet-stream"]


async def _telegram(world: World, emulator: Any, shown: list[Any]) -> None:
    sent = emulator.sent[-3:]
    assert [item["method"] for item in sent] == ["sendPhoto", "sendVoice", "sendDocument"]
    assert sent[0]["caption"] == TEXT and sent[2]["document"] == PDF


async def _messenger(world: World, emulator: Any, shown: list[Any]) -> None:
    bodies = [body["message"] for body in emulator.sent[-4:]]
    assert [body.get("text") or body["attachment"]["type"] for body in bodies] == [
        TEXT,
        "image",
        "audio",
        "file",
    ]


async def _email(world: World, emulator: Any, shown: list[Any]) -> None:
    mail: EmailMessage = emulator.mails[-1]
    parts = {part.get_filename(): part for part in mail.iter_attachments()}
    assert sorted(parts) == ["dent.webp", "estimate.pdf", "voice-note.m4a"]
    content = parts["estimate.pdf"].get_content()
    assert content == PDF and TEXT in mail.get_body(("plain",)).get_content()  # type: ignore[union-attr]


async def _webchat(world: World, emulator: Any, shown: list[Any]) -> None:
    assert len(shown) == 3
    assert (await emulator.replies("visitor"))[-1] == TEXT


async def fetch(url: str) -> tuple[str, bytes]:
    """What a provider or a customer gets by a link."""
    async with aiohttp.ClientSession() as http, http.get(url) as answer:
        assert answer.status == 200
        assert answer.headers["X-Content-Type-Options"] == "nosniff"
        return answer.headers["Content-Type"], await answer.read()


CHECKS = {
    "webchat": _webchat,
    "whatsapp": _whatsapp,
    "twilio-sms": _twilio_sms,
    "twilio-whatsapp": _twilio_whatsapp,
    "telegram": _telegram,
    "messenger": _messenger,
    "instagram": _messenger,
    "email": _email,
}


async def test_what_a_channel_does_not_take_is_refused_and_leaves_nothing(tmp_path: Path) -> None:
    async with customer_of("instagram", tmp_path / "data") as (world, emulator, sender), desk(world) as one:
        conversation = await begin("instagram", world, emulator, sender)
        told = await say(one, conversation, "x", ("run.exe", b"MZ", "application/x-msdownload"), expected=400)
        assert "cannot go on this channel" in told
        await say(one, conversation, "x", ("empty.pdf", b"", "application/pdf"), expected=400)
        many = [(f"{number}.pdf", PDF, "application/pdf") for number in range(11)]
        await say(one, conversation, "x", *many, expected=400)
        await say(
            one, conversation, "x", ("big.pdf", bytes(31 * 1024 * 1024), "application/pdf"), expected=413
        )
        (row,) = await world.api.rows("conversations")
        assert row["owner"] == "bot"
        assert await world.api.rows("messages", where="author = agent") == []


async def test_a_link_is_good_for_one_file_and_for_a_while(tmp_path: Path, monkeypatch: Any) -> None:
    async with customer_of("twilio-sms", tmp_path / "data") as (world, emulator, sender), desk(world) as one:
        conversation = await begin("twilio-sms", world, emulator, sender)
        await say(one, conversation, "", ("estimate.pdf", PDF, "application/pdf"))
        await emulator.wait_reply(sender, 2)
        (link,) = re.findall(r"http\S+", (await emulator.replies(sender))[-1])
        assert (await fetch(link))[1] == PDF
        async with aiohttp.ClientSession() as http:
            other = link.replace("/files/file:", "/files/file:A")
            assert (await http.get(other)).status == 404
            late = now() + links.LASTS * 1.1
            monkeypatch.setattr(links.clock, "now", lambda: late)
            assert (await http.get(link)).status == 404


async def test_a_file_that_is_gone_parks_the_message_with_a_reason(tmp_path: Path) -> None:
    async with customer_of("whatsapp", tmp_path / "data") as (world, emulator, sender), desk(world) as one:
        conversation = await begin("whatsapp", world, emulator, sender)
        emulator.fail_next(1, status=500)
        await say(one, conversation, "", ("estimate.pdf", PDF, "application/pdf"))
        (row,) = await world.api.until("messages", lambda rows: len(rows) == 1, where="author = agent")
        world.app.media.path(row["extra"]["media"][0]["ref"]).unlink()
        (row,) = await world.api.until(
            "messages", lambda rows: rows[0]["status"] == "failed", where="author = agent"
        )
        assert row["error"] == "estimate.pdf is not here any more."


async def test_many_files_are_leased_one_after_another(tmp_path: Path) -> None:
    """Uploads take long: a lease of them all would run out, and another process would send them again."""
    async with customer_of("whatsapp", tmp_path / "data") as (world, emulator, sender), desk(world) as one:
        conversation = await begin("whatsapp", world, emulator, sender)
        emulator.delay = 0.6
        files = [(f"{number}.pdf", PDF + str(number).encode(), "application/pdf") for number in range(3)]
        await say(one, conversation, TEXT, *files)

        def states(tx: Tx) -> list[str]:
            mine = sa.select(outbox.outbox.c.state).where(outbox.outbox.c.purpose == "staff")
            return list(tx.execute(mine.order_by(outbox.outbox.c.id)).scalars())

        seen = set()
        async with asyncio.timeout(20):
            while (now_ := await world.app.store.read(states, SYSTEM)) != ["sent"] * 3:
                seen.add(tuple(now_))
                await asyncio.sleep(0.05)
        assert not any(states.count("sending") > 1 for states in seen), seen
        names = [body["document"]["filename"] for body in emulator.sent if body["type"] == "document"]
        assert names == ["0.pdf", "1.pdf", "2.pdf"]


@pytest.mark.parametrize("name", ["चालान_" * 30 + ".pdf", "estimate.pdf", "x" * 250, "धन्यवाद"])
def test_a_link_is_short_however_long_the_name(name: str) -> None:
    media = Media(MediaKind.DOCUMENT, "media:" + "a" * 64, "application/pdf", name, 3)
    tokens = Tokens(b"k" * 32)
    made = links.FileLinks(tokens.sign, tokens.unsign, "https://shop.example")
    assert len(made.url(media)) < _LINKS_TAKE
    opened = made.open(made.path(media).removeprefix("/files/"))
    assert opened is not None and opened.ref == media.ref and opened.filename.endswith(name[-4:])
