"""A business of a given size for `samvad bench crm`, written straight into the tables: N contacts with a phone
each, N/10 opportunities, 5 N events (half of them on one contact in a hundred), what search finds them by.
"""

import random
from collections.abc import Sequence
from datetime import UTC, datetime

import sqlalchemy as sa

from bot.records.search.fold import terms

OPPORTUNITIES_A_CONTACT = 10
EVENTS_A_CONTACT = 5
BUSY_EVERY = 100
"""One contact in so many has half of all events: theirs are the timelines that are long."""
STAGES = ("Qualification", "Needs analysis", "Proposal", "Negotiation", "Won", "Lost")
CITIES = ("Pune", "Chennai", "Kochi", "Jaipur", "Dhaka", "Colombo", "Lahore", "Kathmandu")
_FIRST = """
Aarav Aditi Ajay Amina Ananya Anil Arjun Asha Bilal Chandra Deepa Dinesh Divya Farah Faisal Gauri Gopal
Hari Imran Ishaan Jaya Kavita Kiran Lakshmi Latha Mahesh Meera Mohan Nadia Nikhil Nisha Omar Padma Pooja
Priya Rahul Rajesh Ravi Rekha Rohit Sana Sanjay Sara Shanti Sunil Tariq Uma Vijay Vikram Zainab
"""
_LAST = """
Acharya Ahmed Ali Bhat Bose Chaudhary Das Desai Fernando Gandhi Ghosh Gupta Hussain Iyer Jain Joshi Kapoor
Khan Kulkarni Kumar Mehta Menon Mishra Mukherjee Nair Naidu Patel Perera Pillai Qureshi Rao Reddy Roy Saxena
Sen Shah Sharma Shetty Siddiqui Silva Singh Sinha Sodhi Thapa Tiwari Varma Verma Wijesinghe Yadav Zaidi
"""
NAMES = [f"{first} {last}" for first in _FIRST.split() for last in _LAST.split()]
START = datetime.now(UTC).replace(day=1, hour=0, minute=0, second=0, microsecond=0)
"""The records' time: a month for which the event log has a partition."""
_START_MS = int(START.timestamp() * 1000)
_MOMENT = START.isoformat(timespec="microseconds")


def record_id(kind: int, number: int) -> str:
    """The id of the number-th record: a UUIDv7 whose time is the number's millisecond."""
    stamp = f"{_START_MS + number:012x}"
    return f"{stamp[:8]}-{stamp[8:]}-7{kind:03x}-8000-{number:012x}"


CONTACT, IDENTITY, OPPORTUNITY, EVENT, NAME_ENTRY, PHONE_ENTRY = range(1, 7)


def _id(dialect: str, kind: int, number: str) -> str:
    """`record_id` in SQL."""
    if dialect == "postgresql":
        stamp = f"lpad(to_hex({_START_MS}::bigint + {number}), 12, '0')"
        return f"({stamp} || '7{kind:03x}8000' || lpad(to_hex({number}::bigint), 12, '0'))::uuid"
    stamp = f"printf('%012x', {_START_MS} + {number})"
    return (
        f"(substr({stamp}, 1, 8) || '-' || substr({stamp}, 9) || '-7{kind:03x}-8000-'"
        f" || printf('%012x', {number}))"
    )


def _series(start: int, end: int) -> str:
    """The numbers from `start` up to `end`, as a source called s."""
    return f"(SELECT {start} + n AS n FROM bench_numbers WHERE n < {end - start}) s"


def fill(connection: sa.Connection, start: int, end: int, owners: Sequence[str]) -> None:
    """Write the contacts numbered from `start` up to `end`, and what belongs to them. `owners` are users of
    whom each owns one contact in a thousand; nobody owns the rest."""
    dialect = connection.dialect.name
    if start == 0:
        _names(connection)
    for first in range(start, end, _STEP):
        _contacts(connection, dialect, first, min(first + _STEP, end), owners)
        _deals(connection, dialect, first, min(first + _STEP, end), owners)
        _events(connection, dialect, first, min(first + _STEP, end))


_STEP = 100_000


def _names(connection: sa.Connection) -> None:
    """The pool of names with what search finds them by: only Python knows how a name is folded."""
    connection.execute(sa.text("CREATE TABLE bench_names (k INTEGER PRIMARY KEY, name TEXT, terms TEXT)"))
    shuffled = random.Random(7).sample(NAMES, len(NAMES))
    rows = [{"k": k, "name": name, "terms": terms(name)} for k, name in enumerate(shuffled)]
    connection.execute(sa.text("INSERT INTO bench_names VALUES (:k, :name, :terms)"), rows)
    connection.execute(sa.text("CREATE TABLE bench_numbers (n BIGINT PRIMARY KEY)"))
    connection.execute(
        sa.text(
            "INSERT INTO bench_numbers WITH RECURSIVE s(n) AS (SELECT 0 UNION ALL SELECT n + 1 FROM s"
            f" WHERE n < {_STEP * EVENTS_A_CONTACT - 1}) SELECT n FROM s"
        )
    )


def _owner(dialect: str, owners: Sequence[str], number: str) -> str:
    cast = "::uuid" if dialect == "postgresql" else ""
    choices = " ".join(
        f"WHEN {number} % 1000 = {place} THEN '{owner}'{cast}" for place, owner in enumerate(owners)
    )
    return f"CASE {choices} END"


def _insert(connection: sa.Connection, table: str, columns: dict[str, str], source: str) -> None:
    """`INSERT INTO table (columns) SELECT expressions FROM source`. All of it is our own text."""
    names, values = ", ".join(columns), ", ".join(columns.values())
    connection.execute(
        sa.text(f"INSERT INTO {table} ({names}) SELECT {values} FROM {source}".replace(":", "\\:"))
    )


def _contacts(connection: sa.Connection, dialect: str, start: int, end: int, owners: Sequence[str]) -> None:
    source = f"{_series(start, end)} JOIN bench_names b ON b.k = s.n % {len(NAMES)}"
    contact, identity = _id(dialect, CONTACT, "s.n"), _id(dialect, IDENTITY, "s.n")
    cities = " ".join(f"WHEN {place} THEN '{name}'" for place, name in enumerate(CITIES))
    no, yes = ("false", "true") if dialect == "postgresql" else ("0", "1")
    kept = _kept(dialect)
    values = {
        "id": contact,
        "name": "b.name",
        "name_source": "'staff'",
        "lang": "'en'",
        "city": f"CASE s.n % {len(CITIES)} {cities} END",
        "country": "'IN'",
        "owner_id": _owner(dialect, owners, "s.n"),
        "blocked": no,
        "demo": no,
    }
    _insert(connection, "contacts", values | kept, source)
    digits = "(9000000000 + s.n)"
    phone = {"id": identity, "contact_id": contact, "kind": "'phone'", "value": f"'+91' || {digits}"}
    _insert(connection, "identities", phone | {"verified": yes} | kept, source)
    entry = {"found_id": contact}
    name = {"entity": "'contacts'", "record_id": contact, "field": "'name'", "terms": "b.terms"}
    _insert(connection, "search_entries", name | entry, source)
    number = {"entity": "'identities'", "record_id": identity, "field": "'value'"}
    by_number = f"'91' || {digits} || ' ' || {digits}"
    _insert(connection, "search_entries", number | {"terms": by_number} | entry, source)
    _insert(connection, "search_documents", {"terms": f"b.terms || ' ' || {by_number}"} | entry, source)


def _deals(connection: sa.Connection, dialect: str, start: int, end: int, owners: Sequence[str]) -> None:
    source = _series(start // OPPORTUNITIES_A_CONTACT, end // OPPORTUNITIES_A_CONTACT)
    stages = " ".join(f"WHEN {place} THEN '{name}'" for place, name in enumerate(STAGES))
    values = {
        "id": _id(dialect, OPPORTUNITY, "s.n"),
        "number": "1001 + s.n",
        "name": "'Deal ' || s.n",
        "contact_id": _id(dialect, CONTACT, f"s.n * {OPPORTUNITIES_A_CONTACT}"),
        "stage": f"CASE s.n % {len(STAGES)} {stages} END",
        "status": f"CASE s.n % {len(STAGES)} WHEN 4 THEN 'won' WHEN 5 THEN 'lost' ELSE 'open' END",
        "probability": "50",
        "amount": "(s.n % 1000 + 1) * 1000000",
        "currency": "'INR'",
        "owner_id": _owner(dialect, owners, "s.n"),
    }
    _insert(connection, "opportunities", values | _kept(dialect), source)


def _events(connection: sa.Connection, dialect: str, start: int, end: int) -> None:
    """Half of the events go to every contact in turn, half to one in BUSY_EVERY."""
    first, last = start * EVENTS_A_CONTACT, end * EVENTS_A_CONTACT
    whose = f"CASE s.n % 2 WHEN 0 THEN s.n / {EVENTS_A_CONTACT}"
    busy = f"{whose} ELSE (s.n / {EVENTS_A_CONTACT}) / {BUSY_EVERY} * {BUSY_EVERY} END"
    contact = _id(dialect, CONTACT, f"({busy})")
    changes = '\'{"city":[null,"Pune"]}\''
    values = {
        "id": _id(dialect, EVENT, "s.n"),
        "at": _moment(dialect),
        "actor_kind": "'system'",
        "entity": "'contacts'",
        "record_id": contact,
        "action": "'updated'",
        "contact_id": contact,
        "changes": f"CAST({changes} AS JSONB)" if dialect == "postgresql" else changes,
        "reason": "''",
        "correlation_id": "''",
    }
    _insert(connection, "events", values, _series(first, last))


def _moment(dialect: str) -> str:
    return f"CAST('{_MOMENT}' AS TIMESTAMPTZ)" if dialect == "postgresql" else f"'{_MOMENT}'"


def _kept(dialect: str) -> dict[str, str]:
    return {"created_at": _moment(dialect), "updated_at": _moment(dialect), "version": "1"}
