"""Evaluations that train: sentiment with entities, and question answering."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from rejoinder.errors import InvalidInputError, ModelError
from rejoinder.learning.evaluate_qa import evaluate_qa
from rejoinder.learning.evaluate_sentiment import evaluate_sentiment
from rejoinder.learning.evaluate_texts import _encode_with
from rejoinder.learning.labelled_csv import read_labelled_csv
from rejoinder.models.encoding.encoder import Encoder
from rejoinder.models.training.settings import TrainingSettings
from rejoinder.payloads import Example
from rejoinder.testing import HashEncoder

UP = [
    "profit rose",
    "sales went up",
    "a record quarter",
    "strong growth",
    "the outlook improved",
    "earnings beat forecasts",
]
DOWN = [
    "profit fell",
    "sales went down",
    "a heavy loss",
    "weak demand",
    "the outlook worsened",
    "earnings missed forecasts",
]
BRIEF = TrainingSettings(epochs=1, batch_size=4, dev_share=0.0)


@pytest.fixture
def texts(tmp_path: Path) -> tuple[Path, Path]:
    lines = [f"{text},{label}" for label, own in (("up", UP), ("down", DOWN)) for text in own]
    for name, part in (("train", lines[:5] + lines[6:11]), ("test", [lines[5], lines[11]])):
        (tmp_path / f"{name}.csv").write_text("\n".join(["text,label", *part, ""]))
    return tmp_path / "train.csv", tmp_path / "test.csv"


@pytest.fixture
def entities(tmp_path: Path) -> tuple[Path, Path]:
    """One text, two entities, two labels: only the entity tells them apart."""
    firms = ["Acme", "Globex", "Initech", "Umbrella", "Hooli", "Stark"]
    lines = []
    for one, other in zip(firms, [*firms[1:], firms[0]], strict=True):
        text = f"{one} gains while {other} loses"
        lines += [f"{text},up,{one}", f"{text},down,{other}"]
    for name, part in (("train", lines[:10]), ("test", lines[10:])):
        (tmp_path / f"{name}.csv").write_text("\n".join(["text,label,entity", *part, ""]))
    return tmp_path / "train.csv", tmp_path / "test.csv"


@pytest.mark.parametrize("method", ["head", "lora"])
def test_sentiment_is_trained_and_reported(texts: tuple[Path, Path], encoder: Encoder, method: str) -> None:
    found = evaluate_sentiment(*texts, encoder=encoder, method=method, settings=BRIEF, seed=3)

    assert (found.method, found.seed, found.labels) == (method, 3, ("down", "up"))
    assert found.data["train"]["rows"] == 10
    assert sum(map(sum, found.confusion)) == 2
    assert ("adapter" in found.training) is (method == "lora")
    assert json.loads(json.dumps(found.to_json()))["versions"]["rejoinder"]


def test_the_entity_column_is_read(entities: tuple[Path, Path], encoder: Encoder) -> None:
    assert read_labelled_csv(entities[0]).entities[:2] == ("Acme", "Globex")
    assert read_labelled_csv(entities[0]).take([1]).entities == ("Globex",)
    found = evaluate_sentiment(entities[0], entities[0], encoder=encoder, method="head")

    assert found.accuracy > 0.7  # each text occurs with both labels, so that without the entity it would be 0.5


def test_texts_with_several_entities_are_scored_apart(entities: tuple[Path, Path], encoder: Encoder) -> None:
    with entities[1].open("a") as file:
        file.write("Acme and Hooli gain,up,Acme\nAcme and Hooli gain,up,Hooli\nAcme is alone,up,Acme\n")
    found = evaluate_sentiment(*entities, encoder=encoder, method="head", parts={"last": [4]})

    assert {name: part["rows"] for name, part in found.parts.items()} == {"several": 4, "differ": 2, "last": 1}
    assert all(0 <= part["accuracy"] <= 1 for part in found.parts.values())


def test_other_sets_are_trained_on_first_without_what_is_tested(
    texts: tuple[Path, Path], entities: tuple[Path, Path], encoder: Encoder
) -> None:
    test = read_labelled_csv(texts[1])
    rows = "".join(f"  {text.upper()}!!,{label},\n" for text, label in zip(test.texts, test.labels, strict=True))
    with entities[0].open("a") as file:
        file.write(rows)
    found = evaluate_sentiment(*texts, encoder=encoder, method="lora", settings=BRIEF, before=[entities[0]])

    assert [one["rows"] for one in found.data["before"]] == [10]
    alone = evaluate_sentiment(*texts, encoder=encoder, method="lora", settings=BRIEF)
    assert found.training["adapter"] != alone.training["adapter"]
    assert "before" not in alone.data
    with pytest.raises(InvalidInputError, match="nothing of it can be learned from"):
        evaluate_sentiment(*texts, encoder=encoder, method="lora", settings=BRIEF, before=[texts[1]])
    with pytest.raises(InvalidInputError, match="'head' trains no adapter"):
        evaluate_sentiment(*texts, encoder=encoder, method="head", before=[entities[0]])


def test_entities_in_one_file_only_are_refused(
    texts: tuple[Path, Path], entities: tuple[Path, Path], tmp_path: Path, encoder: Encoder
) -> None:
    (tmp_path / "plain.csv").write_text("text,label\nprofit rose,up\n")
    with pytest.raises(InvalidInputError, match=r"train\.csv has a column `entity` and .*plain\.csv has none"):
        evaluate_sentiment(entities[0], tmp_path / "plain.csv", encoder=encoder, method="head")


def test_an_unknown_method_is_answered_with_the_choices(texts: tuple[Path, Path]) -> None:
    with pytest.raises(
        InvalidInputError, match=r"no method 'lara': choose one of auto, head, lora.*Did you mean 'lora'"
    ):
        evaluate_sentiment(*texts, encoder=HashEncoder(), method="lara")


def test_an_adapter_needs_a_model(texts: tuple[Path, Path]) -> None:
    with pytest.raises(ModelError, match="HashEncoder has none"):
        evaluate_sentiment(*texts, encoder=HashEncoder(), method="lora")


def test_what_an_adapter_was_not_trained_on_is_known_by_its_place(encoder: Encoder) -> None:
    said = (
        [("strange", f"what is {text}") for text in UP]
        + [("up", text) for text in UP]
        + [("down", text) for text in DOWN]
    )
    examples = [Example(id=text, task="sentiment", text=text, label=label) for label, text in said]
    settings = TrainingSettings(epochs=1, batch_size=4, dev_share=0.5)
    _, apart, report = _encode_with("full", examples, encoder, "strange", settings, 0, None)

    assert sorted(examples[place].label or "" for place in apart) == ["down"] * 3 + ["up"] * 3
    assert report["examples"] == 6


@pytest.fixture
def questions(tmp_path: Path) -> tuple[Path, Path]:
    towns = ["Paris", "Rome", "Oslo", "Madrid", "Vienna", "Prague", "Dublin", "Lisbon"]
    paragraphs = []
    for number, town in enumerate(towns):
        passage = f"Person {number} was born in a small house and later moved to {town} to work there."
        answer = {"text": town, "answer_start": passage.index(town)}
        asked = [
            {"id": f"{number}a", "question": f"Where did person {number} move to?", "answers": [answer]},
            {"id": f"{number}b", "question": "Who is the mayor?", "answers": [], "is_impossible": True},
        ]
        paragraphs.append({"context": passage, "qas": asked})
    for name, part in (("train", paragraphs[:6]), ("test", paragraphs[6:])):
        (tmp_path / f"{name}.json").write_text(json.dumps({"data": [{"paragraphs": part}]}))
    return tmp_path / "train.json", tmp_path / "test.json"


def test_a_head_on_the_frozen_base_answers_what_is_easy(questions: tuple[Path, Path], encoder: Encoder) -> None:
    found = evaluate_qa(*questions, encoder=encoder, method="head")

    assert (found.exact_match, found.f1, found.has_answer_f1, found.no_answer_f1) == (1.0, 1.0, 1.0, 1.0)
    assert found.data["test"]["questions"] == 4


def test_an_adapter_is_trained_and_calibrated_on_what_was_held_out(
    questions: tuple[Path, Path], encoder: Encoder
) -> None:
    settings = TrainingSettings(epochs=1, batch_size=4, dev_share=0.3)
    found = evaluate_qa(*questions, encoder=encoder, method="full", settings=settings)

    assert found.method == "full"
    assert found.training["adapter_bytes"] > 0
    assert (found.training["adapter_examples"], found.training["learner_examples"]) == (9, 3)
    assert 0 <= found.f1 <= 1
    json.dumps(found.to_json())


def test_the_same_seed_gives_the_same_figures(questions: tuple[Path, Path], encoder: Encoder) -> None:
    def figures() -> tuple[object, ...]:
        found = evaluate_qa(*questions, encoder=encoder, method="lora", settings=BRIEF, seed=1)
        return found.f1, found.ece, found.training["adapter"]

    assert figures() == figures()
