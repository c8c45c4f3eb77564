"""The graph in a turn: asked by a plugin, gone for a while, back by itself; and not there for who has none."""

from __future__ import annotations

import asyncio
import os
import signal
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from rejoinder import hookimpl
from rejoinder.application import Application
from rejoinder.context import Context
from rejoinder.conversation import Turn
from rejoinder.graph.graph import Graph
from rejoinder.graph.graphs import Graphs
from rejoinder.graph.schema import GraphSchema
from rejoinder.graph.servers.embedded import EmbeddedServer
from rejoinder.graph.values import Entity
from rejoinder.payloads import Action, Answer, ConversationState, Domain, Message, Query, Reply
from rejoinder.store.turns import get_turn

from tests.support.application import ANA, opened

SCHEMA = {"kinds": {"film": {}}, "relations": {}}
WAIT_S = 60.0


class Films:
    """Says what the graph knows under the name that the message is."""

    @hookimpl()
    def register_domain(self) -> list[Domain]:
        return [Domain(name="films", graph_schema=SCHEMA)]

    @hookimpl()
    async def decide_action(self, message: Message, state: ConversationState) -> Action:
        return Action(kind="answer", state=state, query=Query(text=message.text))

    @hookimpl(deadline_s=60.0)
    async def retrieve_answers(self, query: Query, context: Context) -> list[Answer]:
        if context.graph is None:
            return [Answer(id="none", score=0.1, source="films", text="There is no graph.")]
        found = await context.graph.ask(Graph.named, query.text or "")
        return [Answer(id=one.id, score=1.0, source="films", text=one.description) for one in found]

    @hookimpl()
    async def compose_reply(self, answers: Any) -> Reply:
        return Reply(parts=tuple(one.text for one in answers[:1]) or ("I don't know.",))


def write(application: Application, tenant: str, description: str) -> None:
    """Let a tenant's graph know one film, as a command in another process does."""
    graphs = Graphs.from_settings(application.settings)
    try:
        graph = Graph(graphs.space(tenant), GraphSchema.parse(SCHEMA))
        film = Entity(id="film:1", kind="film", name="Alien", description=description)
        graph.upsert([film], source="test")
    finally:
        graphs.close()


async def say(application: Application, tenant: str = "acme") -> Turn:
    conversations = application.conversations
    return await conversations.turn(tenant, await conversations.create(tenant, ANA), ANA, "Alien")


def text_of(turn: Turn) -> str:
    assert turn.reply is not None
    return turn.reply.parts[0]


@pytest.fixture
async def application(tmp_path: Path) -> AsyncIterator[Application]:
    async with opened(
        tmp_path, {"films": Films()}, tenants=("acme", "other"), hooks={"deadline_s": {"retrieve_answers": 60.0}}
    ) as made:
        yield made
    EmbeddedServer.stop(tmp_path / "graph")


async def test_without_a_graph_no_server_is_started(application: Application, tmp_path: Path) -> None:
    assert text_of(await say(application)) == "There is no graph."
    assert not (tmp_path / "graph").exists()


async def test_a_graph_that_is_loaded_meanwhile_serves_its_tenant_alone(application: Application) -> None:
    assert text_of(await say(application)) == "There is no graph."
    await asyncio.to_thread(write, application, "acme", "A ship.")
    started = time.monotonic()
    while text_of(await say(application)) != "A ship.":
        assert time.monotonic() - started < WAIT_S
        await asyncio.sleep(0.2)
    assert text_of(await say(application, "other")) == "There is no graph."


async def test_a_turn_goes_on_without_a_server_that_was_killed_and_finds_it_again(
    application: Application, tmp_path: Path
) -> None:
    await asyncio.to_thread(write, application, "acme", "A ship.")
    assert text_of(await say(application)) == "A ship."
    address = EmbeddedServer.status(tmp_path / "graph").address
    assert address is not None
    os.kill(address.pid, signal.SIGKILL)

    started = time.monotonic()
    turn = await say(application)
    assert time.monotonic() - started < 5.0
    assert text_of(turn) == "I don't know."
    trace = (await get_turn(application.database, "acme", turn.id)).trace
    (failed,) = [call for call in trace if call["outcome"] == "error"]
    assert (failed["plugin"], failed["hook"]) == ("films", "retrieve_answers")
    assert "graph" in failed["detail"]
    while text_of(await say(application)) != "A ship.":
        assert time.monotonic() - started < WAIT_S
        await asyncio.sleep(0.2)
