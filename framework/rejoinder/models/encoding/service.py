"""The encoder for asyncio: one model thread, micro-batches of what waits, a cache of vectors.

A request that finds the thread idle is encoded at once; while a batch runs, new requests queue up and go together in the next ones. So
batching costs a lone request nothing and still gives throughput under load. Texts of one batch are of about one length, so that a long
text neither fills short ones up with padding nor keeps them waiting longer than its own pass.
"""

from __future__ import annotations

import asyncio
import hashlib
import logging
import threading
import time
from collections import OrderedDict, deque
from concurrent.futures import Future
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Final, Protocol

from rejoinder.errors import EncoderBusyError, InvalidInputError, ModelNotReadyError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    import numpy as np
    from numpy.typing import NDArray

    from rejoinder.models.adapters.adapter import Adapter
    from rejoinder.models.encoding.tokens import TokenStates

    _Text = str | tuple[str, str]

_log = logging.getLogger(__name__)

_FIRST_GUESS_S: Final = 0.0005
"""What one token is taken to cost until the first batch has been timed."""

_CHARS_PER_TOKEN: Final = 4
_LONGEST_TEXT_TOKENS: Final = 512
_TOKENS_PER_TEXT: Final = 64
"""Tokens for each text that `max_batch` and `max_queue` allow: so many long texts count for more than so many short ones."""

_MAX_FILL: Final = 1.5
"""A batch's padded size is at most so many times its tokens."""

_LONG_KEY_CHARS: Final = 256
"""Longer texts are kept in the cache's keys by their sum only."""

_Key = tuple[str, str, str]
"""Scope, the adapter's id and the text or its sum."""


class TextEncoder(Protocol):
    """What the service needs of a model; `rejoinder.models.encoding.encoder.Encoder` is one.

    For requests with an adapter, `encode` must take `adapters`, a sequence with one for each text, and for `encode_tokens` there must be
    a method of that name; both as `Encoder` has them.
    """

    @property
    def dim(self) -> int:
        """Length of a vector."""

    @property
    def hash(self) -> str:
        """Key of the vectors: equal only for encoders that give equal vectors."""

    @property
    def name(self) -> str:
        """What a person calls the encoder."""

    def encode(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """Return (n_texts, dim) float32, rows L2-normalised."""


@dataclass(frozen=True, slots=True, kw_only=True)
class EncoderStats:
    """Counters since the start: cache hits and misses, texts dropped because nobody waited any more, batches, texts encoded, and how
    many texts are cached and queued now."""

    hits: int
    misses: int
    dropped: int
    batches: int
    encoded: int
    cached: int
    queued: int


@dataclass(slots=True, eq=False)
class _Entry:
    """One text to encode, and all who wait for it.

    Attributes:
        key: under which its vector is kept; None: it is not.
        tokens: about how many.
        waiters: who wait for its vector.
        states: who waits for the states of its tokens, which are not kept; None: nobody.
    """

    key: _Key | None
    text: _Text
    adapter: Adapter | None
    tokens: int
    waiters: list[asyncio.Future[NDArray[np.float32]]] = field(default_factory=list)
    states: asyncio.Future[TokenStates] | None = None

    @property
    def wanted(self) -> bool:
        """Whether anybody still waits."""
        return any(not waiter.cancelled() for waiter in self.all_waiters)

    @property
    def all_waiters(self) -> list[asyncio.Future[Any]]:
        """Who wait for the vector or the states."""
        return [*self.waiters, *(() if self.states is None else (self.states,))]


class EncoderService:
    """Encode texts from any event loop through one model thread.

    Args:
        encoder: the model, or a function that loads one; a function is called in the model thread, so that loading never blocks a loop.
        max_batch: most texts in one forward pass, >= 1; long texts count for more (64 tokens each are meant).
        max_wait_ms: milliseconds to wait for company before a batch that is not full runs, >= 0; 0 adds no wait.
        max_queue: most texts waiting, >= 1, and 64 times as many tokens; beyond that `EncoderBusyError`.
        cache_size: most vectors kept, least recently used go first, >= 0; 384 dimensions take about 1.6 kB each.

    Example:
        `service = EncoderService(Encoder); service.start(); await service.ready(); vector = await service.encode("where is my card")`
    """

    def __init__(
        self,
        encoder: TextEncoder | Callable[[], TextEncoder],
        *,
        max_batch: int = 32,
        max_wait_ms: float = 0.0,
        max_queue: int = 256,
        cache_size: int = 8192,
    ) -> None:
        """Nothing runs before `start`; see the class for arguments."""
        if max_batch < 1 or max_queue < 1 or max_wait_ms < 0 or cache_size < 0:
            raise ValueError("max_batch and max_queue must be >= 1, max_wait_ms and cache_size >= 0")
        self._source = encoder
        self._max_batch = max_batch
        self._max_wait_s = max_wait_ms / 1000
        self._max_queue = max_queue
        self._cache_size = cache_size
        self._cache: OrderedDict[_Key, NDArray[np.float32]] = OrderedDict()
        self._queue: deque[_Entry] = deque()
        self._queued_tokens = 0
        self._coming: dict[_Key, _Entry] = {}
        """Queued or being encoded."""
        self._wake = threading.Condition()
        self._loaded: Future[TextEncoder] = Future()
        self._thread: threading.Thread | None = None
        self._closed = False
        self._longest = _LONGEST_TEXT_TOKENS
        self._token_s = _FIRST_GUESS_S
        self._hits = self._misses = self._dropped = self._batches = self._encoded = 0

    def start(self) -> None:
        """Start the model thread, which loads the model if need be. Calling it again does nothing."""
        if self._thread is not None:
            return
        with self._wake:
            if self._thread is None and not self._closed:
                self._thread = threading.Thread(target=self._run, name="rejoinder-encoder", daemon=True)
                self._thread.start()

    async def ready(self) -> TextEncoder:
        """Wait until the model is loaded and return it; raises what loading raised."""
        self.start()
        if self._loaded.done():
            return self._loaded.result()
        return await asyncio.shield(asyncio.wrap_future(self._loaded))

    def close(self, *, timeout_s: float = 5.0) -> None:
        """Stop the thread after the batch that is running; whoever still waits gets `ModelNotReadyError`."""
        self._end(ModelNotReadyError("the encoder was closed while this text waited"))
        if self._thread is not None:
            self._thread.join(timeout_s)

    @property
    def stats(self) -> EncoderStats:
        """The counters now."""
        with self._wake:
            return EncoderStats(
                hits=self._hits,
                misses=self._misses,
                dropped=self._dropped,
                batches=self._batches,
                encoded=self._encoded,
                cached=len(self._cache),
                queued=len(self._queue),
            )

    def forget(self, scope: str) -> None:
        """Drop the texts and vectors that are kept of a scope."""
        with self._wake:
            for key in [key for key in self._cache if key[0] == scope]:
                del self._cache[key]

    async def encode(self, text: str, *, scope: str = "", adapter: Adapter | None = None) -> NDArray[np.float32]:
        """Return the (dim,) float32 vector of one text, L2-normalised and read-only.

        Args:
            scope: whose text it is, e.g. the tenant; cached vectors are shared within a scope only, so that nobody can tell from the time
                that an answer takes what others asked.
            adapter: what changes the encoder for this text; vectors of different adapters are kept apart.
        Raises:
            EncoderBusyError: the queue is full; `retry_after_s` says when it should have room.
            ModelNotReadyError: the service is closed.
            ModelError: the encoder could not be loaded, or the adapter does not fit it.
        """
        found = self._submit([text], scope, adapter)[0]
        return await found if isinstance(found, asyncio.Future) else found

    def begin(self, text: str, *, scope: str = "") -> asyncio.Future[NDArray[np.float32]]:
        """Start to encode a text by the base encoder; the future gives what `encode` returns, or raises the same."""
        return self._begin(text, scope, None)

    def begin_both(
        self, text: str, *, scope: str = ""
    ) -> tuple[asyncio.Future[NDArray[np.float32]], asyncio.Future[TokenStates] | None]:
        """Start as `begin`, and get the states of all tokens of the same forward pass, as `encode_tokens` returns them; None where none is
        needed for the vector, or the encoder is not loaded yet or gives no states."""
        states: asyncio.Future[TokenStates] | None = None
        if self._loaded.done() and self._loaded.exception() is None and hasattr(self._loaded.result(), "encode_tokens"):
            states = asyncio.get_running_loop().create_future()
        vector = self._begin(text, scope, states)
        return vector, None if states is None or states.cancelled() else states

    def _begin(
        self, text: str, scope: str, states: asyncio.Future[TokenStates] | None
    ) -> asyncio.Future[NDArray[np.float32]]:
        begun: asyncio.Future[NDArray[np.float32]] = asyncio.get_running_loop().create_future()
        try:
            found = self._submit([text], scope, None, states)[0]
        except Exception as error:  # told to whoever asks for the vector
            if states is not None:
                states.cancel()
            begun.set_exception(error)
            return begun
        if isinstance(found, asyncio.Future):
            return found
        begun.set_result(found)
        return begun

    async def encode_many(
        self, texts: Sequence[str], *, scope: str = "", adapter: Adapter | None = None
    ) -> NDArray[np.float32]:
        """Return (n_texts, dim) float32; equal texts are encoded once. All texts are queued or none.

        Raises:
            InvalidInputError: more different texts than the queue ever holds.
            EncoderBusyError, ModelNotReadyError, ModelError: as `encode`.
        """
        import numpy as np

        if not texts:
            return np.zeros((0, (await self.ready()).dim), dtype=np.float32)
        found = self._submit(texts, scope, adapter)
        waiting = {id(one): one for one in found if isinstance(one, asyncio.Future)}
        if waiting:
            await asyncio.gather(*waiting.values())
        return np.stack([one.result() if isinstance(one, asyncio.Future) else one for one in found])

    async def encode_tokens(self, text: str | tuple[str, str], *, adapter: Adapter | None = None) -> TokenStates:
        """Return the states of all tokens of a text, or of a pair that is read as one; they are not kept. Raises as `encode`."""
        states: asyncio.Future[TokenStates] = asyncio.get_running_loop().create_future()
        entry = _Entry(None, text, adapter, self._tokens(text), states=states)
        self.start()
        with self._wake:
            self._make_room([entry])
            self._misses += 1
            self._enqueue([entry])
        return await states

    def _submit(
        self,
        texts: Sequence[str],
        scope: str,
        adapter: Adapter | None,
        states: asyncio.Future[TokenStates] | None = None,
    ) -> list[NDArray[np.float32] | asyncio.Future[NDArray[np.float32]]]:
        """For each text its cached vector or the future of it; `states` of one text is cancelled where it is not encoded anew."""
        loop = asyncio.get_running_loop()
        adapter_id = "" if adapter is None else adapter.id
        keys = [(scope, adapter_id, _short(text)) for text in texts]
        self.start()
        with self._wake:
            fresh = {
                key: _Entry(key, text, adapter, self._tokens(text))
                for key, text in zip(keys, texts, strict=True)
                if key not in self._cache and key not in self._coming
            }
            self._make_room(list(fresh.values()))
            if states is not None and fresh:
                fresh[keys[0]].states = states
            elif states is not None:
                states.cancel()
            self._coming.update(fresh)
            found: list[NDArray[np.float32] | asyncio.Future[NDArray[np.float32]]] = []
            waiters: dict[_Key, asyncio.Future[NDArray[np.float32]]] = {}
            for key in keys:
                vector = self._cache.get(key)
                if vector is not None:
                    self._cache.move_to_end(key)
                    found.append(vector)
                    continue
                if key not in waiters:
                    waiters[key] = loop.create_future()
                    self._coming[key].waiters.append(waiters[key])
                found.append(waiters[key])
            self._misses += len(fresh)
            self._hits += len(texts) - len(fresh)
            self._enqueue(fresh.values())
        return found

    def _tokens(self, text: _Text) -> int:
        chars = len(text) if isinstance(text, str) else len(text[0]) + len(text[1])
        return min(2 + chars // _CHARS_PER_TOKEN, self._longest)

    def _make_room(self, fresh: Sequence[_Entry]) -> None:
        """Refuse what would not fit the queue (the lock is held). What nobody waits for any more makes room."""
        if self._closed:
            failure = self._loaded.exception() if self._loaded.done() else None
            # One error for all who ask: it must not grow by each one's traceback.
            raise (failure or ModelNotReadyError("the encoder is closed")).with_traceback(None)
        if len(fresh) > self._max_queue:
            raise InvalidInputError(
                f"{len(fresh)} texts came at once and the encoder's queue holds {self._max_queue}: send them in smaller parts"
            )
        if self._fits(fresh):
            return
        self._drop_unwanted()
        if self._fits(fresh):
            return
        wait_s = max(0.01, self._queued_tokens * self._token_s)
        raise EncoderBusyError(
            f"the encoder's queue is full ({len(self._queue)} of {self._max_queue} texts wait, with about {self._queued_tokens} of "
            f"{self._max_queue * _TOKENS_PER_TEXT} tokens; {len(fresh)} more came); try again in {wait_s:.2f} s",
            retry_after_s=wait_s,
        )

    def _fits(self, fresh: Sequence[_Entry]) -> bool:
        if not self._queue or not fresh:
            return True
        tokens = self._queued_tokens + sum(entry.tokens for entry in fresh)
        return len(self._queue) + len(fresh) <= self._max_queue and tokens <= self._max_queue * _TOKENS_PER_TEXT

    def _enqueue(self, fresh: Iterable[_Entry]) -> None:
        """Queue texts (the lock is held)."""
        for entry in fresh:
            self._queue.append(entry)
            self._queued_tokens += entry.tokens
        if self._queue:
            self._wake.notify()

    def _drop_unwanted(self) -> None:
        """Drop the texts whose askers have gone, before they cost anything (the lock is held)."""
        kept = deque(entry for entry in self._queue if entry.wanted)
        if len(kept) == len(self._queue):
            return
        for entry in self._queue:
            if not entry.wanted and entry.key is not None:
                self._coming.pop(entry.key, None)
        self._dropped += len(self._queue) - len(kept)
        self._queue = kept
        self._queued_tokens = sum(entry.tokens for entry in kept)

    def _run(self) -> None:
        """The model thread: load, then encode batches until closed."""
        encoder = self._load()
        while encoder is not None:
            batch = self._next_batch()
            if batch is None:
                return
            if batch:
                self._encode_batch(encoder, batch)
                del batch  # so that nothing of it is kept while this thread sleeps

    def _load(self) -> TextEncoder | None:
        try:
            encoder = self._source() if callable(self._source) else self._source
        except BaseException as error:  # handed to whoever waits for `ready`, and to whoever asks for a vector
            self._loaded.set_exception(error)
            _log.error("the encoder could not be loaded: %s", error)
            self._end(error)
            return None
        self._longest = getattr(encoder, "max_tokens", _LONGEST_TEXT_TOKENS)
        self._loaded.set_result(encoder)
        return encoder

    def _end(self, error: BaseException) -> None:
        """Take no more texts; those who wait get the error."""
        with self._wake:
            self._closed = True
            waiting = list(self._queue)
            self._queue.clear()
            self._queued_tokens = 0
            self._coming.clear()
            self._wake.notify_all()
        _deliver((waiter, error) for entry in waiting for waiter in entry.all_waiters)

    def _next_batch(self) -> list[_Entry] | None:
        """Wait for texts; None when closed."""
        with self._wake:
            while not self._queue and not self._closed:
                self._wake.wait()
            if self._max_wait_s and len(self._queue) < self._max_batch:
                self._wake.wait_for(lambda: len(self._queue) >= self._max_batch or self._closed, self._max_wait_s)
            if self._closed:
                return None
            self._drop_unwanted()
            batch = self._choose()
            if len(batch) == len(self._queue):
                self._queue.clear()
            else:
                chosen = set(map(id, batch))
                self._queue = deque(entry for entry in self._queue if id(entry) not in chosen)
            self._queued_tokens -= sum(entry.tokens for entry in batch)
            return batch

    def _choose(self) -> list[_Entry]:
        """The text that waits longest, and those that go with it best (the lock is held)."""
        if not self._queue:
            return []
        first = self._queue[0]
        others = [
            entry for entry in self._queue if (entry.states is None) == (first.states is None) and entry is not first
        ]
        if len(others) >= self._max_batch or any(entry.tokens != first.tokens for entry in others):
            others.sort(key=lambda entry: abs(entry.tokens - first.tokens))
        batch, longest, total = [first], first.tokens, first.tokens
        for entry in others:
            longest, total = max(longest, entry.tokens), total + entry.tokens
            padded = longest * (len(batch) + 1)
            room = len(batch) < self._max_batch and padded <= self._max_batch * _TOKENS_PER_TEXT
            if not room or padded > _MAX_FILL * total:
                break
            batch.append(entry)
        return batch

    def _encode_batch(self, encoder: TextEncoder, batch: list[_Entry]) -> None:
        started = time.perf_counter()
        try:
            results: Sequence[Any] = _encode(encoder, batch)
        except Exception as error:  # one bad batch must not end the thread
            if len(batch) > 1:
                # One text or adapter may have spoiled it for all: each gets its own result or error.
                for entry in batch:
                    self._encode_batch(encoder, [entry])
            else:
                self._finish(batch, [error])
            return
        seconds = time.perf_counter() - started
        self._token_s = 0.9 * self._token_s + 0.1 * seconds / sum(entry.tokens for entry in batch)
        self._finish(batch, results, encoded=len(batch))

    def _finish(self, batch: Sequence[_Entry], results: Sequence[Any], *, encoded: int = 0) -> None:
        """Keep the vectors, and give everybody what they wait for.

        Args:
            results: of each a vector, states where somebody waits for them, or the error.
        """
        vectors = [getattr(result, "vector", result) for result in results]
        with self._wake:
            self._batches += encoded > 0
            self._encoded += encoded
            for entry, vector in zip(batch, vectors, strict=True):
                if entry.key is None:
                    continue
                self._coming.pop(entry.key, None)
                if encoded and self._cache_size:
                    self._cache[entry.key] = vector
            while len(self._cache) > self._cache_size:
                self._cache.popitem(last=False)
        # Last, so that whoever asks again at once finds the vector kept.
        settled: list[tuple[asyncio.Future[Any], Any]] = []
        settled += [(waiter, vector) for one, vector in zip(batch, vectors, strict=True) for waiter in one.waiters]
        settled += [(one.states, result) for one, result in zip(batch, results, strict=True) if one.states is not None]
        _deliver(settled)


def _encode(encoder: Any, batch: Sequence[_Entry]) -> Sequence[Any]:
    """Return read-only vectors, each with memory of its own, or states with such vectors."""
    texts = [entry.text for entry in batch]
    adapters = [entry.adapter for entry in batch]
    arguments = {} if all(adapter is None for adapter in adapters) else {"adapters": adapters}
    if batch[0].states is not None:
        return [replace(states, vector=_own(states.vector)) for states in encoder.encode_tokens(texts, **arguments)]
    return [_own(row) for row in encoder.encode(texts, **arguments)]


def _own(row: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return a read-only copy, so that one kept vector does not keep its whole batch alive."""
    row = row.copy()
    row.flags.writeable = False
    return row


def _deliver(results: Iterable[tuple[asyncio.Future[Any], Any]]) -> None:
    """Settle futures, from any thread: one call for each event loop."""
    by_loop: dict[asyncio.AbstractEventLoop, list[tuple[asyncio.Future[Any], Any]]] = {}
    for waiter, result in results:
        by_loop.setdefault(waiter.get_loop(), []).append((waiter, result))
    for loop, settled in by_loop.items():
        try:
            loop.call_soon_threadsafe(_settle, settled)
        except RuntimeError:  # the loop was closed, and nobody waits there any more
            _log.debug("an event loop was closed while %d texts of it were encoded", len(settled))


def _settle(settled: Sequence[tuple[asyncio.Future[Any], Any]]) -> None:
    for waiter, result in settled:
        if waiter.done():
            continue
        if isinstance(result, BaseException):
            waiter.set_exception(result)
        else:
            waiter.set_result(result)


def _short(text: str) -> str:
    return text if len(text) <= _LONG_KEY_CHARS else hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()
