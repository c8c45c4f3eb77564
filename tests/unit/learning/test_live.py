"""Live models: fitted once, taught at once, the same after a restart and in every process, each tenant's its own."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from rejoinder.application import Application
from rejoinder.context import utc_now
from rejoinder.errors import NotFoundError
from rejoinder.learning.live import LiveModels
from rejoinder.learning.task_loading import IMPORTED
from rejoinder.models.learner import Prediction
from rejoinder.models.tasks.text_classification import TextClassifier
from rejoinder.payloads import Example
from rejoinder.store.examples import add_examples
from rejoinder.store.models import list_versions

from tests.support.application import ANA, new_models, opened, text_that_is
from tests.support.learners import SEEDS, NearestLearner, TaughtPlugin

Open = Callable[..., Any]


@pytest.fixture(autouse=True)
def no_calls_yet() -> None:
    NearestLearner.forget_calls()


@pytest.fixture
async def start(tmp_path: Path) -> AsyncIterator[Open]:
    """A factory of applications over one folder: each is the next process; the one before is closed."""
    stack = AsyncExitStack()
    last: list[AsyncExitStack] = []

    async def make(plugin: TaughtPlugin | None = None, **options: Any) -> Application:
        while last:
            await last.pop().aclose()
        own = AsyncExitStack()
        last.append(own)
        stack.push_async_callback(own.aclose)
        values = {"tenants": ("acme", "other"), **options}
        return await own.enter_async_context(opened(tmp_path, {"taught": plugin or TaughtPlugin()}, **values))

    yield make
    await stack.aclose()


async def predict(models: LiveModels, text: str, tenant: str = "acme", task: str = "intent") -> Prediction | None:
    """What a tenant's models say now."""
    return await (await models.request_for(tenant, ANA)).models.predict(task, text)


async def label(models: LiveModels, text: str, tenant: str = "acme") -> str | None:
    """The label that a tenant's models give now."""
    said = await predict(models, text, tenant)
    return said.label if said else None


async def recalled(models: LiveModels, text: str, tenant: str = "acme") -> str | None:
    """The taught answer that a text falls under."""
    match = await (await models.request_for(tenant, ANA)).models.recall("answer", text)
    return match.label if match else None


_numbers = iter(range(10**9))


def correction(text: str, right: str, *, task: str = "intent", **changes: Any) -> Example:
    values: dict[str, Any] = {
        "id": f"ex-{next(_numbers)}",
        "task": task,
        "text": text,
        "label": right,
        "polarity": "correction",
        "source": "feedback:corrected_intent",
        "at": utc_now(),
    }
    return Example(**{**values, **changes})


async def teach(application: Application, *examples: Example, tenant: str = "acme") -> None:
    """Store examples, then learn from them, as feedback does."""
    await add_examples(application.database, tenant, examples)
    await application.models.learn(tenant, examples)


# --- the first load and the next -----------------------------------------------------------------------------------


async def test_the_first_load_fits_on_the_seeds_and_keeps_a_live_version(start: Open) -> None:
    application = await start()

    assert await label(application.models, "where is my card") == "card"
    assert NearestLearner.fits == [list(SEEDS)]
    (version,) = await list_versions(application.database, "acme")
    assert (version.state, version.task, version.number, version.parent_id) == ("live", "intent", 1, None)
    assert version.artefact.startswith(str(application.settings.data_dir))


async def test_the_next_process_loads_without_fitting_and_predicts_the_same(start: Open) -> None:
    texts = [*SEEDS, "card please", "what time do you close", "something else entirely"]
    first = await start(TaughtPlugin(learner=TextClassifier))
    before = [await predict(first.models, text) for text in texts]
    again = await start(TaughtPlugin(learner=TextClassifier))
    after = [await predict(again.models, text) for text in texts]

    for said, earlier in zip(after, before, strict=True):
        assert said is not None
        assert earlier is not None
        assert (said.label, said.accepted, said.source) == (earlier.label, earlier.accepted, earlier.source)
        # float32, and the arrays may lie otherwise in memory
        assert (said.confidence, said.in_scope) == pytest.approx((earlier.confidence, earlier.in_scope), abs=1e-6)
    assert len(await list_versions(again.database, "acme")) == 1


async def test_the_next_process_does_not_fit(start: Open) -> None:
    await label((await start()).models, "x")
    NearestLearner.forget_calls()

    assert await label((await start()).models, "where is my card") == "card"
    assert NearestLearner.fits == []


async def test_many_requests_at_once_fit_once(start: Open) -> None:
    application = await start()
    await asyncio.gather(*(label(application.models, "where is my card") for _ in range(10)))

    assert len(NearestLearner.fits) == 1


async def test_changed_seeds_make_a_new_version_with_the_old_one_as_its_parent(start: Open) -> None:
    await label((await start()).models, "x")
    application = await start(TaughtPlugin({**SEEDS, "block my account": "block"}))

    assert await label(application.models, "block my account") == "block"
    new, old = await list_versions(application.database, "acme", task="intent")
    assert (new.state, new.number, new.parent_id) == ("live", 2, old.id)
    assert old.state == "retired"


async def test_another_seed_of_chance_makes_a_new_version(start: Open) -> None:
    await label((await start()).models, "x")
    application = await start(learning={"seed": 7})
    await label(application.models, "x")

    assert [one.seed for one in await list_versions(application.database, "acme")] == [7, 0]


@pytest.mark.parametrize("part", ["head", "anchors"])
async def test_a_damaged_model_is_named_refused_and_fitted_anew(
    start: Open, caplog: pytest.LogCaptureFixture, part: str
) -> None:
    application = await start()
    await label(application.models, "x")
    (version,) = await list_versions(application.database, "acme")
    file = next((Path(version.artefact) / part).glob("*.safetensors"))
    data = bytearray(file.read_bytes())
    data[-1] ^= 1
    file.write_bytes(data)
    NearestLearner.forget_calls()

    again = await start()

    assert await label(again.models, "where is my card") == "card"
    assert len(NearestLearner.fits) == 1
    assert f"model {version.id} of tenant acme cannot be used" in caplog.text
    assert [one.state for one in await list_versions(again.database, "acme")] == ["live", "retired"]


async def test_a_missing_model_is_fitted_anew(start: Open, tmp_path: Path) -> None:
    await label((await start()).models, "x")
    (tmp_path / "models").rename(tmp_path / "gone")

    assert await label((await start()).models, "where is my card") == "card"
    assert len(NearestLearner.fits) == 2


async def test_a_tenant_without_any_example_is_served(start: Open) -> None:
    application = await start(TaughtPlugin({}))

    assert await predict(application.models, "where is my card") is None
    assert await list_versions(application.database, "acme") == []


async def test_a_tenant_without_any_example_learns_from_its_first_correction(start: Open) -> None:
    application = await start(TaughtPlugin({}))
    text = text_that_is(False)
    await teach(application, correction(text, "first"))

    assert await label(application.models, text) == "first"


async def test_a_tenant_that_is_not_there_has_no_models(start: Open) -> None:
    with pytest.raises(NotFoundError):
        await (await start()).models.request_for("nobody", ANA)


# --- taught --------------------------------------------------------------------------------------------------------


async def test_a_correction_counts_at_once(start: Open) -> None:
    application = await start()
    await teach(application, correction("where is my card", "lost"))

    said = await predict(application.models, "where is my card")
    assert said is not None
    assert (said.label, said.source) == ("lost", "memory")


async def test_a_correction_counts_after_a_restart(start: Open) -> None:
    await teach(await start(), correction("where is my card", "lost"))

    assert await label((await start()).models, "where is my card") == "lost"


async def test_a_correction_counts_in_another_process_within_the_time_set(start: Open) -> None:
    application = await start()
    other = new_models(application, sync_s=0.05)
    assert await label(other, "where is my card") == "card"
    await teach(application, correction("where is my card", "lost"))
    await asyncio.sleep(0.2)

    assert await label(other, "where is my card") == "lost"


async def test_a_correction_whose_clock_is_late_still_arrives(start: Open) -> None:
    application = await start()
    other = new_models(application, sync_s=0.0)
    await teach(application, correction("opening hours on sunday", "weekend"))
    assert await label(other, "opening hours on sunday") == "weekend"
    await teach(application, correction("where is my card", "lost", at=utc_now() - timedelta(seconds=5)))

    assert await label(other, "where is my card") == "lost"


async def test_the_last_correction_of_a_text_counts(start: Open) -> None:
    first, second = correction("where is my card", "lost"), correction("where is my card", "stolen")
    application = await start()
    await teach(application, first)
    await teach(application, second)

    assert await label(application.models, "where is my card") == "stolen"
    assert await label((await start()).models, "where is my card") == "stolen"


async def test_a_rejected_label_is_not_given_again(start: Open) -> None:
    application = await start()
    said = await label(application.models, "where is my card")
    await teach(application, correction("where is my card", said or "", polarity="negative"))

    after = await predict(application.models, "where is my card")
    assert after is None or after.label != said or not after.accepted


async def test_a_taught_answer_is_recalled_without_a_model(start: Open) -> None:
    application = await start()
    await teach(application, correction("can I pay in yen", "Yes, in the app.", task="answer"))

    assert await recalled(application.models, "can I pay in yen") == "Yes, in the app."
    assert await recalled((await start()).models, "Can I pay in  YEN") == "Yes, in the app."


async def test_the_same_example_counts_once(start: Open) -> None:
    application = await start()
    text = text_that_is(False)
    taught = correction(text, "new")
    await teach(application, taught)
    await teach(application, taught)
    await application.models.learn("acme", [taught])

    assert NearestLearner.updates == [[text]]


async def test_learning_says_whether_anything_was_taken_in(start: Open) -> None:
    application = await start()

    assert await application.models.learn("acme", []) is False
    assert await application.models.learn("acme", [correction("a text", "", label=None)]) is False
    assert await application.models.learn("acme", [correction("a text", "x")]) is True


async def test_the_version_tells_how_much_was_taught(start: Open) -> None:
    application = await start()
    await teach(application, correction("where is my card", "lost"), correction("open?", "hours"))
    request = await application.models.request_for("acme", ANA)
    await request.models.predict("intent", "where is my card")

    assert dict(request.models.versions) == {"intent": "intent-1+2"}


async def test_corrections_never_cross_tenants(start: Open) -> None:
    application = await start()
    await teach(application, correction("where is my card", "lost", id="same-id"))
    await teach(application, correction("can I pay in yen", "Yes.", task="answer"))

    assert await label(application.models, "where is my card", "other") == "card"
    assert await recalled(application.models, "can I pay in yen", "other") is None
    await teach(application, correction("where is my card", "elsewhere", id="same-id"), tenant="other")
    assert await label(application.models, "where is my card") == "lost"
    assert await label(application.models, "where is my card", "other") == "elsewhere"


@pytest.mark.parametrize("seed", range(3))
async def test_whatever_tenants_teach_each_has_its_own_truth(start: Open, seed: int) -> None:
    """Random corrections of the same few texts in two tenants and two processes: each text has the label last taught there."""
    rng = random.Random(seed)
    application = await start()
    processes = [application.models, new_models(application, sync_s=0.0)]
    truth: dict[tuple[str, str], str] = {}
    texts = list(SEEDS)[:3]
    for step in range(40):
        tenant, text = rng.choice(["acme", "other"]), rng.choice(texts)
        truth[tenant, text] = f"{tenant}-{step}"
        taught = correction(text, truth[tenant, text])
        await add_examples(application.database, tenant, [taught])
        await rng.choice(processes).learn(tenant, [taught])
    again = await start()
    for models in (new_models(again, sync_s=0.0), again.models):
        for (tenant, text), right in truth.items():
            assert await label(models, text, tenant) == right


# --- imported ------------------------------------------------------------------------------------------------------


def imported(text: str, right: str) -> Example:
    return correction(text, right, polarity="positive", source=IMPORTED)


async def test_imported_examples_are_fitted_after_a_refit(start: Open) -> None:
    application = await start()
    await label(application.models, "x")
    text = text_that_is(False, "please cancel order {}")
    await add_examples(application.database, "acme", [imported(text, "cancel")])
    await application.models.refit("acme")

    assert NearestLearner.fits[-1] == [*SEEDS, text]
    assert await label(application.models, text) == "cancel"
    assert [one.state for one in await list_versions(application.database, "acme")] == ["live", "retired"]


async def test_a_refit_keeps_what_was_corrected(start: Open) -> None:
    application = await start()
    await teach(application, correction("where is my card", "lost"))
    await add_examples(application.database, "acme", [imported(text_that_is(False), "new")])
    await application.models.refit("acme")

    assert await label(application.models, "where is my card") == "lost"


async def test_the_next_process_knows_what_was_imported(start: Open) -> None:
    application = await start()
    text = text_that_is(False, "please cancel order {}")
    await add_examples(application.database, "acme", [imported(text, "cancel")])
    await application.models.refit("acme")
    NearestLearner.forget_calls()

    assert await label((await start()).models, text) == "cancel"
    assert NearestLearner.fits == []


async def test_imported_examples_that_are_held_back_are_remembered_but_never_fitted(start: Open) -> None:
    application = await start()
    kept, fitted = text_that_is(True, "please cancel order {}"), text_that_is(False, "please cancel order {}")
    await add_examples(application.database, "acme", [imported(kept, "kept"), imported(fitted, "fitted")])
    await application.models.refit("acme")

    assert NearestLearner.fits[-1] == [*SEEDS, fitted]
    said = await predict(application.models, kept)
    assert said is not None
    assert (said.label, said.source) == ("kept", "memory")


async def test_corrections_that_are_held_back_are_remembered_but_never_learned_by_the_head(start: Open) -> None:
    kept, learned = text_that_is(True), text_that_is(False)
    application = await start()
    await teach(application, correction(kept, "kept"), correction(learned, "learned"))
    again = await start()

    assert NearestLearner.updates == [[learned]]
    assert await label(again.models, kept) == "kept"
    assert NearestLearner.updates == [[learned], [learned]]


# --- which tenants are loaded --------------------------------------------------------------------------------------


async def test_the_least_recently_used_tenant_is_dropped(start: Open) -> None:
    plugin = TaughtPlugin()
    application = await start(plugin, tenants=("acme", "other", "third"))
    models = new_models(application, max_tenants=2)
    for tenant in ("acme", "other", "acme", "third"):
        await models.request_for(tenant, ANA)

    assert models.loaded_tenants == ("acme", "third")
    assert plugin.enabled == ["acme", "other", "third"]
    assert plugin.disabled == ["other"]


async def test_a_dropped_tenant_comes_back_with_all_that_it_learned(start: Open) -> None:
    application = await start()
    models = new_models(application, max_tenants=1)
    await teach(application, correction("where is my card", "lost"))
    assert await label(models, "where is my card") == "lost"
    await models.request_for("other", ANA)

    assert await label(models, "where is my card") == "lost"


async def test_more_tenants_at_once_than_may_be_loaded_are_all_served(start: Open) -> None:
    names = tuple(f"tenant-{number}" for number in range(8))
    application = await start(tenants=names)
    models = new_models(application, max_tenants=2)

    said = await asyncio.gather(*(label(models, "where is my card", name) for name in names * 2))

    assert set(said) == {"card"}
    assert len(models.loaded_tenants) <= 2


async def test_a_forgotten_tenant_is_told_to_its_plugins_once(start: Open) -> None:
    plugin = TaughtPlugin()
    application = await start(plugin)
    await application.models.request_for("acme", ANA)
    await application.models.forget_tenant("acme")
    await application.models.forget_tenant("acme")

    assert plugin.disabled == ["acme"]
    assert application.models.loaded_tenants == ()


async def test_a_request_outlives_its_tenants_models(start: Open) -> None:
    application = await start()
    request = await application.models.request_for("acme", ANA)
    await application.models.forget_tenant("acme")

    said = await request.models.predict("intent", "where is my card")
    assert said is not None
    assert said.label == "card"


async def test_changed_settings_of_a_tenant_hold_from_the_next_request_on(start: Open) -> None:
    from pydantic import BaseModel

    class Settings(BaseModel):
        greeting: str = "hello"

    plugin = TaughtPlugin()
    plugin.settings = Settings  # type: ignore[attr-defined]
    application = await start(plugin)
    before = await application.models.request_for("acme", ANA)
    await application.tenants.set_setting("acme", "taught.greeting", "good day")
    after = await application.models.request_for("acme", ANA)

    assert before.settings["taught"].greeting == "hello"
    assert after.settings["taught"].greeting == "good day"
    assert (await application.models.request_for("other", ANA)).settings["taught"].greeting == "hello"


async def test_a_plugin_that_a_tenant_loses_is_told_and_its_models_are_gone(start: Open) -> None:
    plugin = TaughtPlugin()
    application = await start(plugin)
    assert await label(application.models, "where is my card") == "card"
    await application.tenants.disable_plugin("acme", "taught")

    assert await label(application.models, "where is my card") is None
    assert plugin.disabled == ["acme"]
    assert await label(application.models, "where is my card", "other") == "card"
