"""Which list was asked for: its conditions, order, columns and page, as the address says it."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any
from urllib.parse import urlencode

from aiohttp import web

from bot.records.actor import Actor
from bot.records.entity import Entity
from bot.records.permissions import visible
from bot.records.query.text import quoted
from bot.web.console.records.layout import layout_of, sections_of

MOST_COLUMNS = 12


@dataclass(frozen=True, slots=True)
class Asked:
    """`where` is in the query language, `text` what is searched for; `view` the saved one it began with."""

    view: str = ""
    where: str = ""
    text: str = ""
    order: str = ""
    columns: tuple[str, ...] = ()
    after: str = ""

    def address(self, path: str, **changed: Any) -> str:
        """The address of this list with these parts changed."""
        now = replace(self, **{"after": "", **changed})
        parts = {
            "view": now.view,
            "where": now.where,
            "q": now.text,
            "order": now.order,
            "columns": ",".join(now.columns),
            "after": now.after,
        }
        kept = {name: value for name, value in parts.items() if value or (name == "where" and now.view)}
        return f"{path}?{urlencode(kept)}" if kept else path

    @property
    def condition(self) -> str:
        """All that narrows the list, as one `where`."""
        search = f"~ {quoted(self.text)}" if self.text else ""
        if search and self.where:
            return f"({self.where}) and {search}"
        return search or self.where


def asked_of(request: web.Request) -> tuple[Asked, bool]:
    """What the address asks for, and whether it says more than a view."""
    given = request.query
    columns = tuple(name for part in given.getall("columns", []) for name in part.split(",") if name)
    asked = Asked(
        given.get("view", "")[:60],
        given.get("where", "").strip(),
        given.get("q", "").strip()[:200],
        given.get("order", "").strip(),
        columns[:MOST_COLUMNS],
        given.get("after", ""),
    )
    return asked, any(name in given for name in ("where", "q", "order", "columns"))


def from_view(asked: Asked, view: Mapping[str, Any], *, changed: bool) -> Asked:
    """What a saved view shows, where the address does not say otherwise."""
    order = asked.order or view["sort"] or ""
    columns = asked.columns or tuple(view["columns"] or ())
    return replace(asked, where=asked.where if changed else view["condition"], order=order, columns=columns)


def columns_of(actor: Actor, entity: Entity, asked: Asked) -> tuple[str, ...]:
    """The columns shown: those asked for that the actor may see, else the layout's."""
    known = choosable(actor, entity)
    chosen = tuple(name for name in asked.columns if name in known)
    return chosen or tuple(name for name in layout_of(entity).columns if name in known) or known[:4]


def choosable(actor: Actor, entity: Entity) -> tuple[str, ...]:
    """Every column that a list of this kind may have, in the order of its sections."""
    extras = entity.extras.names if entity.extras is not None else ()
    named = [name for _, names in sections_of(entity, layout_of(entity)) for name in names]
    if entity.name == "activities" and "about" in entity.fields:
        named.append("about")
    seen = [*named[:1], *extras, *named[1:]]
    return tuple(name for name in seen if visible(actor, entity, name))
