"""`samvad flows`: what is said of flows on the command line."""

from pathlib import Path

from bot.dialogs.actions import ACTIONS
from bot.dialogs.drawing import draw
from bot.dialogs.flows import read_folder
from bot.dialogs.flows.model import Flows
from bot.dialogs.flows.read import Reader
from bot.dialogs.lint import lint
from bot.dialogs.publishing import shipped
from bot.errors import ConfigurationInvalid, NotFound
from bot.i18n import Words


def check_flows(folder: Path | None = None) -> tuple[list[str], list[str], int]:
    """(errors, warnings, how many flows there are), each with its file and line. Raises ConfigurationInvalid
    when flows cannot be read, naming every problem."""
    flows, readers = read_folder(folder, actions=ACTIONS, knows=Words.load().has)
    errors: list[str] = []
    warnings: list[str] = []
    for finding in lint(flows):
        reader = readers[finding.flow]
        line = f"{reader.file}:{reader.lines.get(finding.step, 1)}: {finding.text}"
        (errors if finding.error else warnings).append(line)
    return errors, warnings, len(flows)


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
