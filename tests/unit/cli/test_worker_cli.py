"""`rejoinder worker`: what it hands over to Celery. Real workers are in tests/integration/test_worker.py."""

from __future__ import annotations

import json
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

    assert told == {"broker": "redis://:***@localhost/0", "concurrency": 1}


def test_without_celery_it_says_how_to_get_it(run: Run, started: Started, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "celery", None)

    assert "pip install 'rejoinder[workers]'" in run("worker", code=1).stderr
    assert started.command == ()


@pytest.mark.parametrize("words", [("--concurrency", "0"), ("--log-level", "LOUD")], ids=lambda words: words[0])
def test_wrong_usage_exits_with_2(run: Run, started: Started, words: tuple[str, ...]) -> None:
    run("worker", *words, code=2)
    assert started.command == ()
