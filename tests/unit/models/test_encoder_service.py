"""The service batches, caches, drops, limits and closes as it says, with a stand-in for the model."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator, Sequence

import numpy as np
import pytest
from numpy.typing import NDArray
from rejoinder.errors import EncoderBusyError, ModelNotReadyError
from rejoinder.models.encoding.service import EncoderService


class Slow:
    """An encoder that waits for leave before each batch and keeps a record."""

    dim, hash, name = 4, "slow", "slow"

    def __init__(self) -> None:
        self.batches: list[list[str]] = []
        self.go = threading.Event()
        self.begun = threading.Event()
        self.go.set()

    def encode(self, texts: Sequence[str]) -> NDArray[np.float32]:
        self.begun.set()
        self.go.wait(5)
        self.batches.append(list(texts))
        return np.array([[len(text), 1, 0, 0] for text in texts], dtype=np.float32)


@pytest.fixture
def model() -> Slow:
    return Slow()


@pytest.fixture
def service(model: Slow) -> Iterator[EncoderService]:
    made = EncoderService(model, max_batch=4, max_queue=8, cache_size=3)
    yield made
    model.go.set()
    made.close()


async def _blocked(model: Slow, service: EncoderService) -> asyncio.Task[NDArray[np.float32]]:
    """Start one request that holds the model thread."""
    model.go.clear()
    model.begun.clear()
    task = asyncio.create_task(service.encode("first"))
    await asyncio.to_thread(model.begun.wait, 5)
    return task


async def test_what_waits_goes_in_one_batch(model: Slow, service: EncoderService) -> None:
    first = await _blocked(model, service)
    rest = [asyncio.create_task(service.encode(text)) for text in ("a", "bb", "ccc")]
    await asyncio.sleep(0)
    model.go.set()
    await first
    assert [vector[0] for vector in await asyncio.gather(*rest)] == [1, 2, 3]
    assert model.batches == [["first"], ["a", "bb", "ccc"]]


async def test_a_text_asked_again_comes_from_the_cache(model: Slow, service: EncoderService) -> None:
    one, two = await service.encode("a"), await service.encode("a")
    np.testing.assert_array_equal(one, two)
    assert (service.stats.hits, service.stats.misses, len(model.batches)) == (1, 1, 1)


async def test_scopes_do_not_share_cached_vectors(model: Slow, service: EncoderService) -> None:
    await service.encode("a", scope="one")
    await service.encode("a", scope="two")
    assert service.stats.hits == 0


async def test_the_least_recently_used_vector_goes_first(service: EncoderService) -> None:
    for text in ("a", "b", "c", "a", "d", "a"):
        await service.encode(text)
    assert service.stats.cached == 3
    assert service.stats.hits == 2


async def test_a_cancelled_request_is_never_encoded(model: Slow, service: EncoderService) -> None:
    first = await _blocked(model, service)
    gone = asyncio.create_task(service.encode("gone"))
    await asyncio.sleep(0)
    gone.cancel()
    await asyncio.sleep(0)
    model.go.set()
    await first
    await service.encode("last")
    assert "gone" not in [text for batch in model.batches for text in batch]
    assert service.stats.dropped == 1


async def test_a_full_queue_says_when_to_come_back(model: Slow, service: EncoderService) -> None:
    first = await _blocked(model, service)
    waiting = asyncio.create_task(service.encode_many([str(i) for i in range(8)]))
    await asyncio.sleep(0)
    with pytest.raises(EncoderBusyError, match="8 of 8") as caught:
        await service.encode("one more")
    assert caught.value.retry_after_s > 0
    model.go.set()
    await first
    assert (await waiting).shape == (8, 4)


async def test_a_failed_batch_reaches_its_askers_and_the_next_one_works(model: Slow, service: EncoderService) -> None:
    def fail(texts: Sequence[str]) -> NDArray[np.float32]:
        raise RuntimeError("out of memory")

    works = model.encode
    model.encode = fail  # type: ignore[method-assign]
    with pytest.raises(RuntimeError, match="out of memory"):
        await service.encode("a")
    model.encode = works  # type: ignore[method-assign]
    assert (await service.encode("a"))[0] == 1


async def test_loading_happens_in_the_thread_and_its_error_reaches_ready() -> None:
    threads: list[str] = []

    def load() -> Slow:
        threads.append(threading.current_thread().name)
        raise OSError("no weights")

    service = EncoderService(load)
    with pytest.raises(OSError, match="no weights"):
        await service.ready()
    assert threads == ["rejoinder-encoder"]


async def test_closing_fails_what_waits_and_what_comes(model: Slow, service: EncoderService) -> None:
    first = await _blocked(model, service)
    waiting = asyncio.create_task(service.encode("waits"))
    await asyncio.sleep(0)
    closing = asyncio.create_task(asyncio.to_thread(service.close))
    with pytest.raises(ModelNotReadyError):
        await waiting
    model.go.set()
    await first
    await closing
    with pytest.raises(ModelNotReadyError, match="closed"):
        await service.encode("late")


async def test_equal_texts_are_encoded_once_and_none_give_no_rows(model: Slow, service: EncoderService) -> None:
    assert (await service.encode_many(["a", "a", "bb"])).tolist() == [[1, 1, 0, 0], [1, 1, 0, 0], [2, 1, 0, 0]]
    assert len(model.batches[0]) == 2
    assert (await service.encode_many([])).shape == (0, 4)


def test_vectors_are_read_only(service: EncoderService) -> None:
    vector = asyncio.run(service.encode("a"))
    with pytest.raises(ValueError, match="read-only"):
        vector[0] = 2
