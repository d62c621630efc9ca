"""An answer in a language model's words, delivered only if it stands in the passage it cites."""

from dataclasses import replace
from typing import Any

from bot.knowledge.answer import CHAT_LIMIT, Answer, in_order, quote, settle
from bot.knowledge.guard import stands
from bot.knowledge.index import KnowledgeIndex
from bot.knowledge.retrieve import Asked, retrieve
from bot.llm import LLM

PASSAGES = 3
_NAMES = {
    "en": "English",
    "hi": "Hindi (Devanagari script)",
    "hi-Latn": "Hindi in Latin letters, as people chat",
    "ur": "Urdu (Perso-Arabic script)",
}
_SCHEMA: dict[str, Any] = {
    "type": "object",
    "properties": {"passage": {"type": "integer"}, "answer": {"type": "string"}},
    "required": ["passage", "answer"],
    "additionalProperties": False,
}


async def compose(
    index: KnowledgeIndex,
    asked: Asked,
    lang: str,
    llm: LLM | None = None,
    *,
    limit: int = CHAT_LIMIT,
    base_url: str = "",
) -> Answer:
    """The extractive answer; with a model, its words where the guard lets them pass.

    The model is asked only where articles were found: it may word an answer, or choose between near
    articles, never make one.
    """
    asked, found = retrieve(index, asked)
    plain = settle(index, asked, found, lang, limit=limit, base_url=base_url)
    if llm is None or plain.kind == "none":
        return plain
    passages = in_order(index, asked, found, lang)[:PASSAGES]
    shown = [{"title": one.article.title, "heading": one.heading, "text": one.text} for one in passages]
    said = await llm.structured(
        "answer", _SCHEMA, question=asked.text, passages=shown, language=_NAMES.get(lang, lang)
    )
    number, text = (said or {}).get("passage"), (said or {}).get("answer")
    if not isinstance(number, int) or not isinstance(text, str) or not 1 <= number <= len(passages):
        return plain
    cited = quote(passages[number - 1], asked.text, limit, base_url)
    if len(text) > limit or not stands(text, cited.source):
        return plain
    return replace(cited, text=text.strip())
