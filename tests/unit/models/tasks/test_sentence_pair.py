"""Pairs of texts: do they mean the same."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from rejoinder.errors import InvalidInputError, ModelNotReadyError
from rejoinder.models.encoding.encoder import Encoder
from rejoinder.models.learner import Learner
from rejoinder.models.tasks.sentence_pair import SentencePairScorer, probability_of
from rejoinder.payloads import Example

SAME = [
    ("how do I get a new card", "can you send me another card"),
    ("what is the exchange rate", "which rate do you use for euros"),
    ("when do you open", "what are your opening hours"),
    ("I forgot my password", "how can I reset my password"),
    ("close my account", "I want to delete my account"),
    ("my card is lost", "I cannot find my card"),
    ("why was I charged a fee", "what is this extra charge"),
    ("how long does a transfer take", "when will my transfer arrive"),
]


def example(number: int, pair: tuple[str, str], label: str, **values: Any) -> Example:
    return Example(id=f"p{number}", task="same", text=pair[0], other=pair[1], label=label, **values)


def pairs() -> list[Example]:
    same = [example(i, pair, "yes") for i, pair in enumerate(SAME)]
    count = len(SAME)
    other = [(SAME[i][0], SAME[(i + step) % count][1]) for step in (1, 3) for i in range(count)]
    return same + [example(100 + i, pair, "no") for i, pair in enumerate(other)]


def encoded(encoder: Encoder, texts: list[tuple[str, str]]) -> NDArray[np.float32]:
    first, second = (encoder.encode([pair[place] for pair in texts]) for place in (0, 1))
    return np.stack([first, second], axis=1)


def texts_of(examples: list[Example]) -> list[tuple[str, str]]:
    return [(one.text, one.other or "") for one in examples]


@pytest.fixture
def taught(encoder: Encoder) -> SentencePairScorer:
    learner = SentencePairScorer()
    learner.fit(pairs(), encoded(encoder, texts_of(pairs())), seed=0)
    return learner


def test_it_is_a_learner_of_pairs() -> None:
    assert isinstance(SentencePairScorer(), Learner)
    assert SentencePairScorer.reads == "pairs"


def test_what_means_the_same_scores_higher(taught: SentencePairScorer, encoder: Encoder) -> None:
    texts = [("please block my card", "I want my card blocked"), ("please block my card", "are you open on sunday")]
    same, other = taught.predict_batch(texts, encoded(encoder, texts))

    assert (same.label, same.accepted, other.label, other.accepted) == ("yes", True, "no", False)
    assert probability_of(same) > probability_of(other)
    assert same.confidence == probability_of(same)
    assert other.confidence == pytest.approx(1 - probability_of(other))


def test_figures(taught: SentencePairScorer, encoder: Encoder) -> None:
    found = taught.evaluate(pairs(), encoded(encoder, texts_of(pairs())))

    assert set(found) == {"accuracy", "f1", "ece", "auroc"}
    assert found["accuracy"] > 0.9


def test_a_correction_counts_at_once(taught: SentencePairScorer, encoder: Encoder) -> None:
    pair = ("when do you open", "which rate do you use for euros")
    vectors = encoded(encoder, [pair])
    before = probability_of(taught.predict_batch([pair], vectors)[0])
    for _ in range(5):
        taught.update([example(900, pair, "yes", polarity="correction")], vectors)

    assert probability_of(taught.predict_batch([pair], vectors)[0]) > before + 0.1


def test_negative_says_the_opposite(encoder: Encoder) -> None:
    turned = [
        example(i, pair, {"yes": "no", "no": "yes"}[one.label or ""], polarity="negative")
        for i, (one, pair) in enumerate(zip(pairs(), texts_of(pairs()), strict=True))
    ]
    vectors = encoded(encoder, texts_of(pairs()))
    one, other = SentencePairScorer(), SentencePairScorer()
    one.fit(pairs(), vectors, seed=0)
    other.fit(turned, vectors, seed=0)

    assert one.predict_batch(texts_of(pairs()), vectors) == other.predict_batch(texts_of(pairs()), vectors)


def test_a_saved_model_predicts_the_same(taught: SentencePairScorer, encoder: Encoder, tmp_path: Path) -> None:
    taught.save(tmp_path)
    texts = [SAME[0], ("", ""), ("x" * 100_000, "y")]
    vectors = encoded(encoder, texts)

    assert SentencePairScorer.load(tmp_path).predict_batch(texts, vectors) == taught.predict_batch(texts, vectors)
    assert taught.size() < 20_000


@pytest.mark.parametrize("label", ["yes", "no"])
def test_pairs_of_one_kind_are_refused(encoder: Encoder, label: str) -> None:
    examples = [example(i, pair, label) for i, pair in enumerate(SAME)]
    with pytest.raises(InvalidInputError, match="pairs of both kinds"):
        SentencePairScorer().fit(examples, encoded(encoder, SAME), seed=0)


def test_another_label_is_refused_with_the_choices(taught: SentencePairScorer, encoder: Encoder) -> None:
    with pytest.raises(InvalidInputError, match="'p0': the label of a pair must be 'yes' or 'no', came as 'yess'"):
        taught.update([example(0, SAME[0], "yess")], encoded(encoder, SAME[:1]))


def test_shapes_and_readiness_are_checked(taught: SentencePairScorer) -> None:
    with pytest.raises(ModelNotReadyError):
        SentencePairScorer().predict_batch([SAME[0]], np.zeros((1, 2, 384), dtype=np.float32))
    with pytest.raises(InvalidInputError, match=r"shape \(1, 2, dim\)"):
        taught.predict_batch([SAME[0]], np.zeros((1, 384), dtype=np.float32))
    with pytest.raises(InvalidInputError, match="threshold"):
        SentencePairScorer(threshold=2.0)
