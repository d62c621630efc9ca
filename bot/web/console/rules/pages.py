"""The page of a rule: form, live check, trial, runs and versions. Every part works as a whole page too."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from aiohttp import web

from bot.automation.run import retry_now
from bot.crm.rule import RULE
from bot.crm.rule_check import KINDS, may_lend
from bot.errors import Conflict, Forbidden, InvalidInput, NotFound, VersionConflict
from bot.ids import is_id
from bot.pipeline.business import Standing
from bot.records.change import change_record, create_record
from bot.records.permissions import allowed
from bot.records.tx import Tx
from bot.web.console.door import Viewer, room, show, wants_fragment
from bot.web.console.records.common import ROOT, go, may, reader_of
from bot.web.console.records.reader import Reader
from bot.web.console.records.record import Facts, RecordPage, page_of, read_any
from bot.web.console.rules import draft as drafts
from bot.web.console.rules.draft import Draft, as_given
from bot.web.console.rules.editor import Editor, Wrong, build, settle, wrong_of
from bot.web.console.rules.log import Run, Version, runs, versions
from bot.web.console.rules.trial import Match, Trial, attempt, match

PATH = f"{ROOT}/rules"


@dataclass(slots=True)
class Page:
    """All that the page shows."""

    editor: Editor
    match: Match | None = None
    trial: Trial | None = None
    runs: Sequence[Run] = ()
    more_runs: str = ""
    versions: Sequence[Version] = ()
    more_versions: str = ""
    chosen: tuple[str, str] = ("", "")
    """The record that the trial was asked for, and what it is called."""


def _page(
    tx: Tx,
    reader: Reader,
    draft: Draft,
    wrong: Wrong | None = None,
    deed: str = "",
    standing: Any = None,
    asked: str = "",
    *,
    whole: bool = True,
) -> Page:
    """The page of a draft after a deed: `check`, `try`, or a change of its actions. Not `whole`: without
    its log."""
    settle(tx, draft)
    trial = attempt(tx, reader, standing, draft, asked) if deed == "try" else None
    made = Page(build(tx, reader, draft, wrong or (trial.wrong if trial else None)), trial=trial)
    if deed in ("check", "try") or draft.values["condition"]:
        made.match = match(tx, reader, draft) if _may_ask(tx, draft) else None
    if draft.id and whole:
        made.runs, made.more_runs = runs(tx, reader, draft.id, "")
        made.versions, made.more_versions = versions(tx, reader, draft.id, "")
    return made


def _may_ask(tx: Tx, draft: Draft) -> bool:
    """Whether the viewer may ask the condition as the rule's user: what it selects is what that user sees."""
    try:
        may_lend(tx.actor, None, as_given(draft))
    except Forbidden:
        return False
    return allowed(tx.actor, "update", RULE.name)


def _show(
    request: web.Request,
    viewer: Viewer,
    page: Page,
    *,
    template: str = "page",
    status: int = 200,
    **more: Any,
) -> web.Response:
    draft = page.editor.draft
    return show(
        request,
        viewer,
        f"rules/{template}.html",
        status=status,
        page=page,
        editor=page.editor,
        draft=draft,
        path=PATH,
        here_path=f"{PATH}/{draft.id}" if draft.id else PATH,
        reader=reader_of(viewer),
        may_write=may(viewer, "update" if draft.id else "create", RULE),
        may_delete=bool(draft.id) and may(viewer, "delete", RULE),
        **{"clash": False, "saved": False, **more},
    )


def _blank(tx: Tx, reader: Reader, entity: str) -> Page:
    tx.require("create", RULE.name)
    return _page(tx, reader, drafts.blank(tx.actor.id, entity))


@room
async def new(request: web.Request, viewer: Viewer) -> web.StreamResponse:
    """GET /console/records/rules/new."""
    wanted = request.query.get("entity", "leads")
    entity = wanted if wanted in KINDS else "leads"
    return _show(
        request, viewer, await viewer.app.store.read(_blank, viewer.actor, reader_of(viewer), entity)
    )


def _saved(tx: Tx, reader: Reader, rule_id: str, older: Mapping[str, str]) -> Page | None:
    row = read_any(tx, RULE, rule_id)
    if row["deleted_at"] is not None:
        return None
    page = _page(tx, reader, drafts.of_row(row))
    if after := older.get("runs"):
        page.runs, page.more_runs = runs(tx, reader, rule_id, after)
    if after := older.get("versions"):
        page.versions, page.more_versions = versions(tx, reader, rule_id, after)
    return page


@room
async def rule(request: web.Request, viewer: Viewer) -> web.StreamResponse:
    """GET /console/records/rules/{id}; a deleted one's page is that of every deleted record."""
    reader, rule_id = reader_of(viewer), request.match_info["id"]
    page = await viewer.app.store.read(_saved, viewer.actor, reader, rule_id, request.query)
    if page is None:
        row = await viewer.app.store.read(read_any, viewer.actor, RULE, rule_id)
        gone = RecordPage(Facts(row, reader.title(RULE, row), [], []), deleted=True)
        return page_of(request, viewer, RULE, gone)
    return _show(request, viewer, page, saved="saved" in request.query)


@room
async def edit(request: web.Request, _viewer: Viewer) -> web.StreamResponse:
    """GET …/edit: the page is the editor."""
    raise web.HTTPSeeOther(f"{PATH}/{request.match_info['id']}")


def _save(tx: Tx, draft: Draft) -> str:
    given = drafts.as_given(draft)
    if not draft.id:
        return str(create_record(tx, RULE, given)["id"])
    return str(change_record(tx, RULE, draft.id, given, version=draft.version)["id"])


@room
async def save(request: web.Request, viewer: Viewer) -> web.StreamResponse:
    """POST /console/records/rules and …/{id}: the whole rule."""
    reader, store = reader_of(viewer), viewer.app.store
    draft = drafts.read(await request.post())
    draft.id = request.match_info.get("id", "")
    clash = False
    try:
        await store.run(_settled, viewer.actor, draft)
        rule_id = await store.run(_save, viewer.actor, draft)
        raise web.HTTPSeeOther(f"{PATH}/{rule_id}?saved=1")
    except VersionConflict as error:
        wrong, status, clash = Wrong(), error.status, True
        draft.version = (await store.read(read_any, viewer.actor, RULE, draft.id))["version"]
    except (InvalidInput, Conflict) as error:
        wrong, status = wrong_of(error, draft, reader), error.status
    page = await store.read(_page, viewer.actor, reader, draft, wrong)
    return _show(request, viewer, page, status=status, clash=clash)


def _settled(tx: Tx, draft: Draft) -> None:
    settle(tx, draft)


def _tried(
    tx: Tx, reader: Reader, draft: Draft, deed: str, standing: Standing, asked: str, whole: bool
) -> Page:
    tx.require("update" if draft.id else "create", RULE.name)
    return _page(tx, reader, draft, None, deed, standing, asked, whole=whole)


@room
async def change(request: web.Request, viewer: Viewer) -> web.StreamResponse:
    """POST /console/records/rules/draft: nothing is saved; the form after a deed, or a part of it."""
    posted = await request.post()
    draft, deed = drafts.read(posted), str(posted.get("do", ""))
    if draft.id and not is_id(draft.id):
        raise NotFound("There is no such rule")
    draft.change(deed, str(posted.get("add", "")))
    asked = str(posted.get("record", ""))
    if asked and not is_id(asked):
        raise InvalidInput("There is no such record", field="record")
    work = viewer.app.store.run if deed == "try" else viewer.app.store.read
    whole, standing = not wants_fragment(request), viewer.app.runtime
    page = await work(_tried, viewer.actor, reader_of(viewer), draft, deed, standing, asked, whole)
    page.chosen = (asked, str(posted.get("record_name", "")))
    if whole:
        return _show(request, viewer, page)
    part = {"check": "_match", "try": "_tried"}.get(deed, "_form")
    return _show(request, viewer, page, template=part)


@room
async def again(request: web.Request, viewer: Viewer) -> web.StreamResponse:
    """POST …/{id}/runs/{run}/again: try a run that failed again, now."""
    await viewer.app.store.run(retry_now, viewer.actor, request.match_info["id"], request.match_info["run"])
    return go(request, f"{PATH}/{request.match_info['id']}#runs-title")


@room
async def more(request: web.Request, viewer: Viewer) -> web.StreamResponse:
    """GET …/{id}/runs and …/versions: the page after a cursor."""
    rule_id, after = request.match_info["id"], request.query.get("after", "")
    which = request.path.rpartition("/")[2]
    if not allowed(viewer.actor, "read", RULE.name):
        raise Forbidden("You may not see rules")
    work = runs if which == "runs" else versions
    if not wants_fragment(request):
        raise web.HTTPSeeOther(f"{PATH}/{rule_id}?{which}={after}")
    found, following = await viewer.app.store.read(work, viewer.actor, reader_of(viewer), rule_id, after)
    return show(
        request,
        viewer,
        f"rules/_{which}.html",
        found=found,
        following=following,
        here_path=f"{PATH}/{rule_id}",
        may_write=may(viewer, "update", RULE),
    )
