"""kill -9 between two steps of learning: what was begun is carried on by the next process, and nothing counts twice."""

from __future__ import annotations

import asyncio
import signal
import sys
import time
from pathlib import Path

import pytest
from rejoinder.application import Application
from rejoinder.context import utc_now
from rejoinder.learning.adaptation import run_next
from rejoinder.learning.status import learning_status
from rejoinder.store.conversations import list_conversations
from rejoinder.store.erasures import list_erasures
from rejoinder.store.examples import list_examples
from rejoinder.store.models import list_evaluations, list_versions, live_version
from rejoinder.store.runs import list_runs
from rejoinder.store.trials import list_model_decisions

from tests.faults.killed_process import SETTINGS, plugins
from tests.support.application import BEN, file_bytes, opened

pytest.importorskip("celery", reason="needs the extra rejoinder[workers]")


async def killed(folder: Path, what: str) -> None:
    """Let a process do something until it is killed in the midst of it."""
    script = Path(__file__).with_name("killed_process.py")
    process = await asyncio.create_subprocess_exec(sys.executable, script, folder, what)
    assert await asyncio.wait_for(process.wait(), 120) == -signal.SIGKILL


async def label(application: Application, text: str) -> str | None:
    said = await (await application.models.request_for("acme", BEN)).models.predict("intent", text)
    return said.label if said else None


async def test_an_erasure_whose_process_is_killed_is_seen_and_carried_on(tmp_path: Path) -> None:
    await killed(tmp_path, "erase")
    async with opened(tmp_path, plugins(), **SETTINGS) as application:
        database = application.database
        assert await list_examples(database, "acme", "intent", active=None) == []
        assert await list_conversations(database, "acme") == []
        (pending,) = (await learning_status(database, "acme", now=utc_now(), days=1))["erasures"]
        assert (pending["examples"], pending["tasks"]) == (1, ["intent"])

        application.eraser.resume_beside()  # as a server does when it starts
        await application.eraser.settled()
        (run,) = [one for one in await list_runs(database, "acme") if one.status == "queued"]
        assert "were erased" in run.reason
        await run_next(application, owner="worker-2", queues=("cpu",))

        deadline = time.monotonic() + 5
        while await label(application, "the card is blue") == "colour":  # until the clean version serves
            assert time.monotonic() < deadline
            await asyncio.sleep(0.05)
        live = await live_version(database, "acme", "intent")
        assert live is not None
        assert live.erased_at is None
        assert (await learning_status(database, "acme", now=utc_now(), days=1))["erasures"] == []
        assert all(row.finished_at for row in await list_erasures(database, "acme"))
    assert b"the card is blue" not in file_bytes(tmp_path)


async def test_a_gate_whose_process_is_killed_has_judged_once(tmp_path: Path) -> None:
    await killed(tmp_path, "judge")
    await asyncio.sleep(1.1)  # the lease of the killed one
    async with opened(tmp_path, plugins(), **SETTINGS) as application:
        (candidate,) = await list_versions(application.database, "acme", state="candidate")
        await run_next(application, owner="worker-2", queues=("cpu",))
        (scored,) = await list_evaluations(application.database, "acme", candidate.id)
        assert scored.verdict is not None
        assert scored.verdict["attempt"] == 1
        (decided,) = await list_model_decisions(application.database, "acme", version_id=candidate.id)
        assert decided.action == "promote"
        live = await live_version(application.database, "acme", "intent")
        assert live is not None
        assert live.id == candidate.id
