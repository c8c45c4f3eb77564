"""Adapters in memory: loaded when they are needed or expected, the least recently used dropped under a budget of bytes."""

from __future__ import annotations

import asyncio
import logging
from collections import OrderedDict
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import asynccontextmanager
from dataclasses import dataclass
from threading import Lock
from typing import TYPE_CHECKING, Final

from rejoinder.errors import ModelNotReadyError

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterable

    from rejoinder.models.adapters.adapter import Adapter

__all__ = ["AdapterCache", "AdapterCacheStats"]

_log = logging.getLogger(__name__)

_LOADING_THREADS: Final = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class AdapterCacheStats:
    """Counters since the start: hits, misses (who came while it was being loaded counts as a hit), loads, refusals (an artefact that could
    not be loaded) and evictions; and how many adapters are held now, how many of them are in use, and their bytes."""

    hits: int
    misses: int
    loads: int
    refusals: int
    evictions: int
    held: int
    in_use: int
    nbytes: int


@dataclass(slots=True)
class _Held:
    """An adapter in memory, and how many use it now."""

    adapter: Adapter
    users: int = 0


@dataclass(slots=True)
class _Coming:
    """An adapter that is being loaded, how many wait for it to use it, and at the end what they get."""

    loaded: Future[_Held]
    waiters: int = 0
    held: _Held | None = None


class AdapterCache:
    """The adapters that this process has at hand, by the caller's keys; usable from any thread.

    Args:
        load: gives an adapter by its key, such as `load_adapter` of a folder; called in a thread of the cache's own.
        budget_bytes: most bytes of arrays held, >= 0. Only adapters in use may exceed it, and they count. What a model makes ready of
            an adapter is not counted: nothing to speak of for "lora" on a CPU, the same again for "full".

    Example:
        `cache = AdapterCache(lambda key: load_adapter(folder / key), budget_bytes=256 << 20)`
        `async with cache.use("v7") as adapter: vector = await service.encode(text, adapter=adapter)`
    """

    def __init__(self, load: Callable[[str], Adapter], *, budget_bytes: int) -> None:
        """Nothing is loaded yet; see the class for arguments."""
        if budget_bytes < 0:
            raise ValueError(f"budget_bytes is {budget_bytes}, expected >= 0")
        self._load = load
        self._budget = budget_bytes
        self._held: OrderedDict[str, _Held] = OrderedDict()
        self._coming: dict[str, _Coming] = {}
        self._nbytes = 0
        self._hits = self._misses = self._loads = self._refusals = self._evictions = 0
        self._lock = Lock()
        self._closed = False
        self._threads = ThreadPoolExecutor(_LOADING_THREADS, thread_name_prefix="rejoinder-adapters")

    @property
    def stats(self) -> AdapterCacheStats:
        """The counters now."""
        with self._lock:
            return AdapterCacheStats(
                hits=self._hits,
                misses=self._misses,
                loads=self._loads,
                refusals=self._refusals,
                evictions=self._evictions,
                held=len(self._held),
                in_use=sum(one.users > 0 for one in self._held.values()),
                nbytes=self._nbytes,
            )

    @asynccontextmanager
    async def use(self, key: str) -> AsyncIterator[Adapter]:
        """Hold an adapter, loaded first if need be, for the time of a block: meanwhile it is not dropped.

        Raises:
            ModelIntegrityError: its artefact is missing or damaged; the message names the file. The next call tries again.
            ModelNotReadyError: the cache is closed.
        """
        held = await self._hold(key)
        try:
            yield held.adapter
        finally:
            with self._lock:
                held.users -= 1
                self._evict()

    def prefetch(self, keys: Iterable[str]) -> None:
        """Begin to load adapters that will be asked for; a failure is logged, and told to whoever asks."""
        with self._lock:
            if not self._closed:
                for key in keys:
                    if key in self._held:
                        self._held.move_to_end(key)
                    else:
                        self._begin(key)

    def forget(self, key: str) -> None:
        """Drop an adapter, such as one that was retired; who uses it now keeps it until the end of the use."""
        with self._lock:
            held = self._held.pop(key, None)
            if held is not None:
                self._nbytes -= held.adapter.nbytes

    def close(self) -> None:
        """Load nothing any more and drop everything; who still waits for a load gets `ModelNotReadyError`."""
        with self._lock:
            self._closed = True
            waiting = list(self._coming.items())
            self._coming.clear()
            self._held.clear()
            self._nbytes = 0
        for key, coming in waiting:
            coming.loaded.set_exception(_closed(key))
        self._threads.shutdown(cancel_futures=True)

    async def _hold(self, key: str) -> _Held:
        """Return an adapter with this user counted in."""
        with self._lock:
            held = self._held.get(key)
            if held is not None:
                self._hits += 1
                held.users += 1
                self._held.move_to_end(key)
                return held
            self._hits += key in self._coming
            self._misses += key not in self._coming
            coming = self._begin(key)
            coming.waiters += 1
        try:
            # Shielded: others may wait for the same one.
            return await asyncio.shield(asyncio.wrap_future(coming.loaded))
        except asyncio.CancelledError:
            with self._lock:
                coming.waiters -= 1
                if coming.held is not None:
                    coming.held.users -= 1
                    self._evict()
            raise

    def _begin(self, key: str) -> _Coming:
        """The load of a key that is under way, or a new one (the lock is held)."""
        if self._closed:
            raise _closed(key)
        if key not in self._coming:
            self._coming[key] = _Coming(Future())
            self._threads.submit(self._fetch, key, self._coming[key])
        return self._coming[key]

    def _fetch(self, key: str, coming: _Coming) -> None:
        """Load one adapter (in a thread of the cache)."""
        try:
            adapter = self._load(key)
        except Exception as error:  # whatever it is, whoever waits must hear of it
            with self._lock:
                ours = self._coming.get(key) is coming
                if ours:
                    del self._coming[key]
                    self._refusals += 1
            if ours:
                _log.warning("adapter %s could not be loaded: %s", key, error)
                coming.loaded.set_exception(error)
            return
        with self._lock:
            if self._coming.get(key) is not coming:  # closed meanwhile
                return
            del self._coming[key]
            held = coming.held = self._held[key] = _Held(adapter, coming.waiters)
            self._loads += 1
            self._nbytes += adapter.nbytes
            self._evict()
        coming.loaded.set_result(held)

    def _evict(self) -> None:
        """Drop the least recently used adapters that nobody uses, as far as the budget asks (the lock is held)."""
        if self._nbytes <= self._budget:
            return
        for key in [key for key, held in self._held.items() if not held.users]:
            self._nbytes -= self._held.pop(key).adapter.nbytes
            self._evictions += 1
            if self._nbytes <= self._budget:
                return


def _closed(key: str) -> ModelNotReadyError:
    return ModelNotReadyError(f"adapter {key} is not at hand: the cache of adapters is closed")
