"""Evaluations that `samvad eval` runs: each compares what we do with gold and returns figures."""

from collections.abc import Callable
from typing import Any

from bot.evaluate.bounces import evaluate_bounces
from bot.evaluate.conversations import evaluate_conversations
from bot.evaluate.knowledge import evaluate_answering, evaluate_retrieval
from bot.evaluate.language import evaluate_language
from bot.evaluate.payloads import evaluate_payloads
from bot.evaluate.replies import evaluate_replies
from bot.evaluate.slots import evaluate_slots
from bot.evaluate.understanding import evaluate_understanding

EVALUATIONS: dict[str, Callable[..., dict[str, Any]]] = {
    "answering": evaluate_answering,
    "bounces": evaluate_bounces,
    "conversations": evaluate_conversations,
    "language": evaluate_language,
    "payloads": evaluate_payloads,
    "replies": evaluate_replies,
    "retrieval": evaluate_retrieval,
    "slots": evaluate_slots,
    "understanding": evaluate_understanding,
}
"""name -> function; its keyword arguments are the command's options."""
