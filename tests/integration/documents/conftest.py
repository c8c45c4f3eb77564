"""Two servers over one store, each with the documents and dialogue plugins, and clients of both."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote

import httpx
import pytest

pytest.importorskip("bm25s", reason="needs the extra rejoinder[documents]")

from rejoinder.application import Application
from rejoinder.serving.app import create_app
from rejoinder_plugins.dialogue import DialoguePlugin
from rejoinder_plugins.documents import DocumentsPlugin
from rejoinder_plugins.slots import SlotsPlugin

from tests.support.application import opened


@dataclass
class Desk:
    """One tenant at two servers (`servers`): what an admin sends and what a customer asks."""

    application: Application
    servers: tuple[httpx.AsyncClient, httpx.AsyncClient]
    admin: str
    token: str

    async def put(
        self, document_id: str, text: str | bytes, media: str = "text/markdown", **query: str
    ) -> dict[str, Any]:
        """Send a document to the first server."""
        response = await self.servers[0].put(
            f"/v1/documents/{quote(document_id)}", params=query, content=text, headers=self._as(self.admin, media)
        )
        assert response.status_code == 200, response.text
        answer: dict[str, Any] = response.json()
        return answer

    async def delete(self, document_id: str) -> int:
        """Remove a document at the first server."""
        path = f"/v1/documents/{quote(document_id)}"
        return (await self.servers[0].delete(path, headers=self._as(self.admin))).status_code

    async def get(self, path: str = "") -> httpx.Response:
        """Look at documents at the first server."""
        return await self.servers[0].get(f"/v1/documents{path}", headers=self._as(self.admin))

    async def ask(self, text: str, server: int = 0) -> dict[str, Any]:
        """Ask in a new conversation and return the whole turn."""
        client, headers = self.servers[server], self._as(self.token)
        began = await client.post("/v1/conversations", headers=headers)
        assert began.status_code == 201, began.text
        path = f"/v1/conversations/{began.json()['id']}/messages"
        response = await client.post(path, headers=headers, json={"text": text})
        assert response.status_code == 200, response.text
        turn: dict[str, Any] = response.json()
        return turn

    @staticmethod
    def _as(token: str, media: str = "application/json") -> dict[str, str]:
        return {"authorization": f"Bearer {token}", "content-type": media}


@pytest.fixture
async def desks(tmp_path: Path) -> AsyncIterator[dict[str, Desk]]:
    """The tenants "acme" and "other", by name."""
    async with AsyncExitStack() as stack:
        applications = [
            await stack.enter_async_context(
                opened(
                    tmp_path,
                    {"documents": DocumentsPlugin(), "dialogue": DialoguePlugin(), "slots": SlotsPlugin()},
                    tenants=("acme", "other"),
                    server={"user_requests_per_minute": 0},
                )
            )
            for _ in range(2)
        ]
        clients = []
        for application in applications:
            transport = httpx.ASGITransport(app=create_app(application))
            clients.append(
                await stack.enter_async_context(
                    httpx.AsyncClient(transport=transport, base_url="http://test", timeout=60)
                )
            )
        made = {}
        for tenant in ("acme", "other"):
            admin = (await applications[0].tenants.create_key("admin", tenant=tenant)).token
            issued = await clients[0].post(
                "/v1/tokens", json={"user_id": "ana"}, headers={"authorization": f"Bearer {admin}"}
            )
            made[tenant] = Desk(applications[0], (clients[0], clients[1]), admin, issued.json()["token"])
        yield made
