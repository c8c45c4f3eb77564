"""A shop over HTTP: a tenant with items, its clock, and another tenant beside it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
from rejoinder.application import Application
from rejoinder.serving.app import create_app
from rejoinder_plugins.redaction import RedactionPlugin
from rejoinder_recommendation import RecommendationPlugin

from tests.support.application import opened

NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)
WORDS = {
    "fishing": "river rod trout lure line boat",
    "kitchen": "pan knife oven recipe spoon bowl",
    "garden": "soil rose spade seed bloom hedge",
}
ITEMS = [
    {
        "id": f"{tag}-{number}",
        "title": f"{words.split()[number % 6]} {number}",
        "text": words,
        "tags": [tag],
        "price": 5.0 * (number + 1),
        "available": number != 9,
    }
    for tag, words in WORDS.items()
    for number in range(10)
]


class Clock:
    """Noon, and a second later at each look."""

    def __init__(self) -> None:
        self.now = NOON

    def __call__(self) -> datetime:
        self.now += timedelta(seconds=1)
        return self.now


@dataclass
class Shop:
    application: Application
    client: httpx.AsyncClient
    keys: dict[str, str]
    clock: Clock

    async def post(self, path: str, body: Any, who: str = "admin", status: int = 200) -> dict[str, Any]:
        response = await self.client.post(
            f"/v1/{path}", json=body, headers={"authorization": f"Bearer {self.keys[who]}"}
        )
        assert response.status_code == status, response.text
        found: dict[str, Any] = response.json()
        return found

    async def did(self, kind: str, item: str, **more: Any) -> dict[str, Any]:
        event = {"kind": kind, "item_id": item, "user_id": "ann", "at": self.clock().isoformat(), **more}
        return await self.post("events", event)

    async def ids(self, who: str = "admin", **wanted: Any) -> list[str]:
        return [item["id"] for item in (await self.post("recommendations", wanted, who))["items"]]

    async def rule(self, **rules: Any) -> None:
        for name, value in rules.items():
            await self.application.tenants.set_setting("acme", ("recommendation", name), value)


@asynccontextmanager
async def shop(folder: Path) -> AsyncIterator[Shop]:
    clock = Clock()
    plugins = {"recommendation": RecommendationPlugin(), "redaction": RedactionPlugin()}
    async with opened(folder, plugins, tenants=("acme", "other"), clock=clock) as application:
        keys = {
            "admin": (await application.tenants.create_key("admin", tenant="acme")).token,
            "other": (await application.tenants.create_key("admin", tenant="other")).token,
        }
        transport = httpx.ASGITransport(app=create_app(application))
        async with httpx.AsyncClient(transport=transport, base_url="http://test", timeout=60) as client:
            yield Shop(application, client, keys, clock)
