"""Jobs that leave the house: notifications by mail, over a real SMTP server."""

import asyncio
from pathlib import Path

from bot.crm.notification import NOTIFICATION, notify_user
from bot.records.actor import SYSTEM
from bot.records.tx import Tx
from bot.settings import load_settings
from bot.testing import MailEmulator
from bot.testing.mail import free_port
from tests.support.world import samvad, share_model
from workers import jobs
from workers.host import Host


async def test_what_staff_were_told_is_mailed_once(tmp_path: Path) -> None:
    async with MailEmulator() as mail:
        given = {**mail.settings, "email_listen": f"127.0.0.1:{free_port()}"}
        async with samvad(tmp_path / "data", articles=False, **given) as world:
            (boss,) = await world.api.rows("users")

            def tell(tx: Tx) -> str:
                data = {"name": "Asha", "channel": "whatsapp", "level": 1}
                return notify_user(tx, boss["id"], "notify.handoff_waiting", data, "/console")

            told = await world.app.store.run(tell, SYSTEM)
            settings = world.app.settings
            assert await asyncio.to_thread(_mail_all, settings.model_dump(exclude_unset=True)) == [1, 0]
            heard = await mail.wait_reply("boss@example.com", 1)
            assert "Asha" in heard[0] and "/console" in heard[0]

            def mailed(tx: Tx) -> bool:
                row = tx.row(NOTIFICATION.table.select())
                return row is not None and row["id"] == told and row["mailed_at"] is not None

            assert await world.app.store.read(mailed, SYSTEM)


def _mail_all(given: dict[str, object]) -> list[int]:
    """What a worker does, twice."""
    share = Path(str(given["data_dir"]))
    if not (share / "models").exists():
        share_model(share)
    host = Host(load_settings(**given), "")
    host.open()
    try:
        return [jobs.mail_notifications(), jobs.mail_notifications()]
    finally:
        host.close()


async def test_housekeeping_runs_on_a_fresh_database(tmp_path: Path) -> None:
    async with samvad(tmp_path / "data", articles=False) as world:
        tidied = await world.app.store.run(jobs._tidy, SYSTEM)
        assert tidied == {"keys": 0, "rows": 0, "runs": 0, "replies": 0, "codes": 0, "partitions": 0}
