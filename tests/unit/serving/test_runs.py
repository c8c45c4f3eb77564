"""Adaptation runs over the API: started, listed, watched, cancelled; by those who may, of their own tenant."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from rejoinder.application import Application
from rejoinder.serving.app import create_app
from rejoinder.store.models import list_versions
from rejoinder.store.runs import claim_run, create_run, finish_run, heartbeat_run

from tests.support.application import ANA, opened
from tests.support.learners import TaughtPlugin

pytest.importorskip("celery", reason="needs the extra rejoinder[workers]")


class Api:
    """A client with a key for each role of the tenant acme, and an admin's of the tenant other."""

    def __init__(self, application: Application, client: httpx.AsyncClient, keys: dict[str, str]) -> None:
        self.application = application
        self._client = client
        self._keys = keys

    async def get(self, path: str, role: str = "admin") -> httpx.Response:
        return await self._client.get(path, headers=self._headers(role))

    async def post(self, path: str, body: Any = None, role: str = "admin") -> httpx.Response:
        return await self._client.post(path, json=body, headers=self._headers(role))

    def _headers(self, role: str) -> dict[str, str]:
        return {"authorization": f"Bearer {self._keys[role]}"}


@pytest.fixture
async def api(tmp_path: Path) -> AsyncIterator[Api]:
    async with opened(tmp_path, {"taught": TaughtPlugin()}, tenants=("acme", "other")) as application:
        keys = {
            role: (await application.tenants.create_key(role, tenant="acme")).token
            for role in ("admin", "analyst", "customer")
        }
        keys["stranger"] = (await application.tenants.create_key("admin", tenant="other")).token
        app = create_app(application)
        transport = httpx.ASGITransport(app=app)
        async with httpx.AsyncClient(transport=transport, base_url="http://test") as client:
            yield Api(application, client, keys)


def events_of(text: str) -> list[tuple[str, Any]]:
    """Return name and data of server-sent events."""
    found = []
    for block in text.strip().split("\n\n"):
        lines = dict(line.split(": ", 1) for line in block.splitlines() if not line.startswith(":"))
        if lines:
            found.append((lines["event"], json.loads(lines["data"])))
    return found


async def test_a_run_is_started_and_found(api: Api) -> None:
    made = await api.post("/v1/runs", {"task": "intent", "priority": 2})

    assert made.status_code == 201, made.text
    run = made.json()
    assert (run["status"], run["priority"], run["queue"], run["progress"]) == ("queued", 2, "cpu", 0.0)
    assert run["reason"].startswith("asked for by ")
    assert made.headers["location"] == f"/v1/runs/{run['id']}"
    assert (await api.get(made.headers["location"], "analyst")).json() == run
    assert (await api.get("/v1/runs?status=queued&task=intent", "analyst")).json() == {"runs": [run]}
    assert (await api.get("/v1/runs?status=done")).json() == {"runs": []}
    assert list((api.application.settings.data_dir / "broker" / "messages").glob("*.cpu.msg"))


async def test_an_unknown_task_is_answered_with_the_tasks(api: Api) -> None:
    told = await api.post("/v1/runs", {"task": "intnt"})
    assert told.status_code in (400, 422)
    assert "there is no task 'intnt'. Did you mean 'intent'?" in told.json()["detail"]
    assert (await api.get("/v1/runs")).json() == {"runs": []}


async def test_a_run_is_cancelled_once(api: Api) -> None:
    run = (await api.post("/v1/runs", {"task": "intent"})).json()
    assert (await api.post(f"/v1/runs/{run['id']}/cancel")).json()["status"] == "cancelled"
    again = await api.post(f"/v1/runs/{run['id']}/cancel")
    assert (again.status_code, again.json()["detail"]) == (409, f"adaptation run '{run['id']}' is over: cancelled")


@pytest.mark.parametrize("role", ["analyst", "customer"])
async def test_only_those_who_manage_models_start_and_cancel(api: Api, role: str) -> None:
    run = (await api.post("/v1/runs", {"task": "intent"})).json()
    assert (await api.post("/v1/runs", {"task": "intent"}, role)).status_code == 403
    assert (await api.post(f"/v1/runs/{run['id']}/cancel", role=role)).status_code == 403
    allowed = 200 if role == "analyst" else 403
    for path in ("/v1/runs", f"/v1/runs/{run['id']}"):
        assert (await api.get(path, role)).status_code == allowed


async def test_another_tenants_run_is_not_there(api: Api) -> None:
    run = (await api.post("/v1/runs", {"task": "intent"})).json()
    assert (await api.get("/v1/runs", "stranger")).json() == {"runs": []}
    for path in (f"/v1/runs/{run['id']}", f"/v1/runs/{run['id']}/events"):
        assert (await api.get(path, "stranger")).status_code == 404
    assert (await api.post(f"/v1/runs/{run['id']}/cancel", role="stranger")).status_code == 404
    assert (await api.get(f"/v1/runs/{run['id']}")).json()["status"] == "queued"


async def test_a_run_is_watched_to_its_end(api: Api) -> None:
    database = api.application.database
    await api.application.models.request_for("acme", ANA)
    (version,) = await list_versions(database, "acme")
    run = await create_run(database, "acme", task="intent")
    watching = asyncio.create_task(api.get(f"/v1/runs/{run.id}/events", "analyst"))
    await asyncio.sleep(0.7)
    await claim_run(database, "acme", run.id, owner="w", lease_s=60)
    await heartbeat_run(database, "acme", run.id, owner="w", lease_s=60, progress=0.25)
    await asyncio.sleep(0.7)
    await finish_run(database, "acme", run.id, owner="w", status="done", model_version_id=version.id)
    told = await asyncio.wait_for(watching, 10)

    assert told.headers["content-type"].startswith("text/event-stream")
    seen = [(name, data["status"], data["progress"]) for name, data in events_of(told.text)]
    assert seen == [("progress", "queued", 0.0), ("progress", "running", 0.25), ("run", "done", 1.0)]


async def test_a_run_that_is_over_is_told_at_once(api: Api) -> None:
    run = (await api.post("/v1/runs", {"task": "intent"})).json()
    await api.post(f"/v1/runs/{run['id']}/cancel")
    (told,) = events_of((await api.get(f"/v1/runs/{run['id']}/events")).text)
    assert (told[0], told[1]["status"]) == ("run", "cancelled")
