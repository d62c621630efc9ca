"""While an agent writes an SMS, the composer says how many it will be."""

from pathlib import Path

from bot.web.console.door import SESSION
from tests.pipeline.test_agents_files import begin, desk
from tests.support.world import customer_of
from tests.web.conftest import CHROMIUM, CHROMIUM_ARGS, need_browser


async def test_the_composer_counts(tmp_path: Path) -> None:
    need_browser()
    from playwright.async_api import async_playwright

    async with (
        customer_of("twilio-sms", tmp_path / "data") as (world, emulator, sender),
        desk(world) as one,
        async_playwright() as driver,
        await driver.chromium.launch(executable_path=CHROMIUM, args=CHROMIUM_ARGS) as chromium,
    ):
        which = await begin("twilio-sms", world, emulator, sender)
        page = await chromium.new_page()
        (cookie,) = [one for one in one.http.cookie_jar if one.key == SESSION]
        site = {"url": f"{world.url}/console", "name": SESSION, "value": cookie.value}
        await page.context.add_cookies([site])  # type: ignore[list-item]
        await page.goto(f"{world.url}/console/conversations/{which}")
        for text, words in (
            ("x" * 160, "1 SMS, 160 characters"),
            ("x" * 161, "2 SMS, 161 characters"),
            ("नमस्ते " * 12, "2 SMS, 83 characters · letters that an SMS holds only 70 of"),
            ("“Yes” – " * 10, "1 SMS, 79 characters"),  # plain signs are put for them
        ):
            await page.fill("#composer textarea", text)
            await page.locator("#parts", has_text=words).wait_for()
