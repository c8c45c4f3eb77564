"""What cannot be used is refused in one shape, and nothing of the inside is told."""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from rejoinder.errors import SettingsError, StoreUnavailableError
from rejoinder.serving.problems import KINDS

from .conftest import Serve, Served, bearer

MESSAGES = "/v1/conversations/conv_1/messages"


def assert_problem(response: Any, status: int, kind: str) -> dict[str, Any]:
    """Check the one shape of all errors; return the document."""
    assert response.status_code == status, response.text
    assert response.headers["content-type"] == "application/problem+json"
    document: dict[str, Any] = response.json()
    assert document["type"] == f"urn:rejoinder:problem:{kind}"
    assert document["status"] == status
    assert document["title"] == KINDS[kind].title
    assert document["detail"]
    assert document["instance"] == response.request.url.path
    assert set(document) <= {"type", "title", "status", "detail", "instance", "errors", "error_id"}
    return document


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b'{"text": "a",}',
        b'{"text": NaN}',
        b'{"text": "\xff\xfe"}',
        b"\xff\xfe\x00\x00",
        '{"text": "hé"}'.encode("latin-1"),
        '{"text": "hello"}'.encode("utf-16"),
        b'{"text": "\\ud800"}',
        b"[" * 100_000,
        b'{"text":' + b'{"a":' * 5000 + b"1" + b"}" * 5001,
        b"1" * 5000,
        b"{}",
    ],
    ids=lambda body: repr(body[:24]),
)
async def test_a_body_that_is_no_json_in_utf8_is_refused(served: Served, body: bytes) -> None:
    await served.conversation()
    headers = bearer("ana", content_type="application/json")
    response = await served.client.post(MESSAGES, headers=headers, content=body)
    if body in (b"", b"{}"):  # nothing, or JSON that is no message
        assert_problem(response, 422, "invalid-input")
    else:
        assert_problem(response, 400, "malformed")


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({}, "body.text"),
        ({"text": 3}, "body.text"),
        ({"text": None}, "body.text"),
        ({"text": ["a"]}, "body.text"),
        ({"text": "a", "txt": "b"}, "body.txt"),
        ([], "body"),
        ("text", "body"),
        (None, "body"),
    ],
    ids=str,
)
async def test_a_message_of_another_shape_is_refused_by_field(served: Served, body: object, field: str) -> None:
    await served.conversation()
    response = await served.client.post(MESSAGES, headers=bearer("ana"), json=body)
    document = assert_problem(response, 422, "invalid-input")
    assert document["errors"][0]["field"] == field


async def test_what_was_sent_is_not_repeated_in_the_error(served: Served) -> None:
    await served.conversation()
    response = await served.client.post(MESSAGES, headers=bearer("ana"), json={"text": {"card": "4111"}, "n": "4111"})
    assert_problem(response, 422, "invalid-input")
    assert "4111" not in response.text


async def test_an_empty_text_is_refused(served: Served) -> None:
    await served.conversation()
    response = await served.client.post(MESSAGES, headers=bearer("ana"), json={"text": "  "})
    assert_problem(response, 422, "invalid-input")


@pytest.mark.parametrize("content_type", ["text/plain", "application/x-www-form-urlencoded", ""])
async def test_another_media_type_is_refused(served: Served, content_type: str) -> None:
    await served.conversation()
    headers = bearer("ana") | ({"content-type": content_type} if content_type else {})
    response = await served.client.post(MESSAGES, headers=headers, content=b'{"text": "a"}')
    assert_problem(response, 415, "media-type")


# --- size ----------------------------------------------------------------------------------------------------------


async def test_a_body_whose_declared_length_is_too_large_is_refused_unread(serve: Serve) -> None:
    served = await serve(max_body_bytes=1024)
    await served.conversation()
    response = await served.client.post(MESSAGES, headers=bearer("ana"), json={"text": "x" * 2000})
    assert_problem(response, 413, "too-large")


async def test_a_body_without_a_length_is_refused_as_soon_as_too_much_came(serve: Serve) -> None:
    served = await serve(max_body_bytes=1024)
    await served.conversation()
    sent = 0

    async def chunks() -> AsyncIterator[bytes]:
        nonlocal sent
        for _ in range(1000):
            sent += 1
            yield b"x" * 100

    headers = bearer("ana", content_type="application/json")
    response = await served.client.post(MESSAGES, headers=headers, content=chunks())
    assert_problem(response, 413, "too-large")
    assert sent < 20


@pytest.mark.parametrize("length", ["-1", "abc", "1" * 30])
async def test_a_length_that_is_none_is_refused(served: Served, length: str) -> None:
    response = await served.client.post(
        "/v1/conversations", headers=bearer("ana", content_length=length), content=b"{}"
    )
    assert response.status_code == 413


async def test_a_body_just_small_enough_is_taken(serve: Serve) -> None:
    served = await serve(max_body_bytes=1024)
    await served.conversation()
    body = b'{"text": "' + b"x" * (1024 - 12) + b'"}'
    headers = bearer("ana", content_type="application/json")
    assert (await served.client.post(MESSAGES, headers=headers, content=body)).status_code == 200


# --- addresses -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("path", ["/v1/nothing", "/nothing", "/v1/conversations/", "/v1/plugins/parcels/nothing"])
async def test_an_unknown_address_is_not_found(served: Served, path: str) -> None:
    assert_problem(await served.client.get(path, headers=bearer("admin")), 404, "not-found")


async def test_a_wrong_method_is_told_the_right_ones(served: Served) -> None:
    response = await served.client.delete("/v1/feedback", headers=bearer("admin"))
    assert_problem(response, 405, "method-not-allowed")
    assert response.headers["allow"] == "POST"


@pytest.mark.parametrize(
    "conversation_id", ["conv_9", "x" * 5000, "%00", "%ff%fe", "conv_1%20", "%2e%2e", "' or 1=1 --", "🙂"]
)
async def test_an_odd_conversation_id_is_not_found(served: Served, conversation_id: str) -> None:
    await served.conversation()
    response = await served.client.get(f"/v1/conversations/{conversation_id}", headers=bearer("ana"))
    assert response.status_code == 404
    assert response.headers["content-type"] == "application/problem+json"


@pytest.mark.parametrize("query", ["history=-1", "history=x", "history=1001", "history=1&history=2000"])
async def test_a_query_out_of_range_is_refused(served: Served, query: str) -> None:
    await served.conversation()
    response = await served.client.get(f"/v1/conversations/conv_1?{query}", headers=bearer("ana"))
    assert assert_problem(response, 422, "invalid-input")["errors"][0]["field"] == "query.history"


# --- ours ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("error", [ZeroDivisionError("secret inside"), SettingsError("/etc/secret inside")])
async def test_an_unexpected_error_has_an_id_and_tells_nothing(
    served: Served, caplog: pytest.LogCaptureFixture, error: Exception
) -> None:
    await served.conversation()
    served.application.conversations.fails = error
    with caplog.at_level(logging.ERROR):
        response = await served.client.post(MESSAGES, headers=bearer("ana"), json={"text": "hello"})
    document = assert_problem(response, 500, "internal")
    assert "secret" not in response.text
    assert document["error_id"] in caplog.text
    assert "secret inside" in caplog.text


def test_every_problem_is_in_the_guide() -> None:
    guide = (Path(__file__).parents[3] / "docs" / "api.md").read_text(encoding="utf-8").splitlines()
    for kind in KINDS.values():
        assert any(line.startswith(f"| `{kind.name}` | {kind.status} |") for line in guide), kind.name


async def test_the_store_makes_the_server_unready_but_not_unhealthy(served: Served) -> None:
    assert (await served.client.get("/v1/ready")).json()["status"] == "ok"
    served.application.database.fails = StoreUnavailableError("away")
    assert_problem(await served.client.get("/v1/ready"), 503, "store-unavailable")
    assert (await served.client.get("/v1/health")).status_code == 200


async def test_a_server_that_ends_is_not_ready(served: Served) -> None:
    await served.app.state.door.close()
    assert_problem(await served.client.get("/v1/ready"), 503, "busy")
