"""The widget in a real browser, on a shop's page of another origin with a strict Content-Security-Policy."""

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import axe_playwright_python
import pytest

from bot.crm.article import save_article
from bot.ids import new_id
from bot.records.actor import SYSTEM
from tests.support.recordings import picture
from tests.web.conftest import Site, running
from tests.web.shop import Shop, Visitor, open_shop, user_token

AXE = (Path(axe_playwright_python.__file__).parent / "axe.min.js").read_text("utf-8")
PDF = {"name": "the bill of September.pdf", "mimeType": "application/pdf", "buffer": b"%PDF-1.4 bill"}
PNG = {"name": "stove.png", "mimeType": "image/png", "buffer": picture("PNG")}


@pytest.fixture(scope="module")
def chat(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """The program with Urdu among its languages."""
    with running(tmp_path_factory.mktemp("chat"), languages="en,hi,hi-Latn,ur") as made:
        yield made


@pytest.fixture(scope="module")
def articles(chat: Site) -> None:
    """One article, in English and Urdu."""
    for lang, title, body in (
        ("en", "Fridge warranty", "The warranty of a fridge is two years."),
        ("ur", "فریج کی وارنٹی", "فریج کی وارنٹی دو سال ہے۔"),
    ):
        chat.app.store.write_now(save_article, SYSTEM, "fridge", lang, title, body)
    chat.do(chat.app.library.refresh())


@pytest.fixture
def shop(chat: Site) -> Iterator[Shop]:
    """A shop that embeds it, and allows no more than it must."""
    with open_shop(chat.url) as made:
        made.strict()
        yield made


@pytest.fixture
def visit(chat: Site, shop: Shop, browser: Any) -> Iterator[Callable[..., Visitor]]:
    """`visit(width)`: a new visitor on the shop's page; `visit(of=one)`: the same one in another tab."""
    made = []

    def go(width: int = 1440, of: Visitor | None = None, **options: Any) -> Visitor:
        if of is None:
            made.append(browser.new_context(viewport={"width": width, "height": 800}, **options))
        page = (of.page.context if of else made[-1]).new_page()
        page.set_default_timeout(15_000)
        visitor = Visitor(page, chat)
        page.goto(shop.url)
        visitor.connected()
        return visitor

    yield go
    for context in made:
        context.close()


def serious(visitor: Visitor) -> list[str]:
    """What axe-core finds that keeps people out."""
    found = visitor.page.evaluate("async () => (await axe.run()).violations")
    return [
        f"{one['id']}: {node['html'][:120]}"
        for one in found
        if one["impact"] in ("serious", "critical")
        for node in one["nodes"]
    ]


def policy_breaches(visitor: Visitor) -> list[str]:
    """What the browser said against the page's policy, and what failed in the script."""
    return [told for told in visitor.told if "Content Security Policy" in told or told.startswith("error: ")]


# --- accessibility ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("lang", "scheme"), [("en", "light"), ("hi", "light"), ("ur", "light"), ("ur", "dark")]
)
@pytest.mark.parametrize("width", [390, 1440])
def test_nobody_is_kept_out(shop: Shop, visit: Any, width: int, lang: str, scheme: str) -> None:
    shop.lang, shop.attributes = lang, {"greet-after": "0"}
    visitor = visit(width, color_scheme=scheme, reduced_motion="reduce", bypass_csp=True)
    page, widget = visitor.page, visitor.widget
    page.evaluate(AXE)
    widget.locator(".greeting").wait_for()
    assert serious(visitor) == []
    visitor.open()
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    visitor.write("Hello, 0300 11 22 33 44 55")
    widget.locator(".choice").first.wait_for()
    assert serious(visitor) == []
    widget.locator("input[type=file]").set_input_files([PDF, {**PDF, "name": "a.exe", "mimeType": "x/y"}])
    widget.locator(".chip.bad .fault").wait_for()
    visitor.uploaded()
    assert serious(visitor) == []
    visitor.write("The bill")
    widget.locator(".mine .file").wait_for()
    visitor.write("I want to talk to a person")
    widget.locator(".reach").wait_for()
    widget.locator(".reach button").click()
    widget.locator(".reach .fault").wait_for()
    assert serious(visitor) == []
    page.context.set_offline(True)
    page.evaluate("window.Samvad.setUser(null)")  # the line ends
    widget.locator(".state").wait_for()
    assert serious(visitor) == []
    assert widget.locator(".shell").get_attribute("dir") == ("rtl" if lang == "ur" else "ltr")
    if lang == "ur":
        send, attach = (widget.locator(name).bounding_box() for name in (".send", ".attach"))
        assert send["x"] < attach["x"]
        assert widget.locator(".text bdi").first.get_attribute("dir") == "ltr"


@pytest.mark.parametrize("width", [390, 1440])
def test_everything_by_keyboard(visit: Any, width: int) -> None:
    visitor = visit(width)
    page, widget = visitor.page, visitor.widget
    active = "document.activeElement.shadowRoot?.activeElement.className"
    page.keyboard.press("Tab")
    assert page.evaluate(active) == "launcher"
    page.keyboard.press("Enter")
    page.keyboard.type("Hello")
    page.keyboard.press("Enter")
    widget.locator(".choice").first.wait_for()
    seen = set()
    for _ in range(14):
        page.keyboard.press("Tab")
        seen.add(page.evaluate(active))
    assert {"close", "log", "choice", "attach", "send", ""} <= seen and "launcher" not in seen
    page.keyboard.press("Shift+Tab")
    assert page.evaluate("document.activeElement.id") == "samvad-widget"
    page.keyboard.press("Escape")
    assert page.evaluate(active) == "launcher" and widget.get_by_role("dialog").count() == 0
    assert widget.locator(".log").get_attribute("aria-live") == "polite"


# --- a strict host ---------------------------------------------------------------------------------


def test_a_strict_policy_is_enough_for_all_it_does(visit: Any) -> None:
    visitor = visit()
    visitor.open()
    visitor.widget.locator("input[type=file]").set_input_files([PDF, PNG])
    visitor.widget.locator(".chip").nth(1).wait_for()
    visitor.uploaded()  # while a file is on its way, Enter does nothing
    visitor.write("Two files")
    visitor.widget.locator(".mine .bubble img").wait_for()
    shown = "document.querySelector('#samvad-widget').shadowRoot.querySelector('.mine .bubble img')"
    visitor.until(f"{shown}.naturalWidth > 0")
    visitor.widget.locator(".mine[data-own=seen] .file").nth(1).wait_for()
    visitor.page.evaluate(
        "document.body.append(Object.assign(document.createElement('script'), {text: 'x'}))"
    )
    visitor.hears("Content Security Policy")  # the policy is in force
    assert len(policy_breaches(visitor)) == 1


def test_the_hosts_style_does_not_reach_it(visit: Any) -> None:
    visitor = visit()
    color = visitor.widget.locator(".launcher").evaluate("(e) => getComputedStyle(e).color")
    assert color == "rgb(255, 255, 255)"


# --- files -----------------------------------------------------------------------------------------


def test_a_file_that_is_too_large_never_leaves_and_says_why(shop: Shop, visit: Any, tmp_path: Path) -> None:
    shop.attributes = {"lang": "hi"}
    visitor = visit(390)
    asked: list[str] = []
    visitor.page.on("request", lambda request: asked.append(request.method + request.url))
    visitor.open()
    big = tmp_path / "big.png"
    with big.open("wb") as file:
        file.truncate(10 * 1024 * 1024 + 1)
    visitor.widget.locator("input[type=file]").set_input_files(big)
    files = [{**PDF, "name": "a.exe", "mimeType": "application/x-msdownload"}, {**PDF, "buffer": b""}]
    visitor.widget.locator("input[type=file]").set_input_files(files)
    faults = visitor.widget.locator(".chip .fault")
    assert "10 MB" in faults.nth(0).inner_text() and "तस्वीर" in faults.nth(1).inner_text()
    assert "खाली" in faults.nth(2).inner_text()
    assert not any("/widget/files" in url for url in asked)
    visitor.widget.locator(".chip button").first.click()
    assert visitor.widget.locator(".chip").count() == 2


def test_files_are_pasted_and_dropped_and_a_failed_upload_is_tried_again(chat: Site, visit: Any) -> None:
    visitor = visit()
    visitor.open()
    transfer = """(type) => {
        const data = new DataTransfer();
        data.items.add(new File(['%PDF-1.4 x'], `${type}.pdf`, {type: 'application/pdf'}));
        const root = document.querySelector('#samvad-widget').shadowRoot;
        const event = type === 'paste'
            ? new ClipboardEvent('paste', {clipboardData: data, bubbles: true, cancelable: true})
            : new DragEvent('drop', {dataTransfer: data, bubbles: true, cancelable: true});
        root.querySelector('textarea').dispatchEvent(event);
    }"""
    visitor.page.route(f"{chat.url}/widget/files*", lambda route: route.abort())
    visitor.page.evaluate(transfer, "paste")
    visitor.widget.get_by_role("button", name="Try again").wait_for()
    visitor.page.unroute_all()
    visitor.widget.get_by_role("button", name="Try again").click()
    visitor.page.evaluate(transfer, "drop")
    visitor.widget.locator(".chip").nth(1).wait_for()
    visitor.uploaded()
    visitor.widget.locator(".send").click()
    visitor.widget.locator(".mine[data-own=seen] .file").nth(1).wait_for()
    assert visitor.widget.locator(".mine .file").all_inner_texts() == ["paste.pdf", "drop.pdf"]


# --- unread ----------------------------------------------------------------------------------------


def test_unread_messages_are_counted_in_every_tab_until_they_are_seen(visit: Any, chat: Site) -> None:
    one = visit()
    one.open()
    one.write("Hello")
    one.widget.locator(".theirs").wait_for()
    one.page.keyboard.press("Escape")
    two = visit(of=one)
    chat.conversation("and one more thing", one.visitor)
    for tab in (one, two):
        tab.until("document.title.startsWith('(1) ')")
        assert tab.widget.locator(".badge").inner_text() == "1"
        assert "1" in (tab.widget.locator(".launcher").get_attribute("aria-label") or "")
    two.page.reload()
    two.until("document.title.startsWith('(1) ')")
    two.open()
    for tab in (one, two):
        tab.until("!document.title.startsWith('(')")
    assert two.page.title() == "Asha's shop" and one.widget.locator(".badge").is_hidden()


# --- a line that breaks ----------------------------------------------------------------------------


def test_what_is_written_while_the_server_is_away_arrives_once_and_in_order(
    chat: Site, tmp_path: Path, browser: Any
) -> None:
    shutil.copytree(chat.app.settings.data_dir / "models", tmp_path / "models")  # need not be trained again
    context = browser.new_context(viewport={"width": 1440, "height": 800})
    with open_shop("") as shop:
        with running(tmp_path) as server:
            shop.samvad = server.url
            visitor = Visitor(context.new_page(), server)
            visitor.page.goto(shop.url)
            visitor.connected()
            visitor.open()
            visitor.write("before")
            visitor.widget.locator(".mine[data-own=seen]").wait_for()
        for text in ("one", "two", "three"):
            visitor.write(text)
        visitor.widget.locator(".state").wait_for()
        assert visitor.widget.locator(".mine[data-own=sending]").count() == 3
        with running(tmp_path, port=server.url.rpartition(":")[2]) as again:
            # The same visitor in another tab: both tabs have the three to send.
            other = Visitor(context.new_page(), again)
            other.page.goto(shop.url)
            for tab in (visitor, other):
                tab.open()
                tab.widget.locator(".mine[data-own=seen]").nth(3).wait_for(timeout=40_000)
                tab.page.wait_for_timeout(500)
                said = tab.widget.locator(".mine .text").all_inner_texts()
                assert said == ["before", "one", "two", "three"]
            third = Visitor(context.new_page(), again)
            third.page.goto(shop.url)
            third.open()
            third.widget.locator(".mine").nth(3).wait_for()
            assert third.widget.locator(".mine .text").all_inner_texts() == said
    context.close()


# --- the site's own look and words ------------------------------------------------------------------


@pytest.mark.parametrize(
    ("color", "text", "choice"),
    [
        ("#ffd400", "rgb(0, 0, 0)", "rgb(27, 33, 31)"),
        ("#7a0bc0", "rgb(255, 255, 255)", "rgb(122, 11, 192)"),
        ("hsl(180 50% 60%)", "rgb(0, 0, 0)", "rgb(27, 33, 31)"),
        ("url(x)", "rgb(255, 255, 255)", "rgb(15, 107, 92)"),
    ],
)
def test_texts_on_the_sites_colour_can_be_read(
    shop: Shop, visit: Any, color: str, text: str, choice: str
) -> None:
    shop.attributes = {"color": color, "theme": "light"}
    visitor = visit(color_scheme="dark")
    seen = visitor.widget.locator(".launcher").evaluate("(e) => getComputedStyle(e).color")
    assert seen == text
    visitor.open()
    visitor.write("Hello")
    assert visitor.widget.locator(".choice").first.evaluate("(e) => getComputedStyle(e).color") == choice
    assert any("data-color" in told for told in visitor.told) is (color == "url(x)")


def test_the_tag_and_the_page_steer_it(shop: Shop, visit: Any) -> None:
    shop.attributes = {
        "position": "left",
        "title": "Ask Asha",
        "welcome": "Namaste!",
        "launcher": "hidden",
        "icon": "help",
        "lang": "hi-Latn",
    }
    visitor = visit()
    assert visitor.widget.locator(".launcher").is_hidden()
    visitor.page.evaluate("window.Samvad.toggle()")
    dialog = visitor.widget.get_by_role("dialog", name="Ask Asha")
    box = dialog.bounding_box()
    assert box is not None and box["x"] == 24
    assert visitor.widget.locator(".hello").inner_text() == "Namaste!"
    assert visitor.widget.locator("textarea").get_attribute("placeholder") == "Message likhein…"
    visitor.page.evaluate("window.Samvad.close()")
    assert dialog.count() == 0 and visitor.widget.locator(".launcher").is_hidden()
    visitor.page.evaluate("window.Samvad.send('Do you deliver?')")
    visitor.widget.locator(".mine[data-own=seen]", has_text="Do you deliver?").wait_for()


# --- the first word --------------------------------------------------------------------------------


def test_a_greeting_is_shown_once_a_day_and_makes_no_conversation(shop: Shop, visit: Any, chat: Site) -> None:
    shop.attributes = {"greeting": "Looking for a wok?", "greet-scroll": "50", "greet-on": "/, /woks/*"}
    visitor = visit()
    bubble = visitor.widget.locator(".greeting")
    visitor.page.wait_for_timeout(200)
    assert bubble.is_hidden()
    visitor.page.evaluate("window.scrollTo(0, 3000)")
    bubble.wait_for()
    assert visitor.widget.locator("[role=status].hidden").inner_text() == "Looking for a wok?"
    assert visitor.page.evaluate("document.activeElement === document.body")
    visitor.widget.get_by_role("button", name="Dismiss").click()
    assert bubble.is_hidden()
    again = visit(of=visitor)
    again.page.evaluate("window.scrollTo(0, 3000)")
    again.page.wait_for_timeout(300)
    assert again.widget.locator(".greeting").is_hidden()
    again.open()
    assert again.widget.locator(".theirs").count() == 0
    shop.attributes["greet-on"] = "/woks/*"
    elsewhere = visit()
    elsewhere.page.evaluate("window.scrollTo(0, 3000)")
    elsewhere.page.wait_for_timeout(300)
    assert elsewhere.widget.locator(".greeting").is_hidden()


# --- who it is -------------------------------------------------------------------------------------


def test_one_browser_two_users_and_nobody_sees_the_other(shop: Shop, visit: Any) -> None:
    anna, ben = user_token(f"anna-{new_id()}"), user_token(f"ben-{new_id()}")
    visitor = visit()
    visitor.open()
    visitor.write("Anna before she signed in")
    visitor.widget.locator(".mine[data-own=seen]").wait_for()
    visitor.page.evaluate("(token) => window.Samvad.setUser(token)", anna)
    visitor.write("Anna signed in")
    visitor.widget.locator(".mine[data-own=seen]").nth(1).wait_for()
    visitor.page.evaluate("(token) => window.Samvad.setUser(token)", ben)
    visitor.widget.locator(".mine").first.wait_for(state="detached")
    visitor.write("This is Ben")
    visitor.widget.locator(".mine[data-own=seen]").wait_for()
    shop.attributes = {"user": anna}
    later = visit(of=visitor)
    visitor.widget.wait_for(state="hidden")  # Ben's tab is out of date
    later.open()
    later.widget.locator(".mine").nth(1).wait_for()
    assert later.widget.locator(".mine .text").all_inner_texts() == [
        "Anna before she signed in",
        "Anna signed in",
    ]
    shop.attributes = {}
    nobody = visit(of=visitor)
    nobody.open()
    nobody.page.wait_for_timeout(400)
    assert nobody.widget.locator(".mine").count() == 0
    shop.attributes = {"user": user_token("x", minutes=-10)}
    late = visit()
    late.hears("warning: Samvad", "expired")


def test_a_draft_does_not_pass_from_one_user_to_the_next(visit: Any) -> None:
    visitor = visit()
    anna, ben = user_token(f"anna-{new_id()}"), user_token(f"ben-{new_id()}")
    visitor.page.evaluate("(token) => window.Samvad.setUser(token)", anna)
    visitor.open()
    visitor.write("I want to talk to a person")
    visitor.widget.locator(".reach").wait_for()
    visitor.widget.locator("#reach").fill("anna@shop.example")
    visitor.widget.locator("input[type=file]").set_input_files([PDF])
    visitor.uploaded()
    visitor.widget.locator("textarea").fill("My card is 4111")
    visitor.page.evaluate("(token) => window.Samvad.setUser(token)", ben)
    visitor.widget.locator(".mine").first.wait_for(state="detached")
    assert visitor.widget.locator("textarea").input_value() == ""
    assert visitor.widget.locator("#reach").input_value() == ""
    assert visitor.widget.locator(".chip").count() == 0


def test_a_page_that_stood_open_too_long_keeps_all_it_has(shop: Shop, visit: Any) -> None:
    user = f"anna-{new_id()}"
    shop.attributes = {"user": user_token(user)}
    visitor = visit()
    visitor.open()
    visitor.write("Anna signed in")
    visitor.widget.locator(".mine[data-own=seen]").wait_for()
    other = visit(of=visitor)
    late = user_token(user, minutes=-5)
    visitor.page.context.set_offline(True)
    visitor.page.evaluate("(token) => window.Samvad.setUser(token)", late)
    visitor.write("Are you there?")
    visitor.widget.locator(".mine[data-own=sending]").wait_for()
    visitor.page.context.set_offline(False)
    visitor.widget.locator(".mine[data-own=seen]").nth(1).wait_for()
    assert not other.page.evaluate("document.querySelector('#samvad-widget').hidden")
    # Where the browser lost the token that was bound, nobody is let in; still nothing is thrown away.
    visitor.page.evaluate(
        "Object.keys(localStorage).filter((k) => k.endsWith(':token')).forEach((k) => delete localStorage[k])"
    )
    visitor.page.evaluate("(token) => window.Samvad.setUser(token)", late)
    visitor.connected()
    visitor.page.wait_for_timeout(300)
    assert not other.page.evaluate("document.querySelector('#samvad-widget').hidden")
    kept = visitor.page.evaluate("Object.keys(localStorage).filter((k) => k.endsWith(':who')).length")
    assert kept == 1


# --- articles while one writes ----------------------------------------------------------------------


def test_articles_are_offered_while_a_first_message_is_written(
    chat: Site, shop: Shop, visit: Any, articles: None
) -> None:
    shop.attributes = {"lang": "ur"}
    visitor = visit(390)
    page, offers = visitor.page, visitor.widget.locator(".offers")
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    visitor.open()
    field = visitor.widget.locator("textarea")
    field.fill("فریج")
    page.wait_for_timeout(900)
    assert not any("suggest" in url for url in asked) and offers.is_hidden()
    field.press_sequentially(" کی وارنٹی", delay=10)
    offers.wait_for()
    assert len([url for url in asked if "suggest" in url]) == 1  # once, when the writing paused
    link = offers.locator("a").first
    assert (
        "فریج کی وارنٹی" in link.inner_text() and link.get_attribute("href") == f"{chat.url}/help/ur/fridge"
    )
    assert visitor.widget.locator("[role=status].hidden").inner_text() == "شاید ان میں سے کوئی کام آئے:"
    field.focus()
    page.keyboard.press("Shift+Tab")  # the clip
    page.keyboard.press("Shift+Tab")
    with page.context.expect_page() as opened:
        page.keyboard.press("Enter")
    opened.value.locator("article h1").wait_for()
    assert opened.value.locator("html").get_attribute("lang") == "ur"
    opened.value.close()
    visitor.widget.locator(".send").click()
    visitor.widget.locator(".mine[data-own=seen]").wait_for()
    assert offers.is_hidden()
    asked.clear()
    field.fill("فریج کی وارنٹی کتنی")
    page.wait_for_timeout(900)
    assert offers.is_hidden() and not any("suggest" in url for url in asked)
    assert policy_breaches(visitor) == []


def test_offers_are_sent_away_for_good(visit: Any, articles: None) -> None:
    visitor = visit(bypass_csp=True)
    visitor.page.evaluate(AXE)
    visitor.open()
    field, offers = visitor.widget.locator("textarea"), visitor.widget.locator(".offers")
    field.fill("fridge warranty")
    offers.wait_for()
    assert serious(visitor) == []
    offers.get_by_role("button", name="Dismiss").click()
    assert visitor.page.evaluate("document.activeElement.shadowRoot.activeElement.tagName") == "TEXTAREA"
    field.fill("fridge warranty of the fridge")
    visitor.page.wait_for_timeout(900)
    assert offers.is_hidden()


def test_nothing_is_offered_while_a_person_talks(chat: Site, visit: Any, articles: None) -> None:
    visitor = visit()
    visitor.open()
    visitor.write("I want to talk to a person")
    visitor.widget.locator(".reach").wait_for()
    visitor.widget.locator("textarea").fill("fridge warranty please")
    visitor.page.wait_for_timeout(900)
    assert visitor.widget.locator(".offers").is_hidden()
