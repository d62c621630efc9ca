"""A hundred threads of ten mails through a real IMAP server: none torn, no strangers together."""

import random
import uuid
from collections import defaultdict
from dataclasses import dataclass, field
from email import policy
from email.message import EmailMessage
from typing import Any

import pytest

from bot.testing import MailEmulator
from tests.channels.test_email_mailbox import dovecot, until  # noqa: F401
from tests.support.world import World, samvad

PEOPLE = ("asha@customer.example", "ravi@customer.example", "meera@else.example")
THREADS, ROUNDS = 100, 5


@dataclass
class Thread:
    """What one person's mail program knows of a thread."""

    number: int
    person: str
    ids: list[str] = field(default_factory=list)
    """Message-IDs of both sides, in order."""
    reply_to: str = ""
    said: int = 0


def next_mail(thread: Thread, our_address: str, chance: random.Random) -> EmailMessage:
    """The person's next mail: an answer to the last one or an old one, headers kept, cut or stripped."""
    mail = EmailMessage(policy=policy.SMTP)
    mail["From"] = thread.person
    mail["Message-ID"] = f"<{uuid.uuid4().hex}@{thread.person.partition('@')[2]}>"
    subject, to = f"Matter {thread.number}", our_address
    if thread.ids:
        way = chance.choice(("headers", "old", "only-parent", "token-in-to", "token-in-subject"))
        answered = len(thread.ids) if way == "headers" else chance.randint(1, len(thread.ids))
        if way in ("headers", "old"):
            mail["References"] = " ".join(thread.ids[:answered])
        if way in ("headers", "old", "only-parent"):
            mail["In-Reply-To"] = thread.ids[answered - 1]
        token = thread.reply_to.partition("@")[0].partition("+")[2]
        if way == "token-in-to":
            to = thread.reply_to
        elif way == "token-in-subject":
            subject += f" [ref:{token}]"
        subject = f"Re: {subject}"
    mail["To"], mail["Subject"] = to, subject
    mail.set_content(f"thread {thread.number} line {thread.said}: how long is the warranty on refrigerators?")
    thread.said += 1
    thread.ids.append(str(mail["Message-ID"]))
    return mail


def hear(sink: MailEmulator, heard: int, threads: dict[str, Thread]) -> int:
    """Give every new mail of ours to the thread that it answers; how many were heard."""
    for mail in sink.mails[heard:]:
        thread = threads[str(mail["In-Reply-To"])]
        assert str(mail["To"]) == thread.person
        thread.ids.append(str(mail["Message-ID"]))
        thread.reply_to = str(mail["Reply-To"])
        threads[str(mail["Message-ID"])] = thread
    return len(sink.mails)


async def everything(world: World, kind: str, **query: str) -> list[dict[str, Any]]:
    """All rows of a kind."""
    rows: list[dict[str, Any]] = []
    while True:
        status, found = await world.api.call("GET", kind, limit="200", **query)
        assert status == 200, found
        rows += found["data"]
        if not found["next_cursor"]:
            return rows
        query["cursor"] = found["next_cursor"]


@pytest.mark.slow
async def test_a_hundred_threads(dovecot, tmp_path):  # noqa: F811
    chance = random.Random(7)
    threads = [Thread(number, PEOPLE[number % 3]) for number in range(THREADS)]
    async with (
        MailEmulator() as sink,
        samvad(tmp_path / "data", **sink.settings, email_imap_url=dovecot.url) as world,
    ):
        by_id: dict[str, Thread] = {}
        heard = 0
        for _ in range(ROUNDS):
            for thread in chance.sample(threads, len(threads)):
                mail = next_mail(thread, sink.address, chance)
                by_id[str(mail["Message-ID"])] = thread
                dovecot.deliver(mail.as_bytes())
            await until(lambda wanted=heard + THREADS: len(sink.mails) >= wanted, 90)
            await world.settled()
            heard = hear(sink, heard, by_id)
        stranger = Thread(THREADS, "thief@stranger.example", list(threads[0].ids), threads[0].reply_to)
        for _ in range(3):
            dovecot.deliver(next_mail(stranger, sink.address, chance).as_bytes())
        await until(lambda: any(str(mail["To"]) == stranger.person for mail in sink.mails), 30)
        await world.settled()
        await check(world)


async def check(world: World) -> None:
    """Each thread in one conversation of its own, of one person."""
    messages = await everything(world, "messages", where="direction = inbound")
    assert len(messages) >= THREADS * ROUNDS
    where: dict[str, set[str]] = defaultdict(set)
    inside: dict[str, set[str]] = defaultdict(set)
    who: dict[str, set[str]] = defaultdict(set)
    for message in messages:
        thread = message["text"].partition(" line ")[0]
        where[thread].add(message["conversation_id"])
        inside[message["conversation_id"]].add(thread)
        who[message["conversation_id"]].add(message["contact_id"])
    strangers = where.pop(f"thread {THREADS}")
    assert len(where) == THREADS
    assert [thread for thread, found in where.items() if len(found) != 1] == []
    assert [found for found in inside.values() if len(found) != 1] == []
    assert [found for found in who.values() if len(found) != 1] == []
    assert not strangers & set().union(*where.values())
