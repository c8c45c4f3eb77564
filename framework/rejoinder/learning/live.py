"""Every tenant's live models: loaded when first needed, taught at once by feedback, rebuilt from the store after a restart.

A tenant's models start from its seed examples (fitted once and kept as a model version) and all that people taught since, replayed
in order. So what was acknowledged survives a crash, and two processes over one store come to the same models.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

import numpy as np

from rejoinder.context import Clock, NoModels, Request, utc_now
from rejoinder.errors import EncoderBusyError, ModelNotReadyError
from rejoinder.host import Host
from rejoinder.learning.holdback import held_back
from rejoinder.learning.instant import InstantLearner
from rejoinder.learning.memory import CorrectionMemory, Kind, Match
from rejoinder.learning.versions import Fitted, ModelFolder
from rejoinder.locks import KeyedLocks
from rejoinder.models.encoding.service import EncoderService, TextEncoder
from rejoinder.payloads import Caller, Example, Utterance
from rejoinder.store.database import Database
from rejoinder.store.examples import count_examples, list_examples
from rejoinder.trace import Trace

if TYPE_CHECKING:
    from rejoinder.models.learner import FloatArray, Learner, Prediction

IMPORTED = "import"
"""Source of examples that were loaded in bulk: a model is fitted on them, they are not replayed one by one."""

_ENCODE_CHUNK = 64
_SYSTEM = Caller(id="system", role="admin")
_LATE = timedelta(seconds=10)
"""How much later than its moment an example of another process may become visible."""

_logger = logging.getLogger("rejoinder.learning")


class Profile(Protocol):
    """A tenant's enabled plugins and their typed settings; another object whenever either changed."""

    @property
    def plugins(self) -> frozenset[str]:
        """Names of the enabled plugins."""

    @property
    def settings(self) -> Mapping[str, object]:
        """Typed settings by plugin name."""


class Profiles(Protocol):
    """Knows the tenants' profiles."""

    async def resolved(self, tenant: str) -> Profile:
        """Return a tenant's profile; NotFoundError when there is no such tenant."""


@dataclass(frozen=True, slots=True)
class _LiveTask:
    """One task of one tenant: the memory of corrections, and the head with the version that it started from, if there is one."""

    memory: CorrectionMemory
    instant: InstantLearner | None = None
    version: str = "memory"

    @property
    def name(self) -> str:
        return f"{self.version}+{len(self.memory)}" if len(self.memory) else self.version

    def learn(self, example: Example, vector: FloatArray) -> None:
        label = example.label or ""
        if self.instant is None:
            kind: Kind = "is_not" if example.polarity == "negative" else "is"
            self.memory.add(example.id, example.text, vector, label, kind=kind)
        elif example.polarity == "negative":
            self.instant.reject(example.text, vector, label, example_id=example.id, weight=example.weight)
        elif example.polarity == "correction":
            self.instant.correct(example.text, vector, label, example_id=example.id, weight=example.weight)
        else:
            self.instant.confirm(example.text, vector, label, example_id=example.id, weight=example.weight)


@dataclass(slots=True)
class _LiveTenant:
    """One tenant's tasks; `known` are the ids of replayed examples, `synced_at` when the store was last looked at."""

    profile: Profile
    request: Request
    tasks: dict[str, _LiveTask] = field(default_factory=dict)
    known: set[str] = field(default_factory=set)
    newest: datetime | None = None
    synced_at: float = 0.0
    lock: asyncio.Lock = field(default_factory=asyncio.Lock)


class RequestModels:
    """A tenant's models as one request sees them; `rejoinder.context.Models` says what its methods promise."""

    __slots__ = ("_encoder", "_started", "_tasks", "_tenant", "busy", "versions")

    def __init__(self, tenant: str, tasks: Mapping[str, _LiveTask], encoder: EncoderService) -> None:
        self._tenant = tenant
        self._tasks = tasks
        self._encoder = encoder
        self._started: dict[str, asyncio.Task[FloatArray]] = {}
        self.busy: EncoderBusyError | None = None
        self.versions: dict[str, str] = {}

    def prefetch(self, text: str) -> None:
        """Start to encode a text that will be asked for, beside whatever comes before that."""
        if self._tasks and text not in self._started:
            task = asyncio.get_running_loop().create_task(self._encoder.encode(text, scope=self._tenant))
            task.add_done_callback(_take_note)
            self._started[text] = task

    async def encode(self, text: str) -> FloatArray:
        """Return the base encoder's vector of a text."""
        started = self._started.get(text)
        try:
            if started is not None:
                return await asyncio.shield(started)
            return await self._encoder.encode(text, scope=self._tenant)
        except EncoderBusyError as error:
            self.busy = error
            raise

    async def predict(self, task: str, text: str) -> Prediction | None:
        """Return what the tenant's model says, corrections included."""
        live = self._tasks.get(task)
        if live is None or live.instant is None:
            return None
        vector = await self.encode(text)
        self.versions[task] = live.name
        try:
            return live.instant.predict(text, vector)
        except ModelNotReadyError:
            return None

    async def recall(self, task: str, text: str) -> Match | None:
        """Return the remembered correction that a text falls under."""
        live = self._tasks.get(task)
        if live is None or not len(live.memory):
            return None
        self.versions[task] = live.name
        return live.memory.match(text, await self.encode(text))


class LiveModels:
    """The live models of all tenants in this process.

    Args:
        profiles: tells a tenant's plugins and settings.
        data_dir: fitted models are kept below it.
        seed: of all chance in training.
        hold_back_every: about one text in so many is kept from all models; 0 keeps none.
        max_tenants: tenants whose models are kept loaded, >= 1; the least recently used go first.
        sync_s: seconds after which the store is asked for what other processes learned, >= 0.
    """

    def __init__(
        self,
        database: Database,
        host: Host,
        encoder: EncoderService,
        profiles: Profiles,
        *,
        data_dir: Path,
        seed: int = 0,
        hold_back_every: int = 10,
        max_tenants: int = 1000,
        sync_s: float = 1.0,
        clock: Clock = utc_now,
    ) -> None:
        self._database = database
        self._host = host
        self._encoder = encoder
        self._profiles = profiles
        self._folder = ModelFolder(database, data_dir / "models")
        self._seed = seed
        self._max_tenants = max_tenants
        self._sync_s = sync_s
        self._clock = clock
        self._tenants: OrderedDict[str, _LiveTenant] = OrderedDict()
        self._loading = KeyedLocks()
        self.hold_back_every = hold_back_every

    async def request_for(
        self,
        tenant: str,
        caller: Caller,
        *,
        session_id: str | None = None,
        history: tuple[Utterance, ...] = (),
        deadline: float | None = None,
    ) -> Request:
        """Return a request of this tenant, with its models as they are now.

        Args:
            deadline: when it must be done, in seconds of `time.monotonic`; None: 30 s from now.
        Raises:
            NotFoundError: there is no such tenant, or it is disabled.
        """
        live = await self._live(tenant)
        return replace(
            live.request,
            caller=caller,
            models=RequestModels(tenant, live.tasks, self._encoder),
            session_id=session_id,
            history=history,
            deadline=time.monotonic() + 30.0 if deadline is None else deadline,
            trace=Trace(),
        )

    async def learn(self, tenant: str, examples: Sequence[Example]) -> bool:
        """Learn at once from stored examples; return whether a model or memory of this tenant took any in."""
        if not examples:
            return False
        live = await self._live(tenant)
        async with live.lock:
            await self._replay(tenant, live, examples)
        return any(example.id in live.known for example in examples)

    async def labels(self, tenant: str, task: str) -> frozenset[str]:
        """Return the labels that the tenant's model of a task knows; none where it says nothing of them."""
        live = (await self._live(tenant)).tasks.get(task)
        known = () if live is None or live.instant is None else getattr(live.instant.learner, "labels", ())
        return frozenset(known)

    async def refit(self, tenant: str) -> None:
        """Fit the tenant's models anew on all base examples; the old ones serve until then."""
        live = await self._live(tenant)
        async with live.lock:
            fresh = await self._loaded(tenant, await self._profiles.resolved(tenant))
            live.tasks, live.known, live.newest = fresh.tasks, fresh.known, fresh.newest

    async def forget_tenant(self, tenant: str) -> None:
        """Drop a tenant's models from memory, e.g. when it is disabled."""
        live = self._tenants.pop(tenant, None)
        if live is not None:
            await self._host.tenant_disabled(live.request)

    @property
    def loaded_tenants(self) -> tuple[str, ...]:
        """The tenants whose models are in memory, the least recently used first."""
        return tuple(self._tenants)

    async def _live(self, tenant: str) -> _LiveTenant:
        profile = await self._profiles.resolved(tenant)
        live = self._tenants.get(tenant)
        if live is None or live.profile is not profile:
            async with self._loading.hold(tenant):
                before = live = self._tenants.get(tenant)
                if live is None or live.profile is not profile:
                    live = await self._loaded(tenant, profile)
                    self._tenants[tenant] = live
                    lost = before.profile.plugins - profile.plugins if before is not None else frozenset()
                    if before is not None and lost:
                        await self._host.tenant_disabled(before.request, lost)
                    models = RequestModels(tenant, live.tasks, self._encoder)
                    await self._host.tenant_enabled(replace(live.request, models=models))
            while len(self._tenants) > self._max_tenants:
                await self.forget_tenant(next(iter(self._tenants)))
        if tenant in self._tenants:  # else dropped meanwhile, where more are wanted at once than may be loaded
            self._tenants.move_to_end(tenant)
        if time.monotonic() - live.synced_at > self._sync_s and not live.lock.locked():
            await self._catch_up(tenant, live)
        return live

    async def _loaded(self, tenant: str, profile: Profile) -> _LiveTenant:
        started = time.perf_counter()
        request = Request(
            tenant=tenant,
            caller=_SYSTEM,
            models=NoModels(),
            plugins=profile.plugins,
            settings=profile.settings,
            deadline=time.monotonic() + 60.0,
            clock=self._clock,
        )
        live = _LiveTenant(profile, request)
        seeds = await self._host.seed_examples(request)
        encoder = await self._encoder.ready()
        for name, task in self._host.tasks.items():
            if self._host.owner_of_task(name) in profile.plugins:
                base = [example for example in seeds if example.task == name]
                live.tasks[name] = await self._with_head(tenant, name, task.learner, base, encoder)
        await self._catch_up(tenant, live)
        _logger.info("models of tenant %s loaded in %.2f s", tenant, time.perf_counter() - started)
        return live

    async def _with_head(
        self, tenant: str, name: str, factory: Callable[[], Learner], seeds: list[Example], encoder: TextEncoder
    ) -> _LiveTask:
        """Return a task with a head fitted on its base examples; those kept back go to the memory only."""
        stored = await list_examples(self._database, tenant, name)
        imported = [example for example in stored if example.source == IMPORTED and example.label]
        kept_back = [example for example in imported if held_back(example.text, self.hold_back_every)]
        kept_ids = {example.id for example in kept_back}
        base = [*seeds, *(example for example in imported if example.id not in kept_ids)]
        fitted = await self._folder.fitted(
            tenant, name, factory, base, partial(self._encode, tenant), base_hash=encoder.hash, seed=self._seed
        )
        memory = CorrectionMemory(encoder_hash=encoder.hash, dim=encoder.dim)
        vectors = await self._encode(tenant, [example.text for example in kept_back])
        await asyncio.to_thread(_remember, memory, fitted, kept_back, vectors)
        instant = InstantLearner(fitted.learner, memory, task=name, hold_back_every=self.hold_back_every)
        return _LiveTask(memory, instant, fitted.version or "memory")

    async def _catch_up(self, tenant: str, live: _LiveTenant) -> None:
        """Learn what was stored since the last look, by this process or another."""
        async with live.lock:
            live.synced_at = time.monotonic()
            looked_at = self._clock()
            after = None if live.newest is None else (live.newest - _LATE, "")
            for task in await count_examples(self._database, tenant):
                taught = await list_examples(self._database, tenant, task, after=after)
                await self._replay(tenant, live, [one for one in taught if one.source != IMPORTED])
            if live.newest is None or live.newest < looked_at:
                live.newest = looked_at

    async def _replay(self, tenant: str, live: _LiveTenant, examples: Sequence[Example]) -> None:
        """Take in examples that are not known yet, in order; the tenant's lock is held."""
        fresh = [example for example in examples if example.id not in live.known and example.label]
        if not fresh:
            return
        vectors = await self._encode(tenant, [example.text for example in fresh])
        encoder = await self._encoder.ready()
        for example in fresh:
            if example.task not in live.tasks:
                memory = CorrectionMemory(encoder_hash=encoder.hash, dim=encoder.dim)
                live.tasks[example.task] = _LiveTask(memory)
        await asyncio.to_thread(_learn_all, live.tasks, fresh, vectors)
        for example in fresh:
            live.known.add(example.id)
            if example.at is not None and (live.newest is None or example.at > live.newest):
                live.newest = example.at

    async def _encode(self, tenant: str, texts: Sequence[str]) -> FloatArray:
        """Return the vectors of many texts, chunk by chunk, waiting while turns fill the encoder's queue."""
        encoder = await self._encoder.ready()
        rows = [np.zeros((0, encoder.dim), dtype=np.float32)]
        for start in range(0, len(texts), _ENCODE_CHUNK):
            chunk = texts[start : start + _ENCODE_CHUNK]
            while True:
                try:
                    rows.append(await self._encoder.encode_many(chunk, scope=tenant))
                except EncoderBusyError as error:
                    await asyncio.sleep(error.retry_after_s)
                else:
                    break
        return np.concatenate(rows)


def _take_note(task: asyncio.Task[FloatArray]) -> None:
    """Look at a failure that nobody may wait for; who does gets it all the same."""
    if not task.cancelled():
        task.exception()


def _remember(memory: CorrectionMemory, fitted: Fitted, kept_back: Sequence[Example], vectors: FloatArray) -> None:
    if fitted.anchor_labels:
        memory.observe(fitted.anchors, fitted.anchor_labels)
    for example, vector in zip(kept_back, vectors, strict=True):
        memory.add(example.id, example.text, vector, example.label or "")


def _learn_all(tasks: Mapping[str, _LiveTask], examples: Sequence[Example], vectors: FloatArray) -> None:
    for example, vector in zip(examples, vectors, strict=True):
        tasks[example.task].learn(example, vector)
