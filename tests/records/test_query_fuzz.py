"""Random queries, as every role, over random records, on both databases: exactly what the plain-Python
evaluator finds, none too many and none too few."""

import os
from collections.abc import Iterator
from random import Random
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from bot.records.permissions import allowed
from bot.records.query import Query, holds, page, parse_sentence, parse_text, summary, to_text
from bot.records.store import Store
from bot.records.tx import Tx
from tests.support.business import ASKED, Maker, actors, define_own_fields, plain, pool, write
from tests.support.evaluator import Evaluator, Row
from tests.support.queries import KOLKATA, MOMENTS, Inventor, passing

BERLIN = ZoneInfo("Europe/Berlin")
NOWS = [*MOMENTS, MOMENTS[2].replace(day=28, month=2), MOMENTS[2].replace(day=31, month=3, hour=23)]


def _all_pages(tx: Tx, query: Query, zone: ZoneInfo) -> list[str]:
    """The ids of every page by following the cursor; none may be empty but the only one."""
    entity, found, cursor = tx.schema.entity(query.entity), [], None
    while True:
        asked = Query(query.entity, query.where, query.order, query.limit, cursor, ("id",))
        one = page(tx, entity, asked, zone)
        assert query.limit is not None and len(one.rows) <= query.limit
        found += [row["id"] for row in one.rows]
        if one.next_cursor is None:
            return found
        assert len(one.rows) == query.limit
        cursor = one.next_cursor


def _worlds(store: Store, random: Random, count: int) -> Iterator[tuple[Tx, dict[str, list[Row]]]]:
    define_own_fields(store)
    for _ in range(count):
        rows = Maker(random, store).make()
        with passing(store) as tx:
            write(tx, rows)
            yield tx, rows


def _fuzz(store: Store, seed: int, worlds: int, queries: int) -> None:
    random = Random(seed)
    for tx, rows in _worlds(store, random, worlds):
        known = pool(rows)
        for actor in actors(random, rows) * queries:
            kinds = sorted(kind for kind in ASKED if allowed(actor, "read", kind))
            entity = tx.schema.entity(random.choice(kinds))
            query = Inventor(random, tx.schema, actor, ASKED, known).query(entity)
            zone = random.choice([KOLKATA, BERLIN])
            tx.actor, tx.now = actor, random.choice(NOWS)
            written = to_text(query)
            again = parse_text(written, tx.schema, actor)
            assert (again.where, again.order) == (query.where, query.order), written
            wanted = Evaluator(tx.schema, rows, actor, zone, tx.now).listed(query)
            found = _all_pages(tx, query, zone)
            assert found == [row["id"] for row in wanted], (written, actor, tx.now, zone)
            for row in random.sample(rows[entity.name], min(2, len(rows[entity.name]))):
                assert holds(tx, entity, query, row["id"], zone) == (row["id"] in found), written


def _fuzz_summaries(store: Store, seed: int, worlds: int, queries: int) -> None:
    random = Random(seed)
    for tx, rows in _worlds(store, random, worlds):
        known = pool(rows)
        for actor in actors(random, rows) * queries:
            kinds = sorted(kind for kind in ASKED if allowed(actor, "read", kind))
            entity = tx.schema.entity(random.choice(kinds))
            asked = Inventor(random, tx.schema, actor, ASKED, known).summary(entity)
            zone = random.choice([KOLKATA, BERLIN])
            tx.actor, tx.now = actor, random.choice(NOWS)
            written = to_text(asked)
            assert parse_sentence(written, tx.schema, actor) == asked, written
            wanted = Evaluator(tx.schema, rows, actor, zone, tx.now).summed(asked)
            found = summary(tx, entity, asked, zone)
            assert all([column.name for column in found.columns] == list(row) for row in wanted)
            limit = asked.limit or len(wanted)
            assert _rounded(found.rows) == _rounded(wanted[:limit]), (written, actor, tx.now, zone)
            assert found.more == (len(wanted) > limit)


def _rounded(rows: list[Any]) -> list[dict[str, Any]]:
    return [
        {name: round(value, 9) if isinstance(value, float) else plain(value) for name, value in row.items()}
        for row in rows
    ]


def test_every_role_counts_exactly_what_the_evaluator_counts(store: Store) -> None:
    _fuzz_summaries(store, seed=1, worlds=2, queries=10)


def test_every_role_finds_exactly_what_the_evaluator_finds(store: Store) -> None:
    _fuzz(store, seed=1, worlds=2, queries=12)


def _seeded(seed: int) -> int:
    return seed + 1000 * int(os.environ.get("SAMVAD_TEST_SEED", "1"))


@pytest.mark.slow
@pytest.mark.timeout(600)
@pytest.mark.parametrize("seed", range(10))
def test_thousands_of_summaries(store: Store, seed: int) -> None:
    _fuzz_summaries(store, _seeded(seed), worlds=6, queries=20)


@pytest.mark.slow
@pytest.mark.timeout(600)
@pytest.mark.parametrize("seed", range(10))
def test_thousands_of_queries(store: Store, seed: int) -> None:
    _fuzz(store, _seeded(seed), worlds=6, queries=40)
