"""Several labels for a text: what is learned, what an update changes, and what is refused."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from rejoinder.errors import InvalidInputError, ModelIntegrityError, ModelNotReadyError
from rejoinder.models.encoding.encoder import Encoder
from rejoinder.models.learner import Learner
from rejoinder.models.tasks.multi_label import MultiLabelClassifier
from rejoinder.payloads import Example

LATE = ["the parcel came two weeks late", "still waiting for delivery", "my order has not arrived yet", "late again"]
BROKEN = ["the screen is cracked", "it arrived in pieces", "the handle broke off", "a damaged box and a broken cup"]
RUDE = ["the agent was rude to me", "your staff shouted at me", "unfriendly people on the phone", "very impolite clerk"]
FINE = ["thank you, all good", "what a lovely day", "nothing to complain about", "great shop"]
KINDS = {"late": LATE, "broken": BROKEN, "rude": RUDE}


def example(number: int, text: str, labels: list[str] | None = None, **values: Any) -> Example:
    return Example(id=f"e{number}", task="complaint", text=text, **{"target": labels, **values})


def complaints() -> list[Example]:
    rows = [(text, [kind]) for kind, texts in KINDS.items() for text in texts]
    rows += [(f"{a} and {b}", ["late", "broken"]) for a, b in zip(LATE, BROKEN, strict=True)]
    rows += [(f"{a}, besides {b}", ["broken", "rude"]) for a, b in zip(BROKEN, RUDE, strict=True)]
    rows += [(text, []) for text in FINE]
    return [example(i, text, labels) for i, (text, labels) in enumerate(rows)]


@pytest.fixture
def taught(encoder: Encoder) -> MultiLabelClassifier:
    learner = MultiLabelClassifier()
    examples = complaints()
    learner.fit(examples, encoder.encode([one.text for one in examples]), seed=0)
    return learner


def said(learner: MultiLabelClassifier, encoder: Encoder, text: str) -> set[str]:
    return set(learner.predict_batch([text], encoder.encode([text]))[0].labels)


def test_it_is_a_learner_of_vectors() -> None:
    assert isinstance(MultiLabelClassifier(), Learner)
    assert MultiLabelClassifier.reads == "vectors"


def test_any_number_of_labels_may_hold(taught: MultiLabelClassifier, encoder: Encoder) -> None:
    assert said(taught, encoder, "my delivery is late") == {"late"}
    assert said(taught, encoder, "the parcel came late and the screen is cracked") == {"late", "broken"}
    assert said(taught, encoder, "thank you for the lovely day") == set()


def test_a_prediction_ranks_each_label_on_its_own(taught: MultiLabelClassifier, encoder: Encoder) -> None:
    text = "the parcel came late and the screen is cracked"
    (found,) = taught.predict_batch([text], encoder.encode([text]))

    assert found.accepted
    assert found.label == found.ranking[0][0] == found.labels[0]
    assert {label for label, _ in found.ranking} == {"late", "broken", "rude"}
    assert all(0 <= share <= 1 for _, share in found.ranking)


def test_fit_reports_figures_of_examples_left_out_and_evaluate_those_of_others(encoder: Encoder) -> None:
    examples = complaints()
    vectors = encoder.encode([one.text for one in examples])
    learner = MultiLabelClassifier()
    metrics = learner.fit(examples, vectors, seed=0)

    assert metrics["examples"] == len(examples)
    assert 0.6 < metrics["micro_f1"] <= 1.0
    found = learner.evaluate(examples, vectors)
    assert found["micro_f1"] > 0.9
    assert set(found) == {"micro_f1", "macro_f1", "exact_match", "ece"}


def test_an_update_replaces_what_was_known_of_a_text(taught: MultiLabelClassifier, encoder: Encoder) -> None:
    text = LATE[0]
    for _ in range(3):
        taught.update([example(90, text, ["rude"], polarity="correction", weight=10.0)], encoder.encode([text]))
    size = taught.size()
    taught.update([example(91, text, ["rude"], polarity="correction", weight=10.0)], encoder.encode([text]))

    assert "rude" in said(taught, encoder, text)
    assert taught.size() == size


def test_an_update_may_bring_a_new_label(taught: MultiLabelClassifier, encoder: Encoder) -> None:
    texts = ["you charged me twice", "wrong amount on the invoice", "the bill is too high"]
    examples = [example(i, text, ["billing"], weight=3.0) for i, text in enumerate(texts)]
    taught.update(examples, encoder.encode(texts))

    assert taught.labels[-1] == "billing"
    assert said(taught, encoder, "you charged me twice on my bill") == {"billing"}


def test_a_rejected_label_is_lowered_and_others_stay(taught: MultiLabelClassifier, encoder: Encoder) -> None:
    text = "the parcel came late and the screen is cracked"
    vectors = encoder.encode([text])
    before = dict(taught.predict_batch([text], vectors)[0].ranking)
    taught.update([example(92, text, None, label="late", polarity="negative", weight=10.0)], vectors)
    after = dict(taught.predict_batch([text], vectors)[0].ranking)

    assert after["late"] < before["late"] - 0.05
    assert after["broken"] == pytest.approx(before["broken"], abs=0.05)


def test_a_label_without_examples_never_holds_until_it_has_one(encoder: Encoder) -> None:
    learner = MultiLabelClassifier(labels=["fraud"])
    examples = complaints()
    learner.fit(examples, encoder.encode([one.text for one in examples]), seed=0)
    text = "somebody stole my card number"

    assert learner.labels[0] == "fraud"
    assert "fraud" not in said(learner, encoder, text)
    learner.update([example(93, text, ["fraud"], weight=10.0)], encoder.encode([text]))
    assert "fraud" in said(learner, encoder, text)


def test_one_example_is_enough(encoder: Encoder) -> None:
    learner = MultiLabelClassifier()
    learner.fit([example(0, "late parcel", ["late"])], encoder.encode(["late parcel"]), seed=0)

    assert learner.predict_batch(["late parcel"], encoder.encode(["late parcel"]))[0].label == "late"


def test_a_saved_model_predicts_the_same(taught: MultiLabelClassifier, encoder: Encoder, tmp_path: Path) -> None:
    taught.save(tmp_path / "model")
    texts = [LATE[0], BROKEN[1], "hello", "", "x" * 100_000]
    vectors = encoder.encode(texts)

    assert MultiLabelClassifier.load(tmp_path / "model").predict_batch(texts, vectors) == taught.predict_batch(
        texts, vectors
    )


def test_a_damaged_model_is_refused_by_name(taught: MultiLabelClassifier, tmp_path: Path) -> None:
    taught.save(tmp_path)
    (file,) = tmp_path.glob("*.safetensors")
    data = file.read_bytes()
    file.write_bytes(data[:-1] + bytes([data[-1] ^ 0xFF]))

    with pytest.raises(ModelIntegrityError, match=file.name):
        MultiLabelClassifier.load(tmp_path)


def test_nothing_to_learn_from_is_refused(encoder: Encoder) -> None:
    learner = MultiLabelClassifier()
    with pytest.raises(ModelNotReadyError):
        learner.predict_batch(["a"], encoder.encode(["a"]))
    for examples in ([], [example(0, "  ", ["late"])], [example(0, "a", [])], [example(0, "a", ["late"], weight=0.0)]):
        with pytest.raises(InvalidInputError, match="nothing to learn from"):
            learner.fit(examples, np.zeros((len(examples), 384), dtype=np.float32), seed=0)


def test_vectors_that_do_not_fit_are_refused(taught: MultiLabelClassifier) -> None:
    for vectors in (np.zeros((2, 384)), np.zeros(384), np.full((1, 384), np.nan)):
        with pytest.raises(InvalidInputError):
            taught.fit([example(0, "a", ["late"])], vectors.astype(np.float32), seed=0)
    assert len(taught.labels) == 3
