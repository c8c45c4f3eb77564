"""The service batches, caches, drops, limits and closes as it says, with a stand-in for the model."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator, Sequence

import numpy as np
import pytest
from numpy.typing import NDArray
from rejoinder.errors import EncoderBusyError, InvalidInputError, ModelError, ModelNotReadyError
from rejoinder.models.adapters.adapter import Adapter, make_adapter
from rejoinder.models.encoding.service import EncoderService
from rejoinder.models.encoding.tokens import TokenStates


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


class Adaptable(Slow):
    """Takes adapters, one of which it cannot use, and gives the states of tokens."""

    def encode(self, texts: Sequence[str], *, adapters: Sequence[Adapter | None] | None = None) -> NDArray[np.float32]:
        vectors = super().encode(texts)
        for row, adapter in enumerate(adapters or ()):
            if adapter is not None:
                if adapter.method == "damaged":
                    raise ModelError(f"adapter {adapter.id} does not fit")
                vectors[row, 1] = adapter.settings["mark"]
        return vectors

    def encode_tokens(
        self, texts: Sequence[str | tuple[str, str]], *, adapters: Sequence[Adapter | None] | None = None
    ) -> list[TokenStates]:
        whole = ["".join(text) for text in texts]
        none = np.zeros((0, 2), dtype=np.int64)
        return [
            TokenStates(row, np.ones((len(text), 4), np.float32), none, none)
            for row, text in zip(Slow.encode(self, whole), whole, strict=True)
        ]


def _adapter(mark: int, method: str = "lora") -> Adapter:
    arrays = {"w": np.zeros(1, dtype=np.float32)}
    return make_adapter(method=method, base_hash="0" * 16, arrays=arrays, settings={"mark": mark})


async def test_texts_of_different_adapters_share_a_batch_and_their_vectors_are_kept_apart() -> None:
    model = Adaptable()
    service = EncoderService(model, max_batch=4)
    first = await _blocked(model, service)
    one, two = _adapter(1), _adapter(2)
    asked = [asyncio.create_task(service.encode("a", adapter=adapter)) for adapter in (one, two, None)]
    await asyncio.sleep(0)
    model.go.set()
    await first
    assert [vector[1] for vector in await asyncio.gather(*asked)] == [1, 2, 1]
    assert model.batches == [["first"], ["a", "a", "a"]]
    assert (await service.encode("a", adapter=_adapter(2)))[1] == 2
    assert service.stats.hits == 1
    service.close()


async def test_an_adapter_that_does_not_fit_spoils_nobody_elses_text() -> None:
    model = Adaptable()
    service = EncoderService(model, max_batch=4)
    first = await _blocked(model, service)
    asked = [asyncio.create_task(service.encode("a", adapter=one)) for one in (_adapter(5), _adapter(6, "damaged"))]
    asked.append(asyncio.create_task(service.encode("bb")))
    await asyncio.sleep(0)
    model.go.set()
    await first
    good, bad, plain = await asyncio.gather(*asked, return_exceptions=True)
    assert isinstance(bad, ModelError)
    assert not isinstance(good, BaseException)
    assert not isinstance(plain, BaseException)
    assert (good[1], plain[0]) == (5, 2)
    service.close()


async def test_the_states_of_tokens_come_through_the_same_queue_and_are_not_kept() -> None:
    model = Adaptable()
    service = EncoderService(model, max_batch=4)
    first = await _blocked(model, service)
    asked = [asyncio.create_task(service.encode_tokens(text)) for text in ("abc", ("ab", "cd"))]
    vector = asyncio.create_task(service.encode("abc"))
    await asyncio.sleep(0)
    model.go.set()
    await first
    assert [found.states.shape for found in await asyncio.gather(*asked)] == [(3, 4), (4, 4)]
    assert (await vector)[0] == 3
    assert model.batches == [["first"], ["abc", "abcd"], ["abc"]]
    assert service.stats.cached == 2
    service.close()


async def test_vector_and_states_of_a_text_come_of_one_pass() -> None:
    model = Adaptable()
    service = EncoderService(model, max_batch=4)
    assert service.begin_both("early")[1] is None, "the encoder is not loaded yet"
    first = await _blocked(model, service)
    vector, states = service.begin_both("abc", scope="t")
    asked = asyncio.create_task(service.encode("abc", scope="t"))
    await asyncio.sleep(0)
    model.go.set()
    await first
    assert states is not None
    assert (await states).states.shape == (3, 4)
    assert (await states).vector is (await vector)
    assert (await asked) is (await vector)
    assert not (await vector).flags.writeable
    assert [batch for batch in model.batches if "abc" in batch] == [["abc"]]

    vector, states = service.begin_both("abc", scope="t")
    assert (vector.done(), states) == (True, None), "it is kept, and no pass gives states"
    service.close()
    vector, states = service.begin_both("late")
    assert states is None
    with pytest.raises(ModelNotReadyError):
        await vector


async def test_a_long_text_does_not_go_with_short_ones(model: Slow, service: EncoderService) -> None:
    first = await _blocked(model, service)
    texts = ["short one", "x" * 300, "short two", "y" * 290]
    asked = [asyncio.create_task(service.encode(text)) for text in texts]
    await asyncio.sleep(0)
    model.go.set()
    await asyncio.gather(first, *asked)
    assert model.batches[1] == ["short one", "short two"]
    assert sorted(len(text) for batch in model.batches[2:] for text in batch) == [290, 300]


async def test_who_asks_for_a_text_that_is_being_encoded_waits_for_the_same(
    model: Slow, service: EncoderService
) -> None:
    first = await _blocked(model, service)
    again = asyncio.create_task(service.encode("first"))
    waiting = [asyncio.create_task(service.encode("a")) for _ in range(3)]
    await asyncio.sleep(0)
    waiting[0].cancel()
    await asyncio.sleep(0)
    model.go.set()
    np.testing.assert_array_equal(await first, await again)
    await asyncio.gather(*waiting[1:])
    assert model.batches == [["first"], ["a"]]
    assert service.stats.misses == 2


async def test_the_queue_is_bounded_by_tokens_too(model: Slow, service: EncoderService) -> None:
    first = await _blocked(model, service)
    waiting = asyncio.create_task(service.encode("a" * 100_000))
    await asyncio.sleep(0)
    with pytest.raises(EncoderBusyError, match="2 more came"):
        await service.encode_many(["b" * 100_000, "c"])
    model.go.set()
    await asyncio.gather(first, waiting)
    assert (await service.encode_many(["b" * 100_000, "d" * 100_000])).shape == (2, 4)


async def test_texts_that_nobody_waits_for_make_room(model: Slow, service: EncoderService) -> None:
    first = await _blocked(model, service)
    gone = asyncio.create_task(service.encode_many([str(i) for i in range(8)]))
    await asyncio.sleep(0)
    gone.cancel()
    await asyncio.sleep(0)
    wanted = asyncio.create_task(service.encode("wanted"))
    await asyncio.sleep(0)
    model.go.set()
    assert (await wanted)[0] == 6
    await first
    assert service.stats.dropped == 8
    assert service.stats.queued == 0
    assert not service._coming


async def test_more_than_the_queue_ever_holds_is_refused_for_good(service: EncoderService) -> None:
    with pytest.raises(InvalidInputError, match="9 texts came at once and the encoder's queue holds 8"):
        await service.encode_many([str(i) for i in range(9)])


async def test_long_texts_do_not_live_on_in_the_cache(service: EncoderService) -> None:
    text = "long " * 20_000
    await service.encode(text)
    await service.encode(text)
    assert service.stats.hits == 1
    assert max(len(part) for key in service._cache for part in key) < 300


def test_loops_that_ended_meanwhile_harm_nobody(model: Slow, service: EncoderService) -> None:
    async def ask_and_leave() -> None:
        model.go.clear()
        asyncio.get_running_loop().create_task(service.encode("left"))
        await asyncio.sleep(0)

    asyncio.run(ask_and_leave())
    model.go.set()
    assert asyncio.run(service.encode("next"))[0] == 4


async def test_what_was_begun_is_encoded_though_nobody_waits_yet(model: Slow, service: EncoderService):
    running = await _blocked(model, service)
    begun = service.begin("second", scope="acme")
    model.go.set()
    await running
    vector = await service.encode("second", scope="acme")
    assert np.array_equal(await begun, vector)
    assert service.begin("second", scope="acme").result() is vector


async def test_what_could_not_be_begun_is_told_to_whoever_waits(service: EncoderService):
    service.close()
    begun = service.begin("hello")
    with pytest.raises(ModelNotReadyError):
        await begun
