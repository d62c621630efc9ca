"""Drafts of articles, made of what customers asked and what people answered them. A person edits and
publishes; what is personal never gets into one.
"""

import re
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

from bot.conversations.conversation import through_conversation
from bot.conversations.message import messages
from bot.crm.activity import ACTIVITY
from bot.crm.article import ARTICLE
from bot.crm.case import CASE
from bot.crm.contact import CONTACT
from bot.crm.gap import keep_drafts, question_drafts
from bot.crm.question import QUESTION
from bot.i18n import Words
from bot.llm import LLM
from bot.llm.mask import Mask
from bot.records.permissions import allowed, row_filter
from bot.records.search.latin import to_latin
from bot.records.tx import Record, Tx
from bot.records.write import create, find, get

VARIANTS = 8
REPLIES = 12
_EACH = 3
"""Replies of a person that are looked at after one question."""
_MOST = 50
"""Conversations whose replies are read for one draft."""
BRIEF = 5
"""Words of a reply below which it answers nothing: "one moment please"."""
PATIENCE_S = 25.0
"""Somebody pressed a button and waits for the draft."""
TITLE, BODY = 300, 20_000
_SCHEMA: dict[str, Any] = {
    "type": "object",
    "properties": {"title": {"type": "string"}, "body": {"type": "string"}},
    "required": ["title", "body"],
    "additionalProperties": False,
}
_NUMBER = re.compile(r"\d+")
Choose = Callable[[Sequence[str]], int]
"""Which of several replies says it best."""


@dataclass(frozen=True, slots=True)
class Material:
    """What a draft is made of, without names, numbers and addresses. `questions`: the central one first."""

    questions: tuple[str, ...]
    replies: tuple[str, ...]
    lang: str


@dataclass(frozen=True, slots=True)
class Draft:
    """A title and a text in Markdown."""

    title: str
    body: str
    lang: str


def from_gap(tx: Tx, ids: Sequence[str], languages: Sequence[str]) -> Material:
    """The material of some questions, the central one first: with what people answered after them, where
    the actor may read it."""
    tx.require("create", ARTICLE.name)
    tx.require("read", QUESTION.name)
    table, contacts = QUESTION.table, CONTACT.table
    rows = tx.rows(
        sa.select(table.c.id, table.c.text, table.c.lang, table.c.conversation_id, contacts.c.name)
        .join(contacts, contacts.c.id == table.c.contact_id)
        .where(table.c.id.in_(ids), table.c.deleted_at.is_(None))
    )
    found = {row["id"]: row for row in rows}
    asked = [found[id] for id in ids if id in found]
    names = {row["conversation_id"]: row["name"] for row in asked}
    replies = [masked(row["text"], names[row["conversation_id"]]) for row in _replies(tx, asked)]
    spoken = Counter(row["lang"] for row in asked if row["lang"] in languages).most_common(1)
    return Material(
        _different(masked(row["text"], row["name"]) for row in asked)[:VARIANTS],
        _different(one for one in replies if len(one.split()) >= BRIEF)[:REPLIES],
        spoken[0][0] if spoken else languages[0],
    )


def from_case(tx: Tx, case_id: str, languages: Sequence[str]) -> Material:
    """The material of a case: its subject, what people wrote to the customer since, and their notes."""
    tx.require("create", ARTICLE.name)
    case = get(tx, CASE, case_id)
    contact = find(tx, CONTACT, case["contact_id"])
    name = contact["name"] if contact is not None else ""
    said = [row["text"] for row in _replies(tx, [case])] if case["conversation_id"] else []
    notes = ACTIVITY.table
    if allowed(tx.actor, "read", ACTIVITY.name):
        about = sa.and_(notes.c.about == CASE.name, notes.c.about_id == case_id, notes.c.kind == "note")
        by_staff = sa.and_(about, notes.c.owner_id.is_not(None), notes.c.deleted_at.is_(None))
        mine = row_filter(tx.actor, ACTIVITY)
        seen = by_staff if mine is None else sa.and_(by_staff, mine)
        written = sa.select(notes.c.body).where(seen).order_by(notes.c.id.desc()).limit(_EACH)
        said += [row["body"] for row in tx.rows(written) if row["body"]]
    lang = (contact["lang"] if contact is not None else None) or languages[0]
    return Material(
        (masked(case["subject"], name),),
        _different(masked(one, name) for one in said if len(one.split()) >= BRIEF)[:REPLIES],
        lang if lang in languages else languages[0],
    )


def _replies(tx: Tx, asked: Sequence[Record]) -> list[Record]:
    """The first few things people wrote in a conversation after each of these was asked there."""
    newest_first = sorted(asked, key=lambda row: str(row["id"]), reverse=True)
    told = {row["conversation_id"]: row["id"] for row in newest_first}  # of each its first question
    if not told:
        return []
    mine = through_conversation(tx.actor, messages.c.conversation_id)
    after = sa.or_(
        *(
            sa.and_(messages.c.conversation_id == conversation, messages.c.id > asked_id)
            for conversation, asked_id in [*told.items()][:_MOST]
        )
    )
    place = sa.func.row_number().over(partition_by=messages.c.conversation_id, order_by=messages.c.id)
    columns = (messages.c.id, messages.c.conversation_id, messages.c.text, place.label("place"))
    by_people = sa.select(*columns).where(after, messages.c.author == "agent")
    ranked = (by_people if mine is None else by_people.where(mine)).subquery()
    return tx.rows(sa.select(ranked).where(ranked.c.place <= _EACH).order_by(ranked.c.id))


def masked(text: str, name: str) -> str:
    """A customer's words for other eyes: without their name, numbers and addresses."""
    return Mask({name: "name"} if name else {}).hide(text).strip()


def _different(texts: Iterable[str]) -> tuple[str, ...]:
    """Without those that say the same in the same words."""
    found: dict[str, str] = {}
    for text in texts:
        found.setdefault(" ".join(text.casefold().split()), text)
    return tuple(found.values())


def plain(material: Material, words: Words, choose: Choose) -> Draft:
    """A draft without a language model: the question as title, the best reply as text, the variants below."""
    say: Any = words.say
    title = material.questions[0] if material.questions else say("loop.draft.untitled", material.lang)
    text = material.replies[choose(material.replies)] if material.replies else ""
    parts = [text or say("loop.draft.write", material.lang)]
    if variants := material.questions[1:]:
        parts += [say("loop.draft.variants", material.lang), "\n".join(f"- {_line(one)}" for one in variants)]
    return Draft(_line(title)[:TITLE], "\n\n".join(parts)[:BODY], material.lang)


async def written(material: Material, llm: LLM, language: str) -> Draft | None:
    """A draft in a language model's words; None where it gives none, or says a number nobody said."""
    said = await llm.structured(
        "draft_article",
        _SCHEMA,
        timeout_s=PATIENCE_S,
        questions=list(material.questions),
        replies=list(material.replies),
        language=language,
    )
    title, body = (said or {}).get("title"), (said or {}).get("body")
    if not isinstance(title, str) or not isinstance(body, str) or not title.strip() or not body.strip():
        return None
    known = set(_NUMBER.findall("\n".join((*material.questions, *material.replies))))
    if set(_NUMBER.findall(f"{title}\n{body}")) - known:
        return None
    return Draft(_line(title)[:TITLE], body.strip()[:BODY], material.lang)


def _line(text: str) -> str:
    return " ".join(text.split())


def keep_draft(tx: Tx, draft: Draft, ids: Sequence[str] = ()) -> str:
    """Make the article, as a draft, and remember of which questions; where one was made of the first of them
    meanwhile, that one. Returns its id."""
    drafts = question_drafts
    if ids:
        made = tx.row(sa.select(drafts.c.article_id).where(drafts.c.question_id == ids[0]))
        if made is not None:
            return str(made["article_id"])
    values = {"title": draft.title, "body": draft.body, "lang": draft.lang, "status": "draft"}
    key = _free_key(tx, key_of(draft.title))
    article_id = create(tx, ARTICLE, {"key": key, "owner_id": tx.actor.id, **values})
    keep_drafts(tx, ids, article_id)
    return article_id


def key_of(title: str) -> str:
    """An article's id from its title: a few words in Latin letters."""
    found = re.findall(r"[a-z0-9]+", to_latin(title.casefold()))
    return "-".join(found[:8])[:80].strip("-") or "article"


def _free_key(tx: Tx, key: str) -> str:
    """The key, with a number behind where others have it."""
    column = ARTICLE.table.c.key
    near = sa.select(column).where(sa.or_(column == key, column.like(f"{key}-%")))
    taken = {row["key"] for row in tx.rows(near)}
    return next(one for one in (key, *(f"{key}-{n}" for n in range(2, len(taken) + 3))) if one not in taken)
