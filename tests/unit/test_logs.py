"""What is logged at which level."""

from __future__ import annotations

import subprocess
import sys

import pytest

LOGS = """
import logging, sys
from rejoinder.logs import log_to_stderr

log_to_stderr(sys.argv[1])
logging.getLogger("library").setLevel("DEBUG")
for name in ("rejoinder.store", "library.step", "rejoinderish"):
    for level in ("DEBUG", "INFO", "WARNING", "ERROR"):
        logging.getLogger(name).log(logging.getLevelName(level), "told")
"""

STORE = """
import asyncio, sys
from rejoinder.logs import log_to_stderr
from rejoinder.store.database import Database

async def main():
    database = await Database.open("sqlite:///" + sys.argv[1])
    await database.migrate()
    await database.close()

log_to_stderr("INFO")
asyncio.run(main())
"""


def told(code: str, argument: str) -> list[str]:
    ended = subprocess.run([sys.executable, "-c", code, argument], capture_output=True, text=True, check=True)
    assert ended.stdout == ""
    return [" ".join(line.split()[2:4]) for line in ended.stderr.splitlines()]


@pytest.mark.parametrize(
    ("level", "ours", "libraries"),
    [
        ("DEBUG", ["DEBUG", "INFO", "WARNING", "ERROR"], ["DEBUG", "INFO", "WARNING", "ERROR"]),
        ("INFO", ["INFO", "WARNING", "ERROR"], ["WARNING", "ERROR"]),
        ("WARNING", ["WARNING", "ERROR"], ["WARNING", "ERROR"]),
    ],
)
def test_libraries_are_heard_from_warnings_on(level: str, ours: list[str], libraries: list[str]) -> None:
    lines = told(LOGS, level)

    assert [line for line in lines if "rejoinder.store" in line] == [f"{one} rejoinder.store:" for one in ours]
    assert [line for line in lines if "library" in line] == [f"{one} library.step:" for one in libraries]
    assert "INFO rejoinderish:" not in lines or level == "DEBUG"


def test_migrating_a_store_is_not_noisy(tmp_path: object) -> None:
    assert told(STORE, f"{tmp_path}/records.db") == []
