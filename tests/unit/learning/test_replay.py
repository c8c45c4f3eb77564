"""Rehearsal: what is new is all there, every class is rehearsed, and the choice is the same for whoever makes it."""

from __future__ import annotations

import random
from collections import Counter
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from rejoinder.learning.replay import Round, replayed, reservoir
from rejoinder.payloads import Example

THEN = datetime(2026, 1, 1, tzinfo=UTC)


def example(number: int, label: str | None = "usual", **more: Any) -> Example:
    return Example(id=f"e{number}", task="intent", text=f"text {number}", label=label, **more)


def unbalanced() -> list[Example]:
    """3 rare, 17 uncommon and 180 usual examples."""
    return [example(n, "rare" if n < 3 else "uncommon" if n < 20 else "usual") for n in range(200)]


def test_a_reservoir_takes_alike_from_all_classes() -> None:
    counts = Counter(one.label for one in reservoir(unbalanced(), 60))
    assert counts == {"rare": 3, "uncommon": 17, "usual": 40}
    counts = Counter(one.label for one in reservoir(unbalanced(), 30))
    assert counts["rare"] == 3
    assert abs(counts["uncommon"] - counts["usual"]) <= 1


def test_the_choice_depends_on_the_seed_and_not_on_the_order() -> None:
    shuffled = unbalanced()
    random.Random(1).shuffle(shuffled)
    chosen = {one.id for one in reservoir(unbalanced(), 50)}
    assert {one.id for one in reservoir(shuffled, 50)} == chosen
    assert {one.id for one in reservoir(unbalanced(), 50, seed=1)} != chosen


def test_one_more_example_pushes_out_at_most_one() -> None:
    many = [example(n) for n in range(100)]
    before = {one.id for one in reservoir(many, 20)}
    for n in range(100, 150):
        many.append(example(n))
        after = {one.id for one in reservoir(many, 20)}
        assert len(before - after) <= 1
        before = after


def test_each_example_of_a_class_is_as_likely_as_another() -> None:
    drawn = Counter(one.id for seed in range(400) for one in reservoir([example(n) for n in range(20)], 5, seed=seed))
    assert all(60 <= drawn[f"e{n}"] <= 140 for n in range(20))  # 100 expected, deviation 9


def test_weightier_examples_are_rehearsed_more_often() -> None:
    said = [example(n, weight=4.0 if n == 0 else 1.0) for n in range(20)]
    drawn = Counter(one.id for seed in range(200) for one in reservoir(said, 5, seed=seed))
    assert drawn["e0"] > 1.8 * 50


def test_what_a_text_is_not_is_a_class_of_its_own() -> None:
    said = [*(example(n) for n in range(50)), example(50, polarity="negative")]
    assert any(one.polarity == "negative" for one in reservoir(said, 4))


def test_all_that_is_new_is_learned_beside_a_rehearsal() -> None:
    old = [example(n, at=THEN) for n in range(50)]
    new = [example(n, at=THEN + timedelta(hours=1)) for n in range(50, 60)]
    found = replayed([*old, *new], since=THEN, limit=5)
    ids = [one.id for one in found.examples]
    assert ids[-10:] == [one.id for one in new]
    assert list(found.rehearsed) == ids[:10]
    assert len(ids) == 20  # as many old ones as new ones: half is rehearsal
    assert len(replayed([*old, *new], since=THEN, limit=30).examples) == 40
    assert len(replayed([*old, *new], since=THEN, limit=0).examples) == 10


def test_a_first_round_learns_from_everything() -> None:
    examples = [example(n, at=THEN) for n in range(30)]
    assert replayed(examples, since=None, limit=5) == Round(tuple(examples))


def test_a_negative_limit_is_refused() -> None:
    with pytest.raises(ValueError, match="limit must be >= 0"):
        reservoir([], -1)
