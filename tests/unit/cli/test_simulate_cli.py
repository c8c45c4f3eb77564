"""`rejoinder simulate`: the report, the picture, and errors that help."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from rejoinder.testing import HashEncoder
from typer.testing import Result

from tests.unit.cli.test_evaluate_cli import TEST, TRAIN

pytest.importorskip("sklearn", reason="needs the extra rejoinder[models]")

Run = Callable[..., Result]

CURVE = {"start_accuracy", "final_accuracy", "windows", "cumulative_regret", "seconds"}
WINDOW = {"seen", "accuracy", "test_accuracy"}
"""Section 8 of docs/architecture.md."""

STREAM = """text,label
my card broke,card
a rate for pounds,rate
closing time,hours
card blocked,card
yen rate,rate
open at noon,hours
"""


@pytest.fixture(autouse=True)
def hash_encoder(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("rejoinder.cli.simulate.load_encoder", HashEncoder)


@pytest.fixture
def files(folder: Path) -> tuple[str, ...]:
    """The options that name the three files."""
    for name, text in (("train", TRAIN), ("stream", STREAM), ("test", TEST)):
        (folder / f"{name}.csv").write_text(text)
    return ("simulate", "--train", "train.csv", "--stream", "stream.csv", "--test", "test.csv", "--checkpoints", "2")


def test_the_report_has_the_agreed_keys(run: Run, files: tuple[str, ...], folder: Path) -> None:
    run(*files, "--strategy", "static,instant", "--report", "out/report.json")

    report = json.loads((folder / "out" / "report.json").read_text())
    assert set(report["strategies"]) == {"static", "instant"}
    for curve in report["strategies"].values():
        assert set(curve) == CURVE
        assert [set(window) for window in curve["windows"]] == [WINDOW, WINDOW]
        assert [window["seen"] for window in curve["windows"]] == [3, 6]


def test_the_curves_are_drawn_beside_the_report(run: Run, files: tuple[str, ...], folder: Path) -> None:
    run(*files, "--strategy", "static", "--report", "out/report.json")

    assert (folder / "out" / "report.png").read_bytes().startswith(b"\x89PNG\r\n")


def test_json_on_the_screen_is_the_report(run: Run, files: tuple[str, ...], folder: Path) -> None:
    printed = json.loads(run(*files, "--strategy", "static", "--report", "report.json", "--json").stdout)

    assert printed == json.loads((folder / "report.json").read_text())


def test_all_strategies_are_replayed_by_default(data: Callable[..., Any], files: tuple[str, ...]) -> None:
    assert list(data(*files)["strategies"]) == ["static", "instant", "worker", "both", "retrain"]


def test_spaces_around_strategies_do_not_matter(data: Callable[..., Any], files: tuple[str, ...]) -> None:
    assert list(data(*files, "--strategy", " static , instant,")["strategies"]) == ["static", "instant"]


def test_people_get_a_table_with_a_row_for_each_strategy(run: Run, files: tuple[str, ...]) -> None:
    lines = run(*files, "--strategy", "static,instant").stdout.splitlines()
    words = [line.split() for line in lines if line.strip()]

    assert words[0][:5] == ["strategy", "start", "accuracy", "final", "accuracy"]
    assert [row[0] for row in words[-2:]] == ["static", "instant"]


def test_the_limit_ends_the_stream(data: Callable[..., Any], files: tuple[str, ...]) -> None:
    curve = data(*files, "--strategy", "static", "--limit", "4")["strategies"]["static"]

    assert curve["windows"][-1]["seen"] == 4


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (
            ("--strategy", "instnat"),
            "--strategy: there is no 'instnat'. Did you mean 'instant'? Choose from static, instant",
        ),
        (("--strategy", "static,x"), "--strategy: there is no 'x'"),
        (("--strategy", ","), "--strategy: there is no ''"),
        (("--feedback", "corection"), "--feedback: there is no 'corection'. Did you mean 'correction'?"),
        (("--drift", "shifted"), "--drift: there is no 'shifted'. Did you mean 'shift'?"),
        (("--noise", "1.5"), "noise must be in [0, 1]"),
        (("--limit", "0"), "limit must be >= 1"),
        (("--checkpoints", "0"), "checkpoints must be >= 1"),
    ],
    ids=lambda value: "-".join(value).strip("-") if isinstance(value, tuple) else "",
)
def test_a_wrong_option_is_named_with_the_choices(
    run: Run, files: tuple[str, ...], words: tuple[str, ...], message: str
) -> None:
    result = run(*files, *words, code=1)

    assert message in result.stderr
    assert len(result.stderr.splitlines()) == 1


@pytest.mark.parametrize("which", ["train", "stream", "test"])
def test_a_missing_file_is_named(run: Run, files: tuple[str, ...], folder: Path, which: str) -> None:
    (folder / f"{which}.csv").unlink()

    assert f"{which}.csv cannot be read: No such file" in run(*files, code=1).stderr


def test_a_bad_header_is_named(run: Run, files: tuple[str, ...], folder: Path) -> None:
    (folder / "stream.csv").write_text("message,label\na,b\n")

    assert "stream.csv, line 1: the header has no column 'text'" in run(*files, code=1).stderr


@pytest.mark.parametrize("words", [("--limit", "many"), ("--seed", "-1"), ("--unknown",)], ids=lambda words: words[0])
def test_wrong_usage_exits_with_2(run: Run, files: tuple[str, ...], words: tuple[str, ...]) -> None:
    assert "Traceback" not in run(*files, *words, code=2).output
