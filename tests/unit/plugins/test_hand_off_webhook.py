"""The plugin `hand_off_webhook`: hand-offs are posted, and failures are told without secrets."""

from __future__ import annotations

import json
from typing import Any

import httpx
import pytest
from pydantic import ValidationError
from rejoinder.payloads import Effect
from rejoinder_plugins.hand_off_webhook import HandOffWebhookPlugin, HandOffWebhookSettings

URL = "https://desk.example/hook?key=s3cret"
EFFECT = Effect(name="notify_hand_off", plugin="hand_off_webhook", arguments={"text": "Hälp", "event": "x"}, key="k1")


async def run(bench: Any, answer: Any, settings: HandOffWebhookSettings, effect: Effect = EFFECT) -> Any:
    plugin = HandOffWebhookPlugin(httpx.MockTransport(answer))
    one = bench(settings={"hand_off_webhook": settings}, hand_off_webhook=plugin)
    return await one.call("run_effect", effect)


async def test_it_posts_json_with_key_and_token(bench: Any) -> None:
    seen: list[httpx.Request] = []

    def answer(request: httpx.Request) -> httpx.Response:
        seen.append(request)
        return httpx.Response(202)

    result = await run(bench, answer, HandOffWebhookSettings(url=URL, token="t0ken"))
    assert (result.ok, result.value) == (True, {"status": 202})
    (request,) = seen
    assert (request.method, str(request.url)) == ("POST", URL)
    assert request.headers["Idempotency-Key"] == "k1"
    assert request.headers["Authorization"] == "Bearer t0ken"
    assert json.loads(request.content) == {"event": "hand_off", "tenant": "acme", "text": "Hälp"}


async def test_another_header_carries_the_bare_token(bench: Any) -> None:
    def answer(request: httpx.Request) -> httpx.Response:
        assert request.headers["X-Api-Key"] == "t0ken"
        assert "Authorization" not in request.headers
        return httpx.Response(200)

    settings = HandOffWebhookSettings(url=URL, token="t0ken", token_header="X-Api-Key")
    assert (await run(bench, answer, settings)).ok


def refused(request: httpx.Request) -> httpx.Response:
    raise httpx.ConnectError(f"no route to {request.url}")


def late(request: httpx.Request) -> httpx.Response:
    raise httpx.ReadTimeout("late")


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        (lambda request: httpx.Response(500, text="s3cret"), "status 500"),
        (lambda request: httpx.Response(302, headers={"Location": "http://169.254.169.254/"}), "status 302"),
        (refused, "cannot be reached: ConnectError"),
        (late, "did not answer within 5 s"),
    ],
    ids=["error", "redirect is not followed", "unreachable", "time-out"],
)
async def test_a_failure_is_a_result_that_holds_no_secret(bench: Any, answer: Any, expected: str) -> None:
    result = await run(bench, answer, HandOffWebhookSettings(url=URL, token="t0ken"))
    assert not result.ok
    assert expected in result.error
    assert "s3cret" not in result.error
    assert "t0ken" not in result.error


async def test_without_a_receiver_it_says_what_to_set(bench: Any) -> None:
    result = await run(bench, refused, HandOffWebhookSettings())
    assert not result.ok
    assert "hand_off_webhook.url" in result.error


async def test_other_effects_are_not_its_own(bench: Any) -> None:
    effect = Effect(name="open_ticket", plugin="hand_off_webhook")
    result = await run(bench, refused, HandOffWebhookSettings(url=URL), effect)
    assert result.error == "the plugin gave no result"


@pytest.mark.parametrize(
    "values",
    [{"url": "ftp://x"}, {"url": "https://"}, {"token": "a\nb"}, {"token": "ä"}, {"token": " x"}, {"tokn": "x"}],
)
def test_wrong_settings_are_refused_without_showing_them(values: dict[str, str]) -> None:
    with pytest.raises(ValidationError) as caught:
        HandOffWebhookSettings.model_validate(values)
    assert "input_value" not in str(caught.value)


def test_the_token_is_masked() -> None:
    assert "t0ken" not in repr(HandOffWebhookSettings(url=URL, token="t0ken"))
