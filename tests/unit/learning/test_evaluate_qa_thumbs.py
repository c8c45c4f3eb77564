"""Learning question answering from thumbs: what one bit teaches, and that what is scored is apart from what is learned from."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from rejoinder.cli import app
from rejoinder.errors import InvalidInputError
from rejoinder.learning.evaluate_qa_thumbs import evaluate_qa_thumbs, judged, write_thumbs_png
from rejoinder.models.encoding.encoder import Encoder
from rejoinder.models.learner import Prediction, Span
from rejoinder.models.tasks.targets import answers_of
from rejoinder.models.training.objectives.reinforce import propensity_of
from rejoinder.models.training.settings import TrainingSettings
from rejoinder.payloads import Example
from typer.testing import CliRunner

from tests.support.tiny_encoder import FILL, write_tiny_bert

BRIEF = TrainingSettings(epochs=1, batch_size=8, dev_share=0.0)


@pytest.fixture
def files(tmp_path: Path) -> tuple[Path, Path, Path]:
    def write(name: str, numbers: range) -> Path:
        paragraphs = []
        for number in numbers:
            word = FILL[number % len(FILL)]
            passage = f"sales of the firm {word} in {FILL[number // len(FILL) % len(FILL)]}"
            answer = {"text": word, "answer_start": passage.index(f" {word} ") + 1}
            asked = [
                {"id": f"{number}a", "question": f"what of sales {number}", "answers": [answer]},
                {"id": f"{number}b", "question": f"who {number}", "answers": [], "is_impossible": True},
            ]
            paragraphs.append({"context": passage, "qas": asked})
        path = tmp_path / f"{name}.json"
        path.write_text(json.dumps({"data": [{"paragraphs": paragraphs}]}), encoding="utf-8")
        return path

    return write("train", range(8)), write("stream", range(8, 20)), write("test", range(20, 26))


@pytest.fixture
def tiny(tmp_path: Path) -> Encoder:
    write_tiny_bert(tmp_path / "tiny")
    return Encoder(str(tmp_path / "tiny"))


def test_each_round_is_scored_and_the_same_seed_gives_the_same(
    files: tuple[Path, Path, Path], tiny: Encoder, tmp_path: Path
) -> None:
    found = [
        evaluate_qa_thumbs(*files, thumbs=20, rounds=2, seed=seed, encoder=tiny, settings=BRIEF) for seed in (3, 3)
    ]
    assert found[0].rounds == found[1].rounds
    one = found[0]
    assert [each.thumbs for each in one.rounds] == [10, 20]
    assert one.f1 == one.rounds[-1].f1
    assert one.f1_gain == pytest.approx(one.f1 - one.start["f1"])
    assert all(0 <= each.up <= 1 for each in one.rounds)
    assert one.data["stream"]["questions"] == 24
    json.dumps(one.to_json())
    write_thumbs_png(one, tmp_path / "curve.png")
    assert (tmp_path / "curve.png").stat().st_size > 1000


def test_right_answers_instead_of_thumbs_are_asked_of_the_same_questions(
    files: tuple[Path, Path, Path], tiny: Encoder
) -> None:
    thumbs, answers = (
        evaluate_qa_thumbs(*files, thumbs=16, rounds=1, seed=3, encoder=tiny, settings=BRIEF, feedback=feedback)
        for feedback in ("thumbs", "answers")
    )
    assert (thumbs.start, thumbs.rounds[0].answered_f1) == (answers.start, answers.rounds[0].answered_f1)
    assert (thumbs.feedback, answers.feedback) == ("thumbs", "answers")


def test_what_is_scored_must_not_be_learned_from(files: tuple[Path, Path, Path], tiny: Encoder) -> None:
    train, stream, test = files
    with pytest.raises(InvalidInputError, match=r"12 questions are in .*test\.json as well"):
        evaluate_qa_thumbs(train, test, test, thumbs=5, rounds=1, encoder=tiny)
    with pytest.raises(InvalidInputError, match="has 24 questions, and 25 thumbs"):
        evaluate_qa_thumbs(train, stream, test, thumbs=25, rounds=1, encoder=tiny)
    with pytest.raises(InvalidInputError, match="trains nothing"):
        evaluate_qa_thumbs(train, stream, test, encoder=tiny, method="head")
    with pytest.raises(InvalidInputError, match="rounds"):
        evaluate_qa_thumbs(train, stream, test, thumbs=2, rounds=3, encoder=tiny)


def test_a_thumb_is_about_the_answer_that_was_given() -> None:
    asked = Example(id="q", task="qa", text="what", other="sales rose", target={"answers": [{"start": 0, "end": 5}]})
    span = Span(start=6, end=10, text="rose", confidence=0.3)
    said = Prediction(label="rose", confidence=0.3, ranking=(), in_scope=0.9, accepted=True, spans=(span,))
    down = judged(asked, said, up=False)
    assert ([(one.start, one.end) for one in answers_of(down)], down.polarity) == ([(6, 10)], "negative")
    assert propensity_of(down) == 1.0, "the best answer is given for sure, however unsure the model is"

    silent = Prediction(label="rose", confidence=0.3, ranking=(), in_scope=0.2, accepted=False, spans=(span,))
    up = judged(asked, silent, up=True)
    assert (answers_of(up), up.polarity) == ((), "positive")


def test_the_command_writes_the_curve_and_a_picture(
    files: tuple[Path, Path, Path], tiny: Encoder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("rejoinder.cli.evaluate.load_encoder", lambda: tiny)
    train, stream, test = map(str, files)
    words = ["evaluate", "qa", "--train", train, "--stream", stream, "--test", test, "--thumbs", "6", "--rounds", "1"]
    report = tmp_path / "out" / "thumbs.json"
    result = CliRunner().invoke(app, [*words, "--report", str(report), "--json"], catch_exceptions=False)
    assert result.exit_code == 0, result.output
    found = json.loads(report.read_text(encoding="utf-8"))
    assert [one["thumbs"] for one in found["rounds"]] == [6]
    assert {"exact_match", "f1", "start", "f1_gain"} <= set(found)
    assert report.with_suffix(".png").is_file()
