"""The help centre: who is shown what, in which language; what browsers and search engines are told; votes."""

from collections.abc import AsyncIterator, Iterator
from datetime import timedelta
from typing import Any
from urllib.parse import quote
from xml.etree import ElementTree

import aiohttp
import pytest
import sqlalchemy as sa

from bot.clock import now
from bot.crm.article import ARTICLE, TAKEN_KEYS, save_article
from bot.crm.article_vote import ARTICLE_VOTE, vote
from bot.errors import InvalidInput, NotFound
from bot.records.actor import SYSTEM
from bot.records.events import events
from bot.records.store import Store
from bot.records.tx import Record, Tx
from bot.records.write import create, get, update
from bot.web.pages.help.shelf import Shelf, look, order
from bot.web.pages.help.text import read
from tests.web.conftest import Site, running

DAY = timedelta(days=1)
HIDDEN: dict[str, dict[str, Any]] = {
    "draft": {"status": "draft"},
    "in-review": {"status": "review"},
    "for-agents": {"audience": "agents"},
    "for-customers": {"audience": "customers"},
    "not-begun": {"publish_at": now() + DAY},
    "expired": {"publish_at": now() - 2 * DAY, "expires_at": now() - DAY},
}
"""Articles that nobody from outside may ever see."""
WARRANTY = """You have **two years** of warranty on every stove.

## What is covered

Parts and work.

## What is not

| damage | covered |
| --- | --- |
| a fall | no |

## What is covered

[Ask](https://example.com) when unsure."""


def article(key: str, lang: str = "en", title: str = "", body: str = "", **values: Any) -> Any:
    """An operation that makes one."""
    given = {"key": key, "lang": lang, "title": title or f"Zebra {key}", "body": body or "Zebra stripes."}

    def make(tx: Tx) -> str:
        return create(tx, ARTICLE, {"status": "published", **given, **values})

    return make


@pytest.fixture(scope="module")
def centre(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """A business that speaks English, Hindi and Urdu, and has one article in Tamil."""
    with running(tmp_path_factory.mktemp("help"), languages="en,hi,ur") as made:
        write = made.app.store.write_now
        for key, values in HIDDEN.items():
            write(article(key, **values), SYSTEM)
        write(article("old-offers", title="Zebra offers", status="archived"), SYSTEM)
        write(
            article("warranty", title="How long is the <warranty>?", body=WARRANTY, category="Buying"), SYSTEM
        )
        write(article("warranty", "hi", "वारंटी कितनी है?", "हर चूल्हे पर दो साल।", category="ख़रीदना"), SYSTEM)
        write(article("returns", title="Can I return a stove?", category="Buying"), SYSTEM)
        write(article("opening", title="When are you open?", body="From ten to seven."), SYSTEM)
        write(article("opening", "ta", "எப்போது திறந்திருக்கும்?", "பத்து மணி முதல் ஏழு மணி வரை."), SYSTEM)
        made.do(made.app.library.refresh())
        yield made


@pytest.fixture
async def http(centre: Site) -> AsyncIterator[aiohttp.ClientSession]:
    proxied = {"X-Forwarded-For": "203.0.113.7"}
    async with aiohttp.ClientSession(centre.url, headers=proxied) as session:
        yield session


async def text(http: aiohttp.ClientSession, path: str, status: int = 200) -> str:
    async with http.get(path) as answer:
        assert answer.status == status, path
        return await answer.text()


# --- what is shown ---------------------------------------------------------------------------------


async def test_what_is_not_for_everybody_is_nowhere(http: aiohttp.ClientSession) -> None:
    for key in HIDDEN:
        assert f"Zebra {key}" not in await text(http, f"/help/en/{key}", 404)
    pages = [
        "/help/en",
        "/help/hi",
        "/help/en/search?q=zebra+stripes",
        "/help/en/warranty",
        "/help/sitemap.xml",
    ]
    for path in [*pages, "/help/en/suggest?q=zebra+stripes", "/help/en/category/Buying"]:
        page = await text(http, path)
        assert [key for key in (*HIDDEN, "old-offers") if key in page] == [], path


async def test_what_was_archived_is_gone_with_a_search_and_what_is_near(http: aiohttp.ClientSession) -> None:
    page = await text(http, "/help/en/old-offers", 410)
    assert "no longer there" in page and 'role="search"' in page and "noindex" in page
    assert "canonical" not in page
    assert "यह लेख अब यहाँ नहीं है" in await text(http, "/help/hi/old-offers", 410)
    assert "ऐसा कोई पन्ना नहीं है" in await text(http, "/help/hi/none", 404)


async def test_the_front_page_lists_topics_and_the_rest(http: aiohttp.ClientSession) -> None:
    page = await text(http, "/help/en")
    assert "/help/en/category/Buying" in page and "2 articles" in page and "More articles" in page
    assert "When are you open?" in page and "How long is the" not in page
    listed = await text(http, "/help/en/category/Buying")
    assert "How long is the &lt;warranty&gt;?" in listed and "Can I return" in listed
    assert "वारंटी" in await text(http, f"/help/hi/category/{quote('ख़रीदना')}")
    await text(http, "/help/en/category/None", 404)
    # An article that stands in is filed where its readers look for it.
    hindi = await text(http, f"/help/hi/category/{quote('ख़रीदना')}")
    assert "Can I return a stove?" in hindi and "Buying" not in await text(http, "/help/hi")


async def test_an_article_has_places_relatives_and_a_way_to_ask(http: aiohttp.ClientSession) -> None:
    page = await text(http, "/help/en/warranty")
    assert "How long is the &lt;warranty&gt;?" in page and "<strong>two years</strong>" in page
    assert '<h2 id="what-is-covered"><a href="#what-is-covered"' in page and 'id="what-is-covered-2"' in page
    assert "<table>" in page and "Can I return a stove?" in page and "/?lang=en" in page
    assert 'href="/help/hi/warranty"' in page and 'href="/help/ur/warranty"' not in page


async def test_where_a_translation_lacks_the_page_says_so(http: aiohttp.ClientSession) -> None:
    page = await text(http, "/help/ur/warranty")
    assert '<html lang="ur" dir="rtl">' in page and '<article lang="en" dir="ltr"' in page
    assert "یہ مضمون ابھی اردو میں نہیں ہے" in page
    assert '/help/en/warranty">' in page.partition('rel="canonical"')[2][:80]
    tamil = await text(http, "/help/ta/opening")
    assert "எப்போது" in tamil and '<html lang="en"' in tamil and '<article lang="ta" dir="ltr"' in tamil
    assert "தமிழ்" in await text(http, "/help/en") and "தமிழ்" not in await text(http, "/help/en/warranty")


@pytest.mark.parametrize(
    ("accept", "wanted"),
    [("hi-IN,hi;q=0.9", "/help/hi"), ("ta", "/help/ta"), ("fr", "/help/en"), ("", "/help/en")],
)
async def test_the_reader_is_led_to_their_language(
    http: aiohttp.ClientSession, accept: str, wanted: str
) -> None:
    async with http.get("/help", headers={"Accept-Language": accept}, allow_redirects=False) as answer:
        assert answer.status == 302 and answer.headers["Location"] == wanted
        assert "Accept-Language" in answer.headers["Vary"]


# --- searching -------------------------------------------------------------------------------------


async def test_a_search_finds_in_the_readers_language_first(http: aiohttp.ClientSession) -> None:
    page = await text(http, "/help/en/search?q=how+long+warranty+stove")
    assert "/help/en/warranty" in page and "two years" in page and "noindex" in page
    assert "वारंटी कितनी है" in await text(http, f"/help/hi/search?q={quote('वारंटी')}")
    assert "Nothing fits “&lt;xyzzy&gt;”" in await text(http, "/help/en/search?q=%3Cxyzzy%3E")
    assert 'role="search"' in await text(http, "/help/en/search")
    longest = await text(http, f"/help/en/search?q={'w' * 5000}")
    assert "w" * 200 in longest and "w" * 201 not in longest


async def test_suggestions_are_few_and_for_any_page(http: aiohttp.ClientSession) -> None:
    async with http.get(
        "/help/hi/suggest?q=stove+warranty", headers={"Origin": "https://shop.example"}
    ) as answer:
        assert answer.status == 200 and answer.headers["Access-Control-Allow-Origin"] == "*"
        assert "max-age" in answer.headers["Cache-Control"]
        found = (await answer.json())["articles"]
    assert (
        found[0] == {"title": "वारंटी कितनी है?", "lang": "hi", "url": "/help/hi/warranty"} and len(found) <= 3
    )
    async with http.get("/help/en/suggest") as answer:
        assert (await answer.json())["articles"] == []
    await text(http, "/help/xx/suggest?q=a", 404)


async def test_a_flood_from_one_address_is_bounded(
    http: aiohttp.ClientSession, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("bot.web.pages.help.pages.LOOKS_A_MINUTE", 2)
    path, statuses = "/help/en/search?q=warranty", []
    for host in ("203.0.113.8", "203.0.113.8", "203.0.113.8", "203.0.113.9"):
        async with http.get(path, headers={"X-Forwarded-For": host}) as answer:
            statuses.append(answer.status)
    assert statuses == [200, 200, 429, 200]
    async with http.get("/help/en/warranty", headers={"X-Forwarded-For": "203.0.113.8"}) as answer:
        assert answer.status == 200


# --- browsers and search engines -------------------------------------------------------------------


async def test_pages_are_kept_without_cookies_until_they_change(
    centre: Site, http: aiohttp.ClientSession
) -> None:
    for path in ("/help/en", "/help/en/warranty", "/help/en/category/Buying", "/help/sitemap.xml"):
        async with http.get(path) as answer:
            headers = answer.headers
            assert "Set-Cookie" not in headers and headers["Cache-Control"].startswith("public, max-age=")
        for name, value in (("If-None-Match", "ETag"), ("If-Modified-Since", "Last-Modified")):
            async with http.get(path, headers={name: headers[value]}) as answer:
                assert answer.status == 304 and answer.headers["ETag"] == headers["ETag"], (path, name)
    async with http.get("/help/en/returns") as answer:
        tag = answer.headers["ETag"]
    centre.app.store.write_now(
        save_article, SYSTEM, "returns", "en", "Can I return a stove?", "Yes, you can."
    )
    async with http.get("/help/en/returns", headers={"If-None-Match": tag}) as answer:
        assert answer.status == 200 and "Yes, you can." in await answer.text()


async def test_search_engines_are_told_the_addresses(centre: Site, http: aiohttp.ClientSession) -> None:
    base = centre.app.settings.public_url
    page = await text(http, "/help/hi/warranty")
    for line in (
        f'<link rel="canonical" href="{base}/help/hi/warranty">',
        f'<link rel="alternate" hreflang="en" href="{base}/help/en/warranty">',
        f'<link rel="alternate" hreflang="x-default" href="{base}/help/en/warranty">',
        '<meta property="og:title" content="वारंटी कितनी है?">',
        '<meta property="og:description" content="हर चूल्हे पर दो साल।">',
        '<meta property="og:type" content="article">',
    ):
        assert line in page
    space = {"s": "http://www.sitemaps.org/schemas/sitemap/0.9"}
    tree = ElementTree.fromstring(await text(http, "/help/sitemap.xml"))
    found = {one.text for one in tree.findall("s:url/s:loc", space)}
    paths = (
        "/en",
        "/hi",
        "/ur",
        "/ta",
        "/en/warranty",
        "/hi/warranty",
        "/en/returns",
        "/en/opening",
        "/ta/opening",
    )
    assert found == {f"{base}/help{path}" for path in paths}


# --- whether it was useful -------------------------------------------------------------------------


def votes_of(tx: Tx, key: str) -> list[Record]:
    table, articles = ARTICLE_VOTE.table, ARTICLE.table
    joined = sa.select(table).join(articles, articles.c.id == table.c.article_id)
    return tx.rows(joined.where(articles.c.key == key))


async def test_a_reader_votes_once_and_may_change_their_mind(
    centre: Site, http: aiohttp.ClientSession
) -> None:
    assert 'name="helpful" value="yes"' in await text(http, "/help/en/opening")
    for data, voted, shown in (
        ({"helpful": "yes"}, "yes", "Would you like to add"),
        ({"helpful": "no"}, "no", "What is missing"),
        ({"helpful": "no", "comment": " Sundays?\x00 "}, "told", "We read every remark"),
        ({"helpful": "no"}, "no", "What is missing"),
    ):
        async with http.post("/help/en/opening/useful", data=data, allow_redirects=False) as answer:
            location = answer.headers["Location"]
            assert answer.status == 303 and location == f"/help/en/opening?voted={voted}#useful"
            assert "Set-Cookie" not in answer.headers
        page = await text(http, location)
        assert shown in page and "noindex" in page
    (row,) = centre.app.store.read_now(votes_of, SYSTEM, "opening")
    assert (row["helpful"], row["comment"], row["lang"]) == (False, "Sundays?", "en")
    assert len(row["voter"]) == 64
    other = {"User-Agent": "another reader"}
    async with http.post("/help/ta/opening/useful", data={"helpful": "yes"}, headers=other) as answer:
        assert answer.status == 200
    assert len(centre.app.store.read_now(votes_of, SYSTEM, "opening")) == 2


@pytest.mark.parametrize(
    ("path", "data", "headers", "status"),
    [
        ("/help/en/opening/useful", {"helpful": "perhaps"}, {}, 400),
        ("/help/en/opening/useful", {}, {}, 400),
        ("/help/en/for-agents/useful", {"helpful": "yes"}, {}, 404),
        ("/help/en/old-offers/useful", {"helpful": "yes"}, {}, 404),
        ("/help/xx/opening/useful", {"helpful": "yes"}, {}, 404),
        ("/help/en/returns/useful", {"helpful": "yes"}, {"Origin": "https://elsewhere.example"}, 403),
        ("/help/en/returns/useful", {"helpful": "yes"}, {"Origin": "null"}, 403),
    ],
)
async def test_a_vote_that_does_not_count(
    http: aiohttp.ClientSession, path: str, data: dict[str, str], headers: dict[str, str], status: int
) -> None:
    async with http.post(path, data=data, headers=headers) as answer:
        assert answer.status == status


# --- on both databases -----------------------------------------------------------------------------


def test_the_shelf_follows_every_change(store: Store) -> None:
    def shelf(known: Shelf) -> Shelf:
        return store.read_now(look, SYSTEM, known)

    def change(tx: Tx, **values: Any) -> None:
        update(tx, ARTICLE, get(tx, ARTICLE, first), values)

    empty = shelf(Shelf())
    first = store.write_now(article("one", title="One way"), SYSTEM)
    store.write_now(article("two", title="Two ways", category="X", publish_at=now() - DAY), SYSTEM)
    full = shelf(empty)
    assert [card.key for card in full.cards] == ["one", "two"] and shelf(full) is full
    store.write_now(change, SYSTEM, title="One more way")
    changed = shelf(full)
    assert changed.ids[first].title == "One more way"
    store.write_now(change, SYSTEM, audience="agents")
    assert [card.key for card in shelf(changed).cards] == ["two"]
    store.write_now(change, SYSTEM, audience="public", expires_at=now() + DAY)
    back = shelf(changed)
    assert len(back.cards) == 2 and back.related(back.ids[first], ("en",))[0].key == "two"
    store.write_now(vote, SYSTEM, first, "a" * 64, "en", helpful=True)
    store.write_now(vote, SYSTEM, first, "b" * 64, "hi", helpful=True, comment="Call me on 98765 43210")
    store.write_now(vote, SYSTEM, first, "a" * 64, "en", helpful=False)
    assert store.read_now(look, SYSTEM, Shelf()).useful == {"one": 0}
    told = store.read_now(
        lambda tx: tx.rows(sa.select(events).where(events.c.entity == "article_votes")), SYSTEM
    )
    assert len(told) == 3 and "98765" not in str([row["changes"] for row in told])
    with pytest.raises(NotFound):
        store.write_now(change, SYSTEM, status="archived")
        store.write_now(vote, SYSTEM, first, "a" * 64, "en", helpful=True)


@pytest.mark.parametrize("key", sorted(TAKEN_KEYS))
def test_an_article_does_not_take_a_pages_address(store: Store, key: str) -> None:
    with pytest.raises(InvalidInput):
        store.write_now(article(key), SYSTEM)


# --- pure ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("lang", "wanted"),
    [
        ("hi-Latn", ("hi-Latn", "en", "hi", "ur")),
        ("ur", ("ur", "en", "hi")),
        ("en", ("en", "hi", "ur")),
        ("ta", ("ta", "en", "hi", "ur")),
    ],
)
def test_languages_in_their_order(lang: str, wanted: tuple[str, ...]) -> None:
    assert order(lang, ("hi", "ur", "en"))[: len(wanted)] == wanted


@pytest.mark.parametrize(
    ("body", "html", "start"),
    [
        ("## Main\n\nx", '<h2 id="main-2"><a href="#main-2">Main</a></h2>\n<p>x</p>\n', "x"),
        (
            "## वापसी कैसे?\n\nबस लिखें।",
            '<h2 id="वापसी-कैसे"><a href="#वापसी-कैसे">वापसी कैसे?</a></h2>\n<p>बस लिखें।</p>\n',
            "बस लिखें।",
        ),
        ("### ?\n", '<h3 id="h3"><a href="#h3">?</a></h3>\n', ""),
        ("# Big & <b>\n", '<h2 id="big-b"><a href="#big-b">Big &amp; &lt;b&gt;</a></h2>\n', ""),
        ("a\n\n| b | c |\n| --- | --- |\n| d | e |", None, "a b c d e"),
        ("word " * 60, None, ("word " * 35).strip() + "…"),
    ],
)
def test_an_articles_text(body: str, html: str | None, start: str) -> None:
    made = read(body)
    assert html in (None, made.html) and made.start == start


def test_a_heading_that_is_a_link_stays_one() -> None:
    assert read("## [Here](https://example.com)").html.count("<a ") == 1
