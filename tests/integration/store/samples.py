"""Small records for tests."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from rejoinder.payloads import Alert, Candidate, Decision, Event, Example, Feedback, Reply
from rejoinder.store.events import NewEvent
from rejoinder.store.turns import NewTurn

NOON = datetime(2026, 3, 1, 12, 0, 0, tzinfo=UTC)


def later(seconds: float) -> datetime:
    """Return the moment so many seconds after noon."""
    return NOON + timedelta(seconds=seconds)


def turn(number: int = 1, **changes: Any) -> NewTurn:
    """Return a turn in which the bot answers."""
    values: dict[str, Any] = {
        "id": f"turn_{number}",
        "number": number,
        "action": "answer",
        "started_at": later(number),
        "duration_ms": 10.0,
        "user_text": f"question {number}",
        "reply": Reply(parts=(f"answer {number}",)),
        "trace": [{"hook": "decide_action", "ms": 0.5}],
    }
    return NewTurn(**{**values, **changes})


def decision(decision_id: str = "decision_1", **changes: Any) -> Decision:
    """Return a decision for an intent."""
    values: dict[str, Any] = {
        "id": decision_id,
        "kind": "turn",
        "task": "intent",
        "at": NOON,
        "input": "where is my card",
        "user_id": "ann",
        "candidates": (Candidate(id="card_arrival", score=0.8), Candidate(id="card_lost", score=0.1)),
        "chosen": ("card_arrival",),
        "label": "card_arrival",
        "confidence": 0.8,
        "model_versions": {"intent": "model_1"},
    }
    return Decision(**{**values, **changes})


def feedback(feedback_id: str = "feedback_1", **changes: Any) -> Feedback:
    """Return a correction of the intent."""
    values: dict[str, Any] = {
        "id": feedback_id,
        "decision_id": "decision_1",
        "kind": "corrected_intent",
        "value": "card_lost",
        "user_id": "ann",
        "at": NOON,
        "about": "intent",
        "index": 0,
    }
    return Feedback(**{**values, **changes})


def example(example_id: str = "example_1", **changes: Any) -> Example:
    """Return a correction to learn from."""
    values: dict[str, Any] = {
        "id": example_id,
        "task": "intent",
        "text": "where is my card",
        "label": "card_lost",
        "polarity": "correction",
        "user_id": "ann",
        "at": NOON,
    }
    return Example(**{**values, **changes})


def event(event_id: str = "event_1", **changes: Any) -> Event:
    """Return a click."""
    return Event(**{"id": event_id, "kind": "click", "at": NOON, "user_id": "ann", "data": {"page": 1}, **changes})


def new_event(event_id: str = "event_1", *, sha256: str = "", **changes: Any) -> NewEvent:
    """Return a click that arrives, its content by default its id."""
    return NewEvent(event=event(event_id, **changes), sha256=sha256 or event_id, source="shop")


def alert(incident: str = "incident_1", **changes: Any) -> Alert:
    """Return an alert."""
    return Alert(**{"incident": incident, "title": "Surge", "severity": "warning", "at": NOON, **changes})
