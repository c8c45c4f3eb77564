"""What all routes of one server share."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Coroutine
from typing import TYPE_CHECKING, Annotated, Any

from fastapi import Depends, Request
from starlette.types import Scope

from rejoinder.errors import ModelError, RejoinderError
from rejoinder.serving.access import TENANT_HEADER, Access, bearer
from rejoinder.serving.hub import Hub
from rejoinder.serving.store_metrics import StoreMetrics
from rejoinder.tenants.quotas import RateLimiter
from rejoinder.wire import to_json

if TYPE_CHECKING:
    from rejoinder.application import Application
    from rejoinder.handoff.desk import DeskEvent

__all__ = ["Door", "TheDoor", "door_of"]

_TENANT_HEADER = TENANT_HEADER.encode()

_SWEEP_S = 5.0

_logger = logging.getLogger("rejoinder.serving")


class Door:
    """The application, who listens, and what runs beside the requests."""

    def __init__(self, application: Application) -> None:
        self.application = application
        self.hub = Hub()
        self.consoles = Hub()
        application.hand_offs.watches.append(self._tell_hand_off)
        self.store_metrics = StoreMetrics(application)
        self.closing = asyncio.Event()
        self.warm = asyncio.Event()
        self.warm.set()
        self.broken: ModelError | None = None
        server = application.settings.server
        self._users = RateLimiter(user_per_minute=server.user_requests_per_minute)
        self._tenants = RateLimiter(user_per_minute=0, tenant_per_minute=server.tenant_requests_per_minute)
        self._aside: set[asyncio.Task[None]] = set()

    async def admit(self, authorization: bytes | None, scope: Scope) -> Access:
        """Return who calls.

        Raises:
            AuthenticationError: nobody known.
            RateLimitedError: they call too often.
            NotFoundError: an operator named a tenant that is not there.
        """
        named = next((value for name, value in scope["headers"] if name == _TENANT_HEADER), None)
        return await self.admit_token(bearer(authorization), None if named is None else named.decode("latin-1"))

    async def admit_token(self, token: str, named: str | None = None, *, count: bool = True) -> Access:
        """Return whose key or token this is; raises as `admit`.

        Args:
            count: whether this is a request, which counts for the limits.
        """
        principal = await self.application.tenants.authenticate(token)
        if count and principal.tenant is not None:
            # A key stands for a whole backend: only the holders of tokens are users.
            if principal.user_id is not None:
                self._users.check(principal.tenant, principal.user_id)
            self._tenants.check(principal.tenant, "")
        if principal.role == "operator" and named is not None:
            await self.application.tenants.get(
                named
            )  # unknown to everyone else is an error of theirs, here it is a typing error
        return Access(principal, named)

    def _tell_hand_off(self, event: DeskEvent) -> None:
        """Tell a change of a hand-off to the customer's sockets and to the consoles of the tenant's agents."""
        tenant, conversation_id = event.tenant, event.conversation_id
        if event.turn is not None and self.hub.listens(tenant, conversation_id):
            by_agent = event.turn.speaker == "agent"
            if not by_agent:
                agent = event.hand_off.agent_name or None
                self.hub.publish(tenant, conversation_id, {"type": "mode", "mode": event.turn.mode, "agent": agent})
            kind = "agent" if by_agent else "turn"
            self.hub.publish(tenant, conversation_id, {"type": kind, "turn": to_json(event.turn)})
        self.consoles.publish(tenant, "", {"type": "changed"})

    def run_aside(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        """Run something to its end, whatever becomes of the request that asked for it."""
        task = asyncio.create_task(work)
        self._aside.add(task)
        task.add_done_callback(self._ended)
        return task

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._aside.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            _logger.error("work beside the requests failed", exc_info=error)

    def watch_hand_offs(self) -> None:
        """Begin to look after the customers who wait for people, until the server ends."""
        self.run_aside(self._watch_hand_offs())

    async def _watch_hand_offs(self) -> None:
        while not self.closing.is_set():
            try:
                await self.application.hand_offs.sweep()
            except RejoinderError as error:  # the store is away: look again later
                _logger.warning("nobody looked after the hand-offs: %s", error)
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self.closing.wait(), _SWEEP_S)

    def warm_up(self) -> None:
        """Begin to load the encoder, so that the first message does not wait for it; the server is not ready until then.

        Where no plugin brings a model, nothing is loaded: whoever encodes a text all the same waits for it.
        """
        if not self.application.host.tasks:
            return
        self.warm.clear()
        self.run_aside(self._warm_up())

    async def _warm_up(self) -> None:
        try:
            await self.application.encoder.encode("hello")  # the first text takes far longer than all others
        except ModelError as error:
            self.broken = error
        else:
            self.warm.set()

    async def close(self, *, patience_s: float = 10.0) -> None:
        """Wait for what runs aside; what takes longer than `patience_s` seconds is cancelled."""
        self.closing.set()
        if self._aside:
            _, late = await asyncio.wait(self._aside, timeout=patience_s)
            for task in late:
                task.cancel()
            await asyncio.gather(*late, return_exceptions=True)


async def door_of(request: Request) -> Door:
    """Return the door of the server that this request came to."""
    door: Door = request.app.state.door
    return door


TheDoor = Annotated[Door, Depends(door_of)]
