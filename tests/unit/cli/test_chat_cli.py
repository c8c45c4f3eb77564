"""What `rejoinder chat` prints of a turn."""

from __future__ import annotations

import io
from typing import Any

import pytest
from rejoinder.cli.chat import _Chat
from rejoinder.conversation import Turn
from rejoinder.payloads import Reply
from rejoinder.wire import to_json
from rich.console import Console


class Scripted:
    """A bot that gives one turn to everything."""

    def __init__(self, **turn: Any) -> None:
        values = {"id": "turn_1", "conversation_id": "conv_1", "number": 1, "text": "hello", "action": "answer", **turn}
        self.turn = Turn(**values)

    async def say(self, text: str) -> dict[str, Any]:
        told: dict[str, Any] = to_json(self.turn)
        return told

    async def feedback(self, decision_id: str, kind: str, value: int | str) -> dict[str, Any]:
        raise NotImplementedError

    async def why(self, turn: dict[str, Any]) -> list[dict[str, Any]]:
        raise NotImplementedError


async def printed(monkeypatch: pytest.MonkeyPatch, **turn: Any) -> str:
    monkeypatch.setattr("sys.stdin", io.StringIO("hello\n"))
    out = io.StringIO()
    await _Chat(Scripted(**turn), Console(file=out, width=80), json=False).run()
    return out.getvalue()


async def test_an_answers_intent_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    reply = Reply(parts=("We send you a new card.",))
    told = await printed(monkeypatch, reply=reply, answered=True, label="lost_card", confidence=0.9)
    assert "(lost_card, 90% sure)" in told


@pytest.mark.parametrize("action", ["answer", "ask", "hand_off"])
async def test_an_intent_that_was_not_answered_is_not_named(monkeypatch: pytest.MonkeyPatch, action: str) -> None:
    reply = Reply(parts=("Sorry, I don't know.",))
    told = await printed(monkeypatch, reply=reply, action=action, answered=False, label="lost_card", confidence=0.3)
    assert "I don't know" in told
    assert "lost_card" not in told
