"""kill -9 of a process that writes: what was acknowledged is there, and the next one goes on without repair."""

from __future__ import annotations

import asyncio
import os
import signal
import sqlite3
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from rejoinder.store.database import Database
from rejoinder.store.tables import Conversation, DecisionRow, FeedbackRow, Turn
from rejoinder.store.tenants import create_tenant
from sqlalchemy import func, select

ROUNDS = 10
WRITER = Path(__file__).with_name("writing_process.py")


@asynccontextmanager
async def writer() -> AsyncIterator[asyncio.subprocess.Process]:
    """Give the process that forks one writing child for each round."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, WRITER, stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    try:
        yield process
    finally:
        if process.returncode is None:
            process.kill()
        await process.communicate()


async def acknowledged_until_killed(process: asyncio.subprocess.Process, url: str, lines: int) -> dict[str, set[str]]:
    """Let a child write, kill it in the midst of it, and return the ids that it acknowledged."""
    assert process.stdin is not None
    assert process.stdout is not None
    process.stdin.write(f"{url}\n".encode())
    child = 0
    found: dict[str, set[str]] = {"turn": set(), "feedback": set()}
    async for line in process.stdout:
        kind, _, record_id = line.decode().strip().partition(" ")
        if kind == "child":
            child = int(record_id)
        elif kind == "dead":
            break
        else:
            found[kind].add(record_id)
            lines -= 1
            if lines == 0:
                os.kill(child, signal.SIGKILL)
    return found


@pytest.mark.slow
async def test_nothing_acknowledged_is_lost_when_the_writer_is_killed(tmp_path: Path):
    path = tmp_path / "store.db"
    url = f"sqlite:///{path}"
    database = await Database.open(url)
    await database.migrate()
    await create_tenant(database, "acme", name="Acme")
    await database.close()
    acknowledged: dict[str, set[str]] = {"turn": set(), "feedback": set()}
    async with writer() as process:
        for round_number in range(ROUNDS):
            found = await acknowledged_until_killed(process, url, lines=20 + 7 * round_number)
            for kind, ids in found.items():
                acknowledged[kind] |= ids
            await check(path, acknowledged)
    assert len(acknowledged["turn"]) >= 100


async def check(path: Path, acknowledged: dict[str, set[str]]) -> None:
    """Open the store as the next process would, and look for everything that was acknowledged so far."""
    connection = sqlite3.connect(path)
    assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
    assert connection.execute("PRAGMA foreign_key_check").fetchall() == []
    connection.close()
    database = await Database.open(f"sqlite:///{path}")
    async with database.read() as session:
        turns = set((await session.execute(select(Turn.id))).scalars())
        feedback = set((await session.execute(select(FeedbackRow.id))).scalars())
        decisions = await session.scalar(select(func.count()).select_from(DecisionRow))
        counted = await session.scalar(select(func.sum(Conversation.turns)))
    await database.close()
    assert acknowledged["turn"] <= turns
    assert acknowledged["feedback"] <= feedback
    assert decisions == counted == len(turns), "a turn, its decision and its conversation's state go together"
