"""A customer and an agent, each in a real browser."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import expect

from bot.ids import new_id
from tests.support.recordings import picture
from tests.web.conftest import BUSY, PASSWORD, Site, until

LIVE = """window.EventSource = class extends EventSource {
    constructor(...given) {
        super(...given);
        this.addEventListener("ready", () => { document.documentElement.dataset.live = "true"; });
    }
};"""
"""Write on a page's root that its line to the console's news is up."""


@pytest.fixture
def pages(browser: Any) -> Iterator[Any]:
    """`pages(width)` is a page of a fresh browser profile; what its console complains of fails the test."""
    wrong: list[str] = []
    contexts = []

    def make(width: int = 1280, **options: Any) -> Any:
        context = browser.new_context(viewport={"width": width, "height": 860}, **options)
        contexts.append(context)
        context.add_init_script(LIVE)
        page = context.new_page()
        page.on("pageerror", lambda error: wrong.append(str(error)))
        page.on("console", lambda message: wrong.append(message.text) if message.type == "error" else None)
        return page

    yield make
    for context in contexts:
        context.close()
    assert wrong == []


def sign_in(page: Any, site: Site, email: str) -> None:
    page.goto(f"{site.url}/console")
    page.fill("#email", email)
    page.fill("#password", PASSWORD)
    page.click("button[type=submit]")
    page.wait_for_url("**/console/conversations*")


def settled(page: Any) -> None:
    """Wait until a room hears the news, and all that it asked for is there and wired."""
    page.locator("[data-live]").wait_for()
    expect(page.locator(BUSY)).to_have_count(0)


def write(page: Any, text: str) -> None:
    page.locator("#samvad-widget textarea").fill(text)
    page.keyboard.press("Enter")


def test_a_customer_is_answered_by_an_agent_live(site: Site, pages: Any) -> None:
    mark = new_id()[-8:]
    customer = pages(1440)
    customer.goto(f"{site.url}/?lang=en")
    widget = customer.locator("#samvad-widget")
    write(customer, f"Hello, I am order {mark}")
    widget.locator(".theirs").first.wait_for()
    expect(widget.locator(".mine .tick").first).to_have_attribute("aria-label", "Received")
    customer.reload()
    widget.locator(".mine", has_text=mark).wait_for()

    agent = pages(1440)
    sign_in(agent, site, site.user("agent", "Desk"))
    agent.goto(f"{site.url}/console/conversations?tab=waiting")
    settled(agent)
    visitor = customer.evaluate(
        "JSON.parse(localStorage.getItem(Object.keys(localStorage).find((k) => k.endsWith(':token'))))"
    ).split(".")[0]
    write(customer, "I want to talk to a person")
    row = agent.locator(".row", has_text=f"Visitor {visitor[-4:]}")
    row.wait_for()  # without a reload
    row.focus()
    agent.keyboard.press("Enter")
    agent.locator(".message", has_text=mark).wait_for()
    settled(agent)
    agent.get_by_role("button", name="Take over").click()
    agent.get_by_role("button", name="Hand back").wait_for()
    agent.fill("#composer textarea", f"Your order {mark} leaves today")
    agent.reload()  # the draft is kept
    expect(agent.locator("#composer textarea")).to_have_value(f"Your order {mark} leaves today")
    agent.focus("#composer textarea")
    agent.keyboard.press("Control+Enter")
    widget.locator(".theirs", has_text=f"Your order {mark} leaves today").wait_for()
    agent.locator(".message.outbound", has_text="leaves today").wait_for()
    expect(agent.locator("#composer textarea")).to_have_value("")
    write(customer, "Thank you so much")
    agent.locator(".message.inbound", has_text="Thank you so much").wait_for()
    assert widget.locator(".theirs").last.inner_text().count("leaves today") == 1  # the bot is silent


def test_what_is_written_without_a_line_goes_out_later_and_once(site: Site, pages: Any) -> None:
    customer = pages(1440)
    customer.goto(f"{site.url}/?lang=en")
    widget = customer.locator("#samvad-widget")
    until(customer, "localStorage.length > 0")
    customer.route_web_socket("**/widget/ws", lambda line: line.close())
    customer.reload()
    write(customer, "Is the shop open on Sunday?")
    widget.locator(".mine[data-own=sending]").wait_for()
    widget.locator(".state").wait_for()
    customer.unroute_all()
    page = customer.context.new_page()
    page.goto(f"{site.url}/?lang=en")
    again = page.locator("#samvad-widget .mine")
    page.locator("#samvad-widget .mine[data-own=seen]").wait_for()
    assert again.count() == 1


def test_the_widget_by_keyboard_on_a_phone(site: Site, pages: Any) -> None:
    phone = pages(390, color_scheme="dark", reduced_motion="reduce")
    phone.goto(f"{site.url}/?lang=hi")
    opener = phone.get_by_role("button", name="चैट खोलें")
    opener.focus()
    phone.keyboard.press("Enter")
    dialog = phone.get_by_role("dialog")
    box = dialog.bounding_box()
    assert box is not None and box["width"] == 390 and dialog.get_attribute("aria-modal") == "true"
    for _ in range(12):
        phone.keyboard.press("Tab")
        assert phone.evaluate("document.activeElement.id") == "samvad-widget"
    phone.keyboard.press("Escape")
    opener.wait_for()
    assert phone.evaluate("document.activeElement.shadowRoot.activeElement.className") == "launcher"


@pytest.mark.parametrize("width", [390, 1440])
def test_rooms_fit_their_screen_and_name_their_fields(site: Site, pages: Any, width: int) -> None:
    conversation = site.conversation("I want to talk to a person")
    page = pages(width)
    sign_in(page, site, site.user("admin"))
    rooms = (
        "conversations",
        f"conversations/{conversation}",
        "articles",
        "articles/new",
        "start",
        "notifications",
    )
    for room in (*rooms, "channels", "channels/whatsapp", "channels/email", "parked", "business"):
        page.goto(f"{site.url}/console/{room}")
        assert page.evaluate("document.documentElement.scrollWidth") <= width, room
        unnamed = page.evaluate(
            """() => [...document.querySelectorAll(
                'button, a[href], summary, input:not([type=hidden]), select, textarea')]
            .filter((e) => e.checkVisibility())
            .filter((e) => !(e.innerText.trim() || e.getAttribute('aria-label') || e.labels?.length))
            .map((e) => e.outerHTML.slice(0, 120))"""
        )
        assert unnamed == [], room


def test_an_agent_sends_files_and_speaks(site: Site, pages: Any, tmp_path: Path) -> None:
    customer = pages(1440)
    customer.goto(f"{site.url}/?lang=en")
    widget = customer.locator("#samvad-widget")
    write(customer, f"Hello, please send me the estimate {new_id()[-8:]}")
    widget.locator(".theirs").first.wait_for()
    visitor = customer.evaluate(
        "JSON.parse(localStorage.getItem(Object.keys(localStorage).find((k) => k.endsWith(':token'))))"
    ).split(".")[0]

    agent = pages(1440)
    sign_in(agent, site, site.user("manager"))
    agent.goto(f"{site.url}/console/conversations?tab=all")
    agent.locator(".row", has_text=f"Visitor {visitor[-4:]}").click()
    agent.locator("#composer").wait_for()
    settled(agent)
    (tmp_path / "dent.webp").write_bytes(picture("WEBP"))
    (tmp_path / "estimate.pdf").write_bytes(b"%PDF-1.4")
    (tmp_path / "wrong.txt").write_text("not this one")
    agent.set_input_files("#composer [type=file]", [tmp_path / name for name in ("dent.webp", "wrong.txt")])
    agent.get_by_role("button", name="Remove: wrong.txt").click()
    agent.set_input_files("#composer [type=file]", tmp_path / "estimate.pdf")  # beside what was chosen
    agent.get_by_role("button", name="Record a voice note").click()
    agent.locator(".record.on .clock", has_text="0:01").wait_for()
    agent.get_by_role("button", name="Stop recording").click()
    agent.locator(".chosen li", has_text="voice-note").wait_for()
    assert agent.locator(".chosen li").count() == 3
    agent.fill("#composer textarea", "Here you are")
    agent.keyboard.press("Control+Enter")
    widget.locator(".theirs", has_text="Here you are").wait_for()
    widget.locator(".theirs audio").wait_for()
    expect(agent.locator(".chosen li")).to_have_count(0)
    sound = widget.locator(".theirs audio")
    duration = sound.evaluate(
        """(one) => new Promise((go, fail) => {
            one.onloadedmetadata = () => go(one.duration);
            one.onerror = fail;
            one.load();
        })"""
    )
    assert duration > 0.5


def drop(page: Any) -> None:
    """Let a file fall onto the thread."""
    page.evaluate(
        """() => {
            const data = new DataTransfer();
            data.items.add(new File(['%PDF-1.4'], 'bill.pdf', {type: 'application/pdf'}));
            document.querySelector('.thread textarea').dispatchEvent(
                new DragEvent('drop', {dataTransfer: data, bubbles: true, cancelable: true}));
        }"""
    )


@pytest.mark.parametrize("width", [390, 1440])
def test_a_note_takes_no_files_and_those_chosen_wait_for_the_reply(
    site: Site, pages: Any, width: int
) -> None:
    page = pages(width)
    conversation = site.conversation()
    sign_in(page, site, site.user("manager"))
    page.goto(f"{site.url}/console/conversations/{conversation}")
    drop(page)
    page.locator(".chosen li").wait_for()
    page.locator("label:has(input[value=note])").click()
    assert page.locator(".chosen").is_hidden() and page.locator(".record").is_hidden()
    drop(page)
    page.locator("#toast .notice", has_text="a private note takes none").wait_for()
    page.fill("#composer textarea", "Only for us")
    page.keyboard.press("Control+Enter")
    page.locator(".message.note", has_text="Only for us").wait_for()
    expect(page.locator(".chosen li:visible")).to_have_count(1)
    expect(page.locator(".record")).to_be_visible()
    page.fill("#composer textarea", "The bill")
    page.keyboard.press("Control+Enter")
    page.locator(".message.outbound a.file").wait_for()
    page.locator(".chosen li").wait_for(state="detached")


def test_the_microphone_is_off_once_another_conversation_is_open(site: Site, pages: Any) -> None:
    page = pages(1440)
    first, second = site.conversation("one"), site.conversation("two")
    page.add_init_script(
        """window.streams = [];
        window.asked = [];
        window.allow = () => window.asked.splice(0).forEach((go) => go());
        const devices = navigator.mediaDevices;
        const ask = devices.getUserMedia.bind(devices);
        devices.getUserMedia = async (what) => {
            await new Promise((go) => { window.asked.push(go); });
            const sound = await ask(what);
            window.streams.push(sound);
            return sound;
        };"""
    )
    sign_in(page, site, site.user("manager"))
    page.goto(f"{site.url}/console/conversations/{first}?tab=all")
    record = page.locator(".record")
    record.click()
    record.click()  # while the browser asks
    assert page.evaluate("window.asked.length") == 1
    page.evaluate("window.allow()")
    page.locator(".record.on").wait_for()
    on = "window.streams.flatMap((one) => one.getTracks()).map((one) => one.readyState)"
    assert page.evaluate(on) == ["live"]
    for streams, other in ((1, second), (2, first)):
        page.locator(f".row[data-id='{other}']").click()
        page.locator(f".thread[data-conversation='{other}']").wait_for()
        settled(page)
        page.evaluate("window.allow()")
        until(page, f"{on}.length === {streams} && {on}.every((one) => one === 'ended')")
        assert page.locator(".chosen li").count() == 0
        record.click()  # and left again before the browser was answered


def test_what_did_not_go_through_is_left_alone_until_there_is_more(site: Site, pages: Any) -> None:
    page = pages(1440)
    sign_in(page, site, site.user("manager"))
    page.goto(f"{site.url}/console/parked")
    page.locator("#parked-count [data-waiting]").wait_for(state="attached")
    settled(page)
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url.partition("/console/")[2]))
    page.locator("a[href='/console/parked']").focus()
    with page.expect_response("**/console/parked/count"):
        site.conversation("Hello")
    page.wait_for_timeout(500)
    assert "parked" not in asked
    assert page.evaluate("document.activeElement.getAttribute('href')") == "/console/parked"
    page.evaluate("document.querySelector('#parked [data-waiting]').dataset.waiting = 7")
    with page.expect_response("**/console/parked"):
        site.conversation("Hello")


@pytest.mark.parametrize("width", [390, 1440])
def test_the_console_is_mirrored_in_urdu(site: Site, pages: Any, width: int) -> None:
    conversation = site.conversation("مجھے کسی انسان سے بات کرنی ہے")
    page = pages(width)
    sign_in(page, site, site.user("manager"))
    page.goto(f"{site.url}/console/language?to=ur&back=/console/conversations/{conversation}")
    thread = page.locator(".thread").bounding_box()
    assert thread is not None and page.evaluate("document.documentElement.scrollWidth") <= width
    if width > 1180:
        inbox, side = page.locator(".inbox").bounding_box(), page.locator(".side").bounding_box()
        assert inbox is not None and side is not None and side["x"] < thread["x"] < inbox["x"]
    theirs, ours = page.locator(".message.inbound").first, page.locator(".message.outbound").first
    assert theirs.bounding_box()["x"] + theirs.bounding_box()["width"] > thread["x"] + thread["width"] - 40  # type: ignore[index]
    assert ours.bounding_box()["x"] < thread["x"] + 40  # type: ignore[index]
    # An empty field begins on the right; Latin letters in it turn it.
    direction = "getComputedStyle(document.querySelector('#composer textarea')).direction"
    assert page.evaluate(direction) == "rtl"
    page.fill("#composer textarea", "Hello")
    assert page.evaluate(direction) == "ltr"


@pytest.mark.parametrize(("width", "lang", "test_now"), [(1440, "en", "Test now"), (390, "hi", "अभी जाँचें")])
def test_a_channel_is_looked_at_and_tested(
    site: Site, pages: Any, width: int, lang: str, test_now: str
) -> None:
    page = pages(width)
    sign_in(page, site, site.user("admin"))
    page.goto(f"{site.url}/console/language?to={lang}&back=/console/channels")
    page.locator(".line a[href$='/webchat']").click()
    page.get_by_role("button", name=test_now).click()
    page.locator(".checks li").first.wait_for()
    page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    page.locator("[data-copy]").first.click()
    page.locator("#toast .notice").wait_for()
    assert "widget.js" in page.evaluate("navigator.clipboard.readText()")
    assert page.evaluate("document.documentElement.scrollWidth") <= width
