"""A server over small fakes: what the doors do must not hang on how a turn is made."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any

import httpx
import orjson
import pytest
from fastapi import FastAPI
from rejoinder.conversation import Turn
from rejoinder.errors import AuthenticationError, ConflictError, InvalidInputError, NotFoundError
from rejoinder.handoff.desk import DeskEvent
from rejoinder.learning.feedback import FeedbackResult
from rejoinder.payloads import Caller, ConversationState, Reply
from rejoinder.serving.app import create_app
from rejoinder.settings import DeploymentSettings, ServerSettings
from rejoinder.store.tables import HandOffRow
from rejoinder.tenants.principal import Principal
from rejoinder.testing.host import HostUnderTest

PRINCIPALS = {
    "ana": Principal(tenant="acme", role="customer", key_id="key_1", user_id="ana"),
    "ben": Principal(tenant="acme", role="customer", key_id="key_1", user_id="ben"),
    "stranger": Principal(tenant="other", role="customer", key_id="key_9", user_id="ana"),
    "shop": Principal(tenant="acme", role="customer", key_id="key_1"),
    "agent": Principal(tenant="acme", role="agent", key_id="key_2"),
    "analyst": Principal(tenant="acme", role="analyst", key_id="key_3"),
    "ingest": Principal(tenant="acme", role="ingest", key_id="key_4"),
    "admin": Principal(tenant="acme", role="admin", key_id="key_5"),
    "operator": Principal(tenant=None, role="operator", key_id="key_6"),
}


def bearer(name: str, **headers: str) -> dict[str, str]:
    """The headers of somebody."""
    named = {key.replace("_", "-"): value for key, value in headers.items()}
    return {"authorization": f"Bearer {name}", **named}


@dataclass(frozen=True)
class FakeProfile:
    plugins: frozenset[str]
    settings: dict[str, Any] = field(default_factory=dict)
    fingerprint: str = "1"


class FakeTenants:
    def __init__(self) -> None:
        self.principals = dict(PRINCIPALS)
        self.plugins = {"acme": frozenset({"parcels"}), "other": frozenset[str]()}

    async def authenticate(self, token: str) -> Principal:
        if token not in self.principals:
            raise AuthenticationError("the key or token is not valid; ask for a new one")
        return self.principals[token]

    async def get(self, tenant: str) -> None:
        await self.resolved(tenant)

    async def resolved(self, tenant: str) -> FakeProfile:
        if tenant not in self.plugins:
            raise NotFoundError(f"there is no tenant {tenant!r}")
        return FakeProfile(self.plugins[tenant])


@dataclass
class FakeConversation:
    user_id: str
    turns: list[Turn] = field(default_factory=list)
    state: ConversationState = field(default_factory=ConversationState)


class FakeConversations:
    """Echoes. `fails` is raised by the next turns; `parts` is what a streamed reply consists of; `gate` holds turns up."""

    def __init__(self) -> None:
        self.all: dict[tuple[str, str], FakeConversation] = {}
        self.fails: Exception | None = None
        self.fails_after: Exception | None = None
        self.parts: tuple[str, ...] = ()
        self.gate: asyncio.Event | None = None
        self.waits = asyncio.Event()
        self.keys: dict[str, Turn] = {}

    async def create(self, tenant: str, caller: Caller, *, channel: str = "api") -> str:
        conversation_id = f"conv_{len(self.all) + 1}"
        self.all[tenant, conversation_id] = FakeConversation(caller.id)
        return conversation_id

    async def load(self, tenant: str, conversation_id: str, caller: Caller, *, history: int = 0) -> Any:
        found = self.find(tenant, conversation_id, caller)
        return FakeLoaded(conversation_id, found.user_id, found.state, len(found.turns) + 1)

    async def turn(
        self, tenant: str, conversation_id: str, caller: Caller, text: str, *, idempotency_key: str | None = None
    ) -> Turn:
        async for item in self.stream(tenant, conversation_id, caller, text, idempotency_key=idempotency_key):
            if isinstance(item, Turn):
                return item
        raise AssertionError

    async def stream(
        self, tenant: str, conversation_id: str, caller: Caller, text: str, *, idempotency_key: str | None = None
    ) -> AsyncIterator[str | Turn]:
        found = self.find(tenant, conversation_id, caller)
        if not text.strip():
            raise InvalidInputError("the message is empty")
        if self.fails is not None:
            raise self.fails
        if idempotency_key in self.keys:
            if self.keys[idempotency_key].text != text:
                raise ConflictError("this idempotency key was used for another text")
            yield self.keys[idempotency_key]
            return
        for part in self.parts:
            yield part
        if self.gate is not None:
            self.waits.set()
            await self.gate.wait()
        if self.fails_after is not None:
            raise self.fails_after
        number = len(found.turns) + 1
        turn = Turn(
            id=f"turn_{number}",
            conversation_id=conversation_id,
            number=number,
            text=text,
            reply=Reply(parts=self.parts or (f"You said: {text}",)),
            action="answer",
            decision_id=f"dec_{number}",
        )
        found.turns.append(turn)
        if idempotency_key is not None:
            self.keys[idempotency_key] = turn
        yield turn

    def find(self, tenant: str, conversation_id: str, caller: Caller) -> FakeConversation:
        found = self.all.get((tenant, conversation_id))
        if found is None or (caller.role == "customer" and found.user_id != caller.id):
            raise NotFoundError(f"there is no conversation {conversation_id!r}")
        return found


class FakeHandOffs:
    """Agents who speak in the conversations of `FakeConversations`; nothing waits in a queue."""

    def __init__(self, conversations: FakeConversations) -> None:
        self._conversations = conversations
        self.watches: list[Callable[[DeskEvent], None]] = []

    async def find(self, tenant: str, conversation_id: str) -> None:
        """Nothing."""

    async def sweep(self) -> int:
        return 0

    async def say_in(
        self, tenant: str, conversation_id: str, caller: Caller, text: str, *, idempotency_key: str | None = None
    ) -> Turn:
        found = self._conversations.find(tenant, conversation_id, caller)
        found.state = replace(found.state, mode="agent")
        turn = Turn(
            id="turn_a",
            conversation_id=conversation_id,
            number=len(found.turns) + 1,
            text="",
            reply=Reply(parts=(text,)),
            action="silent",
            mode="agent",
            speaker="agent",
            author=caller.name or None,
        )
        self._tell(tenant, turn)
        return turn

    async def release_in(self, tenant: str, conversation_id: str, caller: Caller) -> None:
        found = self._conversations.find(tenant, conversation_id, caller)
        found.state = replace(found.state, mode="bot")
        said = Reply(parts=("You are talking to the bot again.",))
        number = len(found.turns) + 1
        self._tell(
            tenant,
            Turn(id="turn_b", conversation_id=conversation_id, number=number, text="", reply=said, action="silent"),
        )

    def _tell(self, tenant: str, turn: Turn) -> None:
        now = datetime(2026, 1, 1, tzinfo=UTC)
        row = HandOffRow(
            tenant_id=tenant,
            id="handoff_1",
            conversation_id=turn.conversation_id,
            user_id="ana",
            queued_at=now,
            waiting_since=now,
        )
        for watch in self.watches:
            watch(DeskEvent(tenant=tenant, conversation_id=turn.conversation_id, hand_off=row, turn=turn))


@dataclass(frozen=True)
class FakeLoaded:
    id: str
    user_id: str
    state: ConversationState
    next_number: int
    history: tuple[Any, ...] = ()


class FakeFeedback:
    def __init__(self) -> None:
        self.given: list[dict[str, Any]] = []

    async def give(self, tenant: str, caller: Caller, **feedback: Any) -> FeedbackResult:
        if feedback["decision_id"] == "dec_missing":
            raise NotFoundError("there is no decision 'dec_missing'")
        self.given.append({"tenant": tenant, "user": caller.id, **feedback})
        return FeedbackResult(id="fb_1", examples=1, learned=True)


class FakeModels:
    def __init__(self, host: HostUnderTest) -> None:
        self._host = host

    async def request_for(self, tenant: str, caller: Caller, **_: Any) -> Any:
        return self._host.request(caller=caller)


class FakeDatabase:
    fails: Exception | None = None

    async def ping(self) -> None:
        if self.fails is not None:
            raise self.fails


class FakeEraser:
    def resume_beside(self) -> None:
        """Do nothing: nothing is left from before."""


class FakeApplication:
    def __init__(self, host: HostUnderTest, **server: Any) -> None:
        server = {"user_requests_per_minute": 0, **server}
        self.settings = DeploymentSettings(server=ServerSettings(**server))
        self.host = host
        self.database = FakeDatabase()
        self.tenants = FakeTenants()
        self.conversations = FakeConversations()
        self.hand_offs = FakeHandOffs(self.conversations)
        self.feedback = FakeFeedback()
        self.eraser = FakeEraser()
        self.models = FakeModels(host)


Serve = Callable[..., Awaitable["Served"]]


@dataclass
class Served:
    """An application under test, and a client of it."""

    application: FakeApplication
    app: FastAPI
    client: httpx.AsyncClient

    async def conversation(self, who: str = "ana") -> str:
        """Begin a conversation and return its id."""
        response = await self.client.post("/v1/conversations", headers=bearer(who))
        assert response.status_code == 201, response.text
        created: str = response.json()["id"]
        return created


@pytest.fixture
async def serve(rejoinder_host: Callable[..., HostUnderTest]) -> AsyncIterator[Serve]:
    """A factory of servers: `await serve(plugin, max_body_bytes=...)`."""
    clients: list[httpx.AsyncClient] = []
    lifespans: list[Any] = []

    async def make(*plugins: object, named: dict[str, object] | None = None, **server: Any) -> Served:
        application = FakeApplication(rejoinder_host(*plugins, **(named or {})), **server)
        app = create_app(application)  # type: ignore[arg-type]  # a fake
        lifespan = app.router.lifespan_context(app)
        await lifespan.__aenter__()
        lifespans.append(lifespan)
        client = httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://bot.test")
        clients.append(client)
        return Served(application, app, client)

    yield make
    for client in clients:
        await client.aclose()
    for lifespan in lifespans:
        await lifespan.__aexit__(None, None, None)


@pytest.fixture
async def served(serve: Serve) -> Served:
    """A server without plugins."""
    return await serve()


class Socket:
    """One side of a WebSocket, in the process: no network, no library."""

    def __init__(self, app: FastAPI, path: str, headers: dict[str, str], *, query: str = "") -> None:
        self._incoming: asyncio.Queue[dict[str, Any]] = asyncio.Queue()
        self._outgoing: asyncio.Queue[dict[str, Any]] = asyncio.Queue()
        self.reading = asyncio.Event()
        self.reading.set()
        scope = {
            "type": "websocket",
            "path": path,
            "raw_path": path.encode(),
            "query_string": query.encode(),
            "root_path": "",
            "scheme": "ws",
            "headers": [(name.encode(), value.encode()) for name, value in headers.items()],
            "client": ("127.0.0.1", 1),
            "server": ("bot.test", 80),
            "subprotocols": [],
            "state": {},
            "asgi": {"version": "3.0", "spec_version": "2.4"},
        }
        self._incoming.put_nowait({"type": "websocket.connect"})
        self._task = asyncio.create_task(app(scope, self._incoming.get, self._take))

    async def _take(self, message: Any) -> None:
        await self.reading.wait()
        self._outgoing.put_nowait(message)

    def send(self, frame: object) -> None:
        """Send a value as JSON; a str as it is, bytes as a binary frame."""
        kind = "bytes" if isinstance(frame, bytes) else "text"
        content = frame if isinstance(frame, bytes | str) else orjson.dumps(frame).decode()
        self._incoming.put_nowait({"type": "websocket.receive", kind: content})

    async def receive(self) -> dict[str, Any]:
        """Return the next frame."""
        message = await self._next()
        assert message["type"] == "websocket.send", message
        frame: dict[str, Any] = orjson.loads(message["text"])
        return frame

    async def closed(self) -> int:
        """Return the code with which the server closed, passing over frames."""
        while (message := await self._next())["type"] == "websocket.send":
            pass
        assert message["type"] == "websocket.close", message
        await asyncio.wait_for(self._task, 5)
        code: int = message["code"]
        return code

    async def leave(self) -> None:
        """Go away."""
        self._incoming.put_nowait({"type": "websocket.disconnect", "code": 1001})
        await asyncio.wait_for(self._task, 5)

    async def _next(self) -> dict[str, Any]:
        while (message := await asyncio.wait_for(self._outgoing.get(), 5))["type"] == "websocket.accept":
            pass
        return message
