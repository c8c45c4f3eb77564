"""A real host with one or a few plugins, and models that say what a test lays down."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from rejoinder.context import Request
from rejoinder.host import Host, Plugins
from rejoinder.payloads import (
    Action,
    Answer,
    Caller,
    ConversationState,
    Decision,
    Feedback,
    Message,
    Query,
    Question,
    Reply,
    Understanding,
    Utterance,
)
from rejoinder.trace import Trace

NOW = datetime(2026, 1, 1, 12, tzinfo=UTC)


class FakeModels:
    """Predictions and corrections by text; vectors that only depend on the text's length."""

    def __init__(self, predictions: Mapping[str, Any] | None = None, taught: Mapping[str, Any] | None = None) -> None:
        self.predictions = dict(predictions or {})
        self.taught = dict(taught or {})
        self.versions: dict[str, str] = {}
        self.busy = None

    def prefetch(self, text: str) -> None:
        """Do nothing: encoding costs nothing here."""

    async def encode(self, text: str) -> Any:
        return np.eye(8, dtype=np.float32)[len(text) % 8]

    async def predict(self, task: str, text: str) -> Any:
        self.versions[task] = "v1"
        return self.predictions.get(text)

    async def recall(self, task: str, text: str) -> Any:
        return self.taught.get(text) if task == "answer" else None


class Bench:
    """Plugins in a real host, called as a tenant; any failure of a plugin fails the test."""

    def __init__(self, models: FakeModels, settings: Mapping[str, Any], plugins: Mapping[str, object]) -> None:
        registry = Plugins()
        for name, plugin in plugins.items():
            registry.register(plugin, name)
        self.host = Host(registry)
        self.models = models
        self.settings = {name: model() for name, model in self.host.settings_models.items()} | dict(settings)
        self.history: tuple[Utterance, ...] = ()

    def request(self, *, role: Any = "customer", tenant: str = "acme") -> Request:
        return Request(
            tenant=tenant,
            caller=Caller(id="user-1", role=role),
            models=self.models,
            plugins=self.host.plugin_names,
            settings=self.settings,
            session_id="conv-1",
            history=self.history,
            clock=lambda: NOW,
            trace=Trace(),
        )

    async def call(self, hook: str, *arguments: Any, tenant: str = "acme") -> Any:
        request = self.request(tenant=tenant)
        result = await getattr(self.host, hook)(*arguments, request)
        assert request.trace.failures == []
        return result


@pytest.fixture
def bench() -> Iterator[Callable[..., Bench]]:
    """A factory: plugins by name, `models`, and `settings` by plugin name."""
    made: list[Bench] = []

    def make(
        *, models: FakeModels | None = None, settings: Mapping[str, Any] | None = None, **plugins: object
    ) -> Bench:
        made.append(Bench(models or FakeModels(), settings or {}, plugins))
        return made[-1]

    yield make
    for one in made:
        one.host.close()


@pytest.fixture
def models() -> type[FakeModels]:
    return FakeModels


class Talk:
    """A conversation with the dialogue plugin: what `conversation.py` does between the hooks, without a store."""

    def __init__(self, bench: Bench) -> None:
        self.bench = bench
        self.state = ConversationState()
        self.understandings: dict[str, Understanding] = {}
        self.answers: dict[str, tuple[Answer, ...]] = {}
        self.action = Action(kind="silent", state=self.state)
        self.effects: list[Any] = []

    async def say(self, text: str) -> Reply:
        from dataclasses import replace

        call = self.bench.call
        message = Message(id="m", text=text, raw_text=text, at=NOW)
        read = await call("understand_intent", message, self.state)
        laid_down = self.understandings.get(text, Understanding())
        understanding = replace(laid_down, readings=(*laid_down.readings, *read.readings))
        self.action = await call("decide_action", message, understanding, self.state)
        self.state = replace(self.action.state, effects=tuple(self.effects))
        answers: tuple[Answer, ...] = ()
        if self.action.kind == "answer":
            assert isinstance(self.action.query, Query)
            found = self.answers.get(self.action.query.text or "", ())
            answers = await call("rank_answers", self.action.query, found)
            if answers:
                self.state = replace(self.state, misses=0)
            else:
                question = self.state.question or Question(kind="hand_off", about=self.action.query.text)
                self.state = replace(self.state, misses=self.state.misses + 1, question=question)
        reply: Reply = await call("compose_reply", self.action, answers, self.state)
        said = Utterance(speaker="bot", text="\n".join(reply.parts), at=NOW)
        self.bench.history = (*self.bench.history, Utterance(speaker="user", text=text, at=NOW), said)
        return reply


@pytest.fixture
def talk(bench: Callable[..., Bench]) -> Callable[..., Talk]:
    """A factory of conversations with the dialogue plugin and others; keyword arguments are the dialogue's settings."""
    from rejoinder_plugins.dialogue import DialoguePlugin, DialogueSettings

    def make(
        *,
        models: FakeModels | None = None,
        others: Mapping[str, object] | None = None,
        others_settings: Mapping[str, Any] | None = None,
        **settings: Any,
    ) -> Talk:
        chosen = {"dialogue": DialogueSettings(**settings), **(others_settings or {})}
        return Talk(bench(models=models, settings=chosen, dialogue=DialoguePlugin(), **(others or {})))

    return make


def a_decision(**changes: Any) -> Decision:
    values: dict[str, Any] = {
        "id": "dec-1",
        "kind": "turn",
        "task": "intent",
        "at": NOW,
        "input": "where is my card",
        "label": "card_arrival",
        "answer": "It is on its way.",
    }
    return Decision(**(values | changes))


def some_feedback(kind: Any, value: Any, **changes: Any) -> Feedback:
    values: dict[str, Any] = {
        "id": "fb-1",
        "decision_id": "dec-1",
        "kind": kind,
        "value": value,
        "user_id": "user-1",
        "at": NOW,
    }
    return Feedback(**(values | changes))


@pytest.fixture
def given() -> SimpleNamespace:
    """Makers of a decision and of feedback on it."""
    return SimpleNamespace(decision=a_decision, feedback=some_feedback)
