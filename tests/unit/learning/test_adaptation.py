"""One adaptation run: claimed, fitted, evaluated on what no training saw, and over once."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AsyncExitStack
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from rejoinder import hookimpl
from rejoinder.application import Application
from rejoinder.context import utc_now
from rejoinder.errors import HookError, ModelError, NotFoundError
from rejoinder.learning.adaptation import MOST_ATTEMPTS, run_adaptation, run_next
from rejoinder.learning.holdback import held_back
from rejoinder.models.storage import DRAFTS
from rejoinder.payloads import Adaptation, AdaptationRequest, Example
from rejoinder.store.examples import add_examples
from rejoinder.store.models import list_evaluations, list_versions
from rejoinder.store.runs import cancel_run, claim_run, create_run, get_run, list_runs
from rejoinder.store.tables import AdaptationRun, ExampleRow, ModelVersion, table_of
from rejoinder_plugins.learner_adaptation.plugin import LearnerAdaptationPlugin
from sqlalchemy import update

from tests.support.application import ANA, opened, text_that_is
from tests.support.learners import SEEDS, NearestLearner, TaughtPlugin

Open = Callable[..., Any]


@pytest.fixture
async def start(tmp_path: Path) -> AsyncIterator[Open]:
    """A factory of applications with the shipped adaptation; a lease is two seconds."""
    NearestLearner.forget_calls()
    async with AsyncExitStack() as stack:

        async def make(*, learning: Mapping[str, Any] | None = None, **plugins: Any) -> Application:
            named = {"taught": TaughtPlugin(), "learner_adaptation": LearnerAdaptationPlugin(), **plugins}
            sections = {"workers": {"lease_s": 2.0}, "learning": {**(learning or {})}}
            options: dict[str, Any] = {"tenants": ("acme", "other"), **sections}
            return await stack.enter_async_context(opened(tmp_path, named, **options))

        yield make


def taught(text: str, right: str, **changes: Any) -> Example:
    values: dict[str, Any] = {"id": f"ex-{text}", "task": "intent", "text": text, "label": right, "at": utc_now()}
    return Example(**{**values, "polarity": "correction", **changes})


async def keep(application: Application, *examples: Example) -> None:
    """Store examples, those of the hash kept back."""
    await add_examples(application.database, "acme", examples, held_back=lambda one: held_back(one.text, 10))


async def new_run(application: Application, task: str = "intent") -> str:
    return (await create_run(application.database, "acme", task=task)).id


async def carry_out(application: Application, run_id: str, *, owner: str = "worker-1") -> str | None:
    return await run_adaptation(application, tenant="acme", run_id=run_id, owner=owner)


async def run_of(application: Application, run_id: str) -> AdaptationRun:
    return await get_run(application.database, "acme", run_id)


async def candidates(application: Application) -> list[ModelVersion]:
    return await list_versions(application.database, "acme", state="candidate")


async def test_a_run_makes_a_candidate_of_all_examples_up_to_now(start: Open) -> None:
    application = await start()
    text = text_that_is(False)
    await keep(application, taught(text, "new"))
    run_id = await new_run(application)
    version_id = await carry_out(application, run_id)

    (version,) = await candidates(application)
    (live,) = await list_versions(application.database, "acme", state="live")
    assert (version.id, version.task, version.parent_id) == (version_id, "intent", live.id)
    assert (version.settings["origin"], version.settings["run"]) == ("run", run_id)
    assert version.settings["examples"]["used"] == len(NearestLearner.fits[-1])
    assert NearestLearner.fits[-1] == [*SEEDS, text]
    assert NearestLearner.load(Path(version.artefact) / "head").texts == [*SEEDS, text]


async def test_a_run_that_is_done_says_what_it_made(start: Open) -> None:
    application = await start()
    run_id = await new_run(application)
    version_id = await carry_out(application, run_id)

    run = await run_of(application, run_id)
    assert (run.status, run.progress, run.model_version_id, run.error) == ("done", 1.0, version_id, None)
    assert (run.attempts, run.lease_owner) == (1, None)
    assert run.started_at is not None
    assert run.finished_at is not None


async def test_nothing_is_promoted(start: Open) -> None:
    application = await start()
    await application.models.request_for("acme", ANA)
    (before,) = await list_versions(application.database, "acme", state="live")
    await carry_out(application, await new_run(application))

    assert [one.id for one in await list_versions(application.database, "acme", state="live")] == [before.id]


async def test_the_candidate_is_scored_on_what_no_training_saw(start: Open) -> None:
    application = await start()
    kept, other = text_that_is(True), text_that_is(True, start=100)
    learned = text_that_is(False)
    await keep(application, taught(kept, "card"), taught(other, "unheard of"), taught(learned, "new"))
    version_id = await carry_out(application, await new_run(application))

    assert not {kept, other} & set(NearestLearner.fits[-1])
    (scored,) = await list_evaluations(application.database, "acme", version_id)
    assert scored.data == "held_back"
    assert set(scored.correct) == {f"ex-{kept}", f"ex-{other}"}
    assert scored.correct[f"ex-{other}"] is False
    assert scored.metrics["accuracy"] == sum(scored.correct.values()) / 2
    assert scored.metrics["predict_ms"] > 0


async def test_without_anything_kept_back_there_is_no_evaluation(start: Open) -> None:
    application = await start()
    version_id = await carry_out(application, await new_run(application))

    assert await list_evaluations(application.database, "acme", version_id) == []


async def test_where_only_rejections_are_kept_back_there_is_no_evaluation(start: Open) -> None:
    application = await start()
    await keep(application, taught(text_that_is(True), "card", polarity="negative"))
    run_id = await new_run(application)
    version_id = await carry_out(application, run_id)

    assert (await run_of(application, run_id)).status == "done"
    assert await list_evaluations(application.database, "acme", version_id) == []


async def test_a_run_that_is_over_does_nothing(start: Open) -> None:
    application = await start()
    run_id = await new_run(application)
    await carry_out(application, run_id)
    fits = len(NearestLearner.fits)

    assert await carry_out(application, run_id, owner="worker-2") is None
    assert len(NearestLearner.fits) == fits
    assert len(await candidates(application)) == 1


async def test_a_run_that_another_has_does_nothing(start: Open) -> None:
    application = await start()
    run_id = await new_run(application)
    await claim_run(application.database, "acme", run_id, owner="worker-2", lease_s=60)

    assert await carry_out(application, run_id) is None
    assert (await run_of(application, run_id)).lease_owner == "worker-2"


async def test_of_two_workers_one_carries_a_run_out(start: Open) -> None:
    application = await start()
    run_id = await new_run(application)
    made = await asyncio.gather(*(carry_out(application, run_id, owner=f"worker-{number}") for number in range(3)))

    assert sum(one is not None for one in made) == 1
    assert len(await candidates(application)) == 1


async def test_a_run_of_another_tenant_is_not_found(start: Open) -> None:
    application = await start()
    run_id = await new_run(application)

    with pytest.raises(NotFoundError):
        await run_adaptation(application, tenant="other", run_id=run_id, owner="worker-1")
    assert (await run_of(application, run_id)).status == "queued"


# --- what goes wrong ---------------------------------------------------------------------------------------------------


class Adapts:
    """Stands before the shipped plugin: does what the test says, and waits where it says so."""

    def __init__(self, fault: str = "") -> None:
        self.fault = fault
        self.began = asyncio.Event()
        self.may = asyncio.Event()
        self.stopped = False

    @hookimpl(tryfirst=True)
    async def adapt_model(self, request: AdaptationRequest) -> Adaptation | None:
        self.began.set()
        if self.fault == "raises":
            Path(request.folder).mkdir(parents=True)  # noqa: ASYNC240  # a test
            raise RuntimeError("out of memory")
        if self.fault == "no folder":
            return Adaptation(folder=request.folder)
        if self.fault == "waits":
            try:
                await self.may.wait()
            except asyncio.CancelledError:
                self.stopped = True
                raise
        return None


async def test_a_run_that_fails_keeps_the_reason_and_the_version_before_serves_on(start: Open, tmp_path: Path) -> None:
    application = await start(adapts=Adapts("raises"))
    run_id = await new_run(application)

    with pytest.raises(HookError, match="out of memory"):
        await carry_out(application, run_id)

    run = await run_of(application, run_id)
    assert run.status == "failed"
    assert "'adapts'" in (run.error or "")
    assert "out of memory" in (run.error or "")
    assert run.finished_at is not None
    assert await candidates(application) == []
    assert await carry_out(application, run_id) is None


async def test_a_run_that_fails_leaves_no_files(start: Open, tmp_path: Path) -> None:
    application = await start(adapts=Adapts("raises"))
    with pytest.raises(HookError):
        await carry_out(application, await new_run(application))

    (live,) = await list_versions(application.database, "acme")
    left = await asyncio.to_thread(lambda: sorted(one.name for one in (tmp_path / "models").glob("*/intent/*")))
    drafts = await asyncio.to_thread(lambda: list((tmp_path / "models" / DRAFTS).iterdir()))
    assert (left, drafts) == ([live.id], [])


async def test_a_model_that_is_not_there_fails_the_run(start: Open) -> None:
    application = await start(adapts=Adapts("no folder"))
    run_id = await new_run(application)

    with pytest.raises(ModelError):
        await carry_out(application, run_id)
    assert "there are no files" in ((await run_of(application, run_id)).error or "")


async def test_an_error_of_any_kind_fails_the_run(start: Open, monkeypatch: pytest.MonkeyPatch) -> None:
    application = await start()
    run_id = await new_run(application)

    def full(_: object) -> str:
        raise OSError("disk full")

    monkeypatch.setattr("rejoinder.learning.adaptation.fingerprint_of", full)
    with pytest.raises(OSError, match="disk full"):
        await carry_out(application, run_id)
    assert (await run_of(application, run_id)).error == "OSError: disk full"


@pytest.mark.parametrize(
    ("task", "message"), [("topic", "no example of the task 'topic'"), ("answer", "no plugin.*adapts.*'answer'")]
)
async def test_what_cannot_be_adapted_says_why(start: Open, task: str, message: str) -> None:
    application = await start()
    await keep(application, taught(text_that_is(False), "An answer.", task="answer"))
    run_id = await new_run(application, task)

    with pytest.raises(ModelError, match=message):
        await carry_out(application, run_id)
    assert (await run_of(application, run_id)).status == "failed"


async def test_a_run_whose_workers_are_lost_again_and_again_is_given_up(start: Open) -> None:
    application = await start()
    run_id = await new_run(application)
    at = utc_now() - timedelta(days=1)
    for attempt in range(MOST_ATTEMPTS):
        moment = at + timedelta(minutes=attempt)
        assert await claim_run(application.database, "acme", run_id, owner=f"lost-{attempt}", lease_s=1, at=moment)

    with pytest.raises(ModelError, match="given up: 3 workers"):
        await carry_out(application, run_id)
    run = await run_of(application, run_id)
    assert (run.status, run.attempts) == ("failed", MOST_ATTEMPTS + 1)


# --- the lease -----------------------------------------------------------------------------------------------------------


async def test_the_lease_is_renewed_as_long_as_the_work_goes_on(start: Open) -> None:
    adapts = Adapts("waits")
    application = await start(adapts=adapts)
    run_id = await new_run(application)
    work = asyncio.create_task(carry_out(application, run_id))
    await adapts.began.wait()
    await asyncio.sleep(2.5)

    assert await carry_out(application, run_id, owner="worker-2") is None
    adapts.may.set()
    assert await work is not None
    assert (await run_of(application, run_id)).attempts == 1


async def test_progress_is_told_while_the_work_goes_on(start: Open) -> None:
    application = await start(tells=Tells())
    Tells.database = application.database
    run_id = await new_run(application)
    await carry_out(application, run_id)
    assert Tells.seen == pytest.approx(0.45), "half of the fitting, which is nine tenths of the work"
    run = await run_of(application, run_id)
    assert (run.progress, run.checkpoint) == (1.0, "/work/half")


class Tells:
    """Tells that half is done, and waits until the store says so."""

    seen = 0.0
    database: Any = None

    @hookimpl(tryfirst=True)
    async def adapt_model(self, request: AdaptationRequest, context: Any) -> Adaptation | None:
        context.report_progress(0.5, checkpoint="/work/half")
        context.report_progress(0.2)
        await asyncio.sleep(1.2)  # a beat is half a second
        (run,) = await list_runs(Tells.database, "acme", status="running")
        Tells.seen = run.progress
        return None


async def test_what_a_lost_worker_had_made_is_not_made_again(start: Open, monkeypatch: pytest.MonkeyPatch) -> None:
    application = await start()
    await keep(application, taught(text_that_is(False), "new"))
    run_id = await new_run(application)

    async def lost(*_: Any, **__: Any) -> None:
        raise asyncio.CancelledError

    with monkeypatch.context() as patched:
        patched.setattr("rejoinder.learning.adaptation.consider", lost)
        with pytest.raises(asyncio.CancelledError):
            await carry_out(application, run_id)
    given_back = await run_of(application, run_id)
    assert (given_back.status, given_back.attempts) == ("queued", 0)
    earlier = utc_now() - timedelta(seconds=5)
    await claim_run(application.database, "acme", run_id, owner="lost too", lease_s=1, at=earlier)
    fits = len(NearestLearner.fits)

    version_id = await carry_out(application, run_id)
    assert len(NearestLearner.fits) == fits
    made = [one for one in await list_versions(application.database, "acme") if one.settings.get("run") == run_id]
    assert [one.id for one in made] == [version_id]


async def test_a_run_that_is_taken_up_again_learns_from_the_same_examples(start: Open) -> None:
    application = await start()
    first, later = text_that_is(False), text_that_is(False, start=300)
    await keep(application, taught(first, "new"))
    run_id = await new_run(application)
    await claim_run(application.database, "acme", run_id, owner="lost", lease_s=1, at=utc_now() - timedelta(seconds=2))
    await keep(application, taught(later, "newer"))
    await application.database.run_write(_learned_long_ago, first)

    await carry_out(application, run_id)
    assert first in NearestLearner.fits[-1]
    assert later not in NearestLearner.fits[-1]


def _learned_long_ago(session: Any, text: str) -> None:
    rows = table_of(ExampleRow)
    session.execute(update(rows).where(rows.c.text == text).values(at=utc_now() - timedelta(hours=1)))


async def test_the_next_run_is_the_stores_choice_and_its_siblings_id_is_sent_when_it_ends(start: Open) -> None:
    application = await start()
    ids = [await new_run(application) for _ in range(2)]

    for run_id in ids:
        assert await run_next(application, owner=f"w-{run_id}", queues=("cpu",)) == run_id
    assert await run_next(application, owner="w", queues=("cpu",)) is None
    sent = list((application.settings.data_dir / "broker" / "messages").glob("*.cpu.msg"))
    assert len(sent) == 1


async def test_a_cancelled_run_stops_at_the_next_beat(start: Open) -> None:
    adapts = Adapts("waits")
    application = await start(adapts=adapts)
    run_id = await new_run(application)
    work = asyncio.create_task(carry_out(application, run_id))
    await adapts.began.wait()
    await cancel_run(application.database, "acme", run_id)

    assert await asyncio.wait_for(work, 5) is None
    assert adapts.stopped
    assert (await run_of(application, run_id)).status == "cancelled"
    assert await candidates(application) == []


async def test_a_run_of_a_worker_that_fell_silent_is_taken_up_by_another(start: Open) -> None:
    application = await start()
    run_id = await new_run(application)
    earlier = utc_now() - timedelta(seconds=5)
    await claim_run(application.database, "acme", run_id, owner="silent", lease_s=1, at=earlier)

    assert await carry_out(application, run_id) is not None
    assert (await run_of(application, run_id)).attempts == 2


async def test_a_later_run_learns_what_is_new_and_rehearses_as_much_of_the_old(start: Open) -> None:
    application = await start(learning={"replay_examples": 1})
    first, second = text_that_is(False), text_that_is(False, start=50)
    await keep(application, taught(first, "new"))
    version_id = await carry_out(application, await new_run(application))
    assert version_id is not None
    await application.models.promote("acme", version_id)
    await keep(application, taught(second, "new"))
    later_id = await carry_out(application, await new_run(application))

    learned = NearestLearner.fits[-1]
    assert len(learned) == 2
    assert learned[-1] == second
    assert learned[0] in (*SEEDS, first)
    later = next(one for one in await candidates(application) if one.id == later_id)
    assert later.settings["examples"]["not_rehearsed"] == len(SEEDS)
