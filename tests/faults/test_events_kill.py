"""kill -9 of the server that takes events in, and of the worker that reads them: none that was acknowledged is lost, none is read twice."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

import httpx
import pytest

pytest.importorskip("datasketch", reason="needs the extra rejoinder[events]")

from rejoinder.store.database import Database
from rejoinder.store.events import add_events, list_events, list_observations, unread_count
from rejoinder.store.tenants import create_tenant

from tests.integration.store.samples import new_event
from tests.services.server import running_server

READER = Path(__file__).with_name("reading_process.py")
EVENTS = 400
ROUNDS = 2


@pytest.mark.slow
def test_what_was_acknowledged_is_there_after_a_kill(tmp_path: Path) -> None:
    """The server is killed while documents are sent: each that it acknowledged is there, once and in its place."""
    (tmp_path / "rejoinder.toml").write_text('[plugins]\ndisabled = ["customer_service"]\n', encoding="utf-8")
    acknowledged: set[str] = set()
    with running_server(tmp_path) as server:
        operator = {"authorization": f"Bearer {server.operator_key}"}
        assert httpx.post(f"{server.url}/v1/tenants", headers=operator, json={"id": "acme"}).status_code == 201

        def send() -> None:
            for batch in range(10_000):
                rows = [_document(f"{batch}-{n}") for n in range(10)]
                try:
                    answer = _send(server.url, operator, rows)
                except httpx.HTTPError:
                    return
                acknowledged.update(one["id"] for one in answer["results"] if one["status"] == "accepted")

        sender = threading.Thread(target=send)
        sender.start()
        until = time.monotonic() + 60
        while len(acknowledged) < 60 and time.monotonic() < until:
            time.sleep(0.01)
        os.kill(server.process.pid, signal.SIGKILL)
        sender.join(60)
    assert len(acknowledged) >= 60
    asyncio.run(_check(f"sqlite:///{tmp_path / 'data' / 'rejoinder.db'}", acknowledged))


async def _check(url: str, acknowledged: set[str]) -> None:
    """Open the store as the next process would."""
    database = await Database.open(url)
    listed = await list_events(database, "acme", limit=100_000)
    await database.close()
    assert [one.position for one in listed] == list(range(1, len(listed) + 1))
    assert acknowledged <= {one.id for one in listed}


@pytest.mark.slow
async def test_a_killed_reader_leaves_nothing_out_and_reads_nothing_twice(tmp_path: Path) -> None:
    database = await Database.open(f"sqlite:///{tmp_path / 'rejoinder.db'}", synchronous="NORMAL")
    await database.migrate()
    await create_tenant(database, "acme", name="Acme")
    await add_events(database, "acme", [new_event(f"e{n:03}", user_id=None) for n in range(EVENTS)])
    killed = 0
    for batch in range(ROUNDS):
        killed += await asyncio.to_thread(_kill_in_batch, tmp_path, batch)
    assert killed == ROUNDS
    assert await unread_count(database, "acme") > 0, "the kills came too late to show anything"
    finished = await asyncio.to_thread(
        subprocess.run, [sys.executable, READER, str(tmp_path)], capture_output=True, text=True, check=False
    )
    assert finished.returncode == 0, finished.stderr
    assert await unread_count(database, "acme") == 0
    rows = await list_events(database, "acme", limit=EVENTS + 1)
    assert [row.status for row in rows] == ["done"] * EVENTS
    for row in rows:
        assert [one.value for one in await list_observations(database, "acme", row.id)] == [row.id], row.id
    await database.close()


def _kill_in_batch(folder: Path, batch: int) -> bool:
    """Let a reader begin, and kill it while it reads its nth batch, from 0."""
    process = subprocess.Popen([sys.executable, READER, str(folder)], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    for _ in range(batch + 1):
        process.stdout.readline()
    process.kill()
    process.stdout.close()
    return process.wait() == -signal.SIGKILL


def _document(event_id: str) -> dict[str, Any]:
    return {"id": event_id, "at": "2026-01-02T10:00:00Z", "text": f"{event_id} {event_id} happened in place {event_id}"}


def _send(url: str, headers: dict[str, str], rows: list[dict[str, Any]]) -> dict[str, Any]:
    named = {**headers, "rejoinder-tenant": "acme", "content-type": "application/x-ndjson"}
    body = "\n".join(map(json.dumps, rows))
    response = httpx.post(f"{url}/v1/events", headers=named, content=body, timeout=30)
    assert response.status_code == 200, response.text
    answer: dict[str, Any] = response.json()
    return answer
