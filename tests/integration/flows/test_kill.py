"""kill -9 in the middle of a call: the message sent again with its key goes on, and the work is done once."""

from __future__ import annotations

import threading
import time
from pathlib import Path
from typing import Any

import httpx
from rejoinder.testing.dialogues.pretended_api import api_server
from rejoinder.testing.dialogues.script import ApiAnswer, ApiRoute

from tests.services.server import Server, running_server

PATIENCE_S = 150.0
SETTINGS = '[security]\napi_hosts = ["127.0.0.1"]\n\n[server]\nturn_deadline_s = 60.0\n'
FLOW = {
    "title": "sending something",
    "start": {"phrases": ["send it"]},
    "steps": [
        {"confirm": "Send it?", "no": "end"},
        {"call": "POST /mails", "save": {"id": "/id"}, "timeout_s": 20.0, "retries": 0},
        {"end": "Sent as {id}."},
    ],
}


def say(server: Server, path: str, user: dict[str, str], text: str, key: str) -> dict[str, Any]:
    with httpx.Client(base_url=server.url, timeout=PATIENCE_S) as client:
        answer = client.post(f"{path}/messages", headers={**user, "idempotency-key": key}, json={"text": text})
        assert answer.is_success, answer.text
        told: dict[str, Any] = answer.json()
        return told


def test_a_server_killed_in_a_call_does_the_work_once(tmp_path: Path) -> None:
    (tmp_path / "rejoinder.toml").write_text(SETTINGS)
    slow = ApiRoute(request="POST /mails", answers=(ApiAnswer(body={"id": "M-1"}, delay_s=20.0),))
    with api_server([slow]) as api:
        with running_server(tmp_path) as server:
            path, user = begin(server, api.url)
            say(server, path, user, "send it", "k1")
            log = api.new_log()
            answers: list[object] = []

            def confirm() -> None:
                try:
                    answers.append(say(server, path, user, "yes", "k2"))
                except httpx.TransportError as error:
                    answers.append(error)

            talking = threading.Thread(target=confirm)
            talking.start()
            until = time.monotonic() + PATIENCE_S
            while not log.received and time.monotonic() < until:
                time.sleep(0.02)
            server.process.kill()
            talking.join(PATIENCE_S)
        assert isinstance(answers[0], httpx.TransportError), "nothing was acknowledged"
        with running_server(tmp_path) as server:
            told = say(server, path, user, "yes", "k2")
            again = say(server, path, user, "yes", "k2")
    assert told["reply"]["parts"] == ["Sent as M-1."]
    assert again["id"] == told["id"]
    assert len(log.received) == 2
    assert len({one.headers["idempotency-key"] for one in log.received}) == 1
    assert log.calls == ("POST /mails",)


def begin(server: Server, api_url: str) -> tuple[str, dict[str, str]]:
    """Add a tenant with the flow, and begin a conversation."""
    operator = {"authorization": f"Bearer {server.operator_key}"}
    settings = {"flows": {"definitions": {"send": FLOW}, "api": {"url": api_url}}}
    with httpx.Client(base_url=server.url, headers=operator, timeout=PATIENCE_S) as client:
        body = {"id": "acme", "settings": settings, "plugins": ["dialogue", "flows", "redaction"]}
        assert client.post("/v1/tenants", json=body).status_code == 201
        key = client.post(
            "/v1/keys", headers={"rejoinder-tenant": "acme"}, json={"role": "customer", "name": "shop"}
        ).json()["key"]
        shop = {"authorization": f"Bearer {key}"}
    with httpx.Client(base_url=server.url, timeout=PATIENCE_S) as client:
        token = client.post("/v1/tokens", headers=shop, json={"user_id": "ana"}).json()["token"]
        user = {"authorization": f"Bearer {token}"}
        return client.post("/v1/conversations", headers=user).headers["location"], user
