"""Search over everything: however it is written or mistyped, the nearest first, and only what one may see."""

import pytest

from bot.crm.account import ACCOUNT
from bot.crm.article import save_article
from bot.crm.case import CASE
from bot.crm.contact import CONTACT, add_identity
from bot.crm.opportunity import OPPORTUNITY
from bot.crm.user import add_user, team_id
from bot.errors import InvalidInput
from bot.records.access import Access
from bot.records.actor import SYSTEM, Actor
from bot.records.change import create_record
from bot.records.search.find import LONGEST_SEARCH, MOST_WORDS, Hit, find_everywhere
from bot.records.store import Store
from bot.records.tx import Tx
from bot.records.write import delete, get
from tests.support.queries import ADMIN


def _add(tx: Tx) -> dict[str, str]:
    """A few records, by what the tests call them."""
    north, south = team_id(tx, "north"), team_id(tx, "south")
    made = {
        "rep": add_user(tx, "rep@example.com", "rep", team=north),
        "other": add_user(tx, "other@example.com", "rep", team=south),
        "north": north,
        "south": south,
    }
    names = {
        "lakshmi": "Lakshmi",
        "laxmi": "Laxmi Narayan",
        "hindi": "लक्ष्मी देवी",
        "krishna": "Krishnamurthy",
        "ravi": "Ravi",
        "ravindra": "Ravindra Rao",
    }
    for key, name in names.items():
        made[key] = create_record(tx, CONTACT, {"name": name, "owner_id": made["rep"]})["id"]
    add_identity(tx, made["ravi"], "phone", "+919876543210", verified=True)
    theirs = {"owner_id": made["other"], "team_id": south}
    made["theirs"] = create_record(tx, CONTACT, {"name": "Lakshmi", **theirs})["id"]
    made["gone"] = create_record(tx, CONTACT, {"name": "Lakshmi"})["id"]
    tx.flush()
    delete(tx, CONTACT, get(tx, CONTACT, made["gone"]))
    made["account"] = create_record(tx, ACCOUNT, {"name": "Laxmi Traders", "owner_id": made["rep"]})["id"]
    deal = {"name": "Fridges", "account_id": made["account"], "owner_id": made["rep"]}
    made["deal"] = create_record(tx, OPPORTUNITY, deal)["id"]
    words = {"subject": "Leak", "description": f"It drips. {'word ' * 500} at Lakshmi's"}
    case = {"contact_id": made["ravi"], "owner_id": made["rep"], **words}
    made["case"] = create_record(tx, CASE, case)["id"]
    made["article"] = save_article(tx, "returns", "en", "Krishnamurti Road", "Within 30 days.")
    return made


def _rep(made: dict[str, str]) -> Actor:
    return Actor("user", made["rep"], "rep", team_id=made["north"])


def _hits(store: Store, actor: Actor, text: str, *kinds: str, limit: int = 20) -> list[Hit]:
    return store.read_now(find_everywhere, actor, text, kinds, limit)


def _ids(store: Store, actor: Actor, text: str, *kinds: str) -> list[str]:
    return [hit.id for hit in _hits(store, actor, text, *kinds)]


def test_found_however_it_is_written_and_the_nearest_first(store: Store) -> None:
    made = store.write_now(_add, SYSTEM)
    rep = _rep(made)
    for text in ("Lakshmi", "laxmi", "लक्ष्मी"):
        found = _ids(store, rep, text)
        wanted = {made[key] for key in ("lakshmi", "laxmi", "hindi", "account", "case")}
        assert set(found) == wanted, text
        assert found[-1] == made["case"]  # deep in a description
    assert _ids(store, rep, "lakshmi")[0] == made["lakshmi"]
    assert _ids(store, rep, "laxmi")[:2] != _ids(store, rep, "lakshmi")[:2]
    assert _ids(store, rep, "ravi", "contacts") == [made["ravi"], made["ravindra"]]
    assert _ids(store, rep, "ravin") == [made["ravindra"], made["ravi"]]  # one letter away
    for number in ("98765", "+91 98765 43210", "09876543210"):
        [hit] = _hits(store, rep, number)
        assert (hit.kind, hit.id, hit.title, hit.field) == (
            "contacts",
            made["ravi"],
            "Ravi",
            "identities.value",
        )
    assert _ids(store, rep, "ravi 98765") == [made["ravi"]]
    [hit] = _hits(store, rep, "fridges")
    assert _ids(store, rep, hit.title) == [made["deal"]]
    assert len(_hits(store, rep, "lakshmi", limit=2)) == 2
    assert _ids(store, rep, "lakshmi", "accounts") == [made["account"]]
    assert _ids(store, rep, "!") == _ids(store, rep, "") == _ids(store, rep, "zzz") == []


def test_typing_mistakes_come_behind_all_else(store: Store) -> None:
    made = store.write_now(_add, SYSTEM)
    rep = _rep(made)
    both = {made["krishna"], made["article"]}
    assert set(_ids(store, rep, "Krsihnamurthy")) == set(_ids(store, rep, "krishnamurty")) == both
    assert _ids(store, rep, "Krsihnamurthy", "contacts") == [made["krishna"]]
    assert _ids(store, rep, "Krsihnamurthy ravi") == []  # each word must be near something

    def mistyped(tx: Tx) -> str:
        return str(create_record(tx, CONTACT, {"name": "Krsihnamurthy", "owner_id": made["rep"]})["id"])

    exact = store.write_now(mistyped, SYSTEM)
    found = _ids(store, rep, "Krsihnamurthy")
    assert found[0] == exact and set(found[1:]) == both
    assert _ids(store, rep, "rkishnamurthy") == []  # a mistake in the first two letters


def test_only_what_one_may_see_is_found(store: Store) -> None:
    made = store.write_now(_add, SYSTEM)
    rep, admin = _rep(made), ADMIN
    for text in ("lakshmi", "lakshim", "laksh"):
        assert made["theirs"] not in _ids(store, rep, text), text
        assert made["theirs"] in _ids(store, admin, text), text
        assert made["gone"] not in _ids(store, admin, text), text
    other = Actor("user", made["other"], "rep", team_id=made["south"])
    assert _ids(store, other, "lakshmi") == [made["theirs"]]
    assert _ids(store, other, "98765") == []
    hidden = {("rep", "contacts"): frozenset({"name"}), ("rep", "identities"): frozenset({"value"})}
    blind = Actor("user", made["rep"], "rep", team_id=made["north"], access=Access(hidden=hidden))
    for text in ("ravi", "98765", "Ravindar", "Krsihnamurthy"):
        assert _ids(store, blind, text, "contacts") == [], text
    marketer = Actor("user", made["rep"], "marketer")
    assert _ids(store, marketer, "leak") == _ids(store, marketer, "leak", "cases") == []
    limited = Actor("user", made["rep"], "rep", team_id=made["north"], scopes=frozenset({"accounts:read"}))
    assert _ids(store, limited, "lakshmi") == [made["account"]]


def test_a_title_that_one_may_not_see_is_not_told(store: Store) -> None:
    made = store.write_now(_add, SYSTEM)
    hidden = {("rep", "contacts"): frozenset({"name"})}
    blind = Actor("user", made["rep"], "rep", team_id=made["north"], access=Access(hidden=hidden))
    [hit] = _hits(store, blind, "98765")
    assert (hit.id, hit.title) == (made["ravi"], "")


@pytest.mark.parametrize(
    ("text", "kinds"),
    [
        ("a" * (LONGEST_SEARCH + 1), ()),
        ("a-" * MOST_WORDS + "a", ()),
        ("a", ("nothing",)),
        ("a", ("identities",)),
    ],
)
def test_what_cannot_be_sought_is_refused(store: Store, text: str, kinds: tuple[str, ...]) -> None:
    with pytest.raises(InvalidInput):
        _hits(store, ADMIN, text, *kinds)
