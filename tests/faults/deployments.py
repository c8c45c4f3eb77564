"""A deployment in a folder whose processes are killed and started again, and somebody who talks to it meanwhile."""

from __future__ import annotations

import asyncio
import itertools
import json
import shutil
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cached_property
from multiprocessing.context import ForkServerProcess
from pathlib import Path
from typing import Any, Protocol
from uuid import uuid4

import asyncpg
import httpx
import pytest
from rejoinder.settings import load_settings
from rejoinder.store.database import Database
from rejoinder.store.feedback import list_feedback
from rejoinder.store.models import list_versions
from rejoinder.store.runs import get_run
from rejoinder.store.tables import AdaptationRun, Turn
from rejoinder.store.tenants import create_tenant
from sqlalchemy import select

from tests.faults.processes import kill, start_server, start_worker
from tests.services.common import free_port
from tests.services.server import PATIENT_HOOKS, rejoinder

LEASE_S = 1.0
PATIENCE_S = 240.0
LOOK_S = 0.15
"""Between two looks into the store, each of which opens it anew."""

SETTINGS = """
data_dir = "data"

[plugins]
disabled = ["customer_service", "intent"]
folder = "plugins"

[server]
user_requests_per_minute = 0
turn_deadline_s = 60.0

[learning]
feedback_per_minute = 0
feedback_per_hour = 0
feedback_per_day = 0

{hooks}

[workers]
lease_s = {lease_s}
{broker}

[store]
{store}

{more}
"""

PLUGIN = '''
"""The intent task of the tests; a fit waits as long as the file `hold` is there."""

import asyncio
import sys
from pathlib import Path

sys.path.insert(0, {root!r})

from rejoinder import hookimpl
from tests.support.learners import TaughtPlugin

FOLDER = Path(__file__).parent.parent


class Waiting(TaughtPlugin):
    @hookimpl(tryfirst=True)
    async def adapt_model(self, request):
        with (FOLDER / "began").open("a") as file:
            file.write(f"{{request.run_id}}\\n")
        while (FOLDER / "hold").exists():
            await asyncio.sleep(0.05)
        return None


plugin = Waiting()
'''


class Broker(Protocol):
    """What can be killed and started again."""

    def kill(self) -> None:
        """End it at once."""

    def start(self) -> None:
        """Start it again."""


@dataclass
class Folder:
    """The default broker; killed, it has lost its messages."""

    place: Path

    def kill(self) -> None:
        shutil.rmtree(self.place, ignore_errors=True)

    def start(self) -> None:
        pass


@dataclass
class Deployment:
    """A deployment in a folder, with the tenant acme.

    Attributes:
        kills: how often the server was killed.
        up: whether it should answer.
    """

    folder: Path
    operator_key: str = ""
    port: int = field(default_factory=free_port)
    kills: int = 0
    up: bool = False
    worker: ForkServerProcess | None = None
    server: ForkServerProcess | None = None

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def headers(self) -> dict[str, str]:
        return {"authorization": f"Bearer {self.operator_key}", "rejoinder-tenant": "acme"}

    @property
    def log(self) -> str:
        return "".join(
            f"\n== {name}\n{file.read_text(errors='replace')[-8000:]}"
            for name in ("worker.log", "server.log")
            if (file := self.folder / name).exists()
        )

    @property
    def began(self) -> list[str]:
        """The runs whose fit began, once for each time."""
        file = self.folder / "began"
        return file.read_text().split() if file.exists() else []

    @property
    def hold(self) -> Path:
        return self.folder / "hold"

    @cached_property
    def settings(self) -> Any:
        data = {"REJOINDER_DATA_DIR": str(self.folder / "data")}
        return load_settings(self.folder / "rejoinder.toml", data).settings

    def start_worker(self) -> None:
        self.worker = start_worker(self.folder)

    def kill_worker(self) -> None:
        if self.worker is not None:
            kill(self.worker)
            self.worker = None

    def start_server(self) -> None:
        self.server = start_server(self.folder, self.port)
        self.wait("the server is ready", self._ready)
        self.up = True

    def kill_server(self) -> None:
        if self.server is not None:
            self.up = False
            self.kills += 1
            kill(self.server)
            self.server = None

    def _ready(self) -> bool:
        try:
            return httpx.get(f"{self.url}/v1/ready", timeout=60).status_code == 200
        except httpx.TransportError:
            return False

    def ask(self, question: Callable[[Database], Any]) -> Any:
        """Ask the store something."""

        async def asked() -> Any:
            database = await Database.open(self.settings.store_url)
            try:
                return await question(database)
            finally:
                await database.close()

        return asyncio.run(asked())

    def run(self, run_id: str) -> AdaptationRun:
        found: AdaptationRun = self.ask(lambda database: get_run(database, "acme", run_id))
        return found

    def made_by(self, run_id: str) -> list[str]:
        """Return the ids of the versions that a run made."""
        found = self.ask(lambda database: list_versions(database, "acme", task="intent", limit=1000))
        return [one.id for one in found if one.settings.get("run") == run_id]

    def wait(self, what: str, condition: Callable[[], bool]) -> None:
        deadline = time.monotonic() + PATIENCE_S
        while not condition():
            if time.monotonic() > deadline:
                pytest.fail(f"waited in vain: {what}\n{self.log}")
            time.sleep(LOOK_S)

    def wait_for_end(self, run_id: str) -> AdaptationRun:
        self.wait(f"run {run_id} is over", lambda: self.run(run_id).status not in ("queued", "running"))
        return self.run(run_id)

    def new_run(self) -> str:
        """Ask the server for a run; return its id."""
        answer = httpx.post(f"{self.url}/v1/runs", headers=self.headers, json={"task": "intent"}, timeout=60)
        assert answer.is_success, answer.text
        return str(answer.json()["id"])


@contextmanager
def deployment(folder: Path, *, broker: str = "", store: str = "", more: str = "") -> Iterator[Deployment]:
    """Write settings and plugin, and make the tenant; kill what is left at the end."""
    (folder / "plugins").mkdir()
    root = str(Path(__file__).parents[2])
    (folder / "plugins" / "taught.py").write_text(PLUGIN.format(root=root))
    said = SETTINGS.format(
        hooks=PATIENT_HOOKS,
        lease_s=LEASE_S,
        broker=f'broker_url = "{broker}"' if broker else "",
        store=f'url = "{store}"' if store else 'synchronous = "FULL"',
        more=more,
    )
    (folder / "rejoinder.toml").write_text(said)
    made = Deployment(folder)

    async def prepared(database: Database) -> None:
        await database.migrate()
        await create_tenant(database, "acme", name="Acme")

    made.ask(prepared)
    key = rejoinder(folder, "key", "create", "--operator", "--json")
    assert key.returncode == 0, key.stderr
    made.operator_key = json.loads(key.stdout)["key"]
    try:
        yield made
    finally:
        made.kill_worker()
        made.kill_server()


class Talk(threading.Thread):
    """One who asks and says what they think of the answers until told to stop, and writes down what was acknowledged.

    While the server is killed they send the same again until it is answered, and so they do when they are refused (503) while
    `may_be_refused`; any other failure is one too many.
    """

    def __init__(self, place: Deployment) -> None:
        super().__init__(daemon=True)
        self._place = place
        self._enough = threading.Event()
        self._keys = itertools.count()
        self.turns: list[str] = []
        self.feedback: list[str] = []
        self.failure: BaseException | None = None
        self.may_be_refused = False
        self.attempts = 0

    def run(self) -> None:
        try:
            with httpx.Client(base_url=self._place.url, headers=self._place.headers, timeout=PATIENCE_S) as client:
                path = f"/v1/conversations/{self._sent(client, '/v1/conversations', {})['id']}/messages"
                while not self._enough.is_set():
                    turn = self._sent(client, path, {"text": "where is my card"})
                    assert turn["label"] == "card", turn
                    assert turn["model_versions"]["intent"].startswith("intent-1"), turn
                    self.turns.append(turn["id"])
                    body = {"decision_id": turn["decision_id"], "kind": "thumbs", "value": 1}
                    self.feedback.append(self._sent(client, "/v1/feedback", body)["id"])
                    self._enough.wait(0.2)
        except BaseException as error:  # told at the end
            self.failure = error

    def _sent(self, client: httpx.Client, path: str, body: Any) -> Any:
        key = f"say-{next(self._keys)}"
        while True:
            kills, refusable = self._place.kills, self.may_be_refused
            try:
                answer = client.post(path, json=body, headers={"idempotency-key": key})
            except httpx.TransportError:
                if self._place.up and self._place.kills == kills:
                    raise
                time.sleep(0.05)
                continue
            self.attempts += 1
            if answer.status_code == 503 and refusable:
                time.sleep(0.05)
                continue
            assert answer.is_success, answer.text
            return answer.json()

    def wait_for_answer(self) -> None:
        """Wait for one more answer."""
        before = len(self.feedback)
        self._place.wait("somebody was answered", lambda: len(self.feedback) > before or self.failure is not None)
        if self.failure is not None:
            raise self.failure

    def wait_for_attempt(self) -> None:
        """Wait for one more request that was answered or refused."""
        before = self.attempts
        self._place.wait("somebody tried", lambda: self.attempts > before + 1 or self.failure is not None)

    def end(self) -> None:
        """Stop, and find in the store all that was acknowledged, once."""
        self._enough.set()
        self.join(60)
        if self.failure is not None:
            raise self.failure
        assert self.feedback
        kept = self._place.ask(lambda database: list_feedback(database, "acme", limit=100_000))
        assert sorted(one.feedback.id for one in kept) == sorted(self.feedback)

        async def turns(database: Database) -> list[str]:
            async with database.read() as session:
                return list(await session.scalars(select(Turn.id)))

        assert sorted(self._place.ask(turns)) == sorted(self.turns)


def new_database(url: str) -> str:
    """Make a database on a PostgreSQL server; return its URL."""
    name = f"faults_{uuid4().hex}"

    async def make() -> None:
        connection = await asyncpg.connect(url)
        try:
            await connection.execute(f'CREATE DATABASE "{name}"')
        finally:
            await connection.close()

    asyncio.run(make())
    return f"{url.rpartition('/')[0]}/{name}"
