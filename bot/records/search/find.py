"""Search over everything an actor may see: whole words first, then their beginnings, then typing mistakes.

The index names candidates, within the actor's rows and fields; how near each comes, `fold` says of its texts.
A mistake is sought among the records that share a word's first two letters: one in these is not found.
"""

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC

import sqlalchemy as sa

from bot.errors import InvalidInput
from bot.records.entity import Entity
from bot.records.permissions import allowed, visible
from bot.records.query.compile import visible_rows
from bot.records.query.conditions import finds_by_everything, searched_by
from bot.records.query.run import DEFAULT_CURRENCY, asking
from bot.records.search.fold import nearness, wanted, wanted_loosely
from bot.records.search.index import Source, having_words
from bot.records.show import shown
from bot.records.tx import Tx

LONGEST_SEARCH = 200
MOST_WORDS = 10
CANDIDATES = 50
MISTYPED_CANDIDATES = 200
"""Records of a kind that are looked at, the newest first."""
_READ = 2000  # characters of a long text that are compared; the index knows the rest
_SOMEWHERE = 0.5  # how near a text is taken to come behind that

Words = Sequence[Sequence[str]]


@dataclass(frozen=True, slots=True)
class Hit:
    """A record found. `title` is empty where the actor does not see it; `field` is where the words came
    nearest, of another kind `identities.value`; `score` is only good for comparing."""

    kind: str
    id: str
    title: str
    field: str
    score: float


def searchable(entities: Collection[Entity]) -> list[str]:
    """The kinds that are searched by themselves; those that find others are searched with these."""
    return [
        entity.name
        for entity in entities
        if not entity.finds and any(spec.search for spec in entity.fields.values())
    ]


def find_everywhere(tx: Tx, text: str, kinds: Collection[str] = (), limit: int = 20) -> list[Hit]:
    """The records of these kinds (none: of all) that the text finds, the nearest first; of kinds that the
    actor may not read, none. Raises InvalidInput."""
    known = searchable(tx.schema.entities.values())
    if len(text) > LONGEST_SEARCH:
        raise InvalidInput(f"A search has at most {LONGEST_SEARCH} characters", field="q")
    for kind in kinds:
        if kind not in known:
            raise InvalidInput(
                f"There is no search of {kind[:40]!r}. Searched: {', '.join(known)}",
                field="kinds",
                expected=known,
            )
    asked = [tx.schema.entity(kind) for kind in known if kind in (kinds or known)]
    asked = [entity for entity in asked if allowed(tx.actor, "read", entity.name)]
    begun = wanted(text)
    if len(begun) > MOST_WORDS:
        raise InvalidInput(f"A search has at most {MOST_WORDS} words", field="q")
    if not begun:
        return []
    whole = [[term.removesuffix("*") for term in word] for word in begun]
    found: dict[str, Hit] = {}
    for words in (whole, begun):
        if len(found) < limit:
            _add(found, (hit for entity in asked for hit in _hits(tx, entity, text, words)))
    hits = _ranked(found)
    loose = wanted_loosely(text)
    if len(hits) < limit and loose != begun:
        mistyped: dict[str, Hit] = {}
        _add(mistyped, (hit for entity in asked for hit in _hits(tx, entity, text, loose, mistyped=True)))
        hits += [hit for hit in _ranked(mistyped) if hit.id not in found]
    return hits[:limit]


def _add(found: dict[str, Hit], hits: Iterator[Hit]) -> None:
    found.update({hit.id: hit for hit in hits})


def _ranked(found: dict[str, Hit]) -> list[Hit]:
    """The nearest first, of equals the newest."""
    newest = sorted(found.values(), key=lambda hit: hit.id, reverse=True)
    return sorted(newest, key=lambda hit: hit.score, reverse=True)


def _hits(tx: Tx, entity: Entity, text: str, words: Words, *, mistyped: bool = False) -> list[Hit]:
    """The hits of one kind. Mistakes are forgiven in its own short fields: names, titles, places."""
    ask = asking(tx, UTC, DEFAULT_CURRENCY)
    among = searched_by(ask, entity)
    everything = not mistyped and finds_by_everything(ask, entity, among)
    if mistyped:
        among = [pair for pair in among if pair[0] == entity.name and not entity.fields[pair[1]].long]
    if not among:
        return []
    titled = visible(tx.actor, entity, entity.title)
    own = [name for kind, name in among if kind == entity.name]
    names = list(dict.fromkeys(("id", *own, *((entity.title,) if titled else ()))))
    table = entity.table
    chosen = (
        sa.select(*(entity.fields[name].on(table).label(name) for name in names))
        .where(table.c.id.in_(having_words(tx.dialect, entity.name, among, words, everything=everything)))
        .where(*visible_rows(tx.actor, entity))
        .order_by(table.c.id.desc())
        .limit(MISTYPED_CANDIDATES if mistyped else CANDIDATES)
    )
    rows = shown(tx, entity, tx.rows(chosen), names)
    texts = {row["id"]: [((entity.name, name), str(row[name] or "")) for name in own] for row in rows}
    _add_finders(tx, entity, among, texts)
    hits: list[Hit] = []
    for row in rows:
        if place := _nearest(tx, text, texts[row["id"]]):
            (kind, name), score = place
            title = str(row[entity.title] or "") if titled else ""
            field = name if kind == entity.name else f"{kind}.{name}"
            hits.append(Hit(entity.name, row["id"], title, field, round(score, 4)))
    return hits


def _add_finders(
    tx: Tx, entity: Entity, among: Sequence[Source], texts: dict[str, list[tuple[Source, str]]]
) -> None:
    """The texts of records that find these ones, in one statement a kind."""
    for kind in dict.fromkeys(kind for kind, _ in among if kind != entity.name) if texts else ():
        finder = tx.schema.entity(kind)
        table, names = finder.table, [name for source, name in among if source == kind]
        chosen = sa.select(table.c[finder.finds].label("found"), *(table.c[name] for name in names))
        of_these = chosen.where(table.c[finder.finds].in_(list(texts)), *visible_rows(tx.actor, finder))
        for row in tx.rows(of_these):
            texts[row["found"]] += [((kind, name), row[name] or "") for name in names]


def _nearest(tx: Tx, query: str, texts: Sequence[tuple[Source, str]]) -> tuple[Source, float] | None:
    """Where the words come nearest, and how near all come together, each in the field where it counts most;
    None where a word is near nothing."""
    if not texts:  # it was found by a record that went meanwhile
        return None
    best: list[float] = []
    where, most = texts[0][0], 0.0
    for source, text in texts:
        spec = tx.schema.entity(source[0]).fields[source[1]]
        near = nearness(query, text[:_READ])
        if len(text) > _READ:
            near = [max(one, _SOMEWHERE) for one in near]
        weighed = [one * spec.search for one in near]
        best = [max(pair) for pair in zip(best or weighed, weighed, strict=True)]
        if sum(weighed) > most:
            where, most = source, sum(weighed)
    return (where, sum(best) / len(best)) if all(best) else None
