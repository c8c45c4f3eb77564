"""From a candidate to the live model: scored beside the live one on what no training saw, judged, and let through or not."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Sequence
from dataclasses import asdict
from datetime import timedelta
from functools import partial
from typing import TYPE_CHECKING, Final

from rejoinder.errors import ConflictError
from rejoinder.learning.gate import Scored, Verdict, attempt_number, judge
from rejoinder.learning.holdback import held_back
from rejoinder.learning.live_task import NO_VERSION
from rejoinder.learning.off_policy import ListComparison, compare_lists
from rejoinder.learning.tenant_gate import gate_of
from rejoinder.learning.version_folder import UNTRAINED
from rejoinder.payloads import Evaluation, EvaluationRequest, ShownList
from rejoinder.store.examples import list_examples
from rejoinder.store.models import add_evaluation, get_version, judged_before, live_version, set_version_state
from rejoinder.store.news import last_roll_back
from rejoinder.store.trials import Action, add_model_decision, list_model_decisions, start_trial

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

    A candidate that learned from behaviour is judged on what held-back people did next, and by the lists that such people were shown.
    A candidate that passes goes into a trial on real messages where the settings ask for one, else it is live at once. What was decided
    is stored with its reasons. Where no version is live, the candidate is compared with one that knows nothing. One that was trained on
    examples which are erased by now is refused, and a clean one takes such a one's place whatever the comparison says.

    Returns:
        The verdict; None where no plugin scores this task, so that nothing can be said.
    """
    database, settings = application.database, gate_of(request.settings, application.settings.gate)
    live = await live_version(database, candidate.tenant_id, candidate.task)
    by_behaviour = _learns_from_behaviour(application, candidate.task)
    kept_back = await list_examples(database, candidate.tenant_id, candidate.task, held_back=True)
    shown = await _shown(application, live, request) if by_behaviour else ()
    every, now = application.settings.learning.hold_back_every, application.clock()
    on = partial(EvaluationRequest, task=candidate.task, until=now, hold_back_every=every)
    frozen = [one for one in await application.host.regression_examples(request) if one.task == candidate.task]
    ask = partial(on, examples=tuple(kept_back), lists=shown) if kept_back or by_behaviour else None
    after = await _scored(application, candidate, ask, request)
    before = await _scored(application, live, None if ask is None else partial(ask, lists=()), request)
    positive = [one for one in kept_back if one.polarity != "negative"]  # of the others it is not known what is right
    expected = bool(positive) or by_behaviour
    if (expected and after is None) or (live is not None and expected and before is None):
        if live is not None and live.erased_at is not None:
            await _act(application, candidate, live, None, settings)
        return None
    regression = None
    ask = partial(on, examples=tuple(frozen)) if frozen else None
    frozen_after, frozen_before = [await _scored(application, one, ask, request) for one in (candidate, live)]
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
        lists=None if after is None else await _compared(application, shown, after, settings),
    )
    scored = [(data, one) for data, one in ((HELD_BACK, after), (REGRESSION, frozen_after)) if one is not None]
    await _act(application, candidate, live, verdict, settings, scored)
    return verdict


async def was_considered(application: Application, candidate: ModelVersion) -> bool:
    """Return whether the gate has judged a candidate: a second look at the same rows would spend of the error what is there for others."""
    decided = await list_model_decisions(application.database, candidate.tenant_id, version_id=candidate.id)
    return any(one.by == GATE for one in decided)


def _learns_from_behaviour(application: Application, task: str) -> bool:
    known = application.host.tasks.get(task)
    return known is not None and known.learns_from == "behaviour"


async def _scored(
    application: Application,
    version: ModelVersion | None,
    ask: Callable[..., EvaluationRequest] | None,
    request: Request,
) -> Evaluation | None:
    if version is None or ask is None:
        return None
    folder = str(await application.models.registry.files(version))
    return await application.host.evaluate_model(ask(folder=folder), request)


async def _shown(application: Application, live: ModelVersion | None, request: Request) -> tuple[ShownList, ...]:
    """Return the lists that the live version showed to people who are held back from training."""
    if request.items is None or live is None:
        return ()
    every = application.settings.learning.hold_back_every
    names = {f"{live.task}-{live.number}"}
    since = live.promoted_at
    if live.settings.get("origin") == UNTRAINED:  # it served before it was a version, too
        since = None
        names |= {"", NO_VERSION}
    shown = await request.items.shown_lists(since=since, until=application.clock())
    return tuple(
        one
        for one in shown
        if held_back(one.decision.user_id or "", every)
        and one.decision.model_versions.get(live.task, "").partition("+")[0] in names
    )


async def _compared(
    application: Application, shown: Sequence[ShownList], evaluation: Evaluation, settings: GateSettings
) -> ListComparison | None:
    if not shown or not evaluation.lists:
        return None
    seed, error = application.settings.learning.seed, settings.error / 2
    return await asyncio.to_thread(partial(compare_lists, shown, evaluation.lists, seed=seed, error=error))


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
    scored: Sequence[tuple[str, Evaluation]] = (),
) -> None:
    """Do what a verdict says and note it with what it was judged by; None: nobody could compare."""
    candidate = await get_version(application.database, candidate.tenant_id, candidate.id)  # perhaps marked by now
    action, reason = await _wanted(application, candidate, live, verdict, settings)
    if action == "promote" and candidate.artefact:
        await application.models.registry.files(candidate)  # what is damaged is not made live
    write = partial(_write, application, candidate, live, verdict, settings, scored)
    try:
        await write(action, reason)
    except ConflictError as error:
        action, reason = ("reject" if action == "promote" else "wait"), str(error)
        await write(action, reason)
    if action == "promote":
        await application.models.registry.tidy(candidate.tenant_id, candidate.task)
    _logger.info(
        "gate, tenant %s, %s-%d: %s: %s", candidate.tenant_id, candidate.task, candidate.number, action, reason
    )


async def _write(
    application: Application,
    candidate: ModelVersion,
    live: ModelVersion | None,
    verdict: Verdict | None,
    settings: GateSettings,
    scored: Sequence[tuple[str, Evaluation]],
    action: Action,
    reason: str,
) -> None:
    """Take a step in one transaction: a process that is killed has judged and acted, or neither.

    Raises:
        ConflictError: what the step begins from is not so any more; nothing was changed.
    """
    tenant, told = candidate.tenant_id, {} if verdict is None else asdict(verdict)
    now = application.clock()
    async with application.database.write() as session:
        for data, evaluation in scored:
            await add_evaluation(
                session,
                tenant,
                candidate.id,
                data=data,
                evaluation=evaluation,
                verdict=told if data == HELD_BACK else None,
            )
        if action == "promote":
            instead_of = None if live is None else live.id
            await set_version_state(session, tenant, candidate.id, "live", instead_of=instead_of, at=now)
        elif action in ("shadow", "canary") and live is not None:
            share = settings.canary_share if action == "canary" else 0.0
            await start_trial(
                session, tenant, task=candidate.task, version_id=candidate.id, against_id=live.id, share=share, at=now
            )
            await set_version_state(session, tenant, candidate.id, action, at=now)
        await add_model_decision(
            session,
            tenant,
            task=candidate.task,
            version_id=candidate.id,
            action=action,
            by=GATE,
            reason=reason,
            details=told,
            at=now,
        )


async def _wanted(
    application: Application,
    candidate: ModelVersion,
    live: ModelVersion | None,
    verdict: Verdict | None,
    settings: GateSettings,
) -> tuple[Action, str]:
    """Return whether a candidate is let through, into a trial, or not, and why."""
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
    if live is None or replaces_erased:
        return "promote", reason
    if settings.shadow_turns and not _learns_from_behaviour(application, candidate.task):  # a list is no message
        return "shadow", reason
    return ("canary" if settings.canary_share else "promote"), reason


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
