"""A real server for the whole session, over a real SQLite file, with real plugins and the real encoder."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest

_ROOT = str(Path(__file__).parents[3])
if _ROOT not in sys.path:  # tests/services is shared by several folders of tests
    sys.path.append(_ROOT)

from tests.services.server import Server, running_server  # noqa: E402

PLUGINS = Path(__file__).parent / "folder_plugins"

SETTINGS = """
[plugins]
disabled = ["customer_service", "finance_sentiment"]
folder = "plugins"

[server]
max_body_bytes = 65536
max_text_chars = 2000
user_requests_per_minute = 0

[hooks]
breaker_failures = 1000

[hooks.deadline_s]
understand_intent = 2.0
retrieve_answers = 1.0
"""


def bearer(token: str, **headers: str) -> dict[str, str]:
    """The headers of somebody."""
    return {"authorization": f"Bearer {token}", **{name.replace("_", "-"): value for name, value in headers.items()}}


def lay_out(folder: Path, *plugins: str) -> None:
    """Write a settings file, and put plugins of this folder beside it."""
    (folder / "plugins").mkdir(parents=True)
    for plugin in plugins:
        shutil.copy(PLUGINS / f"{plugin}.py", folder / "plugins")
    (folder / "rejoinder.toml").write_text(SETTINGS)


@dataclass
class Acme:
    """A tenant of the server, with a key of each role and tokens of two users."""

    server: Server
    client: httpx.Client
    keys: dict[str, str]

    def conversation(self, who: str = "ana") -> str:
        """Begin a conversation and return its path."""
        response = self.client.post("/v1/conversations", headers=bearer(self.keys[who]))
        assert response.status_code == 201, response.text
        location: str = response.headers["location"]
        return location

    def say(self, path: str, text: str, who: str = "ana", **headers: str) -> httpx.Response:
        """Say something in a conversation."""
        return self.client.post(f"{path}/messages", headers=bearer(self.keys[who], **headers), json={"text": text})


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    folder = tmp_path_factory.mktemp("server") / "deployment"
    lay_out(folder, "library", "naughty")
    with running_server(folder) as running:
        yield running


def add_tenant(client: httpx.Client, operator_key: str, tenant: str) -> dict[str, str]:
    """Add a tenant; return a key of each role and tokens of the users ana and ben, by name."""
    operator = bearer(operator_key, rejoinder_tenant=tenant)
    added = client.post("/v1/tenants", headers=bearer(operator_key), json={"id": tenant})
    assert added.status_code == 201, added.text
    keys = {"operator": operator_key}
    for role in ("customer", "agent", "analyst", "admin", "ingest"):
        made = client.post("/v1/keys", headers=operator, json={"role": role, "name": role})
        assert made.status_code == 201, made.text
        keys[role] = made.json()["key"]
    for user in ("ana", "ben"):
        issued = client.post("/v1/tokens", headers=bearer(keys["customer"]), json={"user_id": user})
        assert issued.status_code == 201, issued.text
        keys[user] = issued.json()["token"]
    return keys


@pytest.fixture(scope="session")
def client(server: Server) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=server.url, timeout=60) as made:
        yield made


@pytest.fixture(scope="session")
def acme(server: Server, client: httpx.Client) -> Acme:
    return Acme(server, client, add_tenant(client, server.operator_key, "acme"))


@pytest.fixture(scope="session")
def other(server: Server, client: httpx.Client) -> Acme:
    return Acme(server, client, add_tenant(client, server.operator_key, "other"))
