"""The classifier learns from few examples, takes corrections, knows what it does not know, and survives the disk."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from rejoinder.errors import InvalidInputError, ModelIntegrityError, ModelNotReadyError
from rejoinder.models.encoding.encoder import Encoder
from rejoinder.models.learner import Learner, fit_apart
from rejoinder.models.tasks import text_classification as text_classifier
from rejoinder.models.tasks.text_classification import TextClassifier
from rejoinder.payloads import Example, Polarity
from rejoinder.testing import HashEncoder

from tests.support.learners import NearestLearner

KNOWN = {
    "card_lost": ["I lost my card", "my card is gone", "someone stole my card", "cannot find my bank card"],
    "card_late": [
        "my new card has not come",
        "where is the card I ordered",
        "card still not delivered",
        "when will my card arrive",
    ],
    "rate": [
        "what is the exchange rate",
        "which rate do you use for euros",
        "how is the rate set",
        "dollar exchange rate please",
    ],
    "top_up": ["how do I top up", "my top up failed", "add money to my account", "top up by card does not work"],
}


def example(text: str, label: str, polarity: Polarity = "positive", weight: float = 1.0) -> Example:
    return Example(id=f"{text}:{label}", task="intent", text=text, label=label, polarity=polarity, weight=weight)


def known() -> list[Example]:
    return [example(text, label) for label, texts in KNOWN.items() for text in texts]


def fitted(encoder: Encoder, examples: list[Example] | None = None, **options: str) -> TextClassifier:
    examples = known() if examples is None else examples
    made = TextClassifier(**options)  # type: ignore[arg-type]
    made.fit(examples, encoder.encode([one.text for one in examples]), seed=0)
    return made


def ask(encoder: Encoder, made: TextClassifier, text: str) -> str:
    return made.predict_batch([text], encoder.encode([text]))[0].label


def test_it_is_a_learner() -> None:
    assert isinstance(TextClassifier(), Learner)


def test_it_generalises_from_four_examples_a_label(encoder: Encoder) -> None:
    made = fitted(encoder)
    assert ask(encoder, made, "the card has disappeared from my bag") == "card_lost"
    assert ask(encoder, made, "still waiting for my card in the post") == "card_late"


def test_a_ranking_is_sorted_and_bounded(encoder: Encoder) -> None:
    text = "my card"
    found = fitted(encoder).predict_batch([text], encoder.encode([text]))[0]
    shares = [share for _, share in found.ranking]
    assert shares == sorted(shares, reverse=True)
    assert 0 <= sum(shares) <= 1 + 1e-5
    assert found.ranking[0] == (found.label, found.confidence)
    assert 0 <= found.in_scope <= 1


def test_one_text_is_predicted_as_in_a_batch(encoder: Encoder) -> None:
    made, texts = fitted(encoder), ["lost it", "euro rate", "", "🙂🙂"]
    vectors = encoder.encode(texts)
    for text, vector, batch in zip(texts, vectors, made.predict_batch(texts, vectors), strict=True):
        alone = made.predict_batch([text], vector[None])[0]
        assert alone.label == batch.label
        assert alone.confidence == pytest.approx(batch.confidence, abs=1e-4)


def test_other_subjects_score_lower_than_known_ones(encoder: Encoder) -> None:
    made, texts = fitted(encoder), ["my card was stolen", "who won the football match", "a recipe for apple pie"]
    inside, *outside = made.predict_batch(texts, encoder.encode(texts))
    assert inside.accepted
    assert all(inside.in_scope > one.in_scope for one in outside)
    assert not any(one.accepted for one in outside)


def test_the_out_of_scope_label_is_never_said(encoder: Encoder) -> None:
    outside = [example(text, "oos") for text in ("who won the match", "tell me a joke", "what is the weather")]
    made = fitted(encoder, known() + outside, oos_label="oos")
    found = made.predict_batch(["tell me a funny joke"], encoder.encode(["tell me a funny joke"]))[0]
    assert not found.accepted
    assert "oos" not in [label for label, _ in found.ranking]


@pytest.mark.parametrize("rows", [1500, 0], ids=["exact", "patch"])
def test_an_update_counts_at_once_and_a_later_one_overrides(
    encoder: Encoder, monkeypatch: pytest.MonkeyPatch, rows: int
) -> None:
    monkeypatch.setattr(text_classifier, "EXACT_ROWS", rows)
    made, text = fitted(encoder), "the plastic never showed up"
    for label in ("card_lost", "brand_new", "card_late"):
        made.update([example(text, label, "correction")], encoder.encode([text]))
        assert ask(encoder, made, text) == label
    assert ask(encoder, made, "what is the exchange rate") == "rate"


def test_an_exact_update_equals_a_fit_of_the_same_kernel(encoder: Encoder) -> None:
    whole, text = fitted(encoder), "how much is a euro"
    vector = encoder.encode([text])
    whole.update([example(text, "rate")], vector)
    twice = fitted(encoder)
    twice.update([example(text, "rate")], vector)
    twice.update([example(text, "rate")], vector)
    probe = encoder.encode(["euro price"])
    one, two = whole.predict_batch(["euro price"], probe)[0], twice.predict_batch(["euro price"], probe)[0]
    assert one.confidence == pytest.approx(two.confidence, abs=1e-3)


def test_a_negative_example_moves_its_text_away_from_the_label(encoder: Encoder) -> None:
    made, text = fitted(encoder), "my card"
    vector = encoder.encode([text])
    before = made.predict_batch([text], vector)[0]
    made.update([example(text, before.label, "negative")], vector)
    after = dict(made.predict_batch([text], vector)[0].ranking)
    assert after[before.label] < before.confidence


def test_the_last_correction_of_a_text_wins_over_all_else(encoder: Encoder) -> None:
    text = "card gone missing"
    disputed = [example(text, "rate"), example(text, "top_up", "correction"), example(text, "card_lost", "correction")]
    assert ask(encoder, fitted(encoder, known() + disputed), text) == "card_lost"


@pytest.mark.parametrize(
    "examples",
    [
        pytest.param([example("hello", "greet")], id="one example"),
        pytest.param([example("hello", "greet"), example("hi", "greet")], id="one label"),
        pytest.param([example("hello", "greet"), example("bye", "leave")], id="one each"),
        pytest.param([example(f"hello {i}", "greet") for i in range(60)] + [example("bye", "leave")], id="imbalance"),
        pytest.param([example("same", "a"), example("same", "b"), example("", "c")], id="contradiction"),
    ],
)
def test_little_or_lopsided_data_still_gives_a_model(encoder: Encoder, examples: list[Example]) -> None:
    made = fitted(encoder, examples)
    assert ask(encoder, made, examples[-1].text) in {one.label for one in examples}
    assert ask(encoder, made, examples[0].text) in {"greet", "a", "b"}


def test_a_removed_text_is_forgotten(encoder: Encoder) -> None:
    made, text = fitted(encoder), "zebra crossing"
    made.update([example(text, "animals", "correction")], encoder.encode([text]))
    assert made.remove([text, "never seen"]) == 1
    assert ask(encoder, made, text) != "animals"


@pytest.mark.parametrize("rows", [1500, 0], ids=["exact", "patch"])
def test_a_saved_model_predicts_the_same(
    encoder: Encoder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, rows: int
) -> None:
    monkeypatch.setattr(text_classifier, "EXACT_ROWS", rows)
    made = fitted(encoder, oos_label="oos")
    made.update([example("where is it", "card_late")], encoder.encode(["where is it"]))
    made.save(tmp_path)
    again, texts = TextClassifier.load(tmp_path), ["where is it", "rates", "lost"]
    vectors = encoder.encode(texts)
    for one, two in zip(made.predict_batch(texts, vectors), again.predict_batch(texts, vectors), strict=True):
        assert one.label == two.label
        assert one.confidence == pytest.approx(two.confidence, abs=1e-4)
    assert again.size() > 0


@pytest.mark.parametrize("pattern", ["*.safetensors", "model.json"])
def test_a_damaged_file_is_named(encoder: Encoder, tmp_path: Path, pattern: str) -> None:
    fitted(encoder).save(tmp_path)
    path = next(iter(tmp_path.glob(pattern)))
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)
    with pytest.raises(ModelIntegrityError, match=path.name.replace(".", r"\.")):
        TextClassifier.load(tmp_path)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(ModelIntegrityError, match=r"model\.json"):
        TextClassifier.load(tmp_path)


def test_what_cannot_be_learned_is_refused_and_changes_nothing(encoder: Encoder) -> None:
    made = fitted(encoder)
    with pytest.raises(InvalidInputError, match="nothing to learn"):
        made.fit([example("x", "rate", weight=0.0)], encoder.encode(["x"]), seed=0)
    with pytest.raises(InvalidInputError, match="one row for each"):
        made.update([example("x", "rate")], np.zeros((2, 384), dtype=np.float32))
    with pytest.raises(InvalidInputError, match="finite"):
        made.update([example("x", "rate")], np.full((1, 384), np.nan, dtype=np.float32))
    assert ask(encoder, made, "what is the exchange rate") == "rate"


def test_nothing_learned_says_so() -> None:
    with pytest.raises(ModelNotReadyError, match="fit or load"):
        TextClassifier().predict_batch(["x"], np.zeros((1, 384), dtype=np.float32))
    assert TextClassifier().size() == 0


def test_the_same_seed_gives_the_same_model(encoder: Encoder) -> None:
    vectors = encoder.encode(["my card"])
    assert fitted(encoder).predict_batch(["my card"], vectors) == fitted(encoder).predict_batch(["my card"], vectors)


def test_how_sure_it_is_comes_from_what_is_set_apart() -> None:
    """What an adapter has seen lies in tight heaps; what it has not is often in another label's."""
    rng = np.random.default_rng(0)
    heaps = np.eye(4, 32, dtype=np.float32)
    columns = rng.integers(4, size=800)
    new = rng.random(800) < 0.25
    lies_in = np.where(new & (rng.random(800) < 0.3), rng.integers(4, size=800), columns)
    vectors = heaps[lies_in] + rng.normal(scale=0.05, size=(800, 32)).astype(np.float32)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    examples = [example(f"text {i}", f"label {column}") for i, column in enumerate(columns.tolist())]
    half = len(examples) // 2
    apart = np.flatnonzero(new[:half]).tolist()
    asked = half + np.flatnonzero(new[half:])

    def calibration_error(apart: list[int]) -> float:
        made = TextClassifier()
        made.fit(examples[:half], vectors[:half], seed=0, apart=apart)
        return made.evaluate([examples[row] for row in asked], vectors[asked])["ece"]

    assert calibration_error(apart) < 0.5 * calibration_error([])
    assert calibration_error(apart[:10]) == calibration_error([])


def test_a_learner_that_does_not_calibrate_apart_is_fitted_as_ever() -> None:
    vectors = HashEncoder().encode([one.text for one in known()])
    assert fit_apart(NearestLearner(), known(), vectors, seed=0, apart=[0, 1])["examples"] == 16.0
