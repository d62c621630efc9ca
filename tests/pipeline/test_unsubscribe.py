"""Mail that the business starts can be stopped: by one click of a mail program, by the page, as by STOP."""

from collections.abc import AsyncIterator
from pathlib import Path

import aiohttp
import pytest

from bot.channels.email.compose import compose
from bot.conversations import gate
from bot.errors import ChannelRejected
from bot.messages import OutboundMessage
from bot.testing import MailEmulator
from tests.pipeline.test_timers import _fire_due
from tests.support.world import World, customer_of


@pytest.fixture
async def scene(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[tuple[World, MailEmulator, str]]:
    monkeypatch.setattr(gate, "quiet_until", lambda now, zone: None)  # the suite also runs at night
    async with customer_of("email", tmp_path / "data") as (world, mail, sender):
        yield world, mail, sender


async def _nudged(world: World, mail: MailEmulator, sender: str, words: str) -> str:
    """A silent lead gets its nudge; returns the path of the link in it."""
    await mail.say(words, sender=sender)
    await mail.wait_reply(sender, 1)
    await world.settled()
    assert await _fire_due(world) == ["followup"]
    await mail.wait_reply(sender, 2)
    await world.settled()
    return str(mail.mails[-1]["List-Unsubscribe"]).strip("<>").removeprefix(world.url)


async def _consents(world: World) -> list[tuple[str, str]]:
    return [(row["state"], row["how"]) for row in await world.api.rows("consents", order="created_at")]


async def test_one_click_stops_what_we_start_and_nothing_else(
    scene: tuple[World, MailEmulator, str],
) -> None:
    world, mail, sender = scene
    path = await _nudged(world, mail, sender, "I want to buy a refrigerator")
    answer, nudge = mail.mails
    assert answer["List-Unsubscribe"] is None and answer["Auto-Submitted"] == "auto-replied"
    assert answer["Precedence"] is None
    assert (nudge["Auto-Submitted"], nudge["Precedence"]) == ("auto-generated", "bulk")
    assert f"{world.url}{path}" in (await mail.replies(sender))[-1]
    shown = await world.api.rows("messages", where="direction = outbound")
    assert not [row for row in shown if "/u/" in row["text"]]  # without the small print
    async with aiohttp.ClientSession(world.url) as http:
        async with http.get(path) as page:
            assert page.status == 200 and "<form" in await page.text()
        assert await _consents(world) == []  # a scanner that follows links stops nothing
        for _ in range(3):  # a mail program has no cookies, and may say it again
            async with http.post(path, data={"List-Unsubscribe": "One-Click"}) as done:
                assert done.status == 200 and "<form" not in await done.text()
            await world.settled()
            await world.api.until("consents", bool)
        assert await _consents(world) == [("withdrawn", "unsubscribe")]
        async with http.get(path) as page:
            assert "<form" not in await page.text()
    heard = len(await mail.replies(sender))
    await _fire_due(world)
    await world.settled()
    assert len(await mail.replies(sender)) == heard
    await mail.say("What are your opening hours?", sender=sender)
    assert len(await mail.wait_reply(sender, heard + 1)) == heard + 1  # an own question is still answered
    await mail.say("START", sender=sender)
    await mail.wait_reply(sender, heard + 2)
    await world.settled()
    async with aiohttp.ClientSession(world.url) as http, http.post(path) as done:
        assert done.status == 200
    await world.api.until("consents", lambda rows: len(rows) == 3)
    assert [state for state, _ in await _consents(world)] == ["withdrawn", "given", "withdrawn"]


async def test_the_page_speaks_the_customers_language(scene: tuple[World, MailEmulator, str]) -> None:
    world, mail, sender = scene
    path = await _nudged(world, mail, sender, "मुझे एक फ्रिज खरीदना है")
    assert "यहाँ बंद करें" in (await mail.replies(sender))[-1]
    async with aiohttp.ClientSession(world.url) as http, http.get(path) as page:
        text = await page.text()
    assert '<html lang="hi"' in text and "मेल बंद करें" in text


async def test_a_forged_link_opens_nothing(scene: tuple[World, MailEmulator, str]) -> None:
    world, mail, sender = scene
    path = await _nudged(world, mail, sender, "I want to buy a refrigerator")
    lane, _, signature = path.removeprefix("/u/").rpartition(".")
    other = world.app.sign("visitor:" + lane.removeprefix("stop:"))
    another = lane[:-1] + ("1" if lane.endswith("0") else "0")
    forged = [f"{lane}.{signature[::-1]}", f"{another}.{signature}", lane, other, "x", "%00.%FF", "stop:."]
    async with aiohttp.ClientSession(world.url) as http:
        for token in forged:
            for call in (http.get, http.post):
                async with call(f"/u/{token}") as answer:
                    assert answer.status == 404, token
    await world.settled()
    assert await _consents(world) == []


def test_one_click_needs_https() -> None:
    def made(link: str) -> bytes:
        return compose(
            OutboundMessage("o1", "email", "a@b.test", "c@d.test", "Hello", unsubscribe=link), "a@b.test"
        )

    assert b"List-Unsubscribe-Post: List-Unsubscribe=One-Click\r\n" in made("https://b.test/u/x")
    assert b"List-Unsubscribe-Post" not in made("http://b.test/u/x")
    long = f"https://crm.business.example/u/stop:{'0' * 90}"
    assert f"\r\nList-Unsubscribe: <{long}>\r\n".encode() in b"\r\n" + made(long)
    with pytest.raises(ChannelRejected, match="SAMVAD_BASE_URL"):
        made("https://b.test/u/x>\r\nBcc: <y@z.test")
