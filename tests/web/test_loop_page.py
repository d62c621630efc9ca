"""The loop from end to end: customers ask and judge, people take over, gaps are found, a draft is made."""

import re
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from bot.channels.webchat import inbound_from_page
from bot.conversations.message import messages
from bot.crm.article import ARTICLE
from bot.crm.case import open_case, set_status
from bot.crm.contact import CONTACT
from bot.crm.question import QUESTION, TIMER
from bot.ids import new_id
from bot.knowledge.files import import_articles
from bot.messages import Parsed
from bot.pipeline.gaps import find_gaps
from bot.pipeline.timers import fire
from bot.records import timer
from bot.records.actor import SYSTEM
from bot.records.tx import Record, Tx
from bot.records.write import get, update
from bot.shipped import shipped
from bot.testing import LLMEmulator
from tests.web.conftest import Site, Staff, running

WARRANTY = "How long is the warranty on refrigerators?"
MISSING = ("Do you sell bicycles for children?", "do you sell bicycles?", "can I buy a bicycle from you")
REPLY = "Yes, we sell bicycles for children from 5,500 rupees at the Noida shop."


class Visitors:
    """Customers of the web chat, and what is kept of their questions."""

    def __init__(self, site: Site) -> None:
        self.site = site

    def says(self, who: str, text: str, button: str = "") -> str:
        """Returns the conversation's id, once the turn is over."""
        before = len(self.said(who))
        frame = {"type": "message", "id": new_id(), "text": text} | ({"button": button} if button else {})
        self.site.do(self.site.app.receive(Parsed(messages=(inbound_from_page(frame, who),)), "webchat"))
        self.site.do(self._answered(who, before))
        return str(self.said(who)[-1]["conversation_id"])

    async def _answered(self, who: str, before: int) -> None:
        import asyncio

        for _ in range(500):
            if len(self.said(who)) > before + 1:
                return
            await asyncio.sleep(0.02)
        raise TimeoutError("no answer")

    def said(self, who: str) -> list[Record]:
        def read(tx: Tx) -> list[Record]:
            from bot.conversations.conversation import CONVERSATION

            table = CONVERSATION.table
            mine = sa.select(table.c.id).where(table.c.address == who)
            return tx.rows(
                sa.select(messages).where(messages.c.conversation_id.in_(mine)).order_by(messages.c.id)
            )

        return self.site.app.store.read_now(read, SYSTEM)

    def buttons(self, who: str) -> dict[str, str]:
        """Of the last message: {title: id}."""
        extra = self.said(who)[-1]["extra"] or {}
        return {title: id for id, title in extra.get("buttons", ())}

    def questions(self, conversation: str) -> list[Record]:
        table = QUESTION.table
        mine = sa.select(table).where(table.c.conversation_id == conversation).order_by(table.c.id)
        return self.site.app.store.read_now(lambda tx: tx.rows(mine), SYSTEM)


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Any:
    with running(tmp_path_factory.mktemp("loop"), time_zone="Asia/Kolkata") as site:
        site.app.store.write_now(import_articles, SYSTEM, shipped("knowledge_base"))
        site.do(site.app.library.refresh())
        yield site


@pytest.fixture
def visitors(shop: Site) -> Visitors:
    return Visitors(shop)


async def signed_in(site: Site, role: str) -> Staff:
    staff = Staff(site)
    await staff.sign_in(site.user(role))
    return staff


def test_an_answer_is_asked_about_once_and_judged(visitors: Visitors) -> None:
    who = new_id()
    conversation = visitors.says(who, WARRANTY)
    offered = visitors.buttons(who)
    assert [*offered] == ["That helped", "Not really"]
    [question] = visitors.questions(conversation)
    assert offered["That helped"] == f"helped:yes:{question['id']}"
    assert (question["outcome"], question["channel"], question["lang"]) == ("answered", "webchat", "en")
    assert question["article_id"] is not None
    visitors.says(who, "Can I return or exchange a product?")
    assert visitors.buttons(who) == {}, "not twice within minutes"
    visitors.says(who, "That helped", offered["That helped"])
    first, second = visitors.questions(conversation)
    assert (first["resolution"], first["helpful"], second["resolution"]) == ("confirmed", "yes", "open")
    # Somebody else's question is not theirs to judge.
    other = new_id()
    visitors.says(other, "hello")
    visitors.says(other, "Not really", offered["Not really"])
    assert visitors.questions(conversation)[0]["resolution"] == "confirmed"


def test_no_in_words_offers_a_person_who_is_counted(visitors: Visitors) -> None:
    who = new_id()
    conversation = visitors.says(who, WARRANTY)
    visitors.says(who, "no")
    [question] = visitors.questions(conversation)
    assert (question["resolution"], question["helpful"]) == ("reopened", "no")
    assert "Talk to a person" in visitors.buttons(who)
    visitors.says(who, "yes")
    [question] = visitors.questions(conversation)
    assert (question["resolution"], question["helpful"]) == ("handed_over", "no")
    # A person has it now: what the customer says of the answer is still heard.
    visitors.site.app.store.write_now(_settle_timers, SYSTEM, visitors.site)
    assert visitors.questions(conversation)[0]["resolution"] == "handed_over"


def test_silence_is_assumed_by_the_timer(visitors: Visitors) -> None:
    conversation = visitors.says(new_id(), WARRANTY)
    assert visitors.site.app.store.write_now(_settle_timers, SYSTEM, visitors.site) >= 1
    assert visitors.questions(conversation)[0]["resolution"] == "assumed"
    assert visitors.site.app.store.write_now(_settle_timers, SYSTEM, visitors.site) == 0


def _settle_timers(tx: Tx, site: Site) -> int:
    """What dispatcher and worker do, as if two days had passed; how many of ours fired."""
    tx.now += timedelta(days=2)
    due = [row for row in timer.hand_out(tx) if row["kind"] == TIMER]
    for row in due:
        fire(tx, site.app.runtime, row["id"])
        assert not fire(tx, site.app.runtime, row["id"]), "done twice"
    return len(due)


async def test_gaps_are_shown_and_a_draft_is_made_of_one(visitors: Visitors, shop: Site) -> None:
    first = ""
    for text in MISSING:
        who = new_id()
        first = first or visitors.says(who, f"{text} call me on 98765 43210" if not first else text)
        visitors.says(new_id(), text)
    assert {row["outcome"] for row in visitors.questions(first)} == {"none"}
    boss, agent, rep = [await signed_in(shop, role) for role in ("manager", "agent", "rep")]
    try:
        page = await boss.text("/console/articles/loop")
        assert "Gaps have not been looked for yet" in page
        await boss.post("/console/articles/loop/gaps")
        assert "every 2s" in await boss.text("/console/articles/loop/gaps")
        assert shop.do(find_gaps(shop.app.runtime))
        shop.do(shop.app.store.run(_write_reply, SYSTEM, first))
        page = await boss.text("/console/articles/loop?days=7&lang=en")
        assert "every 2s" not in page and "98765" not in page
        [title] = re.findall(r"<h3 dir=\"auto\">([^<]*bicycle[^<]*)</h3>", page)
        assert "Resolved without a person" in page and "<svg" in page
        [question] = re.findall(r'name="question" value="([^"]+)"', page.split("bicycle", 1)[1])[:1]
        await rep.text("/console/articles/loop", 403)
        await rep.post("/console/articles/loop/draft", 403, question=question)
        await agent.text("/console/articles/loop")
        await boss.post("/console/articles/loop/draft", 404, question=new_id())
        await boss.post("/console/articles/loop/draft", 400)
        await boss.post("/console/articles/loop/draft", question=question)
        await boss.post("/console/articles/loop/draft", question=question)  # pressed twice: one draft
        [draft] = _drafts(shop)
        assert draft["title"] == title and draft["key"].startswith(("do-you", "can-i"))
        assert draft["body"].startswith(REPLY) and "98765" not in draft["body"]
        assert "Customers also ask it like this" in draft["body"]
        assert f"/console/articles/{draft['id']}" in await boss.text("/console/articles/loop/gaps")
        for lang in ("hi", "ur", "hi-Latn"):
            assert 'class="figures"' in await boss.text(f"/console/articles/loop?lang={lang}")
    finally:
        for one in (boss, agent, rep):
            await one.http.close()


async def test_a_draft_of_a_solved_case(visitors: Visitors, shop: Site) -> None:
    conversation = visitors.says(new_id(), "hello")
    case = shop.app.store.write_now(_solved_case, SYSTEM, conversation)
    agent = await signed_in(shop, "agent")
    try:
        assert "/console/articles/loop/draft" in await agent.text(f"/console/records/cases/{case}")
        await agent.post("/console/articles/loop/draft", case=case)
    finally:
        await agent.http.close()
    [draft] = [row for row in _drafts(shop) if "compressor" in row["title"]]
    assert draft["body"] == REPLY and "Asha" not in draft["title"]


async def test_a_model_words_the_draft_and_its_inventions_do_not_pass(tmp_path: Path) -> None:
    async with LLMEmulator() as llm:
        with running(tmp_path / "llm", **llm.settings) as site:
            visitors = Visitors(site)
            conversation = visitors.says(new_id(), "hello")
            agent = await signed_in(site, "agent")
            try:
                for body, kept in (
                    ("We sell bicycles for children from 5,500 rupees.", True),
                    ("We sell bicycles from 4,200 rupees.", False),
                ):
                    llm.answer = {"title": "Bicycles for children", "body": body}
                    case = site.app.store.write_now(_solved_case, SYSTEM, conversation)
                    await agent.post("/console/articles/loop/draft", case=case)
                    newest = _drafts(site)[-1]
                    assert (newest["body"] == body) == kept
                    assert (newest["body"] == REPLY) != kept
            finally:
                await agent.http.close()


def _drafts(site: Site) -> list[Record]:
    table = ARTICLE.table
    mine = sa.select(table).where(table.c.status == "draft").order_by(table.c.id)
    return site.app.store.read_now(lambda tx: tx.rows(mine), SYSTEM)


def _write_reply(tx: Tx, conversation: str) -> None:
    """A person's answer in the thread, as the pipe stores it."""
    sample = tx.row(sa.select(messages).where(messages.c.conversation_id == conversation))
    assert sample is not None
    said = {"direction": "outbound", "author": "agent", "text": REPLY, "extra": None, "external_id": None}
    tx.execute(messages.insert(), {**sample, **said, "id": new_id(), "status": "sent", "created_at": tx.now})


def _solved_case(tx: Tx, conversation: str) -> str:
    sample = tx.row(sa.select(messages).where(messages.c.conversation_id == conversation))
    assert sample is not None
    contact = get(tx, CONTACT, sample["contact_id"])
    update(tx, CONTACT, contact, {"name": "Asha Rao"})
    case_id, _ = open_case(
        tx, contact["id"], "Asha Rao: compressor noise", "", origin="webchat", conversation_id=conversation
    )
    _write_reply(tx, conversation)
    from bot.crm.case import CASE

    set_status(tx, get(tx, CASE, case_id), "resolved")
    return case_id
