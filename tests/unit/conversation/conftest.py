"""Bots: the real application with plugins written inline, in a folder of the test's own."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from rejoinder.application import Application
from rejoinder.conversation import Turn
from rejoinder.payloads import Caller, ConversationState, Decision
from rejoinder.store import tables
from rejoinder.store.database import Database
from rejoinder.store.decisions import get_decision
from rejoinder.store.turns import list_turns, load_conversation
from rejoinder.testing import EchoPlugin, FixedClock

from tests.services.postgres import postgres_url
from tests.support.application import ANA, copied, opened

__all__ = ["postgres_url"]


@dataclass
class Bot:
    """An application, and one conversation of ana's."""

    application: Application
    folder: Path
    id: str = ""

    async def say(self, text: str, *, key: str | None = None, caller: Caller = ANA) -> Turn:
        """Say something in the conversation."""
        return await self.application.conversations.turn("acme", self.id, caller, text, idempotency_key=key)

    async def stream(self, text: str) -> tuple[list[str], Turn]:
        """Say something, and return the parts as they came and the turn."""
        items = [item async for item in self.application.conversations.stream("acme", self.id, ANA, text)]
        turn = items.pop()
        assert isinstance(turn, Turn)
        return [item for item in items if isinstance(item, str)], turn

    async def state(self) -> ConversationState:
        """The state as it is stored."""
        return (await load_conversation(self.application.database, "acme", self.id)).state

    async def turns(self) -> list[tables.Turn]:
        """The turns as they are stored."""
        return await list_turns(self.application.database, "acme", self.id)

    async def trace(self) -> list[dict[str, Any]]:
        """The stored trace of the last turn."""
        trace: list[dict[str, Any]] = (await self.turns())[-1].trace
        return trace

    async def decision(self, turn: Turn) -> Decision:
        """The stored decision of a turn."""
        assert turn.decision_id is not None
        return await get_decision(self.application.database, "acme", turn.decision_id)


MakeBot = Callable[..., Any]


@pytest.fixture(scope="session")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A migrated store without a tenant, to be copied."""
    path = tmp_path_factory.mktemp("template") / "template.db"

    async def make() -> None:
        database = await Database.open(f"sqlite:///{path}", synchronous="NORMAL")
        await database.migrate()
        await database.close()

    asyncio.run(make())
    return path


@pytest.fixture
def clock() -> FixedClock:
    return FixedClock()


@pytest.fixture
async def bot_of(tmp_path: Path, template: Path, clock: FixedClock) -> AsyncIterator[MakeBot]:
    """A factory of bots: `await bot_of(faulty=Faulty())`; the echo plugin stands behind those that are named.

    A second bot over the same folder is the next process: `await bot_of(again=first)` goes on with the first one's conversation,
    after the first was closed.
    """
    stack = AsyncExitStack()
    running: dict[Path, AsyncExitStack] = {}

    async def make(
        *, again: Bot | None = None, echo: bool = True, options: Mapping[str, Any] | None = None, **plugins: Any
    ) -> Bot:
        folder = copied(template, tmp_path / "data") if again is None else again.folder
        if again is not None:
            await running.pop(folder).aclose()
        named = {**({"echo": EchoPlugin()} if echo else {}), **plugins}
        own = AsyncExitStack()
        running[folder] = own
        stack.push_async_callback(own.aclose)
        values: dict[str, Any] = {"clock": clock, "tenants": ("acme", "other"), **(options or {})}
        application = await own.enter_async_context(opened(folder, named, **values))
        conversation = await application.conversations.create("acme", ANA) if again is None else again.id
        return Bot(application, folder, conversation)

    yield make
    await stack.aclose()


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.service)])
def store(request: pytest.FixtureRequest) -> Iterator[dict[str, Any]]:
    """Options of a bot that say where its store is: both kinds, one after the other; PostgreSQL's is emptied afterwards."""
    if request.param == "sqlite":
        yield {}
        return
    url = request.getfixturevalue("postgres_url")
    yield {"store_url": url}

    async def empty() -> None:
        database = await Database.open(url)
        await database.downgrade("base")
        await database.close()

    asyncio.run(empty())


@pytest.fixture
async def bot(bot_of: MakeBot) -> Bot:
    """A bot that echoes."""
    made: Bot = await bot_of()
    return made
