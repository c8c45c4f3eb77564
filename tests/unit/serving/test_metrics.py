"""`GET /metrics`: what it tells, to whom, and how little a turn pays for it."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from prometheus_client.parser import text_string_to_metric_families
from pydantic import SecretStr
from rejoinder.application import Application
from rejoinder.hooks import hookimpl
from rejoinder.metrics import Metrics, TenantLabels
from rejoinder.serving.app import create_app
from rejoinder.store.runs import create_run
from rejoinder.trace import Trace
from rejoinder_plugins.explicit_feedback import plugin as explicit_feedback

from tests.support.application import ANA, opened
from tests.support.learners import TaughtPlugin

TOKEN = "metrics-token-of-a-scraper-0123456789"


class BrokenPlugin:
    """Fails whenever it is asked."""

    @hookimpl()
    def understand_intent(self, message: Any, state: Any, context: Any) -> None:
        raise ValueError("broken")


@pytest.fixture
async def application(tmp_path: Path) -> AsyncIterator[Application]:
    plugins = {"taught": TaughtPlugin(), "explicit_feedback": explicit_feedback, "broken": BrokenPlugin()}
    server = {"metrics_token": SecretStr(TOKEN), "metrics_loopback": True}
    async with opened(
        tmp_path, plugins, tenants=("acme", "other"), server=server, host_options={"breaker_failures": 1}
    ) as application:
        yield application


async def told(
    application: Application,
    token: str | None = TOKEN,
    *,
    host: str = "10.1.2.3",
    headers: dict[str, str] | None = None,
) -> httpx.Response:
    transport = httpx.ASGITransport(app=create_app(application), client=(host, 1))
    sent = {**({} if token is None else {"authorization": f"Bearer {token}"}), **(headers or {})}
    async with httpx.AsyncClient(transport=transport, base_url="http://test") as client:
        return await client.get("/metrics", headers=sent)


def samples(response: httpx.Response) -> dict[tuple[str, tuple[tuple[str, str], ...]], float]:
    assert response.status_code == 200, response.text
    return {
        (one.name, tuple(sorted(one.labels.items()))): one.value
        for family in text_string_to_metric_families(response.text)
        for one in family.samples
    }


async def use(application: Application, tenant: str) -> None:
    """Have a conversation with one thumbs up."""
    conversation = await application.conversations.create(tenant, ANA)
    turn = await application.conversations.turn(tenant, conversation, ANA, "where is my card")
    await application.feedback.give(tenant, ANA, decision_id=turn.decision_id, kind="thumbs", value=1)


async def test_turns_failures_feedback_encoder_and_runs_are_told(application: Application) -> None:
    await use(application, "acme")
    await use(application, "acme")
    await create_run(application.database, "acme", task="intent")

    found = samples(await told(application))

    action = next(labels[0][1] for name, labels in found if name == "rejoinder_turns_total")
    assert found["rejoinder_turns_total", (("action", action), ("tenant", "acme"))] == 2
    assert found["rejoinder_turn_seconds_count", (("tenant", "acme"),)] == 2
    assert found["rejoinder_stage_seconds_count", (("hook", "understand_intent"),)] == 2
    assert found["rejoinder_feedback_total", (("kind", "thumbs"), ("tenant", "acme"))] == 2
    failed = (("hook", "understand_intent"), ("outcome", "error"), ("plugin", "broken"))
    assert found["rejoinder_hook_failures_total", failed] == 1  # then it was left alone
    assert found["rejoinder_breaker_open", (("plugin", "broken"), ("tenant", "acme"))] == 1
    assert found["rejoinder_breaker_open", (("plugin", "taught"), ("tenant", ""))] == 0
    assert found["rejoinder_encoder_batches_total", ()] >= 1
    assert found["rejoinder_encoder_queue", ()] == 0
    assert found["rejoinder_runs", (("status", "queued"), ("task", "intent"), ("tenant", "acme"))] == 1
    quality = (("task", "intent"), ("tenant", "acme"), ("version", "intent-1"))
    assert found["rejoinder_quality_accuracy", quality] == 1.0
    assert found["rejoinder_quality_containment", quality] == 1.0


async def test_a_tenant_sees_its_own_figures_only(application: Application) -> None:
    await use(application, "acme")
    await use(application, "other")
    analyst = await application.tenants.create_key("analyst", tenant="acme")
    found = samples(await told(application, analyst.token))
    assert found
    assert {dict(labels).get("tenant") for _, labels in found} == {"acme"}
    operator = await application.tenants.create_key("operator", tenant=None)
    everybody = {dict(labels).get("tenant") for _, labels in samples(await told(application, operator.token))}
    assert {"acme", "other"} <= everybody


async def test_strangers_see_nothing(application: Application) -> None:
    assert (await told(application, None)).status_code == 401
    assert (await told(application, "wrong")).status_code == 401
    customer = await application.tenants.create_key("customer", tenant="acme")
    assert (await told(application, customer.token)).status_code == 403


async def test_this_machine_sees_all_where_the_settings_say_so_but_not_by_a_proxy(application: Application) -> None:
    assert (await told(application, None, host="127.0.0.1")).status_code == 200
    assert (await told(application, None, host="::1")).status_code == 200
    handed_on = {"x-forwarded-for": "1.2.3.4"}
    assert (await told(application, None, host="127.0.0.1", headers=handed_on)).status_code == 401


def test_tenants_are_bounded() -> None:
    names = TenantLabels(most=2)
    assert [names.of(tenant) for tenant in ("a", "b", "c", "a")] == ["a", "b", "_other", "a"]


async def test_a_turn_pays_microseconds(application: Application) -> None:
    metrics = Metrics(application.host, application.encoder)
    trace = Trace()
    for hook in ("redact_text", "understand_intent", "understand_intent", "decide_action", "retrieve_answers"):
        trace.add(hook, "taught", time.perf_counter(), "result")
    for hook in ("rank_answers", "compose_reply", "redact_text"):
        trace.add(hook, "taught", time.perf_counter(), "nothing")
    metrics.turn("acme", "answer", trace, 5.0)
    best = float("inf")
    for _ in range(20):
        started = time.perf_counter()
        for _ in range(50):
            metrics.turn("acme", "answer", trace, 5.0)
        best = min(best, (time.perf_counter() - started) / 50)
    assert best < 200e-6
