"""A tenant's models as one request sees them: whatever changes meanwhile, the request keeps to those that it began with."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Mapping, Sequence
from contextlib import asynccontextmanager
from functools import partial
from typing import TYPE_CHECKING, Any

from rejoinder.errors import EncoderBusyError, ModelNotReadyError
from rejoinder.learning.direct import DirectLearner
from rejoinder.learning.encodings import Reader, Text, check_other, text_for, texts_of
from rejoinder.learning.experience import Experience, Outcomes
from rejoinder.learning.live_task import LiveTask
from rejoinder.learning.memory import Match
from rejoinder.models.adapters.cache import AdapterCache
from rejoinder.models.encoding.service import EncoderService, TextEncoder
from rejoinder.models.learner import spelled
from rejoinder.payloads import Example

if TYPE_CHECKING:
    from rejoinder.models.adapters.adapter import Adapter
    from rejoinder.models.encoding.tokens import TokenStates
    from rejoinder.models.learner import FloatArray, Learner, Prediction


Shadow = Callable[[str, str, "Prediction | None", Callable[[LiveTask], Awaitable["Prediction | None"]]], None]
"""Told tenant, task and what the live version said, and how to ask another the same; see `LiveTrials.shadow`."""


class RequestModels:
    """A tenant's models as one request sees them; `rejoinder.context.Models` says what its methods promise."""

    __slots__ = (
        "_adapters",
        "_asked",
        "_encoder",
        "_experience",
        "_mended",
        "_shadow",
        "_started",
        "_states",
        "_tasks",
        "_tenant",
        "busy",
        "versions",
    )

    def __init__(
        self,
        tenant: str,
        tasks: Mapping[str, LiveTask],
        encoder: EncoderService,
        adapters: AdapterCache,
        *,
        shadow: Shadow | None = None,
        experience: Experience | None = None,
    ) -> None:
        self._tenant = tenant
        self._tasks = tasks
        self._encoder = encoder
        self._adapters = adapters
        self._shadow = shadow
        self._experience = experience
        self._asked: dict[tuple[int, str], str] = {}
        self._mended: dict[str, str] = {}
        self._started: dict[tuple[str, str | None], asyncio.Future[FloatArray]] = {}
        self._states: dict[Text, asyncio.Future[TokenStates]] = {}
        self.busy: EncoderBusyError | None = None
        self.versions: dict[str, str] = {}

    def prefetch(self, text: str) -> None:
        """Start to encode a text that will be asked for, beside whatever comes before that.

        Where a task's head reads it with its slips set right, so does everything else in this request: it is encoded once.
        """
        if not self._tasks:
            return
        spellings = {name: self._spelled(live, text) for name, live in self._tasks.items()}
        self._mended[text] = mended = next((one for one in spellings.values() if one != text), text)
        for name, live in self._tasks.items():
            asked = mended if live.learner is None else spellings[name]
            for adapter in live.encoded:
                if (asked, adapter) not in self._started:
                    started = self._start(asked, adapter)
                    started.add_done_callback(_take_note)
                    self._started[asked, adapter] = started

    def _spelled(self, live: LiveTask, text: str) -> str:
        """Return what a task's head reads in place of a text, which is worked out once."""
        learner = live.learner
        if learner is None:
            return text
        known = (id(learner), text)
        if known not in self._asked:
            self._asked[known] = spelled(learner, text)
        return self._asked[known]

    def _start(self, text: str, adapter: str | None) -> asyncio.Future[FloatArray]:
        if adapter is not None:
            return asyncio.get_running_loop().create_task(self._encoded(text, adapter))
        # The encoder begins before the next step of this turn, not after it.
        if not any(live.reads_states for live in self._tasks.values()):
            return self._encoder.begin(text, scope=self._tenant)
        started, states = self._encoder.begin_both(text, scope=self._tenant)
        if states is not None:
            states.add_done_callback(_take_note)
            self._states[text] = states
        return started

    async def encode(self, text: str) -> FloatArray:
        """Return the base encoder's vector of a text."""
        return await self._vector(self._mended.get(text, text), None)

    async def _vector(self, text: str, adapter: str | None) -> FloatArray:
        started = self._started.get((text, adapter))
        try:
            if started is not None:
                return await asyncio.shield(started)
            return await self._encoded(text, adapter)
        except EncoderBusyError as error:
            self.busy = error
            raise

    async def _encoded(self, text: str, adapter: str | None) -> FloatArray:
        if adapter is None:
            return await self._encoder.encode(text, scope=self._tenant)
        async with self._adapters.use(adapter) as loaded:
            return await self._encoder.encode(text, scope=self._tenant, adapter=loaded)

    async def predict(self, task: str, text: str, other: str | None = None) -> Prediction | None:
        """Return what the tenant's model says, corrections included."""
        live = self._tasks.get(task)
        if live is None or live.learner is None:
            return None
        check_other(task, live.learner, other)
        said = await self._say(live, text, other)
        self.versions[task] = live.name
        if self._shadow is not None:
            self._shadow(self._tenant, task, said, partial(self._say, text=text, other=other))
        return said

    async def _say(self, live: LiveTask, text: str, other: str | None) -> Prediction | None:
        if live.direct is not None:
            return await self._say_directly(live, live.direct, text, other)
        try:
            asked = self._spelled(live, text)
            vector = await self._vector(asked, None)
            adapted = None if live.adapter is None else await self._vector(asked, live.adapter)
            return None if live.instant is None else live.instant.predict(text, vector, adapted=adapted, spelled=asked)
        except ModelNotReadyError:
            return None

    async def _say_directly(self, live: LiveTask, direct: DirectLearner, text: str, other: str | None) -> Prediction:
        asked = text_for(direct.learner, text, other)
        said = direct.repeated(asked)
        if said is None:
            try:
                if live.reads_states and asked in self._states:
                    inputs: Any = [await asyncio.shield(self._states[asked])]
                else:
                    async with self._adapter(live.adapter) as adapter:
                        reader = Reader(self._encoder, self._tenant, adapter, patient=False)
                        inputs = await reader.read(direct.learner, [asked])
            except EncoderBusyError as error:
                self.busy = error
                raise
            said = await asyncio.to_thread(direct.predict, asked, inputs)
        return said

    async def predict_many(self, task: str, texts: Sequence[str]) -> list[Prediction] | None:
        """Return what the tenant's model says of many texts, corrections included."""
        live = self._tasks.get(task)
        if live is None or live.learner is None:
            return None
        check_other(task, live.learner, None)
        self.versions[task] = live.name
        try:
            return await self._say_many(live, live.learner, texts) if texts else []
        except ModelNotReadyError:
            return None

    async def _say_many(self, live: LiveTask, learner: Learner, texts: Sequence[str]) -> list[Prediction]:
        async with self._adapter(live.adapter) as adapter:
            reader = Reader(self._encoder, self._tenant, adapter)
            if live.direct is not None:
                inputs = await reader.read(learner, texts)
                return await asyncio.to_thread(live.direct.predict_many, texts, inputs)
            adapted = await reader.vectors([self._spelled(live, text) for text in texts])
        vectors = adapted
        if live.adapter is not None and len(live.memory):  # what is remembered lies among vectors of the base
            vectors = await Reader(self._encoder, self._tenant).vectors(texts)
        return await asyncio.to_thread(live.predictions, texts, vectors, adapted)

    @asynccontextmanager
    async def _adapter(self, key: str | None) -> AsyncIterator[Adapter | None]:
        if key is None:
            yield None
            return
        async with self._adapters.use(key) as loaded:
            yield loaded

    def learner(self, task: str) -> Learner | None:
        """Return the tenant's model itself."""
        live = self._tasks.get(task)
        if live is None or live.learner is None:
            return None
        self.versions[task] = live.name
        return live.learner

    async def read(self, learner: Learner, examples: Sequence[Example], *, adapter: Adapter | None = None) -> Any:
        """Return what a learner reads of examples."""
        return await Reader(self._encoder, self._tenant, adapter).read(learner, texts_of(learner, examples))

    async def outcomes(self, text: str, candidates: Collection[str]) -> dict[str, Outcomes]:
        """Return what people said of candidates that were put first for texts like this one."""
        if self._experience is None:
            return {candidate: Outcomes() for candidate in candidates}
        return await self._experience.outcomes(self._tenant, text, candidates, self.encode)

    async def base_encoder(self) -> TextEncoder:
        """Return the frozen base encoder."""
        return await self._encoder.ready()

    async def recall(self, task: str, text: str) -> Match | None:
        """Return the remembered correction that a text falls under."""
        live = self._tasks.get(task)
        if live is None or not len(live.memory):
            return None
        self.versions[task] = live.name
        return live.memory.match(text, await self.encode(text))


def _take_note(started: asyncio.Future[Any]) -> None:
    """Look at a failure that nobody may wait for; who does gets it all the same."""
    if not started.cancelled():
        started.exception()
