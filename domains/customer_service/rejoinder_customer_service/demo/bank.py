"""One bank of the demo, as its customers reach it: over HTTP, each with a token of their own."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import httpx

from rejoinder_customer_service.demo.server import DemoError, RunningServer

_AT_ONCE = 4
_TIMEOUT_S = 120.0


@dataclass(frozen=True, slots=True)
class Answered:
    """One question as it was answered.

    Attributes:
        label: the intent whose answer was given; None when the bot gave none.
    """

    decision_id: str
    label: str | None
    text: str
    model_version: str

    @classmethod
    def of(cls, turn: Mapping[str, Any]) -> Answered:
        """Read a turn as the API gives it."""
        given = turn["action"] == "answer" and turn["reply"]["citations"]
        return cls(
            decision_id=turn["decision_id"],
            label=turn["label"] if given else None,
            text=" ".join(turn["reply"]["parts"]),
            model_version=turn["model_versions"].get("intent", ""),
        )


class Bank:
    """A tenant with customers.

    Args:
        http: reaches the server as a customer of this bank.
    """

    def __init__(self, name: str, http: httpx.AsyncClient) -> None:
        self.name = name
        self._http = http

    @classmethod
    async def open(
        cls, server: RunningServer, tenant: str, name: str, settings: Mapping[str, Mapping[str, Any]]
    ) -> Bank:
        """Create the tenant, a key for it, and a token for its customers."""
        async with httpx.AsyncClient(base_url=server.url, timeout=_TIMEOUT_S) as http:
            operator = {"Authorization": f"Bearer {server.operator_key}"}
            made = {"id": tenant, "name": name, "settings": settings}
            await _post(http, "/v1/tenants", made, operator)
            scoped = {**operator, "Rejoinder-Tenant": tenant}
            key = (await _post(http, "/v1/keys", {"role": "customer", "name": "shop window"}, scoped))["key"]
            backend = {"Authorization": f"Bearer {key}"}
            token = (await _post(http, "/v1/tokens", {"user_id": "customer-1"}, backend))["token"]
        headers = {"Authorization": f"Bearer {token}"}
        return cls(name, httpx.AsyncClient(base_url=server.url, timeout=_TIMEOUT_S, headers=headers))

    async def close(self) -> None:
        """Close the connections."""
        await self._http.aclose()

    async def ask(self, text: str) -> Answered:
        """Ask one question, in a conversation of its own."""
        conversation = await _post(self._http, "/v1/conversations", {})
        turn = await _post(self._http, f"/v1/conversations/{conversation['id']}/messages", {"text": text})
        return Answered.of(turn)

    async def ask_all(self, texts: Iterable[str], tick: Callable[[], None]) -> list[Answered]:
        """Ask many questions, a few at once; answers come in the order of the questions."""
        places = asyncio.Semaphore(_AT_ONCE)

        async def one(text: str) -> Answered:
            async with places:
                answered = await self.ask(text)
            tick()
            return answered

        return list(await asyncio.gather(*(one(text) for text in texts)))

    async def correct(self, answered: Answered, intent: str) -> None:
        """Tell the bot what the question was about."""
        body = {"decision_id": answered.decision_id, "kind": "corrected_intent", "value": intent}
        result = await _post(self._http, "/v1/feedback", body)
        if not result["learned"]:
            raise DemoError(f"the bot took no notice of a correction: {result}")


async def _post(
    http: httpx.AsyncClient, path: str, body: Mapping[str, Any], headers: Mapping[str, str] | None = None
) -> dict[str, Any]:
    try:
        response = await http.post(path, json=body, headers=headers)
    except httpx.HTTPError as error:
        raise DemoError(f"POST {path}: the server gives no answer: {type(error).__name__} {error}") from error
    if response.is_error:
        raise DemoError(f"POST {path}: {response.status_code} {response.text}")
    found: dict[str, Any] = response.json()
    return found
