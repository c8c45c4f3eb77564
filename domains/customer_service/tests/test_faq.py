"""Scoring the entries of a catalogue: words, meaning, and what the intent model said."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given, strategies
from rejoinder.testing import HashEncoder
from rejoinder_customer_service.catalogue import chosen_examples, entries_of, examples_of, filled
from rejoinder_customer_service.faq import BEST_SCORE, FaqIndex, Readings, scores_of, words_of

ENCODER = HashEncoder(256)


@pytest.fixture(scope="module", params=["words", "meaning"])
def index(request: Any) -> FaqIndex:
    made = FaqIndex(entries_of("banking77"), chosen_examples("banking77", per_intent=None, seed=0))
    if request.param == "meaning":
        made.set_vectors(ENCODER.encode(made.texts))
    return made


def best(index: FaqIndex, text: str) -> tuple[str, float]:
    shares = index.evidence(text, ENCODER.encode([text])[0])
    top = max(range(len(shares)), key=shares.__getitem__)
    return index.entries[top].intent, shares[top]


def test_each_question_finds_its_own_entry(index: FaqIndex) -> None:
    found = [best(index, entry.question)[0] == entry.intent for entry in index.entries]
    assert sum(found) >= 0.95 * len(found)


@pytest.mark.parametrize(
    ("text", "intent"),
    [
        ("How do I activate my new card", "activate_my_card"),
        ("do you take apple pay?", "apple_pay_or_google_pay"),
        ("how old must my children be for an account", "age_limit"),
        ("the ATM swallowed my card!", "card_swallowed"),
    ],
)
def test_paraphrases(index: FaqIndex, text: str, intent: str) -> None:
    assert best(index, text)[0] == intent


@pytest.mark.parametrize("text", ["", "   ", "?!", "qwxz blorp", "\x00", "the of and"])
def test_text_without_a_known_word_says_next_to_nothing(text: str) -> None:
    index = FaqIndex(entries_of("bitext"), {})
    assert max(index.evidence(text, None)) < 0.05


@given(strategies.text(max_size=200))
def test_evidence_is_a_probability(index: FaqIndex, text: str) -> None:
    shares = index.evidence(text, ENCODER.encode([text])[0])
    assert len(shares) == len(index.entries)
    assert all(0.0 <= share <= 1.0 for share in shares)


def test_a_vector_that_does_not_fit_is_left_out(index: FaqIndex) -> None:
    text = "activate my card"
    assert index.evidence(text, np.ones(3, dtype=np.float32)) == index.evidence(text, None)
    assert max(index.evidence(text, np.full(256, math.nan, dtype=np.float32))) <= 1.0


def test_vectors_must_be_as_many_as_texts(index: FaqIndex) -> None:
    with pytest.raises(ValueError, match="vectors for"):
        index.set_vectors(ENCODER.encode(["one"]))


shares = strategies.floats(min_value=0, max_value=1)


@given(
    strategies.dictionaries(strategies.sampled_from("abcd"), shares, max_size=4),
    strategies.lists(shares, min_size=3, max_size=3),
    strategies.booleans(),
)
def test_scores_stay_in_range(by_intent: dict[str, float], evidence: list[float], settled: bool) -> None:
    scores = scores_of(["a", "b", "c"], Readings(by_intent, settled), evidence)
    assert all(0.0 <= score <= BEST_SCORE for score in scores)


@given(strategies.floats(min_value=0.67, max_value=1), strategies.lists(shares, min_size=3, max_size=3))
def test_a_sure_intent_always_wins(sure: float, evidence: list[float]) -> None:
    scores = scores_of(["a", "b", "c"], Readings({"b": sure, "c": 1 - sure}), evidence)
    assert scores[1] == max(scores)


def test_a_settled_intent_wins_however_unsure() -> None:
    scores = scores_of(["a", "b"], Readings({"a": 0.4, "b": 0.35}, settled=True), [0.0, 1.0])
    assert scores[0] > scores[1]


def test_text_decides_between_close_intents_and_where_there_are_none() -> None:
    assert scores_of(["a", "b"], Readings({"a": 0.3, "b": 0.28}), [0.1, 0.9])[1] > 0.5
    assert scores_of(["a", "b"], Readings({}), [0.1, 0.9]) == [BEST_SCORE * 0.1, BEST_SCORE * 0.9]


def test_a_sure_intent_outside_the_catalogue_leaves_no_room() -> None:
    assert max(scores_of(["a"], Readings({"new": 0.98}), [1.0])) < 0.02


# --- the catalogue -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("name", "intents", "examples"), [("banking77", 77, 1540), ("bitext", 27, 1080)])
def test_catalogues_are_whole(name: str, intents: int, examples: int) -> None:
    assert len(entries_of(name)) == intents
    assert sum(len(texts) for texts in examples_of(name).values()) == examples
    assert set(examples_of(name)) == {entry.intent for entry in entries_of(name)}


def test_the_choice_of_examples_depends_on_the_seed_alone_and_grows() -> None:
    few, again, more, other = (
        chosen_examples("banking77", per_intent=count, seed=seed) for count, seed in ((3, 1), (3, 1), (5, 1), (3, 2))
    )
    assert few == again != other
    assert all(more[intent][:3] == texts for intent, texts in few.items())


def test_names_in_braces() -> None:
    assert filled("{a} {b} {c}", {"a": "1"}, {"a": "2", "b": "{a}"}) == "1 {a} {c}"


def test_words() -> None:
    assert words_of("The payments are PENDING, isn't it?") == ["payment", "pend", "isn", "t"]
