"""`samvad flows`: what is said of flows on the command line."""

from pathlib import Path

from bot.dialogs.actions import ACTIONS
from bot.dialogs.flows import read_folder
from bot.dialogs.lint import lint
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
