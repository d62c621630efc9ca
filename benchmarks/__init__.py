"""`samvad bench`: hot paths against the same work's bare statements, in interleaved rounds of one run."""

from collections.abc import Callable
from typing import Any

from benchmarks.crash import bench_crash
from benchmarks.crm import bench_crm
from benchmarks.help import bench_help
from benchmarks.knowledge import bench_knowledge
from benchmarks.rules import bench_rules
from benchmarks.storm import bench_storm
from benchmarks.turn import bench_turn
from benchmarks.webhook import bench_webhook

BENCHMARKS: dict[str, Callable[..., dict[str, Any]]] = {
    "turn": bench_turn,
    "webhook": bench_webhook,
    "storm": bench_storm,
    "crash": bench_crash,
    "crm": bench_crm,
    "knowledge": bench_knowledge,
    "rules": bench_rules,
    "help": bench_help,
}
"""name -> benchmark(quick, say) -> figures; of crm with the number of contacts."""
