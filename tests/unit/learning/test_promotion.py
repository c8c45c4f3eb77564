"""From a run's candidate to the live model: let through, tried, made to wait or refused, with the reasons stored."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from rejoinder import hookimpl
from rejoinder.application import Application
from rejoinder.context import utc_now
from rejoinder.errors import SettingsError
from rejoinder.learning.adaptation import run_adaptation
from rejoinder.learning.holdback import held_back
from rejoinder.payloads import Example
from rejoinder.store.examples import add_examples
from rejoinder.store.models import get_version, list_evaluations, list_versions, live_version
from rejoinder.store.runs import create_run
from rejoinder.store.tables import AdaptationRun, ModelDecision
from rejoinder.store.trials import add_model_decision, list_model_decisions, list_trials
from rejoinder_plugins.learner_adaptation.plugin import LearnerAdaptationPlugin
from sqlalchemy import update

from tests.support.application import opened
from tests.support.learners import NearestLearner, TaughtPlugin


class Killed(BaseException):
    """The process is gone."""


class Frozen:
    """A regression set of questions whose answer the seeds know."""

    def __init__(self, label: str) -> None:
        self.label = label

    @hookimpl()
    def regression_examples(self) -> list[Example]:
        texts = [f"where is my card number {n}" for n in range(200)]
        return [Example(id=f"frozen-{n}", task="intent", text=text, label=self.label) for n, text in enumerate(texts)]


@pytest.fixture
async def start(tmp_path: Path) -> AsyncIterator[Callable[..., Any]]:
    NearestLearner.forget_calls()
    async with AsyncExitStack() as stack:

        async def make(*, plugins: dict[str, object] | None = None, **gate: Any) -> Application:
            named = {"taught": TaughtPlugin(), "learner_adaptation": LearnerAdaptationPlugin(), **(plugins or {})}
            application = await stack.enter_async_context(
                opened(tmp_path, named, gate={"canary_share": 0.0, **gate}, learning={"adapt_after": 0})
            )
            await application.models.labels("acme", "intent")
            return application

        yield make


async def teach(
    application: Application, count: int, *, pattern: str = "please block number {} for me", **changes: Any
) -> None:
    """Teach a new label by so many texts, a tenth of which is kept back from all models."""
    examples = [
        Example(id=f"{pattern}-{n}", task="intent", text=pattern.format(n), label="block", at=utc_now(), **changes)
        for n in range(count)
    ]
    await add_examples(application.database, "acme", examples, held_back=lambda one: held_back(one.text, 10))


async def adapt(application: Application) -> tuple[str, ModelDecision]:
    """Carry out a run; its version's id, and what was decided."""
    run = await create_run(application.database, "acme", task="intent")
    version = await run_adaptation(application, tenant="acme", run_id=run.id, owner="worker-1")
    assert version is not None
    (decided, *_) = await list_model_decisions(application.database, "acme", version_id=version)
    return version, decided


async def state(application: Application, version: str) -> str:
    return (await get_version(application.database, "acme", version)).state


async def test_a_better_candidate_is_live_at_once_and_the_reasons_are_stored(start: Any) -> None:
    application = await start()
    await teach(application, 300)
    version, decided = await adapt(application)

    assert await state(application, version) == "live"
    assert (decided.action, decided.by) == ("promote", "gate")
    assert "better: it gains" in decided.reason
    (scored,) = await list_evaluations(application.database, "acme", version)
    assert scored.verdict is not None
    assert scored.verdict["decision"] == "promote"
    assert scored.verdict["candidate"] == 1.0


async def test_too_few_held_back_examples_wait_and_say_how_many_more(start: Any) -> None:
    application = await start()
    await teach(application, 20)
    version, decided = await adapt(application)

    assert await state(application, version) == "candidate"
    assert decided.action == "wait"
    assert "more held-back rows would tell" in decided.reason


async def test_held_back_rows_that_say_only_what_is_wrong_are_none_to_compare_on(start: Any) -> None:
    application = await start()
    await teach(application, 20, polarity="negative")
    _, decided = await adapt(application)

    assert decided.action == "wait"
    assert "there are no held-back examples to compare on" in decided.reason
    assert "more held-back rows would tell" in decided.reason


async def test_a_candidate_that_is_no_better_is_not_let_through(start: Any) -> None:
    application = await start()
    await teach(application, 300)
    first, _ = await adapt(application)
    second, decided = await adapt(application)

    assert await state(application, first) == "live"
    assert await state(application, second) == "candidate"
    assert (decided.action, "not shown to be better" in decided.reason) == ("reject", True)
    assert decided.details["attempt"] == 2


async def test_a_loss_on_the_regression_set_is_not_let_through(start: Any) -> None:
    # what is taught takes over the frozen questions, which the live model answers as the domain wants
    application = await start(plugins={"frozen": Frozen("card")})
    await teach(application, 300, pattern="where is my card number {}")
    version, decided = await adapt(application)

    assert await state(application, version) == "candidate"
    assert (decided.action, "regression set of 200 rows" in decided.reason) == ("reject", True)
    names = {row.data for row in await list_evaluations(application.database, "acme", version)}
    assert names == {"held_back", "regression"}


async def test_a_person_decides_where_the_settings_say_so(start: Any) -> None:
    application = await start(automatic=False)
    await teach(application, 300)
    version, decided = await adapt(application)

    assert await state(application, version) == "candidate"
    assert (decided.action, "a person must promote it" in decided.reason) == ("wait", True)


async def test_a_tenant_may_ask_for_more_than_the_deployment_and_asks_for_itself_alone(start: Any) -> None:
    application = await start()
    await application.tenants.create("umbrella")
    await application.tenants.set_setting("umbrella", "gate.automatic", False)
    await application.tenants.set_setting("acme", "gate.shadow_turns", 5)
    await teach(application, 300)
    version, decided = await adapt(application)

    assert (decided.action, await state(application, version)) == ("shadow", "shadow")
    with pytest.raises(SettingsError, match=r"gate\.error"):
        await application.tenants.set_setting("acme", "gate.error", 0.2)


@pytest.mark.parametrize(("gate", "wanted"), [({"canary_share": 0.3}, "canary"), ({"shadow_turns": 5}, "shadow")])
async def test_a_trial_on_real_messages_comes_first_where_the_settings_ask_for_it(
    start: Any, gate: dict[str, Any], wanted: str
) -> None:
    application = await start(**gate)
    live = await live_version(application.database, "acme", "intent")
    await teach(application, 300)
    version, decided = await adapt(application)

    assert await state(application, version) == wanted
    assert decided.action == wanted
    (trial,) = await list_trials(application.database, "acme")
    assert live is not None
    assert (trial.model_version_id, trial.against_id) == (version, live.id)
    assert trial.share == gate.get("canary_share", 0.0)
    assert (await live_version(application.database, "acme", "intent")).id == live.id


async def test_after_a_roll_back_nothing_is_let_through_for_a_while(start: Any) -> None:
    application = await start(pause_hours=1.0)
    live = await live_version(application.database, "acme", "intent")
    assert live is not None
    await add_model_decision(
        application.database,
        "acme",
        task="intent",
        version_id=live.id,
        action="rollback",
        by="trial",
        reason="harm",
        at=application.clock(),
    )
    await teach(application, 300)
    version, decided = await adapt(application)

    assert await state(application, version) == "candidate"
    assert (decided.action, "a model was taken back" in decided.reason) == ("wait", True)


async def test_one_trial_at_a_time(start: Any) -> None:
    application = await start(canary_share=0.3)
    await teach(application, 300)
    first, _ = await adapt(application)
    second, decided = await adapt(application)

    assert await state(application, first) == "canary"
    assert await state(application, second) == "candidate"
    assert decided.action == "wait"
    assert "trial that goes on" in decided.reason


async def lose_lease(application: Application) -> None:
    """Let all leases of workers be over."""
    over = application.clock() - timedelta(seconds=1)
    async with application.database.write() as session:
        await session.execute(update(AdaptationRun).values(lease_until=over))


@pytest.mark.parametrize("where", ["add_evaluation", "add_model_decision"])
async def test_a_worker_that_is_lost_while_it_judges_has_spent_nothing(
    start: Callable[..., Any], monkeypatch: pytest.MonkeyPatch, where: str
) -> None:
    application = await start()
    await teach(application, 300)
    run = await create_run(application.database, "acme", task="intent")

    async def lost(*_: Any, **__: Any) -> None:
        raise Killed

    with monkeypatch.context() as patched:
        patched.setattr(f"rejoinder.learning.promotion.{where}", lost)
        with pytest.raises(Killed):
            await run_adaptation(application, tenant="acme", run_id=run.id, owner="worker-1")
    (candidate, *_) = await list_versions(application.database, "acme", state="candidate")
    assert await list_evaluations(application.database, "acme", candidate.id) == []
    await lose_lease(application)

    version = await run_adaptation(application, tenant="acme", run_id=run.id, owner="worker-2")
    assert version == candidate.id
    (scored,) = await list_evaluations(application.database, "acme", candidate.id)
    assert scored.verdict is not None
    assert scored.verdict["attempt"] == 1
    assert await state(application, candidate.id) == "live"


async def test_a_candidate_that_was_judged_before_the_worker_was_lost_is_not_judged_again(
    start: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    application = await start()
    await teach(application, 3)
    run = await create_run(application.database, "acme", task="intent")

    async def lost(*_: Any, **__: Any) -> None:
        raise Killed

    with monkeypatch.context() as patched:
        patched.setattr(application.eraser, "carry_on", lost)
        with pytest.raises(Killed):
            await run_adaptation(application, tenant="acme", run_id=run.id, owner="worker-1")
    await lose_lease(application)
    version = await run_adaptation(application, tenant="acme", run_id=run.id, owner="worker-2")
    (made,) = [one.id for one in await list_versions(application.database, "acme") if one.settings.get("run") == run.id]
    assert version == made
    decided = await list_model_decisions(application.database, "acme", version_id=version)
    assert [one.action for one in decided] == ["wait"]
    assert len(await list_evaluations(application.database, "acme", version)) <= 1
