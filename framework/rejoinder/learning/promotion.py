"""From a candidate to the live model: scored beside the live one on what no training saw, judged, and let through or not."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import asdict
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Final

from rejoinder.errors import ConflictError
from rejoinder.learning.gate import Rules, Scored, Verdict, attempt_number, judge
from rejoinder.payloads import Evaluation, EvaluationRequest, Example
from rejoinder.store.examples import list_examples
from rejoinder.store.models import add_evaluation, judged_before, live_version, set_version_state
from rejoinder.store.news import last_roll_back
from rejoinder.store.trials import add_model_decision, start_trial

if TYPE_CHECKING:
    from rejoinder.application import Application
    from rejoinder.context import Request
    from rejoinder.settings import GateSettings
    from rejoinder.store.tables import ModelVersion

HELD_BACK: Final = "held_back"
REGRESSION: Final = "regression"
GATE: Final = "gate"

_logger = logging.getLogger("rejoinder.learning")


async def consider(application: Application, candidate: ModelVersion, request: Request) -> Verdict | None:
    """Score a candidate and the live version on the same rows, judge, and do what the verdict says.

    A candidate that passes goes into a trial on real messages where the settings ask for one, else it is live at once. What was decided
    is stored with its reasons. Where no version is live, the candidate is compared with one that knows nothing.

    Returns:
        The verdict; None where no plugin scores this task, so that nothing can be said.
    """
    database, settings = application.database, application.settings.gate
    live = await live_version(database, candidate.tenant_id, candidate.task)
    held_back = await list_examples(database, candidate.tenant_id, candidate.task, held_back=True)
    frozen = [one for one in await application.host.regression_examples(request) if one.task == candidate.task]
    after = await _scored(application, candidate, held_back, request)
    before = await _scored(application, live, held_back, request)
    if (held_back and after is None) or (live is not None and held_back and before is None):
        return None
    regression = None
    frozen_after, frozen_before = [await _scored(application, one, frozen, request) for one in (candidate, live)]
    if live is not None and frozen_before is not None and frozen_after is not None:
        regression = (_of(frozen_before), _of(frozen_after))
    candidate_scored = _of(after) if after is not None else Scored(scores={})
    live_scored = _of(before) if before is not None else Scored(scores=dict.fromkeys(candidate_scored.scores, 0.0))
    earlier = await judged_before(database, candidate.tenant_id, candidate.task, data=HELD_BACK)
    verdict = judge(
        live_scored,
        candidate_scored,
        regression=regression,
        rules=rules_of(settings, seed=application.settings.learning.seed),
        attempt=attempt_number(
            [frozenset(row.correct) | frozenset(row.scores) for row in earlier], frozenset(candidate_scored.scores)
        ),
    )
    for data, evaluation in ((HELD_BACK, after), (REGRESSION, frozen_after)):
        if evaluation is not None:
            told = asdict(verdict) if data == HELD_BACK else None
            await add_evaluation(
                database, candidate.tenant_id, candidate.id, data=data, evaluation=evaluation, verdict=told
            )
    await _act(application, candidate, live, verdict)
    return verdict


def rules_of(settings: GateSettings, *, seed: int) -> Rules:
    """Return a deployment's rules."""
    return Rules(
        error=settings.error,
        regression_margin=settings.regression_margin,
        regression_error=settings.regression_error,
        ece_margin=settings.ece_margin,
        latency_ratio=settings.latency_ratio,
        seed=seed,
    )


async def _scored(
    application: Application, version: ModelVersion | None, examples: Sequence[Example], request: Request
) -> Evaluation | None:
    if version is None or not examples:
        return None
    folder = str(await application.models.registry.files(version))
    asked = EvaluationRequest(task=version.task, folder=folder, examples=tuple(examples))
    return await application.host.evaluate_model(asked, request)


def _of(evaluation: Evaluation) -> Scored:
    scores = {row: float(right) for row, right in evaluation.correct.items()}
    return Scored(
        scores={**scores, **evaluation.scores},
        ece=evaluation.metrics.get("ece"),
        latency_ms=evaluation.metrics.get("predict_ms"),
    )


async def _act(application: Application, candidate: ModelVersion, live: ModelVersion | None, verdict: Verdict) -> None:
    database, settings, tenant = application.database, application.settings.gate, candidate.tenant_id
    details: dict[str, Any] = asdict(verdict)
    action: Any = verdict.decision
    reason = verdict.reason
    if verdict.decision == "promote":
        if not settings.automatic:
            action, reason = "wait", f"a person must promote it (setting gate.automatic): {reason}"
        elif paused := await _pause(application, candidate):
            action, reason = "wait", f"{paused}: {reason}"
        elif live is None or not (settings.shadow_turns or settings.canary_share):
            try:
                await application.models.registry.promote(tenant, candidate.id, instead_of=live.id if live else None)
            except ConflictError as error:
                action, reason = "reject", str(error)
        else:
            action = "shadow" if settings.shadow_turns else "canary"
            share = 0.0 if settings.shadow_turns else settings.canary_share
            try:
                await start_trial(
                    database, tenant, task=candidate.task, version_id=candidate.id, against_id=live.id, share=share
                )
                await set_version_state(database, tenant, candidate.id, action)
            except ConflictError as error:
                action, reason = "wait", str(error)
    await add_model_decision(
        database,
        tenant,
        task=candidate.task,
        version_id=candidate.id,
        action=action,
        by=GATE,
        reason=reason,
        details=details,
        at=application.clock(),
    )
    _logger.info("gate, tenant %s, %s-%d: %s: %s", tenant, candidate.task, candidate.number, action, reason)


async def _pause(application: Application, candidate: ModelVersion) -> str:
    """Say for how long nothing is let through since a model was taken back; "" when it may be."""
    pause = timedelta(hours=application.settings.gate.pause_hours)
    since = application.clock() - pause
    taken_back = await last_roll_back(application.database, candidate.tenant_id, candidate.task, since=since)
    if taken_back is None:
        return ""
    return (
        f"a model was taken back, so none is tried by itself until {(taken_back + pause).isoformat(timespec='minutes')}"
    )
