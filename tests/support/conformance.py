"""The running API against its own description, by schemathesis with every check on.

    python -m tests.support.conformance [options of `schemathesis run`]

founds a business, serves the API over it on the loopback, and lets schemathesis read the document and ask.
"""

import asyncio
import os
import subprocess
import sys
import sysconfig
import tempfile
from pathlib import Path

from bot.records.actor import SYSTEM
from bot.settings import Settings
from tests.support.databases import sqlite_store
from tests.support.people import found
from tests.support.web import serving

ROOT = Path(__file__).resolve().parent.parent.parent


async def run(folder: Path, *options: str) -> tuple[int, str]:
    """schemathesis's exit status and what it printed. The business lies in `folder`."""
    with sqlite_store(folder) as store:
        business = store.write_now(found, SYSTEM, "admin")
        async with serving(store, settings=Settings(api_rate=0)) as client:
            url = client.make_url("/api/v1/openapi.json")
            process = await asyncio.create_subprocess_exec(
                Path(sysconfig.get_path("scripts")) / "schemathesis",
                "run",
                str(url),
                f"--header=Authorization: Bearer {business.keys['admin']}",
                "--no-color",
                *options,
                cwd=ROOT,
                env={**os.environ, "PYTHONPATH": str(ROOT)},
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
            )
            said, _ = await process.communicate()
            return process.returncode or 0, said.decode()


def main() -> int:
    """Run it, and print what it says."""
    with tempfile.TemporaryDirectory() as folder:
        status, said = asyncio.run(run(Path(folder) / "business", *sys.argv[1:]))
    print(said)
    return status


if __name__ == "__main__":
    raise SystemExit(main())
