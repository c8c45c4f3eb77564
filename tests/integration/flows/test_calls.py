"""Calls of a tenant's API: over a real server, with its failures, once for each key, and only where the deployment allows."""

from __future__ import annotations

import asyncio
import gzip
import socket
import threading
from collections.abc import Iterator
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any

import pytest
from pydantic import ValidationError
from rejoinder.allowed_hosts import AllowedHosts
from rejoinder.errors import AccessError
from rejoinder.payloads import Effect, EffectResult
from rejoinder.testing.dialogues.pretended_api import ApiServer, api_server
from rejoinder.testing.dialogues.script import ApiAnswer, ApiRoute
from rejoinder_plugins.flows.calls import Caller, plan
from rejoinder_plugins.flows.settings import ApiSettings, FlowsSettings

HERE = ("127.0.0.1",)


@pytest.fixture
def api() -> Iterator[ApiServer]:
    with api_server() as server:
        yield server


def answers(server: ApiServer, *given: ApiAnswer, request: str = "POST /do") -> None:
    server.answer_with([ApiRoute(request=request, answers=given)])


def effect(**more: Any) -> Effect:
    arguments = {"user": "ana", "method": "POST", "path": "/do", "body": {"n": 1}, "save": {"ref": "/a/0"}}
    made = plan("f.do", "flows", arguments | more, timeout_s=1.0, retries=2)
    return Effect(name=made.name, plugin="flows", arguments=made.arguments, timeout_s=made.timeout_s, key="turn-1")


async def call(server: ApiServer, one: Effect | None = None, hosts: tuple[str, ...] = HERE, **api: Any) -> EffectResult:
    return await Caller(hosts).call(one or effect(), ApiSettings(url=api.pop("url", server.url), **api), remaining_s=30)


async def test_a_call_carries_key_user_and_token_and_saves_what_is_pointed_at(api: ApiServer) -> None:
    log = api.new_log()
    answers(api, ApiAnswer(body={"a": ["R-1"]}))
    result = await call(api, token="t0ken")
    assert result == EffectResult(name="f.do", ok=True, value={"status": 200, "saved": {"ref": "R-1"}})
    (got,) = log.received
    assert (got.request, got.body) == ("POST /do", {"n": 1})
    assert got.headers["authorization"] == "Bearer t0ken"
    assert got.headers["rejoinder-user"] == "ana"
    assert len(got.headers["idempotency-key"]) == 64


@pytest.mark.parametrize("first", [ApiAnswer(status=503), ApiAnswer(lost=True), ApiAnswer(status=429)], ids=str)
async def test_trouble_is_met_with_another_try_under_the_same_key(api: ApiServer, first: ApiAnswer) -> None:
    log = api.new_log()
    answers(api, first, ApiAnswer(body={}))
    assert (await call(api)).ok
    assert len(log.received) == 2
    assert len({one.headers["idempotency-key"] for one in log.received}) == 1
    assert log.calls == ("POST /do",)


async def test_another_request_of_the_same_turn_has_another_key(api: ApiServer) -> None:
    log = api.new_log()
    answers(api, ApiAnswer(body={}))
    await call(api)
    await call(api, effect(body={"n": 2}))
    await call(api, effect(user="ben"))
    assert len({one.headers["idempotency-key"] for one in log.received}) == 3


async def test_a_refusal_is_not_tried_again(api: ApiServer) -> None:
    log = api.new_log()
    answers(api, ApiAnswer(status=409))
    result = await call(api)
    assert (result.ok, result.value["status"], len(log.received)) == (False, 409, 1)


async def test_it_gives_up_in_time(api: ApiServer) -> None:
    answers(api, ApiAnswer(delay_s=5), request="GET /do")
    began = asyncio.get_running_loop().time()
    slow = plan("f.do", "flows", effect(method="GET").arguments, timeout_s=0.2, retries=1)
    result = await call(api, slow)
    assert result.error == "the API did not answer in time"
    assert asyncio.get_running_loop().time() - began < 3


@pytest.mark.parametrize(
    ("answer", "error"),
    [
        (ApiAnswer(status=302), "the API answered with status 302"),
        (ApiAnswer(body="x" * 300_000), "the API's answer is longer than 262144 bytes"),
    ],
    ids=["a redirect", "too much"],
)
async def test_an_answer_that_cannot_be_used_is_a_failure(api: ApiServer, answer: ApiAnswer, error: str) -> None:
    answers(api, answer)
    result = await call(api)
    assert (result.ok, result.error) == (False, error)


@pytest.mark.parametrize(
    ("url", "hosts"),
    [
        ("http://localhost:{port}", ()),
        ("http://127.0.0.1:{port}", ()),
        ("http://169.254.169.254", ()),
        ("http://[::1]:{port}", ()),
        ("http://10.0.0.1", ()),
        ("http://127.0.0.1:{port}", ("api.example",)),
        ("http://127.0.0.1:{port}", ("127.0.0.1:1",)),
        ("http://0x7f000001:{port}", ()),
        ("http://[::ffff:127.0.0.1]:{port}", ()),
        ("http://[64:ff9b::7f00:1]:{port}", ()),
        ("http://[2002:7f00:1::]:{port}", ()),
        ("http://224.0.0.1:{port}", ()),
    ],
)
async def test_hosts_that_the_deployment_does_not_allow_are_not_called(api: ApiServer, url: str, hosts: Any) -> None:
    log = api.new_log()
    result = await call(api, hosts=hosts, url=url.format(port=api.url.rpartition(":")[2]))
    assert not result.ok
    assert "security.api_hosts" in (result.error or "") or "cannot be reached" in (result.error or "")
    assert log.received == []


async def test_the_address_that_was_checked_is_the_one_that_is_called(monkeypatch: pytest.MonkeyPatch) -> None:
    """A name is looked up once: it cannot mean another host when the connection is opened."""
    found = ["8.8.8.8", "127.0.0.1"]

    async def looked_up(host: str, port: int, **_: Any) -> list[Any]:
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (found.pop(0), port))]

    monkeypatch.setattr(asyncio.get_running_loop(), "getaddrinfo", looked_up)
    address = await AllowedHosts().address("https://shop.example/v1/orders")
    assert address == ("https://8.8.8.8:443/v1/orders", {"Host": "shop.example"}, {"sni_hostname": "shop.example"})
    assert found == ["127.0.0.1"]
    with pytest.raises(AccessError, match="not public"):
        await AllowedHosts().address("https://shop.example/v1/orders")


async def test_without_an_address_or_a_server_the_result_says_so_and_tells_no_secret(api: ApiServer) -> None:
    nothing = await Caller(HERE).call(effect(), ApiSettings(), remaining_s=30)
    assert nothing.error == "no API: set `flows.api.url` for this tenant"
    gone = await call(api, url="http://127.0.0.1:9", token="s3cret")
    assert (gone.ok, gone.error) == (False, "the API cannot be reached: ConnectError")


async def test_a_name_that_is_looked_up_too_slowly_takes_no_more_than_its_time(
    api: ApiServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def looked_up(host: str, port: int, **_: Any) -> list[Any]:
        await asyncio.sleep(60)
        return []

    monkeypatch.setattr(asyncio.get_running_loop(), "getaddrinfo", looked_up)
    one = effect()
    slow = replace(one, arguments={**one.arguments, "timeout_s": 0.1, "retries": 0})
    result = await call(api, slow)
    assert (result.ok, result.error) == (False, "the API did not answer in time")


async def test_an_answer_that_is_packed_is_refused_before_it_is_unpacked() -> None:
    class Packed(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            asked.append(self.headers["accept-encoding"])
            content = gzip.compress(b"x" * 1_000_000)
            self.send_response(200)
            self.send_header("content-encoding", "gzip")
            self.send_header("content-length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, *_: Any) -> None:
            """Print nothing."""

    asked: list[str] = []
    server = HTTPServer(("127.0.0.1", 0), Packed)
    thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    try:
        api = ApiSettings(url=f"http://127.0.0.1:{server.server_address[1]}")
        result = await Caller(HERE).call(effect(), api, remaining_s=30)
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
    assert (result.ok, result.error) == (False, "the API's answer is packed (gzip), which was not asked for")
    assert asked == ["identity"]


@pytest.mark.parametrize("header", ["Host", "content-length", "Rejoinder-User", "Idempotency-Key", "Transfer-Encoding"])
def test_a_token_takes_the_place_of_no_other_header(header: str) -> None:
    with pytest.raises(ValidationError, match="name another header for the token"):
        ApiSettings(url="http://a", token_header=header)


@pytest.mark.parametrize(
    "url",
    ["ftp://x", "http://", "http://a@b", "http://a/?b", "http://a b", "http://a:99999", "http://a:b", "http://a\\b"],
)
def test_an_address_of_another_form_is_refused(url: str) -> None:
    with pytest.raises(ValidationError):
        ApiSettings(url=url)


def test_a_tenants_own_flows_are_checked_with_its_settings() -> None:
    with pytest.raises(ValidationError, match=r"flows\.definitions\.f: steps\.0: a step has exactly one of"):
        FlowsSettings(definitions={"f": {"title": "f", "steps": [{"sya": "a"}]}})
