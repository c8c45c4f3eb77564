"""What a learner reads of the encoder, in one place: vectors, pairs of vectors, or the states of tokens (see `Reads`)."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Coroutine, Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, TypeVar

from rejoinder.errors import EncoderBusyError, InvalidInputError, ModelError
from rejoinder.models.learner import gives_one_label, reads_of, takes_pairs

if TYPE_CHECKING:
    from rejoinder.models.adapters.adapter import Adapter
    from rejoinder.models.encoding.service import EncoderService
    from rejoinder.models.encoding.tokens import TokenStates
    from rejoinder.models.learner import FloatArray
    from rejoinder.payloads import Example

__all__ = ["Reader", "Text", "check_other", "tells", "text_for", "texts_of"]

_T = TypeVar("_T")

Text = str | tuple[str, str]
"""What a learner predicts: a text, or for a task of two texts both."""

_VECTORS_AT_ONCE: Final = 64
_CHUNKS_AT_ONCE: Final = 2
_STATES_AT_ONCE: Final = 16


def text_for(learner: object, text: str, other: str | None) -> Text:
    """Return what a learner is given of a text and, where its task has two, the other."""
    return (text, other or "") if takes_pairs(learner) else text


def texts_of(learner: object, examples: Sequence[Example]) -> list[Text]:
    """Return what a learner is given of examples."""
    return [text_for(learner, one.text, one.other) for one in examples]


def tells(learner: object | None, example: Example) -> bool:
    """Return whether a learner can make something of an example; None: the memory of corrections alone, which needs a label.

    Whoever gives one label of one text learns from labels only; to others a target may say it all, or that a passage has no answer.
    """
    if learner is None or gives_one_label(learner):
        return bool(example.label)
    return bool(example.label) or example.target is not None or example.other is not None


def check_other(task: str, learner: object, other: str | None) -> None:
    """Refuse a second text that is missing or too much.

    Raises:
        InvalidInputError: the message says what to pass.
    """
    if takes_pairs(learner):
        if other is None:
            raise InvalidInputError(
                f"the task {task!r} has two texts and only one came: call predict({task!r}, text, other)"
            )
    elif other is not None:
        raise InvalidInputError(f"the task {task!r} has one text and two came: call predict({task!r}, text)")


@dataclass(frozen=True, slots=True)
class Reader:
    """Reads texts with the encoder of this process for one tenant.

    Attributes:
        service: gives vectors and states, in its own thread.
        scope: whose texts they are.
        adapter: what changes the encoder; None: the frozen base.
        patient: wait while turns fill the queue, rather than to raise `EncoderBusyError`.
    """

    service: EncoderService
    scope: str
    adapter: Adapter | None = None
    patient: bool = True

    async def read(self, learner: object, texts: Sequence[Text]) -> Any:
        """Return what a learner reads, one for each text, in order.

        Args:
            texts: as `texts_of` gives them.

        Raises:
            ModelError: the encoder cannot give what the learner reads, or the adapter does not fit it.
            EncoderBusyError: the queue is full, and the reader not patient.
        """
        import numpy as np

        kind = reads_of(learner)
        if kind == "tokens":
            return await self.states(texts)
        if kind == "vectors":
            return await self.vectors([_one(text) for text in texts])
        both = await self.vectors([part for text in texts for part in text])
        return np.reshape(both, (len(texts), 2, both.shape[1]))

    async def vectors(self, texts: Sequence[str]) -> FloatArray:
        """Return (n_texts, dim) float32. Raises as `read`."""
        import numpy as np

        encoder = await self.service.ready()
        found = np.zeros((len(texts), encoder.dim), dtype=np.float32)
        by_length = sorted(range(len(texts)), key=lambda row: len(texts[row]))
        next_in_line = asyncio.Semaphore(_CHUNKS_AT_ONCE)  # so that the encoder never waits for the next one

        async def encode(rows: list[int]) -> None:
            async with next_in_line:
                chunk = [texts[row] for row in rows]
                found[rows] = await self._in_time(
                    lambda: self.service.encode_many(chunk, scope=self.scope, adapter=self.adapter)
                )

        starts = range(0, len(texts), _VECTORS_AT_ONCE)
        await _all_of(encode(by_length[start : start + _VECTORS_AT_ONCE]) for start in starts)
        return found

    async def states(self, texts: Sequence[Text]) -> list[TokenStates]:
        """Return the states of all tokens; of a pair whose second text is long, those of all its windows (see `encode_windows`).

        Raises as `read`.
        """
        encoder = await self.service.ready()
        if not hasattr(encoder, "encode_tokens"):
            raise ModelError(f"the encoder {encoder.name} gives no states of tokens: choose another by encoder.name")
        if texts and not isinstance(texts[0], str):
            windows = _Windows(self, asyncio.get_running_loop(), encoder.max_tokens)  # type: ignore[attr-defined]
            return await asyncio.to_thread(windows.read, texts)
        return await self.pieces(texts)

    async def pieces(self, texts: Sequence[Text]) -> list[TokenStates]:
        """Return the states of what fits the encoder of each text or pair. Raises as `read`."""
        found: list[TokenStates] = []
        for start in range(0, len(texts), _STATES_AT_ONCE):
            found += await _all_of(self._piece(text) for text in texts[start : start + _STATES_AT_ONCE])
        return found

    async def _piece(self, text: Text) -> TokenStates:
        return await self._in_time(lambda: self.service.encode_tokens(text, adapter=self.adapter))

    async def _in_time(self, ask: Callable[[], Awaitable[_T]]) -> _T:
        """Ask the service, again as long as its queue is full; raises `EncoderBusyError` where the reader is not patient."""
        while True:
            try:
                return await ask()
            except EncoderBusyError as error:
                if not self.patient:
                    raise
                await asyncio.sleep(error.retry_after_s)


async def _all_of(work: Iterable[Coroutine[Any, Any, _T]]) -> list[_T]:
    """Do all at the same time; when one fails the others are given up."""
    jobs = [asyncio.ensure_future(one) for one in work]
    try:
        return await asyncio.gather(*jobs)
    finally:
        for one in jobs:
            one.cancel()


@dataclass(frozen=True, slots=True)
class _Windows:
    """A reader as `encode_windows`, which runs in a thread, needs an encoder."""

    reader: Reader
    loop: asyncio.AbstractEventLoop
    max_tokens: int

    def read(self, pairs: Sequence[Any]) -> list[TokenStates]:
        from rejoinder.models.tasks.windows import DEFAULT_OVERLAP, encode_windows

        overlap = min(DEFAULT_OVERLAP, self.max_tokens // 3)
        encoder: Any = self
        return encode_windows(encoder, pairs, overlap=overlap)

    def encode_tokens(self, texts: Sequence[Text], *, adapters: None = None) -> list[TokenStates]:
        return asyncio.run_coroutine_threadsafe(self.reader.pieces(texts), self.loop).result()


def _one(text: Text) -> str:
    return text if isinstance(text, str) else text[0]
