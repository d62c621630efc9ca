"""A small business: staff of every role in two teams, and records of every kind owned by each of them."""

from dataclasses import dataclass, field

from bot.conversations.channel_account import ensure_account
from bot.conversations.conversation import CONVERSATION
from bot.conversations.lane import NewLane, ensure_lanes
from bot.conversations.message import append
from bot.conversations.template import keep, templates_of
from bot.crm.account import ACCOUNT
from bot.crm.activity import ACTIVITY
from bot.crm.api_key import make_api_key
from bot.crm.article import save_article
from bot.crm.case import CASE
from bot.crm.consent import record_consent
from bot.crm.contact import CONTACT, add_identity
from bot.crm.lead import LEAD
from bot.crm.notification import notify_user
from bot.crm.user import add_user, team_id
from bot.ids import new_id
from bot.messages import Template
from bot.records.actor import ROLES
from bot.records.numbers import next_number
from bot.records.tx import Tx
from bot.records.write import create

OWNERS = ("self", "mate", "stranger", "loner", "nobody")
"""The asking user; one of their team; one of another team; one without a team; nobody."""


@dataclass
class Business:
    """`keys` by role; `rows[kind][owner]` is the id of a record."""

    keys: dict[str, str] = field(default_factory=dict)
    users: dict[str, str] = field(default_factory=dict)
    rows: dict[str, dict[str, str]] = field(default_factory=dict)

    def keep(self, kind: str, owner: str, record_id: str) -> str:
        """Remember whose a record is."""
        self.rows.setdefault(kind, {})[owner] = record_id
        return record_id


def found(tx: Tx, role: str) -> Business:
    """A business seen by a user of this role: `self` is theirs."""
    made = Business()
    north, south = team_id(tx, "north"), team_id(tx, "south")
    for name, team in (("self", "north"), ("mate", "north"), ("stranger", "south"), ("loner", None)):
        their_role = role if name == "self" else "rep"
        made.users[name] = add_user(tx, f"{name}@example.com", their_role, team=team)  # type: ignore[arg-type]
    made.keys[role] = make_api_key(tx, made.users["self"])
    account = ensure_account(tx, "twilio", "sms", "+15550001111")
    made.keep("channel_accounts", "nobody", account)
    keep(tx, account, [Template("HX1", "order", "en", "utility", "approved", "On its way")])
    made.keep("templates", "nobody", templates_of(tx)[0]["id"])
    made.keep("articles", "stranger", save_article(tx, "returns", "en", "Returns", "Within 30 days."))
    for name, team in (("north", north), ("south", south)):
        made.keep("teams", name, team)
    for owner in OWNERS:
        team = {"self": north, "mate": north, "stranger": south}.get(owner)
        _records(tx, made, owner, made.users.get(owner), team, account)
    return made


def keys_of_every_role(tx: Tx) -> dict[str, str]:
    """An API key of a user of each role, without a team."""
    return {role: make_api_key(tx, add_user(tx, f"{role}@example.org", role)) for role in ROLES}


def _records(
    tx: Tx, made: Business, owner: str, owner_id: str | None, team: str | None, account: str
) -> None:
    whose = {"owner_id": owner_id, "team_id": team}
    contact = create(
        tx, CONTACT, {"name": owner, "name_source": "said", "blocked": False, "demo": False, **whose}
    )
    made.keep("contacts", owner, contact)
    phone = f"+9198765432{OWNERS.index(owner):02}"
    add_identity(tx, contact, "phone", phone, verified=True)
    add_identity(tx, contact, "whatsapp", phone[1:], verified=True)
    add_identity(tx, contact, "email", f"{owner}@example.net", verified=False)
    made.keep("accounts", owner, create(tx, ACCOUNT, {"name": f"{owner} Ltd", **whose}))
    words = {"subject": "Leak", "description": "It drips", "priority": "normal", "origin": "sms"}
    case = {"number": next_number(tx, "cases"), "contact_id": contact, "status": "new", **words, **whose}
    made.keep("cases", owner, create(tx, CASE, {**case, "escalation_level": 0}))
    lead = {"number": next_number(tx, "leads"), "contact_id": contact, "status": "new", "source": "sms"}
    made.keep("leads", owner, create(tx, LEAD, {**lead, **whose}))
    note = {"kind": "note", "subject": "N", "body": "N", "about": "contacts", "about_id": contact}
    made.keep("activities", owner, create(tx, ACTIVITY, {**note, "contact_id": contact, **whose}))
    made.keep("consents", owner, record_consent(tx, contact, "sms", "given", how="START", words="start"))
    if owner_id is not None:
        made.keep("notifications", owner, notify_user(tx, owner_id, "lead.new", {"name": "A"}, "/console"))
        made.keep("users", owner, owner_id)
    lane = NewLane(account, phone)
    ensure_lanes(tx, [lane])
    conversation = create(
        tx,
        CONVERSATION,
        {
            "lane_id": lane.id,
            "contact_id": contact,
            "channel": "sms",
            "channel_account_id": account,
            "address": phone,
            "subject": "",
            "status": "open",
            "owner": "human" if owner_id else "bot",
            "owner_epoch": 0,
            "assignee_id": owner_id,
            "team_id": team,
            "last_text": "hello",
            "last_inbound_at": tx.now,
            "escalation_level": 0,
            "held": False,
        },
    )
    made.keep("conversations", owner, conversation)
    message = {
        "id": new_id(),
        "conversation_id": conversation,
        "contact_id": contact,
        "channel": "sms",
        "direction": "inbound",
        "author": "contact",
        "text": "hello",
        "status": "received",
        "status_rank": 9,
        "external_id": f"SM{owner}",
        "created_at": tx.now,
    }
    append(tx, [message])
    made.keep("messages", owner, str(message["id"]))
