"""What `/metrics` shows (Prometheus). Every counter and histogram of the program stands here."""

from prometheus_client import Counter, Gauge, Histogram

INBOX = Counter("samvad_inbox_events", "Events received, by channel and outcome", ["channel", "outcome"])
UNHANDLED = Counter("samvad_unhandled_events", "Event types no adapter handles", ["adapter", "type"])
TURNS = Counter("samvad_turns", "Turns by outcome", ["outcome"])
TURN_SECONDS = Histogram(
    "samvad_turn_seconds",
    "From receipt of a message to its committed turn",
    buckets=(0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 15, 60),
)
UNDERSTOOD = Counter("samvad_understood", "What understanding was found by", ["source", "lang"])
CLASSIFIED = Counter(
    "samvad_classified", "Texts classified, by the stage that answered (words, embedding)", ["stage"]
)
SENT = Counter("samvad_sends", "Sends by channel and outcome", ["channel", "outcome"])
REFUSED = Counter("samvad_gate_refusals", "Messages the gate held back", ["reason"])
LLM_CALLS = Counter(
    "samvad_llm_calls", "Calls of the language model, by prompt and outcome", ["prompt", "outcome"]
)
LLM_SECONDS = Histogram(
    "samvad_llm_seconds",
    "How long calls of the language model took, by prompt",
    ["prompt"],
    buckets=(0.1, 0.25, 0.5, 1, 2, 4, 8, 15),
)
LLM_TOKENS = Counter(
    "samvad_llm_tokens", "Tokens sent to the language model and received", ["prompt", "direction"]
)
LLM_COST = Counter(
    "samvad_llm_cost", "What the language model cost, in the currency of its prices", ["prompt"]
)
LLM_REFUSED = Counter(
    "samvad_llm_refused", "Answers of the language model that were no command of ours, by reason", ["reason"]
)
FLOODS = Counter(
    "samvad_floods", "Turns not answered because too much came in, by what was exceeded", ["limit"]
)
UNKEPT = Counter("samvad_unkept_messages", "Messages of a flood that were counted and not kept", ["channel"])
ABUSE = Counter("samvad_abuse", "Turns with abusive words", ["lang"])
ORDER_CALLS = Counter("samvad_order_calls", "Questions to the order system, by outcome", ["outcome"])
TIMERS = Counter("samvad_timers", "Timers done, by kind", ["kind"])
RULE_RUNS = Counter("samvad_rule_runs", "Runs of rules by the state they ended in", ["state"])
LANES_WAITING = Gauge("samvad_lanes_waiting", "Lanes queued in this process")
PAUSED = Gauge(
    "samvad_provider_paused",
    "1 while nothing is sent from this account: its provider fails",
    ["channel", "account"],
)
BUS_UP = Gauge("samvad_bus_connected", "1 while the bus reaches Redis or Valkey")
