"""Training in several processes gives what training in one does."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("accelerate", reason="needs the extra rejoinder[models]")

from tests.support.tiny_encoder import write_tiny_bert

pytestmark = pytest.mark.slow

SCRIPT = """
import os, sys
from pathlib import Path

import numpy as np
from rejoinder.models.adapters.full.settings import FullSettings
from rejoinder.models.training.base import open_base
from rejoinder.models.training.loop import train
from rejoinder.models.training.objectives.classification import Classification
from rejoinder.models.training.settings import TrainingSettings
from rejoinder.payloads import Example

folder = Path(sys.argv[1])
examples = [
    Example(id=str(i), task="t", text=f"the firm {verb} {'good ' * (i % 5)}", label=verb)
    for i in range(23)
    for verb in ("rose", "fell")
]
made = train(
    examples,
    Classification.of(examples),
    base=open_base(folder / "base"),
    method_settings=FullSettings(dropout=0.0),
    settings=TrainingSettings(epochs=2, batch_size=15, device="cpu", dev_share=0.2, precision="float32"),
)
place = f"{os.environ.get('WORLD_SIZE', '1')}-{os.environ.get('RANK', '0')}"
np.savez(folder / f"{place}.npz", **made.adapter.arrays)
"""


def test_two_processes_train_what_one_does(tmp_path: Path) -> None:
    write_tiny_bert(tmp_path / "base")
    script = tmp_path / "script.py"
    script.write_text(SCRIPT)
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    launcher = ["-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2"]
    for command in ([sys.executable], [sys.executable, *launcher]):
        done = subprocess.run(
            [*command, str(script), str(tmp_path)],
            env=environment,
            capture_output=True,
            text=True,
            timeout=300,
            check=False,
        )
        assert done.returncode == 0, done.stderr[-4000:]
    alone, first, second = (np.load(tmp_path / f"{place}.npz") for place in ("1-0", "2-0", "2-1"))
    for name in alone.files:
        np.testing.assert_allclose(first[name], alone[name], atol=1e-5)
        np.testing.assert_array_equal(first[name], second[name])
