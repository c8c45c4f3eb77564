"""Indexes shared by the tenants that chose the same catalogue and examples: built beside the turns, freed with the last tenant."""

from __future__ import annotations

import asyncio
import logging
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from rejoinder.context import Context
from rejoinder.errors import EncoderBusyError, ModelError

from rejoinder_customer_service.catalogue import chosen_examples, entries_of
from rejoinder_customer_service.faq import FaqIndex
from rejoinder_customer_service.settings import CustomerServiceSettings

if TYPE_CHECKING:
    from rejoinder.models.learner import FloatArray

Key = tuple[str, int | None, int]

INDEX_READY: Final = "the index is complete"
"""Begins the log line that says that answers are found by meaning as well from now on."""

_CHUNK: Final = 4
"""Texts encoded at a time: few, so that a person's message never waits long behind them."""

_BUSY_WAIT_S: Final = 1.0
_RETRY_S: Final = 30.0
_WORDS_WAIT_S: Final = 1.0

_logger = logging.getLogger("rejoinder.plugins.customer_service")


@dataclass(slots=True)
class _Shared:
    index: FaqIndex | None = None
    warming: asyncio.Task[None] | None = None
    words_ready: asyncio.Event = field(default_factory=asyncio.Event)
    retry_at: float = 0.0
    tenants: set[str] = field(default_factory=set)


class Indexes:
    """The indexes of one process."""

    def __init__(self) -> None:
        self._shared: dict[Key, _Shared] = {}

    def __len__(self) -> int:
        return len(self._shared)

    def warm(self, context: Context, *, retry_s: float = 0.0) -> None:
        """Start to build the tenant's index beside the turns, unless it is built or being built. Needs a running loop.

        Args:
            retry_s: seconds until the next attempt, should this one find no encoder.
        """
        key = _key(context.settings)
        if key is None:
            self.forget(context.tenant)
            return
        shared = self._shared.get(key)
        if shared is None or context.tenant not in shared.tenants:
            self.forget(context.tenant)
            shared = self._shared.setdefault(key, _Shared())
            shared.tenants.add(context.tenant)
        if (shared.index is not None and shared.index.has_vectors) or _is_running(shared.warming):
            return
        if shared.index is None or time.monotonic() >= shared.retry_at:
            if shared.index is None:
                shared.words_ready = asyncio.Event()
            shared.warming = asyncio.get_running_loop().create_task(_build(shared, key, context, retry_s))

    async def ready(self, context: Context) -> FaqIndex | None:
        """Return the tenant's index: at once when it is there, after at most a second when it is not, else None."""
        self.warm(context, retry_s=_RETRY_S)
        shared = self._shared.get(_key(context.settings) or ("", None, 0))
        if shared is None:
            return None
        if shared.index is None:
            try:
                await asyncio.wait_for(shared.words_ready.wait(), timeout=min(_WORDS_WAIT_S, context.remaining_s / 2))
            except TimeoutError:
                context.logger.info("the index is still being built; intents alone choose the answer")
        return shared.index

    def forget(self, tenant: str) -> None:
        """Free what only this tenant uses."""
        for key, shared in list(self._shared.items()):
            shared.tenants.discard(tenant)
            if not shared.tenants:
                del self._shared[key]
                _cancel(shared)

    def close(self) -> None:
        """Free everything."""
        for shared in self._shared.values():
            _cancel(shared)
        self._shared.clear()


def _key(settings: CustomerServiceSettings) -> Key | None:
    if settings.catalogue == "none":
        return None
    return settings.catalogue, settings.examples_per_intent, settings.seed


def _is_running(task: asyncio.Task[None] | None) -> bool:
    return task is not None and not task.done() and task.get_loop() is asyncio.get_running_loop()


def _cancel(shared: _Shared) -> None:
    if shared.warming is not None and not shared.warming.get_loop().is_closed():
        shared.warming.get_loop().call_soon_threadsafe(shared.warming.cancel)


async def _build(shared: _Shared, key: Key, context: Context, retry_s: float) -> None:
    """Build the word index, then the vectors; what fails is tried again with a later message."""
    shared.retry_at = time.monotonic() + retry_s
    try:
        if shared.index is None:
            shared.index = await asyncio.to_thread(_word_index, key)
        shared.words_ready.set()
        shared.index.set_vectors(await _vectors(shared.index.texts, context))
        _logger.info("%s of %s: %d texts", INDEX_READY, key[0], len(shared.index.texts))
    except ModelError as error:
        _logger.debug("no vectors for the FAQ of %s yet: %s", key[0], error)
    except Exception:
        _logger.exception("the FAQ index of %s could not be built", key[0])
    finally:
        shared.words_ready.set()


def _word_index(key: Key) -> FaqIndex:
    catalogue, per_intent, seed = key
    return FaqIndex(entries_of(catalogue), chosen_examples(catalogue, per_intent=per_intent, seed=seed))


async def _vectors(texts: list[str], context: Context) -> FloatArray:
    import numpy as np

    rows: list[FloatArray] = []
    while len(rows) < len(texts):
        chunk = texts[len(rows) : len(rows) + _CHUNK]
        try:
            rows += await asyncio.gather(*(context.models.encode(text) for text in chunk))
        except EncoderBusyError as error:
            await asyncio.sleep(max(_BUSY_WAIT_S, error.retry_after_s))
    return np.vstack(rows)
