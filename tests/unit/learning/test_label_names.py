"""A label's name stands in for an example where it reads as words."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rejoinder.learning.few_shot import few_shot_settings, is_few
from rejoinder.learning.label_names import label_examples, spoken, with_label_names
from rejoinder.models.tasks.multi_label import MultiLabelClassifier
from rejoinder.models.tasks.text_classification import TextClassifier
from rejoinder.payloads import Example

from tests.support.learners import NearestLearner


def example(text: str, label: str) -> Example:
    return Example(id=text, task="intent", text=text, label=label)


@pytest.mark.parametrize(
    ("label", "words"),
    [
        ("card_arrival", "card arrival"),
        ("cancelOrder", "cancel order"),
        ("top-up/limits", "top up limits"),
        ("Ärger", "ärger"),
        ("付款", "付款"),
        ("Q17", None),
        ("x_3", None),
        ("1234", None),
        ("", None),
    ],
)
def test_a_label_is_spoken_unless_it_is_a_code(label: str, words: str | None) -> None:
    assert spoken(label) == words


@given(st.text(max_size=40))
def test_what_is_spoken_is_lower_case_words(label: str) -> None:
    words = spoken(label)
    assert words is None or (words == words.lower() and "_" not in words and words.split() == words.split(" "))


def test_each_label_that_has_a_name_gets_one_example() -> None:
    known = [
        example("where is it", "card_arrival"),
        example("hm", "Q17"),
        example("a joke", "oos"),
        example("lost", "lost"),
    ]
    found = label_examples(known, but="oos")
    assert [(one.text, one.label) for one in found] == [("card arrival", "card_arrival")]  # "lost" is known as a text


def test_many_examples_need_no_names() -> None:
    assert not label_examples([example(str(i), "card_arrival") for i in range(21)])
    assert not label_examples([])


def test_names_are_for_learners_that_make_use_of_them() -> None:
    known = [example("where is it", "card_arrival"), example("a joke", "not_mine")]
    assert [one.text for one in with_label_names(TextClassifier(oos_label="not_mine"), known)] == [
        "where is it",
        "a joke",
        "card arrival",
    ]
    for learner in (NearestLearner(), MultiLabelClassifier()):
        assert with_label_names(learner, known) == known


def test_few_examples_of_several_labels_are_few() -> None:
    assert is_few([example("a", "x"), example("b", "y")])
    assert not is_few([example("a", "x"), example("b", "x")])
    assert not is_few([example(f"{label}{i}", label) for label in "xy" for i in range(21)])


@pytest.mark.parametrize(("rows", "epochs"), [(10, 20), (462, 7), (847, 4), (100_000, 2)])
def test_epochs_make_up_for_rows(rows: int, epochs: int) -> None:
    assert few_shot_settings(rows).epochs == epochs
