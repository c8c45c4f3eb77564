"""The benchmark of the graph runs on its own server, says of each figure what is wanted of it, and leaves nothing running."""

from __future__ import annotations

import importlib.util
import json
import sys
from pathlib import Path
from types import ModuleType

import pytest

FILE = Path(__file__).parents[3] / "benchmarks" / "graph.py"


@pytest.fixture
def benchmark(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    spec = importlib.util.spec_from_file_location("benchmark_of_the_graph", FILE)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    monkeypatch.setitem(sys.modules, spec.name, module)
    spec.loader.exec_module(module)
    monkeypatch.delenv("REJOINDER_DATA", raising=False)
    return module


def test_all_sections_are_measured_and_written(benchmark: ModuleType, tmp_path: Path) -> None:
    out = tmp_path / "figures.json"
    benchmark.main(["--quick", "--json", str(out)])
    rows = json.loads(out.read_text(encoding="utf-8"))["rows"]
    assert {row["section"] for row in rows} == set(benchmark.SECTIONS)
    asked = {(row["section"], row["wanted"]) for row in rows if row["wanted"]}
    assert asked == {("overhead", "<= 1.25"), ("hops", "<= 8.0"), ("load", "<= 60"), ("load", "<= 0")}
    again = next(row for row in rows if row["wanted"] == "<= 0")
    assert again["got"] == 0
    assert not [row for row in rows if row["section"] == "load" and row["figures"]["bad"]]
