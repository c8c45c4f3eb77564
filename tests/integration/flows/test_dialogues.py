"""The twenty dialogues with the shipped flows over HTTP at a real server, and the command that runs them."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from xml.etree import ElementTree

import httpx
import pytest
from rejoinder.cli import app
from rejoinder.errors import InvalidInputError
from rejoinder.testing.dialogues import read_script, run_script, running_bot, told
from typer.testing import CliRunner, Result

from tests.services.server import PATIENT_HOOKS, Server, running_server

pytest.importorskip("rejoinder_customer_service", reason="the domain customer_service is not installed")

DIALOGUES = Path(__file__).parents[3] / "domains" / "customer_service" / "tests" / "dialogues"
SHOP = DIALOGUES / "shop.yml"
BESIDE = DIALOGUES / "beside.yml"

SETTINGS = """
[security]
api_hosts = ["127.0.0.1"]

[server]
user_requests_per_minute = 0
turn_deadline_s = 60.0
"""

SMALL = """
settings:
  flows:
    definitions:
      hello:
        title: saying hello
        start: {phrases: [hello flow]}
        slots: {order: {type: order_number, title: order number}}
        steps:
          - {ask: order, text: "Which one?"}
          - {call: "GET /orders/{order}", save: {state: /state}}
          - {say: "It is {state}."}
plugins: [dialogue, flows, redaction]
api: {routes: [{request: GET /orders/*, answers: [{json: {state: here}}]}]}
dialogues:
  - name: it works
    turns:
      - {user: hello flow, bot: "which one?", step: ask_1}
      - {user: order 12345, bot: It is here., calls: [GET /orders/12345], flow: none}
"""
WRONG = """
  - name: it does not
    turns:
      - {user: hello flow, bot: "Which one?", not: which, step: ask_2, slots: {order: "1"}, calls: [GET /x]}
      - {user: never said}
"""


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    folder = tmp_path_factory.mktemp("flows") / "deployment"
    folder.mkdir()
    (folder / "rejoinder.toml").write_text(SETTINGS + PATIENT_HOOKS)
    with running_server(folder) as running:
        yield running


async def test_the_twenty_dialogues_of_the_shop_run_green_over_http(server: Server) -> None:
    script = read_script(SHOP)
    began = time.perf_counter()
    async with running_bot(script, url=server.url, key=server.operator_key) as bot:
        results = await run_script(script, bot)
    assert len(results) == 20
    assert all(one.passed for one in results), f"{told(results)}\n{time.perf_counter() - began:.1f} s"


async def test_several_things_in_one_message_and_questions_at_a_confirmation_run_green_over_http(
    server: Server,
) -> None:
    script = read_script(BESIDE)
    async with running_bot(script, url=server.url, key=server.operator_key) as bot:
        results = await run_script(script, bot)
    assert len(results) == 8
    assert all(one.passed for one in results), told(results)


Run = Callable[..., Result]


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    """Run a command in an empty folder and return its result; it must exit with `code`."""
    for name in [name for name in os.environ if name.startswith("REJOINDER_")]:
        monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)

    def run(*words: str, code: int = 0) -> Result:
        result = CliRunner().invoke(app, words, catch_exceptions=False)
        assert result.exit_code == code, f"rejoinder {' '.join(words)}: {result.exit_code}\n{result.output}"
        return result

    return run


def test_the_command_tells_what_differs_and_where(server: Server, tmp_path: Path, run: Run) -> None:
    (tmp_path / "good.yml").write_text(SMALL)
    (tmp_path / "bad.yml").write_text(SMALL + WRONG)
    at = ("--url", server.url, "--token", server.operator_key)

    assert "1 passed, 0 failed" in run("test", "good.yml", *at).stdout

    told = run("test", "bad.yml", *at, "--junit", "out.xml", code=1).stdout
    assert "✗ it does not" in told
    assert "bad.yml:23: the reply does not contain" in told
    for line in ("expected  ask_2", "got       ask_1", "the slot order", "expected  GET /x", "got       (none)"):
        assert line in told
    assert "never said" not in told
    suite = ElementTree.fromstring((tmp_path / "out.xml").read_text(encoding="utf-8"))  # noqa: S314  # our own
    assert (suite.get("tests"), suite.get("failures")) == ("2", "1")


def test_in_this_process_it_needs_no_server_and_leaves_nothing(tmp_path: Path, run: Run) -> None:
    (tmp_path / "good.yml").write_text(SMALL)
    found = json.loads(run("test", "good.yml", "--json").stdout)
    assert (found["passed"], found["failed"]) == (1, 0)
    assert [turn["user"] for turn in found["dialogues"][0]["turns"]] == ["hello flow", "order 12345"]
    assert {one.name for one in tmp_path.iterdir()} == {"good.yml"}


def test_a_tenants_own_key_is_refused_where_the_script_needs_a_tenant(server: Server, tmp_path: Path, run: Run) -> None:
    operator = {"authorization": f"Bearer {server.operator_key}"}
    with httpx.Client(base_url=server.url, headers=operator, timeout=60) as client:
        assert client.post("/v1/tenants", json={"id": "own"}).status_code == 201
        named = {"rejoinder-tenant": "own"}
        key = client.post("/v1/keys", headers=named, json={"role": "admin", "name": "own"}).json()["key"]
    (tmp_path / "good.yml").write_text(SMALL)
    assert "give an operator's key" in run("test", "good.yml", "--url", server.url, "--token", key, code=1).stderr
    assert "--url needs --token" in run("test", "good.yml", "--url", server.url, code=1).stderr


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (
            "dialogues:\n  - name: a\n    turns:\n      - user: b\n        bto: c",
            "s.yml:5: dialogues.0.turns.0.bto: unknown key. Did you mean 'bot'?",
        ),
        ("dialogues: []", "s.yml:1: dialogues: "),
        ("- a", "expected one document with `dialogues`"),
    ],
)
def test_what_is_wrong_in_a_file_is_told_with_its_line(tmp_path: Path, text: str, expected: str) -> None:
    file = tmp_path / "s.yml"
    file.write_text(text)
    with pytest.raises(InvalidInputError) as raised:
        read_script(file)
    assert expected in str(raised.value)


def test_flows_are_listed_checked_and_drawn(tmp_path: Path, run: Run) -> None:
    listed = {one["flow"] for one in json.loads(run("flows", "list", "--json").stdout)}
    assert {"cancel_order", "track_order", "refund", "change_address", "block_card"} <= listed
    assert "0 problems" in run("flows", "check").stdout
    (tmp_path / "bad.yml").write_text("flow: g\ntitle: g\nstart: {intents: [cancel_ordr]}\nsteps: [{say: '{x}'}]")
    bad = run("flows", "check", "bad.yml", code=1).stdout
    assert "bad.yml:3: unknown intent 'cancel_ordr'. Did you mean 'cancel_order'?" in bad
    assert "bad.yml:4: unknown slot 'x'." in bad
    run("flows", "show", "refund", "--out", "refund.svg")
    assert "which_order" in (tmp_path / "refund.svg").read_text(encoding="utf-8")
    assert "Did you mean 'refund'?" in run("flows", "show", "refnd", code=1).stderr


def test_the_flows_of_a_tenant_are_checked(run: Run, tmp_path: Path) -> None:
    own = {"title": "g", "start": {"phrases": ["do g"]}, "steps": [{"flow": "refund"}, {"end": "Done."}]}
    run("tenant", "create", "shop")
    (tmp_path / "tenants").mkdir()
    (tmp_path / "tenants" / "shop.toml").write_text('[flows]\nuse = ["refund", "cancl_order"]\n')
    run("tenant", "set", "shop", "flows.definitions", json.dumps({"g": own}))
    told = run("flows", "check", "--tenant", "shop", code=1).stdout
    assert "flows.use: there is no flow 'cancl_order'. Did you mean 'cancel_order'?" in told
    assert "1 problems" in told
    run("tenant", "set", "shop", "flows.use", '["refund"]')
    assert "0 problems" in run("flows", "check", "--tenant", "shop").stdout
    assert "not both" in run("flows", "check", "--tenant", "shop", "bad.yml", code=1).stderr
    other = {**own, "steps": [{"end": "Done."}, {"id": "dead", "end": "Never."}]}
    run("tenant", "create", "other")
    refused = run("tenant", "set", "other", "flows.definitions", json.dumps({"g": other}), code=1).stderr
    assert "flows.definitions.g" in refused
    assert "nothing leads to the step 'dead'" in refused
    assert "0 flows, 0 problems" in run("flows", "check", "--tenant", "other").stdout
