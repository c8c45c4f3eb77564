"""From a candidate to the live model: scored beside the live one on what no training saw, judged, and let through or not."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import asdict
from datetime import timedelta
from typing import TYPE_CHECKING, Final, Literal

from rejoinder.errors import ConflictError
from rejoinder.learning.gate import Scored, Verdict, attempt_number, judge
from rejoinder.learning.tenant_gate import gate_of
from rejoinder.payloads import Evaluation, EvaluationRequest, Example
from rejoinder.store.examples import list_examples
from rejoinder.store.models import add_evaluation, get_version, judged_before, live_version, set_version_state
from rejoinder.store.news import last_roll_back
from rejoinder.store.trials import Action, add_model_decision, start_trial

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
    is stored with its reasons. Where no version is live, the candidate is compared with one that knows nothing. One that was trained on
    examples which are erased by now is refused, and a clean one takes such a one's place whatever the comparison says.

    Returns:
        The verdict; None where no plugin scores this task, so that nothing can be said.
    """
    database, settings = application.database, gate_of(request.settings, application.settings.gate)
    live = await live_version(database, candidate.tenant_id, candidate.task)
    held_back = await list_examples(database, candidate.tenant_id, candidate.task, held_back=True)
    frozen = [one for one in await application.host.regression_examples(request) if one.task == candidate.task]
    after = await _scored(application, candidate, held_back, request)
    before = await _scored(application, live, held_back, request)
    positive = [one for one in held_back if one.polarity != "negative"]  # of the others it is not known what is right
    if (positive and after is None) or (live is not None and positive and before is None):
        if live is not None and live.erased_at is not None:
            await _act(application, candidate, live, None, settings)
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
        settings=settings,
        seed=application.settings.learning.seed,
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
    await _act(application, candidate, live, verdict, settings)
    return verdict


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


async def _act(
    application: Application,
    candidate: ModelVersion,
    live: ModelVersion | None,
    verdict: Verdict | None,
    settings: GateSettings,
) -> None:
    """Do what a verdict says and note it; None: nobody could compare."""
    database, tenant = application.database, candidate.tenant_id
    candidate = await get_version(database, tenant, candidate.id)  # what it was trained on may be erased by now
    action, reason = await _done(application, candidate, live, verdict, settings)
    await add_model_decision(
        database,
        tenant,
        task=candidate.task,
        version_id=candidate.id,
        action=action,
        by=GATE,
        reason=reason,
        details={} if verdict is None else asdict(verdict),
        at=application.clock(),
    )
    _logger.info("gate, tenant %s, %s-%d: %s: %s", tenant, candidate.task, candidate.number, action, reason)


async def _done(
    application: Application,
    candidate: ModelVersion,
    live: ModelVersion | None,
    verdict: Verdict | None,
    settings: GateSettings,
) -> tuple[Action, str]:
    """Let a candidate through, into a trial, or not; return what was done, and why."""
    decision: Action = "wait" if verdict is None else verdict.decision
    reason = "no plugin scores this task" if verdict is None else verdict.reason
    if candidate.erased_at is not None:
        return "reject", "examples that it was trained on were erased meanwhile"
    replaces_erased = live is not None and live.erased_at is not None
    if live is not None and replaces_erased:
        reason = (
            f"it takes the place of {live.task}-{live.number}, which was trained on examples that are erased ({reason})"
        )
    elif decision != "promote":
        return decision, reason
    if not settings.automatic:
        return "wait", f"a person must promote it (setting gate.automatic): {reason}"
    if not replaces_erased and (paused := await _pause(application, candidate, settings)):
        return "wait", f"{paused}: {reason}"
    if live is None or replaces_erased or not (settings.shadow_turns or settings.canary_share):
        return await _promoted(application, candidate, live, reason)
    return await _tried(application, candidate, live, reason, settings)


async def _promoted(
    application: Application, candidate: ModelVersion, live: ModelVersion | None, reason: str
) -> tuple[Action, str]:
    try:
        await application.models.registry.promote(
            candidate.tenant_id, candidate.id, instead_of=live.id if live else None
        )
    except ConflictError as error:
        return "reject", str(error)
    return "promote", reason


async def _tried(
    application: Application, candidate: ModelVersion, live: ModelVersion, reason: str, settings: GateSettings
) -> tuple[Action, str]:
    database, tenant = application.database, candidate.tenant_id
    action: Literal["shadow", "canary"] = "shadow" if settings.shadow_turns else "canary"
    share = 0.0 if settings.shadow_turns else settings.canary_share
    try:
        await start_trial(
            database, tenant, task=candidate.task, version_id=candidate.id, against_id=live.id, share=share
        )
        await set_version_state(database, tenant, candidate.id, action)
    except ConflictError as error:
        return "wait", str(error)
    return action, reason


async def _pause(application: Application, candidate: ModelVersion, settings: GateSettings) -> str:
    """Say for how long nothing is let through since a model was taken back; "" when it may be."""
    pause = timedelta(hours=settings.pause_hours)
    since = application.clock() - pause
    taken_back = await last_roll_back(application.database, candidate.tenant_id, candidate.task, since=since)
    if taken_back is None:
        return ""
    return (
        f"a model was taken back, so none is tried by itself until {(taken_back + pause).isoformat(timespec='minutes')}"
    )
