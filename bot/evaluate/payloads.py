"""`samvad eval payloads`: recorded webhooks of every provider through the real endpoints, and what was read.

A Samvad of its own is opened in a temporary folder with made-up credentials; each recording is signed as its
provider would and posted. Vendors cannot be reached from it: what it answers goes nowhere.
"""

import asyncio
import hashlib
import hmac
import json
import tempfile
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import aiohttp

from bot.app import App, open_app
from bot.errors import InvalidInput
from bot.messages import InboundMessage, Parsed, StatusUpdate, WebhookRequest
from bot.settings import Settings, load_settings
from bot.web.server import make_web, served

_SECRET, _TOKEN = "a-made-up-app-secret", "4001:made-up-token"
_NOWHERE = "http://127.0.0.1:9"
"""The discard port: refused at once."""


@dataclass(frozen=True, slots=True)
class Recording:
    """One request as a provider made it."""

    provider: str
    name: str
    path: str
    body: bytes
    headers: dict[str, str] = field(default_factory=dict)


def recordings(folder: Path) -> Iterator[Recording]:
    """All recordings of a folder in the layout of the development data."""
    for file in sorted((folder / "whatsapp_cloud_pywa").glob("*.json")):
        for name, payload in json.loads(file.read_text("utf-8")).items():
            body = json.dumps(payload).encode()
            yield Recording(
                "whatsapp",
                f"{file.stem}/{name}",
                "/channels/whatsapp",
                body,
                {"X-Hub-Signature-256": _meta(body)},
            )
    rows = folder / "opsdroid" / "payloads.jsonl"
    for number, line in enumerate(rows.read_text("utf-8").splitlines() if rows.is_file() else ()):
        row = json.loads(line)
        body = json.dumps(row["payload"]).encode()
        headers = {"X-Hub-Signature-256": _meta(body), "X-Telegram-Bot-Api-Secret-Token": _SECRET}
        name = f"{row['name'] or 'update'}/{number}"
        yield Recording(row["channel"], name, f"/channels/{row['channel']}", body, headers)
    for file in sorted((folder / "sendgrid_inbound").glob("*.txt")):
        body = file.read_bytes().replace(b"\r\n", b"\n").replace(b"\n", b"\r\n")
        if not body:
            continue
        boundary = body.split(b"\r\n", 1)[0].removeprefix(b"--").decode("ascii", "replace")
        headers = {"Content-Type": f"multipart/form-data; boundary={boundary}"}
        yield Recording("email", file.stem, f"/channels/email?token={_SECRET}", body, headers)


def evaluate_payloads(test: Path, tell: Callable[[str], Any] = print) -> dict[str, Any]:
    """Post every recording; tells a line each and returns how many were taken, refused and read as what."""
    return asyncio.run(_post_all(test, tell))


async def _post_all(test: Path, tell: Callable[[str], Any]) -> dict[str, Any]:
    answers: Counter[int] = Counter()
    kinds: Counter[str] = Counter()
    failed: list[str] = []
    with tempfile.TemporaryDirectory(prefix="samvad-eval-") as data_dir:
        models = load_settings().data_dir.resolve() / "models"
        models.mkdir(parents=True, exist_ok=True)
        (Path(data_dir) / "models").symlink_to(models)  # this installation's: not trained for every run
        async with (
            open_app(_settings(Path(data_dir))) as app,
            served(make_web(app)) as port,
            aiohttp.ClientSession(f"http://127.0.0.1:{port}") as session,
        ):
            for recording in recordings(test):
                async with session.post(
                    recording.path, data=recording.body, headers=recording.headers
                ) as answer:
                    answers[answer.status] += 1
                read = _read(app, recording)
                kinds.update(line.split(" ", 1)[0] for line in read)
                if answer.status != 200 or read[0].startswith("unreadable"):
                    failed.append(f"{recording.provider} {recording.name}")
                for line in read:
                    tell(f"{recording.provider:10} {recording.name:44} {answer.status} {line}")
    if not answers:
        raise InvalidInput(f"{test} holds no recordings in the layout of the development data", field="test")
    return {
        "payloads": sum(answers.values()),
        "answers": {str(status): count for status, count in sorted(answers.items())},
        "read_as": dict(sorted(kinds.items())),
        "failed": failed,
    }


def _read(app: App, recording: Recording) -> list[str]:
    """What the adapter read, a line for each thing."""
    headers = {name.lower(): value for name, value in recording.headers.items()}
    request = WebhookRequest("POST", app.settings.public_url + recording.path, headers, recording.body)
    try:
        parsed: Parsed = app.channels[recording.provider].parse(request)
    except Exception as error:
        return [f"unreadable {type(error).__name__}"]
    lines = [_message_line(message) for message in parsed.messages]
    lines += [_status_line(status) for status in parsed.statuses]
    lines += [f"notice {notice.text}" for notice in parsed.notices]
    lines += [f"skipped {name}" for name in parsed.unhandled]
    return lines or ["nothing"]


def _message_line(message: InboundMessage) -> str:
    shown: dict[str, Any] = {
        "from": message.address,
        "name": message.sender_name,
        "at": message.at.isoformat() if message.at else "",
        "text": " ".join(message.text.split())[:60],
        "button": message.button,
        "about": message.reply_to,
        "media": [f"{one.kind.value} {one.mime}" for one in message.media],
        "place": message.location and f"{message.location.latitude},{message.location.longitude}",
        "cards": list(message.shared_contacts),
        "unsupported": message.unsupported,
    }
    return f"{message.kind} " + " ".join(f"{name}={value}" for name, value in shown.items() if value)


def _status_line(status: StatusUpdate) -> str:
    return f"status {status.status.value} of={status.external_id} {status.reason}".rstrip()


def _meta(body: bytes) -> str:
    return "sha256=" + hmac.new(_SECRET.encode(), body, hashlib.sha256).hexdigest()


def _settings(data_dir: Path) -> Settings:
    """A Samvad with every channel, whose credentials open nothing."""
    secrets = dict.fromkeys(
        (
            *("whatsapp_access_token", "whatsapp_app_secret", "whatsapp_verify_token"),
            *("messenger_access_token", "messenger_app_secret", "messenger_verify_token"),
            *("telegram_secret_token", "email_webhook_token"),
        ),
        _SECRET,
    )
    nowhere = dict.fromkeys(("whatsapp_api_url", "messenger_api_url", "telegram_api_url"), _NOWHERE)
    return load_settings(
        data_dir=data_dir,
        gather_ms=0,
        log_level="critical",
        whatsapp_phone_number_id="1122334455667",
        messenger_page_id="1",
        telegram_bot_token=_TOKEN,
        email_address="inbound@inbound.example.com",
        email_smtp_url="smtp://127.0.0.1:9",
        **secrets,
        **nowhere,
    )
