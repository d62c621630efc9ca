"""Every record kind by the name the API and queries use: the one dict, no discovery."""

from dataclasses import replace

import sqlalchemy as sa

from bot.conversations.channel_account import CHANNEL_ACCOUNT
from bot.conversations.conversation import CONVERSATION
from bot.conversations.message import MESSAGE
from bot.conversations.template import TEMPLATE
from bot.crm.account import ACCOUNT
from bot.crm.activity import ACTIVITY, ACTIVITY_LINK, ATTENDEE
from bot.crm.article import ARTICLE
from bot.crm.article_vote import ARTICLE_VOTE
from bot.crm.business import BUSINESS_PROFILE
from bot.crm.case import CASE
from bot.crm.consent import CONSENT
from bot.crm.contact import CONTACT, IDENTITY
from bot.crm.file import FILE, FILE_VERSION
from bot.crm.flow_version import FLOW_VERSION
from bot.crm.lead import LEAD
from bot.crm.notification import NOTIFICATION
from bot.crm.opportunity import OPPORTUNITY, STAGE
from bot.crm.question import QUESTION
from bot.crm.relations import AFFILIATION, CONTACT_LINK, STAKEHOLDER
from bot.crm.rule import RULE, RULE_RUN, RULE_VERSION
from bot.crm.territory import CATEGORY, TERRITORY, TERRITORY_MEMBER
from bot.crm.user import TEAM, USER
from bot.crm.view import VIEW
from bot.records import definitions, shares
from bot.records.actor import Actor
from bot.records.defining import guard_field, prepare_access, prepare_field, prepare_rule
from bot.records.entity import Entity
from bot.records.events import events, make_entity
from bot.records.permissions import allowed, of_visible, row_filter
from bot.records.sharing import guard_share, prepare_share, revive_share


def _of_visible_records(actor: Actor, _writing: bool) -> sa.ColumnElement[bool] | None:
    """An event is seen by who sees the record it speaks of; staff's own events by managers."""
    if actor.kind != "user":
        return None
    unread = [name for name in ENTITIES if name != "events" and not allowed(actor, "read", name)]
    if actor.sees_everything:
        told: list[sa.ColumnElement[bool]] = [events.c.entity.not_in(unread)] if unread else []
        for entity in ENTITIES.values():
            if entity.scope == "own" and (mine := row_filter(actor, entity)) is not None:
                theirs = events.c.record_id.in_(sa.select(entity.table.c.id).where(mine))
                told.append(sa.or_(events.c.entity != entity.name, theirs))
        return sa.and_(sa.true(), *told)
    spoken = [entity for entity in ENTITIES.values() if entity.name not in ("events", "users")]
    return of_visible(actor, spoken, events.c.entity, events.c.record_id, deleted=True)


def _of_shared_records(actor: Actor, writing: bool) -> sa.ColumnElement[bool] | None:
    """A share is seen by who gave or got it and by who may change the record, and changed by the givers."""
    if actor.sees_everything:
        return None
    table = shares.SHARE.table
    conditions: list[sa.ColumnElement[bool]] = [table.c.shared_by == actor.id]
    if not writing:
        conditions.append(shares.given_to(actor))
    for entity in ENTITIES.values():
        if entity.main and allowed(actor, "update", entity.name):
            mine = row_filter(actor, entity, writing=True)
            assert mine is not None
            theirs = table.c.record_id.in_(sa.select(entity.table.c.id).where(mine))
            conditions.append(sa.and_(table.c.entity == entity.name, theirs))
    return sa.or_(*conditions)


EVENT = make_entity(_of_visible_records)
# Checks of definitions and shares ask the whole schema, so they join their kinds here.
SHARE = replace(
    shares.SHARE, parent=_of_shared_records, prepare=prepare_share, guard=guard_share, revive=revive_share
)
CUSTOM_FIELD = replace(definitions.CUSTOM_FIELD, prepare=prepare_field, guard=guard_field)
VALIDATION_RULE = replace(definitions.VALIDATION_RULE, prepare=prepare_rule)
ACCESS_RULE = replace(definitions.ACCESS_RULE, prepare=prepare_access)

ENTITIES: dict[str, Entity] = {
    entity.name: entity
    for entity in (
        CONTACT,
        IDENTITY,
        ACCOUNT,
        AFFILIATION,
        CONTACT_LINK,
        LEAD,
        OPPORTUNITY,
        STAGE,
        STAKEHOLDER,
        CASE,
        ACTIVITY,
        ACTIVITY_LINK,
        ATTENDEE,
        FILE,
        FILE_VERSION,
        CONVERSATION,
        MESSAGE,
        ARTICLE,
        QUESTION,
        ARTICLE_VOTE,
        CONSENT,
        EVENT,
        USER,
        TEAM,
        TERRITORY,
        TERRITORY_MEMBER,
        CATEGORY,
        SHARE,
        CUSTOM_FIELD,
        VALIDATION_RULE,
        ACCESS_RULE,
        RULE,
        RULE_VERSION,
        RULE_RUN,
        FLOW_VERSION,
        CHANNEL_ACCOUNT,
        TEMPLATE,
        NOTIFICATION,
        VIEW,
        BUSINESS_PROFILE,
    )
}
