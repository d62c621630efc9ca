"""Every page and button of records: the one table of their routes."""

from aiohttp import web

from bot.web.console.records import (
    access,
    board,
    bulk,
    doings,
    export,
    files,
    form,
    guests,
    happening,
    linked,
    list,
    lookup,
    record,
    search,
    sharing,
    staff,
    timeline,
    views,
)
from bot.web.console.records.common import ROOT
from bot.web.console.rules import pages as rules

_UUID = r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}"
_KIND = f"{ROOT}/{{kind:[a-z_]{{1,40}}}}"
_ONE = f"{_KIND}/{{id:{_UUID}}}"
_ACTIVITY = f"{ROOT}/activities/{{id:{_UUID}}}"
_FILE = f"{_ONE}/files/{{file:{_UUID}}}"
_FIELD = f"{_ONE}/fields/{{name:[a-z][a-z0-9_]{{0,59}}}}"


def routes() -> tuple[web.RouteDef, ...]:
    """Every page and button of records. A word that stands in a kind's place comes before the kinds."""
    return (*_admins(), *_activities(), *_kinds(), *_parts())


def _admins() -> tuple[web.RouteDef, ...]:
    """Search, and what only some kinds have: access, users, the board, rules."""
    return (
        web.get(search.PATH, search.search),
        web.get(access.PATH, access.matrix),
        web.get(f"{access.PATH}/{{kind:[a-z_]{{1,40}}}}", access.fields),
        web.post(f"{access.PATH}/{{kind:[a-z_]{{1,40}}}}", access.set_kind),
        web.post(f"{access.PATH}/{{kind:[a-z_]{{1,40}}}}/fields", access.set_fields),
        web.get(f"{ROOT}/users/{{id:{_UUID}}}/account", staff.account),
        web.post(f"{ROOT}/users/{{id:{_UUID}}}/leave", staff.leave),
        web.post(f"{ROOT}/users/{{id:{_UUID}}}/return", staff.come_back),
        web.post(f"{ROOT}/users/{{id:{_UUID}}}/keys", staff.make_key),
        web.post(f"{ROOT}/users/{{id:{_UUID}}}/keys/{{key:{_UUID}}}/end", staff.end_key),
        web.post(f"{ROOT}/users/{{id:{_UUID}}}/password", staff.password),
        web.get(f"{ROOT}/opportunities/board", board.board),
        web.post(f"{ROOT}/opportunities/{{id:{_UUID}}}/stage", board.move),
        web.get(f"{rules.PATH}/new", rules.new),
        web.post(rules.PATH, rules.save),
        web.post(f"{rules.PATH}/draft", rules.change),
        web.get(f"{rules.PATH}/{{id:{_UUID}}}", rules.rule),
        web.post(f"{rules.PATH}/{{id:{_UUID}}}", rules.save),
        web.get(f"{rules.PATH}/{{id:{_UUID}}}/edit", rules.edit),
        web.get(f"{rules.PATH}/{{id:{_UUID}}}/runs", rules.more),
        web.post(f"{rules.PATH}/{{id:{_UUID}}}/runs/{{run:{_UUID}}}/again", rules.again),
        web.get(f"{rules.PATH}/{{id:{_UUID}}}/versions", rules.more),
    )


def _activities() -> tuple[web.RouteDef, ...]:
    """What is done to an activity on its page."""
    return (
        web.get(f"{_ACTIVITY}/happening", happening.happening),
        web.post(f"{_ACTIVITY}/done", happening.finish),
        web.post(f"{_ACTIVITY}/later", happening.change_later),
        web.post(f"{_ACTIVITY}/later/delete", happening.call_off_later),
        web.get(f"{search.PATH}/people", guests.invitable),
        web.get(f"{_ACTIVITY}/guests", guests.guests),
        web.post(f"{_ACTIVITY}/guests", guests.invite),
        web.post(f"{_ACTIVITY}/guests/{{guest:{_UUID}}}/answer", guests.answer),
        web.post(f"{_ACTIVITY}/guests/{{guest:{_UUID}}}/remove", guests.take_off),
        web.get(f"{search.PATH}/records", linked.linkable),
        web.get(f"{_ACTIVITY}/links", linked.links),
        web.post(f"{_ACTIVITY}/links", linked.link),
        web.post(f"{_ACTIVITY}/links/{{link:{_UUID}}}/remove", linked.unlink),
        web.get(f"{_ONE}/linked", linked.linked),
    )


def _kinds() -> tuple[web.RouteDef, ...]:
    """The list of a kind, and a record of it."""
    return (
        web.get(_KIND, list.records),
        web.post(_KIND, form.create),
        web.get(f"{_KIND}/new", form.new),
        web.get(f"{_KIND}/lookup", lookup.lookup),
        web.get(f"{_KIND}/export", export.export),
        web.post(f"{_KIND}/bulk", bulk.bulk),
        web.post(f"{_KIND}/views", views.save),
        web.post(f"{_KIND}/views/default", views.make_default),
        web.post(f"{_KIND}/views/{{view:{_UUID}}}/remove", views.remove),
        web.get(_ONE, record.record),
        web.post(_ONE, form.change),
        web.get(f"{_ONE}/edit", form.edit),
        web.get(f"{_ONE}/facts", form.show_record),
        web.get(_FIELD, form.field),
        web.post(_FIELD, form.change_field),
        web.post(f"{_ONE}/delete", record.remove),
        web.post(f"{_ONE}/restore", record.bring_back),
    )


def _parts() -> tuple[web.RouteDef, ...]:
    """The parts of a record's page that are fetched by themselves."""
    return (
        web.get(f"{_ONE}/timeline", timeline.show_timeline),
        web.get(f"{_ONE}/activities", doings.form),
        web.post(f"{_ONE}/activities", doings.add),
        web.get(f"{_ONE}/files", files.files),
        web.post(f"{_ONE}/files", files.upload),
        web.post(f"{_FILE}/versions", files.replace),
        web.post(f"{_FILE}/end", files.date),
        web.post(f"{_FILE}/remove", files.remove),
        web.get(f"{ROOT}/files/{{id:{_UUID}}}/content", files.content),
        web.get(f"{search.PATH}/staff", sharing.sharers),
        web.get(f"{_ONE}/shares", sharing.shares),
        web.post(f"{_ONE}/shares", sharing.share),
        web.post(f"{_ONE}/shares/{{share:{_UUID}}}/remove", sharing.take_back),
    )
