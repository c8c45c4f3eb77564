"""The two ways in which `rejoinder chat` reaches a bot."""

from __future__ import annotations

import uuid
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any, Protocol

from rejoinder.cli.server_calls import ask, opened_client

if TYPE_CHECKING:
    import httpx

    from rejoinder.application import Application
    from rejoinder.payloads import Caller
    from rejoinder.settings import LoadedSettings

__all__ = ["Talker", "local", "remote"]


class Talker(Protocol):
    """One conversation. All methods raise RejoinderError, and values are as in the API."""

    async def say(self, text: str) -> dict[str, Any]:
        """Say something; return the turn."""

    async def feedback(self, decision_id: str, kind: str, value: int | str) -> dict[str, Any]:
        """Give feedback; return what it came to."""

    async def why(self, turn: dict[str, Any]) -> list[dict[str, Any]]:
        """Return the trace of a turn."""

    async def news(self, after: int) -> list[dict[str, Any]]:
        """Return the turns of a number higher than `after`, as they were stored."""


# --- in this process -----------------------------------------------------------------------------------------------


@asynccontextmanager
async def local(loaded: LoadedSettings, tenant: str, user: str) -> AsyncIterator[Talker]:
    """Open the application, and a conversation of a customer.

    Raises:
        NotFoundError: there is no such tenant.
        RejoinderError: the application cannot be opened.
    """
    from rejoinder.application import Application
    from rejoinder.payloads import Caller

    async with Application.open(loaded) as application:
        plugins = (await application.tenants.resolved(tenant)).plugins
        caller = Caller(id=user)
        if any(application.host.owner_of_task(task) in plugins for task in application.host.tasks):
            # The first text takes far longer than all others: too long for a hook.
            await application.encoder.encode("hello")
        conversation_id = await application.conversations.create(tenant, caller, channel="terminal")
        yield _Local(application, tenant, caller, conversation_id)


class _Local:
    def __init__(self, application: Application, tenant: str, caller: Caller, conversation_id: str) -> None:
        self._application = application
        self._tenant = tenant
        self._caller = caller
        self._conversation_id = conversation_id

    async def say(self, text: str) -> dict[str, Any]:
        from rejoinder.wire import to_json

        turn = await self._application.conversations.turn(self._tenant, self._conversation_id, self._caller, text)
        told: dict[str, Any] = to_json(turn)
        return told

    async def feedback(self, decision_id: str, kind: Any, value: int | str) -> dict[str, Any]:
        from rejoinder.wire import to_json

        result = await self._application.feedback.give(
            self._tenant, self._caller, decision_id=decision_id, kind=kind, value=value
        )
        told: dict[str, Any] = to_json(result)
        return told

    async def why(self, turn: dict[str, Any]) -> list[dict[str, Any]]:
        from rejoinder.store.turns import get_turn

        stored = await get_turn(self._application.database, self._tenant, turn["id"])
        return stored.trace or []

    async def news(self, after: int) -> list[dict[str, Any]]:
        from rejoinder.store.turns import list_turns

        found = await list_turns(self._application.database, self._tenant, self._conversation_id, after_number=after)
        return [
            {"number": one.number, "reply": one.reply, "speaker": one.speaker, "author": one.author} for one in found
        ]


# --- at a server ---------------------------------------------------------------------------------------------------


@asynccontextmanager
async def remote(url: str, token: str, *, tenant: str, user: str | None) -> AsyncIterator[Talker]:
    """Open a conversation at a server.

    Args:
        token: an API key, or a user's token. With a key and a `user`, a token for that user is asked for first.
    Raises:
        AccessError: the server refuses the token.
        StoreUnavailableError: the server does not answer.
    """
    async with opened_client(url) as client:
        # Only an operator's key needs the tenant's name; a tenant's own key refuses another's, which is what is wanted.
        keyed = {"authorization": f"Bearer {token}", "rejoinder-tenant": tenant}
        talking = keyed
        if user is not None:
            issued = await ask(client, "POST", "/v1/tokens", keyed, {"user_id": user})
            talking = {**keyed, "authorization": f"Bearer {issued['token']}"}
        opened = await ask(client, "POST", "/v1/conversations", talking, {"channel": "terminal"})
        yield _Remote(client, opened["id"], talking, keyed)


class _Remote:
    def __init__(
        self, client: httpx.AsyncClient, conversation_id: str, talking: dict[str, str], keyed: dict[str, str]
    ) -> None:
        self._client = client
        self._path = f"/v1/conversations/{conversation_id}"
        self._talking = talking
        self._keyed = keyed

    async def say(self, text: str) -> dict[str, Any]:
        headers = {**self._talking, "idempotency-key": uuid.uuid4().hex}
        return await ask(self._client, "POST", f"{self._path}/messages", headers, {"text": text})

    async def feedback(self, decision_id: str, kind: str, value: int | str) -> dict[str, Any]:
        headers = {**self._talking, "idempotency-key": uuid.uuid4().hex}
        body = {"decision_id": decision_id, "kind": kind, "value": value}
        return await ask(self._client, "POST", "/v1/feedback", headers, body)

    async def why(self, turn: dict[str, Any]) -> list[dict[str, Any]]:
        told = await ask(self._client, "GET", f"{self._path}/turns/{turn['id']}", self._keyed)
        trace: list[dict[str, Any]] = told["trace"]
        return trace

    async def news(self, after: int) -> list[dict[str, Any]]:
        told = await ask(self._client, "GET", f"{self._path}/turns?after={after}", self._talking)
        turns: list[dict[str, Any]] = told["turns"]
        return turns
