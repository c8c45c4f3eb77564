"""kill -9 of a worker while it trains: the next one goes on from the checkpoint, or begins again where that is damaged, and never
takes it for whole."""

from __future__ import annotations

import json
import random
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from rejoinder.learning.queue import send_run
from rejoinder.models.artefact import MANIFEST
from rejoinder.store.runs import create_run
from rejoinder.store.tables import AdaptationRun

from tests.faults.deployments import Deployment, deployment
from tests.support.tiny_encoder import write_tiny_bert

pytest.importorskip("celery", reason="needs the extra rejoinder[workers]")
pytest.importorskip("peft", reason="needs the extra rejoinder[models]")

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(sys.platform != "linux", reason="kill -9 and its aftermath are looked at on Linux"),
]

MORE = """
[encoder]
name = "{encoder}"
cache_dir = "cache"

[tenant_defaults.learner_adaptation]
method = "lora"
epochs = 60
"""


def cut(file: Path, chance: random.Random) -> None:
    """Leave its beginning, as after a full disk."""
    file.write_bytes(file.read_bytes()[: chance.randrange(file.stat().st_size)])


def flip(file: Path, chance: random.Random) -> None:
    """Change one bit."""
    data = bytearray(file.read_bytes())
    data[chance.randrange(len(data))] ^= 1 << chance.randrange(8)
    file.write_bytes(data)


def remove(file: Path, _: random.Random) -> None:
    """Lose it."""
    file.unlink()


DAMAGES: tuple[Callable[[Path, random.Random], None] | None, ...] = (
    *(None, cut, flip, remove, None),
    *(flip, cut, None, flip, remove),
)
"""One a round; None: the checkpoint is left whole."""


def killed_in_mid_training(place: Deployment) -> AdaptationRun:
    """Start a run and kill its worker once there is a checkpoint; return the run as it is then."""
    run_id = place.ask(lambda database: create_run(database, "acme", task="intent")).id
    send_run(place.settings, "acme", run_id)
    if place.worker is None:
        place.start_worker()

    def checkpoint_is_there() -> bool:
        run = place.run(run_id)
        return run.checkpoint is not None and (Path(run.checkpoint) / "checkpoint" / MANIFEST).is_file()

    place.wait("a checkpoint is written", checkpoint_is_there)
    place.kill_worker()
    return place.run(run_id)


def test_training_goes_on_from_its_checkpoint_or_begins_again(tmp_path: Path) -> None:
    chance = random.Random(7)
    write_tiny_bert(tmp_path / "encoder")
    with deployment(tmp_path, more=MORE.format(encoder=tmp_path / "encoder")) as place:
        for damage in DAMAGES:
            lost = killed_in_mid_training(place)
            assert lost.status == "running"
            assert lost.checkpoint is not None
            checkpoint = Path(lost.checkpoint) / "checkpoint"
            if damage is not None:  # of the files there, the one that counts: the worker may have died writing another
                damage(checkpoint / json.loads((checkpoint / MANIFEST).read_text())["arrays"], chance)
            place.start_worker()
            over = place.wait_for_end(lost.id)

            assert (over.status, over.attempts, over.error) == ("done", 2, None), place.log
            assert place.made_by(lost.id) == [over.model_version_id]
            assert not Path(lost.checkpoint).exists()
            told = (place.folder / "worker.log").read_text()
            assert (f"run {lost.id} begins again" in told) == (damage is not None), damage
            assert (f"run {lost.id} goes on after step" in told) == (damage is None), damage
