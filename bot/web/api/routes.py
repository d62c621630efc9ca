"""Every route of the API, once: the router, the OpenAPI document and the tests read this table."""

from collections.abc import Iterator
from functools import partial

from bot.crm.timeline import KINDS as WITH_TIMELINE
from bot.records.permissions import Action
from bot.web.api import (
    activities,
    describe,
    flows,
    operations,
    records,
    rules,
    search,
    send,
    timeline,
    writes,
)
from bot.web.api.bodies import Described
from bot.web.api.kinds import KINDS, Kind
from bot.web.api.route import Route

ROOT = "/api/v1"


def _of_kind(kind: Kind) -> Iterator[Route]:
    path, name, words = f"{ROOT}/{kind.path}", kind.name, kind.words
    one = f"{path}/{{id}}"
    read: tuple[Action, str] = ("read", name)
    write = kind.entity.takes
    yield Route(
        "GET",
        path,
        partial(records.list_records, name=name),
        f"list_{name}",
        f"A page of {words}.",
        f"{name}_page",
        read,
        kind=kind,
        parameters=(*records.LIST_PARAMETERS, *(("deleted",) if "delete" in write else ())),
    )
    yield Route(
        "GET",
        f"{path}/summary",
        partial(records.summarise, name=name),
        f"summarise_{name}",
        f"The {words} counted and added up.",
        "summary",
        read,
        kind=kind,
        parameters=records.SUMMARY_PARAMETERS,
    )
    yield Route(
        "GET",
        one,
        partial(records.get_record, name=name),
        f"get_{name}",
        f"One of the {words}, by its id.",
        name,
        read,
        kind=kind,
        parameters=records.SHAPE,
    )
    if name in WITH_TIMELINE:
        yield Route(
            "GET",
            f"{one}/timeline",
            partial(timeline.read_timeline, name=name),
            f"timeline_of_{name}",
            "What happened around the record, newest first: events, activities, messages.",
            "timeline",
            read,
            kind=kind,
            parameters=timeline.PARAMETERS,
        )
    yield from _writing(kind, path, one)
    yield from _beside_writing(kind, path, one)


def _writing(kind: Kind, path: str, one: str) -> Iterator[Route]:
    """Making, changing, deleting and restoring a record by values."""
    name, words, takes = kind.name, kind.words, kind.entity.takes
    if "create" in takes:
        yield Route(
            "POST",
            path,
            partial(writes.create, name=name),
            f"create_{name}",
            f"A new record among the {words}.",
            name,
            ("create", name),
            201,
            kind,
            body=Described(f"{name}_new", partial(describe.new_record, name=name)),
        )
    if "update" in takes:
        yield Route(
            "PATCH",
            one,
            partial(writes.change, name=name),
            f"change_{name}",
            "Change the fields that the body names; null empties one.",
            name,
            ("update", name),
            kind=kind,
            body=Described(f"{name}_change", partial(describe.changed_record, name=name)),
        )
    if "delete" in takes:
        yield Route(
            "DELETE",
            one,
            partial(writes.delete, name=name),
            f"delete_{name}",
            "Delete the record; it can be restored.",
            "",
            ("delete", name),
            204,
            kind,
        )
        yield Route(
            "POST",
            f"{one}/restore",
            partial(writes.restore, name=name),
            f"restore_{name}",
            "Bring a deleted record back.",
            name,
            ("delete", name),
            kind=kind,
        )


def _beside_writing(kind: Kind, path: str, one: str) -> Iterator[Route]:
    """Sharing a record, and writing many at once."""
    name, words, takes = kind.name, kind.words, kind.entity.takes
    if kind.entity.main:
        yield Route(
            "POST",
            f"{one}/share",
            partial(operations.share, name=name),
            f"share_{name}",
            "Share the record with a user or a team, or change how; `DELETE /shares/{id}` takes it back.",
            "shares",
            ("create", "shares"),
            body=operations.SHARED,
        )
    if takes >= {"create", "update", "delete"}:
        yield Route(
            "POST",
            f"{path}/bulk",
            partial(writes.bulk, name=name),
            f"bulk_{name}",
            f"Make, change and delete up to {writes.MAX_ROWS} of the {words}; each row has its own result.",
            "bulk_results",
            ("update", name),
            kind=kind,
            body=Described(f"{name}_bulk", partial(describe.bulk, name=name)),
        )


_CUSTOMERS = (
    Route(
        "POST",
        f"{ROOT}/messages",
        send.post_message,
        "send_message",
        "Write to the customer of a conversation; a conversation the bot owns is taken over first.",
        "queued",
        ("create", "messages"),
        202,
        body=send.MESSAGE,
    ),
    Route(
        "POST",
        f"{ROOT}/conversations",
        send.post_conversation,
        "start_conversation",
        "Write to an address first, or go on with the conversation there is.",
        "queued",
        ("create", "messages"),
        202,
        body=send.CONVERSATION,
    ),
    Route(
        "POST",
        f"{ROOT}/conversations/{{id}}/take-over",
        send.take_over,
        "take_over",
        "Make the conversation yours: the bot falls silent at once.",
        "owned",
        ("update", "conversations"),
    ),
    Route(
        "POST",
        f"{ROOT}/conversations/{{id}}/hand-back",
        send.hand_back,
        "hand_back",
        "Give the conversation back to the bot.",
        "owned",
        ("update", "conversations"),
    ),
)

_ONE, _MINE = f"{ROOT}/activities/{{id}}", f"{ROOT}/users/me/calendar"
_CHANGE: tuple[Action, str] = ("update", "activities")
_FUTURE = Described("activities_future", partial(describe.changed_record, name="activities"))
_ACTIVITIES = (
    Route(
        "POST",
        f"{_ONE}/complete",
        activities.post_complete,
        "complete_activity",
        "An activity is done: what came of it, and the next task.",
        "completed",
        _CHANGE,
        body=activities.COMPLETION,
    ),
    Route(
        "POST",
        f"{_ONE}/change-future",
        activities.post_change_future,
        "change_future_activities",
        "Change this occurrence of a series and all later ones.",
        "changed_series",
        _CHANGE,
        body=_FUTURE,
    ),
    Route(
        "POST",
        f"{_ONE}/delete-future",
        activities.post_delete_future,
        "delete_future_activities",
        "Delete this occurrence of a series and all later ones.",
        "deleted_series",
        ("delete", "activities"),
    ),
    Route(
        "POST",
        _MINE,
        activities.post_calendar,
        "my_calendar",
        "The address of your calendar, for a calendar program.",
        "calendar_address",
        ("read", "activities"),
    ),
    Route(
        "POST",
        f"{_MINE}/new-address",
        activities.post_new_calendar,
        "renew_my_calendar",
        "Another address for your calendar; the one before is dead.",
        "calendar_address",
        ("read", "activities"),
    ),
)

_RULES = (
    Route(
        "POST",
        f"{ROOT}/rules/{{id}}/try",
        rules.post_try,
        "try_rules",
        "What a rule would do to a record, or to the newest; nothing is written or sent.",
        "tried_rule",
        ("update", "rules"),
        body=rules.TRIAL,
    ),
)

_FLOW = f"{ROOT}/flows"
_CHANGE_FLOW: tuple[Action, str] = ("update", "flow_versions")
_FLOWS = (
    Route(
        "POST",
        _FLOW,
        flows.post_draft,
        "save_flow",
        "Keep a flow's YAML as its draft, whatever is still wrong with it; there is one a flow.",
        "flow_versions",
        ("create", "flow_versions"),
        body=flows.SOURCE,
    ),
    Route(
        "POST",
        f"{_FLOW}/check",
        flows.post_check,
        "check_flow",
        "What keeps a flow from being published, and what is poor about it; nothing is written.",
        "checked_flow",
        ("read", "flow_versions"),
        body=flows.SOURCE,
    ),
    Route(
        "POST",
        f"{_FLOW}/{{id}}/publish",
        flows.post_publish,
        "publish_flow",
        "Serve this version from now on: a draft, or an earlier one again.",
        "flow_versions",
        _CHANGE_FLOW,
    ),
    Route(
        "POST",
        f"{_FLOW}/{{id}}/retire",
        flows.post_retire,
        "retire_flow",
        "Serve the flow that ships again in the place of this one's, or none of its name.",
        "flow_versions",
        _CHANGE_FLOW,
    ),
    Route(
        "GET",
        f"{_FLOW}/review",
        flows.get_review,
        "review_flows",
        "Flows that are taken for one another, weak examples, flows with too few.",
        "flow_review",
        _CHANGE_FLOW,
    ),
)

_USER = f"{ROOT}/users/{{id}}"
_STAFF = (
    Route(
        "POST",
        f"{_USER}/deactivate",
        operations.deactivate,
        "deactivate_user",
        "End a user's keys and sessions, and give their open work to a user or a team.",
        "left",
        ("update", "users"),
        body=operations.LEAVING,
    ),
    Route(
        "POST",
        f"{_USER}/reactivate",
        operations.reactivate,
        "reactivate_user",
        "Let a user who left sign in again.",
        "came_back",
        ("update", "users"),
    ),
    Route(
        "GET",
        f"{_USER}/keys",
        operations.list_keys,
        "list_keys",
        "A user's keys that are not revoked: your own, or for admins anybody's.",
        "keys",
        None,
    ),
    Route(
        "POST",
        f"{_USER}/keys",
        operations.make_key,
        "make_key",
        "A new key; `key` is shown this once.",
        "made_key",
        None,
        201,
        body=operations.NEW_KEY,
    ),
    Route(
        "DELETE", f"{_USER}/keys/{{sub_id}}", operations.revoke_key, "revoke_key", "End a key.", "", None, 204
    ),
)

_SEARCH = Route(
    "GET",
    f"{ROOT}/search",
    search.search,
    "search",
    "Records of all kinds that the words find, the nearest first; kinds that you may not read are left out.",
    "hits",
    None,
    parameters=search.PARAMETERS,
)

ROUTES: tuple[Route, ...] = (
    *(route for kind in KINDS.values() for route in _of_kind(kind)),
    *_CUSTOMERS,
    *_STAFF,
    *_ACTIVITIES,
    *_RULES,
    *_FLOWS,
    _SEARCH,
)
