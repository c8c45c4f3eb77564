"""The plugin `hand_off_webhook`: hand-offs are posted where the deployment allows, and failures are told without secrets."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest
from pydantic import ValidationError
from rejoinder.context import Deployment
from rejoinder.payloads import Effect
from rejoinder.testing.dialogues.pretended_api import ApiServer, api_server
from rejoinder.testing.dialogues.script import ApiAnswer, ApiRoute
from rejoinder_plugins.hand_off_webhook import HandOffWebhookPlugin, HandOffWebhookSettings

HERE = ("127.0.0.1",)
EFFECT = Effect(name="notify_hand_off", plugin="hand_off_webhook", arguments={"text": "Hälp", "event": "x"}, key="k1")


@pytest.fixture
def desk() -> Iterator[ApiServer]:
    with api_server([ApiRoute(request="POST /hook?key=s3cret", answers=[ApiAnswer(status=202)])]) as server:
        yield server


async def run(
    bench: Any, settings: HandOffWebhookSettings, effect: Effect = EFFECT, hosts: tuple[str, ...] = HERE
) -> Any:
    plugin = HandOffWebhookPlugin()
    plugin.start(Deployment(domains=(), data_dir="", api_hosts=hosts))
    one = bench(settings={"hand_off_webhook": settings}, hand_off_webhook=plugin)
    return await one.call("run_effect", effect)


def at(desk: ApiServer, path: str = "/hook?key=s3cret", **values: Any) -> HandOffWebhookSettings:
    return HandOffWebhookSettings(url=desk.url + path, **values)


async def test_it_posts_json_with_key_and_token(bench: Any, desk: ApiServer) -> None:
    log = desk.new_log()
    result = await run(bench, at(desk, token="t0ken"))
    assert (result.ok, result.value) == (True, {"status": 202})
    (got,) = log.received
    assert got.request == "POST /hook?key=s3cret"
    assert got.headers["host"] == desk.url.removeprefix("http://")
    assert got.headers["idempotency-key"] == "k1"
    assert got.headers["authorization"] == "Bearer t0ken"
    assert got.body == {"event": "hand_off", "tenant": "acme", "text": "Hälp"}


async def test_another_header_carries_the_bare_token(bench: Any, desk: ApiServer) -> None:
    log = desk.new_log()
    assert (await run(bench, at(desk, token="t0ken", token_header="X-Api-Key"))).ok
    (got,) = log.received
    assert got.headers["x-api-key"] == "t0ken"
    assert "authorization" not in got.headers


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        (ApiAnswer(status=500, body={"error": "s3cret"}), "status 500"),
        (ApiAnswer(status=302), "status 302"),
        (ApiAnswer(lost=True), "cannot be reached: RemoteProtocolError"),
        (ApiAnswer(delay_s=5.0), "did not answer within 1.5 s"),
    ],
    ids=["error", "redirect is not followed", "no answer", "time-out"],
)
async def test_a_failure_is_a_result_that_holds_no_secret(
    bench: Any, desk: ApiServer, answer: ApiAnswer, expected: str
) -> None:
    desk.answer_with([ApiRoute(request="POST /hook?key=s3cret", answers=[answer])])
    result = await run(bench, at(desk, token="t0ken"), replace(EFFECT, timeout_s=1.5))
    assert not result.ok
    assert expected in result.error
    assert "s3cret" not in result.error
    assert "t0ken" not in result.error


@pytest.mark.parametrize(
    ("url", "hosts"),
    [
        ("http://127.0.0.1:{port}/hook", ()),
        ("http://localhost:{port}/hook", ()),
        ("http://[::ffff:127.0.0.1]:{port}/hook", ()),
        ("http://127.0.0.1:{port}/hook", ("desk.example",)),
        ("http://127.0.0.1:{port}/hook", ("127.0.0.1:1",)),
        ("http://169.254.169.254/latest/meta-data", ()),
    ],
)
async def test_hosts_that_the_deployment_does_not_allow_are_not_called(
    bench: Any, desk: ApiServer, url: str, hosts: tuple[str, ...]
) -> None:
    log = desk.new_log()
    settings = HandOffWebhookSettings(url=url.format(port=desk.url.rpartition(":")[2]))
    result = await run(bench, settings, hosts=hosts)
    assert not result.ok
    assert "security.api_hosts" in result.error
    assert log.received == []


async def test_a_name_that_means_another_host_the_second_time_is_not_asked_twice(
    bench: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = []

    async def looked_up(host: str, port: int, **_: Any) -> list[Any]:
        asked.append(host)
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", ("127.0.0.1", port))]

    monkeypatch.setattr(asyncio.get_running_loop(), "getaddrinfo", looked_up)
    result = await run(bench, HandOffWebhookSettings(url="http://desk.example/hook"), hosts=())
    assert asked == ["desk.example"]
    assert "not public" in result.error


async def test_without_a_receiver_it_says_what_to_set(bench: Any) -> None:
    result = await run(bench, HandOffWebhookSettings())
    assert not result.ok
    assert "hand_off_webhook.url" in result.error


async def test_other_effects_are_not_its_own(bench: Any, desk: ApiServer) -> None:
    effect = Effect(name="open_ticket", plugin="hand_off_webhook")
    result = await run(bench, at(desk), effect)
    assert result.error == "the plugin gave no result"


@pytest.mark.parametrize(
    "values",
    [
        {"url": "ftp://x"},
        {"url": "https://"},
        {"url": "https://user:s3cret@desk.example/"},
        {"url": "https://desk.example:99999/"},
        {"token": "a\nb"},
        {"token": "ä"},
        {"token": " x"},
        {"tokn": "x"},
    ],
)
def test_wrong_settings_are_refused_without_showing_them(values: dict[str, str]) -> None:
    with pytest.raises(ValidationError) as caught:
        HandOffWebhookSettings.model_validate(values)
    assert "input_value" not in str(caught.value)


def test_the_token_is_masked() -> None:
    assert "t0ken" not in repr(HandOffWebhookSettings(url="https://desk.example/hook", token="t0ken"))
