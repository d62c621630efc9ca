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
    Resume,
    SetSlot,
    StartFlow,
    Understood,
)
from bot.dialogs.flows import Branch, Call, Collect, Confirm, Do, Flow, Flows, Goto, Set, Tell, load_flows
from bot.dialogs.flows.conditions import OPERATORS, Condition
from bot.dialogs.flows.model import SLOT_TYPES, Case
from bot.dialogs.state import Frame, from_json
from bot.dialogs.turn import HandOff, RecordConsent
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
    st.sampled_from([Affirm(), Deny(), Cancel(), Handoff(), Resume(), Resume(anew=True)]),
)
turns = st.lists(st.lists(commands, max_size=3), max_size=6)
json_values: Any = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)
frames = st.builds(
    lambda flow, step, slots: Frame(flow, 1, step, slots).to_json() | {"call": step, "path": [step]},
    st.sampled_from(NAMES),
    st.sampled_from([step.id for flow in FLOWS.values() for step in flow.steps]),
    slot_maps,
)
states = st.one_of(
    st.fixed_dictionaries(
        {},
        optional={
            "frames": st.lists(frames, max_size=4),
            "paused": st.lists(frames, max_size=2),
            "paused_at": st.sampled_from(["2026-11-20T10:00:00+00:00", "2026-11-20T10:00:00", "x"]),
            "at": st.sampled_from(["2026-11-20T10:00:00+00:00", "2026-11-21T09:59:00+00:00"]),
            "failed": st.integers(0, 3),
        },
    ),
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


# --- random flows -----------------------------------------------------------------------------------

names = st.sampled_from(["f0", "f1", "f2"])
ids = st.sampled_from(["s0", "s1", "s2", "s3", "s4", "end", "nowhere"])
slots = st.sampled_from(["a", "b", "phone", "name"])
whens = st.builds(
    lambda slot, op, value: Condition(slot, op, (value,) if op == "in" else value),
    slots,
    st.sampled_from(OPERATORS),
    st.sampled_from(["x", "1", "true", "2026-12-01"]),
)
maps = st.dictionaries(slots, slots, max_size=2)
maybe = st.one_of(st.just(""), ids)
kinds = st.one_of(
    st.builds(
        lambda slot, type, optional, known, low, limit, tries, otherwise: (
            lambda id: Collect(
                id,
                slot,
                type,
                "lead.ask_need",
                f"invalid.{type}",
                optional,
                known,
                {"x": "lead.timeline.now"},
                min=low,
                max=low,
                after=limit,
                before=limit,
                tries=tries,
                otherwise=otherwise,
            )
        ),
        slots,
        st.sampled_from(SLOT_TYPES),
        st.booleans(),
        st.booleans(),
        st.sampled_from([None, 1, 5]),
        st.sampled_from(["", "now", "a"]),
        st.integers(0, 3),
        maybe,
    ),
    st.just(lambda id: Tell(id, "courtesy.fine")),
    st.builds(lambda name: lambda id: Do(id, name), st.sampled_from(["recall_lead", "hand_off", "unknown"])),
    st.builds(
        lambda cases, otherwise: lambda id: Branch(id, tuple(cases), otherwise),
        st.lists(st.builds(Case, whens, ids), min_size=1, max_size=2),
        maybe,
    ),
    st.builds(lambda to: lambda id: Goto(id, to), ids),
    st.builds(
        lambda given: lambda id: Set(id, given), st.dictionaries(slots, st.sampled_from([None, 1, "x", True]))
    ),
    st.builds(lambda flow, t, g, o: lambda id: Call(id, flow, t, g, o), names, maps, maps, maybe),
    st.builds(lambda otherwise: lambda id: Confirm(id, "courtesy.fine", otherwise), maybe),
)


def _flow(name: str, made: list[Any], repeats: int, questions: int, calls_only: bool) -> Flow:
    steps = tuple(make(f"s{at}") for at, make in enumerate(made))
    positions = {step.id: at for at, step in enumerate(steps)}
    return Flow(
        name,
        1,
        "",
        "customer",
        steps,
        "flow.help",
        repeats=repeats,
        questions=questions,
        calls_only=calls_only,
        positions=positions,
    )


random_flows = st.tuples(
    *(
        st.builds(
            _flow,
            st.just(name),
            st.lists(kinds, min_size=1, max_size=5),
            st.integers(1, 3),
            st.integers(0, 2),
            st.booleans(),
        )
        for name in ("f0", "f1", "f2")
    )
).map(lambda made: Flows({flow.name: flow for flow in made}))
answers = st.one_of(
    st.builds(StartFlow, names, st.dictionaries(slots, values, max_size=2)),
    st.builds(SetSlot, slots, values),
    st.builds(Correct, slots, values),
    st.sampled_from([Affirm(), Deny(), Resume(), Resume(anew=True), NotUnderstood("98765"), Ask("when?")]),
)


@settings(max_examples=150)
@given(flows=random_flows, played=st.lists(st.lists(answers, max_size=2), max_size=8), gap=st.booleans())
def test_any_flows_end_in_bounded_steps_and_are_left_at_a_word(
    conversation: Any, flows: Flows, played: list[list[Any]], gap: bool
) -> None:
    chat = conversation()
    chat.flows = flows
    for number, said in enumerate(played):
        chat.hears(*said, text=str(number))  # the same said again and again is another law
        assert from_json(json.loads(json.dumps(chat.plan.state))).to_json() == chat.plan.state
        assert len(chat.needs) < 1000
        state = chat.state
        chat.hears(Cancel(), text=f"cancel {number}")
        assert not chat.plan.state.get("frames") and not chat.plan.state.get("paused")
        chat.state = state
        chat.hears(Handoff())
        assert chat.wrote(HandOff) and not chat.plan.state.get("frames")
        chat.state = state
        chat.later(days=2 if gap else 0)


@settings(max_examples=60)
@given(flows=random_flows, name=names)
def test_two_failures_in_a_row_reach_a_person(conversation: Any, flows: Flows, name: str) -> None:
    chat = conversation()
    chat.flows = flows
    chat.hears(StartFlow(name))
    # Two, except at questions that say themselves how many answers they bear.
    for number in range(300):
        chat.hears(NotUnderstood(f"? {number}"), text=f"? {number}")
        if chat.wrote(HandOff):
            break
    assert chat.wrote(HandOff)
