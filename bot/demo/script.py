"""The demo's script, read from `business.yaml`: who the customers are and what happens, step by step."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, time, timedelta
from functools import lru_cache
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from bot.yaml_text import read_yaml

_FILE = Path(__file__).with_name("business.yaml")
# Minutes that a step takes after the one before, where the script does not say.
_PACE = {"in": 1.5, "bot": 0.03, "agent": 4.0}
_SOON = 0.005


@dataclass(frozen=True, slots=True)
class Counts:
    """Records that were added or removed."""

    contacts: int = 0
    accounts: int = 0
    conversations: int = 0
    messages: int = 0
    leads: int = 0
    cases: int = 0


@dataclass(frozen=True, slots=True)
class Step:
    """One thing that happens, `after` the conversation began; business.yaml says which kinds there are."""

    kind: str
    value: Any
    after: timedelta
    status: str = ""
    error: str = ""


@dataclass(frozen=True, slots=True)
class Person:
    """A customer with their one conversation."""

    name: str
    lang: str
    channel: str
    address: str
    subject: str
    account: str
    """The domain of the account they belong to; empty: none."""
    begins: Mapping[str, Any]
    talk: tuple[Step, ...]

    def first_moment(self, now: datetime, zone: ZoneInfo) -> datetime:
        """When the conversation began, so that its last step is over a minute before `now`."""
        if "minutes_ago" in self.begins:
            begin = now - timedelta(minutes=self.begins["minutes_ago"])
        else:
            day = now.astimezone(zone).date() - timedelta(days=self.begins["days_ago"])
            local = datetime.combine(day, time.fromisoformat(self.begins["at"]), zone)
            begin = local.astimezone(now.tzinfo)
        return min(begin, now - timedelta(minutes=1) - self.talk[-1].after)


@dataclass(frozen=True, slots=True)
class Script:
    """Everything in business.yaml. `ours`: channel to our address; `accounts`: domain to name."""

    zone: ZoneInfo
    currency: str
    ours: Mapping[str, str]
    accounts: Mapping[str, str]
    people: tuple[Person, ...]


@lru_cache
def load_script() -> Script:
    """The script."""
    data = read_yaml(_FILE.read_text(encoding="utf-8"))
    return Script(
        zone=ZoneInfo(data["time_zone"]),
        currency=data["currency"],
        ours=data["ours"],
        accounts={account["domain"]: account["name"] for account in data["accounts"]},
        people=tuple(_person(person) for person in data["customers"]),
    )


def _person(data: Mapping[str, Any]) -> Person:
    talk: list[Step] = []
    elapsed = timedelta()
    for entry in data["talk"]:
        rest = dict(entry)
        options = {name: rest.pop(name) for name in ("status", "error") if name in rest}
        given = rest.pop("after", None)
        ((kind, value),) = rest.items()
        if talk:
            elapsed += timedelta(minutes=_PACE.get(kind, _SOON) if given is None else given)
        talk.append(Step(kind, value, elapsed, **options))
    return Person(
        name=data["name"],
        lang=data["lang"],
        channel=data["channel"],
        address=data["address"],
        subject=data.get("subject", ""),
        account=data.get("account", ""),
        begins=data["begins"],
        talk=tuple(talk),
    )
