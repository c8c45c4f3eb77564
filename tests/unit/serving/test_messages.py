"""Conversations, messages and feedback over HTTP."""

from __future__ import annotations

import asyncio

import orjson
import pytest
from rejoinder.errors import EncoderBusyError, RedactionError, StoreUnavailableError

from .conftest import Served, bearer


async def test_a_message_is_answered_with_its_turn(served: Served) -> None:
    conversation_id = await served.conversation()
    response = await served.client.post(
        f"/v1/conversations/{conversation_id}/messages", headers=bearer("ana"), json={"text": "hello"}
    )
    assert response.status_code == 200, response.text
    assert response.headers["content-type"] == "application/json"
    assert response.headers["cache-control"] == "no-store"
    turn = response.json()
    assert turn["reply"]["parts"] == ["You said: hello"]
    assert turn["decision_id"] == "dec_1"
    assert turn["mode"] == "bot"


async def test_a_conversation_says_where_it_is(served: Served) -> None:
    response = await served.client.post("/v1/conversations", headers=bearer("ana"), json={"channel": "web"})
    assert response.headers["location"] == f"/v1/conversations/{response.json()['id']}"


@pytest.mark.parametrize("where", ["header", "body"])
async def test_a_repeated_message_gets_the_same_turn(served: Served, where: str) -> None:
    path = f"/v1/conversations/{await served.conversation()}/messages"
    headers = bearer("ana", **({"idempotency_key": "k1"} if where == "header" else {}))
    body = {"text": "hello"} | ({"idempotency_key": "k1"} if where == "body" else {})
    first = await served.client.post(path, headers=headers, json=body)
    second = await served.client.post(path, headers=headers, json=body)
    assert first.json() == second.json()
    assert len(served.application.conversations.all["acme", "conv_1"].turns) == 1


async def test_a_key_that_was_used_for_another_text_is_a_conflict(served: Served) -> None:
    path = f"/v1/conversations/{await served.conversation()}/messages"
    headers = bearer("ana", idempotency_key="k1")
    await served.client.post(path, headers=headers, json={"text": "hello"})
    response = await served.client.post(path, headers=headers, json={"text": "good bye"})
    assert response.status_code == 409
    assert response.json()["type"] == "urn:rejoinder:problem:conflict"


@pytest.mark.parametrize("key", ["", "x" * 201, "two words", "\x7f"])
async def test_an_unusable_idempotency_key_is_refused(served: Served, key: str) -> None:
    path = f"/v1/conversations/{await served.conversation()}/messages"
    response = await served.client.post(path, headers=bearer("ana", idempotency_key=key), json={"text": "hello"})
    assert response.status_code == 422
    assert "Idempotency-Key" in response.json()["detail"]


async def test_header_and_body_must_not_name_different_keys(served: Served) -> None:
    path = f"/v1/conversations/{await served.conversation()}/messages"
    body = {"text": "hello", "idempotency_key": "k2"}
    response = await served.client.post(path, headers=bearer("ana", idempotency_key="k1"), json=body)
    assert response.status_code == 422


@pytest.mark.parametrize(
    ("error", "status", "kind", "retry_after"),
    [
        pytest.param(EncoderBusyError("full", retry_after_s=2.2), 503, "busy", "3", id="busy"),
        pytest.param(StoreUnavailableError("db.host:5432 is away"), 503, "store-unavailable", None, id="store"),
        pytest.param(RedactionError("x", plugin="p", hook="redact_text"), 503, "not-redacted", None, id="redaction"),
    ],
)
async def test_what_keeps_a_turn_from_being_made_is_told(
    served: Served, error: Exception, status: int, kind: str, retry_after: str | None
) -> None:
    path = f"/v1/conversations/{await served.conversation()}/messages"
    served.application.conversations.fails = error
    response = await served.client.post(path, headers=bearer("ana"), json={"text": "hello"})
    assert response.status_code == status
    assert response.json()["type"] == f"urn:rejoinder:problem:{kind}"
    assert response.headers.get("retry-after") == retry_after
    assert "db.host" not in response.text


async def test_a_message_that_could_not_be_redacted_says_that_it_was_not_stored(served: Served) -> None:
    path = f"/v1/conversations/{await served.conversation()}/messages"
    served.application.conversations.fails = RedactionError("my card is 4111", plugin="p", hook="redact_text")
    response = await served.client.post(path, headers=bearer("ana"), json={"text": "hello"})
    assert "was not stored" in response.json()["detail"]
    assert "4111" not in response.text


async def test_an_agent_takes_over_and_gives_back(served: Served) -> None:
    conversation_id = await served.conversation()
    path = f"/v1/conversations/{conversation_id}"
    said = await served.client.post(f"{path}/agent-messages", headers=bearer("agent"), json={"text": "I am Kim"})
    assert said.json()["speaker"] == "agent"
    assert (await served.client.get(path, headers=bearer("ana"))).json()["mode"] == "agent"
    released = await served.client.post(f"{path}/release", headers=bearer("agent"))
    assert (released.status_code, released.content) == (204, b"")
    assert (await served.client.get(path, headers=bearer("ana"))).json()["mode"] == "bot"


@pytest.mark.parametrize(
    "body",
    [
        {"kind": "thumbs", "value": -1},
        {"kind": "rating", "value": 5},
        {"kind": "corrected_intent", "value": "card_arrival"},
        {"kind": "corrected_answer", "value": "It comes on Monday.", "about": "answer", "index": 0},
        {"kind": "free_text", "value": "thanks"},
        {"kind": "behaviour", "value": "click", "about": "position", "index": 2},
        {"kind": "chosen", "value": "card_arrival"},
        {"kind": "dwell", "value": 42.5, "about": "position", "index": 0},
    ],
    ids=lambda body: str(body["kind"]),
)
async def test_feedback_is_handed_on(served: Served, body: dict[str, object]) -> None:
    response = await served.client.post(
        "/v1/feedback", headers=bearer("ana", idempotency_key="k"), json={"decision_id": "dec_1", **body}
    )
    assert response.status_code == 200, response.text
    assert response.json() == {
        "id": "fb_1",
        "rewards": [],
        "examples": 1,
        "learned": True,
        "repeated": False,
        "note": "",
    }
    given = {"about": "whole", "index": None, **body}
    [received] = served.application.feedback.given
    assert received.pop("idempotency_key")
    assert received == {"tenant": "acme", "user": "ana", "decision_id": "dec_1", **given}


async def test_idempotency_keys_of_feedback_are_each_callers_own(served: Served) -> None:
    body = {"decision_id": "dec_1", "kind": "thumbs", "value": 1}
    for who in ("ana", "ana", "ben"):
        await served.client.post("/v1/feedback", headers=bearer(who, idempotency_key="1"), json=body)
    first, second, other = [one["idempotency_key"] for one in served.application.feedback.given]
    assert first == second != other


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"kind": "thumb"}, "kind"),
        ({"kind": "thumbs", "value": 2}, "value"),
        ({"kind": "thumbs", "value": True}, "value"),
        ({"kind": "thumbs", "value": "1"}, "value"),
        ({"kind": "rating", "value": 6}, "value"),
        ({"kind": "rating", "value": 4.5}, "value"),
        ({"kind": "dwell", "value": -1}, "value"),
        ({"kind": "dwell", "value": "30"}, "value"),
        ({"kind": "free_text", "value": ""}, "value"),
        ({"kind": "free_text", "value": "x" * 8001}, "value"),
        ({"kind": "corrected_intent", "value": ["a"]}, "value"),
        ({"about": "everything"}, "about"),
        ({"index": -1}, "index"),
        ({"decision_id": "with space"}, "decision_id"),
        ({"mood": "good"}, "mood"),
    ],
    ids=str,
)
async def test_feedback_that_does_not_fit_is_refused_by_field(
    served: Served, change: dict[str, object], field: str
) -> None:
    body = {"decision_id": "dec_1", "kind": "thumbs", "value": 1, **change}
    response = await served.client.post("/v1/feedback", headers=bearer("ana"), json=body)
    assert response.status_code == 422
    assert field in response.json()["errors"][0]["field"] + response.json()["errors"][0]["reason"]
    assert served.application.feedback.given == []


# --- server-sent events --------------------------------------------------------------------------------------------


def events_of(text: str) -> list[tuple[str, dict[str, object]]]:
    """Return name and data of each event."""
    events = []
    for block in text.strip().split("\n\n"):
        lines = dict(line.split(": ", 1) for line in block.splitlines() if not line.startswith(":"))
        if lines:
            events.append((lines["event"], orjson.loads(lines["data"])))
    return events


async def _ask_for_events(served: Served, **headers: str) -> tuple[int, str, str]:
    path = f"/v1/conversations/{await served.conversation()}/messages"
    headers = bearer("ana", accept="text/event-stream", **headers)
    response = await served.client.post(path, headers=headers, json={"text": "hello"})
    return response.status_code, response.headers["content-type"], response.text


async def test_a_reply_in_parts_arrives_as_events(served: Served) -> None:
    served.application.conversations.parts = ("One.", "Two.")
    status, content_type, text = await _ask_for_events(served)
    events = events_of(text)
    assert (status, content_type) == (200, "text/event-stream; charset=utf-8")
    assert events[:2] == [("part", {"index": 0, "text": "One."}), ("part", {"index": 1, "text": "Two."})]
    assert events[2][0] == "turn"
    assert len(events) == 3


async def test_a_whole_reply_arrives_as_events_too(served: Served) -> None:
    _, _, text = await _ask_for_events(served)
    assert [name for name, _ in events_of(text)] == ["part", "turn"]


async def test_what_fails_before_the_first_part_has_its_status(served: Served) -> None:
    served.application.conversations.fails = EncoderBusyError("full")
    status, content_type, _ = await _ask_for_events(served)
    assert (status, content_type) == (503, "application/problem+json")


async def test_what_fails_later_ends_the_events_with_an_error(served: Served) -> None:
    served.application.conversations.parts = ("One.",)
    served.application.conversations.fails_after = StoreUnavailableError("away")
    status, _, text = await _ask_for_events(served)
    name, problem = events_of(text)[-1]
    assert (status, name, problem["status"]) == (200, "error", 503)


async def test_a_turn_is_finished_when_the_listener_goes_away(served: Served) -> None:
    conversations = served.application.conversations
    conversations.parts, conversations.gate = ("One.",), asyncio.Event()
    asking = asyncio.create_task(_ask_for_events(served))
    await conversations.waits.wait()
    asking.cancel()
    await asyncio.gather(asking, return_exceptions=True)
    conversations.gate.set()
    await served.app.state.door.close()
    assert len(conversations.all["acme", "conv_1"].turns) == 1
