"""The query language: the only way to select records.

Text is parsed to a typed `Query`; a Query is compiled to one SQL statement with the actor's permissions
inside. docs/query.md is the language on one page.

    query = parse(tx.schema, CASE, actor, where='status in (new, open)', order="created_at desc")
    found = page(tx, CASE, query)
"""

from bot.records.query.fields import Found, find_field, reachable
from bot.records.query.model import (
    DEFAULT_LIMIT,
    ME,
    MY_TEAM,
    OPERATORS,
    AllOf,
    AnyOf,
    Comparison,
    Condition,
    Exists,
    Group,
    Matches,
    Measure,
    Money,
    Not,
    Order,
    Query,
    Relative,
    Summary,
    SummaryOrder,
)
from bot.records.query.parse import parse, parse_fields, parse_text
from bot.records.query.parse_summary import parse_sentence, parse_summary
from bot.records.query.run import Page, holds, one, page
from bot.records.query.summary import Column, SummaryResult, summary
from bot.records.query.text import order_text, summarise_text, to_text, where_text

__all__ = [
    "DEFAULT_LIMIT",
    "ME",
    "MY_TEAM",
    "OPERATORS",
    "AllOf",
    "AnyOf",
    "Column",
    "Comparison",
    "Condition",
    "Exists",
    "Found",
    "Group",
    "Matches",
    "Measure",
    "Money",
    "Not",
    "Order",
    "Page",
    "Query",
    "Relative",
    "Summary",
    "SummaryOrder",
    "SummaryResult",
    "find_field",
    "holds",
    "one",
    "order_text",
    "page",
    "parse",
    "parse_fields",
    "parse_sentence",
    "parse_summary",
    "parse_text",
    "reachable",
    "summarise_text",
    "summary",
    "to_text",
    "where_text",
]
