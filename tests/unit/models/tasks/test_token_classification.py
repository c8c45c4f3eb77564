"""Slots in texts."""

from __future__ import annotations

import itertools
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from rejoinder.errors import InvalidInputError, ModelNotReadyError
from rejoinder.models.encoding.encoder import Encoder
from rejoinder.models.heads.chain import best_path, fit_transitions, span_log_odds, spans_of_path
from rejoinder.models.learner import Learner
from rejoinder.models.tasks.token_classification import TokenClassifier
from rejoinder.payloads import Example

MARKED = [
    "book a table in [place:Paris] for [time:eight o'clock]",
    "a table for two in [place:New York] at [time:noon]",
    "I need a hotel in [place:Rome]",
    "find a restaurant in [place:San Francisco] for [time:tonight]",
    "is there a museum in [place:Berlin]",
    "see you at [time:half past nine]",
    "a taxi in [place:Los Angeles] at [time:seven thirty]",
    "wake me at [time:six]",
    "what is the weather in [place:Madrid] [time:tomorrow]",
    "trains to [place:Vienna] on [time:Monday morning]",
    "thank you very much",
    "that is all, goodbye",
]


def example(number: int, marked: str, **values: Any) -> Example:
    text, spans = "", []
    for part in re.split(r"(\[\w+:[^\]]+\])", marked):
        if part.startswith("["):
            label, _, said = part[1:-1].partition(":")
            spans.append({"start": len(text), "end": len(text) + len(said), "label": label})
            text += said
        else:
            text += part
    return Example(**{"id": f"s{number}", "task": "slots", "text": text, "target": spans, **values})


EXAMPLES = [example(i, marked) for i, marked in enumerate(MARKED)]


@pytest.fixture(scope="module")
def taught(encoder: Encoder) -> TokenClassifier:
    learner = TokenClassifier()
    learner.fit(EXAMPLES, encoder.encode_tokens([one.text for one in EXAMPLES]), seed=0)
    return learner


def slots(learner: TokenClassifier, encoder: Encoder, text: str) -> list[tuple[str, str]]:
    (found,) = learner.predict_batch([text], encoder.encode_tokens([text]))
    assert all(text[one.start : one.end] == one.text for one in found.spans)
    return [(one.label, one.text) for one in found.spans]


def test_it_is_a_learner_of_tokens() -> None:
    assert isinstance(TokenClassifier(), Learner)
    assert TokenClassifier.reads == "tokens"


def test_slots_of_a_new_text_are_found_with_their_characters(taught: TokenClassifier, encoder: Encoder) -> None:
    assert slots(taught, encoder, "a hotel in New Orleans at seven") == [("place", "New Orleans"), ("time", "seven")]
    assert slots(taught, encoder, "thank you, goodbye") == []


def test_a_prediction_says_how_sure_it_is(taught: TokenClassifier, encoder: Encoder) -> None:
    text = "a hotel in Rome"
    (found,) = taught.predict_batch([text], encoder.encode_tokens([text]))

    assert found.accepted
    assert found.label == found.labels[0] == "place"
    assert 0 < found.spans[0].confidence <= 1
    assert found.confidence == pytest.approx(np.prod([one.confidence for one in found.spans]))


def test_figures_count_whole_spans(taught: TokenClassifier, encoder: Encoder) -> None:
    found = taught.evaluate(EXAMPLES, encoder.encode_tokens([one.text for one in EXAMPLES]))
    assert found == {"precision": 1.0, "recall": 1.0, "f1": 1.0}


def test_a_correction_and_a_new_label_count_at_once(taught: TokenClassifier, encoder: Encoder, tmp_path: Path) -> None:
    taught.save(tmp_path)
    learner = TokenClassifier.load(tmp_path)
    right = example(90, "my name is [person:Rosalind Franklin]", polarity="correction")
    for _ in range(3):
        learner.update([right], encoder.encode_tokens([right.text]))

    assert learner.labels == ("place", "time", "person")
    assert slots(learner, encoder, right.text) == [("person", "Rosalind Franklin")]
    assert slots(learner, encoder, "a hotel in Rome") == [("place", "Rome")]


def test_a_saved_model_predicts_the_same(taught: TokenClassifier, encoder: Encoder, tmp_path: Path) -> None:
    taught.save(tmp_path)
    texts = ["a hotel in Rome", "", "   ", "word " * 20_000, "x" * 100_000]
    states = encoder.encode_tokens(texts)

    assert TokenClassifier.load(tmp_path).predict_batch(texts, states) == taught.predict_batch(texts, states)


def test_a_span_within_a_word_is_learned_as_the_word(encoder: Encoder) -> None:
    rows = [Example(id="a", task="slots", text="at 5pm", target=[{"start": 3, "end": 4, "label": "hour"}])]
    learner = TokenClassifier()
    learner.fit(rows, encoder.encode_tokens(["at 5pm"]), seed=0)

    assert slots(learner, encoder, "at 5pm") == [("hour", "5pm")]


def test_low_confidence_can_be_left_out(encoder: Encoder) -> None:
    learner = TokenClassifier(min_confidence=1.0)
    learner.fit(EXAMPLES, encoder.encode_tokens([one.text for one in EXAMPLES]), seed=0)

    assert slots(learner, encoder, "a hotel in Rome") == []


def test_nothing_to_learn_from_is_refused(encoder: Encoder) -> None:
    learner = TokenClassifier()
    with pytest.raises(ModelNotReadyError):
        learner.predict_batch(["a"], encoder.encode_tokens(["a"]))
    for rows in ([], [example(0, "no slots")], [Example(id="a", task="slots", text="a", label="b")]):
        with pytest.raises(InvalidInputError, match="nothing to learn from"):
            learner.fit(rows, encoder.encode_tokens([one.text for one in rows]), seed=0)


def test_a_span_never_goes_on_that_did_not_begin() -> None:
    first, follow = fit_transitions([[1, 2, 0], [0, 3, 4]], 2)
    for forbidden, tags in ((first, [2, 4]), (follow[0], [2, 4]), (follow[1], [4]), (follow[3], [2])):
        assert np.isneginf(forbidden[tags]).all()
    scores = np.full((3, 5), -1.0, dtype=np.float32)
    scores[:, 2] = 5.0

    assert spans_of_path(best_path(scores, first, follow)) == [(0, 3, 0)]


def test_the_odds_of_a_span_are_those_of_all_paths_that_have_it() -> None:
    rng = np.random.default_rng(0)
    first, follow = fit_transitions([[1, 2, 0], [0, 3, 4]], 2)
    scores = rng.normal(size=(4, 5)).astype(np.float32)
    every = [[]]
    for _ in range(4):
        every = [[*path, tag] for path in every for tag in range(5)]

    def weight(path: list[int]) -> float:
        steps = sum(float(follow[a, b]) for a, b in itertools.pairwise(path))
        return float(np.exp(first[path[0]] + steps + sum(float(scores[i, tag]) for i, tag in enumerate(path))))

    total = sum(weight(path) for path in every)
    for span in ((1, 3, 0), (0, 1, 1), (3, 4, 0), (0, 4, 1)):
        share = sum(weight(path) for path in every if span in spans_of_path(path)) / total
        (odds,) = span_log_odds(scores, first, follow, [span])
        assert 1 / (1 + np.exp(-odds)) == pytest.approx(share, rel=1e-4)
