"""Candidates from readings and rankings, and what an answer reads like."""

from __future__ import annotations

import numpy as np
import pytest
from rejoinder.graph.answering.aggregates import wanted_in
from rejoinder.graph.answering.answers import candidates_for, listed, unsure, walk_in_words
from rejoinder.graph.answering.paths import parse_path, path_text
from rejoinder.graph.answering.readings import Reading
from rejoinder.graph.answering.walking import Found, Walk
from rejoinder.graph.answering.zero_shot import closest, phrases
from rejoinder.graph.schema import GraphSchema
from rejoinder.graph.values import Step
from rejoinder.models.learner import Prediction

from tests.support.films import SCHEMA

TOPIC = Found(id="person:Mel Gibson", kind="person", name="Mel Gibson")


def reading(text: str = "films by X", score: float = 1.0) -> Reading:
    return Reading(topic=TOPIC, score=score, wanted=wanted_in(text))


def said(*ranking: tuple[str, float], in_scope: float = 0.9, accepted: bool = True) -> Prediction:
    return Prediction(
        label=ranking[0][0], confidence=ranking[0][1], ranking=ranking, in_scope=in_scope, accepted=accepted
    )


def scored(
    found: Prediction | None, *, steps: frozenset[Step] | None = None, score: float = 1.0, max_hops: int = 3
) -> dict[str, float]:
    one = reading(score=score)
    at = {} if steps is None else {TOPIC.id: steps}
    made = candidates_for([one], {one.text: found}, steps=at, asking={}, vectors={}, max_hops=max_hops)
    return {path_text(each.path): round(each.score, 3) for each in made}


def test_the_score_is_that_topic_and_path_are_both_meant() -> None:
    assert scored(said(("directed_by", 0.8), ("starred", 0.2)), score=0.5) == {"directed_by": 0.4, "starred": 0.1}


def test_a_question_out_of_scope_is_trusted_less() -> None:
    assert scored(said(("directed_by", 0.8), accepted=False, in_scope=0.1)) == {"directed_by": 0.16}
    assert scored(None) == {}


def test_paths_that_the_topic_cannot_begin_make_room_for_others() -> None:
    found = said(("has_genre", 0.6), ("^directed_by", 0.3), ("^starred", 0.1))
    at = frozenset((Step(relation="directed_by", inverse=True), Step(relation="starred", inverse=True)))
    assert scored(found, steps=at) == {"^directed_by": 0.75, "^starred": 0.25}
    assert scored(found, steps=frozenset()) == {}


def test_long_paths_and_labels_that_are_no_paths_are_left_out() -> None:
    found = said(("a/b/c", 0.5), ("no path!", 0.3), ("a", 0.2))
    assert scored(found, max_hops=2) == {"a": 0.2}


def test_what_the_ranker_is_unsure_of() -> None:
    assert unsure(
        {"a": None, "b": said(("x", 0.95)), "c": said(("x", 0.5)), "d": said(("x", 0.95), accepted=False)}
    ) == ("a", "c", "d")


def test_without_any_teaching_the_closest_words_count() -> None:
    steps = [Step(relation="directed_by"), Step(relation="has_genre"), Step(relation="directed_by", inverse=True)]
    asking = phrases(steps, SCHEMA)
    assert "X was directed by which person" in asking
    assert "which film X directed" in asking
    vectors = {phrase: np.zeros(4, dtype=np.float32) for phrase in asking}
    vectors["X was directed by which person"] = np.array([1, 0, 0, 0], dtype=np.float32)
    vectors["who directed X"] = np.array([0.8, 0.6, 0, 0], dtype=np.float32)
    found = closest("who directed X", asking, vectors)
    assert max(found, key=lambda step: found[step]) == Step(relation="directed_by")
    assert 0.3 < sum(found.values()) < 1
    vectors["hello"] = np.array([0, 0, 0, 1], dtype=np.float32)
    assert sum(closest("hello", asking, vectors).values()) == 0.0
    assert closest("hello", {}, vectors) == {}


def test_relations_that_no_schema_names_are_asked_for_by_their_names() -> None:
    assert list(phrases([Step(relation="made_by")], GraphSchema(open=True))) == ["X made by what", "what made by of X"]


@pytest.mark.parametrize(
    ("names", "total", "more", "text"),
    [
        (["A"], 1, False, "A"),
        (["A", "B"], 2, False, "A and B"),
        (["A", "B", "C"], 3, False, "A, B and C"),
        (["A", "B"], 14, False, "A, B and 12 more"),
        (["A"], 10_000, True, "A and at least 9999 more"),
    ],
)
def test_lists_in_words(names: list[str], total: int, more: bool, text: str) -> None:
    assert listed(names, total, more=more) == text


def test_walks_in_words() -> None:
    path = parse_path("directed_by/^directed_by")
    walked = Walk(names=("Braveheart", "Mel Gibson", "Apocalypto"))
    assert walk_in_words(path, walked) == "Braveheart -directed_by-> Mel Gibson <-directed_by- Apocalypto"
