"""Erasing: what is stored of a user leaves the store, the models' memory, and, by a clean run, the models.

1. In one transaction: conversations, turns, decisions, feedback, events, encrypted slots and the rows of plugins are deleted, the examples
   that the user gave or whose words they hold are deleted, versions that were trained on these are marked, runs that may have read them are
   cancelled, and an audit row without a name is written. A process that is killed has done this wholly or not at all.
2. Every process forgets the examples: this one before `Eraser.erase` returns, others within a second (`LiveModels.forget_examples`).
   Then, in the background, each makes its models anew from the store.
3. Where a marked version is live, a clean run is queued. When its version is live, the files of marked ones are deleted, and the
   audit row is closed. `Eraser.carry_on` does what is left of this, as often as one likes; workers do so once a minute, and a server when
   it starts. A process that is killed in between has left the row open, and models that are loaded from the store know nothing of it.
"""

from __future__ import annotations

import asyncio
import logging
import shutil
from collections.abc import Coroutine, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from sqlalchemy import text

from rejoinder.context import Clock, utc_now
from rejoinder.errors import ModelError, NotFoundError
from rejoinder.host import Host
from rejoinder.learning.queue import can_queue, send_run
from rejoinder.learning.triggers import queue_of
from rejoinder.learning.versions import Registry
from rejoinder.privacy.plugin_tables import delete_rows
from rejoinder.privacy.settings import privacy_of
from rejoinder.settings import DeploymentSettings
from rejoinder.store.database import Database
from rejoinder.store.erasures import (
    Reason,
    TakenExample,
    add_erasure,
    delete_before,
    finish_erasure,
    first_deed,
    mark_versions,
    mark_versions_since,
    marked_files,
    open_erasures,
    release_files,
    stop_runs,
    take_examples,
    tenants_with_open_erasures,
)
from rejoinder.store.models import live_version
from rejoinder.store.runs import request_run
from rejoinder.store.users import delete_user

if TYPE_CHECKING:
    from sqlalchemy.ext.asyncio import AsyncSession

    from rejoinder.learning.live import LiveModels, Profiles
    from rejoinder.store.tables import ModelVersion

RETENTION: Final = "retention"
_BY_HOST: Final = "host"

_logger = logging.getLogger("rejoinder.privacy")


@dataclass(frozen=True, slots=True, kw_only=True)
class ErasureReport:
    """What an erasure did.

    Attributes:
        counts: rows that named the user, by table (rows below a conversation go with it uncounted); empty: nothing was stored of them.
        examples: how many examples are to be forgotten.
        marked: names of the model versions that were trained on some of these.
        runs: ids of the clean runs that were queued.
        erasure_id: of the audit row; "" where nothing was erased.
        pending: models are made anew, here in the background or by the runs; the audit row is open until that is done.
    """

    counts: dict[str, int] = field(default_factory=dict)
    examples: int = 0
    marked: tuple[str, ...] = ()
    runs: tuple[str, ...] = ()
    erasure_id: str = ""
    pending: bool = False


class Eraser:
    """Erases, for all tenants of one process.

    Args:
        profiles: tells a tenant's plugins and settings.
        models: the live models of this process; None: it has none.
    """

    def __init__(
        self,
        database: Database,
        host: Host,
        profiles: Profiles,
        registry: Registry,
        settings: DeploymentSettings,
        *,
        models: LiveModels | None = None,
        clock: Clock = utc_now,
    ) -> None:
        self._database = database
        self._host = host
        self._profiles = profiles
        self._registry = registry
        self._settings = settings
        self._models = models
        self._clock = clock
        self._rebuilding: set[str] = set()
        self._beside: set[asyncio.Task[None]] = set()

    async def erase(self, tenant: str, user_id: str, *, by: str) -> ErasureReport:
        """Erase all that is stored of a user. Of somebody unknown, or a second time, nothing is erased, which is no error.

        When this returns, the store has nothing of them any more, and nothing that they taught answers in this process. What models are
        made anew for that goes on in the background (`ErasureReport.pending`).

        Args:
            by: who asked for it: staff, never the user.
        """
        return await self._erase(tenant, "user", by, user_id=user_id)

    async def forget_lessons(self, tenant: str, user_id: str, *, by: str) -> ErasureReport:
        """Erase the examples of a user who does not want to be learned from; their conversations stay."""
        return await self._erase(tenant, "consent", by, user_id=user_id)

    async def retain(self, tenant: str, *, by: str = RETENTION, days: float | None = None) -> ErasureReport:
        """Erase what is older than the tenant's settings `privacy.retention_days` and `privacy.example_days` allow.

        Args:
            days: in place of `privacy.retention_days`, > 0.
        Raises:
            NotFoundError: there is no such tenant, or it is disabled.
        """
        rules = privacy_of((await self._profiles.served(tenant)).settings)
        records = days if days is not None else rules.retention_days
        if not records and not rules.example_days:
            return ErasureReport()
        now = self._clock()
        return await self._erase(
            tenant,
            "retention",
            by,
            records_before=now - timedelta(days=records) if records else None,
            examples_before=now - timedelta(days=rules.example_days) if rules.example_days else None,
        )

    async def carry_on(self, tenant: str) -> tuple[str, ...]:
        """Do what is left of a tenant's erasures: queue clean runs, delete files of marked versions; return the runs queued.

        Raises:
            ModelError: the artefact store cannot be reached; what is left can be done later.
        """
        queued: list[str] = []
        for row in await open_erasures(self._database, tenant):
            left = [task for task in row.tasks if not await self._is_clean(tenant, task, queued)]
            if not left and row.id not in self._rebuilding:
                await finish_erasure(self._database, tenant, row.id, at=self._clock())
        return tuple(queued)

    def resume_beside(self) -> None:
        """Do, in the background, what is left of all tenants' erasures, such as by a process that was killed."""
        self._start(self._resume())

    async def _resume(self) -> None:
        for tenant in await tenants_with_open_erasures(self._database):
            await self._carried_on(tenant)

    async def settled(self) -> None:
        """Wait until all that this process does in the background for erasures is done."""
        while self._beside:
            await asyncio.wait(set(self._beside))

    async def close(self) -> None:
        """End what runs in the background; another process, or this one when it starts again, carries it on."""
        for job in self._beside:
            job.cancel()
        await asyncio.gather(*self._beside, return_exceptions=True)

    async def _erase(
        self,
        tenant: str,
        reason: Reason,
        by: str,
        *,
        user_id: str | None = None,
        records_before: datetime | None = None,
        examples_before: datetime | None = None,
    ) -> ErasureReport:
        counts: dict[str, int] = {}
        taken: list[TakenExample] = []
        marked: tuple[str, ...] = ()
        erasure_id, checkpoints = "", []
        async with self._database.write() as session:
            now = self._clock()  # not before the lock is ours: others look for what is new since a while ago
            await self._overwrite(session)
            if user_id is not None or examples_before is not None:
                taken = await take_examples(session, tenant, user_id=user_id, before=examples_before)
            did_since = None
            if user_id is not None and reason == "user":
                did_since = await first_deed(session, tenant, user_id)
                counts = await delete_rows(session, self._host, tenant, user_id)
                with suppress(NotFoundError):
                    rows = await delete_user(session, tenant, user_id)
                    counts |= {str(name): count for name, count in rows.items()}
            if records_before is not None:
                counts |= await delete_before(session, tenant, records_before)
            versions: list[ModelVersion] = []
            tasks = {one.task for one in taken if one.trainable}
            if taken:
                counts["examples"] = len(taken)
                versions += await mark_versions(session, tenant, taken, at=now)
            if did_since is not None:
                of_behaviour = {one.name for one in self._host.tasks.values() if one.learns_from == "behaviour"}
                versions += await mark_versions_since(session, tenant, of_behaviour, did_since, at=now)
                tasks |= of_behaviour
            marked = tuple(f"{one.task}-{one.number}" for one in versions)
            if tasks:
                checkpoints = await stop_runs(session, tenant, tasks, reason="what it read was erased", at=now)
            if counts:
                row = await add_erasure(
                    session,
                    tenant,
                    reason=reason,
                    by=by,
                    counts=counts,
                    example_ids=[one.id for one in taken],
                    tasks={one.task for one in versions},
                    at=now,
                )
                erasure_id = row.id
        if counts:
            await self._database.forget_deleted()
        await asyncio.to_thread(self._remove_checkpoints, checkpoints)
        if erasure_id and self._models is not None:
            rebuilt = await self._models.forget_examples(tenant, erasure_id, [one.id for one in taken])
            if rebuilt is not None:
                self._rebuilding.add(erasure_id)
                self._start(self._after(rebuilt, tenant, erasure_id))
        runs = await self._carried_on(tenant)
        open_ones = {one.id for one in await open_erasures(self._database, tenant)}
        return ErasureReport(
            counts=counts,
            examples=len(taken),
            marked=marked,
            runs=runs,
            erasure_id=erasure_id,
            pending=erasure_id in open_ones,
        )

    async def _after(self, rebuilt: asyncio.Task[None], tenant: str, erasure_id: str) -> None:
        """Close an erasure, where nothing else is left of it, when this process's models were made anew."""
        try:
            await asyncio.wait([rebuilt])
        finally:
            self._rebuilding.discard(erasure_id)
        await self._carried_on(tenant)

    async def _carried_on(self, tenant: str) -> tuple[str, ...]:
        try:
            return await self.carry_on(tenant)
        except ModelError as error:
            _logger.warning("what is left of an erasure of tenant %s is done later: %s", tenant, error)
            return ()

    def _start(self, work: Coroutine[Any, Any, None]) -> None:
        job = asyncio.create_task(work, name="rejoinder-erasure")
        self._beside.add(job)

        def ended(job: asyncio.Task[None]) -> None:
            self._beside.discard(job)
            if not job.cancelled() and (error := job.exception()) is not None:
                _logger.error("what is left of an erasure is done later: %s", error)

        job.add_done_callback(ended)

    async def _overwrite(self, session: AsyncSession) -> None:
        """Let SQLite overwrite what is deleted from now on, in place of leaving it in free pages."""
        if self._database.dialect == "sqlite":
            await session.execute(text("PRAGMA secure_delete=ON"))

    async def _is_clean(self, tenant: str, task: str, queued: list[str]) -> bool:
        """Delete the files of a task's marked versions, and queue a clean run where one of them is live still."""
        files = await marked_files(self._database, tenant, task)
        for address in files.values():
            await asyncio.to_thread(self._registry.delete_files, address)
        await release_files(self._database, tenant, list(files))
        live = await live_version(self._database, tenant, task)
        if live is None or live.erased_at is None:
            return True
        if live.settings.get("origin") == _BY_HOST:  # whoever serves the tenant next fits it anew, without the examples
            return False
        try:
            profile = await self._profiles.served(tenant)
        except NotFoundError:  # disabled: its models serve nobody, and are seen to when it is enabled again
            return False
        queue = await queue_of(self._host, self._settings, profile, tenant, task)
        reason = f"examples that {task}-{live.number} was trained on were erased: learned anew without them"
        run = await request_run(self._database, tenant, task=task, reason=reason, queue=queue, at=self._clock())
        if run is not None:
            queued.append(run.id)
            if can_queue():
                await asyncio.to_thread(send_run, self._settings, tenant, run.id, queue=queue)
        return False

    def _remove_checkpoints(self, paths: Sequence[str]) -> None:
        folder = self._settings.data_dir.resolve()
        for path in paths:
            if folder in Path(path).resolve().parents:  # elsewhere it is another machine's, which deletes it in a week
                shutil.rmtree(path, ignore_errors=True)
