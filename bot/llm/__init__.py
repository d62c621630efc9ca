"""Language models: any OpenAI-compatible endpoint, structured output only, personal data masked."""

from bot.llm.client import LLM, Budget, Call, within

__all__ = ["LLM", "Budget", "Call", "within"]
