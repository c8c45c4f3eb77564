"""The queue of ids and the sweep that mends it. Real workers are in tests/integration/test_worker.py."""

from __future__ import annotations

import asyncio
import importlib.util
import json
import sys
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any

import pytest
from rejoinder.errors import SettingsError
from rejoinder.learning.queue import ADAPT, CPU, make_queue, send_run
from rejoinder.settings import DeploymentSettings
from rejoinder.store.database import Database
from rejoinder.store.runs import claim_run, create_run
from rejoinder.store.tenants import create_tenant

pytest.importorskip("celery", reason="needs the extra rejoinder[workers]")

from rejoinder_workers.sweep import Sweep


@pytest.fixture
def settings(tmp_path: Path) -> DeploymentSettings:
    """A deployment with the tenant acme, and a lease of one second."""
    made = DeploymentSettings(data_dir=tmp_path, workers={"lease_s": 1.0})

    async def prepared(database: Database) -> None:
        await database.migrate()
        await create_tenant(database, "acme", name="Acme")

    in_store(made, prepared)
    return made


def in_store(settings: DeploymentSettings, work: Callable[[Database], Coroutine[Any, Any, Any]]) -> Any:
    async def done() -> Any:
        database = await Database.open(settings.store_url, synchronous="NORMAL")
        try:
            return await work(database)
        finally:
            await database.close()

    return asyncio.run(done())


def new_run(settings: DeploymentSettings) -> str:
    return str(in_store(settings, lambda database: create_run(database, "acme", task="intent")).id)


def sent(settings: DeploymentSettings) -> list[list[str]]:
    """The arguments of the messages in the queue."""
    files = sorted((settings.data_dir / "broker" / "messages").glob(f"*.{CPU}.msg"))
    messages = [json.loads(file.read_text()) for file in files]
    assert all(one["headers"]["task"] == ADAPT for one in messages)
    return [
        json.loads(one["headers"]["argsrepr"].replace("'", '"').replace("(", "[").replace(")", "]")) for one in messages
    ]


def test_only_ids_are_sent(settings: DeploymentSettings) -> None:
    assert send_run(settings, "acme", "run_1")

    assert sent(settings) == [["acme", "run_1"]]


def test_a_run_found_waiting_twice_is_put_back_once(settings: DeploymentSettings) -> None:
    sweep, run_id = Sweep(settings), new_run(settings)

    assert [sweep.look() for _ in range(4)] == [[], [run_id], [], []]
    assert sent(settings) == [["acme", run_id]]


def test_a_run_that_still_waits_after_a_lease_is_put_back_again(
    settings: DeploymentSettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    sweep, run_id = Sweep(settings), new_run(settings)
    sweep.look()
    sweep.look()
    now = [0.0]
    monkeypatch.setattr("rejoinder_workers.sweep.time.monotonic", lambda: now[0])
    now[0] = 1e9

    assert sweep.look() == [run_id]


def test_a_run_at_work_is_left_alone(settings: DeploymentSettings) -> None:
    sweep, run_id = Sweep(settings), new_run(settings)
    in_store(settings, lambda database: claim_run(database, "acme", run_id, owner="w", lease_s=60))

    assert [sweep.look() for _ in range(3)] == [[], [], []]


def test_a_store_that_is_away_does_not_end_the_sweep(settings: DeploymentSettings, caplog: Any) -> None:
    broken = DeploymentSettings(
        data_dir=settings.data_dir, store={"url": "postgresql://127.0.0.1:1/none"}, workers={"lease_s": 1.0}
    )
    sweep = Sweep(broken)
    sweep._pause_s = 0.01
    sweep.start()
    try:
        for _ in range(500):
            if caplog.text.count("the sweep failed") >= 2:
                break
            sweep._stop.wait(0.02)
    finally:
        sweep.stop()

    assert caplog.text.count("the sweep failed") >= 2


def test_without_celery_it_says_how_to_get_it(settings: DeploymentSettings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "celery", None)

    with pytest.raises(SettingsError, match=r"pip install 'rejoinder\[workers\]'"):
        make_queue(settings)


@pytest.mark.skipif(importlib.util.find_spec("redis") is not None, reason="the package redis is installed")
def test_a_broker_whose_package_is_missing_is_a_wrong_setting(settings: DeploymentSettings) -> None:
    with_redis = DeploymentSettings(data_dir=settings.data_dir, workers={"broker_url": "redis://127.0.0.1:1/0"})

    with pytest.raises(SettingsError, match=r"workers\.broker_url.*redis"):
        send_run(with_redis, "acme", "run_1")


def test_the_workers_and_the_server_use_one_broker(settings: DeploymentSettings) -> None:
    with make_queue(settings) as server, make_queue(settings, tasks=["json"]) as worker:
        for name in ("broker_url", "broker_transport_options", "task_default_queue", "task_serializer"):
            assert server.conf[name] == worker.conf[name]
        assert worker.conf.task_acks_late
        assert worker.conf.accept_content == ["json"]
