"""Answers from passages: with a head fitted on the frozen base, and with one that was trained."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from rejoinder.errors import InvalidInputError, ModelNotReadyError
from rejoinder.models.encoding.encoder import Encoder
from rejoinder.models.encoding.tokens import TokenStates
from rejoinder.models.learner import Learner
from rejoinder.models.tasks.question_answering import QuestionAnswering
from rejoinder.models.tasks.windows import encode_windows
from rejoinder.payloads import Example

NAMES = ["Anna", "Bruno", "Clara", "David", "Emma", "Felix", "Greta", "Hugo", "Ida", "Jonas", "Karin", "Leo"]
TOWNS = [
    "Paris",
    "Rome",
    "Oslo",
    "Madrid",
    "Vienna",
    "Prague",
    "Dublin",
    "Lisbon",
    "Berlin",
    "Athens",
    "Warsaw",
    "Bern",
]


def example(number: int, name: str, town: str, *, asked: bool = True) -> Example:
    passage = f"{name} was born in a small house and later moved to {town} to work there."
    start = passage.index(town)
    target = {"start": start, "end": start + len(town), "text": town} if asked else None
    text = f"Where did {name} move to?" if asked else f"How old is the cat of {name}?"
    return Example(id=f"q{number}", task="qa", text=text, other=passage, target=target)


def examples() -> list[Example]:
    pairs = list(zip(NAMES, TOWNS, strict=True))
    found = [example(i, *pair) for i, pair in enumerate(pairs)]
    return found + [example(100 + i, *pair, asked=False) for i, pair in enumerate(pairs)]


def pairs_of(rows: list[Example]) -> list[tuple[str, str]]:
    return [(one.text, one.other or "") for one in rows]


def encoded(encoder: Encoder, rows: list[Example]) -> list[TokenStates]:
    return encode_windows(encoder, pairs_of(rows))


@pytest.fixture(scope="module")
def taught(encoder: Encoder) -> QuestionAnswering:
    learner = QuestionAnswering()
    learner.fit(examples(), encoded(encoder, examples()), seed=0)
    return learner


def ask(learner: QuestionAnswering, encoder: Encoder, question: str, passage: str) -> Any:
    return learner.predict_batch([(question, passage)], encode_windows(encoder, [(question, passage)]))[0]


def test_it_is_a_learner_of_tokens() -> None:
    assert isinstance(QuestionAnswering(), Learner)
    assert QuestionAnswering.reads == "tokens"


def test_it_answers_and_says_when_there_is_no_answer(taught: QuestionAnswering, encoder: Encoder) -> None:
    new, absent = example(0, "Maria", "Geneva"), example(0, "Maria", "Geneva", asked=False)
    found = ask(taught, encoder, new.text, new.other or "")
    none = ask(taught, encoder, absent.text, absent.other or "")

    assert (found.label, found.accepted) == ("Geneva", True)
    assert found.spans[0].text == (new.other or "")[found.spans[0].start : found.spans[0].end] == "Geneva"
    assert not none.accepted
    assert none.in_scope < 0.5 < found.in_scope


def test_the_best_answers_do_not_overlap_and_are_sorted(taught: QuestionAnswering, encoder: Encoder) -> None:
    new = example(0, "Maria", "Geneva")
    spans = ask(taught, encoder, new.text, new.other or "").spans

    assert 1 < len(spans) <= 3
    assert [one.confidence for one in spans] == sorted((one.confidence for one in spans), reverse=True)
    for i, one in enumerate(spans):
        assert all(one.end <= other.start or other.end <= one.start for other in spans[i + 1 :])


def test_an_answer_is_found_wherever_it_stands_in_a_long_passage(taught: QuestionAnswering, encoder: Encoder) -> None:
    filler = "The weather was mild and nothing of note happened in those years. " * 30
    passage = filler + (example(0, "Maria", "Geneva").other or "")
    found = ask(taught, encoder, "Where did Maria move to?", passage)

    assert "Geneva" in [one.text for one in found.spans]
    place = next(one for one in found.spans if one.text == "Geneva")
    assert passage[place.start : place.end] == "Geneva"


def test_figures_are_those_of_squad(taught: QuestionAnswering, encoder: Encoder) -> None:
    found = taught.evaluate(examples(), encoded(encoder, examples()))

    assert set(found) == {"exact_match", "f1", "has_answer_f1", "no_answer_f1"}
    assert found["exact_match"] > 0.9


def test_without_an_example_without_an_answer_there_always_is_one(encoder: Encoder) -> None:
    rows = examples()[:12]
    learner = QuestionAnswering()
    learner.fit(rows, encoded(encoder, rows), seed=0)
    absent = example(0, "Maria", "Geneva", asked=False)
    found = ask(learner, encoder, absent.text, absent.other or "")

    assert found.accepted
    assert found.in_scope == 1.0


def states(starts: list[float], ends: list[float]) -> TokenStates:
    """[CLS] q [SEP] a b c d [SEP], whose two numbers are the scores of start and end."""
    offsets = [(0, 0), (0, 1), (0, 0), (0, 1), (2, 3), (4, 5), (6, 7), (0, 0)]
    return TokenStates(
        np.zeros(2, dtype=np.float32),
        np.array([starts, ends], dtype=np.float32).T.copy(),
        np.array(offsets),
        np.array([-1, 0, -1, 1, 1, 1, 1, -1]),
    )


PLAIN_HEAD = {"span.weight": np.eye(2, dtype=np.float32), "span.bias": np.zeros(2, dtype=np.float32)}


def test_a_trained_head_is_used_as_it_is_and_calibrated() -> None:
    rows = [
        Example(id="a", task="qa", text="q", other="a b c d", target={"start": 2, "end": 5}),
        Example(id="b", task="qa", text="q", other="a b c d", target=None),
    ]
    sure, absent = (
        states([0, 9, 0, 0, 5, 0, 0, 0], [0, 9, 0, 0, 0, 5, 0, 0]),
        states([4, 9, 0, 0, 3, 0, 0, 0], [4, 0] + [0] * 6),
    )
    learner = QuestionAnswering(head=PLAIN_HEAD)
    learner.fit(rows, [sure, absent], seed=0)
    found, none = learner.predict_batch(pairs_of(rows), [sure, absent])

    assert (found.label, found.accepted, none.accepted) == ("b c", True, False)
    assert learner.evaluate(rows, [sure, absent])["exact_match"] == 1.0


def test_an_answer_does_not_end_before_it_starts_nor_grow_too_long() -> None:
    rows = [Example(id="a", task="qa", text="q", other="a b c d", target={"start": 0, "end": 1})]
    crossed = states([0, 0, 0, 0, 0, 0, 5, 0], [0, 0, 0, 5, 0, 0, 1, 0])
    long = states([0, 0, 0, 5, 0, 0, 0, 0], [0, 0, 0, 0, 1, 0, 5, 0])
    learner = QuestionAnswering(head=PLAIN_HEAD, max_answer_tokens=2)
    learner.fit(rows, [crossed], seed=0)

    assert learner.predict_batch([("q", "a b c d")] * 2, [crossed, long])[0].label == "d"
    assert learner.predict_batch([("q", "a b c d")], [long])[0].label == "a b"


def test_a_correction_moves_the_answer(taught: QuestionAnswering, encoder: Encoder, tmp_path: Path) -> None:
    taught.save(tmp_path)
    learner = QuestionAnswering.load(tmp_path)
    one = example(0, "Maria", "Geneva")
    passage = one.other or ""
    wanted = passage.index("small house")
    right = Example(
        id="c",
        task="qa",
        text=one.text,
        other=passage,
        target={"start": wanted, "end": wanted + 11},
        polarity="correction",
        weight=10,
    )
    for _ in range(5):
        learner.update([right], encoded(encoder, [right]))

    assert ask(learner, encoder, one.text, passage).label == "small house"
    assert ask(taught, encoder, one.text, passage).label == "Geneva"


def test_a_saved_model_predicts_the_same(taught: QuestionAnswering, encoder: Encoder, tmp_path: Path) -> None:
    taught.save(tmp_path)
    texts = [*pairs_of(examples()[:2]), ("", ""), ("who?", "")]
    inputs = encode_windows(encoder, texts)

    assert QuestionAnswering.load(tmp_path).predict_batch(texts, inputs) == taught.predict_batch(texts, inputs)
    assert not taught.predict_batch(texts, inputs)[-1].accepted
    assert taught.size() < 10_000


def test_one_example_is_enough(encoder: Encoder) -> None:
    rows = examples()[:1]
    learner = QuestionAnswering()
    learner.fit(rows, encoded(encoder, rows), seed=0)

    assert ask(learner, encoder, rows[0].text, rows[0].other or "").label == TOWNS[0]


def test_nothing_to_learn_from_is_refused(encoder: Encoder) -> None:
    learner = QuestionAnswering()
    with pytest.raises(ModelNotReadyError):
        ask(learner, encoder, "who?", "me")
    for rows in ([], examples()[12:13]):
        with pytest.raises(InvalidInputError, match="nothing to learn from"):
            learner.fit(rows, encoded(encoder, rows), seed=0)
    with pytest.raises(InvalidInputError, match="one input for each of the 1 examples, came 0"):
        learner.fit(examples()[:1], [], seed=0)


@pytest.mark.parametrize(
    "head", [{}, {"span.weight": np.zeros((3, 4)), "span.bias": np.zeros(3)}], ids=["missing", "wrong shape"]
)
def test_a_head_that_does_not_fit_is_refused(head: dict[str, Any]) -> None:
    with pytest.raises(InvalidInputError, match=r"span\.weight"):
        QuestionAnswering(head=head)
