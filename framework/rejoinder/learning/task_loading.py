"""A tenant's task made ready to serve: a version's head, what was imported since it was fitted, and a memory of what was kept back."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

from rejoinder.errors import InvalidInputError, ModelError
from rejoinder.host import Host
from rejoinder.learning.direct import DirectLearner
from rejoinder.learning.encodings import Reader, tells, texts_of
from rejoinder.learning.holdback import held_back
from rejoinder.learning.instant import InstantLearner
from rejoinder.learning.live_task import NO_VERSION, LiveTask
from rejoinder.learning.memory import CorrectionMemory, MemoryTurn, turn_of
from rejoinder.learning.training_set import training_set
from rejoinder.learning.versions import Fitted, Registry
from rejoinder.models.adapters.cache import AdapterCache
from rejoinder.models.encoding.service import EncoderService
from rejoinder.models.learner import gives_one_label
from rejoinder.payloads import Example
from rejoinder.store.database import Database
from rejoinder.store.examples import list_examples

if TYPE_CHECKING:
    from rejoinder.models.learner import FloatArray, Learner
    from rejoinder.store.tables import ModelVersion

IMPORTED = "import"
"""Source of examples that were loaded in bulk: a model is fitted on them, they are not replayed one by one."""

_logger = logging.getLogger("rejoinder.learning")


class TaskLoader:
    """Makes tasks of versions, and teaches them.

    Args:
        seed: of all chance in training.
        hold_back_every: about one text in so many is kept from all models; 0 keeps none.
    """

    def __init__(
        self,
        database: Database,
        host: Host,
        encoder: EncoderService,
        registry: Registry,
        adapters: AdapterCache,
        *,
        seed: int,
        hold_back_every: int,
    ) -> None:
        self._database = database
        self._host = host
        self._encoder = encoder
        self._registry = registry
        self._adapters = adapters
        self._seed = seed
        self._hold_back_every = hold_back_every

    async def live(
        self, tenant: str, name: str, factory: Callable[[], Learner], seeds: Sequence[Example]
    ) -> LiveTask | None:
        """Return a task with the head that is live, or one fitted on its base examples; those kept back go to the memory only.

        None: it is of those in `direct`, and cannot be fitted or used here. The log says why, and the tenant's other tasks are served.
        """
        try:
            encoder = await self._encoder.ready()
        except ModelError as error:
            if self._host.tasks[name].learns_from == "examples":
                raise
            _logger.warning("task %s of tenant %s has no model: %s", name, tenant, error)  # lists are made without one
            return None
        imported, kept_back = await self._imported(tenant, name)
        learner = factory()
        base = training_set([*seeds, *imported], learner).examples
        try:
            fitted = await self._registry.fitted(
                tenant,
                name,
                lambda: learner,
                base,
                partial(self._read, tenant, learner, None),
                base_hash=encoder.hash,
                seed=self._seed,
                stored={one.id for one in base} & {one.id for one in imported},
                encoder=encoder,
            )
            return await self._made(tenant, name, fitted, imported, kept_back)
        except (ModelError, InvalidInputError) as error:
            if gives_one_label(learner):
                raise
            _logger.warning("task %s of tenant %s has no model: %s", name, tenant, error)
            return None

    async def of_version(self, tenant: str, name: str, version: ModelVersion) -> LiveTask:
        """Return a task with the head of one version, whatever that version's state.

        Raises:
            ModelError: its files are damaged, or it does not fit the encoder.
        """
        encoder = await self._encoder.ready()
        kind = type(self._host.tasks[name].learner())
        fitted = await self._registry.load(version, kind, base_hash=encoder.hash, encoder=encoder)
        if fitted.adapter is not None:
            await self.encode_texts(tenant, ["does this adapter fit the encoder?"], adapter=fitted.adapter)
        return await self._made(tenant, name, fitted, *await self._imported(tenant, name))

    async def _made(
        self, tenant: str, name: str, fitted: Fitted, imported: Sequence[Example], kept_back: Sequence[Example]
    ) -> LiveTask:
        """Return a task with this head: with what was imported since it was fitted, and a memory of what was kept back."""
        encoder = await self._encoder.ready()
        memory = CorrectionMemory(encoder_hash=encoder.hash, dim=encoder.dim)
        learner = fitted.learner
        make = partial(
            LiveTask,
            memory,
            version=fitted.version or NO_VERSION,
            version_id=fitted.version_id,
            adapter=fitted.adapter,
        )
        later: list[Example] = []
        if fitted.learned_until is not None and imported:
            new = await list_examples(self._database, tenant, name, new_since=fitted.learned_until)
            ids = {one.id for one in new}
            later = [one for one in imported if one.id in ids]
        if later:
            inputs = await self._read(tenant, learner, fitted.adapter, later)
            await asyncio.to_thread(learner.update, later, inputs)
        if not gives_one_label(learner):
            direct = DirectLearner(learner, task=name, hold_back_every=self._hold_back_every)
            direct.remember(kept_back)
            return make(direct=direct)
        vectors = await self.encode_texts(tenant, [example.text for example in kept_back])
        await asyncio.to_thread(_remember, memory, fitted, kept_back, vectors)
        instant = InstantLearner(
            learner,
            memory,
            task=name,
            hold_back_every=self._hold_back_every,
            oos_label=getattr(learner, "oos_label", None),
        )
        return make(instant=instant)

    async def _imported(self, tenant: str, name: str) -> tuple[list[Example], list[Example]]:
        """Return a task's imported examples: those that a head may be fitted on, and those that are kept back."""
        stored = await list_examples(self._database, tenant, name)
        learner = self._host.tasks[name].learner()
        imported = [example for example in stored if example.source == IMPORTED and tells(learner, example)]
        kept_back = [example for example in imported if held_back(example.text, self._hold_back_every)]
        kept_ids = {example.id for example in kept_back}
        return [example for example in imported if example.id not in kept_ids], kept_back

    async def teach(self, tenant: str, task: LiveTask, examples: Sequence[Example]) -> None:
        """Let a task learn from examples with labels, in order."""
        direct = task.direct
        if direct is None:
            texts = [example.text for example in examples]
            vectors = await self.encode_texts(tenant, texts)
            adapted = None
            if task.adapter is not None:
                adapted = await self.encode_texts(tenant, texts, adapter=task.adapter)
            await asyncio.to_thread(task.learn, examples, vectors, adapted)
            return
        labelled = [example for example in examples if example.label and example.other is None]
        vectors = await self.encode_texts(tenant, [example.text for example in labelled])
        inputs = await self._read(tenant, direct.learner, task.adapter, examples)
        await asyncio.to_thread(direct.replay, examples, inputs)
        await asyncio.to_thread(task.memory.add_many, [turn_of(*pair) for pair in zip(labelled, vectors, strict=True)])

    async def encode_texts(self, tenant: str, texts: Sequence[str], *, adapter: str | None = None) -> FloatArray:
        """Return the encoder's vectors of many texts, (n, dim) float32, chunk by chunk, waiting while turns fill its queue.

        Args:
            adapter: `Fitted.adapter` of a model whose head will read them; None: vectors of the base.
        """
        if adapter is not None:
            async with self._adapters.use(adapter) as loaded:
                return await Reader(self._encoder, tenant, loaded).vectors(texts)
        return await Reader(self._encoder, tenant).vectors(texts)

    async def _read(self, tenant: str, learner: Learner, adapter: str | None, examples: Sequence[Example]) -> Any:
        """Return what a learner reads of examples."""
        texts = texts_of(learner, examples)
        if adapter is None:
            return await Reader(self._encoder, tenant).read(learner, texts)
        async with self._adapters.use(adapter) as loaded:
            return await Reader(self._encoder, tenant, loaded).read(learner, texts)


def _remember(memory: CorrectionMemory, fitted: Fitted, kept_back: Sequence[Example], vectors: FloatArray) -> None:
    if fitted.anchor_labels:
        memory.observe(fitted.anchors, fitted.anchor_labels)
    memory.add_many(
        [
            MemoryTurn(id=example.id, text=example.text, vector=vector, label=example.label or "")
            for example, vector in zip(kept_back, vectors, strict=True)
        ]
    )
