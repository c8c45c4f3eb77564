"""What `rejoinder monitor replay` opens in its own process."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any

import pytest
from rejoinder.application import Application
from rejoinder.cli import replay_doors
from rejoinder.events import ingestion


@dataclass
class Asked:
    tenant: str
    deadline: float


async def test_a_replay_has_all_the_time_that_it_needs(monkeypatch: pytest.MonkeyPatch) -> None:
    async def nothing(*_: Any) -> None:
        pass

    async def request_for(tenant: str, caller: Any) -> Asked:
        return Asked(tenant, time.monotonic() + 30)

    @asynccontextmanager
    async def fake(*_: Any, **__: Any) -> AsyncIterator[Any]:
        yield SimpleNamespace(
            tenants=SimpleNamespace(get=nothing),
            encoder=SimpleNamespace(encode=nothing),
            models=SimpleNamespace(request_for=request_for),
        )

    asked: list[Asked] = []
    monkeypatch.setattr(Application, "open", fake)
    monkeypatch.setattr(ingestion, "EventIngestion", lambda _, request: asked.append(request))
    loaded: Any = None
    async with replay_doors.local(loaded, "acme"):
        pass
    assert asked == [Asked("acme", float("inf"))], "what people typed is redacted within it"
