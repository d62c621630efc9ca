"""The pages of flows. Every part works as a whole page too; only the trial needs its script."""

from pathlib import Path

from aiohttp import web

from bot.crm.flow_version import FLOW_VERSION
from bot.dialogs.publishing import LONGEST, OURS, publish, retire, save_draft, shipped, shipped_source
from bot.errors import InvalidInput
from bot.records.permissions import allowed
from bot.records.tx import Tx
from bot.records.write import get
from bot.web.console.door import Viewer, room, show, wants_fragment
from bot.web.console.flows import library, trial
from bot.web.console.flows.library import Fault, Sheet
from bot.web.console.records.common import go, reader_of

PATH, TOOLS = "/console/flows", "/console/flow-editor"
_UUID = r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}"
_ONE = f"{PATH}/{{name:[a-z][a-z0-9_]{{0,59}}}}"
_VERSION = f"{_ONE}/versions/{{id:{_UUID}}}"


def routes() -> tuple[web.RouteDef, ...]:
    """Every page and button of flows."""
    return (
        web.get(PATH, flows),
        web.post(PATH, save),
        web.get(f"{TOOLS}/new", new),
        web.post(f"{TOOLS}/check", check),
        web.post(f"{TOOLS}/try", try_it),
        web.get(_ONE, flow),
        web.get(f"{_ONE}/edit", edit),
        web.post(f"{_ONE}/retire", take_back),
        web.get(_VERSION, version),
        web.post(f"{_VERSION}/publish", put_out),
    )


def _may_write(viewer: Viewer) -> bool:
    return allowed(viewer.actor, "update", FLOW_VERSION.name)


@room
async def flows(request: web.Request, viewer: Viewer) -> web.StreamResponse:
    """GET /console/flows."""
    app = viewer.app
    found = await app.store.read(library.cards, viewer.actor, app.words, viewer.lang)
    return show(
        request, viewer, "flows/list.html", cards=found, path=PATH, tools=TOOLS, may_write=_may_write(viewer)
    )


@room
async def flow(request: web.Request, viewer: Viewer) -> web.StreamResponse:
    """GET /console/flows/{name}; `?in=hi` draws it in another language."""
    app, name = viewer.app, request.match_info["name"]
    drawn = request.query.get("in", viewer.lang)
    drawn = drawn if drawn in app.words.languages else viewer.lang
    leaf = await app.store.read(library.leaf, viewer.actor, reader_of(viewer), name, drawn)
    known = None if app.unlearned else library.heard(app.understanding.model, name)
    return show(
        request,
        viewer,
        "flows/flow.html",
        leaf=leaf,
        card=leaf.card,
        heard=known,
        drawn=drawn,
        drawable=app.words.languages,
        title_of=lambda label: _title(viewer, label),
        path=PATH,
        tools=TOOLS,
        may_write=_may_write(viewer),
        done=request.query.get("done", ""),
    )


def _title(viewer: Viewer, label: str) -> str:
    served = viewer.app.runtime.flows.get(label)
    return library.title_of(served, viewer.app.words, viewer.lang) if served is not None else label


def _blank(start: str) -> str:
    """The YAML that a new flow begins with: the small one beside this module, or a copy of one that ships."""
    source = shipped_source(start) if start not in OURS else ""
    if source:
        return source.replace(f"name: {start}\n", f"name: {start}_2\n", 1)
    return (Path(__file__).parent / "blank.yaml").read_text(encoding="utf-8")


def _begun(tx: Tx, viewer: Viewer, source: str) -> Sheet:
    tx.require("create", FLOW_VERSION.name)
    return library.sheet(tx, viewer.app.words, viewer.lang, source)


@room
async def new(request: web.Request, viewer: Viewer) -> web.StreamResponse:
    """GET /console/flow-editor/new; `?from=NAME` begins with a copy."""
    sheet = await viewer.app.store.read(_begun, viewer.actor, viewer, _blank(request.query.get("from", "")))
    return _editor(request, viewer, sheet, fresh=True)


def _edited(tx: Tx, viewer: Viewer, name: str, version_id: str) -> Sheet:
    tx.require("update", FLOW_VERSION.name)
    source = library.source_to_edit(tx, name, version_id)
    return library.sheet(tx, viewer.app.words, viewer.lang, source)


@room
async def edit(request: web.Request, viewer: Viewer) -> web.StreamResponse:
    """GET /console/flows/{name}/edit; `?version=ID` begins with an older one."""
    name, version_id = request.match_info["name"], request.query.get("version", "")
    sheet = await viewer.app.store.read(_edited, viewer.actor, viewer, name, version_id)
    return _editor(request, viewer, sheet, saved="saved" in request.query)


def _editor(
    request: web.Request,
    viewer: Viewer,
    sheet: Sheet,
    *,
    status: int = 200,
    saved: bool = False,
    fresh: bool = False,
) -> web.Response:
    copies = sorted(set(shipped()) - OURS) if fresh else ()
    return show(
        request,
        viewer,
        "flows/editor.html",
        status=status,
        sheet=sheet,
        saved=saved,
        fresh=fresh,
        copies=[(name, _title(viewer, name)) for name in copies],
        path=PATH,
        tools=TOOLS,
    )


async def _source(request: web.Request) -> str:
    """The YAML that was posted. Browsers send two signs for the end of a line."""
    posted = await request.post()
    return str(posted.get("source", "")).replace("\r\n", "\n")[: LONGEST + 1]


@room
async def check(request: web.Request, viewer: Viewer) -> web.StreamResponse:
    """POST /console/flow-editor/check: what is wrong and where, and the picture. Nothing is written."""
    sheet = await viewer.app.store.read(_begun, viewer.actor, viewer, await _source(request))
    if wants_fragment(request):
        return show(request, viewer, "flows/_checked.html", sheet=sheet, fresh_picture=True, editing=True)
    return _editor(request, viewer, sheet)


def _save(tx: Tx, source: str) -> tuple[str, str]:
    version_id = save_draft(tx, source)
    return str(get(tx, FLOW_VERSION, version_id)["name"]), version_id


@room
async def save(request: web.Request, viewer: Viewer) -> web.StreamResponse:
    """POST /console/flows: keep the draft, whatever is wrong with it; `do=publish` goes on to its summary."""
    source, deed = await _source(request), (await request.post()).get("do")
    try:
        name, version_id = await viewer.app.store.run(_save, viewer.actor, source)
    except InvalidInput as error:
        told = [Fault(0, str(problem), True) for problem in error.data.get("problems", [error.message])]
        return _editor(request, viewer, Sheet(source, "", told, None), status=error.status)
    if deed == "publish":
        return go(request, f"{PATH}/{name}/versions/{version_id}")
    return go(request, f"{PATH}/{name}/edit?saved=1")


@room
async def version(request: web.Request, viewer: Viewer) -> web.StreamResponse:
    """GET …/versions/{id}: what publishing it would change."""
    change = await viewer.app.store.read(
        library.change, viewer.actor, reader_of(viewer), request.match_info["name"], request.match_info["id"]
    )
    return _version(request, viewer, change)


def _version(request: web.Request, viewer: Viewer, change: library.Change, status: int = 200) -> web.Response:
    name = request.match_info["name"]
    return show(
        request,
        viewer,
        "flows/version.html",
        status=status,
        name=name,
        heading=_title(viewer, name),
        change=change,
        path=PATH,
        may_write=_may_write(viewer),
    )


def _publish(tx: Tx, name: str, version_id: str) -> None:
    library.source_to_edit(tx, name, version_id)
    publish(tx, version_id)


@room
async def put_out(request: web.Request, viewer: Viewer) -> web.StreamResponse:
    """POST …/versions/{id}/publish: served from now on, here and in every process."""
    name, version_id = request.match_info["name"], request.match_info["id"]
    try:
        await viewer.app.store.run(_publish, viewer.actor, name, version_id)
    except InvalidInput as error:
        reader = reader_of(viewer)
        change = await viewer.app.store.read(library.change, viewer.actor, reader, name, version_id)
        return _version(request, viewer, change, error.status)
    return go(request, f"{PATH}/{name}?done=published")


@room
async def take_back(request: web.Request, viewer: Viewer) -> web.StreamResponse:
    """POST …/retire: the flow that ships again, or none."""
    name = request.match_info["name"]
    await viewer.app.store.run(retire, viewer.actor, name)
    return go(request, f"{PATH}/{name}?done=retired" if name in shipped() else PATH)


@room
async def try_it(request: web.Request, viewer: Viewer) -> web.StreamResponse:
    """POST /console/flow-editor/try: one turn with the draft. Nothing is written."""
    posted, source = await request.post(), await _source(request)
    given = {name: str(posted.get(name, ""))[:4000] for name in ("say", "button", "title")}
    stored = "" if posted.get("anew") else str(posted.get("state", ""))
    try:
        reply = await trial.speak(
            viewer.app, viewer.actor, source, stored, given["say"], given["button"], viewer.lang
        )
    except InvalidInput:
        return show(request, viewer, "flows/_said.html", reply=None, said="")
    return show(request, viewer, "flows/_said.html", reply=reply, said=given["title"] or given["say"])
