"""`samvad flows`: what is said of flows on the command line."""

import asyncio
from dataclasses import dataclass
from pathlib import Path

from bot.dialogs.actions import ACTIONS
from bot.dialogs.drawing import draw
from bot.dialogs.flows import read_folder
from bot.dialogs.flows.model import Flows
from bot.dialogs.flows.read import Reader
from bot.dialogs.lint import lint
from bot.dialogs.publishing import shipped
from bot.dialogs.recordings import Recording, read_recordings
from bot.dialogs.replay import Replayed, replay
from bot.dialogs.understanding import Understanding
from bot.dialogs.understanding.examples import examples
from bot.dialogs.understanding.shelf import make
from bot.errors import ConfigurationInvalid, NotFound
from bot.i18n import Words
from bot.settings import Settings


def check_flows(folder: Path | None = None) -> tuple[list[str], list[str], int]:
    """(errors, warnings, how many flows there are), each with its file and line. Raises ConfigurationInvalid
    when flows cannot be read, naming every problem."""
    flows, readers = _flows(folder)
    errors: list[str] = []
    warnings: list[str] = []
    for name, reader in readers.items():
        for finding in lint(flows, name):
            line = f"{reader.file}:{reader.lines.get(finding.step, 1)}: {finding.text}"
            (errors if finding.error else warnings).append(line)
    return errors, warnings, len(readers)


def draw_flow(name: str, output: Path | None, lang: str) -> Path:
    """Draw a flow that ships, or the one in a YAML file; returns the picture's file."""
    words, flows = Words.load(), shipped()
    if lang not in words.languages:
        raise NotFound(f"There are no words in {lang}; use one of {', '.join(words.languages)}")
    if name.endswith((".yaml", ".yml")):
        problems: list[str] = []
        flow = Reader(name, problems).read(Path(name).read_text(encoding="utf-8"))
        if flow is None or problems:
            raise ConfigurationInvalid("Please mend this flow:\n" + "\n".join(problems), problems=problems)
    elif name in flows:
        flow = flows[name]
    else:
        raise NotFound(f"There is no flow {name}; use one of {', '.join(flows)}, or the name of a file")
    target = output or Path(f"{flow.name}.svg")
    target.write_text(draw(flow, Flows({**flows, flow.name: flow}), words, lang), encoding="utf-8")
    return target


@dataclass(frozen=True, slots=True)
class Tested:
    """How every recording went; `untried` flows took part in none."""

    results: tuple[tuple[Recording, Replayed], ...]
    untried: tuple[str, ...]


async def replay_recordings(settings: Settings, folder: Path | None = None) -> Tested:
    """Replay the recordings of a folder of flows, or those that ship.

    Raises InvalidInput where there are none, ConfigurationInvalid when flows or recordings cannot be read."""
    words = Words.load()
    recordings = read_recordings(folder, words)
    flows, readers = await asyncio.to_thread(_flows, folder)
    model = await make(examples(flows), settings.data_dir.resolve() / "models", "words")
    understanding = Understanding(flows, words, model)
    results = [(one, await replay(one, flows, understanding, words)) for one in recordings]
    tried = {name for _, replayed in results for name in replayed.flows}
    return Tested(tuple(results), tuple(sorted(readers.keys() - tried)))


def _flows(folder: Path | None) -> tuple[Flows, dict[str, Reader]]:
    """A folder's flows over those that ship; what the folder's were read with."""
    base = {} if folder is None else shipped()
    if folder is not None and not any(folder.glob("*.yaml")):
        return shipped(), {}
    own, readers = read_folder(folder, actions=ACTIONS, knows=Words.load().has, beside=base)
    return Flows({**base, **own}), readers
