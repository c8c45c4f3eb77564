"""Search by words, meaning and names; fusion; features; and a ranker that learns."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("bm25s", reason="needs the extra rejoinder[documents]")

from rejoinder.documents.features import NAMES, QuestionWords, products, scalar_features
from rejoinder.documents.index import IndexedPassage, PassageIndex, fused
from rejoinder.documents.ranker import Choice, PassageRanker, unknown
from rejoinder.documents.words import terms_of
from rejoinder.errors import InvalidInputError
from rejoinder.payloads import Example

TEXTS = (
    "Refunds are paid within five days of the return.",
    "Parcels are shipped by courier and arrive in two days.",
    "Cards can be blocked in the app at any time.",
)


def passage(number: int, text: str, **values: Any) -> IndexedPassage:
    made: dict[str, Any] = {
        "document_id": f"doc{number}",
        "revision": 1,
        "number": 0,
        "title": "Help",
        "url": None,
        "headings": (),
        "text": text,
        "start": 0,
        "kind": "text",
        "vector": np.eye(4, dtype=np.float32)[number % 4],
    }
    return IndexedPassage(**(made | values))


@pytest.fixture
def index() -> PassageIndex:
    return PassageIndex([passage(number, text) for number, text in enumerate(TEXTS)])


def test_words_meaning_and_names_are_fused(index: PassageIndex):
    found = index.search(terms_of("refund days"), np.eye(4, dtype=np.float32)[1], names=terms_of("courier"))
    assert found.rows[0] == 1  # second by words, first by meaning and by names
    assert found.rows.tolist() == [1, 0]
    assert found.ranks[0].tolist() == [1, 0, 0]


def test_without_vectors_words_find(index: PassageIndex):
    bare = PassageIndex([passage(number, text, vector=None) for number, text in enumerate(TEXTS)])
    found = bare.search(terms_of("block my card"), np.eye(4, dtype=np.float32)[0])
    assert found.rows.tolist() == [2]
    assert not found.dense.any()


def test_nothing_found_and_nothing_there(index: PassageIndex):
    assert not len(index.search(terms_of("zebra"), None).rows)
    empty = PassageIndex([])
    assert not len(empty.search(terms_of("zebra"), np.ones(4, dtype=np.float32)).rows)


def test_changes_make_another_index(index: PassageIndex):
    changed = index.with_changes({"doc1"}, [passage(7, "Zebras are not sold.", document_id="doc7")])
    assert len(index) == len(changed) == 3
    assert changed.search(terms_of("zebra"), None).rows.tolist() == [2]
    assert not len(changed.search(terms_of("courier"), None).rows)


def test_fusion_is_the_sum_of_reciprocal_ranks():
    rows, scores, ranks = fused([np.array([5, 3]), np.array([3]), np.array([], dtype=np.int64)])
    assert rows.tolist() == [3, 5]
    assert scores.tolist() == pytest.approx([1 / 62 + 1 / 61, 1 / 61])
    assert ranks.tolist() == [[1, 0, 3600], [0, 3600, 3600]]


def test_features_tell_how_much_of_a_question_is_there(index: PassageIndex):
    question = QuestionWords.of("When are refunds paid within five days?", index)
    found = index.search(question.terms, np.eye(4, dtype=np.float32)[0])
    told = dict(zip(NAMES, scalar_features(question, index, found, np.array([0]))[0].tolist(), strict=True))
    assert told["cosine"] == told["coverage"] == told["rarest word found"] == 1.0
    assert told["pairs of words found"] == pytest.approx(1.0)
    other = dict(zip(NAMES, scalar_features(question, index, found, np.array([1]))[0].tolist(), strict=True))
    assert other["coverage"] < 0.5
    assert other["pairs of words found"] == 0.0
    assert all(np.isfinite(list(told.values())))


def test_headings_count_for_coverage():
    one = PassageIndex([passage(0, "Within five days.", headings=("Refunds",)), passage(1, TEXTS[1])])
    question = QuestionWords.of("refund", one)
    found = one.search(question.terms, None)
    told = dict(zip(NAMES, scalar_features(question, one, found, np.array([0]))[0].tolist(), strict=True))
    assert told["coverage of headings by idf"] == pytest.approx(1.0)


def a_choice(rng: np.random.Generator, *, right: int | None, dim: int = 8) -> Choice:
    """Five candidates of which the right one has a high first feature; with None none has."""
    scalars = rng.uniform(0, 0.4, (5, len(NAMES))).astype(np.float32)
    flags = np.zeros(5, dtype=bool)
    if right is not None:
        scalars[right, 0], flags[right] = 0.9, True
    return Choice(scalars, rng.normal(0, 1, (5, dim)).astype(np.float32), flags)


def test_it_learns_which_candidate_is_right_and_when_none_is():
    rng = np.random.default_rng(0)
    ranker = PassageRanker(prior=unknown())
    ranker.learn([a_choice(rng, right=number % 5 if number % 3 else None) for number in range(120)])
    good, none = a_choice(rng, right=2), a_choice(rng, right=None)
    chances = ranker.probabilities(good.scalars, good.products)
    assert chances.argmax() == 2
    assert chances[2] > 0.8
    assert chances.sum() <= 1.0 + 1e-6
    assert ranker.probabilities(none.scalars, none.products).sum() < 0.3


def an_example(number: int, *, right: bool, features: list[float]) -> Example:
    return Example(
        id=f"e{number}",
        task="passage_ranking",
        text="a question",
        other="a passage",
        label="yes" if right else "no",
        target={"features": features},
    )


def test_feedback_moves_it_and_survives_a_save(tmp_path: Path):
    ranker = PassageRanker()
    rng = np.random.default_rng(1)
    pairs = rng.normal(0, 1, (1, 2, 8)).astype(np.float32)
    pairs /= np.linalg.norm(pairs, axis=2, keepdims=True)
    features = [0.5] * len(NAMES)
    scalars, product = np.array([features], dtype=np.float32), products(pairs[0, 0], pairs[0, 1][None])
    before = float(ranker.probabilities(scalars, product)[0])
    ranker.update([an_example(1, right=False, features=features)], pairs)
    after = float(ranker.probabilities(scalars, product)[0])
    assert after < before
    ranker.save(tmp_path / "model")
    again = PassageRanker.load(tmp_path / "model")
    assert float(again.probabilities(scalars, product)[0]) == pytest.approx(after)
    assert again.lessons == 1
    assert ranker.predict_batch([("a question", "a passage")], pairs)[0].label in ("yes", "no")


def test_nothing_to_learn_from_is_refused():
    with pytest.raises(InvalidInputError, match="nothing to learn"):
        PassageRanker().fit(
            [Example(id="e", task="passage_ranking", text="x")], np.zeros((1, 2, 8), dtype=np.float32), seed=0
        )
