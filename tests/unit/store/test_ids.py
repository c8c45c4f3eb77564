"""Ids sort by time."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

from rejoinder.store.ids import new_id


def test_ids_name_their_kind_and_have_one_length():
    assert new_id("turn").startswith("turn_")
    assert len({len(new_id("turn")) for _ in range(100)}) == 1


def test_ids_of_one_process_ascend():
    ids = [new_id("turn") for _ in range(10_000)]
    assert ids == sorted(set(ids))


def test_ids_made_by_several_threads_differ():
    with ThreadPoolExecutor(4) as pool:
        ids = [one for made in pool.map(lambda _: [new_id("x") for _ in range(1000)], range(4)) for one in made]
    assert len(set(ids)) == 4000
