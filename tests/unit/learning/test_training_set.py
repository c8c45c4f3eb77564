"""What a training set is: repeats and contradictions by weight, then by time."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from rejoinder.learning.training_set import training_set
from rejoinder.models.tasks.multi_label import MultiLabelClassifier
from rejoinder.payloads import Example

NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)


def said(number: int, label: str | None, text: str = "my card is gone", **changes: Any) -> Example:
    values = {"task": "intent", "user_id": f"user-{number}", "at": NOON + timedelta(minutes=number), **changes}
    return Example(id=f"ex-{number}", text=text, label=label, **values)


def labels(*examples: Example) -> list[str | None]:
    return [one.label for one in training_set(examples).examples]


def test_the_same_of_the_same_text_counts_once_the_weightiest_of_it_stays() -> None:
    found = training_set([said(1, "lost"), said(2, "lost", "My card  is GONE", weight=2.0), said(3, "lost")])
    assert [one.id for one in found.examples] == ["ex-2"]
    assert (found.repeated, found.contradicted) == (2, 0)


def test_the_weightier_label_counts_and_of_equal_weight_the_later() -> None:
    assert labels(said(1, "lost", weight=2.0), said(2, "stolen")) == ["lost"]
    assert labels(said(2, "stolen"), said(1, "lost")) == ["stolen"]
    found = training_set([said(1, "lost"), said(2, "stolen"), said(3, "late", "where is it")])
    assert ([one.label for one in found.examples], found.contradicted) == (["stolen", "late"], 1)


def test_what_people_said_comes_after_the_seeds() -> None:
    seed = said(9, "stolen", user_id=None, at=None)
    assert labels(seed, said(1, "lost")) == ["lost"]
    assert labels(said(1, "lost", weight=0.5), seed) == ["stolen"]


def test_several_voices_outweigh_one_that_repeats_itself() -> None:
    stubborn = [said(number, "stolen", user_id="loud") for number in range(5, 9)]
    assert labels(said(1, "lost"), said(2, "lost"), *stubborn) == ["lost"]


def test_not_this_and_this_contradict_each_other() -> None:
    no = said(2, "lost", polarity="negative")
    assert [one.polarity for one in training_set([said(1, "lost"), no]).examples] == ["negative"]
    assert [one.polarity for one in training_set([said(3, "lost"), no]).examples] == ["positive"]
    both = training_set([said(1, "stolen"), no])
    assert [(one.label, one.polarity) for one in both.examples] == [("stolen", "positive"), ("lost", "negative")]


def test_pairs_and_tasks_are_apart() -> None:
    examples = [said(1, "yes", other="a"), said(2, "no", other="b"), said(3, "x", task="topic")]
    assert len(training_set(examples).examples) == 3


def test_labels_of_a_task_with_several_do_not_contradict_but_whole_targets_do() -> None:
    one_each = [said(1, "late"), said(2, "damaged")]
    assert len(training_set(one_each, MultiLabelClassifier()).examples) == 2
    wholes = [said(1, None, target=["late"]), said(2, None, target=["damaged"])]
    (kept,) = training_set(wholes, MultiLabelClassifier()).examples
    assert kept.target == ["damaged"]


@pytest.mark.parametrize("seed", range(3))
def test_the_order_of_equal_things_does_not_change_what_counts(seed: int) -> None:
    import random

    examples = [said(n, f"label-{n % 3}", f"text {n % 5}", weight=1.0 + n % 2) for n in range(40)]
    shuffled = examples[:]
    random.Random(seed).shuffle(shuffled)
    assert {one.id for one in training_set(shuffled).examples} == {one.id for one in training_set(examples).examples}


def test_how_likely_an_answer_was_to_be_shown_is_no_part_of_what_is_said() -> None:
    often, rarely = [said(n, "lost", target={"propensity": share}) for n, share in ((1, 0.9), (2, 0.1))]
    found = training_set([often, rarely, said(3, "lost")])
    assert ([one.id for one in found.examples], found.repeated, found.contradicted) == (["ex-3"], 2, 0)
    assert labels(often, said(4, "lost", polarity="negative")) == ["lost"]
    assert training_set([often, said(4, "lost", polarity="negative")]).contradicted == 1
