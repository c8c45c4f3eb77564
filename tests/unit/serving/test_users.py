"""Users over the API: consent, all that is stored, erasure; by those who may, of their own tenant."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from rejoinder.application import Application
from rejoinder.serving.app import create_app
from rejoinder.store.examples import list_examples
from rejoinder_plugins.explicit_feedback import plugin as explicit_feedback
from rejoinder_plugins.redaction import plugin as redaction

from tests.support.application import ANA, BEN, opened
from tests.support.learners import TaughtPlugin


class Api:
    """A client with a key for each role of the tenant acme, an admin's of the tenant other, and the token of ana."""

    def __init__(self, application: Application, client: httpx.AsyncClient, keys: dict[str, str]) -> None:
        self.application = application
        self._client = client
        self._keys = keys

    async def ask(self, method: str, path: str, role: str = "admin", **options: Any) -> httpx.Response:
        headers = {"authorization": f"Bearer {self._keys[role]}", **options.pop("headers", {})}
        return await self._client.request(method, path, headers=headers, **options)


@pytest.fixture
async def api(tmp_path: Path) -> AsyncIterator[Api]:
    plugins = {"taught": TaughtPlugin(), "explicit_feedback": explicit_feedback, "redaction": redaction}
    async with opened(tmp_path, plugins, tenants=("acme", "other")) as application:
        tenants = application.tenants
        keys = {
            role: (await tenants.create_key(role, tenant="acme")).token for role in ("admin", "analyst", "customer")
        }
        keys["stranger"] = (await tenants.create_key("admin", tenant="other")).token
        issuer = await tenants.authenticate(keys["customer"])
        keys["ana"] = (await tenants.issue_token(issuer, "ana")).token
        for tenant in ("acme", "other"):
            for caller in (ANA, BEN):
                conversation = await application.conversations.create(tenant, caller)
                turn = await application.conversations.turn(tenant, conversation, caller, f"the card of {caller.id}")
                await application.feedback.give(
                    tenant, caller, decision_id=turn.decision_id, kind="corrected_intent", value="colour"
                )
        transport = httpx.ASGITransport(app=create_app(application))
        async with httpx.AsyncClient(transport=transport, base_url="http://test") as client:
            yield Api(application, client, keys)


def kinds(response: httpx.Response) -> list[str]:
    assert response.status_code == 200, response.text
    return list(dict.fromkeys(json.loads(line)["record"] for line in response.text.splitlines()))


ALL = ["user", "conversation", "turn", "decision", "feedback", "example"]


async def test_a_user_is_given_out_and_erased_in_one_tenant(api: Api) -> None:
    assert kinds(await api.ask("GET", "/v1/users/ana/data")) == ALL

    answer = await api.ask("DELETE", "/v1/users/ana")
    gone = answer.json()

    assert gone["counts"].keys() == {"users", "conversations", "decisions", "feedback", "examples"}
    assert gone["erasure_id"].startswith("erasure_")
    assert (answer.status_code, gone["pending"]) == (202, True)
    await api.application.eraser.settled()
    assert (await api.ask("GET", "/v1/learning/status")).json()["erasures"] == []
    assert kinds(await api.ask("GET", "/v1/users/ana/data")) == []
    assert kinds(await api.ask("GET", "/v1/users/ben/data")) == ALL
    assert kinds(await api.ask("GET", "/v1/users/ana/data", "stranger")) == ALL
    again = await api.ask("DELETE", "/v1/users/ana")
    assert (again.status_code, again.json()["counts"]) == (200, {})


@pytest.mark.parametrize("role", ["analyst", "customer", "ana"])
async def test_only_who_manages_privacy_erases_and_gives_out(api: Api, role: str) -> None:
    assert (await api.ask("DELETE", "/v1/users/ana", role)).status_code == 403
    assert (await api.ask("GET", "/v1/users/ana/data", role)).status_code == 403
    assert (await api.ask("PATCH", "/v1/users/ben", role, json={"consent": True})).status_code == 403


async def test_users_say_themselves_whether_they_are_learned_from(api: Api) -> None:
    database = api.application.database
    said = (await api.ask("PATCH", "/v1/users/me", "ana", json={"consent": False})).json()
    assert said == {"user_id": "ana", "consent": False, "forgotten": 1}
    assert [one.user_id for one in await list_examples(database, "acme", "intent")] == ["ben"]
    assert len(await list_examples(database, "other", "intent")) == 2
    assert (await api.ask("PATCH", "/v1/users/ana", json={"consent": None})).json()["consent"] is None
    assert (await api.ask("PATCH", "/v1/users/me", json={"consent": True})).status_code == 422


async def test_examples_go_out_and_in_as_parquet(api: Api) -> None:
    media = "application/vnd.apache.parquet"
    out = await api.ask("GET", "/v1/examples?format=parquet")
    assert (out.status_code, out.headers["content-type"]) == (200, media)
    told = await api.ask("POST", "/v1/examples", "stranger", content=out.content, headers={"content-type": media})
    assert (told.json()["loaded"], told.json()["bad_count"]) == (2, 0)
    lines = (await api.ask("GET", "/v1/examples")).text
    again = await api.ask(
        "POST", "/v1/examples", "admin", content=lines, headers={"content-type": "application/x-ndjson"}
    )
    assert (again.json()["loaded"], again.json()["repeated"]) == (0, 2)


async def test_marked_versions_are_seen(api: Api) -> None:
    (version,) = (await api.ask("GET", "/v1/models?task=intent")).json()["versions"]
    assert version["erased_at"] is None
    status = (await api.ask("GET", "/v1/learning/status")).json()
    assert status["examples"] == [{"task": "intent", "examples": 2, "held_back": status["examples"][0]["held_back"]}]
    assert {"reward", "drift", "containment"} <= status["versions"][0].keys()
