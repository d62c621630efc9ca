"""Phone calls, whole: through HTTP with Twilio's emulator, into cases, tasks and the log, in any order."""

import itertools
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from bot.clock import now
from bot.crm.contact import set_blocked
from bot.errors import GateRefused
from bot.messages import CallNews
from bot.pipeline import staff
from bot.pipeline.calls import Known, learn
from bot.pipeline.timers import fire
from bot.records import timer
from bot.records.actor import SYSTEM, Actor
from bot.records.tx import Record, Tx
from bot.testing import HANG_UP, Speech, TwilioEmulator
from tests.support.databases import PostgresServer
from tests.support.world import World, samvad

CALLER, OURS = "+919876543210", "+15550003333"
Scene = tuple[World, TwilioEmulator]


@asynccontextmanager
async def calling(data_dir: Path, **given: Any) -> AsyncIterator[Scene]:
    """A Samvad that takes calls, and Twilio beside it."""
    async with (
        TwilioEmulator(voice_from=OURS) as twilio,
        samvad(data_dir, articles=False, **{**twilio.settings, **given}) as world,
    ):
        twilio.target = world.url
        yield world, twilio
        await twilio.settle()


@pytest.fixture
async def scene(tmp_path: Path) -> AsyncIterator[Scene]:
    async with calling(tmp_path / "data", languages="en,hi") as made:
        yield made


@pytest.fixture(params=["sqlite", "postgresql"])
async def either(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Scene]:
    given: dict[str, Any] = {"languages": "en,hi"}
    if request.param == "postgresql":
        server: PostgresServer = request.getfixturevalue("postgresql")
        given["database_url"] = server.url(server.fresh())
    async with calling(tmp_path / "data", **given) as made:
        yield made


async def _one(world: World, kind: str, **query: str) -> dict[str, Any]:
    await world.settled()
    (row,) = await world.api.rows(kind, **query)
    return row


def _kept(rows: list[dict[str, Any]]) -> bool:
    return bool(rows) and rows[0]["extra"].get("media", [{"ref": ""}])[0]["ref"].startswith("media:")


# --- calls from end to end -------------------------------------------------------------------------


async def test_a_voice_message_becomes_a_case_with_its_recording(either: Scene) -> None:
    world, twilio = either
    call = await twilio.call(CALLER, "2", "1", Speech(42))
    assert call.heard[0].text == "Welcome to Samvad."
    assert call.heard[-1].text.startswith("धन्यवाद")
    (message,) = await world.api.until("messages", _kept)
    assert (message["channel"], message["author"], message["text"]) == (
        "voice",
        "system",
        "Voice message · 0:42",
    )
    (kept,) = message["extra"]["media"]
    assert (kept["kind"], kept["mime"]) == ("voice", "audio/mpeg")
    assert world.app.media.path(kept["ref"]).read_bytes() == twilio.sound
    case = await _one(world, "cases")
    assert (case["origin"], case["status"], case["conversation_id"]) == (
        "voice",
        "new",
        message["conversation_id"],
    )
    assert case["subject"].startswith(f"Voice message from {CALLER}, ")
    activity = await _one(world, "activities", where="kind = call")
    assert (activity["direction"], activity["outcome"], activity["contact_id"]) == (
        "inbound",
        "voicemail",
        message["contact_id"],
    )
    assert activity["seconds"] > 42
    assert activity["done_at"]
    identity = await _one(world, "identities")
    assert (identity["kind"], identity["value"], identity["verified"]) == ("phone", CALLER, False)
    kinds = [row["kind"] for row in await world.app.store.read(_timers, SYSTEM)]
    assert kinds == ["case_escalation"]


async def test_the_next_call_is_answered_in_the_language_of_the_last(scene: Scene) -> None:
    world, twilio = scene
    await twilio.call(CALLER, "2", HANG_UP)
    await world.settled()
    again = await twilio.call(CALLER, HANG_UP)
    assert {one.language for one in again.heard} == {"hi-IN"}
    assert "step=menu" not in again.asked[0] and len(again.asked) == 1
    await world.settled()
    calls = await world.api.rows("activities", where="kind = call and outcome = missed")
    assert len(calls) == 2
    assert len(await world.api.rows("conversations")) == 1
    assert await world.api.rows("cases") == []
    assert {row["text"] for row in await world.api.rows("messages")} == {
        "Missed call · 0:09",
        "Missed call · 0:15",
    }


async def test_who_wrote_before_is_known_when_they_call(scene: Scene) -> None:
    world, twilio = scene
    await twilio.say("मेरा फ्रिज ठंडा नहीं कर रहा", sender=CALLER)
    await twilio.wait_reply(CALLER)
    await world.settled()
    call = await twilio.call(CALLER, "2")
    assert {one.language for one in call.heard} == {"hi-IN"}
    await world.settled()
    assert len(await world.api.rows("contacts")) == 1
    identity = await _one(world, "identities")
    assert identity["verified"] is True


async def test_a_wish_to_be_called_back_is_one_task_a_day(either: Scene) -> None:
    world, twilio = either
    await twilio.call(CALLER, "1", "2")
    await world.settled()
    await twilio.call(CALLER, "2")
    task = await _one(world, "activities", where="kind = task")
    assert task["subject"] == f"Call back {CALLER}"
    assert (task["direction"], task["done_at"], task["owner_id"]) == ("outbound", None, None)
    assert now() < datetime.fromisoformat(task["due_at"]) <= now() + timedelta(hours=15)
    calls = await world.api.rows("activities", where="kind = call and outcome = call_back")
    assert len(calls) == 2
    conversation = await _one(world, "conversations")
    assert (conversation["owner"], conversation["handoff_reason"]) == ("human", "call_back")
    assert conversation["waiting_since"]
    kinds = [row["kind"] for row in await world.app.store.read(_timers, SYSTEM)]
    assert kinds == ["handoff_escalation"]

    boss = (await world.api.rows("users"))[0]
    actor = Actor("user", boss["id"], "admin", None, "Boss")
    with pytest.raises(GateRefused) as refused:
        await world.app.store.run(
            staff.reply, actor, conversation["id"], "We will call.", world.app.runtime.features
        )
    assert refused.value.data["reason"] == "calls_only"
    status, _ = await world.api.call("POST", f"conversations/{conversation['id']}/hand-back")
    assert status == 200
    task = await _one(world, "activities", where="kind = task")
    assert task["done_at"]
    await twilio.call(CALLER, "2")
    await world.settled()
    assert len(await world.api.rows("activities", where="kind = task")) == 2


async def test_a_hidden_number_is_a_person_of_its_own_in_each_call(scene: Scene) -> None:
    world, twilio = scene
    for _ in range(2):
        call = await twilio.call("+266696687", "1", "2", "1", Speech(5))
        assert "Sorry" in " ".join(call.texts)
        await world.settled()
    assert len(await world.api.rows("contacts")) == 2
    assert await world.api.rows("identities") == []
    assert await world.api.rows("activities", where="kind = task") == []
    cases = await world.api.rows("cases")
    assert len(cases) == 2
    assert "number withheld" in cases[0]["subject"]


@pytest.mark.parametrize(
    ("script", "text"),
    [
        ((), "Missed call · 0:09"),
        (("1", "1", HANG_UP), "Missed call"),
        (("1", "1", Speech(0)), "Missed call"),
        (("1", "1", Speech(1, hangs_up=True)), "Missed call"),
    ],
)
async def test_who_says_nothing_has_been_missed_and_opens_no_case(
    scene: Scene, script: tuple[Any, ...], text: str
) -> None:
    world, twilio = scene
    await twilio.call(CALLER, *script)
    message = await _one(world, "messages")
    assert message["text"].startswith(text)
    assert "media" not in message["extra"]
    assert await world.api.rows("cases") == []
    assert (await _one(world, "activities"))["outcome"] == "missed"


async def test_who_hangs_up_while_speaking_has_left_a_message(scene: Scene) -> None:
    world, twilio = scene
    await twilio.call(CALLER, "1", "1", Speech(20, hangs_up=True))
    await world.api.until("messages", _kept)
    assert (await _one(world, "cases"))["status"] == "new"


async def test_two_minutes_are_kept_of_a_longer_message(scene: Scene) -> None:
    world, twilio = scene
    await twilio.call(CALLER, "1", "1", Speech(500))
    assert (await _one(world, "messages"))["text"] == "Voice message · 2:00"


async def test_a_person_on_duty_is_rung(tmp_path: Path) -> None:
    async with calling(tmp_path / "data", twilio_voice_forward_to="+919811122233") as (world, twilio):
        twilio.person = "completed"
        call = await twilio.call(CALLER, "1", "0")
        assert call.dialed[0]["number"] == "+919811122233"
        activity = await _one(world, "activities")
        assert (activity["outcome"], activity["body"][:26]) == ("answered", "Call: put through to a per")
        twilio.person = "busy"
        call = await twilio.call("+919876500000", "1", "0", Speech(9))
        assert any("nobody can take your call" in text for text in call.texts)
        await world.settled()
        assert len(await world.api.rows("cases")) == 1


async def test_a_blocked_caller_is_not_answered_and_is_logged(scene: Scene) -> None:
    world, twilio = scene
    await twilio.call(CALLER, "1", HANG_UP)
    contact = await _one(world, "contacts")
    await world.app.store.run(set_blocked, SYSTEM, contact["id"], True)
    call = await twilio.call(CALLER, "1", "1", Speech(30))
    assert (call.status, call.heard) == ("busy", [])
    await world.settled()
    outcomes = [row["outcome"] for row in await world.api.rows("activities")]
    assert sorted(outcomes) == ["blocked", "missed"]
    assert await world.api.rows("cases") == []


# --- Twilio's bad days -----------------------------------------------------------------------------


async def test_what_is_posted_again_changes_nothing(scene: Scene) -> None:
    world, twilio = scene
    call = await twilio.call(CALLER, "1", "1", Speech(12))
    await world.api.until("messages", _kept)
    before = [await world.api.rows(kind) for kind in ("messages", "activities", "cases")]
    assert await call.report_end() == 200
    assert await call.report_recordings() == 200
    await world.settled()
    assert [await world.api.rows(kind) for kind in ("messages", "activities", "cases")] == before


@pytest.mark.parametrize("first", ["recording", "ended"])
async def test_the_callbacks_may_come_in_any_order(scene: Scene, first: str) -> None:
    world, twilio = scene
    call = await twilio.call(CALLER, "1", "1", Speech(12), reports=False)
    reports = [call.report_recordings, call.report_end]
    for report in reports if first == "recording" else reversed(reports):
        assert await report() == 200
        await world.settled()
    (message,) = await world.api.until("messages", _kept)
    assert message["text"] == "Voice message · 0:12"
    assert message["extra"]["call"]["recording"] == "ready"
    activity = await _one(world, "activities")
    assert (activity["outcome"], bool(activity["done_at"])) == ("voicemail", True)
    assert len(await world.api.rows("cases")) == 1


async def test_a_recording_that_failed_is_told_in_the_case(scene: Scene) -> None:
    world, twilio = scene
    call = await twilio.call(CALLER, "1", "1", Speech(12), reports=False)
    await world.settled()
    await call.report_recordings(RecordingStatus="failed", RecordingDuration="-1")
    await call.report_end()
    note = await _one(world, "activities", where="kind = note")
    assert "recording failed" in note["body"]
    assert note["about"] == "cases"
    assert "media" not in (await _one(world, "messages"))["extra"]
    assert await world.app.store.read(_timers, SYSTEM, "fetch_media") == []


async def test_a_recording_that_failed_before_anything_else_was_told_opens_the_case(scene: Scene) -> None:
    world, twilio = scene
    call = await twilio.call(CALLER, "1", "1", Speech(0), reports=False)
    await call.report_recordings(RecordingStatus="absent", RecordingDuration="-1", ErrorCode="16103")
    await call.report_end()
    case = await _one(world, "cases")
    assert "recording failed" in case["description"]


async def test_recordings_are_fetched_when_twilio_is_back(scene: Scene) -> None:
    world, twilio = scene
    call = await twilio.call(CALLER, "1", "1", Speech(12), reports=False)
    twilio.fail_next(1, status=503)
    await call.report_recordings()
    await world.settled()
    assert not _kept(await world.api.rows("messages"))
    await _ask_again(world)
    await world.api.until("messages", _kept)


async def test_a_recording_is_asked_for_when_twilio_never_says_that_it_is_ready(scene: Scene) -> None:
    world, twilio = scene
    await twilio.call(CALLER, "1", "1", Speech(12), reports=False)
    await world.settled()
    assert len(await world.api.rows("cases")) == 1
    await _ask_again(world)
    await world.api.until("messages", _kept)


async def test_an_older_calls_recording_does_not_hide_the_newer_call(scene: Scene) -> None:
    world, twilio = scene
    older = await twilio.call(CALLER, "1", "1", Speech(12), reports=False)
    await older.report_end()
    await world.settled()
    await twilio.call(CALLER, HANG_UP)
    await world.settled()
    await older.report_recordings(RecordingStatus="failed")
    conversation = await _one(world, "conversations")
    assert conversation["last_text"].startswith("Missed call")


async def test_a_recording_that_was_not_there_when_asked_for_is_fetched_once_it_is(scene: Scene) -> None:
    world, twilio = scene
    call = await twilio.call(CALLER, "1", "1", Speech(12), reports=False)
    await world.settled()
    twilio.fail_next(1, status=404)
    await _ask_again(world)

    def gave_up(rows: list[dict[str, Any]]) -> bool:
        return bool(rows[0]["extra"]["media"][0].get("lost"))

    await world.api.until("messages", gave_up)
    await call.report_recordings()
    await world.api.until("messages", _kept)


async def test_agents_are_told_who_waits_to_be_called(scene: Scene) -> None:
    world, twilio = scene
    await twilio.call(CALLER, "1", "2")
    await world.settled()

    def due(tx: Tx) -> list[Record]:
        tx.now += timedelta(hours=1)
        return timer.hand_out(tx)

    for row in await world.app.store.run(due, SYSTEM):
        await world.app.store.run(fire, SYSTEM, world.app.runtime, row["id"])
    told = await _one(world, "notifications")
    assert (told["key"], told["data"]["name"], told["data"]["channel"]) == (
        "notify.handoff_waiting",
        CALLER,
        "voice",
    )


async def test_forged_calls_are_refused(scene: Scene) -> None:
    world, twilio = scene
    twilio.auth_token = "another"
    status, body = await twilio.exchange(
        "/channels/twilio/voice", {"CallSid": "CA1", "From": CALLER, "To": OURS, "CallStatus": "ringing"}
    )
    assert status == 403
    assert "Response" not in body
    assert await world.api.rows("activities") == []


async def test_the_line_is_there_without_sms(tmp_path: Path) -> None:
    given = {"twilio_sms_from": "", "twilio_whatsapp_from": ""}
    async with calling(tmp_path / "data", **given) as (world, twilio):
        call = await twilio.call(CALLER, "1", "2")
        assert call.texts[-1].endswith("Goodbye.")
        assert (await _one(world, "activities", where="kind = task"))["subject"]


def _timers(tx: Tx, kind: str = "") -> list[Record]:
    statement = sa.select(timer.timers).order_by(timer.timers.c.kind)
    return tx.rows(statement.where(timer.timers.c.kind == kind) if kind else statement)


async def _ask_again(world: World) -> None:
    """What the dispatcher and a worker do a few minutes later."""

    def due(tx: Tx) -> list[Record]:
        tx.now += timedelta(minutes=5)
        return [row for row in timer.hand_out(tx) if row["kind"] == "fetch_media"]

    rows = await world.app.store.run(due, SYSTEM)
    assert len(rows) == 1
    await world.app.store.run(fire, SYSTEM, world.app.runtime, rows[0]["id"])


# --- what is known of a call -----------------------------------------------------------------------

STORIES: dict[str, tuple[tuple[CallNews, ...], Known]] = {
    "voice message": (
        (
            CallNews("started"),
            CallNews("language", "hi"),
            CallNews("recorded", seconds=12),
            CallNews("recording", "completed", 12),
            CallNews("ended", "completed", 40),
        ),
        Known("voicemail", True, 40, 12, "ready"),
    ),
    "not a sound on a long recording": (
        (
            CallNews("recorded", seconds=12),
            CallNews("recording", "silent", 0),
            CallNews("ended", "completed", 40),
        ),
        Known("voicemail", True, 40, 12, "lost"),
    ),
    "a recording that failed": (
        (
            CallNews("recorded", seconds=12),
            CallNews("recording", "failed"),
            CallNews("ended", "completed", 40),
        ),
        Known("voicemail", True, 40, 12, "lost"),
    ),
    "nothing said": (
        (CallNews("started"), CallNews("recording", "silent", 0), CallNews("ended", "completed", 9)),
        Known(None, True, 9, 0, "none"),
    ),
    "a receiver put down": (
        (
            CallNews("recorded", seconds=1),
            CallNews("recording", "completed", 1),
            CallNews("ended", "completed", 9),
        ),
        Known(None, True, 9, 1, ""),
    ),
    "nobody free, then a message": (
        (
            CallNews("dialed", "unanswered"),
            CallNews("recorded", seconds=5),
            CallNews("recording", "completed", 5),
            CallNews("ended", "completed", 50),
        ),
        Known("voicemail", True, 50, 5, "ready"),
    ),
    "put through": (
        (CallNews("dialed", "answered"), CallNews("ended", "completed", 90)),
        Known("answered", True, 90),
    ),
    "to be called back": (
        (CallNews("started"), CallNews("call_back"), CallNews("ended", "completed", 20)),
        Known("call_back", True, 20),
    ),
}


@pytest.mark.parametrize("story", STORIES)
def test_in_whatever_order_news_comes_and_however_often(story: str) -> None:
    told, expected = STORIES[story]
    for order in itertools.permutations(told):
        known = Known()
        for news in (*order, *order):
            known = learn(known, news)
        assert known == expected, order
