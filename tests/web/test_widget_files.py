"""Files of visitors: what is taken, what is refused in words, and that nobody sends a stranger's file."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import aiohttp
import pytest

from bot.errors import TooLarge
from bot.ids import new_id
from bot.media import MediaStore
from bot.media.sniff import DOCUMENTS, HEAD, sniff
from bot.messages import MediaKind, kind_of
from tests.web.conftest import Site, running
from tests.web.test_widget import Page, open_page

PNG = b"\x89PNG\r\n\x1a\n" + b"pixels"
MB = 1024 * 1024


@pytest.fixture
async def http(site: Site) -> AsyncIterator[aiohttp.ClientSession]:
    async with aiohttp.ClientSession(site.url) as session:
        yield session


async def upload(
    http: aiohttp.ClientSession, page: Page, body: bytes, name: str, **headers: str
) -> tuple[int, dict[str, Any]]:
    """Upload as the page does; returns the status and the answer."""
    given = {"Authorization": f"Bearer {page.welcome['token']}", "Origin": "https://shop.example", **headers}
    async with http.post("/widget/files", params={"name": name}, data=body, headers=given) as answer:
        assert answer.headers["Access-Control-Allow-Origin"] == "*"
        return answer.status, await answer.json()


async def send(page: Page, **fields: object) -> None:
    await page.socket.send_json({"type": "message", "id": new_id(), **fields})


async def test_a_file_is_uploaded_sent_shown_and_kept_for_the_agent(site: Site, http: Any) -> None:
    page = await open_page(http)
    status, file = await upload(http, page, PNG, "stove.png")
    assert status == 201 and (file["kind"], file["name"], file["size"]) == ("image", "stove.png", len(PNG))
    await send(page, text="My stove", files=[file["token"]])
    await page.hear("accepted")
    while (mine := (await page.hear("message"))["message"])["author"] != "contact":
        pass
    shown = mine["media"][0]
    assert mine["text"] == "My stove" and shown["inline"] and shown["name"] == "stove.png"
    async with http.get(shown["url"]) as answer:
        assert await answer.read() == PNG and answer.content_type == "image/png"
    assert answer.headers["Cross-Origin-Resource-Policy"] == "cross-origin"
    again = await open_page(http, page.welcome["token"])
    assert again.welcome["messages"][0]["media"][0]["name"] == "stove.png"


async def test_a_file_may_stand_without_words(http: Any) -> None:
    page = await open_page(http)
    _, file = await upload(http, page, b"%PDF-1.7 bill", "../../etc/bill.pdf")
    assert file["kind"] == "document" and file["name"] == ".._.._etc_bill.pdf" and not file["inline"]
    await send(page, files=[file["token"]])
    await page.hear("accepted")


@pytest.mark.parametrize(
    ("body", "name", "status", "said"),
    [
        (b"", "a.png", 400, {"field": "empty"}),
        (b"MZ\x90 a program", "setup.exe", 400, {"field": "kind"}),
        (b"<html><script>", "page.html", 400, {"field": "kind"}),
        (b"<svg xmlns=''>", "logo.svg", 400, {"field": "kind"}),
        (b"#!/bin/sh\nrm -rf /", "stove.png", 400, {"field": "kind"}),
        (b"PK\x03\x04 archive", "things.zip", 400, {"field": "kind"}),
        (PNG + b"x" * (10 * MB), "big.png", 413, {"limit": 10 * MB, "code": "too_large"}),
    ],
)
async def test_what_is_not_taken_says_why(
    http: Any, body: bytes, name: str, status: int, said: dict[str, object]
) -> None:
    page = await open_page(http)
    found, answer = await upload(http, page, body, name)
    assert found == status and said.items() <= answer.items()


async def test_a_stream_without_a_length_is_cut_off_at_the_limit_and_leaves_nothing(
    site: Site, http: Any
) -> None:
    page = await open_page(http)
    folder = site.app.settings.data_dir / "media"

    async def endless() -> AsyncIterator[bytes]:
        yield PNG
        for _ in range(12):
            yield b"x" * MB

    before = {path for path in folder.rglob("*") if path.is_file()}
    headers = {"Authorization": f"Bearer {page.welcome['token']}"}
    async with http.post("/widget/files?name=a.png", data=endless(), headers=headers) as answer:
        assert answer.status == 413
    assert {path for path in folder.rglob("*") if path.is_file()} == before


async def test_the_preflight_of_any_site_is_answered(http: Any) -> None:
    async with http.options("/widget/files", headers={"Origin": "https://shop.example"}) as answer:
        assert answer.status == 204 and "Authorization" in answer.headers["Access-Control-Allow-Headers"]


@pytest.mark.parametrize("token", ["", "Bearer x", "Bearer visitor:018f0000-0000-7000-8000-000000000000.no"])
async def test_without_a_token_of_ours_nothing_is_taken(http: Any, token: str) -> None:
    async with http.post("/widget/files?name=a.png", data=PNG, headers={"Authorization": token}) as answer:
        assert answer.status == 401


async def test_nobody_sends_a_file_that_they_did_not_upload(site: Site, http: Any) -> None:
    one, other = await open_page(http), await open_page(http)
    _, file = await upload(http, one, PNG, "mine.png")
    digest = site.app.media.put(PNG)
    packed = file["url"].rpartition("/")[2]
    for stolen in (file["token"], digest, packed, "", 7, None):
        await send(other, text="look", files=[stolen])
        error = await other.hear("error")
        assert error["code"] in ("invalid_input", "error")
    await send(other, text="look", files=[file["token"]] * 11)
    assert (await other.hear("error"))["code"] == "invalid_input"
    await send(other, text="look", files="x")
    assert (await other.hear("error"))["code"] == "invalid_input"
    await send(one, text="look", files=[file["token"]])
    await one.hear("accepted")


async def test_too_many_files_are_asked_to_wait(http: Any) -> None:
    page = await open_page(http)
    statuses = [(await upload(http, page, PNG, f"{n}.png"))[0] for n in range(21)]
    assert statuses == [201] * 20 + [503]


def test_one_address_does_not_fill_the_disk_as_ever_new_visitors(tmp_path: Any) -> None:
    async def tries(site: Site) -> list[int]:
        statuses = []
        async with aiohttp.ClientSession(site.url) as http:
            for n in range(3):
                page = await open_page(http)
                for _ in range(9):
                    statuses.append((await upload(http, page, PNG + b"x" * (9 * MB), f"{n}.png"))[0])
        return statuses

    with running(tmp_path) as site:
        assert asyncio.run(tries(site)) == [201] * 22 + [503] * 5


async def test_a_store_keeps_a_stream_whole_or_not_at_all(tmp_path: Any) -> None:
    store = MediaStore(tmp_path)

    async def pieces() -> AsyncIterator[bytes]:
        yield b"one"
        yield b"two"

    ref = await store.put_stream(pieces())
    assert store.path(ref).read_bytes() == b"onetwo" and store.put(b"onetwo") == ref
    with pytest.raises(TooLarge):
        await store.put_stream(pieces(), 5)

    async def stuck() -> AsyncIterator[bytes]:
        yield b"begun"
        await asyncio.sleep(60)

    task = asyncio.create_task(store.put_stream(stuck()))
    await asyncio.sleep(0.1)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    assert [path.name for path in tmp_path.rglob("*") if path.is_file()] == [ref.removeprefix("media:")]


@pytest.mark.parametrize(
    ("head", "name", "mime"),
    [
        (b"\xff\xd8\xff\xe0", "x", "image/jpeg"),
        (b"RIFF0000WEBPVP8 ", "x.webp", "image/webp"),
        (b"RIFF0000WAVEfmt ", "x.wav", "audio/wav"),
        (b"XXXX0000WEBPVP8 ", "x.webp", None),
        (b"\x00\x00\x00\x18ftypheic", "x.heic", "image/heic"),
        (b"\x00\x00\x00\x18ftypisom", "x.mp4", "video/mp4"),
        (b"\x00\x00\x00\x18ftypM4A ", "x.m4a", "audio/mp4"),
        (
            b"PK\x03\x04",
            "Bill.DOCX",
            next(mime for mime in DOCUMENTS if "wordprocessing" in mime),
        ),
        (b"PK\x03\x04", "x.jar", None),
        (b"\xd0\xcf\x11\xe0", "x.xls", "application/vnd.ms-excel"),
        ("नाम,दाम".encode(), "rates.csv", "text/csv"),
        (("अ" * HEAD).encode()[:HEAD], "long.txt", "text/plain"),
        (b"caf\xe9 au lait and more", "latin.txt", None),
        (b"a\x00b", "x.txt", None),
        (b"hello", "x.html", None),
    ],
)
def test_content_says_what_a_file_is(head: bytes, name: str, mime: str | None) -> None:
    assert sniff(head, name) == mime


def test_kinds_follow_types() -> None:
    assert kind_of("image/png") is MediaKind.IMAGE and kind_of("video/mp4") is MediaKind.VIDEO
    assert {kind_of(mime) for mime in DOCUMENTS} == {MediaKind.DOCUMENT}
