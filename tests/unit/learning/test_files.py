"""Evaluation and simulation from CSV files: the reports, and errors that name file, line and choices."""

from __future__ import annotations

import gzip
import json
from pathlib import Path
from typing import Any

import pytest
from rejoinder.errors import InvalidInputError
from rejoinder.learning.evaluate_intent import evaluate_intent, write_confusion_png
from rejoinder.learning.labelled_csv import read_labelled_csv
from rejoinder.learning.simulate import simulate, write_curves_png
from rejoinder.learning.strategies import Bot
from rejoinder.models.encoding.encoder import Encoder
from rejoinder.models.training.settings import TrainingSettings
from rejoinder.testing import HashEncoder

TRAIN = {
    "card": ["I lost my card", "where is my card", "card is stuck in the machine"],
    "rate": ["exchange rate please", "what rate do you use", "euro to dollar rate"],
    "hours": ["when do you open", "opening hours", "are you open on sunday"],
}
STREAM = {
    "card": ["my card broke", "new card please", "card blocked"],
    "rate": ["rate for pounds", "current rate", "yen rate"],
    "hours": ["closing time", "open at noon", "hours today"],
}


def write(path: Path, rows: dict[str, list[str]]) -> Path:
    lines = [f'"{text}",{label}' for label, texts in rows.items() for text in texts]
    path.write_text("text,label\n" + "\n".join(lines) + "\n", encoding="utf-8")
    return path


@pytest.fixture
def files(tmp_path: Path) -> tuple[Path, Path]:
    return write(tmp_path / "train.csv", TRAIN), write(tmp_path / "test.csv", STREAM)


def test_an_evaluation_reports_all_figures(files: tuple[Path, Path], encoder: Encoder, tmp_path: Path) -> None:
    with files[1].open("a", encoding="utf-8") as file:
        file.write("tell me a joke,oos\nfly me to the moon,oos\n")
    report = evaluate_intent(*files, oos_label="oos", encoder=encoder, method="head")
    assert report.oos_auroc is not None
    assert report.oos_auroc > 0.8
    assert 0 <= report.in_scope_accuracy <= 1
    assert sum(map(sum, report.confusion)) == 11
    assert report.unseen_labels == ()
    report.write(tmp_path / "out" / "report.json")
    read = json.loads((tmp_path / "out" / "report.json").read_text())
    assert read["data"]["train"]["rows"] == 9
    write_confusion_png(report, tmp_path / "out" / "report.png")
    assert (tmp_path / "out" / "report.png").read_bytes().startswith(b"\x89PNG")


def test_shots_draw_so_many_of_each_label(files: tuple[Path, Path], encoder: Encoder) -> None:
    report = evaluate_intent(*files, shots=2, seed=1, encoder=encoder, method="head")
    assert report.data["train"]["rows"] == 6
    assert report.oos_recall is None


def test_few_rows_of_a_label_tune_the_encoder_first(files: tuple[Path, Path], encoder: Encoder) -> None:
    settings = TrainingSettings(epochs=1, dev_share=0.0)
    report = evaluate_intent(*files, encoder=encoder, settings=settings)
    assert report.method == "lora"
    assert report.training["examples"] == 12  # nine rows and three names
    assert report.accuracy > 0.5


def test_a_label_without_training_rows_is_named_and_counts_as_wrong(files: tuple[Path, Path], encoder: Encoder) -> None:
    with files[1].open("a", encoding="utf-8") as file:
        file.write("zebra,animal\n")
    report = evaluate_intent(*files, encoder=encoder, method="head")
    assert report.unseen_labels == ("animal",)
    assert report.accuracy < 1


@pytest.mark.parametrize(
    ("options", "message"),
    [({"shots": 0}, "shots must be >= 1"), ({"oos_label": "hour"}, r"'hour'.*Did you mean 'hours'")],
)
def test_bad_options_are_refused(
    files: tuple[Path, Path], encoder: Encoder, options: dict[str, Any], message: str
) -> None:
    with pytest.raises(InvalidInputError, match=message):
        evaluate_intent(*files, encoder=encoder, **options)


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", "is empty"),
        (b"text,label\n", "no rows"),
        (b"text,intent\na,b\n", "line 1: the header has no column 'label'; it has text, intent"),
        (b"text,label\na,b\nc,\n", "line 3: the row has no label"),
        (b"text,label\na,b\n ,c\n", "line 3: the row has no text"),
        (b"text,label\na, b, c\n", "line 2: more fields"),
        (b"text,label\na,b\n\xff,c\n", "line 3: not UTF-8"),
        (b'text,label\n"a,b\n', "not CSV"),
        (b"\x1f\x8b\x08broken", "cannot be read"),
    ],
)
def test_a_bad_file_is_refused_with_its_line(tmp_path: Path, data: bytes, message: str) -> None:
    path = tmp_path / "bad.csv"
    path.write_bytes(data)
    with pytest.raises(InvalidInputError, match=message) as caught:
        read_labelled_csv(path)
    assert str(path) in str(caught.value)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(InvalidInputError, match=r"none\.csv cannot be read: No such file"):
        read_labelled_csv(tmp_path / "none.csv")


def test_gzip_byte_order_marks_and_more_columns_are_read(tmp_path: Path) -> None:
    path = tmp_path / "x.csv.gz"
    path.write_bytes(gzip.compress("\ufefflabel,note,text\na,-,über\n".encode()))
    found = read_labelled_csv(path)
    assert (found.texts, found.labels) == (("über",), ("a",))


STRATEGIES = ("static", "instant", "worker", "both", "retrain")


@pytest.mark.parametrize("feedback", ["correction", "binary", "none"])
def test_a_simulation_reports_every_strategy(
    files: tuple[Path, Path], encoder: Encoder, tmp_path: Path, feedback: Any
) -> None:
    report = simulate(
        files[0],
        files[1],
        files[1],
        encoder=encoder,
        feedback=feedback,
        checkpoints=3,
        worker_every=2,
        hold_back_every=0,
    )
    assert tuple(report.strategies) == STRATEGIES
    for curve in report.strategies.values():
        assert [window.seen for window in curve.windows] == [3, 6, 9]
        assert curve.final_accuracy == curve.windows[-1].test_accuracy
        wrong = sum(3 * (1 - window.accuracy) for window in curve.windows)
        assert curve.cumulative_regret == pytest.approx(wrong)
    static = report.strategies["static"]
    assert static.start_accuracy == static.final_accuracy
    assert report.strategies["retrain"].final_accuracy == 1.0
    if feedback == "correction":
        assert report.strategies["instant"].final_accuracy == 1.0
    if feedback == "none":
        assert report.strategies["both"].final_accuracy == static.final_accuracy
    write_curves_png(report, tmp_path / "curves.png")
    assert (tmp_path / "curves.png").read_bytes().startswith(b"\x89PNG")
    report.write(tmp_path / "curves.json")
    assert set(json.loads((tmp_path / "curves.json").read_text())["strategies"]) == set(STRATEGIES)


@pytest.mark.parametrize("drift", ["new-classes", "shift"])
def test_drift_keeps_the_whole_stream(files: tuple[Path, Path], encoder: Encoder, drift: Any) -> None:
    report = simulate(
        files[0], files[1], files[1], encoder=encoder, drift=drift, strategies=("static", "instant"), checkpoints=2
    )
    assert report.strategies["static"].windows[-1].seen == 9
    if drift == "new-classes":
        assert report.data["train"]["rows"] == 6
        assert report.strategies["instant"].final_accuracy > report.strategies["static"].final_accuracy


def test_a_shift_changes_what_labels_mean_in_the_second_half(tmp_path: Path, encoder: Encoder) -> None:
    texts = {
        "card": "my card is lost",
        "rate": "which rate applies",
        "fee": "why was I charged",
        "pin": "I forgot my code",
    }
    rows = [
        (f"{text}, please {word}", label) for label, text in texts.items() for word in ("help", "tell me", "answer")
    ]
    path = tmp_path / "rows.csv"
    path.write_text("text,label\n" + "\n".join(f'"{text}",{label}' for text, label in rows * 4))
    report = simulate(path, path, path, encoder=encoder, drift="shift", strategies=("static", "instant"), checkpoints=4)
    static, instant = report.strategies["static"], report.strategies["instant"]
    assert [one.test_accuracy for one in static.windows] == [1.0, 1.0, 0.5, 0.5], "two of four labels changed places"
    assert instant.final_accuracy == 1.0
    assert instant.windows[1].test_accuracy == 1.0


def test_a_simulation_repeats_itself(files: tuple[Path, Path], encoder: Encoder) -> None:
    def run(seed: int) -> list[dict[str, Any]]:
        report = simulate(
            files[0], files[1], files[1], encoder=encoder, noise=0.5, strategies=("instant",), limit=8, seed=seed
        )
        return [{**report.to_json()["strategies"]["instant"], "seconds": 0}]

    assert run(3) == run(3)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"feedback": "corection"}, "Did you mean 'correction'"),
        ({"strategies": ("instantly",)}, "choose from static, instant"),
        ({"strategies": ()}, "no strategy named"),
        ({"drift": "shifted"}, "Did you mean 'shift'"),
        ({"noise": 1.5}, r"noise must be in \[0, 1\]"),
        ({"limit": 0}, "limit must be >= 1"),
        ({"checkpoints": 0}, "checkpoints must be >= 1"),
    ],
)
def test_bad_arguments_are_refused_before_any_work(
    files: tuple[Path, Path], encoder: Encoder, options: dict[str, Any], message: str
) -> None:
    with pytest.raises(InvalidInputError, match=message):
        simulate(files[0], files[1], files[1], encoder=encoder, **options)


def test_windows_end_where_they_are_asked_to(files: tuple[Path, Path]) -> None:
    report = simulate(
        files[0], files[1], files[1], encoder=HashEncoder(), checkpoints=[2, 5, 500], strategies=("static",)
    )
    assert [window.seen for window in report.strategies["static"].windows] == [2, 5, 9]


@pytest.mark.parametrize("feedback", ["correction", "binary", "none"])
def test_users_say_as_much_as_their_kind_of_feedback_allows(
    files: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch, feedback: Any
) -> None:
    heard: list[tuple[str, str, bool | None]] = []

    class Listener(Bot):
        def answer(self, text: str, vector: Any) -> str:
            return "card"

        def corrected(self, text: str, vector: Any, label: str) -> None:
            heard.append((text, label, None))

        def judged(self, text: str, vector: Any, said: str, *, good: bool) -> None:
            heard.append((text, said, good))

    def listener(name: str, known: Any, *, encoder: Any, worker_every: int, hold_back_every: int, seed: int) -> Bot:
        return Listener(known, encoder=encoder, hold_back_every=hold_back_every, seed=seed)

    monkeypatch.setattr("rejoinder.learning.simulate.make_bot", listener)
    simulate(files[0], files[1], files[1], encoder=HashEncoder(), feedback=feedback, strategies=("both",))
    expected = {
        "correction": [("my card broke", "card", True), ("closing time", "hours", None)],
        "binary": [("my card broke", "card", True), ("closing time", "card", False)],
        "none": [],
    }
    assert [one for one in heard if one[0] in ("my card broke", "closing time")] == expected[feedback]
