"""Agents' consoles over real sockets, and in the terminal."""

from __future__ import annotations

import json
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import orjson
import pytest
from websockets.sync.client import ClientConnection, connect

from tests.services.server import PROGRAM, environment

from .conftest import Acme, add_tenant, bearer


@dataclass
class Wire:
    """One side of a socket; frames that were not waited for are passed over."""

    socket: ClientConnection
    seen: list[dict[str, Any]] = field(default_factory=list)

    def send(self, kind: str, **values: Any) -> None:
        self.socket.send(orjson.dumps({"type": kind, **values}).decode())

    def next(self, kind: str, **expected: Any) -> dict[str, Any]:
        """Return the next frame of a kind."""
        while True:
            frame: dict[str, Any] = orjson.loads(self.socket.recv(20))
            self.seen.append(frame)
            if frame["type"] == kind and all(frame.get(name) == value for name, value in expected.items()):
                return frame

    def said(self) -> dict[str, Any]:
        """Return the next turn in which somebody said something by themselves or was answered."""
        turn: dict[str, Any] = self.next("turn")["turn"]
        return turn

    def done(self, kind: str, **values: Any) -> Any:
        """Send a frame, and return what came of it."""
        self.send(kind, **values)
        return self.next("done", of=kind)["result"]


@contextmanager
def opened(acme: Acme, path: str, who: str) -> Iterator[Wire]:
    address = f"{acme.server.url.replace('http://', 'ws://')}{path}/socket"
    with connect(address, additional_headers=bearer(acme.keys[who])) as socket:
        wire = Wire(socket)
        wire.next("ready")
        yield wire


@pytest.fixture(scope="module")
def desk(acme: Acme) -> Acme:
    """A tenant of its own, with tokens of two agents."""
    keys = add_tenant(acme.client, acme.server.operator_key, "desk")
    for agent in ("eva", "tom"):
        body = {"user_id": agent, "role": "agent", "name": agent.capitalize()}
        issued = acme.client.post("/v1/tokens", headers=bearer(keys["admin"]), json=body)
        assert issued.status_code == 201, issued.text
        keys[agent] = issued.json()["token"]
    return Acme(acme.server, acme.client, keys)


def ask(acme: Acme, path: str, method: str = "GET", who: str = "eva", **body: Any) -> Any:
    response = acme.client.request(method, f"/v1/hand-offs{path}", headers=bearer(acme.keys[who]), json=body or None)
    assert response.is_success, response.text
    return response.json()


@contextmanager
def started(acme: Acme, *arguments: str) -> Iterator[subprocess.Popen[str]]:
    """Run a command whose input stays open."""
    folder = acme.server.folder
    process = subprocess.Popen(
        [*PROGRAM, *arguments],
        cwd=folder,
        env=environment(folder),
        text=True,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    late = threading.Timer(60, process.kill)
    late.start()
    try:
        yield process
    finally:
        process.kill()
        late.cancel()
        process.communicate()


def read_until(process: subprocess.Popen[str], text: str) -> str:
    """Return what a command printed up to a line with a text."""
    printed = ""
    assert process.stdout is not None
    while text not in printed:
        line = process.stdout.readline()
        assert line, printed
        printed += line
    return printed


def waits_for(look: Callable[[], Any]) -> Any:
    """Return what is there at last."""
    for _ in range(300):
        if found := look():
            return found
        time.sleep(0.1)
    raise AssertionError


def test_a_session_of_a_console(desk: Acme) -> None:
    """Two consoles and a customer, over sockets, from the queue to the end and to what the bot learned of it."""
    path = desk.conversation()
    with opened(desk, path, "ana") as ana, opened(desk, "/v1/hand-offs", "eva") as eva:
        assert eva.next("queue")["hand_offs"] == []
        ana.send("message", text="can I renew a book by phone?")
        ana.said()
        ana.send("message", text="I want to talk to a person")
        told = ana.said()
        assert told["mode"] == "queued"
        assert told["reply"]["parts"][-1] == "You are number 1 in the queue. It should take about 1 min."
        (waiting,) = eva.next("queue")["hand_offs"]
        assert (waiting["user_id"], waiting["status"], waiting["position"]) == ("ana", "queued", 1)
        assert "can I renew a book by phone?" in json.dumps(ask(desk, f"/{waiting['id']}"))

        with opened(desk, "/v1/hand-offs", "tom") as tom:
            taken = eva.done("claim", id=waiting["id"])
            assert (taken["status"], taken["agent_name"]) == ("active", "Eva")
            assert ana.next("mode")["agent"] == "Eva"
            assert ana.said()["reply"]["parts"] == ["You are talking to Eva now."]
            tom.send("claim", id=waiting["id"], key="k1")
            refused = tom.next("problem")
            assert (refused["problem"]["status"], refused["key"]) == (409, "k1")
            assert "Eva has this conversation" in refused["problem"]["detail"]
            tom.done("note", id=waiting["id"], text="She called yesterday.")
        assert "She called yesterday." in json.dumps(ask(desk, f"/{waiting['id']}"))

        shown = [eva.said()["text"] for _ in range(3)]
        assert shown == ["can I renew a book by phone?", "I want to talk to a person", None]
        ana.send("message", text="how do I renew a book by phone?")
        assert ana.said()["speaker"] == "none"
        assert eva.said()["text"] == "how do I renew a book by phone?"
        suggestion = eva.done("suggest", id=waiting["id"])
        assert suggestion["question"] == "how do I renew a book by phone?"
        answer = "Call us from nine to five, and have your card at hand."
        sent = eva.done("message", id=waiting["id"], text=answer, suggestion=suggestion["decision_id"])
        heard = ana.next("agent")["turn"]
        assert heard == sent
        assert (heard["speaker"], heard["author"], heard["reply"]["parts"]) == ("agent", "Eva", [answer])
        ended = eva.done("close", id=waiting["id"], label="renew_book")
        assert (ended["outcome"], ended["label"]) == ("resolved", "renew_book")
        assert ana.next("mode")["mode"] == "bot"
        assert ana.said()["reply"]["parts"][0].startswith("Eva has ended the conversation.")
        ana.send("message", text="how do I renew a book by phone?")
        assert ana.said()["reply"]["parts"] == [answer]

    lines = desk.client.get(path, headers=bearer(desk.keys["ana"])).json()["history"]
    assert [(line["speaker"], line["author"]) for line in lines if line["text"] == answer] == [
        ("agent", "Eva"),
        ("bot", None),
    ]


def test_a_conversation_is_given_back_and_transferred_over_http(desk: Acme) -> None:
    path = desk.conversation("ben")
    assert desk.say(path, "a person please", "ben").json()["place"]["position"] == 1
    (waiting,) = ask(desk, "?status=queued")["hand_offs"]
    ask(desk, f"/{waiting['id']}/claim", "POST")
    assert [one["id"] for one in ask(desk, "?mine=true")["hand_offs"]] == [waiting["id"]]
    shown = desk.client.get(path, headers=bearer(desk.keys["ben"])).json()
    assert (shown["mode"], shown["hand_off"]["agent"]) == ("agent", "Eva")
    moved = ask(desk, f"/{waiting['id']}/transfer", "POST", to="agent:tom", note="Yours, please.")
    assert (moved["status"], moved["for_agent"], moved["position"]) == ("queued", "agent:tom", 1)
    said = ask(desk, f"/{waiting['id']}/messages", "POST", who="tom", text="Tom here.")
    assert said["author"] == "Tom"
    assert ask(desk, f"/{waiting['id']}/release", "POST", who="tom")["outcome"] == "released"
    assert desk.say(path, "hello", "ben").json()["mode"] == "bot"
    assert [one["outcome"] for one in ask(desk, "?status=closed&limit=1")["hand_offs"]] == ["released"]
    agents = desk.client.get("/v1/agents", headers=bearer(desk.keys["tom"])).json()["agents"]
    assert {one["id"]: one["there"] for one in agents} == {"agent:eva": True, "agent:tom": True}


def test_nobody_else_gets_to_the_queue(desk: Acme, other: Acme) -> None:
    path = desk.conversation()
    desk.say(path, "a person please")
    (waiting,) = ask(desk, "?status=queued")["hand_offs"]
    for who in ("ana", "customer", "analyst", "ingest"):
        response = desk.client.get("/v1/hand-offs", headers=bearer(desk.keys[who]))
        assert response.status_code == 403, who
    for step in ("", "/claim", "/messages", "/suggestions", "/notes", "/transfer", "/release", "/close"):
        body = {"text": "hello"} if step in ("/messages", "/notes") else None
        method = "POST" if step else "GET"
        response = desk.client.request(
            method, f"/v1/hand-offs/{waiting['id']}{step}", headers=bearer(other.keys["agent"]), json=body
        )
        assert response.status_code == 404, (step, response.text)
    with opened(other, "/v1/hand-offs", "agent") as stranger:
        assert stranger.next("queue")["hand_offs"] == []
        stranger.send("claim", id=waiting["id"])
        assert stranger.next("problem")["problem"]["status"] == 404
    ask(desk, f"/{waiting['id']}/release", "POST")


def test_a_customer_is_no_agent_however_they_ask(desk: Acme) -> None:
    body = {"user_id": "ana", "role": "agent", "name": "Ana"}
    for who in ("customer", "ana"):
        assert desk.client.post("/v1/tokens", headers=bearer(desk.keys[who]), json=body).status_code == 403
    address = f"{desk.server.url.replace('http://', 'ws://')}/v1/hand-offs/socket"
    with connect(address, additional_headers=bearer(desk.keys["ana"])) as socket:
        assert orjson.loads(socket.recv(10))["problem"]["status"] == 403


@pytest.mark.parametrize(
    ("frame", "status"),
    [
        ({"type": "shout"}, 422),
        ({"type": "claim"}, 422),
        ({"type": "claim", "id": 3}, 422),
        ({"type": "claim", "id": "handoff_1"}, 404),
        ({"type": "message", "id": "handoff_1"}, 422),
        ({"type": "message", "id": "handoff_1", "text": "a", "colour": "red"}, 422),
        ({"type": "presence", "state": "asleep"}, 422),
    ],
    ids=str,
)
def test_a_frame_that_cannot_be_used_is_answered(desk: Acme, frame: dict[str, Any], status: int) -> None:
    with opened(desk, "/v1/hand-offs", "eva") as eva:
        eva.send(**{"kind": frame.pop("type"), **frame})
        assert eva.next("problem")["problem"]["status"] == status
        eva.send("ping")
        eva.next("pong")


def test_an_agent_in_the_terminal(desk: Acme) -> None:
    path = desk.conversation("ben")
    desk.say(path, "do you lend board games?", "ben")
    desk.say(path, "a person please", "ben")
    typed = "/queue\nhello?\n/take\n/teach Yes, we lend board games for two weeks.\n/note all done\n/close\n/nonsense\n/quit\nlate\n"
    arguments = ("agent", "--tenant", "desk", "--url", desk.server.url, "--token", desk.keys["eva"])
    ended = desk.server.run(*arguments, stdin=typed)
    assert ended.returncode == 0, ended.stderr
    assert "You are Eva" in ended.stdout
    assert "1) ben waits: asked for a person" in ended.stdout
    assert "! you have no conversation: take one with /take" in ended.stdout
    assert "Why: asked for a person" in ended.stdout
    assert "(close: done)" in ended.stdout
    assert "there is no command /nonsense" in ended.stdout
    lines = desk.client.get(path, headers=bearer(desk.keys["ben"])).json()["history"]
    assert ("agent", "Eva", "Yes, we lend board games for two weeks.") in [
        (line["speaker"], line["author"], line["text"]) for line in lines
    ]


def test_a_customer_in_the_terminal_sees_who_answers(desk: Acme) -> None:
    """The customer's input stays open: what the agent says is shown while nothing is typed."""
    arguments = ("chat", "--tenant", "desk", "--url", desk.server.url, "--token", desk.keys["ben"])
    with started(desk, *arguments) as chat:
        assert chat.stdin is not None
        chat.stdin.write("a person please\nhello?\n")
        chat.stdin.flush()
        waiting = waits_for(lambda: ask(desk, "?status=queued")["hand_offs"])
        ask(desk, f"/{waiting[0]['id']}/messages", "POST", text="Eva here, hello!")
        printed = read_until(chat, "Eva here, hello!")
        assert "in the queue" in printed
        assert "You are talking to Eva now." in printed
        assert "Eva  Eva here, hello!" in printed
        ask(desk, f"/{waiting[0]['id']}/release", "POST")


def test_who_is_no_agent_is_told_so_in_one_line(desk: Acme) -> None:
    arguments = ("agent", "--tenant", "desk", "--url", desk.server.url, "--token", desk.keys["ana"])
    ended = desk.server.run(*arguments, stdin="/queue\n")
    assert ended.returncode == 1
    assert ended.stderr.startswith("rejoinder: the role 'customer' may not take over here")
    assert len(ended.stderr.splitlines()) == 1
