"""What adapters share in reading providers: JSON of any shape, places, how long to wait. Pure."""

from collections.abc import Mapping
from typing import Any

from bot.errors import Unreadable
from bot.messages import Location, clean

Json = Mapping[str, Any]


def json_object(value: object, name: str) -> Json:
    """An object that must be there. Raises Unreadable."""
    if not isinstance(value, dict):
        raise Unreadable(f"{name} is not an object", field=name)
    return value


def json_list(item: Json, name: str, optional: bool = False) -> list[Any]:
    """A list that must be there, unless `optional`. Raises Unreadable."""
    value = item.get(name)
    if value is None and optional:
        return []
    if not isinstance(value, list):
        raise Unreadable(f"{name} is not a list", field=name)
    return value


def string(item: Json, name: str) -> str:
    """A text that must be there. Raises Unreadable."""
    value = text(item, name)
    if not value:
        raise Unreadable(f"{name} is missing or not text", field=name)
    return value


def text(item: Json, name: str) -> str:
    """A text that may be missing."""
    value = item.get(name)
    return clean(value) if isinstance(value, str) else ""


def place(latitude: Any, longitude: Any, name: str = "", address: str = "") -> Location:
    """A place by its degrees. Raises Unreadable for what is none on earth."""
    try:
        found = Location(float(latitude), float(longitude), clean(name), clean(address))
    except (TypeError, ValueError, OverflowError) as error:
        raise Unreadable("a place without degrees", field="location") from error
    if not (abs(found.latitude) <= 90 and abs(found.longitude) <= 180):
        raise Unreadable("a place that is nowhere on earth", field="location")
    return found


def delay_of(retry_after: str | None) -> float:
    """Seconds from a Retry-After header; 0 when there is none or it is a date."""
    try:
        return min(max(float(retry_after or 0), 0.0), 86_400.0)
    except ValueError:
        return 0.0
