"""Candidates on trial as they serve: loaded beside the live versions, taught what people teach, shown to whom the trial says."""

from __future__ import annotations

import asyncio
import logging
from collections import defaultdict
from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from rejoinder.errors import ModelError, RejoinderError
from rejoinder.learning.trials import in_canary
from rejoinder.store.models import get_version
from rejoinder.store.trials import count_in_trial, open_trials

if TYPE_CHECKING:
    from rejoinder.learning.live_task import LiveTask
    from rejoinder.models.learner import Prediction
    from rejoinder.payloads import Example
    from rejoinder.store.database import Database
    from rejoinder.store.tables import ModelTrial, ModelVersion

Load = Callable[[str, str, "ModelVersion"], Awaitable[tuple["LiveTask", set[str]]]]
"""Gives a tenant's task with the head of a version, and the ids of the examples that people taught it."""

Teach = Callable[[str, "LiveTask", "Sequence[Example]"], Awaitable[None]]

_MOST_SHADOWING: Final = 4
"""Messages of all tenants that shadows read at the same time; beyond that they skip some, so that turns do not wait for them."""

_logger = logging.getLogger("rejoinder.learning")


@dataclass(slots=True)
class _Loaded:
    """A trial with its task (None while it is loaded, or where it cannot be) and the ids of the examples that it was taught."""

    trial: ModelTrial
    task: LiveTask | None = None
    known: set[str] = field(default_factory=set)
    counts: dict[str, float] = field(default_factory=lambda: defaultdict(float))


class LiveTrials:
    """The trials of the tenants whose models are loaded in this process.

    Args:
        load: called in the background; a version that cannot be loaded counts as failed.
        teach: lets a task learn from examples.
    """

    def __init__(self, database: Database, load: Load, teach: Teach) -> None:
        self._database = database
        self._load = load
        self._teach = teach
        self._loaded: dict[str, dict[str, _Loaded]] = {}
        self._jobs: set[asyncio.Future[None]] = set()
        self._shadowing = 0
        self._looking = asyncio.Lock()

    def tasks_for(self, tenant: str, user_id: str, live: Mapping[str, LiveTask]) -> Mapping[str, LiveTask]:
        """Return a tenant's live tasks, those replaced that a canary serves for this user."""
        trials = self._loaded.get(tenant)
        if not trials:
            return live
        canaries = {
            name: one.task for name, one in trials.items() if one.task is not None and in_canary(one.trial, user_id)
        }
        return {**live, **canaries} if canaries else live

    def drop(self, tenant: str) -> None:
        """Let go of a tenant's candidates: the next look loads those that are still tried anew, with what the store says by then."""
        self._loaded.pop(tenant, None)

    def forget(self, tenant: str, example_ids: Collection[str]) -> None:
        """Let a tenant's candidates forget what these examples taught them; the tenant's lock is held."""
        for one in self._loaded.get(tenant, {}).values():
            if one.task is not None:
                one.task.forget(example_ids)

    def has_canary(self, tenant: str) -> bool:
        """Return whether feedback of this tenant may decide a trial."""
        return any(one.trial.canary_at is not None for one in self._loaded.get(tenant, {}).values())

    async def learn(self, tenant: str, name: str, examples: Sequence[Example]) -> None:
        """Let a task on trial, if there is one, learn what the live one learns; the tenant's lock is held."""
        one = self._loaded.get(tenant, {}).get(name)
        if one is None or one.task is None:
            return
        fresh = [example for example in examples if example.id not in one.known]
        if fresh:
            await self._teach(tenant, one.task, fresh)
            one.known |= {example.id for example in fresh}

    def shadow(
        self, tenant: str, name: str, said: Prediction | None, ask: Callable[[LiveTask], Awaitable[Prediction | None]]
    ) -> None:
        """Let the shadow of a task, if there is one, read what the live version was asked, in the background.

        Args:
            said: what the live version said.
            ask: asks a task the same.
        """
        one = self._loaded.get(tenant, {}).get(name)
        if one is None or one.task is None or one.trial.canary_at is not None or self._shadowing >= _MOST_SHADOWING:
            return
        self._shadowing += 1
        self._begin(self._compare(one, one.task, said, ask), done=self._one_less)

    async def look(self, tenants: Mapping[str, object]) -> list[str]:
        """Load trials that began, drop those that are over, and write down what shadows did.

        Args:
            tenants: ids of the tenants whose models are loaded.

        Returns:
            The tenants of whose shadows there is something new.
        """
        async with self._looking:  # two at once would load a candidate twice, or drop one that the other just found
            return await self._look(tenants)

    async def loaded(self) -> None:
        """Wait for what the last look began, e.g. until a candidate that it found answers."""
        if self._jobs:
            await asyncio.wait(self._jobs)

    async def _look(self, tenants: Mapping[str, object]) -> list[str]:
        news = []
        found: dict[str, dict[str, ModelTrial]] = defaultdict(dict)
        if tenants:
            for trial in await open_trials(self._database, list(tenants)):
                found[trial.tenant_id][trial.task] = trial
        for tenant in {*self._loaded, *found}:
            if await self._write_down(tenant, self._loaded.get(tenant, {})):
                news.append(tenant)
            known = self._loaded.get(tenant, {})  # looked up now: some may have been dropped meanwhile
            now: dict[str, _Loaded] = {}
            for name, trial in found.get(tenant, {}).items():
                one = known.get(name)
                if one is not None and one.trial.id == trial.id:
                    one.trial = trial
                else:
                    one = _Loaded(trial)
                    self._begin(self._fetch(one))
                now[name] = one
            self._loaded[tenant] = now
            if not now:
                del self._loaded[tenant]
        return news

    async def close(self) -> None:
        """End what runs in the background."""
        for job in self._jobs:
            job.cancel()
        await self.loaded()

    def _begin(self, work: Awaitable[None], *, done: Callable[[], None] | None = None) -> None:
        job = asyncio.ensure_future(work)
        self._jobs.add(job)

        def ended(job: asyncio.Future[None]) -> None:
            self._jobs.discard(job)
            if done is not None:
                done()

        job.add_done_callback(ended)

    def _one_less(self) -> None:
        self._shadowing -= 1

    async def _fetch(self, one: _Loaded) -> None:
        trial = one.trial
        try:
            version = await get_version(self._database, trial.tenant_id, trial.model_version_id)
            one.task, one.known = await self._load(trial.tenant_id, trial.task, version)
        except ModelError as error:
            _logger.warning("model %s of tenant %s cannot be tried: %s", trial.model_version_id, trial.tenant_id, error)
            one.counts["seen"] += 1
            one.counts["failed"] += 1

    async def _compare(
        self,
        one: _Loaded,
        task: LiveTask,
        said: Prediction | None,
        ask: Callable[[LiveTask], Awaitable[Prediction | None]],
    ) -> None:
        one.counts["seen"] += 1
        try:
            other = await ask(task)
        except RejoinderError as error:
            _logger.debug("a shadow gave no answer: %s", error)
            one.counts["seen"] -= 1  # the encoder was busy, which says nothing of the shadow
        except Exception:
            _logger.exception("the shadow %s of tenant %s failed", one.trial.model_version_id, one.trial.tenant_id)
            one.counts["failed"] += 1
        else:
            one.counts["agreed"] += (said and said.label) == (other and other.label)

    async def _write_down(self, tenant: str, trials: Mapping[str, _Loaded]) -> bool:
        wrote = False
        for one in trials.values():
            counts, one.counts = one.counts, defaultdict(float)
            if any(counts.values()):
                await count_in_trial(self._database, tenant, one.trial.id, counts)
                wrote = True
        return wrote
