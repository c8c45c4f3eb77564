"""A promoted version serves in every running process within two seconds, whoever made it; what cannot be used does not."""

from __future__ import annotations

import asyncio
import gc
import time
import weakref
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import fsspec
import numpy as np
import pytest
from rejoinder.application import Application
from rejoinder.context import utc_now
from rejoinder.errors import ConflictError, ModelError, ModelIntegrityError, NotFoundError
from rejoinder.learning.adaptation import run_adaptation
from rejoinder.learning.live import LiveModels
from rejoinder.learning.task_loading import IMPORTED
from rejoinder.learning.versions import open_registry, save_anchors
from rejoinder.models.adapters.adapter import Adapter, make_adapter, save_adapter
from rejoinder.payloads import Example
from rejoinder.store.database import Database
from rejoinder.store.examples import add_examples
from rejoinder.store.models import list_versions, live_version
from rejoinder.store.runs import create_run
from rejoinder.store.tables import ModelVersion
from rejoinder.testing import HashEncoder
from rejoinder_plugins.learner_adaptation.plugin import LearnerAdaptationPlugin

from tests.support.application import ANA, new_models, opened, text_that_is
from tests.support.learners import SEEDS, NearestLearner, TaughtPlugin

Open = Callable[..., Any]

SOON_S = 2.0
QUESTION = "where is my card"


@pytest.fixture
async def start(tmp_path: Path) -> AsyncIterator[Open]:
    """A factory of applications over one folder: each is another process."""
    NearestLearner.forget_calls()
    async with AsyncExitStack() as stack:

        async def make(plugin: TaughtPlugin | None = None, **options: Any) -> Application:
            plugins = {"taught": plugin or TaughtPlugin(), "learner_adaptation": LearnerAdaptationPlugin()}
            values = {"tenants": ("acme", "other"), **options}
            return await stack.enter_async_context(opened(tmp_path, plugins, **values))

        yield make
        fsspec.filesystem("memory").store.clear()


async def candidate(
    application: Application, label: str, *, tenant: str = "acme", task: str = "intent"
) -> ModelVersion:
    """A version that answers the question with this label."""
    registry = application.models.registry
    learner = NearestLearner()
    example = Example(id="x", task=task, text=QUESTION, label=label)
    vectors = HashEncoder().encode([example.text])
    learner.fit([example], vectors, seed=0)
    draft = await registry.draft()
    learner.save(draft / "head")
    save_anchors(draft, vectors, [label])
    return await registry.add(tenant, task, draft, base_hash=HashEncoder().hash, settings={"origin": "test"})


async def said(models: LiveModels, text: str = QUESTION, tenant: str = "acme") -> str | None:
    prediction = await (await models.request_for(tenant, ANA)).models.predict("intent", text)
    return prediction.label if prediction else None


async def served(models: LiveModels, label: str, *, since: float | None = None) -> float:
    """Ask until a label is given; the seconds that it took."""
    started = time.monotonic() if since is None else since
    while await said(models) != label:
        assert time.monotonic() - started < SOON_S, f"{label} is not served within {SOON_S} s"
        await asyncio.sleep(0.02)
    return time.monotonic() - started


def flip(file: Path) -> None:
    data = bytearray(file.read_bytes())
    data[-1] ^= 1
    file.write_bytes(data)


def weights_of(version: ModelVersion, part: str = "head") -> Path:
    return next((Path(version.artefact) / part).glob("*.safetensors"))


# --- swapped in --------------------------------------------------------------------------------------------------------


async def test_a_promotion_by_another_process_serves_within_two_seconds(start: Open, tmp_path: Path) -> None:
    application = await start()
    assert await said(application.models) == "card"
    version = await candidate(application, "better")
    other = await Database.open(application.settings.store_url, synchronous="NORMAL")
    await open_registry(other, application.settings).promote("acme", version.id)
    await other.close()

    await served(application.models, "better")


async def test_the_promoting_process_serves_it_at_once(start: Open) -> None:
    application = await start()
    await said(application.models)
    version = await candidate(application, "better")
    await application.models.promote("acme", version.id)

    assert await served(application.models, "better") < 0.5


async def test_a_tenant_that_nobody_asks_for_is_swapped_too(start: Open) -> None:
    application = await start()
    await said(application.models)
    version = await candidate(application, "better")
    await application.models.registry.promote("acme", version.id)
    await asyncio.sleep(SOON_S)

    assert await said(application.models) == "better", "the first turn after two seconds has it"


async def test_a_roll_back_brings_the_version_before_back(start: Open) -> None:
    application = await start()
    await said(application.models)
    for label in ("better", "worse"):
        await application.models.promote("acme", (await candidate(application, label)).id)
        await served(application.models, label)
    await application.models.roll_back("acme", "intent")
    await served(application.models, "better")
    await application.models.roll_back("acme", "intent")
    await served(application.models, "card")


async def test_a_turn_keeps_to_the_version_that_it_began_with(start: Open) -> None:
    application = await start()
    begun = await application.models.request_for("acme", ANA)
    await application.models.promote("acme", (await candidate(application, "better")).id)
    await served(application.models, "better")

    prediction = await begun.models.predict("intent", QUESTION)
    assert prediction is not None
    assert (prediction.label, dict(begun.models.versions)) == ("card", {"intent": "intent-1"})


async def test_no_turn_waits_for_a_load(start: Open, monkeypatch: pytest.MonkeyPatch) -> None:
    application = await start()
    await said(application.models)
    registry, may = application.models.registry, asyncio.Event()
    load = registry.load

    async def slow(*args: Any, **options: Any) -> Any:
        await may.wait()
        return await load(*args, **options)

    monkeypatch.setattr(registry, "load", slow)
    await application.models.promote("acme", (await candidate(application, "better")).id)
    async with asyncio.timeout(5):
        answers = [await said(application.models) for _ in range(20)]
    may.set()

    assert answers == ["card"] * 20
    await served(application.models, "better")


async def test_what_was_corrected_holds_after_a_swap(start: Open) -> None:
    application = await start()
    taught, late = text_that_is(False), text_that_is(True)
    await teach(application, taught, "lost")
    await application.models.promote("acme", (await candidate(application, "better")).id)
    await served(application.models, "better")
    await teach(application, late, "stolen")

    assert [await said(application.models, text) for text in (taught, late)] == ["lost", "stolen"]
    request = await application.models.request_for("acme", ANA)
    await request.models.predict("intent", QUESTION)
    assert dict(request.models.versions) == {"intent": "intent-2+2"}


async def test_what_is_corrected_during_a_swap_is_not_lost(start: Open, monkeypatch: pytest.MonkeyPatch) -> None:
    application = await start()
    await said(application.models)
    registry, loading, may = application.models.registry, asyncio.Event(), asyncio.Event()
    load = registry.load

    async def slow(*args: Any, **options: Any) -> Any:
        loaded = await load(*args, **options)
        loading.set()
        await may.wait()
        return loaded

    monkeypatch.setattr(registry, "load", slow)
    await application.models.promote("acme", (await candidate(application, "better")).id)
    await loading.wait()
    await teach(application, "please help me", "help")
    assert await said(application.models, "please help me") == "help"
    may.set()
    await served(application.models, "better")

    assert await said(application.models, "please help me") == "help"


async def test_fifty_swaps_leave_one_model_in_memory(start: Open) -> None:
    application = await start()
    await teach(application, "please help me", "help")
    models = application.models
    dead: list[weakref.ref[Any]] = []
    for number in range(50):
        dead.append(weakref.ref(models._tenants["acme"].tasks["intent"]))
        dead.append(weakref.ref(models._tenants["acme"].tasks["intent"].instant.learner))
        await models.promote("acme", (await candidate(application, f"label {number}")).id)
        while models._swaps:
            await asyncio.gather(*models._swaps)
        assert await said(models) == f"label {number}"
    gc.collect()

    assert [ref for ref in dead if ref() is not None] == []
    assert sum(type(one) is NearestLearner for one in gc.get_objects()) <= 2
    assert not models._tenants["acme"].swapping


async def teach(application: Application, text: str, label: str) -> None:
    example = Example(id=f"ex {text}", task="intent", text=text, label=label, polarity="correction", at=utc_now())
    await add_examples(application.database, "acme", [example])
    await application.models.learn("acme", [example])


# --- whoever made it ---------------------------------------------------------------------------------------------------


async def test_a_promoted_version_is_served_by_the_next_process_and_not_fitted_anew(start: Open) -> None:
    application = await start()
    await said(application.models)
    run = await create_run(application.database, "acme", task="intent")
    version_id = await run_adaptation(application, tenant="acme", run_id=run.id, owner="worker")
    assert version_id is not None
    await application.models.promote("acme", version_id)
    NearestLearner.forget_calls()
    again = await start(TaughtPlugin({**SEEDS, "block my account": "block"}))

    assert await said(again.models) == "card"
    assert NearestLearner.fits == []
    live = await live_version(again.database, "acme", "intent")
    assert live is not None
    assert live.id == version_id


async def test_a_candidate_of_a_run_has_anchors(start: Open) -> None:
    application = await start()
    run = await create_run(application.database, "acme", task="intent")
    await run_adaptation(application, tenant="acme", run_id=run.id, owner="worker")
    (version,) = await list_versions(application.database, "acme", state="candidate")
    loaded = await application.models.registry.load(version, NearestLearner, base_hash=HashEncoder().hash)

    assert loaded.anchor_labels == tuple(SEEDS.values())
    assert loaded.anchors.shape == (len(SEEDS), HashEncoder().dim)


async def test_what_is_imported_after_a_promotion_is_learned_on_top(start: Open) -> None:
    application = await start()
    await application.models.promote("acme", (await candidate(application, "better")).id)
    await served(application.models, "better")
    text = text_that_is(False, "please cancel order {}")
    one = Example(id="imp", task="intent", text=text, label="cancel", source=IMPORTED, at=utc_now())
    await add_examples(application.database, "acme", [one])
    await application.models.refit("acme")

    assert await said(application.models, text) == "cancel"
    assert [row.state for row in await list_versions(application.database, "acme")] == ["live"]


async def test_what_people_rolled_back_is_not_fitted_again(start: Open) -> None:
    first = await start()
    assert await said(first.models) == "card"
    changed = TaughtPlugin({QUESTION: "worse"})
    second = await start(changed)
    assert await said(second.models) == "worse"
    await second.models.roll_back("acme", "intent")
    third = await start(changed)

    assert await said(third.models) == "card"
    assert len(await list_versions(third.database, "acme")) == 2


# --- what cannot be used -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("part", ["head", "anchors"])
async def test_a_version_damaged_before_the_swap_is_named_and_the_one_before_serves_on(
    start: Open, caplog: pytest.LogCaptureFixture, part: str
) -> None:
    application = await start()
    await said(application.models)
    before = await live_version(application.database, "acme", "intent")
    version = await candidate(application, "better")
    await set_live(application, version)
    flip(weights_of(version, part))
    await asyncio.sleep(SOON_S)

    assert before is not None
    assert await said(application.models) == "card"
    assert f"model {version.id} of tenant acme cannot be used, and {before.id} serves on" in caplog.text
    assert caplog.text.count("cannot be used") == 1, "it is not tried again at once"
    repaired = await candidate(application, "repaired")
    await application.models.promote("acme", repaired.id)
    await served(application.models, "repaired")


async def set_live(application: Application, version: ModelVersion) -> None:
    from rejoinder.store.models import set_version_state

    await set_version_state(application.database, "acme", version.id, "live")


async def test_a_version_damaged_at_the_first_load_is_named_and_the_one_before_serves(
    start: Open, caplog: pytest.LogCaptureFixture
) -> None:
    application = await start()
    rows = [await candidate(application, label) for label in ("first", "second", "third")]
    for row in rows:
        await set_live(application, row)
    flip(weights_of(rows[2]))
    weights_of(rows[1]).unlink()
    NearestLearner.forget_calls()

    assert await said(application.models) == "first"
    assert (
        f"model {rows[2].id} of tenant acme cannot be used, and {rows[0].id}, which was live before it" in caplog.text
    )
    assert f"model {rows[1].id} of tenant acme cannot be used either" in caplog.text
    assert NearestLearner.fits == []


async def test_a_damaged_version_with_none_before_it_is_fitted_anew(
    start: Open, caplog: pytest.LogCaptureFixture
) -> None:
    application = await start()
    version = await candidate(application, "better")
    await set_live(application, version)
    flip(weights_of(version))

    assert await said(application.models) == "card"
    assert f"model {version.id} of tenant acme cannot be used and is fitted anew" in caplog.text


async def test_a_version_for_another_encoder_is_not_served(start: Open, caplog: pytest.LogCaptureFixture) -> None:
    application = await start()
    await said(application.models)
    draft = await application.models.registry.draft()
    NearestLearner().save(draft / "head")
    version = await application.models.registry.add("acme", "intent", draft, base_hash="another")
    await application.models.promote("acme", version.id)
    await asyncio.sleep(0.2)

    assert await said(application.models) == "card"
    assert "fitted on vectors of the encoder another" in caplog.text


async def test_a_damaged_version_is_not_promoted(start: Open) -> None:
    application = await start()
    version = await candidate(application, "better")
    flip(weights_of(version))

    with pytest.raises(ModelIntegrityError, match="is damaged"):
        await application.models.promote("acme", version.id)
    (row,) = await list_versions(application.database, "acme")
    assert row.state == "candidate"


async def test_nobody_rolls_back_to_a_damaged_version(start: Open) -> None:
    application = await start()
    first, second = await candidate(application, "first"), await candidate(application, "second")
    for row in (first, second):
        await application.models.promote("acme", row.id)
    flip(weights_of(first))

    with pytest.raises(ModelIntegrityError, match="is damaged"):
        await application.models.roll_back("acme", "intent")
    live = await live_version(application.database, "acme", "intent")
    assert live is not None
    assert live.id == second.id


async def test_a_live_version_is_not_promoted_again(start: Open) -> None:
    application = await start()
    version = await candidate(application, "better")
    await application.models.promote("acme", version.id)

    with pytest.raises(ConflictError, match="is live already"):
        await application.models.promote("acme", version.id)


async def test_no_tenant_promotes_anothers_version(start: Open) -> None:
    application = await start()
    version = await candidate(application, "better")

    with pytest.raises(NotFoundError):
        await application.models.promote("other", version.id)
    with pytest.raises(NotFoundError):
        await application.models.roll_back("other", "intent")


# --- stores, and what is kept in them ------------------------------------------------------------------------------------


async def test_models_may_be_kept_behind_fsspec(start: Open, tmp_path: Path) -> None:
    options = {"models": {"artefacts": "memory://bucket/models"}}
    application = await start(**options)
    assert await said(application.models) == "card"
    version = await candidate(application, "better")
    assert version.artefact.startswith("memory://")
    await application.models.promote("acme", version.id)
    await served(application.models, "better")

    assert await said((await start(**options)).models) == "better"
    assert not (tmp_path / "models").exists()


async def test_files_of_old_versions_go_and_the_last_ones_stay(start: Open) -> None:
    application = await start(models={"keep_retired": 1})
    rows = [await candidate(application, f"label {number}") for number in range(4)]
    for row in rows:
        await application.models.promote("acme", row.id)

    there = await asyncio.to_thread(lambda: [Path(row.artefact).exists() for row in rows])
    assert there == [False, False, True, True]


# --- adapters --------------------------------------------------------------------------------------------------------------


class AdaptedHashEncoder(HashEncoder):
    """An encoder whose adapters turn vectors round by a fixed number of places; `encoded` are the texts that one was used for."""

    def __init__(self) -> None:
        super().__init__()
        self.encoded: list[str] = []

    def encode(self, texts: Sequence[str], *, adapters: Sequence[Adapter | None] | None = None) -> Any:
        vectors = super().encode(texts)
        for row, adapter in enumerate(adapters or ()):
            if adapter is not None:
                if adapter.base_hash != "base":
                    raise ModelError(f"adapter {adapter.id} was trained on the encoder weights {adapter.base_hash}")
                self.encoded.append(texts[row])
                vectors[row] = np.roll(vectors[row], int(adapter.arrays["places"][0]))
        return vectors


async def adapted(application: Application, label: str, *, places: float = 7, base: str = "base") -> ModelVersion:
    """A candidate whose head was fitted on what an adapter gives."""
    adapter = make_adapter(
        method="lora", base_hash=base, arrays={"places": np.array([places], dtype=np.float32)}, settings={}
    )
    pairs = {QUESTION: label, "something else": "other"}
    examples = [Example(id=text, task="intent", text=text, label=right) for text, right in pairs.items()]
    learner = NearestLearner()
    vectors = HashEncoder().encode(list(pairs))
    learner.fit(examples, np.roll(vectors, int(places), axis=1), seed=0)
    draft = await application.models.registry.draft()
    learner.save(draft / "head")
    save_adapter(draft / "adapter", adapter)
    return await application.models.registry.add("acme", "intent", draft, base_hash=HashEncoder().hash)


async def test_the_head_of_a_version_with_an_adapter_reads_what_the_adapter_gives(start: Open) -> None:
    encoder = AdaptedHashEncoder()
    application = await start(model=encoder)
    await said(application.models)
    await application.models.promote("acme", (await adapted(application, "better")).id)
    await served(application.models, "better")
    prediction = await (await application.models.request_for("acme", ANA)).models.predict("intent", QUESTION)

    assert prediction is not None
    assert prediction.confidence == pytest.approx(0.5), "the very vector that it was fitted on (see NearestLearner)"
    assert QUESTION in encoder.encoded
    assert await said(application.models, QUESTION, "other") == "card", "another tenant's head reads the base"


async def test_corrections_reach_an_adapted_head_adapted_and_the_memory_as_they_are(start: Open) -> None:
    application = await start(model=AdaptedHashEncoder())
    learned, kept = text_that_is(False), text_that_is(True)
    await teach(application, learned, "early")
    await application.models.promote("acme", (await adapted(application, "better")).id)
    await served(application.models, "better")
    await teach(application, kept, "late")
    task = application.models._tenants["acme"].tasks["intent"]
    row = task.instant.learner.texts.index(learned)

    expected = np.roll(HashEncoder().encode([learned])[0], 7)
    np.testing.assert_allclose(task.instant.learner.vectors[row], expected, atol=1e-6)
    assert [await said(application.models, text) for text in (learned, kept)] == ["early", "late"]
    match = task.memory.match("  " + kept.upper(), HashEncoder().encode([kept])[0])
    assert match is not None
    assert match.label == "late"


async def test_an_adapter_is_at_hand_before_the_first_message(start: Open, monkeypatch: pytest.MonkeyPatch) -> None:
    application = await start(model=AdaptedHashEncoder())
    await set_live(application, await adapted(application, "better"))
    await application.models.request_for("acme", ANA)
    key = application.models._tenants["acme"].tasks["intent"].adapter
    application.models._adapters.forget(key)
    request = await application.models.request_for("acme", ANA)
    await asyncio.sleep(0.3)

    loads = application.models._adapters.stats.loads
    assert application.models._adapters.stats.held == 1
    prediction = await request.models.predict("intent", QUESTION)
    assert prediction is not None
    assert (prediction.label, application.models._adapters.stats.loads) == ("better", loads)


async def test_an_adapter_that_does_not_fit_is_not_served(start: Open, caplog: pytest.LogCaptureFixture) -> None:
    application = await start(model=AdaptedHashEncoder())
    await said(application.models)
    version = await adapted(application, "better", base="strange")
    await application.models.promote("acme", version.id)
    await asyncio.sleep(0.3)

    assert await said(application.models) == "card"
    assert f"model {version.id} of tenant acme cannot be used" in caplog.text
    assert "trained on the encoder weights strange" in caplog.text


async def test_adapters_of_replaced_versions_leave_the_memory(start: Open) -> None:
    application = await start(model=AdaptedHashEncoder())
    await said(application.models)
    for number in range(5):
        await application.models.promote("acme", (await adapted(application, f"label {number}", places=number)).id)
        await served(application.models, f"label {number}")

    assert application.models._adapters.stats.held == 1


# --- disabled ------------------------------------------------------------------------------------------------------------


async def test_a_disabled_tenant_is_not_served_from_memory(start: Open) -> None:
    plugin = TaughtPlugin()
    application = await start(plugin)
    assert await said(application.models) == "card"
    await application.tenants.disable("acme")

    with pytest.raises(NotFoundError, match="tenant 'acme' is disabled"):
        await application.models.request_for("acme", ANA)
    assert application.models.loaded_tenants == ()
    assert plugin.disabled == ["acme"]
    await application.tenants.disable("acme", disabled=False)
    assert await said(application.models) == "card"


async def test_live_models_that_nobody_has_stop_asking_the_store(start: Open) -> None:
    application = await start()
    models = new_models(application, sync_s=0.1)
    await said(models)
    watcher = models._watcher
    del models
    gc.collect()
    await asyncio.sleep(0.3)

    assert watcher is not None
    assert watcher.done()
