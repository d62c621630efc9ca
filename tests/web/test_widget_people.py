"""Who a visitor is: the site's own users by its signed token, and that nobody sees another's conversation."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import aiohttp
import jwt
import pytest
import sqlalchemy as sa

from bot.conversations.conversation import CONVERSATION
from bot.crm.contact import CONTACT, identities_of
from bot.crm.user import agents_online
from bot.errors import ConfigurationInvalid
from bot.ids import new_id
from bot.records.actor import SYSTEM
from bot.settings import load_settings
from tests.web.conftest import SECRET, Site, running
from tests.web.shop import user_token
from tests.web.test_widget import Page, open_page


@pytest.fixture
async def http(site: Site) -> AsyncIterator[aiohttp.ClientSession]:
    async with aiohttp.ClientSession(site.url) as session:
        yield session


async def said(page: Page, text: str) -> None:
    """Write, and wait until it is in the conversation."""
    written = await page.say(text)
    while (await page.hear("message"))["message"].get("client") != written:
        pass


async def contact_of(site: Site, visitor: str) -> tuple[str, str, set[tuple[str, str, bool]]]:
    """(id, name, identities) of the contact who writes as a visitor."""
    table = CONVERSATION.table
    for _ in range(100):
        rows = await site.app.store.read(
            lambda tx: tx.rows(
                sa.select(table.c.contact_id, CONTACT.table.c.name)
                .join(CONTACT.table, CONTACT.table.c.id == table.c.contact_id)
                .where(table.c.address == visitor)
            ),
            SYSTEM,
        )
        if rows:
            break
        await asyncio.sleep(0.05)
    who = rows[0]["contact_id"]
    known = await site.app.store.read(identities_of, SYSTEM, who)
    return who, rows[0]["name"], set(known)


async def until(check: Any) -> None:
    """Wait until an awaited check holds."""
    async with asyncio.timeout(10):
        while not await check():  # noqa: ASYNC110
            await asyncio.sleep(0.05)


async def test_a_signed_in_user_is_known_with_proved_addresses(site: Site, http: Any) -> None:
    user = f"U:{new_id()}/7"
    mail = f"{new_id()[-8:]}@shop.example"
    token = user_token(user, name="Ravi", email=mail.upper(), phone="98765 43210")
    page = await open_page(http, user=token)
    assert page.welcome["user"] == user and "user_refused" not in page.welcome
    await said(page, "Hello")
    _, name, known = await contact_of(site, page.welcome["visitor"])
    assert name == "Ravi"
    assert ("email", mail, True) in known and any(kind == "webchat" and ":" in one for kind, one, _ in known)


async def test_who_signs_in_keeps_the_conversation_and_finds_it_in_another_browser(
    site: Site, http: Any
) -> None:
    user, mail = f"user-{new_id()}", f"{new_id()[-8:]}@shop.example"
    page = await open_page(http)
    await said(page, "Do you sell woks?")
    signed_in = await open_page(http, page.welcome["token"], user=user_token(user, email=mail, name="Asha"))
    assert signed_in.welcome["visitor"] == page.welcome["visitor"] and signed_in.welcome["same"]
    assert any(one["text"] == "Do you sell woks?" for one in signed_in.welcome["messages"])

    async def known() -> bool:
        _, name, identities = await contact_of(site, page.welcome["visitor"])
        return ("email", mail, True) in identities and name == "Asha"

    await until(known)
    elsewhere = await open_page(http, user=user_token(user))
    assert elsewhere.welcome["visitor"] == page.welcome["visitor"]
    assert any(one["text"] == "Do you sell woks?" for one in elsewhere.welcome["messages"])


async def test_the_next_in_the_same_browser_sees_nothing_of_it(http: Any) -> None:
    page = await open_page(http, user=user_token(f"a-{new_id()}"))
    await said(page, "My card is blocked")
    for user in (None, user_token(f"b-{new_id()}"), user_token("x", minutes=-5)):
        after = await open_page(http, page.welcome["token"], user=user)
        assert after.welcome["visitor"] != page.welcome["visitor"] and not after.welcome["same"]
        assert after.welcome["messages"] == []


async def test_a_page_that_stood_open_goes_on_when_its_sites_token_has_run_out(site: Site, http: Any) -> None:
    user, mail = f"user-{new_id()}", f"{new_id()[-8:]}@shop.example"
    page = await open_page(http, user=user_token(user))
    await said(page, "My card is blocked")
    late = user_token(user, minutes=-5, email=mail)
    again = await open_page(http, page.welcome["token"], user=late)
    assert again.welcome["user"] == user and "user_refused" not in again.welcome and again.welcome["same"]
    assert again.welcome["messages"][0]["text"] == "My card is blocked"
    await said(again, "Are you there?")
    _, _, known = await contact_of(site, page.welcome["visitor"])
    assert "email" not in {kind for kind, _, _ in known}  # what ran out vouches for nothing new
    # It lets nobody in: not in another browser, not by a token that is not bound to the user.
    bare = await open_page(http)
    other = await open_page(http, user=user_token(f"b-{new_id()}"))
    for token in (None, bare.welcome["token"], other.welcome["token"]):
        after = await open_page(http, token, user=late)
        assert after.welcome["user"] is None and after.welcome["user_refused"] == "expired"
        assert after.welcome["messages"] == [] and after.welcome["visitor"] != page.welcome["visitor"]
    forged = user_token(user, secret="another secret of more than 32 characters", minutes=-5)
    after = await open_page(http, page.welcome["token"], user=forged)
    assert after.welcome["user_refused"] == "invalid" and after.welcome["messages"] == []


async def test_a_token_kept_from_before_the_sign_in_opens_nothing(site: Site, http: Any) -> None:
    user = user_token(f"user-{new_id()}", email=f"{new_id()[-8:]}@shop.example")
    page = await open_page(http)
    await said(page, "Hello")
    copied, visitor = page.welcome["token"], page.welcome["visitor"]
    # A page left open from before: whoever sits there hears nothing of what comes.
    left_open = await open_page(http, copied)
    page = await open_page(http, copied, user=user)
    who, _, _ = await contact_of(site, visitor)

    async def bound() -> bool:
        return any(value.startswith("user:") for _, value, _ in (await contact_of(site, visitor))[2])

    await until(bound)
    await said(page, "My card is blocked")
    while (told := await left_open.socket.receive(10)).type is aiohttp.WSMsgType.TEXT:
        assert "My card" not in told.data
    for other in (None, user_token(f"thief-{new_id()}")):
        after = await open_page(http, copied, user=other)
        assert after.welcome["visitor"] != visitor and after.welcome["messages"] == []
        assert not after.welcome["same"]
        await said(after, "This is me")
        assert (await contact_of(site, after.welcome["visitor"]))[0] != who
    again = await open_page(http, copied, user=user)
    assert again.welcome["visitor"] == visitor and again.welcome["same"]


async def test_a_user_has_one_contact_over_browsers(site: Site, http: Any) -> None:
    user = f"user-{new_id()}"
    first, second = await open_page(http), await open_page(http)
    await said(first, "first")
    first = await open_page(http, first.welcome["token"], user=user_token(user))
    who, _, _ = await contact_of(site, first.welcome["visitor"])

    async def bound() -> bool:
        _, _, known = await contact_of(site, first.welcome["visitor"])
        return any(value.startswith("user:") for _, value, _ in known)

    await until(bound)
    # The other browser was anonymous and said nothing: it shows what the user said in the first.
    second = await open_page(http, second.welcome["token"], user=user_token(user))
    assert second.welcome["visitor"] == first.welcome["visitor"]
    assert (await contact_of(site, second.welcome["visitor"]))[0] == who


async def test_an_address_that_is_somebody_elses_stays_a_claim(site: Site, http: Any) -> None:
    mail = f"{new_id()[-8:]}@shop.example"
    one = await open_page(http, user=user_token(f"a-{new_id()}", email=mail))
    await said(one, "I am A")
    other = await open_page(http)
    await said(other, "I am B")
    await open_page(http, other.welcome["token"], user=user_token(f"b-{new_id()}", email=mail))

    async def claimed() -> bool:
        return ("email", mail, False) in (await contact_of(site, other.welcome["visitor"]))[2]

    await until(claimed)
    assert (await contact_of(site, one.welcome["visitor"]))[0] != (
        await contact_of(site, other.welcome["visitor"])
    )[0]


@pytest.mark.parametrize(
    ("token", "reason"),
    [
        (user_token("u", minutes=-2), "expired"),
        (user_token("u", secret="another secret of more than 32 characters"), "invalid"),
        (jwt.encode({"sub": "u"}, SECRET, "HS256"), "invalid"),
        (jwt.encode({"exp": 9999999999}, SECRET, "HS256"), "invalid"),
        (jwt.encode({"sub": " ", "exp": 9999999999}, SECRET, "HS256"), "invalid"),
        (jwt.encode({"sub": "x" * 201, "exp": 9999999999}, SECRET, "HS256"), "invalid"),
        (jwt.encode({"sub": ["u"], "exp": 9999999999}, SECRET, "HS256"), "invalid"),
        (jwt.encode({"sub": "u", "exp": 9999999999}, SECRET * 2, "HS512"), "invalid"),
        (jwt.encode({"sub": "u", "exp": 9999999999}, None, "none"), "invalid"),
        ("rubbish", "invalid"),
        ("x" * 5000, "invalid"),
        (7, "invalid"),
        ({"sub": "u"}, "invalid"),
    ],
)
async def test_a_token_that_is_not_as_agreed_leaves_the_visitor_anonymous(
    http: Any, token: object, reason: str
) -> None:
    page = await open_page(http, user=token)
    assert page.welcome["user"] is None and page.welcome["user_refused"] == reason
    await said(page, "Hello")


async def test_wrong_addresses_in_a_rightly_signed_token_are_left_out(site: Site, http: Any) -> None:
    page = await open_page(http, user=user_token(f"u-{new_id()}", email="nobody", phone="12", name=7))
    await said(page, "Hello")
    _, name, known = await contact_of(site, page.welcome["visitor"])
    assert name == "" and {kind for kind, _, _ in known} == {"webchat"}


async def test_an_address_left_for_later_is_a_claim_and_is_said(site: Site, http: Any) -> None:
    page = await open_page(http)
    await page.say("I want to talk to a person")
    told = await page.hear("owner")
    assert told["owner"] == "human"
    online = await site.app.store.read(agents_online, SYSTEM)
    assert told["away"] is not online
    await page.socket.send_json({"type": "contact", "id": new_id(), "address": "not an address"})
    assert (await page.hear("error"))["code"] == "invalid_input"
    await page.socket.send_json({"type": "contact", "id": new_id(), "address": " Ravi@Shop.example "})
    await page.hear("accepted")

    async def claimed() -> bool:
        return ("email", "ravi@shop.example", False) in (await contact_of(site, page.welcome["visitor"]))[2]

    await until(claimed)
    fresh = await open_page(http, page.welcome["token"])
    assert fresh.welcome["away"] is False
    assert fresh.welcome["messages"][-1]["text"] == "ravi@shop.example"


def test_only_the_sites_that_are_named_may_embed(tmp_path: Any) -> None:
    async def tries(site: Site) -> dict[str, bool]:
        found = {}
        async with aiohttp.ClientSession(site.url) as http:
            for origin in ("https://shop.example", site.url, "https://evil.example", "null", ""):
                headers = {"Origin": origin} if origin else {}
                socket = await http.ws_connect("/widget/ws", headers=headers)
                await socket.send_json({"type": "hello"})
                answer = await socket.receive(5)
                found[origin] = answer.type is aiohttp.WSMsgType.TEXT
                if not found[origin]:
                    assert socket.close_code == 4403
                await socket.close()
            headers = {"Origin": "https://evil.example"}
            async with http.post("/widget/files?name=a.png", data=b"x", headers=headers) as answer:
                assert answer.status == 403
        return found

    with running(tmp_path, widget_origins="https://shop.example, https://two.example") as site:
        found = asyncio.run(tries(site))
        assert found == {
            "https://shop.example": True,
            site.url: True,
            "https://evil.example": False,
            "null": False,
            "": True,
        }


@pytest.mark.parametrize(
    "given",
    [
        {"widget_secret": "short"},
        {"widget_origins": "shop.example"},
        {"widget_origins": "https://a.example/x"},
    ],
)
def test_settings_that_cannot_work_say_so(given: dict[str, str]) -> None:
    with pytest.raises(ConfigurationInvalid, match="SAMVAD_WIDGET"):
        load_settings(**given)
