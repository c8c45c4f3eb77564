"""`rejoinder chat` with its input in a pipe, at a server and in its own process."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.services.server import rejoinder

from .conftest import Acme, add_tenant, lay_out

TALK = "I lost my library card\n/good\n/why\n/intent opening_hours\n/nonsense\n\n/help\n/quit\nnever said\n"


def _check(printed: str, errors: str) -> None:
    assert "We send you a new card." in printed, errors
    assert "(lost_card, " in printed
    assert "learned: " in printed or "noted: " in printed
    assert "understand_intent" in printed
    assert "there is no command /nonsense" in printed
    assert "/answer TEXT" in printed
    assert "never said" not in printed
    assert "Traceback" not in errors


@pytest.fixture(scope="module")
def chatting(acme: Acme) -> Acme:
    """A tenant of its own: what is taught here must not be known elsewhere."""
    return Acme(acme.server, acme.client, add_tenant(acme.client, acme.server.operator_key, "chatting"))


def test_a_chat_for_programs(chatting: Acme) -> None:
    arguments = ("--tenant", "chatting", "--url", chatting.server.url, "--token", chatting.keys["ana"], "--json")
    ended = chatting.server.run("chat", *arguments, stdin="when do you open?\n/bad\n/x\n")
    turn, feedback, error = [json.loads(line) for line in ended.stdout.splitlines()]
    assert turn["label"] == "opening_hours"
    assert feedback["id"]
    assert error["error"]


def test_a_chat_at_a_server(chatting: Acme) -> None:
    acme = chatting
    arguments = ("--tenant", "chatting", "--url", acme.server.url, "--token", acme.keys["agent"], "--user", "dan")
    ended = acme.server.run("chat", *arguments, stdin=TALK)
    assert ended.returncode == 0, ended.stderr
    _check(ended.stdout, ended.stderr)
    listed = acme.client.get(
        "/v1/conversations?user_id=dan", headers={"authorization": f"Bearer {acme.keys['agent']}"}
    ).json()
    assert [one["channel"] for one in listed["conversations"]] == ["terminal"]


def test_an_end_user_may_not_ask_why(acme: Acme) -> None:
    arguments = ("--tenant", "acme", "--url", acme.server.url, "--token", acme.keys["ana"])
    ended = acme.server.run("chat", *arguments, stdin="/good\nhello\n/why\n")
    assert ended.returncode == 0, ended.stderr
    assert "say something first" in ended.stdout
    assert "may not correct" in ended.stdout


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"--tenant": "other"}, "not for the tenant"),
        ({"--token": "rj_wrong"}, "not valid"),
        ({"--url": "http://127.0.0.1:1"}, "cannot be reached"),
        ({"--url": "nonsense"}, "cannot be reached"),
    ],
    ids=str,
)
def test_a_chat_that_cannot_begin_says_why(acme: Acme, change: dict[str, str], told: str) -> None:
    options = {"--tenant": "acme", "--url": acme.server.url, "--token": acme.keys["ana"], **change}
    ended = acme.server.run("chat", *(part for option in options.items() for part in option), stdin="hello\n")
    assert ended.returncode == 1
    assert told in ended.stderr
    assert len(ended.stderr.strip().splitlines()) == 1


def test_a_chat_in_its_own_process(tmp_path: Path) -> None:
    folder = tmp_path / "deployment"
    lay_out(folder, "library")
    assert rejoinder(folder, "tenant", "create", "acme").returncode == 0
    ended = rejoinder(folder, "chat", "--tenant", "acme", "--user", "ana", stdin=TALK)
    assert ended.returncode == 0, ended.stderr
    _check(ended.stdout, ended.stderr)
    unknown = rejoinder(folder, "chat", "--tenant", "acne", stdin="hello\n")
    assert unknown.returncode == 1
    assert "acme" in unknown.stderr
