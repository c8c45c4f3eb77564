"""Shelves and indexes of items that changed are what they would be had all been read anew."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import numpy as np
from rejoinder.events.settings import TenantEventSettings
from rejoinder.items.catalogue import BehaviourLog, Catalogue, CatalogueItem
from rejoinder_recommendation.conversation.item_index import ItemIndex
from rejoinder_recommendation.lists.shelf import Shelf
from rejoinder_recommendation.lists.shelves import Shelves

WORDS = [
    "river",
    "rod",
    "trout",
    "lure",
    "boat",
    "pan",
    "knife",
    "oven",
    "recipe",
    "spoon",
    "soil",
    "rose",
    "spade",
    "seed",
    "bloom",
]


def catalogue(count: int = 40) -> Catalogue:
    noise = np.random.default_rng(0)
    vectors = noise.normal(size=(count, 16)).astype(np.float32)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    return Catalogue([item(number) for number in range(count)], vectors)


def item(number: int) -> CatalogueItem:
    words = [WORDS[number % 15], WORDS[number * 7 % 15]]
    data = {"tags": [WORDS[number % 5]], "price": float(number), "data": {"maker": f"Maker {number % 4}"}}
    return CatalogueItem(f"i{number}", f"{words[0]} {words[1]} {number}", " ".join(words), data, available=True)


def changed(before: Catalogue) -> Catalogue:
    """Return it without one item, with one at another price, and with a new one."""
    row = replace(before.items[5], data={**before.items[5].data, "price": 99.0})
    new = CatalogueItem("new", "Copper kettle", "A kettle.", {"tags": ["kettles"], "data": {"maker": "Maker 1"}}, True)
    rows = [
        SimpleNamespace(
            id=one.id, title=one.title, text=one.text, data=one.data, active=True, vector=None, encoder_hash=""
        )
        for one in (row, new)
    ]
    return before.with_changes({"i7"}, rows, "hash")


def log(catalogue: Catalogue) -> BehaviourLog:
    noise = np.random.default_rng(1)
    items = tuple(catalogue.items[place].id for place in noise.integers(len(catalogue), size=400))
    return BehaviourLog(noise.integers(30, size=400), items, ("click",) * 400, ({},) * 400, np.arange(400.0))


def speaks(kind: str, data: Any) -> float:
    return 1.0


def test_an_index_after_changes_is_that_of_all_items() -> None:
    before = ItemIndex(catalogue())
    after = changed(before.catalogue)
    grown, fresh = ItemIndex(after, before), ItemIndex(after)
    assert grown.named_values("a kettle by Maker 1, of river") == fresh.named_values("a kettle by Maker 1, of river")
    for value in (("maker", "Maker 1"), ("tag", "kettles"), ("tag", "river"), ("maker", "nobody")):
        assert sorted(grown.holders(value)) == sorted(fresh.holders(value))
    assert np.allclose((grown.graph @ grown.graph.T).todense(), (fresh.graph @ fresh.graph.T).todense())
    assert np.allclose((grown.words @ grown.words.T).todense(), (fresh.words @ fresh.words.T).todense())
    assert [link.item for link in grown.linker.link("I want the Copper Kettel")] == ["new"]
    assert before.named_values("kettles") == [], "what came later is unknown to what was read before"


def test_a_shelf_keeps_its_statistics_where_items_change() -> None:
    first = catalogue()
    shelf = Shelf(first, log(first), speaks)
    after = changed(first)
    moved = shelf.with_catalogue(after)
    assert not moved.settled
    assert moved.counts[after.place["new"]] == 0
    for id_ in ("i3", "i5", "i39"):
        there, here = first.place[id_], after.place[id_]
        assert moved.counts[here] == shelf.counts[there]
        others = [after.place[one.id] for one in first.items if one.id in after.place]
        old = [first.place[after.items[place].id] for place in others]
        assert np.allclose(moved.together(np.array([here]))[0, others], shelf.together(np.array([there]))[0, old])
    assert np.allclose(moved.text[after.place["i3"]], shelf.text[3])
    assert moved.measure("price")[after.place["i5"]] == 99


async def test_where_there_is_no_time_what_changed_is_outdated() -> None:
    first = catalogue()
    now = {"catalogue": first, "log": log(first)}

    async def current() -> Catalogue:
        return now["catalogue"]

    async def behaviour() -> BehaviourLog:
        return now["log"]

    items: Any = SimpleNamespace(tenant="acme", rules=TenantEventSettings(), catalogue=current, behaviour=behaviour)
    shelves = Shelves()
    assert await shelves.stand(items, indexed=True, patience_s=0) is None
    whole = await shelves.stand(items, indexed=True)
    assert whole is not None
    assert whole.outdated is None
    now["catalogue"] = changed(first)
    late = await shelves.stand(items, indexed=True, patience_s=0)
    assert late is not None
    assert late.outdated is not None
    assert {first.items[place].id for place in np.flatnonzero(late.outdated)} == {"i5", "i7"}
    fresh = await shelves.stand(items, indexed=True)
    assert fresh is not None
    assert fresh.catalogue is now["catalogue"]
    for _ in range(500):
        stand = await shelves.stand(items, indexed=True)
        if stand is not None and stand.shelf.settled:
            break
        await asyncio.sleep(0.02)
    assert stand is not None
    assert stand.shelf.settled, "statistics are made anew beside the lists"
    shelves.close()
