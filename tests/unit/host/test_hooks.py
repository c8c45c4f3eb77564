"""Every hook, called by its typed method through a plugin written inline."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from rejoinder import hookimpl
from rejoinder.context import Deployment
from rejoinder.hooks import SPECS
from rejoinder.payloads import (
    Action,
    Adaptation,
    AdaptationRequest,
    Alert,
    Answer,
    Channel,
    Command,
    ConversationState,
    Decision,
    Delivery,
    DeliveryReceipt,
    Detection,
    DetectorState,
    Domain,
    Effect,
    EffectResult,
    Evaluation,
    EvaluationRequest,
    Event,
    Example,
    Feedback,
    Message,
    Observation,
    Page,
    Poll,
    Query,
    Reading,
    Reply,
    Reward,
    Routes,
    Schedule,
    Source,
    Table,
    Task,
    Understanding,
)

AT = datetime(2026, 1, 1, tzinfo=UTC)
MESSAGE = Message(id="m", text="hello", raw_text="hello", at=AT)
STATE = ConversationState()
DECISION = Decision(id="d", kind="turn", task="intent", at=AT, input="hello", label="greet")
FEEDBACK = Feedback(id="f", decision_id="d", kind="thumbs", value=1, user_id="u", at=AT)
DEPLOYMENT = Deployment(domains=(), data_dir=".")

REGISTERED = {
    "register_domain": Domain(name="shop"),
    "register_tasks": Task(name="urgency", learner=dict),
    "register_tables": Table(model=dict, user_key=None, migrations="m"),
    "register_schedules": Schedule(name="poll", every_s=60.0, run=print),
    "register_channel": Channel(name="mail", router=object()),
    "register_routes": Routes(router=object()),
    "register_commands": Command(name="shop", app=object()),
    "register_pages": Page(path="shop", title="Shop", html=str),
}


def test_every_hook_has_a_test() -> None:
    names = {name.removeprefix("test_hook_") for name in globals() if name.startswith("test_hook_")}

    assert names == set(SPECS)


def _test_registering(hook: str) -> Any:
    def test(host_of: Any) -> None:
        def give(self: object) -> list[Any]:
            return [REGISTERED[hook]]

        give.__name__ = hook
        plugin = type("Plugin", (), {hook: hookimpl()(give)})()

        host = host_of(mine=plugin)

        assert host.registered(hook) == [("mine", REGISTERED[hook])]

    return test


test_hook_register_tables = _test_registering("register_tables")
test_hook_register_schedules = _test_registering("register_schedules")
test_hook_register_channel = _test_registering("register_channel")
test_hook_register_routes = _test_registering("register_routes")
test_hook_register_commands = _test_registering("register_commands")
test_hook_register_pages = _test_registering("register_pages")


def test_hook_register_domain(host_of: Any) -> None:
    class Plugin:
        @hookimpl()
        def register_domain(self) -> list[Domain]:
            return [Domain(name="shop", settings=dict)]

    host = host_of(mine=Plugin())

    assert [domain.name for domain in host.domains] == ["shop"]
    assert host.settings_models == {"mine": dict}


def test_hook_register_tasks(host_of: Any) -> None:
    class Plugin:
        @hookimpl()
        def register_tasks(self) -> list[Task]:
            return [Task(name="urgency", learner=dict, labels=("high", "low"))]

    assert host_of(mine=Plugin()).tasks["urgency"].labels == ("high", "low")


async def test_hook_start(host_of: Any) -> None:
    class Plugin:
        started: Deployment | None = None

        @hookimpl()
        async def start(self, deployment: Deployment) -> None:
            self.started = deployment

    plugin = Plugin()
    await host_of(mine=plugin).start(DEPLOYMENT)

    assert plugin.started is DEPLOYMENT


async def test_hook_stop(host_of: Any) -> None:
    stopped = []

    class Plugin:
        def __init__(self, name: str) -> None:
            self.name = name

        @hookimpl()
        def stop(self, deployment: Deployment) -> None:
            stopped.append(self.name)

    await host_of(a=Plugin("a"), b=Plugin("b"), c=Plugin("c")).stop(DEPLOYMENT)

    assert stopped == ["c", "b", "a"]


@pytest.mark.parametrize("only", [None, frozenset({"b"})], ids=["all", "one"])
async def test_tenant_hooks_reach_the_named_plugins(host_of: Any, request_of: Any, only: frozenset[str] | None) -> None:
    told = []

    class Plugin:
        @hookimpl()
        def tenant_enabled(self, context: Any) -> None:
            told.append(context.plugin)

    host = host_of(a=Plugin(), b=Plugin())
    await host.tenant_enabled(request_of(host), only)

    assert told == (["a", "b"] if only is None else ["b"])


async def test_hook_tenant_enabled(host_of: Any, request_of: Any) -> None:
    class Plugin:
        tenants: tuple[str, ...] = ()

        @hookimpl()
        async def tenant_enabled(self, context: Any) -> None:
            self.tenants += (context.tenant,)

    plugin = Plugin()
    host = host_of(mine=plugin)
    await host.tenant_enabled(request_of(host, tenant="acme"))

    assert plugin.tenants == ("acme",)


async def test_hook_tenant_disabled(host_of: Any, request_of: Any) -> None:
    class Plugin:
        tenants: tuple[str, ...] = ()

        @hookimpl()
        def tenant_disabled(self, context: Any) -> None:
            self.tenants += (context.tenant,)

    plugin = Plugin()
    host = host_of(mine=plugin)
    await host.tenant_disabled(request_of(host, tenant="acme"))

    assert plugin.tenants == ("acme",)


async def test_hook_seed_examples(host_of: Any, request_of: Any) -> None:
    example = Example(id="e", task="intent", text="hi", label="greet")

    class Plugin:
        @hookimpl()
        def seed_examples(self) -> list[Example]:
            return [example]

    host = host_of(a=Plugin(), b=Plugin())

    assert await host.seed_examples(request_of(host)) == [example, example]


async def test_hook_regression_examples(host_of: Any, request_of: Any) -> None:
    example = Example(id="e", task="intent", text="hi", label="greet")

    class Plugin:
        @hookimpl()
        def regression_examples(self) -> list[Example]:
            return [example]

    host = host_of(a=Plugin(), b=Plugin())

    assert await host.regression_examples(request_of(host)) == [example, example]


async def test_hook_understand_intent(host_of: Any, request_of: Any) -> None:
    class Plugin:
        def __init__(self, intent: str, confidence: float) -> None:
            self.reading = Reading(intent=intent, confidence=confidence)

        @hookimpl()
        async def understand_intent(self, message: Message, state: ConversationState, context: Any) -> Understanding:
            assert message == MESSAGE
            return Understanding(readings=(self.reading,))

    host = host_of(a=Plugin("greet", 0.4), b=Plugin("bye", 0.9), c=Plugin("greet", 0.6))
    found = await host.understand_intent(MESSAGE, STATE, request_of(host))

    assert [(one.intent, one.confidence) for one in found.readings] == [("bye", 0.9), ("greet", 0.6)]


async def test_hook_decide_action(host_of: Any, request_of: Any) -> None:
    class Silent:
        @hookimpl()
        def decide_action(self) -> None:
            return None

    class Asks:
        @hookimpl()
        async def decide_action(self, message: Message, state: ConversationState) -> Action:
            return Action(kind="ask", state=state, text=f"{message.text}?")

    class NeverCalled:
        @hookimpl()
        def decide_action(self) -> None:
            raise AssertionError

    host = host_of(a=Silent(), b=Asks(), c=NeverCalled())
    request = request_of(host)
    action = await host.decide_action(MESSAGE, Understanding(), STATE, request)

    assert action is not None
    assert action.text == "hello?"
    assert [call.plugin for call in request.trace.calls] == ["a", "b"]


async def test_hook_run_effect(host_of: Any, request_of: Any) -> None:
    class Plugin:
        @hookimpl()
        async def run_effect(self, effect: Effect, context: Any) -> EffectResult:
            return EffectResult(name=effect.name, ok=True, value=context.plugin)

    host = host_of(a=Plugin(), b=Plugin())
    result = await host.run_effect(Effect(name="ticket", plugin="b"), request_of(host))

    assert result == EffectResult(name="ticket", ok=True, value="b")


async def test_hook_retrieve_answers(host_of: Any, request_of: Any) -> None:
    class Plugin:
        def __init__(self, *scores: float) -> None:
            self.scores = scores

        @hookimpl()
        async def retrieve_answers(self, query: Query, context: Any) -> list[Answer]:
            return [Answer(id=context.plugin, score=score, source=query.text or "") for score in self.scores]

    host = host_of(b=Plugin(0.5, 0.1), a=Plugin(0.5, 0.2))
    answers = await host.retrieve_answers(Query(text="q"), request_of(host))

    assert [(one.id, one.score) for one in answers] == [("a", 0.5), ("b", 0.5), ("a", 0.2), ("b", 0.1)]


async def test_hook_rank_answers(host_of: Any, request_of: Any) -> None:
    class Drops:
        @hookimpl()
        def rank_answers(self, answers: tuple[Answer, ...]) -> list[Answer]:
            return list(answers[1:])

    class Reverses:
        @hookimpl()
        async def rank_answers(self, answers: tuple[Answer, ...]) -> tuple[Answer, ...]:
            return answers[::-1]

    answers = tuple(Answer(id=name, score=0.5, source="s") for name in "xyz")
    host = host_of(a=Drops(), b=Reverses())

    ranked = await host.rank_answers(Query(), answers, request_of(host))

    assert [one.id for one in ranked] == ["z", "y"]


async def test_hook_compose_reply(host_of: Any, request_of: Any) -> None:
    class Plugin:
        @hookimpl()
        def compose_reply(self, action: Action, answers: tuple[Answer, ...]) -> Reply:
            return Reply(parts=(action.reason, str(len(answers))))

    host = host_of(mine=Plugin())
    reply = await host.compose_reply(Action(kind="silent", state=STATE, reason="r"), (), STATE, request_of(host))

    assert reply == Reply(parts=("r", "0"))


async def test_hook_score_feedback(host_of: Any, request_of: Any) -> None:
    class Plugin:
        @hookimpl()
        def score_feedback(self, feedback: Feedback, decision: Decision) -> list[Reward]:
            return [Reward(task=decision.task, value=float(feedback.value), reason="thumb")]

    host = host_of(a=Plugin(), b=Plugin())

    assert [one.value for one in await host.score_feedback(FEEDBACK, DECISION, request_of(host))] == [1.0, 1.0]


async def test_hook_make_examples(host_of: Any, request_of: Any) -> None:
    class Plugin:
        @hookimpl()
        async def make_examples(self, reward: Reward, decision: Decision) -> list[Example]:
            return [Example(id="e", task=reward.task, text=decision.input, label=decision.label)]

    host = host_of(mine=Plugin())
    reward = Reward(task="intent", value=1.0, reason="thumb")

    examples = await host.make_examples(reward, FEEDBACK, DECISION, request_of(host))

    assert examples == [Example(id="e", task="intent", text="hello", label="greet")]


async def test_hook_choose_queue(host_of: Any, request_of: Any) -> None:
    class Plugin:
        @hookimpl()
        def choose_queue(self, task: str) -> str | None:
            return "gpu" if task == "intent" else None

    host = host_of(mine=Plugin())

    assert await host.choose_queue("intent", request_of(host)) == "gpu"
    assert await host.choose_queue("topic", request_of(host)) is None


async def test_hook_adapt_model(host_of: Any, request_of: Any) -> None:
    class Plugin:
        @hookimpl()
        def adapt_model(self, request: AdaptationRequest) -> Adaptation:
            return Adaptation(folder=request.folder, metrics={"accuracy": 0.5})

    host = host_of(mine=Plugin())
    wanted = AdaptationRequest(run_id="r", task="intent", examples=(), folder="f")

    assert await host.adapt_model(wanted, request_of(host)) == Adaptation(folder="f", metrics={"accuracy": 0.5})


async def test_hook_evaluate_model(host_of: Any, request_of: Any) -> None:
    class Plugin:
        @hookimpl()
        def evaluate_model(self, request: EvaluationRequest) -> Evaluation:
            return Evaluation(metrics={"accuracy": float(len(request.examples))})

    host = host_of(mine=Plugin())
    wanted = EvaluationRequest(task="intent", folder="f", examples=())

    assert await host.evaluate_model(wanted, request_of(host)) == Evaluation(metrics={"accuracy": 0.0})


async def test_hook_poll_source(host_of: Any, request_of: Any) -> None:
    class Plugin:
        @hookimpl()
        async def poll_source(self, source: Source, cursor: str | None) -> Poll | None:
            return Poll(rows=(), cursor=f"{cursor}+") if source.kind == "feed" else None

    host = host_of(mine=Plugin())
    source = Source(name="s", kind="feed", location="l")

    assert await host.poll_source(source, "1", request_of(host)) == [("mine", Poll(rows=(), cursor="1+"))]


async def test_hook_read_events(host_of: Any, request_of: Any) -> None:
    class Plugin:
        @hookimpl()
        def read_events(self, events: tuple[Event, ...]) -> list[Observation]:
            return [Observation(event_id=event.id, type="topic", at=event.at) for event in events]

    host = host_of(a=Plugin(), b=Plugin())
    found = await host.read_events([Event(id="e", kind="click", at=AT)], request_of(host))

    assert [one.event_id for one in found] == ["e", "e"]


async def test_hook_detect_change(host_of: Any, request_of: Any) -> None:
    class Plugin:
        @hookimpl()
        def detect_change(self, observations: tuple[Observation, ...], state: DetectorState) -> Detection:
            return Detection(state=DetectorState(key=state.key, data={"n": len(observations)}))

    host = host_of(mine=Plugin())
    found = await host.detect_change([], DetectorState(key="series"), request_of(host))

    assert found == Detection(state=DetectorState(key="series", data={"n": 0}))


async def test_hook_deliver_alert(host_of: Any, request_of: Any) -> None:
    class Plugin:
        def __init__(self, receiver: str) -> None:
            self.receiver = receiver

        @hookimpl()
        async def deliver_alert(self, delivery: Delivery) -> DeliveryReceipt | None:
            return DeliveryReceipt(delivered=True) if delivery.receiver == self.receiver else None

    host = host_of(mail=Plugin("mail"), chat=Plugin("chat"))
    delivery = Delivery(id="d", alert=Alert(incident="i", title="t", severity="info", at=AT), receiver="chat")

    assert await host.deliver_alert(delivery, request_of(host)) == [("chat", DeliveryReceipt(delivered=True))]


async def test_hook_redact_text(host_of: Any, request_of: Any) -> None:
    class Digits:
        @hookimpl()
        def redact_text(self, text: str, purpose: str) -> str:
            return text.replace("17", f"[{purpose}]")

    class Names:
        @hookimpl()
        async def redact_text(self, text: str) -> str:
            return text.replace("Ada", "[NAME]")

    host = host_of(a=Digits(), b=Names())

    assert await host.redact_text("Ada, 17", "log", request_of(host)) == "[NAME], [log]"


async def test_no_plugin_means_the_neutral_result(host_of: Any, request_of: Any) -> None:
    host = host_of()
    request = request_of(host)

    assert await host.understand_intent(MESSAGE, STATE, request) == Understanding()
    assert await host.decide_action(MESSAGE, Understanding(), STATE, request) is None
    assert await host.retrieve_answers(Query(), request) == ()
    assert await host.redact_text("as it was", "store", request) == "as it was"
    assert await host.compose_reply(Action(kind="silent", state=STATE), (), STATE, request) is None
