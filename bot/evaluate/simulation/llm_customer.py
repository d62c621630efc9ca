"""A language model that plays a customer: it is told what they want and know, and hears what the bot says."""

from collections.abc import Mapping
from typing import Any

from bot.dialogs.flows.model import Flows
from bot.evaluate.simulation.customer import Said, Scene
from bot.evaluate.simulation.script import Conversation, Kind
from bot.llm import LLM

_SCHEMA: dict[str, Any] = {
    "type": "object",
    "properties": {"message": {"type": "string"}, "done": {"type": "boolean"}},
    "required": ["message", "done"],
    "additionalProperties": False,
}
_LANGUAGES: Mapping[str, str] = {
    "en": "English",
    "hi": "Hindi in Devanagari",
    "hi-Latn": "Hindi in Latin letters",
}
_EARLIER = 12
_LONGEST = 400
"""Characters of a message: a model that rambles is cut off."""


class LLMCustomer:
    """Plays the goal and the answers of a conversation in its own words; twists are left to the model."""

    def __init__(self, model: LLM, conversation: Conversation, flows: Flows) -> None:
        self._model = model
        self._conversation = conversation
        self._goal = flows[conversation.flow].description
        self._earlier: list[dict[str, str]] = []
        self.channel = conversation.channel
        self.answered: set[str] = set()

    @property
    def unsaid(self) -> tuple[Kind, ...]:
        """None of the conversation's twists are played."""
        return tuple(twist.kind for twist in self._conversation.twists)

    def opening(self) -> tuple[Said, ...]:
        """As it is written: what follows is the model's."""
        self._earlier += [{"who": "you", "text": text} for text in self._conversation.opening]
        return tuple(Said(text) for text in self._conversation.opening)

    async def next(self, scene: Scene, flows: Flows) -> Said | None:
        """What the model says; None once it is done, or says nothing that can be read."""
        self._earlier += [{"who": "business", "text": text} for text in scene.heard]
        step = scene.state.awaited(flows)
        if scene.human or (step is None and scene.state.confirming(flows) is None):
            return None
        facts = [{"name": name, "text": text} for name, text in self._conversation.answers.items()]
        said = await self._model.structured(
            "customer",
            _SCHEMA,
            language=_LANGUAGES.get(self._conversation.lang, "English"),
            goal=self._goal,
            facts=[{**fact, "text": fact["text"].replace("{code}", scene.code)} for fact in facts],
            earlier=self._earlier[-_EARLIER:],
        )
        text = str((said or {}).get("message") or "").strip()[:_LONGEST]
        if not text or (said or {}).get("done") is True:
            return None
        if step is not None:
            self.answered.add("starts_at" if step.slot == "day" else step.slot)
        self._earlier.append({"who": "you", "text": text})
        return Said(text)
