"""Erasing a user: rows, memory in this process and others, marked versions, the clean run, and nobody else's."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from rejoinder.application import Application
from rejoinder.context import utc_now
from rejoinder.errors import ConflictError
from rejoinder.learning.adaptation import run_next
from rejoinder.learning.live import LiveModels
from rejoinder.learning.status import learning_status
from rejoinder.learning.task_loading import IMPORTED
from rejoinder.models.tasks.text_classification import TextClassifier
from rejoinder.payloads import Caller, Decision, Example, Feedback
from rejoinder.privacy.consent import may_learn_from
from rejoinder.privacy.settings import PrivacySettings
from rejoinder.store.conversations import list_conversations
from rejoinder.store.decisions import add_decision, list_decisions
from rejoinder.store.erasures import list_erasures
from rejoinder.store.examples import add_examples, list_examples, take_back_of_user
from rejoinder.store.feedback import list_feedback
from rejoinder.store.models import get_version, list_versions, live_version
from rejoinder.store.runs import list_runs
from rejoinder.store.trials import list_model_decisions
from rejoinder.store.users import ensure_user, set_consent
from rejoinder_plugins.explicit_feedback import plugin as explicit_feedback
from rejoinder_plugins.learner_adaptation import plugin as learner_adaptation

from tests.support.application import AGENT, ANA, BEN, file_bytes, new_models, opened, text_that_is
from tests.support.learners import SEEDS, NearestLearner, TaughtPlugin

pytest.importorskip("celery", reason="needs the extra rejoinder[workers]")

SECRET = "where is the parcel of my aunt Wilhelmina"


@pytest.fixture(autouse=True)
def no_calls_yet() -> None:
    NearestLearner.forget_calls()


def plugins(learner: Any = NearestLearner) -> dict[str, object]:
    return {
        "taught": TaughtPlugin(learner=learner),
        "explicit_feedback": explicit_feedback,
        "learner_adaptation": learner_adaptation,
    }


@pytest.fixture
async def application(tmp_path: Path) -> AsyncIterator[Application]:
    async with opened(tmp_path, plugins(), tenants=("acme", "other"), gate={"canary_share": 0.0}) as application:
        yield application


async def say(application: Application, text: str, caller: Caller = ANA, tenant: str = "acme") -> Any:
    """Have a person say something in a conversation of their own."""
    conversation = await application.conversations.create(tenant, caller)
    return await application.conversations.turn(tenant, conversation, caller, text)


async def correct(
    application: Application,
    text: str,
    label: str,
    caller: Caller = ANA,
    tenant: str = "acme",
    by: Caller | None = None,
) -> str:
    """Have a person say something, and them, or somebody else, correct the answer; return the decision's id."""
    turn = await say(application, text, caller, tenant)
    await application.feedback.give(
        tenant, by or caller, decision_id=turn.decision_id, kind="corrected_intent", value=label
    )
    return str(turn.decision_id)


async def erase(application: Application, tenant: str, user: str, *, by: str) -> Any:
    """Erase a user, and wait until this process has made its models anew."""
    report = await application.eraser.erase(tenant, user, by=by)
    await application.eraser.settled()
    return report


async def label(models: LiveModels, text: str, tenant: str = "acme") -> str | None:
    said = await (await models.request_for(tenant, BEN)).models.predict("intent", text)
    return said.label if said else None


async def live_run(application: Application) -> Any:
    """Have a worker make a version on all examples up to now, and put it live; return it."""
    from rejoinder.store.runs import create_run

    await create_run(application.database, "acme", task="intent")
    await run_next(application, owner="worker", queues=("cpu",))
    newest = (await list_versions(application.database, "acme", task="intent"))[0]
    if newest.state != "live":
        await application.models.promote("acme", newest.id)
    return await get_version(application.database, "acme", newest.id)


def has_files(version: Any) -> bool:
    """Whether a version's files, where it said that they are, are there."""
    return Path(version.artefact).exists()


# --- the store -----------------------------------------------------------------------------------------------------


async def test_all_that_is_a_users_leaves_the_store_and_its_file(application: Application) -> None:
    await correct(application, SECRET, "parcel")
    await correct(application, "bens own words", "hours", BEN)
    await correct(application, SECRET, "parcel", tenant="other")
    assert SECRET.encode() in file_bytes(application.settings.data_dir)

    report = await erase(application, "acme", "ana", by="key:admin")

    database = application.database
    assert report.counts.keys() == {"users", "conversations", "decisions", "feedback", "examples"}
    assert [one.user_id for one in await list_conversations(database, "acme")] == ["ben"]
    assert [one.user_id for one in await list_decisions(database, "acme")] == ["ben"]
    assert [one.feedback.user_id for one in await list_feedback(database, "acme")] == ["ben"]
    assert [one.text for one in await list_examples(database, "acme", "intent")] == ["bens own words"]
    assert [one.text for one in await list_examples(database, "other", "intent")] == [SECRET]
    await erase(application, "other", "ana", by="key:admin")
    assert SECRET.encode() not in file_bytes(application.settings.data_dir)


async def test_the_audit_row_names_nobody_and_a_second_time_is_no_error(application: Application) -> None:
    await correct(application, SECRET, "parcel", Caller(id="wilhelmina-17"))
    first = await erase(application, "acme", "wilhelmina-17", by="key:admin")
    again = await erase(application, "acme", "wilhelmina-17", by="key:admin")

    assert again.counts == {}
    assert again.erasure_id == ""
    (row,) = await list_erasures(application.database, "acme")
    assert (row.id, row.by, row.reason) == (first.erasure_id, "key:admin", "user")
    assert "wilhelmina" not in row.model_dump_json().lower()
    assert row.finished_at is not None
    assert await list_erasures(application.database, "other") == []


async def test_what_an_agent_corrected_of_a_customers_words_goes_with_the_customer(application: Application) -> None:
    decision = await correct(application, SECRET, "parcel", by=AGENT)
    assert await label(application.models, SECRET) == "parcel"
    await erase(application, "acme", "ana", by="key:admin")

    assert await list_examples(application.database, "acme", "intent", active=None) == []
    assert await list_feedback(application.database, "acme", decision_id=decision) == []
    assert await label(application.models, SECRET) != "parcel"


# --- memory --------------------------------------------------------------------------------------------------------


async def everything(models: LiveModels, texts: list[str]) -> list[Any]:
    """What models say of texts, as far as anybody can see it."""
    request = await models.request_for("acme", BEN)
    said = [await request.models.predict("intent", text) for text in texts]
    return [(one.label, round(one.confidence, 5), one.source) if one else None for one in said]


@pytest.mark.parametrize("learner", [NearestLearner, TextClassifier])
async def test_the_bot_answers_as_if_it_had_never_heard_the_user(tmp_path: Path, learner: Any) -> None:
    lessons = [
        ("a delivery came broken", "damage", BEN),
        (text_that_is(True, "is my parcel {} late"), "late", BEN),
        ("a delivery came broken", "refund", ANA),
        ("the card is blue", "colour", ANA),
        (text_that_is(True, "what colour has card {}"), "colour", ANA),
        ("my delivery arrived broken", "damage", BEN),
    ]
    texts = [*SEEDS, *(text for text, *_ in lessons), "the delivery is broken", "is the card blue", "colour of card"]
    async with opened(tmp_path / "never", plugins(learner)) as application:
        for text, right, caller in lessons:
            if caller is BEN:
                await correct(application, text, right, caller)
        never = await everything(application.models, texts)
    async with opened(tmp_path / "heard", plugins(learner)) as application:
        for text, right, caller in lessons:
            await correct(application, text, right, caller)
        assert await everything(application.models, texts) != never
        await erase(application, "acme", "ana", by="key:admin")
        assert await everything(application.models, texts) == never


async def test_another_process_forgets_within_a_second(application: Application) -> None:
    elsewhere = new_models(application, sync_s=1.0)
    await correct(application, "the card is blue", "colour")
    await correct(application, "a delivery came broken", "damage", BEN)
    assert await label(elsewhere, "the card is blue") == "colour"

    await erase(application, "acme", "ana", by="key:admin")
    assert await label(application.models, "the card is blue") != "colour"
    erased = time.monotonic()
    while await label(elsewhere, "the card is blue") == "colour":
        assert time.monotonic() - erased < 10  # a busy machine: a second is what is usual
        await asyncio.sleep(0.02)
    assert await label(elsewhere, "a delivery came broken") == "damage"
    await elsewhere.close()


async def test_what_somebody_taught_who_is_not_trusted_any_more_is_forgotten_by_other_processes_too(
    application: Application,
) -> None:
    elsewhere = new_models(application, sync_s=0.2)
    for tenant in ("acme", "other"):
        await correct(application, "the card is blue", "colour", tenant=tenant)
    await correct(application, "a delivery came broken", "damage", BEN)
    assert await label(elsewhere, "the card is blue") == "colour"
    assert await label(elsewhere, "the card is blue", "other") == "colour"

    taken = await take_back_of_user(application.database, "acme", "ana")
    await application.models.take_back("acme", taken)
    began = time.monotonic()
    while await label(elsewhere, "the card is blue") == "colour":
        assert time.monotonic() - began < 3
        await asyncio.sleep(0.02)
    assert await label(elsewhere, "a delivery came broken") == "damage"
    assert await label(elsewhere, "the card is blue", "other") == "colour"
    cleaning = elsewhere._tenants["acme"].cleaning
    assert cleaning is not None
    await cleaning
    assert await label(elsewhere, "the card is blue") != "colour"
    await elsewhere.close()


async def test_the_same_users_of_another_tenant_stays_and_is_remembered(application: Application) -> None:
    for tenant in ("acme", "other"):
        await correct(application, "the card is blue", "colour", tenant=tenant)
    await erase(application, "acme", "ana", by="key:admin")

    assert await label(application.models, "the card is blue", "acme") != "colour"
    assert await label(application.models, "the card is blue", "other") == "colour"
    assert len(await list_conversations(application.database, "other", user_id="ana")) == 1


async def test_what_is_learned_late_of_an_erased_example_is_not_learned(application: Application) -> None:
    await correct(application, "the card is blue", "colour")
    taught = await list_examples(application.database, "acme", "intent")
    await erase(application, "acme", "ana", by="key:admin")

    assert await application.models.learn("acme", taught) is False
    assert await label(application.models, "the card is blue") != "colour"


async def test_answers_that_were_taught_are_forgotten_too(application: Application) -> None:
    turn = await say(application, "what colour has it")
    await application.feedback.give(
        "acme", ANA, decision_id=turn.decision_id, kind="corrected_answer", value="It is blue."
    )

    async def recalled() -> Any:
        return await (await application.models.request_for("acme", BEN)).models.recall("answer", "what colour has it")

    assert (await recalled()).label == "It is blue."
    await erase(application, "acme", "ana", by="key:admin")
    assert await recalled() is None


async def test_an_erasure_does_not_wait_for_the_models_that_are_made_anew(
    application: Application, monkeypatch: pytest.MonkeyPatch
) -> None:
    await correct(application, "the card is blue", "colour")
    await correct(application, "the van is red", "van", BEN)
    trained = await live_run(application)
    await application.models._look()
    refit, go_on = application.models.refit, asyncio.Event()

    async def slow(tenant: str) -> None:
        await go_on.wait()
        await refit(tenant)

    monkeypatch.setattr(application.models, "refit", slow)
    reports = [await application.eraser.erase("acme", user, by="key:admin") for user in ("ana", "ben")]

    assert [report.pending for report in reports] == [True, True]
    assert await list_examples(application.database, "acme", "intent") == []
    assert not {"the card is blue", "the van is red"} & {one.text for one in await said_to(application)}
    status = await learning_status(application.database, "acme", now=utc_now(), days=1)
    assert [one["erasure_id"] for one in status["erasures"]] == [report.erasure_id for report in reports]
    assert "ana" not in repr(status["erasures"])
    assert (await learning_status(application.database, "other", now=utc_now(), days=1))["erasures"] == []

    go_on.set()
    await application.eraser.settled()
    await run_next(application, owner="worker", queues=("cpu",))
    assert not has_files(trained)
    assert (await learning_status(application.database, "acme", now=utc_now(), days=1))["erasures"] == []


async def said_to(application: Application) -> list[Any]:
    """What the live memory of corrections holds."""
    return list(application.models._tenants["acme"].tasks["intent"].memory._known.entries)


# --- models --------------------------------------------------------------------------------------------------------


async def test_versions_trained_on_it_are_marked_and_learned_anew_without_it(application: Application) -> None:
    database = application.database
    await correct(application, "the card is blue", "colour")
    await correct(application, "a delivery came broken", "damage", BEN)
    trained = await live_run(application)
    assert trained.erased_at is None

    report = await erase(application, "acme", "ana", by="key:admin")

    assert report.marked == ("intent-2",)
    (run,) = [one for one in await list_runs(database, "acme") if one.status == "queued"]
    assert report.runs == (run.id,)
    assert "intent-2 was trained on were erased" in run.reason
    assert (await get_version(database, "acme", trained.id)).erased_at is not None
    assert has_files(trained)  # it serves until there is a clean one
    assert [row.finished_at for row in await list_erasures(database, "acme")] == [None]
    assert await application.eraser.carry_on("acme") == ()

    await run_next(application, owner="worker", queues=("cpu",))

    clean = await live_version(database, "acme", "intent")
    assert clean is not None
    assert clean.id != trained.id
    assert "the card is blue" not in NearestLearner.fits[-1]
    assert "a delivery came broken" in NearestLearner.fits[-1]
    decided = (await list_model_decisions(database, "acme"))[0]
    assert decided.action == "promote"
    assert "it takes the place of intent-2, which was trained on examples that are erased" in decided.reason
    assert not has_files(trained)
    assert (await get_version(database, "acme", trained.id)).artefact == ""
    assert all(row.finished_at for row in await list_erasures(database, "acme"))
    await application.models._look()
    deadline = time.monotonic() + 3
    while await label(application.models, "the card is blue") == "colour":
        assert time.monotonic() < deadline
        await asyncio.sleep(0.02)


async def test_a_marked_version_never_serves_again(application: Application) -> None:
    await correct(application, "the card is blue", "colour")
    trained = await live_run(application)
    await application.models.roll_back("acme", "intent")
    await erase(application, "acme", "ana", by="key:admin")

    assert not has_files(trained)  # it was not live, so that nothing keeps it
    with pytest.raises(ConflictError, match="was trained on examples that were erased since"):
        await application.models.promote("acme", trained.id)
    assert all(row.finished_at for row in await list_erasures(application.database, "acme"))


async def test_a_version_that_a_server_fitted_by_itself_is_fitted_anew(application: Application) -> None:
    database = application.database
    imported = Example(
        id="i1", task="intent", text="the card is blue", label="colour", source=IMPORTED, user_id="ana", at=utc_now()
    )
    await ensure_user(database, "acme", "ana")
    await add_examples(database, "acme", [imported])
    await application.models.refit("acme")
    assert await label(application.models, "the card is blue") == "colour"

    report = await erase(application, "acme", "ana", by="key:admin")

    assert report.runs == ()
    assert "the card is blue" not in NearestLearner.fits[-1]
    assert await label(application.models, "the card is blue") != "colour"
    assert all(row.finished_at for row in await list_erasures(database, "acme"))


async def test_a_run_that_was_under_way_makes_nothing_that_serves(application: Application) -> None:
    from rejoinder.store.runs import claim_next, create_run

    database = application.database
    await correct(application, "the card is blue", "colour")
    taught = await list_examples(database, "acme", "intent")
    await create_run(database, "acme", task="intent")
    run = await claim_next(database, owner="w", lease_s=60, queues=("cpu",))
    await erase(application, "acme", "ana", by="key:admin")

    assert run is not None
    (stopped,) = await list_runs(database, "acme")
    assert (stopped.status, stopped.error) == ("cancelled", "what it read was erased")
    draft = await application.models.registry.draft()
    (draft / "head").mkdir(parents=True)
    (draft / "head" / "file").write_text("weights")
    late = await application.models.registry.add("acme", "intent", draft, example_ids=[one.id for one in taught])
    assert late.erased_at is not None


async def test_with_nothing_left_to_learn_from_the_marked_version_is_retired(tmp_path: Path) -> None:
    without_seeds = {**plugins(), "taught": TaughtPlugin({})}
    async with opened(tmp_path, without_seeds, gate={"canary_share": 0.0}) as application:
        await correct(application, "the card is blue", "colour")
        trained = await live_run(application)
        await application.models._look()
        await erase(application, "acme", "ana", by="key:admin")
        with pytest.raises(Exception, match="no example of the task"):
            await run_next(application, owner="worker", queues=("cpu",))
        await application.eraser.carry_on("acme")

        assert await live_version(application.database, "acme", "intent") is None
        assert not has_files(trained)
        await application.models._look()
        deadline = time.monotonic() + 3
        while await label(application.models, "the card is blue") is not None:
            assert time.monotonic() < deadline
            await asyncio.sleep(0.02)


async def test_what_a_killed_process_left_is_carried_on(
    application: Application, monkeypatch: pytest.MonkeyPatch
) -> None:
    await correct(application, "the card is blue", "colour")
    await live_run(application)

    async def killed(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(application.models, "forget_examples", killed)
    with pytest.raises(KeyboardInterrupt):
        await application.eraser.erase("acme", "ana", by="key:admin")
    assert [one for one in await list_runs(application.database, "acme") if one.status == "queued"] == []
    monkeypatch.undo()

    assert len(await application.eraser.carry_on("acme")) == 1
    await application.models._look()
    deadline = time.monotonic() + 3
    while application.models._tenants["acme"].tasks["intent"].name != "intent-2":
        assert time.monotonic() < deadline
        await asyncio.sleep(0.02)


# --- consent and retention -----------------------------------------------------------------------------------------


async def test_who_refused_rewards_but_is_not_learned_from(application: Application) -> None:
    await ensure_user(application.database, "acme", "ana")
    await set_consent(application.database, "acme", "ana", False)
    turn = await say(application, "the card is blue")
    given = await application.feedback.give(
        "acme", ANA, decision_id=turn.decision_id, kind="corrected_intent", value="colour"
    )

    assert (given.examples, given.learned) == (0, False)
    assert given.rewards[0].value == 0.0
    assert await list_examples(application.database, "acme", "intent") == []


async def test_whose_feedback_may_become_training_data(application: Application) -> None:
    decision = Decision(id="d", kind="turn", task="intent", at=utc_now(), input="x", user_id="ana")
    await ensure_user(application.database, "acme", "ana")
    cases: list[tuple[Any, bool | None, Caller, bool]] = [
        ("assumed", None, ANA, True),
        ("assumed", False, ANA, False),
        ("required", None, ANA, False),
        ("required", True, ANA, True),
        ("required", True, AGENT, True),
        ("required", None, AGENT, False),
        ("assumed", False, AGENT, False),
        ("refused", True, ANA, False),
    ]
    for rule, answer, giver, expected in cases:
        await set_consent(application.database, "acme", "ana", answer)
        feedback = Feedback(
            id="f", decision_id="d", kind="thumbs", value=1, user_id=giver.id, at=utc_now(), role=giver.role
        )
        may = await may_learn_from(application.database, "acme", feedback, decision, PrivacySettings(consent=rule))
        assert may is expected, (rule, answer, giver)


async def test_the_tenants_setting_decides_for_those_who_were_not_asked(application: Application) -> None:
    await application.tenants.set_setting("acme", "privacy.consent", "required")
    await correct(application, "the card is blue", "colour")
    await correct(application, "the card is blue", "colour", tenant="other")
    assert await list_examples(application.database, "acme", "intent") == []
    assert len(await list_examples(application.database, "other", "intent")) == 1


async def test_who_takes_consent_back_is_forgotten_but_keeps_their_conversations(application: Application) -> None:
    await correct(application, "the card is blue", "colour")
    report = await application.eraser.forget_lessons("acme", "ana", by="the user")
    await application.eraser.settled()

    assert report.counts == {"examples": 1}
    assert await label(application.models, "the card is blue") != "colour"
    assert len(await list_conversations(application.database, "acme", user_id="ana")) == 1


async def test_what_is_too_old_is_deleted_by_the_tenants_setting(tmp_path: Path) -> None:
    now = utc_now()
    moment = [now - timedelta(days=40)]
    async with opened(tmp_path, plugins(), tenants=("acme", "other"), clock=lambda: moment[0]) as application:
        for tenant in ("acme", "other"):
            await say(application, "old words", tenant=tenant)
            shown = Decision(
                id=f"list-{tenant}", kind="list", task="intent", at=moment[0], input="old list", user_id="ana"
            )
            await add_decision(application.database, tenant, shown)
        moment[0] = now
        await say(application, "new words")
        assert (await application.eraser.retain("acme")).counts == {}
        await application.tenants.set_setting("acme", "privacy.retention_days", 30)

        report = await application.eraser.retain("acme")

        assert report.counts == {"conversations": 1, "decisions": 1}
        assert [one.input for one in await list_decisions(application.database, "acme")] == ["new words"]
        assert {one.input for one in await list_decisions(application.database, "other")} == {"old words", "old list"}
        assert (await list_erasures(application.database, "acme"))[0].reason == "retention"


async def test_old_examples_are_forgotten_where_a_tenant_says_so(tmp_path: Path) -> None:
    now = utc_now()
    moment = [now - timedelta(days=40)]
    async with opened(tmp_path, plugins(), clock=lambda: moment[0]) as application:
        await correct(application, "the card is blue", "colour")
        moment[0] = now
        await correct(application, "a delivery came broken", "damage")
        await application.tenants.set_setting("acme", "privacy.example_days", 30)
        assert (await application.eraser.retain("acme")).counts == {"examples": 1}
        await application.eraser.settled()
        assert await label(application.models, "the card is blue") != "colour"
        assert await label(application.models, "a delivery came broken") == "damage"


async def test_a_decision_of_nobody_is_learned_from_as_the_tenant_says(application: Application) -> None:
    await add_decision(
        application.database,
        "acme",
        Decision(id="list-1", kind="turn", task="intent", at=utc_now(), input="the card is blue", label="card"),
    )
    await application.feedback.give("acme", AGENT, decision_id="list-1", kind="corrected_intent", value="colour")
    assert len(await list_examples(application.database, "acme", "intent")) == 1
