"""The benchmark of the model engine runs, and says of each figure what is wanted of it."""

from __future__ import annotations

import importlib.util
import json
import sys
from pathlib import Path
from types import ModuleType

import pytest
from rejoinder.models.encoding.encoder import load_encoder

FILE = Path(__file__).parents[3] / "benchmarks" / "models.py"


@pytest.fixture
def benchmark(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    spec = importlib.util.spec_from_file_location("benchmark_of_models", FILE)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    monkeypatch.setitem(sys.modules, spec.name, module)
    spec.loader.exec_module(module)
    monkeypatch.setattr(module, "BACKENDS", ("torch",))
    monkeypatch.delenv("REJOINDER_DATA", raising=False)
    return module


def test_its_ratios_are_measured_and_written(benchmark: ModuleType, tmp_path: Path) -> None:
    out = tmp_path / "figures.json"
    benchmark.main(["--quick", "--only", "single", "batched", "mixed", "--json", str(out)])
    rows = json.loads(out.read_text())["rows"]
    assert {row["section"] for row in rows} == {"single", "batched", "mixed"}
    asked = [row for row in rows if row["wanted"]]
    assert len(asked) == 4
    for row in asked:
        assert row["got"] > 0
        assert isinstance(row["good"], bool)


def test_memory_and_swaps_are_measured(benchmark: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(benchmark, "load_encoder", lambda backend: load_encoder(backend="torch"))
    (memory,) = benchmark.measure_memory(benchmark.QUICK)
    assert memory.got == memory.figures["whole_mb"] > memory.figures["encoders_mb"]
    (swaps,) = benchmark.measure_swaps(benchmark.QUICK)
    assert swaps.figures["swap_ms_p50"] > 0
    assert swaps.wanted == "<= 0.03"
