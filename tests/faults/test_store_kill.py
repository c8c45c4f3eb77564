"""kill -9 of a process that writes: what was acknowledged is there, and the next one goes on without repair."""

from __future__ import annotations

import asyncio
import signal
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest
from rejoinder.store.database import Database
from rejoinder.store.tables import Conversation, DecisionRow, FeedbackRow, Turn
from rejoinder.store.tenants import create_tenant
from sqlalchemy import func, select

ROUNDS = 10
WRITER = Path(__file__).with_name("writing_process.py")


async def acknowledged_until_killed(url: str, lines: int) -> dict[str, set[str]]:
    """Let a process write, kill it in the midst of it, and return the ids that it acknowledged."""
    process = await asyncio.create_subprocess_exec(sys.executable, WRITER, url, stdout=subprocess.PIPE)
    assert process.stdout is not None
    read = [await process.stdout.readline() for _ in range(lines)]
    process.send_signal(signal.SIGKILL)
    read += (await process.stdout.read()).splitlines(keepends=True)
    assert await process.wait() == -signal.SIGKILL
    found: dict[str, set[str]] = {"turn": set(), "feedback": set()}
    for line in read:
        if line.endswith(b"\n") and not line.startswith(b"ready"):
            kind, _, record_id = line.decode().strip().partition(" ")
            found[kind].add(record_id)
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
    for round_number in range(ROUNDS):
        for kind, ids in (await acknowledged_until_killed(url, lines=20 + 7 * round_number)).items():
            acknowledged[kind] |= ids
        connection = sqlite3.connect(path)
        assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        assert connection.execute("PRAGMA foreign_key_check").fetchall() == []
        connection.close()
        database = await Database.open(url)
        async with database.read() as session:
            turns = set((await session.execute(select(Turn.id))).scalars())
            feedback = set((await session.execute(select(FeedbackRow.id))).scalars())
            decisions = await session.scalar(select(func.count()).select_from(DecisionRow))
            counted = await session.scalar(select(func.sum(Conversation.turns)))
        await database.close()
        assert acknowledged["turn"] <= turns
        assert acknowledged["feedback"] <= feedback
        assert decisions == counted == len(turns), "a turn, its decision and its conversation's state go together"
    assert len(acknowledged["turn"]) >= 100
