"""Each source against its formula on small data."""

from __future__ import annotations

import numpy as np
import pytest
from rejoinder_recommendation.histories import Floats, Histories
from rejoinder_recommendation.item_content import ItemContent, attribute_graph
from rejoinder_recommendation.sources import text_interest, transitions
from rejoinder_recommendation.sources.ease import Ease
from rejoinder_recommendation.sources.graph_paths import GraphPaths
from rejoinder_recommendation.sources.implicit_als import ImplicitAls
from rejoinder_recommendation.sources.item_knn import ItemKnn
from rejoinder_recommendation.sources.popularity import Popularity
from rejoinder_recommendation.sources.sequence import Sequence
from rejoinder_recommendation.sources.text_interest import TextInterest
from rejoinder_recommendation.sources.transitions import Transitions
from rejoinder_recommendation.text_neighbours import TextNeighbours

DAY_S = 86_400.0


def histories(*users: list[int], n_items: int, seconds: list[float] | None = None) -> Histories:
    items = np.array([item for user in users for item in user], dtype=np.int64)
    starts = np.cumsum([0, *map(len, users)])
    times = np.arange(len(items), dtype=np.float64) if seconds is None else np.array(seconds)
    return Histories(starts, items, times, n_items)


def drawn(n_users: int, n_items: int) -> Histories:
    random = np.random.default_rng(0)
    users = [random.permutation(n_items)[: random.integers(1, n_items)].tolist() for _ in range(n_users)]
    return histories(*users, n_items=n_items)


def dense(events: Histories) -> Floats:
    return np.asarray(events.matrix().toarray())


def test_popularity_halves_with_the_distance_in_time() -> None:
    events = histories([0, 1], [0, 2], n_items=3, seconds=[0.0, 10 * DAY_S, 20 * DAY_S, 30 * DAY_S])

    found = Popularity(events, half_life_days=10).scores(events)

    assert found == pytest.approx(np.array([[0.5 + 0.5, 1, 0.25], [0.125 + 0.5, 0.25, 1]]))


@pytest.mark.parametrize(("n_users", "n_items"), [(30, 6), (5, 12)])
def test_ease_is_steck_s_closed_form_with_more_users_or_more_items(n_users: int, n_items: int) -> None:
    events = drawn(n_users, n_items)
    matrix = dense(events)
    inverse = np.linalg.inv(matrix.T @ matrix + 2.5 * np.eye(n_items))
    weights = inverse / -np.diag(inverse)
    np.fill_diagonal(weights, 0)
    others = drawn(3, n_items)

    ease = Ease(events, regularisation=2.5)

    assert ease.scores(events) == pytest.approx(matrix @ weights)
    assert ease.scores(others) == pytest.approx(dense(others) @ weights)


def test_item_knn_is_the_sum_of_cosines_over_the_nearest() -> None:
    events = histories([0, 1], [0, 1], [0, 2], [2, 3], n_items=4)
    cosine = 2 / np.sqrt(6)

    found = ItemKnn(events, neighbours=1, shrinkage=0.0).scores(histories([0], [0, 2], n_items=4))

    assert found[0] == pytest.approx([0, cosine, 0, 0])
    assert found[1] == pytest.approx([0, cosine, 0, 1 / np.sqrt(2)])
    shrunk = ItemKnn(events, neighbours=1, shrinkage=1.0).scores(histories([0], n_items=4))
    assert shrunk[0] == pytest.approx([0, 2 / (np.sqrt(6) + 1), 0, 0])


def test_als_ends_where_no_user_s_vector_can_fit_better() -> None:
    events = drawn(12, 7)
    settings = {"factors": 3, "regularisation": 0.5, "confidence": 4.0}
    als = ImplicitAls(events, **settings, seed=0)
    matrix = dense(events)

    found = als.scores(events)

    items = als._items
    for row, wanted in zip(found, matrix, strict=True):
        confidence = np.diag(1 + 4.0 * wanted)
        user = np.linalg.solve(items.T @ confidence @ items + 0.5 * np.eye(3), items.T @ confidence @ wanted)
        assert row == pytest.approx(items @ user, abs=1e-6), "items are kept in single precision"
    assert found[matrix == 1].mean() > found[matrix == 0].mean() + 0.2
    assert np.array_equal(found, ImplicitAls(events, **settings, seed=0).scores(events))


def test_text_interest_follows_the_latest_items_and_leaves_out_what_has_no_text() -> None:
    vectors = np.array([[1.0, 0.0], [0.8, 0.6], [0.0, 1.0], [0.0, 0.0]])

    found = TextInterest(vectors, half_life=0.5).scores(histories([2, 0], [0, 2], [3], n_items=4))

    assert found[0].argmax() == 0
    assert found[1].argmax() == 2
    assert found[:, 3].tolist() == [0, 0, 0]
    assert not found[2].any()


def test_texts_of_many_items_keep_the_directions_in_which_they_differ(monkeypatch: pytest.MonkeyPatch) -> None:
    random = np.random.default_rng(0)
    flat = random.normal(size=(300, 5)) @ random.normal(size=(5, 40))
    vectors = flat / np.linalg.norm(flat, axis=1, keepdims=True)
    asked = histories([0, 7, 9], [3], n_items=300)
    exact = TextInterest(vectors, half_life=2.0).scores(asked)
    monkeypatch.setattr(text_interest, "_ALL_DIRECTIONS", 100)
    monkeypatch.setattr(text_interest, "_DIRECTIONS", 5)

    kept = TextInterest(vectors, half_life=2.0)

    assert kept._vectors.shape == (300, 5)
    assert kept.scores(asked) == pytest.approx(exact, abs=1e-5), "five directions are all that there are"


def test_transitions_weigh_neighbours_by_order_time_and_place() -> None:
    events = histories([3, 0, 1, 2], [0, 1], n_items=4, seconds=[0, 0, 0, 0, 10 * DAY_S, 10 * DAY_S])
    source = Transitions(events, decay=0.5, window=2, half_life_days=10.0)
    asked = histories([0], [2, 0], [0, 1], n_items=4, seconds=[0.0] * 5)

    found = source.scores(asked)

    second = 2**-0.5  # of the first user 0 is the second item, and of who is asked the first
    after = np.array([0, second + 0.5, 0.5 * second, 0.3 * second])
    assert found[0] == pytest.approx(after / (after.sum() + 5))
    farther = np.array([0, 1 + 0.5 * second, 0.5, 0.3])
    before = np.array([0.15, 0.3, 0, 0]) / 2  # 2 is four times as far into its user's history
    assert found[1] == pytest.approx(farther / (farther.sum() + 5) + 0.7 * before / (before.sum() + 5))


def test_of_an_item_of_many_events_those_around_the_users_time_are_looked_at(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(transitions, "_MOST", 2)
    events = histories([0, 1], [0, 2], [0, 3], [0, 4], n_items=5, seconds=[0, 0, 1, 1, 2, 2, 3, 3])

    found = Transitions(events, decay=0.5, window=2, half_life_days=1e6).scores(
        histories([0], [0], [0], n_items=5, seconds=[-1, 2, 9])
    )

    assert [np.flatnonzero(row).tolist() for row in found] == [[1, 2], [2, 3], [3, 4]]


def test_an_item_is_lifted_by_its_neighbours_and_not_by_itself() -> None:
    vectors = np.array([[1.0, 0.0], [0.96, 0.28], [0.0, 1.0], [0.0, 0.0]])
    neighbours = TextNeighbours(vectors, np.array([True, True, False, True]))

    found = neighbours.lift(np.array([[1.0, 2.0, 30.0, 40.0]]))

    assert found[0, :2].tolist() == [2, 1]
    assert found[0, 2] == pytest.approx(2)
    assert found[0, 3] == 0
    assert not TextNeighbours(vectors, np.zeros(4, dtype=bool)).lift(np.ones(4)).any()


def test_paths_go_by_rare_values_and_by_links() -> None:
    described = [
        {"brand": ["x"], "tags": ["all"]},
        {"brand": ["x"], "tags": ["all"]},
        {"tags": ["all"]},
        {"also": ["i0"]},
    ]
    content = ItemContent(np.zeros((4, 2)), *attribute_graph(described, {"i0": 0}))

    found = GraphPaths(content, half_life=1.0, link=0.25).scores(histories([0], [3], n_items=4))

    assert found[0, 1] == pytest.approx(1)
    assert 0 < found[0, 2] < 1
    assert found[0, 3] == found[1, 0] == 0.25
    assert not found[1, 1:3].any()


def test_the_sequence_source_learns_what_follows_what_and_gives_the_same_again() -> None:
    around = [[(start + step) % 8 for step in range(6)] for start in range(8)] * 3
    events, settings = histories(*around, n_items=8), {"dim": 16, "layers": 1, "length": 4, "dropout": 0.0, "steps": 60}
    vectors = np.zeros((8, 3))

    source = Sequence(events, vectors, **settings, seed=0)

    queries = histories([2, 3], [6, 7], [], [1, 2, 3, 4, 5], n_items=8)
    found = source.scores(queries)
    assert found.argmax(axis=1)[[0, 1, 3]].tolist() == [4, 0, 6]
    assert not found[2].any()
    assert np.array_equal(found, Sequence(events, vectors, **settings, seed=0).scores(queries))
    assert not Sequence(histories([1], n_items=8), vectors, **settings, seed=0).scores(queries)[2].any()
