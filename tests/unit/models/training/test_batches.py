"""Batches and held-out rows: pure functions."""

from __future__ import annotations

from rejoinder.models.training.batches import epoch_batches, held_out_rows


def test_each_row_comes_once_an_epoch_and_rows_of_like_length_together() -> None:
    lengths = [(7 * row) % 100 for row in range(250)]
    batches = epoch_batches(lengths, 16, seed=1, epoch=0)
    assert sorted(row for batch in batches for row in batch) == list(range(250))
    assert max(map(len, batches)) == 16
    padded = sum(len(batch) * max(lengths[row] for row in batch) for batch in batches)
    assert padded < 1.15 * sum(lengths)


def test_order_depends_on_seed_and_epoch_alone() -> None:
    lengths = list(range(100))
    first = epoch_batches(lengths, 8, seed=1, epoch=0)
    assert first == epoch_batches(lengths, 8, seed=1, epoch=0)
    assert first != epoch_batches(lengths, 8, seed=1, epoch=1)
    assert first != epoch_batches(lengths, 8, seed=2, epoch=0)


def test_held_out_rows_are_stratified_and_keep_windows_of_an_example_together() -> None:
    groups = ["a"] * 40 + ["b"] * 20
    examples = [row // 2 for row in range(60)]
    out = held_out_rows(groups, examples, 0.2, seed=0)
    assert sum(groups[row] == "a" for row in out) == 8
    assert sum(groups[row] == "b" for row in out) == 4
    assert {examples[row] for row in out}.isdisjoint({examples[row] for row in range(60) if row not in out})


def test_many_small_groups_give_their_share_and_a_group_of_one_gives_none() -> None:
    pairs = [str(row // 2) for row in range(40)]
    assert len(held_out_rows(pairs, range(40), 0.1, seed=0)) == 4
    assert held_out_rows(["a"], [0], 0.9, seed=0) == []
    assert held_out_rows([], [], 0.1, seed=0) == []


def test_half_of_each_batch_is_rehearsal_from_all_groups_alike() -> None:
    lengths = [5 + row % 7 for row in range(330)]
    old = range(300)  # of these, ten are of a rare group
    groups = ["rare" if row < 10 else "usual" for row in range(300)] + ["new"] * 30
    batches = epoch_batches(lengths, 8, seed=1, epoch=0, rehearsed=old, groups=groups)
    assert sorted(row for batch in batches for row in batch if row >= 300) == list(range(300, 330))
    assert all(sum(row < 300 for row in batch) == len(batch) / 2 for batch in batches)
    again = [row for batch in batches for row in batch if row < 300]
    assert len(set(again)) == len(again) == 30
    assert sum(groups[row] == "rare" for row in again) == 10
    later = epoch_batches(lengths, 8, seed=1, epoch=1, rehearsed=old, groups=groups)
    assert {row for batch in later for row in batch if row < 300} != set(again)


def test_few_old_rows_are_rehearsed_more_than_once_and_without_any_each_row_comes_once() -> None:
    lengths, groups = [5] * 50, ["a", "b"] * 25
    batches = epoch_batches(lengths, 4, seed=1, epoch=0, rehearsed=[0, 1], groups=groups)
    assert sorted(row for batch in batches for row in batch) == [*[0] * 24, *[1] * 24, *range(2, 50)]
    plain = epoch_batches(lengths, 4, seed=1, epoch=0)
    assert epoch_batches(lengths, 4, seed=1, epoch=0, rehearsed=range(50), groups=groups) == plain
