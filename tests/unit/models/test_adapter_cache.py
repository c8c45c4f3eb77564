"""The cache of adapters loads once, keeps to its budget, never drops what is in use, and tells of damage."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from rejoinder.errors import ModelIntegrityError, ModelNotReadyError
from rejoinder.models.adapters.adapter import Adapter, load_adapter, make_adapter, save_adapter
from rejoinder.models.adapters.cache import AdapterCache

SIZE = 400
"""Bytes of one adapter here."""


def made(name: str) -> Adapter:
    arrays = {"w": np.full(SIZE // 4, sum(name.encode()), dtype=np.float32)}
    return make_adapter(method="full", base_hash="0" * 16, arrays=arrays, settings={"name": name})


class Loader:
    """Makes adapters, waiting for leave, and keeps a record."""

    def __init__(self) -> None:
        self.loaded: list[str] = []
        self.go = threading.Event()
        self.go.set()

    def __call__(self, key: str) -> Adapter:
        self.go.wait(5)
        self.loaded.append(key)
        if key.startswith("damaged"):
            raise ModelIntegrityError(f"{key}/model.json is damaged")
        return made(key)


@pytest.fixture
def loader() -> Loader:
    return Loader()


@pytest.fixture
def cache(loader: Loader) -> Iterator[AdapterCache]:
    made_ = AdapterCache(loader, budget_bytes=2 * SIZE)
    yield made_
    loader.go.set()
    made_.close()


async def _touch(cache: AdapterCache, *keys: str) -> None:
    for key in keys:
        async with cache.use(key) as adapter:
            assert adapter.settings["name"] == key


async def _settled(cache: AdapterCache, loads: int) -> None:
    async with asyncio.timeout(5):
        while cache.stats.loads + cache.stats.refusals < loads:  # noqa: ASYNC110 - it is done in a thread
            await asyncio.sleep(0.001)


async def test_the_least_recently_used_goes_first(cache: AdapterCache, loader: Loader) -> None:
    await _touch(cache, "a", "b", "a", "c", "a", "b")
    assert loader.loaded == ["a", "b", "c", "b"]
    stats = cache.stats
    assert (stats.hits, stats.misses, stats.evictions, stats.held, stats.nbytes) == (2, 4, 2, 2, 2 * SIZE)


async def test_what_is_in_use_stays_beyond_the_budget(cache: AdapterCache, loader: Loader) -> None:
    async with cache.use("a"), cache.use("b"), cache.use("c"):
        assert cache.stats.nbytes == 3 * SIZE
        assert cache.stats.in_use == 3
    assert cache.stats.nbytes == 2 * SIZE
    assert cache.stats.in_use == 0


async def test_who_comes_while_it_is_loaded_waits_for_the_same(cache: AdapterCache, loader: Loader) -> None:
    loader.go.clear()
    tasks = [asyncio.create_task(_touch(cache, "a")) for _ in range(5)]
    await asyncio.sleep(0)
    loader.go.set()
    await asyncio.gather(*tasks)
    assert loader.loaded == ["a"]
    assert (cache.stats.hits, cache.stats.misses) == (4, 1)


async def test_a_budget_of_nothing_still_serves(loader: Loader) -> None:
    cache = AdapterCache(loader, budget_bytes=0)
    await _touch(cache, "a", "a")
    assert loader.loaded == ["a", "a"]
    assert cache.stats.held == 0
    cache.close()


async def test_prefetched_ones_are_there(cache: AdapterCache, loader: Loader) -> None:
    cache.prefetch(["a", "b", "a"])
    await _settled(cache, 2)
    await _touch(cache, "a", "b")
    assert sorted(loader.loaded) == ["a", "b"]
    assert cache.stats.misses == 0


async def test_a_failed_prefetch_is_told_to_who_asks(cache: AdapterCache, loader: Loader) -> None:
    cache.prefetch(["damaged"])
    await _settled(cache, 1)
    with pytest.raises(ModelIntegrityError, match=r"damaged/model\.json"):
        async with cache.use("damaged"):
            pass
    assert cache.stats.refusals == 2
    await _touch(cache, "a")


async def test_a_cancelled_asker_leaves_no_use_behind(cache: AdapterCache, loader: Loader) -> None:
    loader.go.clear()
    task = asyncio.create_task(_touch(cache, "a"))
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    loader.go.set()
    await _settled(cache, 1)
    assert cache.stats.in_use == 0


async def test_a_forgotten_one_is_loaded_again(cache: AdapterCache, loader: Loader) -> None:
    async with cache.use("a") as adapter:
        cache.forget("a")
        assert cache.stats.nbytes == 0
        assert adapter.nbytes == SIZE
    await _touch(cache, "a")
    assert loader.loaded == ["a", "a"]
    assert cache.stats.nbytes == SIZE


async def test_closing_lets_nobody_hang(cache: AdapterCache, loader: Loader) -> None:
    loader.go.clear()
    tasks = [asyncio.create_task(_touch(cache, str(number))) for number in range(5)]
    await asyncio.sleep(0)
    closing = asyncio.create_task(asyncio.to_thread(cache.close))
    for result in await asyncio.gather(*tasks, return_exceptions=True):
        assert isinstance(result, ModelNotReadyError)
    loader.go.set()
    await closing
    with pytest.raises(ModelNotReadyError, match="closed"):
        await _touch(cache, "a")


async def test_a_damaged_artefact_is_refused_by_its_file(tmp_path: Path) -> None:
    for name in ("good", "bad"):
        save_adapter(tmp_path / name, made(name))
    file = next((tmp_path / "bad").glob("*.safetensors"))
    data = bytearray(file.read_bytes())
    data[-1] ^= 1
    file.write_bytes(data)
    cache = AdapterCache(lambda key: load_adapter(tmp_path / key), budget_bytes=2 * SIZE)
    with pytest.raises(ModelIntegrityError, match=str(file)):
        async with cache.use("bad"):
            pass
    await _touch(cache, "good")
    assert (cache.stats.refusals, cache.stats.held) == (1, 1)
    cache.close()


def test_a_budget_below_nothing_is_refused(loader: Loader) -> None:
    with pytest.raises(ValueError, match="budget_bytes is -1"):
        AdapterCache(loader, budget_bytes=-1)
