"""A tenant whose plugins bring no model is served where there is no encoder."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from unittest.mock import patch

import pytest
from rejoinder.application import Application
from rejoinder.errors import ModelError
from rejoinder.hooks import hookimpl
from rejoinder.payloads import Decision, Example, Feedback, Reward, Task
from rejoinder.testing import EchoPlugin

from tests.support.application import ANA, opened
from tests.support.learners import NearestLearner


class Reads:
    """Brings a task."""

    @hookimpl()
    def register_tasks(self) -> list[Task]:
        return [Task(name="intent", learner=NearestLearner)]


class Learns:
    """Makes an example of a task that nobody brings, as corrected answers do."""

    @hookimpl()
    def score_feedback(self, feedback: Feedback, decision: Decision) -> list[Reward]:
        return [Reward(task="answer", value=1.0, reason="told")]

    @hookimpl()
    def make_examples(self, feedback: Feedback, decision: Decision) -> list[Example]:
        return [Example(id="ex_1", task="answer", text="hello", label="Good day.")]


@pytest.fixture
async def application(tmp_path: Path) -> AsyncIterator[Application]:
    """Two tenants of a deployment without an encoder; only "needy" has the plugin with a task."""
    plugins = {"echo": EchoPlugin(), "reads": Reads(), "learns": Learns()}
    async with opened(tmp_path, plugins, tenants=("plain", "needy")) as application:
        await application.tenants.disable_plugin("plain", "reads")
        with patch.object(application.encoder, "ready", side_effect=ModelError("pip install 'rejoinder[models]'")):
            yield application


async def test_it_is_served(application: Application) -> None:
    conversation = await application.conversations.create("plain", ANA)
    turn = await application.conversations.turn("plain", conversation, ANA, "hello")
    assert turn.reply.parts == ("hello",)


async def test_one_with_a_model_is_told_what_is_missing(application: Application) -> None:
    with pytest.raises(ModelError, match="pip install"):
        await application.conversations.create("needy", ANA)


async def test_what_it_is_taught_is_noted_and_it_serves_on(
    application: Application, caplog: pytest.LogCaptureFixture
) -> None:
    conversation = await application.conversations.create("plain", ANA)
    turn = await application.conversations.turn("plain", conversation, ANA, "hello")
    given = await application.feedback.give(
        "plain", ANA, decision_id=turn.decision_id or "", kind="corrected_answer", value="Good day."
    )
    assert (given.examples, given.learned) == (1, False)
    assert "not used: pip install" in caplog.text
    assert (await application.conversations.turn("plain", conversation, ANA, "more")).reply.parts == ("more",)
