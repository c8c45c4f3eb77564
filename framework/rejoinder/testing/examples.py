"""Example arguments for every hook: ordinary ones, and those that plugins forget (empty, long, not English, no history)."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from rejoinder.context import Deployment
from rejoinder.payloads import (
    Action,
    AdaptationRequest,
    Alert,
    Answer,
    ConversationState,
    Decision,
    Delivery,
    DetectorState,
    Effect,
    EvaluationRequest,
    Event,
    Example,
    Feedback,
    FlowFrame,
    Message,
    Observation,
    Query,
    Question,
    Reading,
    Reward,
    Slot,
    Source,
    Understanding,
    Utterance,
)

AT = datetime(2026, 1, 1, 12, tzinfo=UTC)

TEXTS: Mapping[str, str] = {
    "ordinary": "Where is my order A-17? It should have arrived on Monday.",
    "empty": "",
    "white space": " \t\n ",
    "one character": "?",
    "not English": "Wo ist meine Bestellung? 我的订单在哪里？ أين طلبي؟",
    "emoji and marks": "👩‍👩‍👧 cafe\u0301 \u202eabc\u202c ZALGO\u0335\u0321",
    "personal data": "I am Ada, ada@example.com, +44 20 7946 0958, card 4111 1111 1111 1111.",
    "markup": "<script>alert(1)</script> {{ name }} %s {0} ' OR 1=1 --",
    "long": "my card was declined again and nobody can tell me why. " * 145,
    "one long word": "a" * 8000,
}
"""Texts by what is special about them; the long ones are as long as a message may be by default."""

HISTORY = (
    Utterance(speaker="user", text="hello", at=AT),
    Utterance(speaker="bot", text="Hello! How can I help?", at=AT),
)


@dataclass(frozen=True, slots=True)
class ExampleCall:
    """One way to call a hook: `arguments` by name, without the context, and the conversation's history."""

    label: str
    arguments: Mapping[str, Any]
    history: tuple[Utterance, ...] = field(default=())


def example_arguments(hook: str, *, plugin: str = "example", folder: str = ".") -> list[ExampleCall]:
    """Return the example calls of a hook; their values are made anew each time.

    Args:
        plugin: the plugin's own name, for effects.
        folder: where models and files may be written.
    Raises:
        KeyError: there is no such hook.

    Example:
        >>> [call.label for call in example_arguments("poll_source")]
        ['first time', 'with a cursor']
    """
    return _MAKERS[hook](plugin, folder)


def _stopped() -> datetime:
    return AT


def _message(text: str) -> Message:
    return Message(id="message", text=text, raw_text=text, at=AT)


def _state() -> ConversationState:
    return ConversationState(
        version=3,
        flows=(FlowFrame(flow="return", step="ask_order"),),
        slots={"order": Slot(name="order", value="A-17")},
        question=Question(kind="slot", slot="order", about="I want to send it back"),
        misses=1,
    )


def _answers() -> tuple[Answer, ...]:
    return tuple(Answer(id=f"a{n}", score=0.9 - n / 10, source="example", text=f"answer {n}") for n in range(5))


def _feedback(**fields: Any) -> Feedback:
    return Feedback(**{"id": "f", "decision_id": "d", "user_id": "user", "at": AT, **fields})


def _decision() -> Decision:
    return Decision(
        id="d",
        kind="turn",
        task="intent",
        at=AT,
        input=TEXTS["ordinary"],
        user_id="user",
        label="track",
        confidence=0.7,
    )


def _examples() -> tuple[Example, ...]:
    rows = [
        ("where is my order", "track"),
        ("track my parcel", "track"),
        ("money back", "refund"),
        ("refund", "refund"),
    ]
    return tuple(Example(id=f"e{n}", task="intent", text=text, label=label) for n, (text, label) in enumerate(rows))


def _observations(count: int) -> tuple[Observation, ...]:
    return tuple(
        Observation(event_id=f"o{n}", type="count", at=AT.replace(minute=n % 60), key="series", value=float(n))
        for n in range(count)
    )


def _no_arguments(_plugin: str, _folder: str) -> list[ExampleCall]:
    return [ExampleCall("no arguments", {})]


def _deployment(_plugin: str, folder: str) -> list[ExampleCall]:
    return [ExampleCall("no domains", {"deployment": Deployment(domains=(), data_dir=folder, clock=_stopped)})]


def _understand_intent(_plugin: str, _folder: str) -> list[ExampleCall]:
    calls = [
        ExampleCall(label, {"message": _message(text), "state": ConversationState()}) for label, text in TEXTS.items()
    ]
    ordinary = {"message": _message(TEXTS["ordinary"]), "state": _state()}
    return [*calls, ExampleCall("within a flow, with history", ordinary, HISTORY)]


def _decide_action(_plugin: str, _folder: str) -> list[ExampleCall]:
    sure = Understanding(readings=(Reading(intent="track", confidence=0.9),), in_scope=0.9)
    torn = Understanding(
        readings=(Reading(intent="track", confidence=0.41), Reading(intent="refund", confidence=0.4)), in_scope=0.8
    )
    cases = [
        ("nothing understood", TEXTS["empty"], Understanding(), ConversationState()),
        ("one sure reading", TEXTS["ordinary"], sure, ConversationState()),
        ("two near readings", TEXTS["ordinary"], torn, ConversationState()),
        ("out of scope", TEXTS["not English"], Understanding(in_scope=0.01), ConversationState()),
        ("within a flow", TEXTS["one character"], sure, _state()),
        ("a long text", TEXTS["long"], sure, ConversationState()),
    ]
    return [
        ExampleCall(label, {"message": _message(text), "understanding": understanding, "state": state})
        for label, text, understanding, state in cases
    ]


def _run_effect(plugin: str, _folder: str) -> list[ExampleCall]:
    return [
        ExampleCall("no arguments", {"effect": Effect(name="example", plugin=plugin, key="k1")}),
        ExampleCall(
            "arguments", {"effect": Effect(name="other", plugin=plugin, key="k2", arguments={"order": "A-17"})}
        ),
    ]


def _retrieve_answers(_plugin: str, _folder: str) -> list[ExampleCall]:
    calls = [ExampleCall(label, {"query": Query(text=text)}) for label, text in TEXTS.items()]
    reading = Reading(intent="track", confidence=0.9)
    return [
        *calls,
        ExampleCall("an intent", {"query": Query(text=TEXTS["ordinary"], intents=(reading,))}, HISTORY),
        ExampleCall("one answer wanted", {"query": Query(text=TEXTS["ordinary"], limit=1)}),
        ExampleCall("a list without a text", {"query": Query(kind="recommendation", user_id="user", limit=10)}),
        ExampleCall("filters", {"query": Query(text=TEXTS["ordinary"], filters={"colour": "red"})}),
    ]


def _rank_answers(_plugin: str, _folder: str) -> list[ExampleCall]:
    query = Query(text=TEXTS["ordinary"])
    return [
        ExampleCall("no answers", {"query": query, "answers": ()}),
        ExampleCall("one answer", {"query": query, "answers": _answers()[:1]}),
        ExampleCall("several answers", {"query": query, "answers": _answers()}),
        ExampleCall("no text", {"query": Query(kind="recommendation", user_id="user"), "answers": _answers()}),
    ]


def _compose_reply(_plugin: str, _folder: str) -> list[ExampleCall]:
    state = ConversationState()
    answer = Action(kind="answer", state=state, query=Query(text=TEXTS["ordinary"]))
    ask = Action(kind="ask", state=state, text="Which order?", question=Question(kind="slot", slot="order"))
    cases = [
        ("an answer", answer, _answers()),
        ("no answer found", answer, ()),
        ("asking back", ask, ()),
        ("saying something", Action(kind="say", state=state, text="Hello!"), ()),
        ("handing off", Action(kind="hand_off", state=state), ()),
        ("silent", Action(kind="silent", state=state), ()),
        ("a flow step", Action(kind="flow", state=_state(), text="Which order is it?"), ()),
    ]
    return [ExampleCall(label, {"action": action, "answers": found, "state": state}) for label, action, found in cases]


def _score_feedback(_plugin: str, _folder: str) -> list[ExampleCall]:
    cases = {
        "thumb up": _feedback(kind="thumbs", value=1),
        "thumb down": _feedback(kind="thumbs", value=-1),
        "rating": _feedback(kind="rating", value=4),
        "corrected intent": _feedback(kind="corrected_intent", value="refund", about="intent", role="agent"),
        "corrected answer": _feedback(kind="corrected_answer", value="It leaves tomorrow.", about="answer"),
        "remark": _feedback(kind="free_text", value=TEXTS["not English"]),
        "behaviour": _feedback(kind="behaviour", value="click", about="position", index=0),
        "an unknown signal": _feedback(kind="behaviour", value="never heard of"),
    }
    return [ExampleCall(label, {"feedback": one, "decision": _decision()}) for label, one in cases.items()]


def _make_examples(_plugin: str, _folder: str) -> list[ExampleCall]:
    corrected = Reward(task="intent", value=0.0, reason="corrected", about="intent", correction="refund")
    cases = [
        ("liked", Reward(task="intent", value=1.0, reason="thumbs"), _feedback(kind="thumbs", value=1)),
        ("disliked", Reward(task="intent", value=0.0, reason="thumbs"), _feedback(kind="thumbs", value=-1)),
        ("corrected", corrected, _feedback(kind="corrected_intent", value="refund", about="intent")),
        ("another task", Reward(task="other", value=0.5, reason="click"), _feedback(kind="behaviour", value="click")),
    ]
    return [
        ExampleCall(label, {"reward": reward, "feedback": feedback, "decision": _decision()})
        for label, reward, feedback in cases
    ]


def _choose_queue(_plugin: str, _folder: str) -> list[ExampleCall]:
    return [ExampleCall("a task", {"task": "intent"}), ExampleCall("an unknown task", {"task": "never heard of"})]


def _adapt_model(_plugin: str, folder: str) -> list[ExampleCall]:
    few = AdaptationRequest(run_id="run", task="intent", examples=_examples(), folder=folder)
    other = AdaptationRequest(run_id="run", task="never heard of", examples=(), folder=folder)
    return [ExampleCall("a few examples", {"request": few}), ExampleCall("an unknown task", {"request": other})]


def _evaluate_model(_plugin: str, folder: str) -> list[ExampleCall]:
    other = EvaluationRequest(task="never heard of", folder=folder, examples=_examples())
    return [ExampleCall("an unknown task", {"request": other})]


def _poll_source(_plugin: str, folder: str) -> list[ExampleCall]:
    source = Source(name="example", kind="never heard of", location=folder)
    return [
        ExampleCall("first time", {"source": source, "cursor": None}),
        ExampleCall("with a cursor", {"source": source, "cursor": "17"}),
    ]


def _read_events(_plugin: str, _folder: str) -> list[ExampleCall]:
    texts = tuple(Event(id=f"e{n}", kind="document", at=AT, text=text) for n, text in enumerate(TEXTS.values()))
    click = Event(id="click", kind="click", at=AT, user_id="user", item_id="i1", data={"position": 2})
    return [
        ExampleCall("no events", {"events": ()}),
        ExampleCall("documents", {"events": texts}),
        ExampleCall("a click", {"events": (click,)}),
        ExampleCall("the same event twice", {"events": (click, click)}),
    ]


def _detect_change(_plugin: str, _folder: str) -> list[ExampleCall]:
    new = DetectorState(key="series")
    return [
        ExampleCall("a tick of the clock", {"observations": (), "state": new}),
        ExampleCall("one observation", {"observations": _observations(1), "state": new}),
        ExampleCall("many observations", {"observations": _observations(50), "state": new}),
    ]


def _deliver_alert(_plugin: str, _folder: str) -> list[ExampleCall]:
    alert = Alert(incident="i1", title="Refunds doubled", severity="warning", at=AT, key="series")
    return [
        ExampleCall("first attempt", {"delivery": Delivery(id="d", alert=alert, receiver="never heard of")}),
        ExampleCall(
            "second attempt", {"delivery": Delivery(id="d", alert=alert, receiver="never heard of", attempt=1)}
        ),
    ]


def _redact_text(_plugin: str, _folder: str) -> list[ExampleCall]:
    calls = [ExampleCall(label, {"text": text, "purpose": "store"}) for label, text in TEXTS.items()]
    others = [
        ExampleCall(f"personal data, {purpose}", {"text": TEXTS["personal data"], "purpose": purpose})
        for purpose in ("train", "log", "deliver")
    ]
    return [*calls, *others]


_MAKERS: dict[str, Callable[[str, str], list[ExampleCall]]] = {
    "register_domain": _no_arguments,
    "register_tasks": _no_arguments,
    "register_tables": _no_arguments,
    "register_schedules": _no_arguments,
    "register_channel": _no_arguments,
    "register_routes": _no_arguments,
    "register_commands": _no_arguments,
    "register_pages": _no_arguments,
    "start": _deployment,
    "stop": _deployment,
    "tenant_enabled": _no_arguments,
    "tenant_disabled": _no_arguments,
    "seed_examples": _no_arguments,
    "regression_examples": _no_arguments,
    "understand_intent": _understand_intent,
    "decide_action": _decide_action,
    "run_effect": _run_effect,
    "retrieve_answers": _retrieve_answers,
    "rank_answers": _rank_answers,
    "compose_reply": _compose_reply,
    "score_feedback": _score_feedback,
    "make_examples": _make_examples,
    "choose_queue": _choose_queue,
    "adapt_model": _adapt_model,
    "evaluate_model": _evaluate_model,
    "poll_source": _poll_source,
    "read_events": _read_events,
    "detect_change": _detect_change,
    "deliver_alert": _deliver_alert,
    "redact_text": _redact_text,
}
