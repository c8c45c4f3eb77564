"""`rejoinder worker`: what it hands over to Celery. Real workers are in tests/integration/test_worker.py."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest
from typer.testing import Result

Run = Callable[..., Result]


class Started:
    """What would have taken this process's place."""

    command: tuple[str, ...] = ()
    environment: Mapping[str, str] = {}


@pytest.fixture
def started(monkeypatch: pytest.MonkeyPatch) -> Started:
    found = Started()

    def execve(program: str, command: list[str], environment: Mapping[str, str]) -> None:
        assert program == sys.executable
        found.command, found.environment = tuple(command), environment

    monkeypatch.setattr("os.execve", execve)
    return found


def test_one_run_at_a_time_by_default(run: Run, started: Started) -> None:
    output = run("worker").stdout

    assert started.command[1:6] == ("-m", "celery", "-A", "rejoinder_workers.app", "worker")
    assert started.command[6:8] == ("--pool", "solo")
    assert started.command[-2:] == ("--loglevel", "INFO")
    assert "the broker is a folder" in output


def test_several_runs_share_one_process(run: Run, started: Started) -> None:
    run("worker", "--concurrency", "3")

    assert started.command[6:10] == ("--pool", "threads", "--concurrency", "3")


def test_the_worker_reads_the_same_settings_file(run: Run, started: Started, folder: Path) -> None:
    (folder / "other.toml").write_text('log_level = "WARNING"\n')
    run("worker", "--config", "other.toml")

    assert started.environment["REJOINDER_CONFIG"] == str(folder / "other.toml")
    assert started.command[-1] == "WARNING"


def test_the_level_can_be_given(run: Run, started: Started) -> None:
    run("worker", "--log-level", "DEBUG")

    assert started.command[-1] == "DEBUG"


def test_the_brokers_password_is_not_shown(run: Run, started: Started, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REJOINDER_WORKERS__BROKER_URL", "redis://:geheim@localhost/0")
    told = json.loads(run("worker", "--json").stdout)

    assert told == {"broker": "redis://:***@localhost/0", "concurrency": 1, "queues": ["cpu", "gpu"], "gpus": []}


def queues_of(command: tuple[str, ...]) -> str:
    return command[command.index("-Q") + 1]


def test_a_worker_takes_all_runs_unless_there_is_a_queue_for_gpus(
    run: Run, started: Started, monkeypatch: pytest.MonkeyPatch
) -> None:
    run("worker")
    assert queues_of(started.command) == "cpu,gpu,schedules"
    monkeypatch.setenv("REJOINDER_WORKERS__GPU_QUEUE", "true")
    run("worker")
    assert queues_of(started.command) == "cpu,schedules"


def test_a_gpu_is_this_processs_own(run: Run, started: Started) -> None:
    output = run("worker", "--queue", "gpu", "--gpus", "1").stdout

    assert queues_of(started.command) == "gpu,schedules"
    assert started.environment["CUDA_VISIBLE_DEVICES"] == "1"
    assert "It works on the GPU 1." in output


def test_several_gpus_have_a_process_each(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    begun: list[str] = []

    class Process:
        returncode = 0

        def __init__(self, command: list[str], *, env: Mapping[str, str], stdin: int, start_new_session: bool) -> None:
            assert stdin == subprocess.PIPE  # it ends when we do
            begun.append(env["CUDA_VISIBLE_DEVICES"])
            assert queues_of(tuple(command)) == "cpu,gpu,schedules"
            if len(begun) == 2:
                signal.raise_signal(signal.SIGTERM)

        def poll(self) -> None:
            return None

        def send_signal(self, number: int) -> None:
            begun.append("told to end")

        def wait(self) -> None:
            pass

    monkeypatch.setattr("subprocess.Popen", Process)
    before = signal.getsignal(signal.SIGTERM), signal.getsignal(signal.SIGINT)
    try:
        run("worker", "--queue", "cpu", "--queue", "gpu", "--gpus", "0,3")
    finally:
        signal.signal(signal.SIGTERM, before[0])
        signal.signal(signal.SIGINT, before[1])
    assert begun[:2] == ["0", "3"]
    assert set(begun[2:]) == {"told to end"}


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("--queue", "gpuu"), "there is no queue 'gpuu'. Did you mean 'gpu'?"),
        (("--gpus", "0"), "--gpus: only runs of the queue gpu"),
        (("--queue", "gpu", "--gpus", "0,1", "--concurrency", "2"), "one process for each"),
    ],
)
def test_what_does_not_fit_is_told(run: Run, started: Started, words: tuple[str, ...], message: str) -> None:
    assert message in run("worker", *words, code=1).stderr


def test_without_celery_it_says_how_to_get_it(run: Run, started: Started, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "celery", None)

    assert "pip install 'rejoinder[workers]'" in run("worker", code=1).stderr
    assert started.command == ()


@pytest.mark.parametrize("words", [("--concurrency", "0"), ("--log-level", "LOUD")], ids=lambda words: words[0])
def test_wrong_usage_exits_with_2(run: Run, started: Started, words: tuple[str, ...]) -> None:
    run("worker", *words, code=2)
    assert started.command == ()
