"""Laws of the engine: it never raises, STOP and a person always win, its state survives JSON."""

import json
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from bot.dialogs.actions import ACTIONS
from bot.dialogs.commands import (
    Affirm,
    Ask,
    Cancel,
    ChangeLanguage,
    Chitchat,
    Clarify,
    Correct,
    Deny,
    Handoff,
    NotUnderstood,
    OptIn,
    OptOut,
    SetSlot,
    StartFlow,
    Understood,
)
from bot.dialogs.flows import load_flows
from bot.dialogs.state import Frame, from_json
from bot.dialogs.turn import RecordConsent
from bot.i18n import Words
from bot.knowledge.answer import Answer, Option

WORDS = Words.load(strict=True)
FLOWS = load_flows(actions=ACTIONS, knows=WORDS.has)
NAMES = [*FLOWS, "unknown", ""]
SLOTS = [
    "need",
    "name",
    "contact",
    "budget",
    "timeline",
    "description",
    "case_id",
    "lang",
    "question",
    "phone",
    "odd",
]
ANSWERS = [
    Answer("none"),
    Answer("found", "text", "a", "Title", "http://x"),
    Answer("unsure", options=(Option("a", "T"),)),
]

values = st.one_of(
    st.text(max_size=20),
    st.sampled_from(["9876543210", "a@b.in", "5 lakh", "yes", "en", "now"]),
    st.none(),
    st.integers(),
    st.dictionaries(st.sampled_from(["minor", "x"]), st.integers() | st.text(), max_size=2),
    st.lists(st.text(max_size=3), max_size=2),
)
slot_maps = st.dictionaries(st.sampled_from(SLOTS), values, max_size=3)
commands = st.one_of(
    st.builds(StartFlow, st.sampled_from(NAMES), slot_maps),
    st.builds(SetSlot, st.sampled_from(SLOTS), values),
    st.builds(Correct, st.sampled_from(SLOTS), values),
    st.builds(Ask, st.text(max_size=20)),
    st.builds(Chitchat, st.sampled_from(["greeting", "thanks", "goodbye", "other", "odd"])),
    st.builds(ChangeLanguage, st.sampled_from([None, "hi", "xx"])),
    st.builds(Clarify, st.lists(st.sampled_from(NAMES), max_size=3).map(tuple)),
    st.builds(NotUnderstood, st.text(max_size=20)),
    st.sampled_from([Affirm(), Deny(), Cancel(), Handoff()]),
)
turns = st.lists(st.lists(commands, max_size=3), max_size=6)
json_values: Any = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)
frames = st.builds(
    lambda flow, step, slots: Frame(flow, 1, step, slots).to_json(),
    st.sampled_from(NAMES),
    st.sampled_from([step.id for flow in FLOWS.values() for step in flow.steps]),
    slot_maps,
)
states = st.one_of(
    st.fixed_dictionaries({}, optional={"frames": st.lists(frames, max_size=4), "failed": st.integers(0, 3)}),
    st.dictionaries(st.sampled_from(["frames", "offered", "failed", "at", "lang"]), json_values, max_size=4),
)


@settings(max_examples=150)
@given(played=turns, state=states, answer=st.sampled_from(ANSWERS), online=st.booleans())
def test_no_commands_and_no_state_make_it_raise(
    conversation: Any, played: list[list[Any]], state: Any, answer: Answer, online: bool
) -> None:
    chat = conversation(state=state, answer=answer, options={"agents_online": online})
    for said in played:
        chat.hears(*said)
        assert json.loads(json.dumps(chat.plan.state)) == chat.plan.state
        assert from_json(chat.plan.state).to_json() == chat.plan.state
        assert chat.plan.lang in WORDS.languages


@settings(max_examples=60)
@given(played=turns, consent=st.sampled_from([OptOut("STOP"), OptIn("START")]))
def test_a_person_is_never_talked_over_and_consent_is_always_kept(
    conversation: Any, played: list[list[Any]], consent: Any
) -> None:
    chat = conversation(options={"owner_is_human": True})
    for said in played:
        assert chat.hears(*said) == "" and not chat.plan.writes
        chat.hears(*said, consent)
        assert not chat.plan.says
        assert chat.wrote(RecordConsent) or (isinstance(consent, OptIn) and not chat.options.get("stopped"))


@settings(max_examples=60)
@given(played=turns)
def test_on_sms_nothing_leaves_after_stop(conversation: Any, played: list[list[Any]]) -> None:
    chat = conversation(channel="sms", options={"stopped": True, "answers_after_stop": False})
    for said in [*played, [Understood], [OptOut("stop")]]:
        assert chat.hears(*(command for command in said if command is not Understood)) == ""
