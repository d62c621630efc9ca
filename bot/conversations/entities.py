"""Every record kind by the name the API and queries use: the one dict, no discovery."""

from typing import Any

import sqlalchemy as sa

from bot.conversations.channel_account import CHANNEL_ACCOUNT
from bot.conversations.conversation import CONVERSATION
from bot.conversations.message import MESSAGE
from bot.conversations.template import TEMPLATE
from bot.crm.account import ACCOUNT
from bot.crm.activity import ACTIVITY
from bot.crm.article import ARTICLE
from bot.crm.business import BUSINESS_PROFILE
from bot.crm.case import CASE
from bot.crm.consent import CONSENT
from bot.crm.contact import CONTACT, IDENTITY
from bot.crm.lead import LEAD
from bot.crm.notification import NOTIFICATION
from bot.crm.opportunity import OPPORTUNITY, STAGE
from bot.crm.relations import AFFILIATION, CONTACT_LINK, STAKEHOLDER
from bot.crm.rule import RULE, RULE_RUN, RULE_VERSION
from bot.crm.territory import CATEGORY, TERRITORY, TERRITORY_MEMBER
from bot.crm.user import TEAM, USER
from bot.records.actor import Actor
from bot.records.definitions import ACCESS_RULE, CUSTOM_FIELD, VALIDATION_RULE
from bot.records.entity import Entity
from bot.records.events import events, make_entity
from bot.records.permissions import allowed, row_filter
from bot.records.shares import SHARE


def _of_visible_records(actor: Actor, _writing: bool) -> sa.ColumnElement[bool] | None:
    """An event is seen by who sees the record it speaks of."""
    if actor.sees_everything:
        return None
    conditions = []
    for entity in ENTITIES.values():
        if entity.name in ("events", "users") or not allowed(actor, "read", entity.name):
            continue
        mine = row_filter(actor, entity)
        of_kind = events.c.entity == entity.name
        if mine is None:
            conditions.append(of_kind)
        else:
            seen: Any = sa.select(entity.table.c.id).where(mine)
            conditions.append(sa.and_(of_kind, events.c.record_id.in_(seen)))
    return sa.or_(*conditions)


EVENT = make_entity(_of_visible_records)

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
        CONVERSATION,
        MESSAGE,
        ARTICLE,
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
        CHANNEL_ACCOUNT,
        TEMPLATE,
        NOTIFICATION,
        BUSINESS_PROFILE,
    )
}
