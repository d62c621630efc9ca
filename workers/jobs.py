"""The jobs. Each takes ids, reads what it needs, and may run twice without doing anything twice."""

from bot import clock
from bot.app import App
from bot.automation.retention import forget_runs
from bot.automation.timers import ALL_TIMERS
from bot.conversations import inbox, outbox
from bot.crm.code import forget_codes
from bot.crm.notification import NOTIFICATION, unmailed
from bot.crm.series import fill_some
from bot.crm.user import USER
from bot.errors import ChannelError
from bot.logs import correlation, logger
from bot.messages import OutboundMessage
from bot.pipeline import invitations, retention
from bot.pipeline.timers import fire
from bot.records.actor import SYSTEM
from bot.records.replies import forget_replies
from bot.records.tx import Record, Tx
from bot.records.write import find, update
from bot.storage.partitions import ensure_partitions
from workers.host import on_app

_log = logger("jobs")


def fire_timer(timer_id: str) -> bool:
    """A timer fell due; False when it was done or dropped meanwhile."""

    async def work(app: App) -> bool:
        correlation.set(f"timer:{timer_id}")
        return await app.store.run(fire, SYSTEM, app.runtime, timer_id, ALL_TIMERS)

    return on_app(work)


def learn() -> bool:
    """Begin to train the whole model of the flows in use, beside the other jobs: timers do not wait for it.
    False when it is there or being trained. Cut off, it is asked for again."""

    async def work(app: App) -> bool:
        return app.learn()

    return on_app(work)


def index_articles() -> bool:
    """Begin to embed the pieces of articles that are found by their words alone so far, beside the other
    jobs. False when none wait or it goes on. Cut off, it is asked for again and goes on where it was."""

    async def work(app: App) -> bool:
        return app.index()

    return on_app(work)


def find_gaps() -> bool:
    """Begin to look for gaps in the knowledge base, beside the other jobs, where somebody asked for them or
    a day has passed. Cut off, it is asked for again."""

    async def work(app: App) -> bool:
        return await app.gaps.begin()

    return on_app(work)


def mail_notifications() -> int:
    """Mail what staff were told and have not been mailed, and invitations; returns how many left."""

    async def work(app: App) -> int:
        channel = app.channels.get("email")
        if channel is None:
            return 0
        sent = await invitations.send_due(app.runtime)
        for row in await app.store.read(unmailed, SYSTEM):
            mail = await app.store.read(_mail_of, SYSTEM, app, row, channel.accounts[0][1])
            if mail is None:
                continue
            try:
                await channel.send(mail)
            except ChannelError as error:
                _log.warning("notification_not_mailed", notification=row["id"], error=str(error))
                continue
            await app.store.run(_mailed, SYSTEM, row["id"])
            sent += 1
        return sent

    return on_app(work)


def _mail_of(tx: Tx, app: App, row: Record, account: str) -> OutboundMessage | None:
    user = find(tx, USER, row["user_id"])
    if user is None:
        return None
    lang = app.profile.languages[0]
    text = app.words.say(row["key"], lang, **row["data"])
    return OutboundMessage(
        id=row["id"],
        channel="email",
        account=account,
        address=user["email"],
        text=f"{text}\n\n{app.settings.public_url}{row['link']}",
        subject=text[:120],
    )


def _mailed(tx: Tx, notification_id: str) -> None:
    row = find(tx, NOTIFICATION, notification_id)
    if row is not None:
        update(tx, NOTIFICATION, row, {"mailed_at": tx.now})


def housekeeping() -> dict[str, int]:
    """Once an hour: drop old event keys, sent rows, runs of rules and files; partitions and series go on."""

    async def work(app: App) -> dict[str, int]:
        done = await app.store.run(_tidy, SYSTEM) | await _tidy_files(app)
        written = 0
        # A few at a time: others write too.
        while some := await app.store.run(fill_some, SYSTEM):
            written += some
        return done | {"series": written}

    return on_app(work)


async def _tidy_files(app: App) -> dict[str, int]:
    before = retention.too_old(clock.now(), app.settings.media_days)
    if before is None:
        return {"files": 0}
    refs = await app.store.aside(lambda: frozenset(app.media.older_than(before)))
    refs -= await app.store.read(retention.of_records, SYSTEM, refs)
    if not refs:
        return {"files": 0}
    ids, orphans = await app.store.read(retention.naming, SYSTEM, refs)
    for start in range(0, len(ids), retention.MARKED_AT_ONCE):
        some = ids[start : start + retention.MARKED_AT_ONCE]
        await app.store.run(retention.mark_expired, SYSTEM, some, refs)
    gone = await app.store.aside(lambda: retention.remove(app.media, refs, before))
    _log.info("files_expired", files=gone, named_by_nobody=orphans)
    return {"files": gone}


def _tidy(tx: Tx) -> dict[str, int]:
    made = ensure_partitions(tx.connection, clock.now())
    return {
        "keys": inbox.forget_keys(tx),
        "rows": outbox.forget_sent(tx),
        "runs": forget_runs(tx),
        "replies": forget_replies(tx),
        "codes": forget_codes(tx),
        "partitions": len(made),
    }
