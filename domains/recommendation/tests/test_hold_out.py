"""Which events are held out."""

from __future__ import annotations

import numpy as np
from rejoinder_recommendation.histories import Histories
from rejoinder_recommendation.hold_out import (
    cold_share_of,
    hold_out_beginnings,
    hold_out_cold_items,
    hold_out_cold_users,
    hold_out_last,
    without_cold,
)


def histories(*users: list[int], n_items: int = 6) -> Histories:
    """One list of items for each user; an event a second."""
    items = np.array([item for user in users for item in user], dtype=np.int64)
    starts = np.cumsum([0, *map(len, users)])
    return Histories(starts, items, np.arange(len(items), dtype=np.float64), n_items)


def test_the_last_event_of_each_user_is_held_out_and_all_unseen_items_are_ranked() -> None:
    found = hold_out_last(histories([0, 1, 2], [3], [4, 0]))

    assert found.targets.tolist() == [2, 0]
    assert found.training.items.tolist() == [0, 1, 3, 4]
    assert found.training.lengths.tolist() == [2, 1, 1]
    assert found.queries.items.tolist() == [0, 1, 4]
    assert np.flatnonzero(found.ranked(slice(0, 1))[0]).tolist() == [2, 3, 4, 5]
    assert np.flatnonzero(found.ranked(slice(1, 2))[0]).tolist() == [0, 1, 2, 3, 5]


def test_cold_items_are_in_no_training_and_ranked_among_themselves() -> None:
    cold = np.array([False, False, False, True, True, True])
    events = histories([0, 3, 1, 4, 2], [5, 0], [1, 2, 5], [1, 2])
    found = hold_out_cold_items(events, cold, without_cold(events, cold, np.zeros(4, dtype=bool)))

    assert not cold[found.training.items].any()
    assert found.training.items.tolist() == [0, 1, 1, 2, 1]
    assert found.targets.tolist() == [4, 5]
    assert found.queries.lengths.tolist() == [2, 2]
    assert found.queries.items.tolist() == [0, 1, 1, 2]
    assert np.flatnonzero(found.ranked(slice(0, 1))[0]).tolist() == [4, 5]
    assert np.flatnonzero(found.ranked(slice(1, 2))[0]).tolist() == [3, 4, 5]


def test_of_a_cold_user_three_events_are_known_and_nothing_is_learned() -> None:
    cold, cold_users = np.arange(6) == 5, np.array([True, True, False])
    events = histories([5, 3, 1, 4, 2, 0], [0, 1, 2], [1, 2, 3])

    found = hold_out_cold_users(events, cold, cold_users, without_cold(events, cold, cold_users))

    assert found.training.items.tolist() == [1, 2]
    assert found.queries.items.tolist() == [3, 1, 4]
    assert found.targets.tolist() == [2]
    assert np.flatnonzero(found.ranked(slice(0, 1))[0]).tolist() == [0, 2]


def test_of_a_new_user_each_beginning_is_asked_about_and_what_came_later_is_ranked() -> None:
    events = histories([0, 1], [3, 4, 5, 0], [2], [5, 1, 0])
    training = events.keep(events.users == 0)

    found = hold_out_beginnings(events, np.array([1, 2, 3]), (1, 3), training)

    assert found.training is training
    assert found.targets.tolist() == [4, 1, 0]
    assert found.queries.items.tolist() == [3, 5, 3, 4, 5]
    assert found.queries.lengths.tolist() == [1, 1, 3]
    assert np.flatnonzero(found.ranked(slice(1, 3))[0]).tolist() == [0, 1, 2, 3, 4]
    assert np.flatnonzero(found.ranked(slice(1, 3))[1]).tolist() == [0, 1, 2]


def test_the_share_of_cold_items_is_drawn_by_their_ids() -> None:
    ids = [str(number) for number in range(5000)]
    cold = cold_share_of(ids, 0.2)

    assert 0.18 < cold.mean() < 0.22
    assert cold_share_of(ids[::-1], 0.2)[::-1].tolist() == cold.tolist()
    assert not cold_share_of(ids, 0.0).any()
    assert cold_share_of(ids, 0.3)[cold].all()


def test_some_users_in_another_order() -> None:
    found = histories([0, 1, 2], [3], [4, 0]).take(np.array([2, 0]))

    assert found.items.tolist() == [4, 0, 0, 1, 2]
    assert found.lengths.tolist() == [2, 3]
    assert found.now.tolist() == [5, 2]
    assert found.ages.tolist() == [1, 0, 2, 1, 0]
