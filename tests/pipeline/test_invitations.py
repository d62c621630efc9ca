"""Invitations by real SMTP, guests' answers by mail, the calendar's address, files of records: over HTTP."""

from datetime import timedelta
from email.message import EmailMessage
from email.utils import make_msgid
from pathlib import Path
from typing import Any

import aiohttp
from icalendar import Calendar

from bot import clock
from bot.crm.contact import add_contact, add_identity, set_blocked
from bot.pipeline import retention
from bot.pipeline.invitations import send_due
from bot.records.actor import SYSTEM
from bot.testing import submit_mail
from tests.support.world import World, customer_of

RAVI = "ravi@shop.test"
HEAD = "BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:x\r\nMETHOD:REPLY\r\nBEGIN:VEVENT\r\n"
TAIL = "END:VEVENT\r\nEND:VCALENDAR\r\n"


def document(mail: EmailMessage) -> tuple[str, Any]:
    """Method and entry of an invitation's calendar part."""
    (part,) = [one for one in mail.walk() if one.get_content_type() == "text/calendar"]
    calendar = Calendar.from_ical(part.get_payload(decode=True))
    (entry,) = calendar.walk("VEVENT")
    assert part["Content-Type"].params["method"] == calendar["METHOD"]
    return str(calendar["METHOD"]), entry


async def answer(
    world: World, uid: str, partstat: str, sequence: int, *, by: str = RAVI, as_: str = RAVI
) -> None:
    """A guest's calendar program answers."""
    mail = EmailMessage()
    mail["From"], mail["To"] = by, world.app.settings.email_address
    mail["Subject"] = f"{partstat.title()}: Site visit"
    mail["Message-ID"] = make_msgid(domain="shop.test")
    mail.set_content("I accept this invitation")
    lines = f"UID:{uid}\r\nSEQUENCE:{sequence}\r\nATTENDEE;PARTSTAT={partstat}:mailto:{RAVI}\r\n"
    ics = f"{HEAD}{lines}DTSTAMP:20260301T000000Z\r\n{TAIL}".encode()
    mail.add_alternative(ics, maintype="text", subtype="calendar", params={"method": "REPLY"})
    given = {"sender": by, "recipients": [str(mail["To"])]}
    assert await submit_mail(world.app.settings.email_listen, mail.as_bytes(), **given) == 250
    await world.settled()


async def make(world: World, path: str, **values: Any) -> dict[str, Any]:
    status, body = await world.api.call("POST", path, values)
    assert status == 201, body
    made: dict[str, Any] = body
    return made


async def the_guest(world: World, email: str = RAVI) -> dict[str, Any]:
    (row,) = await world.api.rows("attendees", where=f'email = "{email}"')
    return row


async def test_an_invitation_from_mail_to_mail(tmp_path: Path) -> None:
    async with customer_of("email", tmp_path / "data", articles=False) as (world, mail, _):
        start = clock.now() + timedelta(days=2)
        event = await make(
            world, "activities", kind="event", subject="Site visit", starts_at=start.isoformat(), invite=True
        )
        await make(world, "attendees", activity_id=event["id"], email=RAVI, name="Ravi")
        await _refused_by_the_gate(world, event["id"])
        assert await send_due(world.app.runtime) == 1
        assert await send_due(world.app.runtime) == 0
        (first,) = mail.mails
        method, entry = document(first)
        assert (first["To"], method, str(entry["UID"]), int(entry["SEQUENCE"])) == (
            RAVI,
            "REQUEST",
            event["id"],
            0,
        )
        assert str(entry["ORGANIZER"]) == f"mailto:{mail.address}"
        assert str(first["Subject"]).startswith("Invitation: Site visit")
        assert "Boss" in str(first.get_body(("plain",)).get_content())  # type: ignore[union-attr]

        # Somebody else's answer, and one in a stranger's name, change nothing.
        await answer(world, event["id"], "DECLINED", 0, by="eve@shop.test")
        assert (await the_guest(world))["answer"] == "needs_action"
        await answer(world, event["id"], "ACCEPTED", 0)
        await answer(world, event["id"], "ACCEPTED", 0)
        assert (await the_guest(world))["answer"] == "accepted"
        keys = [row["key"] for row in await world.api.rows("notifications")]
        assert keys == ["notify.answer.accepted"]

        # Moved: told once more, asked again; an answer that was under way to the old time is none.
        moved = {"starts_at": (start + timedelta(hours=3)).isoformat()}
        status, _ = await world.api.call("PATCH", f"activities/{event['id']}", moved)
        assert status == 200
        assert (await the_guest(world))["answer"] == "needs_action"
        await answer(world, event["id"], "DECLINED", 0)
        assert (await the_guest(world))["answer"] == "needs_action"
        await answer(world, event["id"], "TENTATIVE", 1)  # even before our mail left
        assert (await the_guest(world))["answer"] == "tentative"
        mail.answers = ["451 busy"]
        assert await send_due(world.app.runtime) == 0
        assert await send_due(world.app.runtime) == 1
        method, entry = document(mail.mails[1])
        assert (method, int(entry["SEQUENCE"])) == ("REQUEST", 1)

        # Off: a CANCEL that is newer than all before; answers to it are nobody's.
        status, _ = await world.api.call("DELETE", f"activities/{event['id']}")
        assert status == 204
        assert await send_due(world.app.runtime) == 1
        method, entry = document(mail.mails[2])
        assert (method, int(entry["SEQUENCE"]), str(entry["STATUS"])) == ("CANCEL", 2, "CANCELLED")

        # The answers are in no thread, and nobody was answered by the bot.
        texts = [row["text"] for row in await world.api.rows("messages")]
        assert texts == ["I accept this invitation"]  # eve's: unknown, so it is kept as a mail
        assert len(mail.mails) == 3


async def _refused_by_the_gate(world: World, event_id: str) -> None:
    """A blocked contact is not invited."""

    def blocked(tx: Any) -> str:
        contact = add_contact(tx, "Blocked")
        add_identity(tx, contact, "email", "blocked@home.test", verified=True)
        set_blocked(tx, contact, True)
        return contact

    contact = await world.app.store.run(blocked, SYSTEM)
    await make(world, "attendees", activity_id=event_id, contact_id=contact)


async def test_completing_and_the_calendar_over_http(tmp_path: Path) -> None:
    async with customer_of("email", tmp_path / "data", articles=False) as (world, _mail, _):
        due = (clock.now() + timedelta(hours=2)).isoformat()
        task = await make(world, "activities", subject="Call Asha", due_at=due, rrule="FREQ=DAILY;COUNT=3")
        body = {"outcome": "no_answer", "follow_up_subject": "Call again", "follow_up_due": due}
        status, done = await world.api.call("POST", f"activities/{task['id']}/complete", body)
        assert status == 200
        status, next_one = await world.api.call("GET", f"activities/{done['follow_up_id']}")
        assert next_one["subject"] == "Call again"
        status, refused = await world.api.call("POST", f"activities/{task['id']}/complete", {"outcome": "x"})
        assert (status, refused["field"]) == (400, "outcome")
        status, refused = await world.api.call(
            "POST", f"activities/{task['id']}/complete", {"follow_up_subject": "x"}
        )
        assert (status, refused["field"]) == (400, "follow_up_due")
        where = f'series_id = "{task["series_id"]}"'
        second = (await world.api.rows("activities", where=where, order="occurs_at"))[1]
        path = f"activities/{second['id']}"
        status, _ = await world.api.call("POST", f"{path}/change-future", {"subject": "Write to Asha"})
        assert status == 200
        status, gone = await world.api.call("POST", f"{path}/delete-future")
        assert (status, gone["deleted"]) == (200, 2)

        status, first = await world.api.call("POST", "users/me/calendar")
        assert status == 200 and first["url"].endswith(".ics")
        async with aiohttp.ClientSession() as session:
            async with session.get(first["url"]) as found:
                assert found.status == 200 and found.content_type == "text/calendar"
                assert len(Calendar.from_ical(await found.read()).walk("VTODO")) >= 2
                tag = found.headers["ETag"]
            async with session.get(first["url"], headers={"If-None-Match": tag}) as same:
                assert same.status == 304
            await make(world, "activities", subject="Another", due_at=due)
            async with session.get(first["url"], headers={"If-None-Match": tag}) as other:
                assert other.status == 200
            _, second_url = await world.api.call("POST", "users/me/calendar/new-address")
            for url, wanted in (
                (first["url"], 404),
                (second_url["url"], 200),
                (first["url"][:-8] + ".ics", 404),
            ):
                async with session.get(url) as found:
                    assert found.status == wanted


async def test_files_of_records_over_http(tmp_path: Path) -> None:
    async with customer_of("email", tmp_path / "data", articles=False, file_mb=1) as (world, _mail, _):
        contact = await world.app.store.run(add_contact, SYSTEM, "Meena")
        own = {"entity": "contacts", "record_id": contact}
        status, file = await send(
            world, "files", b"%PDF-1.7 one", "../Quote 1.pdf", **own, expires_on="2099-01-31"
        )
        assert status == 201, file
        assert (file["name"], file["mime"], file["revision"]) == ("Quote 1.pdf", "application/pdf", 1)
        for _ in range(2):  # sent twice is once
            status, newer = await send(world, f"files/{file['id']}/versions", b"%PDF-1.7 two", "Quote.pdf")
            assert (status, newer["revision"], newer["name"]) == (201, 2, "Quote.pdf")
        for version, wanted in (("", b"%PDF-1.7 two"), ("1", b"%PDF-1.7 one")):
            status, body, headers = await fetch(world, file["id"], version)
            assert (status, body) == (200, wanted)
            assert headers["Content-Disposition"].startswith("attachment")
            assert headers["X-Content-Type-Options"] == "nosniff"
        assert (await fetch(world, file["id"], "3"))[0] == 400
        assert [row["revision"] for row in await world.api.rows("file-versions", order="revision")] == [1, 2]
        html = b"<script>alert(1)</script>"
        status, page = await send(world, "files", html, "page.html", **own)
        assert (status, page["mime"]) == (201, "application/octet-stream")
        for wrong, field, given in (
            (b"", "file", own),
            (b"x" * (1024 * 1024 + 1), "file", own),
            (b"x", "entity", {**own, "entity": "users"}),
            (b"x", "record_id", {**own, "record_id": "nobody"}),
            (b"x", "expires_on", {**own, "expires_on": "soon"}),
            (b"x", "file", {**own, "colour": "red"}),
        ):
            status, refused = await send(world, "files", wrong, "x.bin", **given)
            assert status in (400, 413) and refused["field"] == field, refused
        # However old its files are, a record keeps them; a file that was deleted long ago is kept by nobody.
        media = world.app.media
        refs = frozenset(await world.app.store.aside(lambda: list(media.older_than(clock.now()))))
        kept = await world.app.store.read(retention.of_records, SYSTEM, refs)
        assert len(kept) == 3 and kept <= refs
        status, _ = await world.api.call("DELETE", f"files/{page['id']}")
        assert status == 204
        still = await world.app.store.read(retention.of_records, SYSTEM, refs)
        assert still == kept

        def much_later(tx: Any) -> frozenset[str]:
            tx.now += timedelta(days=31)
            return retention.of_records(tx, refs)

        assert len(await world.app.store.read(much_later, SYSTEM)) == 2


async def send(world: World, path: str, content: bytes, name: str, **texts: str) -> tuple[int, Any]:
    """Post a form with a file."""
    form = aiohttp.FormData(quote_fields=False)
    for key, value in texts.items():
        form.add_field(key, value)
    form.add_field("file", content, filename=name, content_type="application/octet-stream")
    headers = {"Authorization": f"Bearer {world.api.key}"}
    async with world.api.session.post(f"{world.url}/api/v1/{path}", data=form, headers=headers) as found:
        return found.status, await found.json()


async def fetch(world: World, file_id: str, version: str) -> tuple[int, bytes, Any]:
    """A file's bytes."""
    query = {"version": version} if version else {}
    headers = {"Authorization": f"Bearer {world.api.key}"}
    url = f"{world.url}/api/v1/files/{file_id}/content"
    async with world.api.session.get(url, params=query, headers=headers) as found:
        return found.status, await found.read(), found.headers
