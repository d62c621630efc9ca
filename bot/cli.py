"""The `samvad` command. `samvad --help` is what docs/cli.md shows; a test compares the two."""

import asyncio
import json
import os
import secrets
import sys
from pathlib import Path
from typing import Annotated, Any, NoReturn

import typer
from rich.console import Console

from bot import logs
from bot.errors import SamvadError
from bot.settings import Settings, load_settings

# Our matrices are small: a second thread of OpenBLAS waits busily, and 600 examples took 3 to 6 s to learn
# instead of 0.6. It is read when numpy is first imported, which no command has done yet.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

_console = Console(stderr=True, highlight=False)
cli = typer.Typer(
    name="samvad",
    help="Samvad: an omnichannel CRM that is talked to.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)
db = typer.Typer(help="The database: bring its schema up to date, check it.", no_args_is_help=True)
user = typer.Typer(help="Staff: add one, give one a new password.", no_args_is_help=True)
kb = typer.Typer(help="The knowledge base: import, export and check articles.", no_args_is_help=True)
flows = typer.Typer(help="Dialog flows: check, test and draw them.", no_args_is_help=True)
locale = typer.Typer(help="Words: check that every language has them.", no_args_is_help=True)
demo = typer.Typer(help="The demo business: add it, remove it.", no_args_is_help=True)
for name, group in (
    ("db", db),
    ("user", user),
    ("kb", kb),
    ("flows", flows),
    ("locale", locale),
    ("demo", demo),
):
    cli.add_typer(group, name=name)


def _fail(message: str) -> NoReturn:
    _console.print(f"[bold red]✗[/] {message}")
    raise typer.Exit(1)


def _settings() -> Settings:
    settings = load_settings()
    logs.configure(settings.log_level)
    return settings


@cli.command()
def up() -> None:
    """Run everything on this machine: Valkey, web server, worker. Ctrl+C or SIGTERM ends it."""
    from bot.commands.up import run_up

    raise typer.Exit(asyncio.run(run_up(_settings())))


@cli.command()
def serve() -> None:
    """Run one serving process (web server and pipe); needs SAMVAD_REDIS_URL to hear other processes."""
    from bot.commands.up import run_serve

    raise typer.Exit(asyncio.run(run_serve(_settings())))


@cli.command()
def worker() -> None:
    """Run one worker process: timers, notifications, housekeeping. Needs SAMVAD_REDIS_URL."""
    from workers.worker import run_worker

    settings = _settings()
    if not settings.redis_url:
        _fail("A worker needs SAMVAD_REDIS_URL. `samvad up` runs one with an embedded Valkey.")
    raise typer.Exit(run_worker(settings, settings.redis_url))


@cli.command()
def chat(
    url: Annotated[str, typer.Option(help="A running Samvad; unset: the one of the settings")] = "",
    lang: Annotated[str, typer.Option(help="The language to be greeted in")] = "en",
) -> None:
    """Be a customer in the terminal. An empty line ends it."""
    from bot.commands.chat import run_chat

    settings = _settings()
    raise typer.Exit(asyncio.run(run_chat(url or settings.public_url, lang)))


@cli.command()
def doctor() -> None:
    """Look for what would keep Samvad from working, and say what to do about it."""
    from bot.commands.doctor import examine

    found = asyncio.run(examine(_settings()))
    for line in found:
        mark = {"ok": "[green]✓[/]", "warn": "[yellow]![/]", "bad": "[bold red]✗[/]"}[line.level]
        Console(highlight=False).print(f"{mark} {line.what}: {line.says}")
    if any(line.level == "bad" for line in found):
        raise typer.Exit(1)


@db.command("upgrade")
def db_upgrade() -> None:
    """Bring the schema to this version. Safe to run again, and from several machines at once."""
    from bot.app import open_store

    open_store(_settings()).close()
    print("The database is up to date.")


@db.command("check")
def db_check() -> None:
    """Say whether the schema is that of this version; exit code 1 when not."""
    from bot.commands.database import check

    problems = check(_settings())
    if problems:
        _fail("\n".join(problems))
    print("The database is up to date.")


def _operate(operation: Any, *args: Any, **kwargs: Any) -> Any:
    """Run one operation as the system: whoever can run this command has the database in hand anyway."""
    from bot.app import open_store
    from bot.records.actor import SYSTEM

    store = open_store(_settings())
    try:
        return store.write_now(operation, SYSTEM, *args, **kwargs)
    finally:
        store.close()


@user.command("add")
def user_add(
    email: str,
    role: Annotated[str, typer.Option(help="agent, rep, manager, marketer or admin")] = "agent",
    name: Annotated[str, typer.Option(help="How colleagues see them")] = "",
    team: Annotated[str, typer.Option(help="Their team; made when there is none of that name")] = "",
    password: Annotated[str, typer.Option(help="A console password; unset: none yet")] = "",
    api_key: Annotated[bool, typer.Option("--api-key", help="Print a key for the REST API")] = False,
    scope: Annotated[
        list[str] | None, typer.Option(help="Limit the key, as contacts:read or *:write; may be repeated")
    ] = None,
) -> None:
    """Add a staff member, or give one who is there an API key or password."""
    from bot.commands.people import add_or_equip

    given = {"name": name, "team": team, "password": password, "api_key": api_key, "scopes": scope or ()}
    _, key = _operate(add_or_equip, email, role, **given)
    print(f"{email} is a user.")
    if key:
        print(key)


@user.command("reset")
def user_reset(
    email: str,
    password: Annotated[str, typer.Option(help="The new password; unset: one is made and printed")] = "",
) -> None:
    """Give a staff member a new console password and end their sessions."""
    from bot.commands.people import reset

    fresh = password or secrets.token_urlsafe(12)
    _operate(reset, email, fresh)
    print(f"{email} has a new password." if password else fresh)


@user.command("leave")
def user_leave(
    email: str,
    to: Annotated[str, typer.Option(help="The colleague who takes over their open work")] = "",
    to_team: Annotated[str, typer.Option(help="Or the team that does")] = "",
) -> None:
    """Deactivate a staff member: sessions and keys end, open work goes to somebody else."""
    from bot.commands.people import leave

    moved = _operate(leave, email, to=to, to_team=to_team)
    print(f"{email} can no longer sign in.")
    for kind, count in moved.items():
        print(f"{count} {kind} handed over")


@user.command("keys")
def user_keys(
    email: str,
    revoke: Annotated[str, typer.Option(help="The id of a key to end")] = "",
) -> None:
    """List a staff member's API keys, or end one."""
    from bot.commands.people import keys

    for key in _operate(keys, email, revoke):
        scopes = " ".join(key["scopes"] or ("everything",))
        print(f"{key['id']}  {key['name'] or '-'}  {scopes}  last used {key['last_used_at'] or 'never'}")


@kb.command("import")
def kb_import(
    folder: Path,
    lang: Annotated[
        str, typer.Option(help="The language of files that do not say; unset: the business's first")
    ] = "",
    status: Annotated[
        str, typer.Option(help="Of new articles whose file does not say: draft, review or published")
    ] = "published",
    audience: Annotated[
        str, typer.Option(help="Who reads those: public, customers (whom we know) or agents")
    ] = "public",
    category: Annotated[str, typer.Option(help="Where those are filed")] = "",
) -> None:
    """Import articles, all or none: FOLDER/<lang>/*.md (front matter: id, title, lang), web pages (.html),
    .pdf, .docx, and .csv with the columns question and answer. One file may stand for the folder."""
    from bot.crm.article import first_language
    from bot.knowledge.files import Usual, read_articles, save_articles
    from bot.media.pictures import Pictures

    wanted = lang or _operate(first_language)
    found = read_articles(folder, wanted, fixed=bool(lang))
    usual = Usual(status, audience, category or None)
    done = _operate(save_articles, found, usual, Pictures(_settings().data_dir))
    print(f"{done.added} articles added, {done.changed} changed, {done.unchanged} as they were.")


@kb.command("export")
def kb_export(folder: Path) -> None:
    """Write every article to FOLDER/<lang>/<id>.md, and the pictures in them to FOLDER/pictures."""
    from bot.knowledge.files import export_articles
    from bot.media.pictures import Pictures

    done = _operate(export_articles, folder, Pictures(_settings().data_dir))
    print(f"{done} articles written to {folder}.")


@kb.command("check")
def kb_check(folder: Path) -> None:
    """Check articles without importing them; exit code 1 when something is wrong."""
    from bot.knowledge.files import check

    _report(check(folder), "The articles are fine.")


@flows.command("check")
def flows_check(
    folder: Annotated[Path | None, typer.Argument(help="Your own flows; unset: those that ship.")] = None,
) -> None:
    """Check every flow; problems name the file, the line and what to do. Errors end with exit code 1."""
    from bot.commands.flows import check_flows

    errors, warnings, count = check_flows(folder)
    for line in warnings:
        print(f"warning: {line}")
    _report(errors, f"{count} flows are fine.")


@flows.command("draw")
def flows_draw(
    name: Annotated[str, typer.Argument(help="The flow: one that ships, or a file of yours")],
    output: Annotated[
        Path | None, typer.Option("-o", "--output", help="The file; unset: NAME.svg here")
    ] = None,
    lang: Annotated[str, typer.Option(help="The language of the words in it")] = "en",
) -> None:
    """Draw a flow as a picture (SVG): questions, branches, consequences, ends."""
    from bot.commands.flows import draw_flow

    print(draw_flow(name, output, lang))


@flows.command("test")
def flows_test(
    folder: Annotated[
        Path | None,
        typer.Argument(help="Your own flows, with their recordings in recorded/; unset: those that ship."),
    ] = None,
) -> None:
    """Replay recorded conversations; the first difference of each is named with its line, exit code 1."""
    from bot.commands.flows import replay_recordings

    tested = asyncio.run(replay_recordings(_settings(), folder))
    for recording, replayed in tested.results:
        failed = bool(replayed.difference)
        print(f"{'✗' if failed else '✓'} {recording.file}:{recording.line}: {recording.name}")
        if failed:
            print(f"    {recording.file}:{replayed.line}: {replayed.difference}")
    for name in tested.untried:
        print(f"warning: no recording comes by {name}")
    failures = sum(bool(replayed.difference) for _, replayed in tested.results)
    if failures:
        _fail(f"{failures} of {len(tested.results)} recordings differ.")
    print(f"{len(tested.results)} recordings are as they were recorded.")


@flows.command("review")
def flows_review(
    text: Annotated[
        str, typer.Argument(help="A message: say how it is understood, and by which examples")
    ] = "",
) -> None:
    """Intents that are taken for one another, weak examples, and why a message is understood as it is."""
    from bot.commands.understanding import explained, reviewed

    for line in explained(_settings(), text) if text else reviewed(_settings()):
        print(line)


@locale.command("check")
def locale_check() -> None:
    """Check that every language has every text, with the same placeholders."""
    from bot.i18n import Words

    _report(Words.load().check(), "The words are complete.")


def _report(problems: list[str], fine: str) -> None:
    if problems:
        _fail("\n".join(problems))
    print(fine)


@demo.command("add")
def demo_add() -> None:
    """Add the demo business: starter articles, fictitious customers and conversations. Twice adds it once."""
    from bot.commands.demo import add_demo

    print(_operate(add_demo))


@demo.command("remove")
def demo_remove() -> None:
    """Remove every demo customer and what belongs to them. Articles stay: they are yours to edit."""
    from bot.demo import remove

    gone = _operate(remove)
    print(f"Removed {gone.contacts} demo customers and {gone.conversations} conversations.")


@cli.command()
def bench(
    what: Annotated[str, typer.Argument(help="turn, webhook, storm, crash, crm, knowledge, rules or help")],
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object only")] = False,
    quick: Annotated[bool, typer.Option(help="Fewer rounds")] = False,
    contacts: Annotated[int, typer.Option(min=1000, help="Of crm: how many contacts")] = 100_000,
) -> None:
    """Measure: turn, webhook, crm, knowledge and help against a floor of the same run, others by count."""
    from benchmarks import BENCHMARKS

    if what not in BENCHMARKS:
        _fail(f"There is no benchmark {what!r}; there are {', '.join(BENCHMARKS)}")
    size = {"contacts": contacts} if what == "crm" else {}
    found = BENCHMARKS[what](quick=quick, say=(lambda _line: None) if as_json else _console.print, **size)
    print(json.dumps(found))


@cli.command("eval")
def evaluate(
    what: Annotated[
        str,
        typer.Argument(
            help="What to measure: answering, bounces, conversations, language, payloads, replies,"
            " retrieval, slots, understanding"
        ),
    ],
    test: Annotated[
        Path | None,
        typer.Option(help="JSONL with gold; a folder of payloads; for slots SGD dialogues"),
    ] = None,
    train: Annotated[
        Path | None, typer.Option(help="Of understanding: JSONL of examples to learn from")
    ] = None,
    articles: Annotated[
        Path | None, typer.Option(help="Of retrieval and answering: JSONL of id, title, text, lang")
    ] = None,
    questions: Annotated[
        Path | None, typer.Option(help="Of retrieval and answering: JSONL of question, article_id")
    ] = None,
    foreign: Annotated[
        Path | None, typer.Option(help="Of answering: JSONL of questions that no article answers")
    ] = None,
    times: Annotated[
        int | None, typer.Option(min=1, help="Of conversations: how often each, with slips of typing")
    ] = None,
    transcripts: Annotated[
        Path | None, typer.Option(help="Of conversations: a folder for what was said")
    ] = None,
) -> None:
    """Measure quality against gold; the last line is one JSON object."""
    from bot.commands.evaluation import run_evaluation

    given = {
        "test": test,
        "train": train,
        "articles": articles,
        "questions": questions,
        "foreign": foreign,
        "times": times,
        "transcripts": transcripts,
    }
    print(run_evaluation(what, given, _console.print))


def main() -> None:
    """Run the command; an error that Samvad raised on purpose is a sentence, not a traceback."""
    try:
        cli()
    except SamvadError as error:
        _console.print(f"[bold red]✗[/] {error.message}")
        sys.exit(1)
