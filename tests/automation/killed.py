"""A process that works rules off and is killed before its Nth statement: `killed.py URL FOLDER N`."""

import os
import signal
import sys
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from bot.automation.consumer import advance
from bot.conversations.entities import ENTITIES
from bot.records.actor import SYSTEM
from bot.records.keys import KeyRing
from bot.records.store import Store
from bot.storage import Database
from tests.support.databases import SECRET
from tests.support.rules import runtime_of


def main(url: str, keys_url: str, folder: str, last: int) -> None:
    """Work until the log's end or the end of this process."""
    store = Store(Database(url), KeyRing(Database(keys_url), SECRET), ENTITIES, lambda notices: None)
    runtime = runtime_of(store, Path(folder))
    left = last

    def count(*_: Any) -> None:
        nonlocal left
        left -= 1
        if left == 0:
            os.kill(os.getpid(), signal.SIGKILL)

    sa.event.listen(store.database.engines[0], "before_cursor_execute", count)
    while store.write_now(advance, SYSTEM, runtime):
        pass


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], sys.argv[3], int(sys.argv[4]))
