"""Files go when their time is over, the thread says so, and what comes again meanwhile stays."""

import os
import threading
import time
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import sqlalchemy as sa

from bot.conversations.message import messages
from bot.errors import NotFound
from bot.ids import new_id
from bot.media import MediaStore
from bot.pipeline.retention import mark_expired, naming, remove, too_old
from bot.records.actor import SYSTEM
from bot.records.store import Store
from bot.records.tx import Tx
from bot.web.pages.extra import files_of
from tests.support.world import customer_of
from workers import jobs

NOW = datetime(2026, 5, 20, 13, 30, tzinfo=UTC)


def _age(store: MediaStore, ref: str, days: float) -> None:
    moment = datetime.now(UTC).timestamp() - days * 86_400
    os.utime(store.path(ref), (moment, moment))


def test_the_limit_is_by_whole_days_and_zero_is_for_ever() -> None:
    assert too_old(NOW, 0) is None
    assert too_old(NOW, 10) == datetime(2026, 5, 8, tzinfo=UTC)
    assert too_old(NOW + timedelta(hours=10), 10) == too_old(NOW, 10)


def _say(tx: Tx, *refs: str) -> str:
    id_ = new_id()
    media = [{"kind": "document", "ref": ref, "mime": "application/pdf", "filename": "a.pdf"} for ref in refs]
    values = {"conversation_id": new_id(), "contact_id": new_id(), "channel": "email"}
    more = {"direction": "inbound", "author": "contact", "text": "media: see the file", "status": "received"}
    extra = {"media": media} if media else {"subject": "media:"}
    row = {"id": id_, **values, **more, "status_rank": 9, "extra": extra, "created_at": tx.now}
    tx.execute(sa.insert(messages).values(row))
    return id_


def _extra(tx: Tx, id_: str) -> dict[str, object]:
    row = tx.row(sa.select(messages.c.extra).where(messages.c.id == id_))
    assert row is not None
    return dict(row["extra"])


def test_every_thread_that_names_the_file_is_told(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("bot.pipeline.retention._BATCH", 2)
    one, two, nobodys = (f"media:{sign * 64}" for sign in "abc")
    ids = [store.write_now(_say, SYSTEM, *refs) for refs in ((one, two), (), (two,), (one,), ())]
    gone = frozenset({one, nobodys})
    found, orphans = store.read_now(naming, SYSTEM, gone)
    assert (found, orphans) == ([ids[0], ids[3]], 1)
    store.write_now(mark_expired, SYSTEM, found, gone)
    assert store.read_now(naming, SYSTEM, gone) == ([], 1)
    store.write_now(mark_expired, SYSTEM, ids, gone)  # again changes nothing
    shown = [store.read_now(_extra, SYSTEM, id_) for id_ in ids]
    assert [[file.expired for file in files_of({"extra": extra})] for extra in shown] == [
        [True, False],
        [],
        [False],
        [True],
        [],
    ]
    assert [extra.get("version") for extra in shown] == [1, None, None, 1, None]


def test_only_what_is_old_goes(tmp_path: Path) -> None:
    media = MediaStore(tmp_path)
    old, young, again = media.put(b"old"), media.put(b"young"), media.put(b"again")
    _age(media, old, 400)
    _age(media, again, 400)
    limit = datetime.now(UTC) - timedelta(days=367)
    left_over = media.path(old).with_name("tmpabc")
    left_over.write_bytes(b"half")
    os.utime(left_over, (0, 0))
    refs = frozenset(media.older_than(limit))
    assert refs == {old, again} and not left_over.exists()
    assert media.put(b"again") == again  # it comes while the log is being searched
    assert remove(media, refs, limit) == 1
    assert media.path(young).exists() and media.path(again).read_bytes() == b"again"
    assert remove(media, refs, limit) == 0
    assert media.put(b"old") == old and media.path(old).exists()


def _read(media: MediaStore, ref: str) -> bytes:
    """For a moment it may lie aside; gone it may not be."""
    deadline = time.monotonic() + 2
    while time.monotonic() < deadline:
        with suppress(FileNotFoundError, NotFound):
            return media.path(ref).read_bytes()
    raise AssertionError("the file is lost")


def test_what_comes_while_it_is_deleted_is_not_lost(tmp_path: Path) -> None:
    media = MediaStore(tmp_path)
    ref = media.put(b"the same")
    limit = datetime.now(UTC) - timedelta(days=1)
    stop = threading.Event()

    def deletes() -> None:
        while not stop.is_set():
            media.remove(ref, limit)
            time.sleep(0.0005)

    thread = threading.Thread(target=deletes)
    thread.start()
    try:
        for _ in range(300):
            media.put(b"the same")
            assert _read(media, ref) == b"the same"
            with suppress(FileNotFoundError, NotFound):
                os.utime(media.path(ref), (0, 0))
    finally:
        stop.set()
        thread.join()
    media.put(b"the same")
    assert not media.remove(ref, limit)
    assert media.path(ref).read_bytes() == b"the same"


async def test_housekeeping_lets_files_go(tmp_path: Path) -> None:
    async with customer_of("whatsapp", tmp_path / "data", media_days=30) as (world, whatsapp, sender):
        whatsapp.files["m1"] = b"\x89PNG\r\n\x1a\n"
        image = {"id": "m1", "mime_type": "image/png"}
        await whatsapp.deliver(sender, type="image", image=image)
        rows = await world.api.until("messages", lambda rows: bool(rows), where="direction = inbound")

        def fetched(tx: Tx) -> dict[str, object]:
            return _extra(tx, rows[0]["id"])

        ref = ""
        while not ref.startswith("media:"):
            extra = await world.app.store.read(fetched, SYSTEM)
            ref = extra["media"][0]["ref"]  # type: ignore[index]
        assert await jobs._tidy_files(world.app) == {"files": 0}
        _age(world.app.media, ref, 40)
        assert await jobs._tidy_files(world.app) == {"files": 1}
        extra = await world.app.store.read(fetched, SYSTEM)
        assert extra["media"][0]["expired"] is True  # type: ignore[index]
        assert await jobs._tidy_files(world.app) == {"files": 0}
