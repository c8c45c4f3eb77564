"""`rejoinder evaluate`: the report, the picture, and errors that help."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from rejoinder.testing import HashEncoder
from typer.testing import Result

pytest.importorskip("sklearn", reason="needs the extra rejoinder[models]")

Run = Callable[..., Result]

KEYS = {
    "accuracy",
    "macro_f1",
    "in_scope_accuracy",
    "oos_recall",
    "oos_auroc",
    "ece",
    "train_seconds",
    "predict_ms_p50",
    "confusion",
}
"""Section 8 of docs/architecture.md."""

TRAIN = """text,label
I lost my card,card
where is my card,card
card is stuck in the machine,card
a new card please,card
exchange rate please,rate
what rate do you use,rate
euro to dollar rate,rate
the rate of today,rate
when do you open,hours
opening hours,hours
are you open on sunday,hours
do you open at nine,hours
"""
TEST = """text,label
my card is lost,card
the euro rate,rate
do you open on sunday,hours
tell me a joke,oos
sing a song,oos
"""


@pytest.fixture(autouse=True)
def hash_encoder(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("rejoinder.cli.evaluate.load_encoder", HashEncoder)


@pytest.fixture
def files(folder: Path) -> tuple[str, ...]:
    """The options that name a file to learn from and one to be tested on."""
    (folder / "train.csv").write_text(TRAIN)
    (folder / "test.csv").write_text(TEST)
    return ("evaluate", "intent", "--train", "train.csv", "--test", "test.csv")


def test_the_report_has_the_agreed_keys(run: Run, files: tuple[str, ...], folder: Path) -> None:
    run(*files, "--oos-label", "oos", "--report", "out/report.json")

    report = json.loads((folder / "out" / "report.json").read_text())
    assert set(report) >= KEYS
    assert all(isinstance(report[key], int | float) for key in KEYS - {"confusion"})
    assert report["labels"] == ["card", "hours", "oos", "rate"]
    assert [len(row) for row in report["confusion"]] == [4] * 4
    assert sum(map(sum, report["confusion"])) == 5


def test_the_confusion_is_drawn_beside_the_report(run: Run, files: tuple[str, ...], folder: Path) -> None:
    run(*files, "--report", "out/report.json")

    assert (folder / "out" / "report.png").read_bytes().startswith(b"\x89PNG\r\n")


def test_json_on_the_screen_is_the_report(run: Run, files: tuple[str, ...], folder: Path) -> None:
    printed = json.loads(run(*files, "--report", "report.json", "--json").stdout)

    assert printed == json.loads((folder / "report.json").read_text())


def test_without_out_of_scope_rows_their_figures_are_null(data: Callable[..., Any], files: tuple[str, ...]) -> None:
    report = data(*files)

    assert report["oos_recall"] is None
    assert report["oos_auroc"] is None


def test_people_get_a_table_without_the_long_parts(run: Run, files: tuple[str, ...]) -> None:
    output = run(*files).stdout

    assert "macro f1" in output
    assert "confusion" not in output


def test_the_same_seed_gives_the_same_figures(data: Callable[..., Any], files: tuple[str, ...]) -> None:
    def figures(seed: int) -> dict[str, Any]:
        return {
            key: value
            for key, value in data(*files, "--shots", "2", "--seed", str(seed)).items()
            if key not in ("train_seconds", "predict_ms_p50", "seed")
        }

    assert figures(3) == figures(3)


def test_shots_are_so_many_rows_of_each_label(data: Callable[..., Any], files: tuple[str, ...]) -> None:
    assert data(*files, "--shots", "2")["data"]["train"]["rows"] == 6


@pytest.mark.parametrize("which", ["train", "test"])
def test_a_missing_file_is_named(run: Run, files: tuple[str, ...], folder: Path, which: str) -> None:
    (folder / f"{which}.csv").unlink()
    result = run(*files, code=1)

    assert result.stderr == f"rejoinder: {which}.csv cannot be read: No such file or directory\n"
    assert result.stdout == ""


def test_a_bad_header_is_named_with_what_was_expected(run: Run, files: tuple[str, ...], folder: Path) -> None:
    (folder / "train.csv").write_text("text,intent\na,b\n")
    result = run(*files, code=1)

    assert (
        "train.csv, line 1: the header has no column 'label'; it has text, intent; expected `text,label`"
        in result.stderr
    )
    assert len(result.stderr.splitlines()) == 1


def test_a_label_that_is_nowhere_is_answered_with_the_closest_one(run: Run, files: tuple[str, ...]) -> None:
    assert "Did you mean 'hours'?" in run(*files, "--oos-label", "hour", code=1).stderr


@pytest.mark.parametrize(
    "words", [("--shots", "0"), ("--seed", "-1"), ("--shots", "few"), ("--unknown",)], ids=lambda words: words[0]
)
def test_wrong_usage_exits_with_2(run: Run, files: tuple[str, ...], words: tuple[str, ...]) -> None:
    assert "Traceback" not in run(*files, *words, code=2).output


def test_a_file_must_be_named(run: Run) -> None:
    assert "--train" in run("evaluate", "intent", code=2).stderr


def test_an_unknown_kind_is_answered_with_the_kinds(run: Run) -> None:
    assert "intents" in run("evaluate", "intents", code=2).stderr


def test_sentiment_has_the_same_keys_and_says_its_method(run: Run, files: tuple[str, ...], folder: Path) -> None:
    run("evaluate", "sentiment", *files[2:], "--method", "head", "--report", "out/report.json")

    report = json.loads((folder / "out" / "report.json").read_text())
    assert set(report) >= KEYS
    assert report["method"] == "head"
    assert (folder / "out" / "report.png").read_bytes().startswith(b"\x89PNG\r\n")


def test_sentiment_of_entities(data: Callable[..., Any], folder: Path) -> None:
    rows = "".join(
        f"A rises while B falls {n},{label},{who}\n" for n in range(6) for label, who in (("up", "A"), ("down", "B"))
    )
    (folder / "entities.csv").write_text(f"text,label,entity\n{rows}")
    report = data("evaluate", "sentiment", "--train", "entities.csv", "--test", "entities.csv", "--method", "head")

    assert report["accuracy"] > 0.5  # each text has both labels


def test_other_sets_need_a_method_that_trains(run: Run, files: tuple[str, ...], folder: Path) -> None:
    result = run("evaluate", "sentiment", *files[2:], "--method", "head", "--before", files[3], code=1)
    assert "trains no adapter" in result.stderr


@pytest.mark.parametrize("kind", ["intent", "sentiment", "qa"])
def test_an_unknown_method_is_answered_with_the_choices(run: Run, files: tuple[str, ...], kind: str) -> None:
    result = run("evaluate", kind, *files[2:], "--method", "lara", code=1)
    assert "choose one of auto, head, lora, adalora, prefix_tuning, full. Did you mean 'lora'?" in result.stderr


def test_a_question_file_that_is_none_is_named(run: Run, files: tuple[str, ...]) -> None:
    result = run("evaluate", "qa", *files[2:], code=1)
    assert result.stderr.startswith("rejoinder: train.csv is not JSON in UTF-8")
