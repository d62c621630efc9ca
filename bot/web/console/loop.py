"""How the knowledge base does, and what it lacks: figures, gaps, and the drafts that close them."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from functools import partial
from typing import Any

from aiohttp import web
from babel.dates import format_date
from babel.numbers import format_percent

from bot import clock
from bot.crm import gap
from bot.crm.article import ARTICLE
from bot.crm.question_figures import GROUPS, By, Figures, figures
from bot.errors import InvalidInput, NotFound
from bot.i18n import locale_of
from bot.knowledge import draft as drafts
from bot.knowledge.embeddings import embed
from bot.knowledge.gaps import most_central
from bot.records.permissions import allowed
from bot.records.tx import Record, Tx
from bot.web.console.door import Viewer, room, show
from bot.web.console.records.common import go, reader_of

PATH = "/console/articles/loop"
PERIODS = (7, 30, 90)
SHOWN = 30
"""Gaps on the page."""
EXAMPLES = 5
_BARS = 31
"""More days than this are shown as weeks."""


def routes() -> tuple[web.RouteDef, ...]:
    """The page, its moving part and its buttons."""
    return (
        web.get(PATH, loop),
        web.get(f"{PATH}/gaps", gaps),
        web.post(f"{PATH}/gaps", look),
        web.post(f"{PATH}/draft", draft),
    )


@dataclass(frozen=True, slots=True)
class Bar:
    """One day or week of the chart, in hundredths of its height."""

    told: str
    x: float
    width: float
    asked: float
    answered: float
    resolved: float


@dataclass(frozen=True, slots=True)
class Gap:
    """What customers ask and no article says. `draft`: the article that was drafted of it."""

    id: str
    title: str
    size: int
    counts: tuple[tuple[str, int], ...]
    examples: tuple[str, ...]
    langs: tuple[str, ...]
    articles: tuple[tuple[str, str], ...]
    draft: str | None


@dataclass(frozen=True, slots=True)
class Found:
    """The latest finding. `state`: none, waiting, running, done or failed; `done` hundredths of the work."""

    state: str
    percent: int
    made_at: Any
    gaps: tuple[Gap, ...]
    more: int


def _figures(tx: Tx, since: date, until: date) -> dict[By, list[Figures]]:
    return {by: figures(tx, since, until, by) for by in GROUPS}


def read_gaps(tx: Tx) -> Found:
    """The latest finding, with a few masked examples of each gap: two statements."""
    run = gap.latest_run(tx)
    if run is None:
        return Found("none", 0, None, (), 0)
    found = run["found"] or []
    wanted = [id for one in found[:SHOWN] for id in one["ids"][:EXAMPLES]]
    rows = {row["id"]: row for row in gap.questions_of(tx, wanted)}
    told = [_gap(one, [rows[id] for id in one["ids"][:EXAMPLES] if id in rows]) for one in found[:SHOWN]]
    shown = tuple(one for one in told if one is not None)
    percent = 100 * run["done"] // run["total"] if run["total"] else 0
    return Found(run["state"], percent, run["made_at"], shown, max(len(found) - SHOWN, 0))


def _gap(one: dict[str, Any], rows: Sequence[Record]) -> Gap | None:
    """None where its questions were deleted meanwhile."""
    if not rows:
        return None
    texts = [" ".join(drafts.masked(row["text"], row["name"]).split()) for row in rows]
    articles = {row["article_id"]: row["title"] for row in rows if row["article_id"] and row["title"]}
    return Gap(
        one["question"],
        texts[0],
        len(one["ids"]),
        tuple((kind, one[kind]) for kind in ("none", "unsure", "bad") if one[kind]),
        tuple(dict.fromkeys(text for text in texts[1:] if text.casefold() != texts[0].casefold())),
        tuple(one["langs"]),
        tuple(articles.items()),
        next((row["draft_id"] for row in rows if row["draft_id"]), None),
    )


def bars(days: Sequence[Figures], since: date, until: date, lang: str) -> list[Bar]:
    """The chart's bars; of more than a month one a week."""
    step = 1 if (until - since).days < _BARS else 7
    count = (until - since).days // step + 1
    sums = [[0, 0, 0] for _ in range(count)]
    for one in days:
        place = (one.key - since).days // step
        for at, value in enumerate((one.asked, one.answered, one.resolved)):
            sums[place][at] += value
    top = max((asked for asked, _, _ in sums), default=0) or 1
    width = 100 / count
    found = []
    for at, (asked, answered, resolved) in enumerate(sums):
        day = format_date(since + timedelta(days=at * step), "d MMM", locale=locale_of(lang))
        left, broad = round((at + 0.12) * width, 2), round(width * 0.76, 2)
        high = (round(100 * value / top, 2) for value in (asked, answered, resolved))
        found.append(Bar(f"{day}: {asked} / {answered} / {resolved}", left, broad, *high))
    return found


def _days(request: web.Request) -> int:
    given = request.query.get("days", "")
    return int(given) if given.isdecimal() and int(given) in PERIODS else 30


@room
async def loop(request: web.Request, viewer: Viewer) -> web.StreamResponse:
    """GET /console/articles/loop?days=30."""
    days = _days(request)
    until = clock.now().astimezone(reader_of(viewer).zone).date()
    since = until - timedelta(days=days - 1)
    store = viewer.app.store
    found = await store.read(_figures, viewer.actor, since, until)
    return show(
        request,
        viewer,
        "loop.html",
        days=days,
        periods=PERIODS,
        total=found["all"][0],
        groups=[(by, found[by]) for by in ("article", "lang", "channel") if found[by]],
        bars=bars(found["day"], since, until, viewer.lang),
        percent=partial(_percent, viewer.lang),
        **await _gaps(viewer),
    )


def _percent(lang: str, share: float | None) -> str:
    return "–" if share is None else format_percent(share, "#,##0%", locale=locale_of(lang))


async def _gaps(viewer: Viewer) -> dict[str, Any]:
    found = await viewer.app.store.read(read_gaps, viewer.actor)
    return {
        "found": found,
        "path": PATH,
        "may_draft": allowed(viewer.actor, "create", ARTICLE.name),
        "working": found.state in ("waiting", "running"),
    }


@room
async def gaps(request: web.Request, viewer: Viewer) -> web.StreamResponse:
    """GET …/gaps: the list of gaps, and how far a finding has come."""
    return show(request, viewer, "_gaps.html", **await _gaps(viewer))


@room
async def look(request: web.Request, viewer: Viewer) -> web.StreamResponse:
    """POST …/gaps: look for gaps now. A worker does."""
    await viewer.app.store.run(gap.want_gaps, viewer.actor)
    return go(request, f"{PATH}#gaps")


@room
async def draft(request: web.Request, viewer: Viewer) -> web.StreamResponse:
    """POST …/draft: an article of a gap (`question`) or of a solved case (`case`), to be edited."""
    posted = await request.post()
    question, case = str(posted.get("question", "")), str(posted.get("case", ""))
    store, languages = viewer.app.store, viewer.app.profile.languages
    ids: tuple[str, ...] = ()
    if case:
        material = await store.read(drafts.from_case, viewer.actor, case, languages)
    elif question:
        ids = await store.read(_ids_of, viewer.actor, question)
        material = await store.read(drafts.from_gap, viewer.actor, ids, languages)
    else:
        raise InvalidInput("Say of which gap or case the article is to be", field="question")
    made = await _made(viewer, material)
    article_id = await store.run(drafts.keep_draft, viewer.actor, made, ids)
    return go(request, f"/console/articles/{article_id}")


def _ids_of(tx: Tx, question: str) -> tuple[str, ...]:
    """The questions of a gap of the latest finding. Raises NotFound."""
    run = gap.latest_run(tx)
    for one in (run["found"] or []) if run is not None else []:
        if one["question"] == question:
            return tuple(one["ids"])
    raise NotFound("This gap is no longer there: gaps were looked for anew")


async def _made(viewer: Viewer, material: drafts.Material) -> drafts.Draft:
    app = viewer.app
    if app.runtime.llm is not None:
        key = f"language.name.{material.lang}"
        language = app.words.say(key, "en") if app.words.has(key) else material.lang
        if (written := await drafts.written(material, app.runtime.llm, language)) is not None:
            return written
    choose = _nearest if app.settings.embeddings else _longest
    return await app.store.aside(partial(drafts.plain, material, app.words, choose))


def _nearest(replies: Sequence[str]) -> int:
    """What most of the others say too."""
    return most_central(embed(replies))


def _longest(replies: Sequence[str]) -> int:
    return max(range(len(replies)), key=lambda place: len(replies[place]))
