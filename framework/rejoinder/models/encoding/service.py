"""The encoder for asyncio: one model thread, micro-batches of what waits, a cache of vectors.

A request that finds the thread idle is encoded at once; while a batch runs, new requests queue up and go together in the next one. So
batching costs a lone request nothing and still gives throughput under load.
"""

from __future__ import annotations

import asyncio
import logging
import threading
import time
from collections import OrderedDict, deque
from concurrent.futures import Future
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Protocol

from rejoinder.errors import EncoderBusyError, ModelNotReadyError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    import numpy as np
    from numpy.typing import NDArray

_log = logging.getLogger(__name__)

_FIRST_GUESS_S: Final = 0.01
"""What one text is taken to cost until the first batch has been timed."""


_Key = tuple[str, str]
"""Scope and text."""

_Waiting = tuple[_Key, "Future[NDArray[np.float32]]"]


class TextEncoder(Protocol):
    """What the service needs of a model; `rejoinder.models.encoding.encoder.Encoder` is one."""

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


class EncoderService:
    """Encode texts from any event loop through one model thread.

    Args:
        encoder: the model, or a function that loads one; a function is called in the model thread, so that loading never blocks a loop.
        max_batch: most texts in one forward pass, >= 1.
        max_wait_ms: milliseconds to wait for company before a batch that is not full runs, >= 0; 0 adds no wait.
        max_queue: most texts waiting, >= 1; beyond that `EncoderBusyError`.
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
        self._queue: deque[_Waiting] = deque()
        self._wake = threading.Condition()
        self._loaded: Future[TextEncoder] = Future()
        self._thread: threading.Thread | None = None
        self._closed = False
        self._text_s = _FIRST_GUESS_S
        self._hits = self._misses = self._dropped = self._batches = self._encoded = 0

    def start(self) -> None:
        """Start the model thread, which loads the model if need be. Calling it again does nothing."""
        with self._wake:
            if self._thread is None and not self._closed:
                self._thread = threading.Thread(target=self._run, name="rejoinder-encoder", daemon=True)
                self._thread.start()

    async def ready(self) -> TextEncoder:
        """Wait until the model is loaded and return it; raises what loading raised."""
        self.start()
        return await asyncio.shield(asyncio.wrap_future(self._loaded))

    def close(self, *, timeout_s: float = 5.0) -> None:
        """Stop the thread after the batch that is running; whoever still waits gets `ModelNotReadyError`."""
        with self._wake:
            self._closed = True
            waiting = list(self._queue)
            self._queue.clear()
            self._wake.notify_all()
        for _, future in waiting:
            if future.set_running_or_notify_cancel():
                future.set_exception(ModelNotReadyError("the encoder was closed while this text waited"))
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

    async def encode(self, text: str, *, scope: str = "") -> NDArray[np.float32]:
        """Return the (dim,) float32 vector of one text, L2-normalised and read-only.

        Args:
            scope: whose text it is, e.g. the tenant; cached vectors are shared within a scope only, so that nobody can tell from the time
                that an answer takes what others asked.
        Raises:
            EncoderBusyError: the queue is full; `retry_after_s` says when it should have room.
            ModelNotReadyError: the service is closed.
            ModelError: the encoder could not be loaded.
        """
        found = self._submit([text], scope)[0]
        return await asyncio.wrap_future(found) if isinstance(found, Future) else found

    async def encode_many(self, texts: Sequence[str], *, scope: str = "") -> NDArray[np.float32]:
        """Return (n_texts, dim) float32; equal texts are encoded once. Raises as `encode`; all texts are queued or none."""
        import numpy as np

        if not texts:
            return np.zeros((0, (await self.ready()).dim), dtype=np.float32)
        found = self._submit(texts, scope)
        waiting = list({id(item): asyncio.wrap_future(item) for item in found if isinstance(item, Future)}.values())
        await asyncio.gather(*waiting)
        return np.stack([item.result() if isinstance(item, Future) else item for item in found])

    def _submit(self, texts: Sequence[str], scope: str) -> list[NDArray[np.float32] | Future[NDArray[np.float32]]]:
        """For each text its cached vector or the future of it."""
        self.start()
        with self._wake:
            if self._closed:
                failure = self._loaded.exception() if self._loaded.done() else None
                # One error for all who ask: it must not grow by each one's traceback.
                raise (failure or ModelNotReadyError("the encoder is closed")).with_traceback(None)
            missing = {text for text in texts if (scope, text) not in self._cache}
            if (len(self._queue) + len(missing) > self._max_queue and self._queue) or len(missing) > self._max_queue:
                wait_s = max(0.01, len(self._queue) * self._text_s)
                raise EncoderBusyError(
                    f"the encoder's queue is full ({len(self._queue)} of {self._max_queue} texts wait, {len(missing)} more came); "
                    f"try again in {wait_s:.2f} s",
                    retry_after_s=wait_s,
                )
            futures: dict[str, Future[NDArray[np.float32]]] = {text: Future() for text in missing}
            self._queue.extend(((scope, text), future) for text, future in futures.items())
            self._misses += len(missing)
            self._hits += len(texts) - len(missing)
            found: list[NDArray[np.float32] | Future[NDArray[np.float32]]] = []
            for text in texts:
                if text in futures:
                    found.append(futures[text])
                else:
                    self._cache.move_to_end((scope, text))
                    found.append(self._cache[scope, text])
            if missing:
                self._wake.notify()
        return found

    def _run(self) -> None:
        """The model thread: load, then encode batches until closed."""
        encoder = self._load()
        while encoder is not None:
            batch = self._next_batch()
            if batch is None:
                return
            if batch:
                self._encode_batch(encoder, batch)

    def _load(self) -> TextEncoder | None:
        try:
            encoder = self._source() if callable(self._source) else self._source
        except BaseException as error:  # handed to whoever waits for `ready`, and to whoever asks for a vector
            self._loaded.set_exception(error)
            _log.error("the encoder could not be loaded: %s", error)
            self._fail_all(error)
            return None
        self._loaded.set_result(encoder)
        return encoder

    def _fail_all(self, error: BaseException) -> None:
        with self._wake:
            self._closed = True
            waiting = list(self._queue)
            self._queue.clear()
        for _, future in waiting:
            if future.set_running_or_notify_cancel():
                future.set_exception(error)

    def _next_batch(self) -> list[_Waiting] | None:
        """Wait for texts; None when closed. Texts whose askers have gone are dropped here, before they cost anything."""
        with self._wake:
            while not self._queue and not self._closed:
                self._wake.wait()
            if self._closed:
                return None
            if self._max_wait_s and len(self._queue) < self._max_batch:
                self._wake.wait_for(lambda: len(self._queue) >= self._max_batch or self._closed, self._max_wait_s)
            batch: list[_Waiting] = []
            while self._queue and len(batch) < self._max_batch:
                key, future = self._queue.popleft()
                if future.set_running_or_notify_cancel():
                    batch.append((key, future))
                else:
                    self._dropped += 1
            return batch

    def _encode_batch(self, encoder: TextEncoder, batch: list[_Waiting]) -> None:
        started = time.perf_counter()
        texts = list(dict.fromkeys(text for (_, text), _ in batch))
        try:
            vectors = encoder.encode(texts)
        except Exception as error:  # one bad batch must not end the thread; its askers get the error
            for _, future in batch:
                future.set_exception(error)
            return
        vectors.flags.writeable = False
        by_text = dict(zip(texts, vectors, strict=True))
        with self._wake:
            self._batches += 1
            self._encoded += len(texts)
            self._text_s = 0.9 * self._text_s + 0.1 * (time.perf_counter() - started) / len(texts)
            if self._cache_size:
                for key, _ in batch:
                    # A row is copied, so that one kept vector does not keep its whole batch alive.
                    row = by_text[key[1]].copy()
                    row.flags.writeable = False
                    self._cache[key] = row
                while len(self._cache) > self._cache_size:
                    self._cache.popitem(last=False)
        # Last, so that whoever asks again at once finds the vector kept.
        for (_, text), future in batch:
            future.set_result(by_text[text])
