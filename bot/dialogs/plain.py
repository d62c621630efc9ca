"""What stands in YAML, as our values, and whether ours are as it says.

Times without a zone are those of `BUSINESS`."""

from collections.abc import Mapping
from dataclasses import MISSING, fields, is_dataclass
from datetime import date, datetime
from types import NoneType
from typing import Any, Literal, get_args, get_origin, get_type_hints
from zoneinfo import ZoneInfo

from bot.dialogs.flows.read import LINE
from bot.dialogs.rehearsal import BUSINESS, NOW

_ZONE = ZoneInfo(BUSINESS.time_zone)
_BLANK: Mapping[Any, Any] = {str: "1", int: 1, datetime: NOW, Mapping: {}}
"""Of a field that must be there and does not matter: an id, a version."""


def bare(given: Any) -> Any:
    """Without the lines that mappings remember."""
    if isinstance(given, dict):
        return {str(name): bare(value) for name, value in given.items() if name != LINE}
    return [bare(value) for value in given] if isinstance(given, list) else given


def made(kind: Any, given: Any) -> Any:
    """A value of a kind. Raises ValueError with what is wrong."""
    origin, args = get_origin(kind), get_args(kind)
    if NoneType in args:
        return None if given is None else made(args[0], given)
    if origin is tuple:
        if not isinstance(given, list):
            raise ValueError(f"{given!r} must be a list")
        return tuple(made(args[0], one) for one in given)
    if kind is datetime:
        return _moment(given)
    if kind is date:
        return given if isinstance(given, date) else date.fromisoformat(str(given))
    if is_dataclass(kind):
        return _record(kind, given)
    if origin is Literal:
        if given not in args:
            raise ValueError(f"{given!r} is none of {', '.join(filter(None, args))}")
    elif not isinstance(given, origin or kind):
        raise ValueError(f"{given!r} must be a {(origin or kind).__name__}")
    return bare(given)


def _record(kind: Any, given: Any) -> Any:
    hints = get_type_hints(kind)
    if not isinstance(given, dict):
        raise ValueError(f"{given!r} must be a mapping of some of {', '.join(hints)}")
    values = bare(given)
    for unknown in values.keys() - hints.keys():
        raise ValueError(f"{unknown} is not known here; use one of {', '.join(hints)}")
    read = {name: made(hints[name], value) for name, value in values.items()}
    for spec in fields(kind):
        if spec.name in read or spec.default is not MISSING or spec.default_factory is not MISSING:
            continue
        read[spec.name] = _BLANK.get(get_origin(hints[spec.name]) or hints[spec.name])
    return kind(**read)


def _moment(given: Any) -> datetime:
    moment = given if isinstance(given, datetime) else datetime.fromisoformat(str(given))
    return moment if moment.tzinfo is not None else moment.replace(tzinfo=_ZONE)


def same(wanted: Any, had: Any) -> bool:
    """Whether a value is as wanted; of a mapping, or a record, only what is wanted counts."""
    if isinstance(wanted, Mapping):
        return all(same(value, of(had, name)) for name, value in wanted.items())
    if isinstance(wanted, list):
        several = isinstance(had, list | tuple) and len(had) == len(wanted)
        return several and all(same(one, other) for one, other in zip(wanted, had, strict=True))
    if isinstance(wanted, datetime) or isinstance(had, datetime):
        try:
            return _moment(wanted) == _moment(had)
        except ValueError:
            return False
    if isinstance(wanted, date):
        return wanted.isoformat() == str(had)
    return bool(wanted == had)


def of(had: Any, name: str) -> Any:
    """A member of a mapping or of a record; None where it has none."""
    return had.get(name) if isinstance(had, Mapping) else getattr(had, name, None)
