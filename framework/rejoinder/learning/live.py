"""Every tenant's live models: loaded when first needed, taught at once by feedback, rebuilt from the store after a restart.

A tenant's models start from the version that is live (where there is none, one is fitted on the seed examples and kept) and all that
people taught since, replayed in order. So what was acknowledged survives a crash, and two processes over one store come to the same
models.

A task in the background asks the store every half `sync_s` which versions are live, in one small query for all loaded tenants. Another
version than the one in memory is loaded beside it, taught what people taught, and swapped in: with `sync_s` at one second, every turn
that begins two seconds after a promotion uses the new version, in whichever process it was promoted. A turn keeps to the versions that it
began with, and never waits for a load. What other processes were taught is fetched in the same way, for tenants that are in use.
"""

from __future__ import annotations

import asyncio
import logging
import time
import weakref
from collections import OrderedDict
from collections.abc import Callable, Collection, Coroutine, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, Protocol

from rejoinder.context import Clock, NoModels, Request, utc_now
from rejoinder.errors import (
    EncoderBusyError,
    ModelError,
    ModelNotReadyError,
    NotFoundError,
    RejoinderError,
)
from rejoinder.events.settings import events_of
from rejoinder.host import Host
from rejoinder.learning.canary_rewards import CanaryRewards
from rejoinder.learning.encodings import tells
from rejoinder.learning.experience import Experience
from rejoinder.learning.live_task import LiveTask, Opinion
from rejoinder.learning.live_trials import LiveTrials
from rejoinder.learning.memory import CorrectionMemory
from rejoinder.learning.request_models import RequestModels
from rejoinder.learning.task_loading import IMPORTED, TaskLoader
from rejoinder.learning.trials import Step, review_trials
from rejoinder.learning.versions import Registry
from rejoinder.locks import KeyedLocks
from rejoinder.models.adapters.cache import AdapterCache
from rejoinder.models.encoding.service import EncoderService
from rejoinder.monitoring.tenant_monitoring import TenantMonitoring
from rejoinder.payloads import Caller, Example, ShownList, Utterance
from rejoinder.privacy.settings import privacy_of
from rejoinder.settings import GateSettings
from rejoinder.store.database import Database
from rejoinder.store.erasures import erasures_since
from rejoinder.store.examples import count_examples, list_examples, taken_back_since
from rejoinder.store.models import live_version, live_versions
from rejoinder.trace import Trace

if TYPE_CHECKING:
    from rejoinder.documents.tenant_documents import DocumentIndexes
    from rejoinder.graph.tenant_graph import TenantGraphs
    from rejoinder.items.tenant_items import Catalogues
    from rejoinder.models.learner import Prediction
    from rejoinder.store.tables import ModelVersion

_SYSTEM = Caller(id="system", role="admin")
_LATE = timedelta(seconds=10)
"""How much later than its moment an example of another process may become visible."""

_ERASED_LATE = timedelta(minutes=2)
"""How much later than its moment an erasure may become visible: it may delete a lot."""

_IN_USE_S = 30.0
"""A tenant that nobody asked for in so long is not kept up to date with what was taught elsewhere: its next request sees to that."""

_SHORTEST_LOOK_S = 0.05
_RETRY_S = 60.0
"""A live version that could not be loaded is tried again after this time."""

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

    async def served(self, tenant: str) -> Profile:
        """Return a tenant's profile; NotFoundError when there is no such tenant, or it is disabled."""


@dataclass(slots=True)
class _LiveTenant:
    """One tenant's tasks, in a mapping that is replaced and never changed.

    `known` are the ids of replayed examples, `erased` those that are never to be learned again; with `unclean`, the tasks are to be made
    anew without them, which `cleaning` does. `synced_at` is when the store was last looked at, `used_at` when somebody last asked for it;
    `refused` are live versions by task that could not be loaded, and when to try again.
    """

    profile: Profile
    request: Request
    tasks: Mapping[str, LiveTask] = field(default_factory=dict)
    known: set[str] = field(default_factory=set)
    erased: set[str] = field(default_factory=set)
    newest: datetime | None = None
    synced_at: float = 0.0
    used_at: float = 0.0
    lock: asyncio.Lock = field(default_factory=asyncio.Lock)
    swapping: set[str] = field(default_factory=set)
    refused: dict[str, tuple[str, float]] = field(default_factory=dict)
    unclean: bool = False
    cleaning: asyncio.Task[None] | None = None


class LiveModels:
    """The live models of all tenants in this process.

    Attributes:
        canary_rewards: what this process has read of what people say of canaries.
        on_erasure: is told the tenant when something of it was erased, here or by another process.

    Args:
        profiles: tells a tenant's plugins and settings.
        registry: gives and keeps model versions.
        gate: how candidates are tried on real messages.
        seed: of all chance in training.
        hold_back_every: about one text in so many is kept from all models; 0 keeps none.
        max_tenants: tenants whose models are kept loaded, >= 1; the least recently used go first.
        adapter_bytes: memory for adapters of all tenants; see `AdapterCache`.
        sync_s: seconds, >= 0, after which what other processes learned is known here when a tenant is in use, and twice which is the
            most that a promotion by another process takes to be served here.
        graphs: the tenants' knowledge graphs; None: there are none.
        documents: the tenants' documents; None: there are none.
        items: the tenants' catalogues; None: there are none.
    """

    def __init__(
        self,
        database: Database,
        host: Host,
        encoder: EncoderService,
        profiles: Profiles,
        *,
        registry: Registry,
        gate: GateSettings | None = None,
        seed: int = 0,
        hold_back_every: int = 10,
        max_tenants: int = 1000,
        adapter_bytes: int = 256 << 20,
        sync_s: float = 1.0,
        graphs: TenantGraphs | None = None,
        documents: DocumentIndexes | None = None,
        items: Catalogues | None = None,
        clock: Clock = utc_now,
    ) -> None:
        self._database = database
        self._host = host
        self._encoder = encoder
        self._profiles = profiles
        self.registry = registry
        self._adapters = AdapterCache(registry.load_adapter, budget_bytes=adapter_bytes)
        self._gate = gate or GateSettings()
        self._max_tenants = max_tenants
        self._sync_s = sync_s
        self._graphs = graphs
        self._documents = documents
        self._items = items
        self._clock = clock
        self._tenants: OrderedDict[str, _LiveTenant] = OrderedDict()
        self._loading = KeyedLocks()
        self._watcher: asyncio.Task[None] | None = None
        self.on_erasure: list[Callable[[str], None]] = []
        self._erasures: dict[str, datetime] = {}
        self._heard_at: datetime | None = None
        self._taken_back_at: datetime | None = None
        self._swaps: set[asyncio.Task[None]] = set()
        self.hold_back_every = hold_back_every
        self.loader = TaskLoader(
            database, host, encoder, registry, self._adapters, seed=seed, hold_back_every=hold_back_every
        )
        self._experience = Experience(database, max_tenants=max_tenants)
        self.canary_rewards = CanaryRewards(database, self._shown_lists)
        self._trials = LiveTrials(database, self._on_trial, self.loader.teach)

    async def request_for(
        self,
        tenant: str,
        caller: Caller,
        *,
        session_id: str | None = None,
        history: tuple[Utterance, ...] = (),
        deadline: float | None = None,
        person: str | None = None,
    ) -> Request:
        """Return a request of this tenant, with its models as they are now.

        Args:
            person: whom it is for, where that is not the caller: whether a canary serves it goes by them.
            deadline: when it must be done, in seconds of `time.monotonic`; None: 30 s from now.
        Raises:
            NotFoundError: there is no such tenant, or it is disabled.
        """
        live = await self._live(tenant)
        adapters = [task.adapter for task in live.tasks.values() if task.adapter is not None]
        if adapters:  # whoever opens a conversation finds them at hand at the first message
            self._adapters.prefetch(adapters)
        return replace(
            live.request,
            caller=caller,
            models=RequestModels(
                tenant,
                self._trials.tasks_for(tenant, person or caller.id, live.tasks),
                self._encoder,
                self._adapters,
                shadow=self._trials.shadow,
                experience=self._experience,
            ),
            graph=self._graphs.of(tenant, live.profile.plugins) if self._graphs else None,
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

    async def opinion(self, tenant: str, task: str, text: str) -> Opinion | None:
        """Return what the tenant's models say of a text, head and memory each by itself; None where nothing can be said now."""
        live = (await self._live(tenant)).tasks.get(task)
        if live is None or live.direct is not None:
            return None
        try:
            vector = await self._encoder.encode(text, scope=tenant)
            adapted = None
            if live.adapter is not None:
                adapted = (await self.loader.encode_texts(tenant, [text], adapter=live.adapter))[0]
        except (EncoderBusyError, ModelError):
            return None
        return live.opinion(text, vector, adapted)

    async def predictions(self, tenant: str, task: str, texts: Sequence[str]) -> list[Prediction] | None:
        """Return what the tenant's live model of a task says of many texts, corrections included, waiting while turns fill the encoder.

        None: there is no model that gives one label of a text, or it knows nothing yet.
        """
        if not texts:  # a tenant of whom nothing is asked need not be loaded
            return []
        live = (await self._live(tenant)).tasks.get(task)
        if live is None or live.instant is None:
            return None
        vectors = await self.loader.encode_texts(tenant, texts)
        adapted = vectors
        if live.adapter is not None:
            adapted = await self.loader.encode_texts(tenant, texts, adapter=live.adapter)
        try:
            return await asyncio.to_thread(live.predictions, texts, vectors, adapted)
        except ModelNotReadyError:
            return None

    async def take_back(self, tenant: str, example_ids: Collection[str]) -> None:
        """Let nothing answer any more that these examples taught at once, in this process."""
        live = self._tenants.get(tenant)
        if live is None or not example_ids:
            return
        live.erased |= set(example_ids)
        async with live.lock:
            for task in live.tasks.values():
                await asyncio.to_thread(task.forget, example_ids)
            await asyncio.to_thread(self._trials.forget, tenant, example_ids)

    async def labels(self, tenant: str, task: str) -> frozenset[str]:
        """Return the labels that the tenant's model of a task knows; none where it says nothing of them."""
        live = (await self._live(tenant)).tasks.get(task)
        known = () if live is None or live.learner is None else getattr(live.learner, "labels", ())
        return frozenset(known)

    async def refit(self, tenant: str) -> None:
        """Fit the tenant's models anew on all base examples, where they were not promoted by somebody; the old ones serve until then.

        What was imported since a promoted one was fitted is added to it.
        """
        live = await self._live(tenant)
        async with live.lock:
            fresh = await self._loaded(tenant, await self._profiles.served(tenant))
            await self._without_erased(live, fresh)
            live.tasks, live.known, live.newest = fresh.tasks, fresh.known, fresh.newest

    async def forget_examples(
        self, tenant: str, erasure_id: str, example_ids: Collection[str]
    ) -> asyncio.Task[None] | None:
        """Forget examples that were erased from the store, in this process; others do so within `sync_s`.

        When this returns, nothing that was taught answers any more. Then, in the background, the tenant's models are made anew from the
        store, so that they are as if the examples had never been; until that is done, the old ones serve without them.

        Args:
            erasure_id: see `rejoinder.store.erasures`; it is done once.

        Returns:
            The work in the background; None: there is none, since the tenant's models are not loaded or nothing was taught.
        """
        self._erasures[erasure_id] = self._clock()
        for listener in self.on_erasure:
            listener(tenant)
        self._experience.forget_tenant(tenant)
        live = self._tenants.get(tenant)
        if live is None or not example_ids:
            self._encoder.forget(tenant)
            return None
        return await self._forget_taught(tenant, live, example_ids)

    async def _forget_taught(self, tenant: str, live: _LiveTenant, example_ids: Collection[str]) -> asyncio.Task[None]:
        """Let nothing answer any more that these examples taught, and begin to make the models anew without them."""
        live.erased |= set(example_ids)
        self._trials.drop(tenant)
        for task in live.tasks.values():
            await asyncio.to_thread(task.forget, example_ids)
        live.unclean = True
        if live.cleaning is None or live.cleaning.done():
            live.cleaning = self._beside(
                self._clean(tenant, live),
                f"models of tenant {tenant} are not made anew without what is to be forgotten",
            )
        return live.cleaning

    async def _clean(self, tenant: str, live: _LiveTenant) -> None:
        """Make a tenant's models anew, once more where something was erased meanwhile."""
        while live.unclean:
            live.unclean = False
            with suppress(NotFoundError):  # disabled: its models are dropped
                await self.refit(tenant)
        self._encoder.forget(tenant)  # not before: what is made anew finds its vectors there

    async def _without_erased(self, live: _LiveTenant, made: _LiveTenant) -> None:
        """Let what was made beside a tenant's tasks forget what was erased while it learned; the tenant's lock is held."""
        if gone := live.erased & made.known:
            for task in made.tasks.values():
                await asyncio.to_thread(task.forget, gone)

    async def promote(self, tenant: str, version_id: str) -> ModelVersion:
        """Make a version live, here as soon as it is loaded and in other processes within twice `sync_s`; raises as `Registry.promote`."""
        promoted = await self.registry.promote(tenant, version_id)
        await self._look()
        return promoted

    async def roll_back(self, tenant: str, task: str) -> tuple[ModelVersion, ModelVersion]:
        """Go back to the version that was live before, as fast as `promote`; returns and raises as `Registry.roll_back`."""
        both = await self.registry.roll_back(tenant, task)
        await self._look()
        return both

    async def review_trials(self, tenant: str) -> list[Step]:
        """Take the steps that are due in a tenant's trials: promote, let answer, take back. They are served here at once."""
        taken = await self._review(tenant)
        if taken:
            await self._look()
        return taken

    async def _review(self, tenant: str) -> list[Step]:
        return await review_trials(
            self._database,
            self.registry,
            self._profiles,
            self._gate,
            tenant,
            rewards=self.canary_rewards,
            clock=self._clock,
        )

    def has_canary(self, tenant: str) -> bool:
        """Return whether feedback of this tenant may decide a trial."""
        return self._trials.has_canary(tenant)

    async def forget_tenant(self, tenant: str) -> None:
        """Drop a tenant's models from memory, e.g. when it is disabled."""
        live = self._tenants.pop(tenant, None)
        if live is not None:
            await self._host.tenant_disabled(live.request)

    async def _shown_lists(self, tenant: str, task: str, since: datetime) -> list[ShownList] | None:
        """See `rejoinder.learning.canary_rewards.ShownLists`."""
        known = self._host.tasks.get(task)
        if known is None or known.learns_from != "behaviour" or self._items is None:
            return None
        settings = (await self._profiles.served(tenant)).settings
        items = self._items.of(tenant, events_of(settings), privacy_of(settings))
        return await items.shown_lists(since=since, until=self._clock())

    async def close(self) -> None:
        """End what runs in the background; adapters are not at hand any more."""
        ended = [*self._swaps, *(() if self._watcher is None else (self._watcher,))]
        for task in ended:
            task.cancel()
        await asyncio.gather(*ended, return_exceptions=True)
        await self._trials.close()
        await asyncio.to_thread(self._adapters.close)

    @property
    def loaded_tenants(self) -> tuple[str, ...]:
        """The tenants whose models are in memory, the least recently used first."""
        return tuple(self._tenants)

    async def _live(self, tenant: str) -> _LiveTenant:
        try:
            profile = await self._profiles.served(tenant)
        except NotFoundError:
            await self.forget_tenant(tenant)
            raise
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
                    models = RequestModels(tenant, live.tasks, self._encoder, self._adapters)
                    await self._host.tenant_enabled(replace(live.request, models=models))
            while len(self._tenants) > self._max_tenants:
                await self.forget_tenant(next(iter(self._tenants)))
        if tenant in self._tenants:  # else dropped meanwhile, where more are wanted at once than may be loaded
            self._tenants.move_to_end(tenant)
        live.used_at = time.monotonic()
        self._watch()
        # The task in the background sees to it once in `sync_s`, unless nobody asked for long.
        if live.used_at - live.synced_at > 2 * self._sync_s and not live.lock.locked():
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
            documents=None if self._documents is None else self._documents.of(tenant),
            items=None
            if self._items is None
            else self._items.of(tenant, events_of(profile.settings), privacy_of(profile.settings)),
            monitoring=TenantMonitoring(self._database, tenant, profile.settings),
            deadline=time.monotonic() + 60.0,
            clock=self._clock,
        )
        live = _LiveTenant(profile, request)
        if self._graphs is not None:
            await self._graphs.look(tenant)
        seeds = await self._host.seed_examples(request)
        for name, task in self._host.tasks.items():
            if self._host.owner_of_task(name) in profile.plugins:
                base = [example for example in seeds if example.task == name]
                made = await self.loader.live(tenant, name, task.learner, base)
                if made is not None:
                    live.tasks = {**live.tasks, name: made}
        await self._catch_up(tenant, live)
        _logger.info("models of tenant %s loaded in %.2f s", tenant, time.perf_counter() - started)
        return live

    async def _catch_up(self, tenant: str, live: _LiveTenant) -> None:
        """Learn what was stored since the last look, by this process or another."""
        async with live.lock:
            live.synced_at = time.monotonic()
            looked_at = self._clock()
            since = None if live.newest is None else live.newest - _LATE
            after = None if since is None else (since, "")
            for task in await count_examples(self._database, tenant, since=since):
                taught = await list_examples(self._database, tenant, task, after=after)
                await self._replay(tenant, live, [one for one in taught if one.source != IMPORTED])
            if live.newest is None or live.newest < looked_at:
                live.newest = looked_at

    async def _replay(self, tenant: str, live: _LiveTenant, examples: Sequence[Example]) -> None:
        """Take in examples that are not known yet, in order; the tenant's lock is held."""
        learners = {name: task.learner for name, task in live.tasks.items()}
        fresh: dict[str, list[Example]] = {}
        for example in examples:
            if (
                example.id not in live.known
                and example.id not in live.erased
                and tells(learners.get(example.task), example)
            ):
                fresh.setdefault(example.task, []).append(example)
        if not fresh:
            return
        try:
            encoder = await self._encoder.ready()
        except ModelError as error:
            if live.tasks:
                raise
            _logger.warning("what people taught tenant %s is stored, but not used: %s", tenant, error)
            return
        strange = fresh.keys() - live.tasks.keys()
        if strange:
            memories = {name: CorrectionMemory(encoder_hash=encoder.hash, dim=encoder.dim) for name in strange}
            live.tasks = {**live.tasks, **{name: LiveTask(memory) for name, memory in memories.items()}}
        for name, mine in fresh.items():
            await self.loader.teach(tenant, live.tasks[name], mine)
            if live is self._tenants.get(tenant):
                await self._trials.learn(tenant, name, mine)
            live.known |= {example.id for example in mine}
        moments = [one.at for mine in fresh.values() for one in mine if one.at is not None]
        live.newest = max([*moments, *(() if live.newest is None else (live.newest,))], default=None)

    # --- in the background -----------------------------------------------------------------------------------------

    def _watch(self) -> None:
        """See to it that the task in the background runs, in this event loop."""
        if self._watcher is None or self._watcher.done():
            every = max(self._sync_s / 2, _SHORTEST_LOOK_S)
            self._watcher = asyncio.create_task(_look_often(weakref.ref(self), every), name="rejoinder-live-models")

    async def _look(self) -> None:
        """Start to swap in whatever versions are live and not in memory, and keep tenants in use up to date."""
        loaded = dict(self._tenants)
        await self._hear_of_erasures(loaded)
        await self._hear_of_taken_back(loaded)
        for tenant in await self._trials.look(loaded):
            await self._review(tenant)
        now = await live_versions(self._database, loaded.keys())
        for tenant, live in loaded.items():
            for name, task in live.tasks.items():
                wanted = now.get((tenant, name))
                if wanted is None and task.version_id and not live.lock.locked() and name not in live.swapping:
                    live.swapping.add(name)  # retired with nothing in its place, since nothing is left to learn from
                    self._beside(self._without_retired(tenant, live, name), f"{name} of tenant {tenant} serves on")
                if wanted in (None, task.version_id) or task.learner is None or name in live.swapping:
                    continue
                if live.lock.locked():  # perhaps by what will bring this very version
                    continue
                refused, until = live.refused.get(name, ("", 0.0))
                if wanted != refused or time.monotonic() >= until:
                    self._start_swap(tenant, live, name)
        for tenant, live in loaded.items():
            since = time.monotonic()
            if since - live.used_at < _IN_USE_S and since - live.synced_at >= self._sync_s and not live.lock.locked():
                await self._catch_up(tenant, live)

    async def _hear_of_erasures(self, tenants: Collection[str]) -> None:
        """Forget what other processes erased."""
        now = self._clock()
        since = (self._heard_at or now) - _ERASED_LATE
        found = await erasures_since(self._database, tenants, since=since) if tenants else ()
        self._heard_at = now
        self._erasures = {one: at for one, at in self._erasures.items() if at >= since - _ERASED_LATE}
        for erased in found:
            if erased.erasure_id not in self._erasures:
                self._erasures[erased.erasure_id] = erased.at
                await self.forget_examples(erased.tenant_id, erased.erasure_id, erased.example_ids)

    async def _hear_of_taken_back(self, tenants: Mapping[str, _LiveTenant]) -> None:
        """Forget what people taught whom another process found not to be trusted any more, as what is erased is forgotten."""
        now = self._clock()
        since = (self._taken_back_at or now) - _ERASED_LATE
        found = await taken_back_since(self._database, tenants, since=since) if tenants else {}
        self._taken_back_at = now
        for tenant, example_ids in found.items():
            live = tenants[tenant]
            if news := (set(example_ids) & live.known) - live.erased:
                await self._forget_taught(tenant, live, news)

    async def _without_retired(self, tenant: str, live: _LiveTenant, name: str) -> None:
        try:
            await self.refit(tenant)
        finally:
            live.swapping.discard(name)

    def _beside(self, work: Coroutine[Any, Any, None], complaint: str) -> asyncio.Task[None]:
        job = asyncio.create_task(work)
        self._swaps.add(job)

        def ended(job: asyncio.Task[None]) -> None:
            self._swaps.discard(job)
            if not job.cancelled() and (error := job.exception()) is not None:
                _logger.error("%s: %s", complaint, error)

        job.add_done_callback(ended)
        return job

    def _start_swap(self, tenant: str, live: _LiveTenant, name: str) -> None:
        live.swapping.add(name)
        swap = asyncio.create_task(self._swap(tenant, live, name), name=f"rejoinder-swap-{tenant}-{name}")
        self._swaps.add(swap)

        def ended(task: asyncio.Task[None]) -> None:
            live.swapping.discard(name)
            self._swaps.discard(task)
            if not task.cancelled() and (error := task.exception()) is not None:
                _logger.warning("the new model of %s of tenant %s is not served yet: %s", name, tenant, error)

        swap.add_done_callback(ended)

    async def _swap(self, tenant: str, live: _LiveTenant, name: str) -> None:
        """Load the live version beside the one that serves, teach it what people taught, and put it in its place."""
        started = time.perf_counter()
        version = await live_version(self._database, tenant, name)
        before = live.tasks[name]
        if version is None or version.id == before.version_id:
            return
        try:
            made = await self.loader.of_version(tenant, name, version)
        except ModelError as error:
            live.refused[name] = (version.id, time.monotonic() + _RETRY_S)
            _logger.warning(
                "model %s of tenant %s cannot be used, and %s serves on: %s",
                version.id,
                tenant,
                before.version_id or before.version,
                error,
            )
            return
        beside = _LiveTenant(live.profile, live.request, {name: made})
        await self._teach(tenant, beside, name)
        async with live.lock:
            if self._tenants.get(tenant) is not live or live.tasks[name] is not before:
                return  # dropped, loaded anew or fitted anew meanwhile: the next look begins again where need be
            await self._teach(tenant, beside, name)  # what was taught meanwhile
            await self._without_erased(live, beside)
            live.tasks = {**live.tasks, name: made}
            live.known |= beside.known
        live.refused.pop(name, None)
        if before.adapter not in (None, made.adapter):
            self._adapters.forget(before.adapter)
        _logger.info(
            "model %s of tenant %s serves after %.2f s in place of %s",
            version.id,
            tenant,
            time.perf_counter() - started,
            before.version_id or before.version,
        )

    async def _on_trial(self, tenant: str, name: str, version: ModelVersion) -> tuple[LiveTask, set[str]]:
        """Return a version that is tried, taught what people taught; what they teach from now on `_replay` sees to."""
        made = await self.loader.of_version(tenant, name, version)
        live = self._tenants[tenant]
        beside = _LiveTenant(live.profile, live.request, {name: made})
        async with live.lock:
            await self._teach(tenant, beside, name)
        return made, beside.known

    async def _teach(self, tenant: str, beside: _LiveTenant, name: str) -> None:
        """Teach a task all feedback that it does not know."""
        after = None if beside.newest is None else (beside.newest - _LATE, "")
        taught = await list_examples(self._database, tenant, name, after=after)
        await self._replay(tenant, beside, [one for one in taught if one.source != IMPORTED])


async def _look_often(models: weakref.ref[LiveModels], every_s: float) -> None:
    """Let live models look at the store as long as anybody has them."""
    failed = False
    while True:
        await asyncio.sleep(every_s)
        live = models()
        if live is None:
            return
        try:
            await live._look()
            failed = False
        except RejoinderError as error:
            _logger.log(logging.DEBUG if failed else logging.WARNING, "models are not kept up to date: %s", error)
            failed = True
        except Exception:  # the next look may go well
            _logger.exception("models are not kept up to date")
        del live
