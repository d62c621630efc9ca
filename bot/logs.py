"""Structured logs: JSON lines, one correlation id from webhook to receipt, personal data masked."""

import io
import logging
import re
import sys
from collections.abc import MutableMapping
from contextvars import ContextVar
from typing import Any, TextIO, cast

import structlog

correlation: ContextVar[str] = ContextVar("correlation", default="")
"""The id that joins everything one inbound event causes. Copied into threads with the context."""

_EMAIL = re.compile(r"[\w.+-]+@[\w-]+(?:\.[\w-]+)+")
_PHONE = re.compile(r"(?<![\w-])\+?\d[\d \-]{7,16}\d(?![\w-])")
# Ids, times and counts are digits too, and no one's telephone.
_NOT_PERSONAL = frozenset({"correlation_id", "timestamp", "lane", "event_key", "level", "ms", "port"})


def mask(text: str) -> str:
    """Hide mail addresses and telephone numbers: `a…@…`, `…21`."""
    text = _EMAIL.sub(lambda match: f"{match[0][0]}…@…", text)
    return _PHONE.sub(lambda match: f"…{match[0][-2:]}", text)


def _mask_values(_logger: Any, _method: str, entry: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    for name, value in entry.items():
        if isinstance(value, str) and name not in _NOT_PERSONAL:
            entry[name] = mask(value)
    return entry


def _add_correlation(_logger: Any, _method: str, entry: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    if found := correlation.get():
        entry.setdefault("correlation_id", found)
    return entry


class _Stderr(io.TextIOBase):
    """Standard error as it is when a line is written: who runs a command within a program may replace it."""

    def write(self, text: str) -> int:
        return sys.stderr.write(text)

    def flush(self) -> None:
        sys.stderr.flush()


def configure(level: str = "info") -> None:
    """Send our logs and the libraries' to standard error. Called once by the program, not by tests."""
    threshold = logging.getLevelNamesMapping().get(level.upper(), logging.INFO)
    shared: list[Any] = [
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        _add_correlation,
        structlog.processors.format_exc_info,
        _mask_values,
    ]
    structlog.configure(
        processors=[*shared, structlog.processors.JSONRenderer(ensure_ascii=False)],
        wrapper_class=structlog.make_filtering_bound_logger(threshold),
        logger_factory=structlog.PrintLoggerFactory(cast(TextIO, _Stderr())),
        cache_logger_on_first_use=True,
    )
    handler = logging.StreamHandler(_Stderr())
    formatter = structlog.stdlib.ProcessorFormatter(
        foreign_pre_chain=shared,
        processors=[
            structlog.stdlib.ProcessorFormatter.remove_processors_meta,
            structlog.processors.JSONRenderer(ensure_ascii=False),
        ],
    )
    handler.setFormatter(formatter)
    logging.basicConfig(handlers=[handler], level=max(threshold, logging.WARNING), force=True)


def logger(name: str) -> Any:
    """A logger that names the room it speaks from."""
    return structlog.get_logger(room=name)
