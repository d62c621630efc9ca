"""Language models: any OpenAI-compatible endpoint, structured output only, personal data masked."""

from bot.llm.client import LLM, within

__all__ = ["LLM", "within"]
