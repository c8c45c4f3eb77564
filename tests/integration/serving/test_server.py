"""The real thing: a process, HTTP, SQLite, plugins, the encoder."""

from __future__ import annotations

import re
import signal
import socket
import subprocess
import threading
import time
from pathlib import Path
from typing import Any

import httpx
import orjson
import pytest
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import connect

from tests.services.server import Server, rejoinder, running_server

from .conftest import Acme, add_tenant, bearer, lay_out

API_GUIDE = Path(__file__).parents[3] / "docs" / "api.md"


# --- the circle ----------------------------------------------------------------------------------------------------


def test_a_correction_changes_the_very_next_answer(acme: Acme) -> None:
    path = acme.conversation()
    first = acme.say(path, "the reading room is too cold").json()
    assert first["decision_id"]
    answer = "We turned the heating up."
    body = {"decision_id": first["decision_id"], "kind": "corrected_answer", "value": answer}
    learned = acme.client.post("/v1/feedback", headers=bearer(acme.keys["ana"]), json=body).json()
    assert learned["learned"], learned
    again = acme.say(acme.conversation("ben"), "the reading room is too cold", "ben").json()
    assert again["reply"]["parts"][0] == answer


def test_a_message_is_answered_by_the_domain(acme: Acme) -> None:
    turn = acme.say(acme.conversation(), "I lost my library card").json()
    assert turn["reply"]["parts"] == ["We send you a new card."]
    assert (turn["label"], turn["action"], turn["mode"], turn["speaker"]) == ("lost_card", "answer", "bot", "bot")
    assert turn["model_versions"]["intent"]


def test_a_repeated_message_and_repeated_feedback_count_once(acme: Acme) -> None:
    path = acme.conversation()
    turns = [acme.say(path, "when do you open?", idempotency_key="m1").json() for _ in range(2)]
    assert turns[0] == turns[1]
    assert acme.say(path, "something else", idempotency_key="m1").status_code == 409
    body = {"decision_id": turns[0]["decision_id"], "kind": "thumbs", "value": 1}
    given = [
        acme.client.post("/v1/feedback", headers=bearer(acme.keys["ana"], idempotency_key="f1"), json=body).json()
        for _ in range(2)
    ]
    assert (given[0]["id"], given[0]["repeated"], given[1]["repeated"]) == (given[1]["id"], False, True)
    page = acme.client.get(f"{path}/turns", headers=bearer(acme.keys["ana"])).json()
    assert [one["number"] for one in page["turns"]] == [1]


def test_a_reply_comes_as_events(acme: Acme) -> None:
    path = acme.conversation()
    response = acme.say(path, "when do you open?", accept="text/event-stream")
    assert response.headers["content-type"].startswith("text/event-stream")
    assert re.findall(r"^event: (.*)$", response.text, re.MULTILINE) == ["part", "turn"]
    told = acme.client.get(path, headers=bearer(acme.keys["ana"])).json()
    assert [line["speaker"] for line in told["history"]] == ["user", "bot"]
    assert told["turns"] == 1


def test_conversations_and_turns_are_paged(acme: Acme) -> None:
    path = acme.conversation("ben")
    for number in range(5):
        acme.say(path, f"when do you open on day {number}?", "ben")
    ben = bearer(acme.keys["ben"])
    first = acme.client.get(f"{path}/turns?limit=3", headers=ben).json()
    rest = acme.client.get(f"{path}/turns?limit=3&after={first['next']}", headers=ben).json()
    assert [one["number"] for one in (*first["turns"], *rest["turns"])] == [1, 2, 3, 4, 5]
    assert rest["next"] is None
    acme.conversation("ben")
    one = acme.client.get("/v1/conversations?limit=1", headers=ben).json()
    two = acme.client.get("/v1/conversations", params={"limit": 1, "before": one["next"]}, headers=ben).json()
    assert one["conversations"][0]["id"] != two["conversations"][0]["id"]
    assert {item["user_id"] for item in (*one["conversations"], *two["conversations"])} == {"ben"}


def test_customers_list_their_own_conversations_whatever_they_ask_for(acme: Acme) -> None:
    acme.conversation("ana")
    listed = acme.client.get("/v1/conversations?user_id=ana", headers=bearer(acme.keys["ben"])).json()
    assert {one["user_id"] for one in listed["conversations"]} <= {"ben"}
    listed = acme.client.get("/v1/conversations?user_id=ana", headers=bearer(acme.keys["agent"])).json()
    assert {one["user_id"] for one in listed["conversations"]} == {"ana"}


# --- bad plugins ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("wish", "outcome"), [("raise", "error"), ("hang", "timeout"), ("wrong", "wrong_result")], ids=lambda one: one
)
def test_a_plugin_that_fails_never_fails_a_turn(acme: Acme, wish: str, outcome: str) -> None:
    path = acme.conversation()
    started = time.monotonic()
    response = acme.say(path, f"please {wish}: I lost my library card")
    assert response.status_code == 200, response.text
    assert time.monotonic() - started < 10
    turn = response.json()
    assert turn["reply"]["parts"]
    told = acme.client.get(f"{path}/turns/{turn['id']}", headers=bearer(acme.keys["analyst"])).json()
    failed = [call for call in told["trace"] if call["plugin"] == "naughty" and call["hook"] == "understand_intent"]
    assert [call["outcome"] for call in failed] == [outcome]
    assert "naughty" not in response.text


def test_a_message_that_cannot_be_redacted_is_not_stored(acme: Acme) -> None:
    path = acme.conversation()
    response = acme.say(path, "this is unredactable")
    assert response.status_code == 503
    assert response.json()["type"] == "urn:rejoinder:problem:not-redacted"
    assert acme.client.get(path, headers=bearer(acme.keys["ana"])).json()["history"] == []


def test_a_misspelt_plugin_is_refused_at_the_start_with_the_right_name(tmp_path: Path) -> None:
    lay_out(tmp_path / "deployment")
    (tmp_path / "deployment" / "plugins" / "typo.py").write_text(
        "from rejoinder.hooks import hookimpl\n\n@hookimpl()\ndef retrieve_answer(query, context):\n    return []\n"
    )
    ended = rejoinder(tmp_path / "deployment", "serve", "--port", "0")
    assert ended.returncode == 1
    assert "retrieve_answers" in ended.stderr
    assert "Traceback" not in ended.stderr


# --- bad input -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("body", "status"),
    [
        (b'{"text": ""}', 422),
        (b'{"text": " \\n\\t "}', 422),
        (b'{"text": "a\\u0000b"}', 422),
        (b'{"text": "' + b"x" * 2001 + b'"}', 422),
        (b'{"text": "' + b"x" * 70_000 + b'"}', 413),
        (b'{"text": "caf\xe9"}', 400),
        (b'{"text": "\\ud83d"}', 400),
        (b'{"text": ', 400),
        (b"text=hello", 400),
    ],
    ids=lambda value: repr(value[:24]) if isinstance(value, bytes) else str(value),
)
def test_a_text_that_cannot_be_used_is_refused(acme: Acme, body: bytes, status: int) -> None:
    path = acme.conversation()
    headers = bearer(acme.keys["ana"], content_type="application/json")
    response = acme.client.post(f"{path}/messages", headers=headers, content=body)
    assert response.status_code == status
    assert response.headers["content-type"] == "application/problem+json"
    assert acme.client.get(path, headers=bearer(acme.keys["ana"])).json()["turns"] == 0


def test_an_oversized_body_without_a_length_is_cut_off(acme: Acme) -> None:
    def chunks() -> Any:
        for _ in range(100):
            yield b"x" * 4096

    headers = bearer(acme.keys["ana"], content_type="application/json")
    try:
        response = acme.client.post(f"{acme.conversation()}/messages", headers=headers, content=chunks())
    except httpx.WriteError:  # the server may end the connection while we still send
        return
    assert response.status_code == 413


def test_another_tenants_and_users_things_are_not_found(acme: Acme, other: Acme) -> None:
    path = acme.conversation("ana")
    turn = acme.say(path, "when do you open?").json()
    body = {"decision_id": turn["decision_id"], "kind": "thumbs", "value": 1}
    for keys in (acme.keys["ben"], acme.keys["customer"], other.keys["ana"], other.keys["admin"], other.keys["agent"]):
        headers = bearer(keys)
        assert acme.client.get(path, headers=headers).status_code == 404
        assert acme.client.post(f"{path}/messages", headers=headers, json={"text": "hi"}).status_code == 404
        assert acme.client.post("/v1/feedback", headers=headers, json=body).status_code == 404
    for keys in (other.keys["admin"], other.keys["agent"]):
        headers = bearer(keys)
        assert acme.client.post(f"{path}/agent-messages", headers=headers, json={"text": "hi"}).status_code == 404
        assert acme.client.post(f"{path}/release", headers=headers).status_code == 404
        assert acme.client.get(f"{path}/turns/{turn['id']}", headers=headers).status_code == 404
    key_id = acme.client.get("/v1/keys", headers=bearer(acme.keys["admin"])).json()["keys"][0]["id"]
    assert acme.client.delete(f"/v1/keys/{key_id}", headers=bearer(other.keys["admin"])).status_code == 404


def test_a_revoked_key_and_its_tokens_are_refused(acme: Acme) -> None:
    admin = bearer(acme.keys["admin"])
    made = acme.client.post("/v1/keys", headers=admin, json={"role": "customer"}).json()
    issued = acme.client.post("/v1/tokens", headers=bearer(made["key"]), json={"user_id": "cleo"}).json()["token"]
    assert acme.client.post("/v1/conversations", headers=bearer(issued)).status_code == 201
    revoked = acme.client.delete(f"/v1/keys/{made['id']}", headers=admin).json()
    assert revoked["revoked_at"]
    for token in (made["key"], issued):
        assert acme.client.post("/v1/conversations", headers=bearer(token)).status_code == 401


def test_a_disabled_tenant_is_refused(server: Server, client: httpx.Client) -> None:
    keys = add_tenant(client, server.operator_key, "closing")
    operator = bearer(server.operator_key)
    assert client.patch("/v1/tenants/closing", headers=operator, json={"disabled": True}).json()["disabled"]
    for name in ("ana", "admin", "customer"):
        assert client.post("/v1/conversations", headers=bearer(keys[name])).status_code == 401
    client.patch("/v1/tenants/closing", headers=operator, json={"disabled": False})
    assert client.get("/v1/tenants/me", headers=bearer(keys["admin"])).status_code == 200


def test_an_unknown_tenant_is_told_to_operators_only(acme: Acme) -> None:
    operator = bearer(acme.keys["operator"])
    assert acme.client.get("/v1/tenants/acne", headers=operator).status_code == 404
    named = {**operator, "rejoinder-tenant": "acne"}
    assert acme.client.post("/v1/conversations", headers=named).status_code == 404
    for tenant in ("acne", "other"):
        assert acme.client.get(f"/v1/tenants/{tenant}", headers=bearer(acme.keys["admin"])).status_code == 403


@pytest.mark.parametrize(
    ("key", "value", "hint"),
    [
        ("library.scare", 0.5, "score"),
        ("libary.score", 0.5, "library"),
        ("library.score", 2, "1"),
        ("library.score", "high", "score"),
        ("library", 1, "library"),
        ("library.", 1, "library"),
    ],
)
def test_an_unknown_setting_is_refused_with_a_hint(acme: Acme, key: str, value: object, hint: str) -> None:
    response = acme.client.put(
        f"/v1/tenants/me/settings/{key}", headers=bearer(acme.keys["admin"]), json={"value": value}
    )
    assert response.status_code == 422, response.text
    assert hint in response.json()["detail"]


def test_settings_and_plugins_are_changed_and_put_back(other: Acme) -> None:
    admin = bearer(other.keys["admin"])

    def shown(response: httpx.Response) -> Any:
        assert response.status_code == 200, response.text
        return {one["key"]: one["value"] for one in response.json()["settings"]}

    url = "/v1/tenants/me/settings/library.score"
    assert shown(other.client.put(url, headers=admin, json={"value": 0.7}))["library.score"] == 0.7
    assert shown(other.client.delete(url, headers=admin))["library.score"] == 0.9
    assert other.client.delete(url, headers=admin).status_code == 404
    without = other.client.delete("/v1/tenants/me/plugins/naughty", headers=admin).json()
    assert "naughty" not in without["enabled"]
    assert "naughty" in other.client.put("/v1/tenants/me/plugins/naughty", headers=admin).json()["enabled"]
    assert other.client.put("/v1/tenants/me/plugins/nauhgty", headers=admin).status_code == 422


def test_roles_cannot_raise_themselves(acme: Acme) -> None:
    for who in ("ana", "customer", "agent", "analyst", "ingest"):
        assert acme.client.post("/v1/keys", headers=bearer(acme.keys[who]), json={"role": "admin"}).status_code == 403
    made = acme.client.post("/v1/keys", headers=bearer(acme.keys["admin"]), json={"role": "operator"})
    assert made.status_code == 422
    impostor = acme.client.post("/v1/tokens", headers=bearer(acme.keys["customer"]), json={"user_id": "key:x"})
    assert impostor.status_code == 422
    assert acme.client.post("/v1/tokens", headers=bearer(acme.keys["ana"]), json={"user_id": "ben"}).status_code == 403


# --- examples ------------------------------------------------------------------------------------------------------


def test_examples_are_loaded_row_by_row(other: Acme) -> None:
    admin = bearer(other.keys["admin"])
    rows = [
        {"text": "how do I renew my book", "label": "renew"},
        {"text": "", "label": "renew"},
        {"text": "a", "lable": "renew"},
        "no object",
        {"text": "extend my loan please", "label": "renew"},
        {"text": "no label"},
        {"text": "card 4111 1111 1111 1111 unredactable", "label": "renew"},
    ]
    told = other.client.post("/v1/examples", headers=admin, json=rows).json()
    assert (told["loaded"], told["repeated"], told["bad_count"]) == (2, 0, 5)
    assert [row["index"] for row in told["bad"]] == [1, 2, 3, 5, 6]
    assert "lable" in told["bad"][1]["reason"]
    lines = b"\n".join([orjson.dumps(rows[0]), b"{", b"", orjson.dumps({"text": "keep it longer", "label": "renew"})])
    headers = {**admin, "content-type": "application/x-ndjson"}
    told = other.client.post("/v1/examples", headers=headers, content=lines).json()
    assert (told["loaded"], told["repeated"], told["bad_count"]) == (1, 1, 1)
    exported = other.client.get("/v1/examples?task=intent", headers=admin).text.splitlines()
    assert {orjson.loads(line)["text"] for line in exported} >= {"how do I renew my book", "keep it longer"}
    turn = other.say(other.conversation(), "extend my loan please").json()
    assert turn["label"] == "renew"


@pytest.mark.parametrize("moment", ["2026-01-01T00:00:00", "0001-01-01T00:00:00+23:59", "9999-12-31T23:59:59-23:59"])
def test_an_odd_moment_is_refused(acme: Acme, moment: str) -> None:
    admin = bearer(acme.keys["admin"])
    listed = acme.client.get("/v1/conversations", params={"before": moment}, headers=admin)
    made = acme.client.post("/v1/keys", headers=admin, json={"role": "agent", "expires_at": moment})
    assert (listed.status_code, made.status_code) == (422, 422)


@pytest.mark.parametrize("depth", [60, 100, 300, 1000])
def test_deep_nesting_hurts_nothing(acme: Acme, depth: int) -> None:
    admin = bearer(acme.keys["admin"], content_type="application/json")
    deep = b"[" * depth + b"]" * depth
    for method, path, body in (
        ("PUT", "/v1/tenants/me/settings/library.score", b'{"value": ' + deep + b"}"),
        ("POST", "/v1/examples", b'[{"text": "a", "label": "b", "target": ' + deep + b"}]"),
        ("POST", "/v1/feedback", b'{"decision_id": "d", "kind": "free_text", "value": ' + deep + b"}"),
    ):
        response = acme.client.request(method, path, headers=admin, content=body)
        assert response.status_code in (200, 400, 422), response.text


@pytest.mark.parametrize(
    ("content_type", "body", "status"),
    [
        ("application/json", b"{}", 422),
        ("application/json", b"[]", 422),
        ("application/json", b"[", 400),
        ("application/x-ndjson", b"\n\n", 422),
        ("text/csv", b"text,label", 415),
    ],
)
def test_an_import_of_another_shape_is_refused(acme: Acme, content_type: str, body: bytes, status: int) -> None:
    headers = bearer(acme.keys["admin"], content_type=content_type)
    assert acme.client.post("/v1/examples", headers=headers, content=body).status_code == status


def test_model_versions_are_listed(acme: Acme) -> None:
    acme.say(acme.conversation(), "when do you open?")
    listed = acme.client.get("/v1/models?task=intent&state=live", headers=bearer(acme.keys["analyst"])).json()
    assert [one["state"] for one in listed["versions"]] == ["live"]


def test_a_version_is_promoted_and_rolled_back(acme: Acme) -> None:
    acme.say(acme.conversation(), "when do you open?")
    admin = bearer(acme.keys["admin"])
    row = {"task": "intent", "text": "may I bring my dog", "label": "pets"}
    assert acme.client.post("/v1/examples", headers=admin, json=[row]).status_code == 200
    versions = acme.client.get("/v1/models?task=intent", headers=admin).json()["versions"]
    new, old = versions[0], versions[1]
    assert (new["state"], old["state"]) == ("live", "retired")

    promoted = acme.client.post(f"/v1/models/{old['id']}/promote", headers=admin)
    assert (promoted.status_code, promoted.json()["state"]) == (200, "live")
    again = acme.client.post(f"/v1/models/{old['id']}/promote", headers=admin)
    assert (again.status_code, again.json()["type"]) == (409, "urn:rejoinder:problem:conflict")
    back = acme.client.post("/v1/models/rollback", headers=admin, json={"task": "intent"}).json()
    assert (back["live"]["id"], back["retired"]["id"]) == (new["id"], old["id"])
    shown = acme.client.get(f"/v1/models/{new['id']}", headers=bearer(acme.keys["analyst"])).json()
    assert (shown["state"], shown["lineage"][0]["id"], shown["evaluations"]) == ("live", old["id"], [])


def test_the_status_of_learning_is_told(acme: Acme) -> None:
    acme.say(acme.conversation(), "when do you open?")
    told = acme.client.get("/v1/learning/status?days=1", headers=bearer(acme.keys["analyst"])).json()
    assert told["conversations"] >= 1
    assert told["containment"] == 1.0
    assert {"versions", "runs", "trials", "decided"} <= set(told)
    assert acme.client.get("/v1/learning/status", headers=bearer(acme.keys["ana"])).status_code == 403
    assert acme.client.get("/v1/learning/status?days=0", headers=bearer(acme.keys["analyst"])).status_code == 422


def test_only_admins_change_which_model_answers(acme: Acme) -> None:
    acme.say(acme.conversation(), "when do you open?")
    (version, *_) = acme.client.get("/v1/models?state=live", headers=bearer(acme.keys["admin"])).json()["versions"]
    for role in ("analyst", "agent", "ana"):
        promoted = acme.client.post(f"/v1/models/{version['id']}/promote", headers=bearer(acme.keys[role]))
        back = acme.client.post("/v1/models/rollback", headers=bearer(acme.keys[role]), json={"task": "intent"})
        assert (promoted.status_code, back.status_code) == (403, 403)


def test_a_model_version_that_is_not_there_is_not_found(acme: Acme) -> None:
    admin = bearer(acme.keys["admin"])
    for response in (
        acme.client.get("/v1/models/model_x", headers=admin),
        acme.client.post("/v1/models/model_x/promote", headers=admin),
        acme.client.post("/v1/models/rollback", headers=admin, json={"task": "no-such-task"}),
    ):
        assert (response.status_code, response.json()["type"]) == (404, "urn:rejoinder:problem:not-found")


# --- sockets -------------------------------------------------------------------------------------------------------


def _socket_url(acme: Acme, path: str) -> str:
    return f"{acme.server.url.replace('http://', 'ws://')}{path}/socket"


def test_a_conversation_over_a_real_socket(acme: Acme) -> None:
    path = acme.conversation()
    with connect(_socket_url(acme, path)) as socket:
        socket.send(orjson.dumps({"token": acme.keys["ana"]}).decode())
        assert orjson.loads(socket.recv(10))["type"] == "ready"
        socket.send(orjson.dumps({"type": "message", "text": "when do you open?"}).decode())
        frames = [orjson.loads(socket.recv(10)) for _ in range(2)]
        assert [frame["type"] for frame in frames] == ["part", "turn"]
        decision_id = frames[1]["turn"]["decision_id"]
        feedback = {"type": "feedback", "decision_id": decision_id, "kind": "thumbs", "value": 1}
        socket.send(orjson.dumps(feedback).decode())
        assert orjson.loads(socket.recv(10))["type"] == "feedback"
        acme.client.post(f"{path}/agent-messages", headers=bearer(acme.keys["agent"]), json={"text": "Kim here"})
        frames = [orjson.loads(socket.recv(10)) for _ in range(3)]
        assert [frame["type"] for frame in frames] == ["mode", "turn", "agent"]
        assert frames[2]["turn"]["reply"]["parts"] == ["Kim here"]


@pytest.mark.parametrize(("frame", "code"), [("x" * 100_000, 1009), (b"\xff" * 100_000, 1009)], ids=["text", "binary"])
def test_an_oversized_frame_closes_a_real_socket(acme: Acme, frame: str | bytes, code: int) -> None:
    with connect(
        _socket_url(acme, acme.conversation()), additional_headers=bearer(acme.keys["ana"]), max_size=None
    ) as socket:
        assert orjson.loads(socket.recv(10))["type"] == "ready"
        socket.send(frame)
        with pytest.raises(ConnectionClosed) as ended:
            socket.recv(10)
        assert ended.value.rcvd is not None
        assert ended.value.rcvd.code == code


def test_a_stranger_is_closed_out_of_a_real_socket(acme: Acme) -> None:
    path = acme.conversation("ana")
    with connect(_socket_url(acme, path), additional_headers=bearer(acme.keys["ben"])) as socket:
        assert orjson.loads(socket.recv(10))["problem"]["status"] == 404
        with pytest.raises(ConnectionClosed) as ended:
            socket.recv(10)
        assert ended.value.rcvd is not None
        assert ended.value.rcvd.code == 4404


# --- the process ---------------------------------------------------------------------------------------------------


def test_a_taken_port_is_told_in_one_line(server: Server) -> None:
    port = server.url.rpartition(":")[2]
    ended = server.run("serve", "--port", port)
    assert ended.returncode == 1
    assert f"port {port} of 127.0.0.1 is taken" in ended.stderr
    assert len(ended.stderr.strip().splitlines()) == 1


def test_an_interrupted_server_ends_cleanly(tmp_path: Path) -> None:
    folder = tmp_path / "deployment"
    lay_out(folder, "library")
    with running_server(folder) as server, httpx.Client(base_url=server.url, timeout=60) as client:
        own = Acme(server, client, add_tenant(client, server.operator_key, "acme"))
        with connect(_socket_url(own, own.conversation()), additional_headers=bearer(own.keys["ana"])) as socket:
            assert orjson.loads(socket.recv(10))["type"] == "ready"
            server.process.send_signal(signal.SIGINT)
            with pytest.raises(ConnectionClosed) as ended:
                socket.recv(20)
            assert ended.value.rcvd is not None
            assert ended.value.rcvd.code == 1012
        assert server.process.wait(30) == 0
    assert "Traceback" not in server.log


def test_raw_rubbish_does_not_hurt(server: Server, client: httpx.Client) -> None:
    host, _, port = server.url.removeprefix("http://").partition(":")
    for rubbish in (
        b"\x00\xff" * 100,
        b"GET / HTTP/9.9\r\n\r\n",
        b"POST /v1/feedback HTTP/1.1\r\ncontent-length: -5\r\n\r\n",
    ):
        with socket.create_connection((host, int(port)), timeout=5) as raw:
            raw.sendall(rubbish)
            raw.shutdown(socket.SHUT_WR)
            raw.recv(4096)
    assert client.get("/v1/health").status_code == 200


def test_many_users_at_once(acme: Acme) -> None:
    failures: list[object] = []

    def talk(number: int) -> None:
        try:
            path = acme.conversation()
            for turn in range(5):
                response = acme.say(path, f"when do you open, {number} {turn}?")
                if response.status_code != 200 or response.json()["number"] != turn + 1:
                    failures.append(response.text)
        except Exception as error:
            failures.append(error)

    threads = [threading.Thread(target=talk, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert failures == []


def test_the_guides_commands_work(server: Server) -> None:
    script = "\n".join(re.findall(r"```sh\n(.*?)```", API_GUIDE.read_text(encoding="utf-8"), re.DOTALL))
    script = script.replace("URL=http://127.0.0.1:8080", f"URL={server.url}").replace("acme", "guide")
    # Each command must be answered, and not with an error.
    script = 'set -e\ncurl() { command curl --fail-with-body --show-error "$@"; echo; }\n' + script
    ran = subprocess.run(
        ["bash", "-c", script],
        env={"OPERATOR_KEY": server.operator_key, "PATH": "/usr/bin:/bin"},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert ran.returncode == 0, ran.stdout + ran.stderr
    assert '"learned":true' in ran.stdout
    assert "event: turn" in ran.stdout


def test_nothing_secret_or_private_is_logged(acme: Acme) -> None:
    acme.say(acme.conversation(), "my pet is called Zanzibar-77, please raise")
    log = acme.server.log
    assert "Zanzibar-77" not in log
    for token in acme.keys.values():
        assert token not in log
