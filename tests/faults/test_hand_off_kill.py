"""kill -9 of the server around a hand-off: whoever waits goes on waiting, and whoever answers goes on answering."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.services.server import Server, running_server

SETTINGS = '[plugins]\ndisabled = ["customer_service", "finance_sentiment"]\n[store]\nsynchronous = "FULL"\n'
ENDS = ("claimed", "answered", "queued")


@contextmanager
def killed(folder: Path) -> Iterator[tuple[Server, httpx.Client]]:
    """A server that is killed at the end, without a chance to do anything more."""
    with running_server(folder) as server:
        with httpx.Client(base_url=server.url, timeout=60) as client:
            yield server, client
        server.process.kill()
        server.process.wait()


def asked(client: httpx.Client, method: str, path: str, key: str, body: Any = None, **headers: str) -> Any:
    named = {"authorization": f"Bearer {key}", **headers}
    response = client.request(method, path, headers=named, json=body)
    assert response.is_success, response.text
    return response.json() if response.content else None


@pytest.mark.slow
def test_what_was_acknowledged_is_there_after_a_kill(tmp_path: Path) -> None:
    folder = tmp_path / "deployment"
    folder.mkdir()
    (folder / "rejoinder.toml").write_text(SETTINGS)
    paths: dict[str, str] = {}
    with killed(folder) as (server, client):
        asked(client, "POST", "/v1/tenants", server.operator_key, {"id": "acme"})
        operator = {"rejoinder-tenant": "acme"}
        made = {"customer": "shop", "agent": "Eva"}
        keys = {
            role: asked(client, "POST", "/v1/keys", server.operator_key, {"role": role, "name": name}, **operator)[
                "key"
            ]
            for role, name in made.items()
        }
        ana = asked(client, "POST", "/v1/tokens", keys["customer"], {"user_id": "ana"})["token"]
        for end in ENDS:
            path = paths[end] = "/v1/conversations/" + asked(client, "POST", "/v1/conversations", ana)["id"]
            assert asked(client, "POST", f"{path}/messages", ana, {"text": "a person please"})["mode"] == "queued"
            (waiting,) = asked(client, "GET", "/v1/hand-offs?status=queued&limit=1", keys["agent"])["hand_offs"]
            if end == "answered":
                place = f"/v1/hand-offs/{waiting['id']}"
                asked(client, "POST", f"{place}/messages", keys["agent"], {"text": "Eva here."})
            elif end == "claimed":
                asked(client, "POST", f"/v1/hand-offs/{waiting['id']}/claim", keys["agent"])

    with killed(folder) as (_, client):
        found = asked(client, "GET", "/v1/hand-offs", keys["agent"])["hand_offs"]
        states = {f"/v1/conversations/{one['conversation_id']}": one for one in found}
        for end, path in paths.items():
            waits = end == "queued"
            assert states[path]["status"] == ("queued" if waits else "active")
            assert states[path]["agent_name"] == ("" if waits else "Eva")
            shown = asked(client, "GET", path, ana)
            said = [(line["speaker"], line["text"]) for line in shown["history"]]
            assert shown["mode"] == ("queued" if waits else "agent")
            assert (("bot", "You are talking to Eva now.") in said) is not waits
            assert (("agent", "Eva here.") in said) is (end == "answered")
            place = f"/v1/hand-offs/{states[path]['id']}"
            asked(client, "POST", f"{place}/messages", keys["agent"], {"text": "Still here."})
            asked(client, "POST", f"{place}/release", keys["agent"])
            assert asked(client, "GET", path, ana)["mode"] == "bot"
