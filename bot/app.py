"""The composition root: everything the program is made of, opened in order and closed in reverse.

Nothing is built at import. `open_app` closes what it opened when a later part fails to start.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from functools import partial

import sqlalchemy as sa

from bot import metrics
from bot.adapter import Accepted, Channel
from bot.bus import Bus
from bot.bus.limits import Limits
from bot.channels import CHANNELS, build_channels
from bot.conversations.channel_account import all_accounts, seed_account
from bot.conversations.entities import ENTITIES
from bot.crm.article import ARTICLE
from bot.crm.business import Profile, seed_profile
from bot.crm.flow_version import PUBLISHED
from bot.dialogs.flows import Flows
from bot.dialogs.publishing import served
from bot.dialogs.turn import SearchKnowledge
from bot.dialogs.understanding import Understanding
from bot.dialogs.understanding.learner import Learner
from bot.errors import ConfigurationInvalid, Unavailable
from bot.i18n import Words
from bot.knowledge.answer import Answer
from bot.knowledge.compose import compose
from bot.knowledge.library import Library
from bot.llm import LLM, Call
from bot.logs import logger
from bot.media import MediaStore
from bot.media.links import FileLinks
from bot.messages import Parsed
from bot.notices import Notice
from bot.orders import Orders
from bot.pipeline.connections import Connections
from bot.pipeline.gaps import Gaps
from bot.pipeline.pipe import LOCAL_TOPICS, Pipe
from bot.pipeline.runtime import Runtime
from bot.records.actor import SYSTEM
from bot.records.definitions import CHANGED
from bot.records.keys import KeyRing, derive
from bot.records.own_index import index_own_fields
from bot.records.search.fill import fill_step
from bot.records.store import Store, explain
from bot.records.tokens import Tokens
from bot.records.tx import Tx
from bot.settings import Settings
from bot.storage import Database
from bot.storage.migrate import load_secret, upgrade

_log = logger("app")
_AGAIN_S = 1.0
_DAY_S = 86_400.0 * 2
"""A day's sum is kept past its end, for those whose clock is late."""
LEARNED = "learned"
"""The topic of the notice that a worker has trained the whole model of the flows."""


@dataclass(slots=True)
class App:
    """The running program: what pages, jobs and commands work with."""

    settings: Settings
    store: Store
    bus: Bus
    media: MediaStore
    words: Words
    profile: Profile
    channels: Mapping[str, Channel]
    runtime: Runtime
    connections: Connections
    library: Library
    understanding: Understanding
    learner: Learner
    gaps: Gaps
    pipe: Pipe | None

    async def flows_changed(self) -> None:
        """Read the flows anew and serve them, by their words at first; a worker then trains the whole model.

        Every process does so at the notice `PUBLISHED`: who publishes flows posts it after the commit."""
        flows = await self.store.aside(partial(_read_flows, self.store))
        model = await self.learner.best(flows)
        self.understanding.learn(flows, model)
        self.runtime.flows = flows

    async def stale(self) -> bool:
        """Whether other flows are in force than those served: the notice was lost while the bus was away."""
        return dict(await self.store.aside(partial(_read_flows, self.store))) != dict(self.runtime.flows)

    async def learned(self) -> None:
        """Serve the flows in use with their whole model, if it was trained meanwhile."""
        flows: Flows = self.runtime.flows
        if self.unlearned and (model := await self.learner.whole(flows)):
            self.understanding.learn(flows, model)

    @property
    def unlearned(self) -> bool:
        """Whether messages are understood by words alone until the whole model is trained."""
        return self.learner.lacks(self.understanding.model)

    def learn(self) -> bool:
        """Begin to train the whole model, and tell every process when it is there. False when there is
        nothing to learn, or it is being learned here."""
        return self.unlearned and self.learner.begin(
            self.runtime.flows, lambda: self.bus.post([Notice(LEARNED, "")])
        )

    def index(self) -> bool:
        """Begin to embed what articles mean, and tell every process as it goes on. False when nothing waits
        for it, or it is being done here."""
        return self.library.begin(lambda: self.bus.post([Notice(str(ARTICLE.notice), "")]))

    async def receive(self, parsed: Parsed, adapter: str) -> Accepted:
        """Store inbound events; returns after the commit. Only in processes that serve."""
        if self.pipe is None:
            raise Unavailable("This process does not take messages in")
        return await self.pipe.receive(parsed, adapter)

    def sign(self, value: str) -> str:
        """A token that only we could have made for this value."""
        return self.runtime.tokens.sign(value)

    def unsign(self, token: str) -> str | None:
        """The value of a token of ours, None for any other text."""
        return self.runtime.tokens.unsign(token)


def open_store(settings: Settings, announce: Callable[[list[Notice]], None] = lambda notices: None) -> Store:
    """The database at its newest schema, with its keys: all that a command of the command line needs."""
    secret = load_secret(settings.secret_key.get_secret_value(), settings.data_dir.resolve())
    url = settings.database_url or f"sqlite:///{settings.sqlite_path()}"
    database = Database(url)
    keys_database = Database(_keys_url(database, settings), turn_threads=1, read_threads=1)
    try:
        upgrade(database)
        keys = KeyRing(keys_database, secret)
        _create_keys(database, keys_database, keys)
    except sa.exc.SQLAlchemyError as error:
        database.close()
        keys_database.close()
        where = database.url.render_as_string(hide_password=True)
        raise Unavailable(f"The database {where} cannot be used: {str(error)[:300]}") from error
    return Store(database, keys, ENTITIES, announce)


def _keys_url(database: Database, settings: Settings) -> str:
    """The log's keys lie apart: a file beside SQLite's, a database beside PostgreSQL's."""
    if database.dialect == "sqlite":
        folder = settings.data_dir.resolve()
        return f"sqlite:///{folder / 'keys.db'}"
    return database.url.set(database=f"{database.url.database}_keys").render_as_string(hide_password=False)


def _create_keys(database: Database, keys_database: Database, keys: KeyRing) -> None:
    """Make the keys' database on first start."""
    try:
        keys.create_schema()
        return
    except Unavailable:
        if database.dialect == "sqlite":
            raise
    name = keys_database.url.database
    with database.engines[0].connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        try:
            connection.execute(sa.text(f'CREATE DATABASE "{name}"'))
        except sa.exc.ProgrammingError as error:
            if "already exists" not in str(error):
                raise ConfigurationInvalid(
                    f"The event log's keys need a database of their own; please run: CREATE DATABASE {name}"
                ) from error
    keys.create_schema()


@asynccontextmanager
async def open_app(
    settings: Settings,
    *,
    serve: bool = True,
    redis_url: str | None = None,
    channels: Mapping[str, Channel] | None = None,
) -> AsyncIterator[App]:
    """Open everything. `serve`: take messages in and run the pipe; otherwise only what jobs need.

    `redis_url` overrides the setting (the embedded Valkey's socket); `channels` replaces the adapters."""
    async with AsyncExitStack() as stack:
        url = settings.redis_url if redis_url is None else redis_url
        bus = Bus(url, LOCAL_TOPICS if serve else frozenset())
        limits = Limits(url)
        stack.push_async_callback(limits.close)
        store = await asyncio.to_thread(open_store, settings, bus.post)
        stack.callback(store.close)
        await bus.open()
        stack.push_async_callback(bus.close)
        app = await _compose(settings, store, bus, limits, channels, stack)
        stack.push_async_callback(app.learner.close)
        stack.push_async_callback(app.gaps.close)
        for channel in tuple(app.channels.values()):
            stack.push_async_callback(channel.close)
            await channel.open()
        stack.push_async_callback(app.connections.close)
        await app.connections.refresh()
        stack.push_async_callback(app.library.close)
        await app.library.open()
        if serve:
            app.pipe = Pipe(app.runtime)
            stack.push_async_callback(app.pipe.close)
            await app.pipe.open()
            app.connections.serve(app.pipe)
        for work in (
            _watch_articles(app),
            _watch_flows(app),
            _watch_definitions(app),
            _follow_definitions(app),
            app.connections.watch(),
        ):
            stack.callback(asyncio.create_task(work).cancel)
        yield app


async def _compose(
    settings: Settings,
    store: Store,
    bus: Bus,
    limits: Limits,
    channels: Mapping[str, Channel] | None,
    stack: AsyncExitStack,
) -> App:
    flows = await asyncio.to_thread(_read_flows, store)
    learner = Learner(settings.data_dir.resolve() / "models", meaning=settings.embeddings)
    llm = _open_llm(settings, limits, stack)
    words, library = Words.load(), Library(store, meaning=settings.embeddings)
    understanding = Understanding(flows, words, await learner.best(flows), llm)
    adapters = build_channels(settings, _by_the_bus) if channels is None else dict(channels)
    profile, accounts = await store.run(_seed, SYSTEM, settings, adapters)
    media = MediaStore(settings.data_dir.resolve() / "media")
    secret = load_secret(settings.secret_key.get_secret_value(), settings.data_dir.resolve())
    tokens = Tokens(derive(secret, "tokens"))
    runtime = Runtime(
        settings=settings,
        store=store,
        bus=bus,
        media=media,
        words=words,
        profile=profile,
        channels=adapters,
        accounts=accounts,
        flows=flows,
        understand=understanding.understand,
        search=_search_of(settings, library, llm),
        tokens=tokens,
        limits=limits,
        links=FileLinks(tokens.sign, tokens.unsign, settings.public_url),
        orders=_open_orders(settings, stack),
        llm=llm,
    )
    # Adapters that were passed in are all there are.
    fixed = frozenset(adapters) if channels is None else frozenset(CHANNELS) | frozenset(adapters)
    connections = Connections(runtime, fixed)
    return App(
        settings, store, bus, media, words, profile, adapters, runtime, connections, library, understanding,
        learner, Gaps(runtime), None,
    )  # fmt: skip


def _open_llm(settings: Settings, limits: Limits, stack: AsyncExitStack) -> LLM | None:
    async def spend(day: str, cost: float) -> float:
        """What a day's questions have cost all processes together."""
        return await limits.add(f"llm:{day}", cost, _DAY_S)

    llm = LLM.from_settings(settings, _count_llm, spend)
    if llm is not None:
        stack.push_async_callback(llm.close)
    return llm


def _open_orders(settings: Settings, stack: AsyncExitStack) -> Orders | None:
    orders = Orders.from_settings(settings)
    if orders is not None:
        stack.push_async_callback(orders.close)
    return orders


def _search_of(
    settings: Settings, library: Library, llm: LLM | None
) -> Callable[[SearchKnowledge], Awaitable[Answer]]:
    async def search(need: SearchKnowledge) -> Answer:
        base_url = f"{settings.public_url}/help"
        asked = await library.asked(need.question, need.audiences, need.before)
        return await compose(library.index, asked, need.lang, llm, base_url=base_url)

    return search


async def _by_the_bus(_address: str, _outbox_id: str) -> None:
    """Web chat leaves through the bus: the receipt's notice wakes the visitor's page."""


def _read_flows(store: Store) -> Flows:
    """The flows that are to be served now. Raises ConfigurationInvalid where one that ships is wrong."""
    return store.read_now(served, SYSTEM)


def _seed(
    tx: Tx, settings: Settings, adapters: Mapping[str, Channel]
) -> tuple[Profile, dict[tuple[str, str, str], str]]:
    """The business profile and the accounts that the settings name, made on first start."""
    profile = seed_profile(tx, settings)
    for adapter in adapters.values():
        for channel, address in adapter.accounts:
            seed_account(tx, adapter.name, channel, address)
    tx.flush()
    return profile, {parts: account for account, parts in all_accounts(tx).items()}


def _count_llm(call: Call) -> None:
    metrics.LLM_CALLS.labels(call.prompt, call.outcome).inc()
    metrics.LLM_SECONDS.labels(call.prompt).observe(call.seconds)
    metrics.LLM_TOKENS.labels(call.prompt, "in").inc(call.tokens_in)
    metrics.LLM_TOKENS.labels(call.prompt, "out").inc(call.tokens_out)
    metrics.LLM_COST.labels(call.prompt).inc(call.cost)


async def _watch_articles(app: App) -> None:
    async for notice in app.bus.listen():
        if notice is None or notice.topic == ARTICLE.notice:
            app.library.changed()


async def _watch_flows(app: App) -> None:
    """Follow what is published and what is learned; what cannot be served leaves the former in use."""
    async for notice in app.bus.listen(at_once=True):
        if notice is None or notice.topic in (PUBLISHED, LEARNED):
            try:
                if await app.stale() if notice is None else notice.topic == PUBLISHED:
                    await app.flows_changed()
                else:
                    await app.learned()
            except Exception as error:
                _log.error("flows_not_learned", error=explain(error))


async def _watch_definitions(app: App) -> None:
    """Follow what admins define for as long as the process runs: who may do what hangs on it."""
    async for notice in app.bus.listen():
        while notice is None or notice.topic == CHANGED:
            try:
                await app.store.aside(app.store.reload_schema)
                break
            except Exception as error:  # the database may be away: look again until it is back
                _log.error("definitions_unread", error=explain(error))
                await asyncio.sleep(_AGAIN_S)


async def _follow_definitions(app: App) -> None:
    """Index the admins' own fields, and enter records older than the search index, at the start and whenever
    the schema is another one. Slow work, beside what listens."""
    done: object = None
    while True:
        schema = app.store.schema
        if schema is not done:
            try:
                await app.store.aside(partial(index_own_fields, app.store.database, schema))
                while app.pipe is not None and await app.store.run(fill_step, SYSTEM):
                    pass
                done = schema
            except Exception as error:
                _log.error("definitions_not_followed", error=explain(error))
        await asyncio.sleep(_AGAIN_S)
