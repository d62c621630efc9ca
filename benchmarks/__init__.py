"""`samvad bench`: hot paths against the same work's bare statements, in interleaved rounds of one run."""

from collections.abc import Callable
from typing import Any

from benchmarks.turn import bench_turn
from benchmarks.webhook import bench_webhook

BENCHMARKS: dict[str, Callable[..., dict[str, Any]]] = {"turn": bench_turn, "webhook": bench_webhook}
"""name -> benchmark(quick, say) -> figures."""
