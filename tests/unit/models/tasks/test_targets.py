"""What examples say, and what is refused."""

from __future__ import annotations

from typing import Any

import pytest
from rejoinder.errors import InvalidInputError
from rejoinder.models.tasks.targets import TextSpan, answers_of, labels_of, spans_of
from rejoinder.payloads import Example


def example(**values: Any) -> Example:
    return Example(**{"id": "one", "task": "t", "text": "late and damaged", **values})


def test_labels_are_the_target_or_the_label() -> None:
    assert labels_of(example(target=["late", "damaged", "late"])) == ("late", "damaged")
    assert labels_of(example(label="late")) == ("late",)
    assert labels_of(example(target=[])) == ()
    assert labels_of(example()) is None


def test_spans_come_in_the_order_of_the_text() -> None:
    spans = [{"start": 9, "end": 16, "label": "b"}, {"start": 0, "end": 4, "label": "a"}]
    assert spans_of(example(target=spans)) == (TextSpan(0, 4, "a"), TextSpan(9, 16, "b"))
    assert spans_of(example(target={"spans": spans})) == spans_of(example(target=spans))
    assert spans_of(example(target=[])) == ()
    assert spans_of(example()) is None


@pytest.mark.parametrize(
    "target",
    [
        {"start": 4, "end": 9},
        {"start": 4, "end": 9, "text": "Paris"},
        {"start": 4, "text": "Paris"},
        {"answers": [{"start": 4, "end": 9, "text": "Paris"}]},
        [{"start": 4, "end": 9}],
    ],
)
def test_answers_have_several_forms(target: Any) -> None:
    assert answers_of(example(other="It's Paris.", target={"start": 5, "end": 10})) == (TextSpan(5, 10),)
    assert answers_of(example(other="Its Paris.", target=target)) == (TextSpan(4, 9),)


@pytest.mark.parametrize("target", [None, [], {}, {"answers": []}])
def test_no_answer_has_several_forms(target: Any) -> None:
    assert answers_of(example(other="Its Paris.", target=target)) == ()


@pytest.mark.parametrize(
    ("target", "said"),
    [
        ("late", "must be a list of labels"),
        ([1], "must be a list of labels"),
        ([""], "must be a list of labels"),
    ],
)
def test_other_labels_are_refused(target: Any, said: str) -> None:
    with pytest.raises(InvalidInputError, match=said):
        labels_of(example(target=target))


@pytest.mark.parametrize(
    ("target", "said"),
    [
        ("late", "must be a list"),
        ([{"start": 0, "end": 4}], "has no label"),
        ([{"start": 4, "end": 4, "label": "a"}], "0 <= start < end <= 16"),
        ([{"start": 0, "end": 17, "label": "a"}], "0 <= start < end <= 16"),
        ([{"start": "0", "end": 4, "label": "a"}], "whole numbers"),
        ([{"start": 0, "end": 4, "label": "a"}, {"start": 3, "end": 8, "label": "b"}], "overlap"),
        ([{"start": 0, "end": 4, "label": "a", "text": "soon"}], "stands 'late', not 'soon'"),
    ],
)
def test_other_spans_are_refused(target: Any, said: str) -> None:
    with pytest.raises(InvalidInputError, match=said):
        spans_of(example(target=target))


def test_an_answer_without_a_passage_is_refused() -> None:
    with pytest.raises(InvalidInputError, match="the passage to answer from"):
        answers_of(example(target={"start": 0, "end": 1}))
