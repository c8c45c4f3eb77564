"""A candidate on real messages: first in the shadow, then as a canary, until it is made live or taken back.

A shadow answers nobody: it must read so many messages without failing. A canary answers a share of
the users, the same ones throughout. What they and the others say of their answers is put to a test that may be looked at after every
reward (`rejoinder.learning.gate.sequential`): harm takes the canary back at once. The gate has shown already that it is better on
examples that no training saw; so without a sign of harm it is made live after so many rewarded turns, or after a time.
"""

from __future__ import annotations

import hashlib
import logging
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, Final, Literal

from rejoinder.errors import ConflictError, ModelError, ModelIntegrityError, NotFoundError
from rejoinder.learning.tenant_gate import gate_of
from rejoinder.store.models import get_version, live_version, set_version_state
from rejoinder.store.trials import (
    add_model_decision,
    begin_canary,
    end_trial,
    open_trials,
)

if TYPE_CHECKING:
    from rejoinder.context import Clock
    from rejoinder.learning.canary_rewards import CanaryRewards
    from rejoinder.learning.gate import RewardTest
    from rejoinder.learning.live import Profiles
    from rejoinder.learning.versions import Registry
    from rejoinder.settings import GateSettings
    from rejoinder.store.database import Database
    from rejoinder.store.tables import ModelTrial, ModelVersion

TRIAL: Final = "trial"

_MOST_FAILED: Final = 0.001
"""Share of the wanted messages on which a shadow may fail; one may always be chance."""

_logger = logging.getLogger("rejoinder.learning")


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """What a trial comes to next, and why."""

    action: Literal["canary", "promote", "reject", "rollback"]
    reason: str
    details: dict[str, Any]


def in_canary(trial: ModelTrial, user_id: str) -> bool:
    """Return whether a trial's version answers this user: a fixed hash decides, so that nobody sees two models in turn.

    Example:
        >>> from rejoinder.store.tables import ModelTrial
        >>> trial = ModelTrial(id="trial_1", share=0.5)
        >>> in_canary(trial, "ana") == in_canary(trial, "ana")
        True
    """
    if not trial.share:
        return False
    drawn = int.from_bytes(hashlib.sha256(f"{trial.id}\x00{user_id}".encode()).digest()[:8], "big")
    return drawn < trial.share * 2**64


def step_of_shadow(trial: ModelTrial, settings: GateSettings) -> Step | None:
    """Return what a shadow's counts of messages say: `seen`, of which `failed`, and `agreed` with the live version."""
    seen, failed = trial.counts.get("seen", 0.0), trial.counts.get("failed", 0.0)
    told = f"in the shadow it failed on {failed:.0f} of {seen:.0f} messages"
    if failed > max(1.0, _MOST_FAILED * settings.shadow_turns):
        return Step(action="reject", reason=told, details=dict(trial.counts))
    if seen < settings.shadow_turns:
        return None
    told += f" and agreed with the live version on {trial.counts.get('agreed', 0.0) / seen:.1%}"
    return Step(action="canary" if settings.canary_share else "promote", reason=told, details=dict(trial.counts))


def step_of_canary(
    test: RewardTest, *, canary: str, live: str, settings: GateSettings, started: datetime, now: datetime
) -> Step | None:
    """Return what rewards say of a canary.

    Args:
        test: with the rewards since the canary began.
        canary, live: names of the two versions, such as "intent-7".
        started, now: aware.
    """
    figures: dict[str, Any] = {
        "rewarded": dict(test.counts),
        "difference": test.difference,
        "p_worse": test.worse.p_value,
        "p_better": test.better.p_value,
        "limit": settings.canary_error,
    }
    told = (
        f"after {test.counts['canary']} rewarded turns of {canary} and {test.counts['live']} of {live} its mean reward is "
        f"{test.difference:+.3f} beside the live version's"
    )
    if test.worse.p_value <= settings.canary_error:
        return Step(action="rollback", reason=f"{told}: it is worse (p = {test.worse.p_value:.2g})", details=figures)
    if test.better.p_value <= settings.canary_error:
        return Step(action="promote", reason=f"{told}: it is better (p = {test.better.p_value:.2g})", details=figures)
    if test.counts["canary"] >= settings.canary_turns:
        return Step(action="promote", reason=f"{told}, without a sign of harm", details=figures)
    if now - started >= timedelta(hours=settings.canary_hours):
        return Step(
            action="promote",
            reason=f"{told}, without a sign of harm in {settings.canary_hours:g} hours",
            details=figures,
        )
    return None


async def review_trials(
    database: Database,
    registry: Registry,
    profiles: Profiles,
    gate: GateSettings,
    tenant: str,
    *,
    rewards: CanaryRewards,
    clock: Clock,
) -> list[Step]:
    """Look at a tenant's trials that go on and take the steps that are due; several processes may, and each step is taken once.

    Args:
        profiles: tells the tenant's own gate.
        gate: the deployment's.
        rewards: what this process has read of canaries.
    """
    taken: list[Step] = []
    trials = await open_trials(database, [tenant])
    if not trials:
        return taken
    try:
        settings = gate_of((await profiles.served(tenant)).settings, gate)
    except NotFoundError:  # disabled meanwhile: its trials wait
        return taken
    for trial in trials:
        step = await _due(database, settings, trial, rewards, clock())
        if step is None:
            continue
        try:
            step = await _take(database, registry, settings, trial, step, clock())
        except ConflictError as error:  # another process was faster
            _logger.info("trial %s of tenant %s: %s", trial.id, tenant, error)
            continue
        except ModelError as error:
            _logger.warning(
                "trial %s of tenant %s goes on, since its step cannot be taken: %s", trial.id, tenant, error
            )
            continue
        if step.action != "canary":
            rewards.drop(trial)
        taken.append(step)
        _logger.info("trial of model %s, tenant %s: %s: %s", trial.model_version_id, tenant, step.action, step.reason)
    return taken


async def _due(
    database: Database, settings: GateSettings, trial: ModelTrial, rewards: CanaryRewards, now: datetime
) -> Step | None:
    candidate = await get_version(database, trial.tenant_id, trial.model_version_id)
    live = await live_version(database, trial.tenant_id, trial.task)
    if candidate.state == "live":
        return Step(action="promote", reason="a person made it live", details={})
    if live is None or live.id != trial.against_id:
        return Step(
            action="reject", reason="another version was made live, beside which it was never judged", details={}
        )
    if candidate.state == "retired":
        return Step(action="reject", reason="a person retired it", details={})
    if trial.canary_at is None:
        return step_of_shadow(trial, settings)
    names = {"canary": _name(candidate), "live": _name(live)}
    test = await rewards.test_of(trial, began=trial.canary_at, **names)
    return step_of_canary(test, **names, settings=settings, started=trial.canary_at, now=now)


async def _take(
    database: Database, registry: Registry, settings: GateSettings, trial: ModelTrial, step: Step, now: datetime
) -> Step:
    """Take a step in one transaction: a process that is killed has taken it wholly or not at all; return what was taken.

    A version whose files are damaged is not made live.
    """
    tenant, version_id = trial.tenant_id, trial.model_version_id
    version = await get_version(database, tenant, version_id)
    settled = version.state in ("live", "retired")
    if step.action == "promote" and not settled and version.artefact:
        try:
            await registry.files(version)
        except ModelIntegrityError as error:
            step = Step(action="reject", reason=f"its files cannot be used: {error}", details=step.details)
    async with database.write() as session:
        if step.action == "canary":
            await begin_canary(session, tenant, trial.id, share=settings.canary_share, at=now)
            await set_version_state(session, tenant, version_id, "canary", at=now)
        else:
            promoted = step.action == "promote"
            await end_trial(session, tenant, trial.id, "promoted" if promoted else "rejected", at=now)
            if not settled and promoted:
                await set_version_state(session, tenant, version_id, "live", instead_of=trial.against_id, at=now)
            elif not settled:
                await set_version_state(session, tenant, version_id, "retired", at=now)
        await add_model_decision(
            session,
            tenant,
            task=trial.task,
            version_id=version_id,
            action=step.action,
            by=TRIAL,
            reason=step.reason,
            details=step.details,
            at=now,
        )
    await registry.tidy(tenant, trial.task)
    return step


def _name(version: ModelVersion) -> str:
    return f"{version.task}-{version.number}"
