"""Conversations over a WebSocket."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from typing import Any

import pytest
from rejoinder.errors import EncoderBusyError
from rejoinder.handoff.settings import HelpDeskSettings
from rejoinder.payloads import Caller
from rejoinder.serving import console
from rejoinder.serving import json_socket as socket_module
from rejoinder.serving.hub import Outbox
from rejoinder.store.tables import AgentRow, HandOffRow, Turn

from .conftest import FakeHandOffs, Serve, Served, Socket, bearer


async def _open(served: Served, who: str = "ana", conversation_id: str | None = None) -> Socket:
    conversation_id = conversation_id or await served.conversation(who)
    socket = Socket(served.app, f"/v1/conversations/{conversation_id}/socket", bearer(who))
    assert (await socket.receive())["type"] == "ready"
    return socket


async def test_a_message_comes_back_in_parts_and_as_a_turn(served: Served) -> None:
    served.application.conversations.parts = ("One.", "Two.")
    socket = await _open(served)
    socket.send({"type": "message", "text": "hello", "key": "k1"})
    assert await socket.receive() == {"type": "part", "index": 0, "text": "One.", "key": "k1"}
    assert await socket.receive() == {"type": "part", "index": 1, "text": "Two.", "key": "k1"}
    turn = await socket.receive()
    assert (turn["type"], turn["key"], turn["turn"]["reply"]["parts"]) == ("turn", "k1", ["One.", "Two."])
    await socket.leave()


async def test_feedback_is_acknowledged(served: Served) -> None:
    socket = await _open(served)
    socket.send({"type": "feedback", "decision_id": "dec_1", "kind": "thumbs", "value": 1, "key": "f1"})
    frame = await socket.receive()
    assert (frame["type"], frame["key"], frame["feedback"]["learned"]) == ("feedback", "f1", True)
    assert served.application.feedback.given[0]["idempotency_key"]
    await socket.leave()


async def test_the_token_may_come_in_the_first_frame(served: Served) -> None:
    socket = Socket(served.app, f"/v1/conversations/{await served.conversation()}/socket", {})
    socket.send({"token": "ana"})
    assert (await socket.receive())["type"] == "ready"
    await socket.leave()


@pytest.mark.parametrize(
    ("first", "code"),
    [
        ({"token": "wrong"}, 4401),
        ({"token": 3}, 4401),
        ({"type": "message", "text": "hello"}, 4401),
        ("no json", 4400),
        ([], 4400),
        ({"token": "ben"}, 4404),
        ({"token": "stranger"}, 4404),
        ({"token": "ingest"}, 4403),
        ({"token": "operator"}, 4422),
        ({"token": "operator", "tenant": "acne"}, 4404),
    ],
    ids=str,
)
async def test_who_may_not_be_here_is_told_why(served: Served, first: object, code: int) -> None:
    socket = Socket(served.app, f"/v1/conversations/{await served.conversation()}/socket", {})
    socket.send(first)
    problem = await socket.receive()
    assert (problem["type"], problem["problem"]["status"]) == ("problem", code - 4000)
    assert await socket.closed() == code


async def test_a_token_in_the_address_is_not_taken(served: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(socket_module, "AUTHENTICATE_S", 0.05)
    path = f"/v1/conversations/{await served.conversation()}/socket"
    socket = Socket(served.app, path, {}, query="token=ana")
    assert await socket.closed() == 4408


async def test_who_sends_no_token_is_not_kept_waiting_for(served: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(socket_module, "AUTHENTICATE_S", 0.05)
    socket = Socket(served.app, f"/v1/conversations/{await served.conversation()}/socket", {})
    assert await socket.closed() == 4408


@pytest.mark.parametrize(
    ("frame", "status"),
    [
        ("{", 400),
        ("", 400),
        (b"\xff\xfe", 400),
        (b'{"type": "ping"}', 400),
        ("[1]", 400),
        ('{"type": "message", "text": NaN}', 400),
        ({}, 422),
        ({"type": "shout"}, 422),
        ({"type": ["message"]}, 422),
        ({"type": "message"}, 422),
        ({"type": "message", "text": 3}, 422),
        ({"type": "message", "text": "  "}, 422),
        ({"type": "message", "text": "a", "colour": "red"}, 422),
        ({"type": "message", "text": "a", "key": ""}, 422),
        ({"type": "message", "text": "a", "key": 3}, 422),
        ({"type": "feedback"}, 422),
        ({"type": "feedback", "decision_id": "d", "kind": "thumbs", "value": 7}, 422),
        ({"type": "feedback", "decision_id": "dec_missing", "kind": "thumbs", "value": 1}, 404),
    ],
    ids=str,
)
async def test_a_frame_that_cannot_be_used_is_answered_and_the_talk_goes_on(
    served: Served, frame: object, status: int
) -> None:
    socket = await _open(served)
    socket.send(frame)
    problem = await socket.receive()
    assert (problem["type"], problem["problem"]["status"]) == ("problem", status)
    socket.send({"type": "ping"})
    assert await socket.receive() == {"type": "pong"}
    await socket.leave()


async def test_a_busy_bot_says_when_to_try_again(served: Served) -> None:
    served.application.conversations.fails = EncoderBusyError("full", retry_after_s=3)
    socket = await _open(served)
    socket.send({"type": "message", "text": "hello", "key": "k"})
    frame = await socket.receive()
    assert (frame["problem"]["status"], frame["problem"]["retry_after_s"], frame["key"]) == (503, 3, "k")
    await socket.leave()


async def test_a_frame_that_is_too_large_ends_the_talk(serve: Serve) -> None:
    served = await serve(max_body_bytes=1024)
    socket = await _open(served)
    socket.send({"type": "message", "text": "x" * 2000})
    assert await socket.closed() == 1009


async def test_a_revoked_key_ends_the_talk_at_the_next_frame(served: Served) -> None:
    socket = await _open(served)
    del served.application.tenants.principals["ana"]
    socket.send({"type": "message", "text": "hello"})
    assert (await socket.receive())["problem"]["status"] == 401
    assert await socket.closed() == 4401


async def test_a_revoked_key_ends_a_silent_talk(served: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(socket_module, "RECHECK_S", 0.02)
    socket = await _open(served)
    del served.application.tenants.principals["ana"]
    assert await socket.closed() == 4401


async def test_limits_hold_for_frames_too(serve: Serve) -> None:
    served = await serve(user_requests_per_minute=3)
    socket = await _open(served)
    for status in (200, 429):
        socket.send({"type": "message", "text": "hello"})
        if status == 200:
            assert [(await socket.receive())["type"] for _ in range(2)] == ["part", "turn"]
        else:
            assert (await socket.receive())["problem"]["status"] == 429
    await socket.leave()


# --- several at once -----------------------------------------------------------------------------------------------


async def test_what_an_agent_says_by_http_reaches_the_socket(served: Served) -> None:
    conversation_id = await served.conversation()
    socket = await _open(served, conversation_id=conversation_id)
    path = f"/v1/conversations/{conversation_id}"
    await served.client.post(f"{path}/agent-messages", headers=bearer("agent"), json={"text": "I am Kim"})
    frame = await socket.receive()
    assert (frame["type"], frame["turn"]["reply"]["parts"]) == ("agent", ["I am Kim"])
    await served.client.post(f"{path}/release", headers=bearer("agent"))
    assert await socket.receive() == {"type": "mode", "mode": "bot", "agent": None}
    await socket.leave()


async def test_an_agent_who_listens_hears_the_customer_and_others_do_not(served: Served) -> None:
    conversation_id = await served.conversation()
    customer = await _open(served, conversation_id=conversation_id)
    agent = await _open(served, "agent", conversation_id)
    other = await _open(served, "ben")
    customer.send({"type": "message", "text": "hello"})
    assert (await agent.receive())["turn"]["text"] == "hello"
    await served.client.post(
        f"/v1/conversations/{conversation_id}/messages", headers=bearer("ana"), json={"text": "by http"}
    )
    assert (await agent.receive())["turn"]["text"] == "by http"
    other.send({"type": "ping"})
    assert await other.receive() == {"type": "pong"}
    for socket in (customer, agent, other):
        await socket.leave()
    assert len(served.app.state.door.hub) == 0


async def test_a_slow_reader_blocks_nobody_and_is_let_go(served: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(socket_module, "_DRAIN_S", 0.1)
    monkeypatch.setattr(socket_module, "Outbox", lambda: Outbox(most_frames=8))
    conversation_id = await served.conversation()
    slow = await _open(served, "agent", conversation_id)
    quick = await _open(served, conversation_id=conversation_id)
    slow.reading.clear()
    for number in range(20):
        quick.send({"type": "message", "text": f"hello {number}"})
        assert [(await quick.receive())["type"] for _ in range(2)] == ["part", "turn"]
    await asyncio.sleep(0.2)
    slow.reading.set()
    await quick.leave()
    await asyncio.wait_for(slow._task, 5)
    assert len(served.app.state.door.hub) == 0


async def test_a_turn_is_finished_when_the_socket_ends(served: Served) -> None:
    conversations = served.application.conversations
    conversations.gate = asyncio.Event()
    socket = await _open(served)
    socket.send({"type": "message", "text": "hello"})
    await conversations.waits.wait()
    await socket.leave()
    conversations.gate.set()
    await served.app.state.door.close()
    assert len(conversations.all["acme", "conv_1"].turns) == 1


async def test_sockets_are_told_when_the_server_ends(served: Served) -> None:
    socket = await _open(served)
    await served.app.state.door.close()
    assert await socket.closed() == 1012


NOW = datetime(2026, 1, 1, tzinfo=UTC)


class FullDesk(FakeHandOffs):
    """So many wait that what the agent has comes behind all that a console is shown."""

    fails: Exception | None = None

    async def see(self, tenant: str, caller: Caller, *, state: Any = None) -> AgentRow:
        return AgentRow(tenant_id=tenant, id=caller.id, name="Kim", state="online", seen_at=NOW)

    async def settings(self, tenant: str) -> HelpDeskSettings:
        return HelpDeskSettings()

    async def places(self, tenant: str) -> dict[str, Any]:
        return {}

    async def listed(
        self, tenant: str, *, status: str | None = None, agent_id: str | None = None, limit: int = 100
    ) -> list[HandOffRow]:
        if self.fails is not None:
            raise self.fails
        if agent_id is None:
            return [self._row(tenant, f"conv_{number}", "queued") for number in range(2, limit + 2)]
        return [self._row(tenant, "conv_1", "active", agent_id)]

    def _row(self, tenant: str, conversation: str, status: str, agent_id: str | None = None) -> HandOffRow:
        named = {
            "tenant_id": tenant,
            "id": f"handoff_{conversation}",
            "conversation_id": conversation,
            "user_id": "ana",
        }
        return HandOffRow(**named, status=status, agent_id=agent_id, queued_at=NOW, waiting_since=NOW)


async def _console(served: Served, desk: FullDesk, monkeypatch: pytest.MonkeyPatch) -> Socket:
    async def turns(database: object, tenant: str, conversation_id: str, *, after_number: int) -> list[Turn]:
        named = {"tenant_id": tenant, "id": "turn_1", "conversation_id": conversation_id}
        said = Turn(**named, number=1, user_text="hello", action="silent", started_at=NOW)
        return [] if after_number else [said]

    monkeypatch.setattr(served.application, "hand_offs", desk)
    monkeypatch.setattr(console, "list_turns", turns)
    await served.conversation()
    socket = Socket(served.app, "/v1/hand-offs/socket", bearer("agent"))
    assert (await socket.receive())["type"] == "ready"
    return socket


async def test_an_agent_sees_their_own_conversation_behind_a_long_queue(
    served: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    socket = await _console(served, FullDesk(served.application.conversations), monkeypatch)
    shown = (await socket.receive())["hand_offs"]
    assert (len(shown), shown[-1]["conversation_id"]) == (201, "conv_1")
    said = await socket.receive()
    assert (said["type"], said["id"], said["turn"]["text"]) == ("turn", "handoff_conv_1", "hello")
    await socket.leave()


async def test_a_console_that_cannot_be_shown_the_queue_ends(served: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    desk = FullDesk(served.application.conversations)
    desk.fails = ValueError("a fault of ours")
    socket = await _console(served, desk, monkeypatch)
    assert (await socket.receive())["problem"]["status"] == 500
    assert await socket.closed() == 1011
