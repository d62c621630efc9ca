"""What the parts of a record's page have in common that are fetched by themselves: links, guests, files."""

from typing import Any

from aiohttp import web

from bot.errors import NotFound
from bot.records.entity import Entity
from bot.records.tx import Record, Tx
from bot.web.console.door import Viewer, show
from bot.web.console.records.common import ROOT, reader_of
from bot.web.console.records.record import read_any

CHANGED = "record:changed"
"""Told to the page after a change, so that its timeline is fetched again."""


def read_live(tx: Tx, entity: Entity, record_id: str) -> Record:
    """What the actor may see of a record that is not deleted. Raises NotFound."""
    row = read_any(tx, entity, record_id)
    if row["deleted_at"] is not None:
        raise NotFound(f"This record in {entity.name} is deleted", kind=entity.name)
    return row


def panel(
    request: web.Request,
    viewer: Viewer,
    template: str,
    entity: Entity,
    record_id: str,
    *,
    wrong: str = "",
    **context: Any,
) -> web.Response:
    """A part of a record's page; with `wrong`, what is to be mended in its form."""
    response = show(
        request,
        viewer,
        template,
        status=400 if wrong else 200,
        entity=entity,
        reader=reader_of(viewer),
        wrong=wrong,
        here_path=f"{ROOT}/{entity.name}/{record_id}",
        **context,
    )
    if request.method == "POST" and not wrong:
        response.headers["HX-Trigger-After-Settle"] = CHANGED
    return response
