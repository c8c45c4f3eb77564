"""A tenant's messages of late, for its models to learn their scope from: its own, willing, redacted, and each once."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Any

from rejoinder import hookimpl
from rejoinder.application import Application
from rejoinder.context import Context, utc_now
from rejoinder.learning.adaptation import run_adaptation
from rejoinder.learning.traffic import recent_traffic
from rejoinder.payloads import Adaptation, AdaptationRequest, Decision, Purpose
from rejoinder.store.decisions import add_decision
from rejoinder.store.runs import create_run
from rejoinder.store.users import ensure_user, set_consent

from tests.support.application import ANA, opened
from tests.support.learners import TaughtPlugin


class Hiding:
    """Takes numbers out of what is trained on."""

    @hookimpl()
    def redact_text(self, text: str, purpose: Purpose, context: Context) -> str:
        return text.replace("4711", "[NUMBER]") if purpose == "train" else text


class Asked:
    """Keeps the request that it was asked to fit."""

    def __init__(self) -> None:
        self.requests: list[AdaptationRequest] = []

    @hookimpl()
    def adapt_model(self, request: AdaptationRequest, context: Context) -> Adaptation:
        self.requests.append(request)
        Path(request.folder).mkdir(parents=True, exist_ok=True)
        (Path(request.folder) / "weights").write_text("w")
        return Adaptation(folder=request.folder)


async def say(application: Application, tenant: str, user: str, *texts: str, days_ago: float = 1.0) -> None:
    await ensure_user(application.database, tenant, user)
    for place, text in enumerate(texts):
        at = utc_now() - timedelta(days=days_ago, seconds=place)
        made: dict[str, Any] = {
            "id": f"dec-{tenant}-{user}-{text}-{days_ago}",
            "kind": "turn",
            "task": "intent",
            "at": at,
        }
        await add_decision(application.database, tenant, Decision(**made, input=text, user_id=user))


async def traffic(application: Application, tenant: str = "acme") -> tuple[str, ...]:
    request = await application.models.request_for(tenant, ANA)
    return await recent_traffic(application.database, application.host, request, "intent", now=utc_now())


async def test_messages_are_of_this_tenant_of_late_and_each_once(tmp_path: Path) -> None:
    plugins = {"taught": TaughtPlugin(), "hiding": Hiding()}
    async with opened(tmp_path, plugins, tenants=("acme", "other")) as application:
        await say(application, "acme", "ana", "where is 4711", "hello")
        await say(application, "acme", "ben", "hello", days_ago=2)
        await say(application, "acme", "ana", "long ago", days_ago=40)
        await say(application, "other", "cleo", "a secret of others")
        assert await traffic(application) == ("where is [NUMBER]", "hello")
        assert await traffic(application, "other") == ("a secret of others",)


async def test_who_may_not_be_learned_from_is_left_out(tmp_path: Path) -> None:
    async with opened(tmp_path, {"taught": TaughtPlugin()}) as application:
        await say(application, "acme", "ana", "hello")
        await say(application, "acme", "ben", "not for you")
        await set_consent(application.database, "acme", "ben", False)
        assert await traffic(application) == ("hello",)


async def test_a_run_brings_them_to_whoever_fits(tmp_path: Path) -> None:
    asked = Asked()
    async with opened(tmp_path, {"taught": TaughtPlugin(), "asked": asked}) as application:
        await say(application, "acme", "ana", "hello", "where is it")
        run = await create_run(application.database, "acme", task="intent")
        await run_adaptation(application, tenant="acme", run_id=run.id, owner="w")
    assert asked.requests[0].traffic == ("hello", "where is it")
