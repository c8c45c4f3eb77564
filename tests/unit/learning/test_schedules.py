"""Schedules of workers: each is kept once when it is due, per tenant, and one that fails keeps no other waiting."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from rejoinder import hookimpl
from rejoinder.context import Context
from rejoinder.learning.schedules import LEARNING, LEARNING_S, keep_schedules
from rejoinder.payloads import Schedule

from tests.support.application import opened
from tests.support.learners import TaughtPlugin


class Scheduled:
    """Brings a schedule of each kind, and one that fails."""

    def __init__(self) -> None:
        self.kept: list[tuple[str, str]] = []

    @hookimpl()
    def register_schedules(self) -> list[Schedule]:
        async def often(context: Context) -> None:
            self.kept.append(("often", context.tenant))

        def daily(context: Context) -> None:
            self.kept.append(("daily", context.tenant))

        def broken(context: Context) -> None:
            raise RuntimeError("no")

        return [
            Schedule(name="broken", every_s=10.0, run=broken),
            Schedule(name="often", every_s=10.0, run=often),
            Schedule(name="daily", every_s=86_400.0, run=daily),
        ]


async def test_what_is_due_is_kept_once_for_each_tenant(tmp_path: Path, caplog: Any) -> None:
    now = [datetime(2026, 11, 1, tzinfo=UTC)]
    plugin = Scheduled()
    named = {"scheduled": plugin, "taught": TaughtPlugin()}
    async with opened(tmp_path, named, clock=lambda: now[0], tenants=("acme", "other", "off")) as application:
        await application.tenants.disable("off")
        await asyncio.gather(*(keep_schedules(application) for _ in range(4)))
        both = [("often", "acme"), ("daily", "acme"), ("often", "other"), ("daily", "other")]
        assert sorted(plugin.kept) == sorted(both)
        assert "schedule scheduled:broken of tenant acme failed" in caplog.text

        plugin.kept.clear()
        now[0] += timedelta(seconds=9)
        assert await keep_schedules(application) == []
        now[0] += timedelta(seconds=1)
        kept = await keep_schedules(application)
        assert sorted(plugin.kept) == [("often", "acme"), ("often", "other")]
        assert ("acme", LEARNING) not in kept
        now[0] += timedelta(seconds=LEARNING_S)
        assert ("acme", LEARNING) in await keep_schedules(application)


async def test_a_tenant_without_the_plugin_has_not_its_schedules(tmp_path: Path) -> None:
    plugin = Scheduled()
    async with opened(tmp_path, {"scheduled": plugin, "taught": TaughtPlugin()}) as application:
        await application.tenants.create("small", plugins=["taught"])
        await keep_schedules(application)
        assert {tenant for _, tenant in plugin.kept} == {"acme"}
