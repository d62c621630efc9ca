"""The parts of `docs/` that are made from the code. `python -m tests.support.docs` writes them anew.

A page marks them with `<!-- generated: NAME -->` and `<!-- end -->`; tests/test_docs.py compares.
"""

import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import typer.main
from prometheus_client import Histogram
from prometheus_client.metrics import MetricWrapperBase
from pydantic import SecretStr

from bot import metrics
from bot.adapter import Features
from bot.channels import build_channels
from bot.cli import cli
from bot.dialogs.flows import load_flows
from bot.messages import ChannelName, MediaKind
from bot.records.access import TABLE
from bot.records.actor import ROLES
from bot.settings import Settings

ROOT = Path(__file__).resolve().parents[2]
DOCS = ROOT / "docs"
WIDTH = 100
_SECTION = re.compile(r"(<!-- generated: (\w+) -->\n).*?(<!-- end -->)", re.DOTALL)


def table(head: tuple[str, ...], rows: list[tuple[str, ...]]) -> str:
    """A Markdown table."""
    lines = [head, tuple("---" for _ in head), *rows]
    cells = [[cell.replace("|", r"\|") for cell in line] for line in lines]
    return "".join(f"| {' | '.join(line)} |\n" for line in cells)


def settings() -> str:
    """Every setting with its default."""
    rows = []
    for name, field in Settings.model_fields.items():
        default = field.default
        if isinstance(default, SecretStr):
            default = default.get_secret_value()
        shown = f"`{default}`" if default not in (None, "") else ""
        rows.append((f"`SAMVAD_{name.upper()}`", shown, field.description or ""))
    return table(("setting", "default", "meaning"), rows)


def all_metrics() -> str:
    """Every metric, under the name that `/metrics` shows."""
    rows = []
    for metric in vars(metrics).values():
        if isinstance(metric, MetricWrapperBase):
            name = metric._name + ("_total" if metric._type == "counter" else "")
            kind = metric._type + (" (seconds)" if isinstance(metric, Histogram) else "")
            labels = ", ".join(f"`{label}`" for label in metric._labelnames)
            rows.append((f"`{name}`", kind, labels, metric._documentation))
    return table(("metric", "kind", "labels", "meaning"), rows)


def role_table() -> str:
    """Who may read, create, update and delete what."""
    roles = [role for role in ROLES if role != "admin"]
    rows = [
        (f"`{entity}`", *(_letters(given.get(role, frozenset())) for role in roles), "r c u d")
        for entity, given in TABLE.items()
    ]
    return table(("records", *roles, "admin"), rows)


def _letters(actions: frozenset[str]) -> str:
    return " ".join(action[0] for action in ("read", "create", "update", "delete") if action in actions)


def channels() -> str:
    """What each channel can do, as its adapter says."""
    rows = [
        (
            f"`{channel}`",
            f"[{adapter}](../bot/channels/{adapter}/README.md)",
            f"{features.text_limit:,}" if features.text_limit else "none",
            _buttons(features),
            f"{features.window.total_seconds() / 3600:g} h" if features.window else "always open",
            "yes" if features.receipts else "no",
            _files(features),
            f"{features.gather_ms} ms" if features.gather_ms else "no",
            _after_stop(features),
        )
        for adapter, channel, features in all_features()
    ]
    head = ("channel", "adapter", "text", "buttons", "window", "receipts", "files we may send", "gathers")
    return table((*head, "after STOP"), rows)


def _buttons(features: Features) -> str:
    if not features.text_limit:
        return "keys of the telephone"
    if not features.buttons:
        return "numbered text"
    return f"{features.buttons}, titles of {features.button_title_limit}"


def _after_stop(features: Features) -> str:
    if not features.text_limit:
        return "calls are answered"
    return "nothing leaves" if features.stop_is_silent else "own questions are answered"


def _files(features: Features) -> str:
    sizes: dict[int, list[str]] = {}
    for kind in MediaKind:
        if kind in features.media:
            sizes.setdefault(features.media[kind].max_bytes, []).append(kind.value)
    whole = len(features.media) == len(MediaKind)
    return "; ".join(
        f"{'all kinds' if whole and len(sizes) == 1 else ', '.join(kinds)} {_size(size)}"
        for size, kinds in sizes.items()
    )


def _size(size: int) -> str:
    return f"{size / 2**20:.3g} MB" if size >= 2**20 else f"{size // 1024} kB"


def all_features() -> Iterator[tuple[str, ChannelName, Features]]:
    """(adapter, channel, features) of every channel there is."""
    given = Settings(
        whatsapp_phone_number_id="1",
        whatsapp_access_token=SecretStr("x"),
        whatsapp_app_secret=SecretStr("x"),
        whatsapp_verify_token=SecretStr("x"),
        twilio_account_sid="AC1",
        twilio_auth_token=SecretStr("x"),
        twilio_sms_from="+15550001111",
        twilio_whatsapp_from="+15550002222",
        twilio_voice_from="+15550003333",
        telegram_bot_token=SecretStr("1:x"),
        messenger_page_id="1",
        messenger_access_token=SecretStr("x"),
        messenger_app_secret=SecretStr("x"),
        messenger_verify_token=SecretStr("x"),
        messenger_instagram_id="2",
        email_address="help@example.com",
        email_smtp_url=SecretStr("smtp://127.0.0.1:25"),
    )

    async def publish(_address: str, _outbox_id: str) -> None: ...

    for name, adapter in build_channels(given, publish).items():
        for channel, _ in adapter.accounts:
            yield name, channel, adapter.features(channel)


def flows() -> str:
    """The flows that ship."""
    rows = [
        (
            f"`{flow.name}`",
            str(flow.version),
            flow.description,
            ", ".join(sorted(flow.examples)),
            ", ".join(sorted(flow.keywords)),
        )
        for flow in load_flows().values()
    ]
    return table(("flow", "version", "what it does", "examples in", "keywords in"), rows)


def commands() -> str:
    """`--help` of every command."""
    top = typer.main.get_command(cli)
    return "".join(f"## {path}\n\n```text\n{text}\n```\n\n" for path, text in helps(top, "samvad", None))


def helps(command: Any, path: str, parent: Any) -> Iterator[tuple[str, str]]:
    """(`samvad db upgrade`, its help) of a command and all below it."""
    name = path.rsplit(" ", 1)[-1]
    context = command.context_class(
        command, info_name=name, parent=parent, terminal_width=WIDTH, max_content_width=WIDTH
    )
    yield path, "\n".join(line.rstrip() for line in command.get_help(context).splitlines())
    for child in getattr(command, "commands", {}).values():
        yield from helps(child, f"{path} {child.name}", context)


GENERATED: dict[str, Callable[[], str]] = {
    "settings": settings,
    "metrics": all_metrics,
    "permissions": role_table,
    "channels": channels,
    "flows": flows,
    "commands": commands,
}
"""Every generated section and what makes it."""


def sections(text: str) -> Iterator[tuple[str, str]]:
    """(name, content) of the generated sections of a page."""
    for match in _SECTION.finditer(text):
        yield match[2], match[0][len(match[1]) : -len(match[3])]


def rendered(text: str) -> str:
    """The page with its generated sections as they should be."""
    return _SECTION.sub(lambda match: match[1] + GENERATED[match[2]]() + match[3], text)


def main() -> None:
    """Write every page's generated sections anew."""
    for page in sorted(DOCS.rglob("*.md")):
        before = page.read_text("utf-8")
        after = rendered(before)
        if after != before:
            page.write_text(after, "utf-8")
            print(f"wrote {page.relative_to(ROOT)}")


if __name__ == "__main__":
    main()
