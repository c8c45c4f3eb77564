"""A worker trains a model with an adapter, by the tenant's settings; promoted, it serves turns with it, and nobody else notices."""

from __future__ import annotations

import asyncio
import random
import threading
import time
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from unittest.mock import patch

import pytest

pytest.importorskip("peft", reason="needs the extra rejoinder[models]")

from rejoinder.application import Application
from rejoinder.context import utc_now
from rejoinder.errors import ModelError, ModelIntegrityError
from rejoinder.learning.adaptation import run_adaptation
from rejoinder.learning.holdback import held_back
from rejoinder.learning.version_folder import ADAPTER
from rejoinder.models.adapters.adapter import load_adapter, save_adapter
from rejoinder.models.artefact import MANIFEST
from rejoinder.models.encoding.encoder import PRECISIONS, Encoder
from rejoinder.models.storage import check_artefact
from rejoinder.models.tasks.multi_label import MultiLabelClassifier
from rejoinder.models.tasks.question_answering import QuestionAnswering
from rejoinder.models.tasks.sentence_pair import SentencePairScorer
from rejoinder.models.tasks.text_classification import TextClassifier
from rejoinder.models.tasks.token_classification import TokenClassifier
from rejoinder.models.training.batches import epoch_batches
from rejoinder.models.training.checkpoint import save_checkpoint
from rejoinder.models.training.optimiser import make_optimiser
from rejoinder.models.training.warm_start import save_warm_start
from rejoinder.payloads import AdaptationRequest, Example, Task
from rejoinder.store.examples import add_examples
from rejoinder.store.models import add_version, list_evaluations, list_versions
from rejoinder.store.runs import create_run
from rejoinder.store.tables import ModelVersion
from rejoinder.testing import HashModels
from rejoinder_plugins.learner_adaptation import LearnerAdaptationPlugin, LearnerAdaptationSettings
from rejoinder_plugins.learner_adaptation.training import WARM_START, kind_of, train_adapter

from tests.support.application import ANA, opened
from tests.support.learners import TaughtPlugin
from tests.support.tiny_encoder import FILL, write_tiny_bert

QUESTION = "the firm rose"


def texts(count: int = 40) -> dict[str, str]:
    draw = random.Random(0)
    found = {}
    for number in range(count):
        verb, label = (("rose", "up"), ("fell", "down"))[number % 2]
        found[f"{verb} {' '.join(draw.choices(FILL, k=3))} firm"] = label
    return found


@pytest.fixture(scope="module")
def encoder(tmp_path_factory: pytest.TempPathFactory) -> Encoder:
    folder = tmp_path_factory.mktemp("tiny")
    write_tiny_bert(folder)
    return Encoder(str(folder), threads=1)


@pytest.fixture
async def application(tmp_path: Path, encoder: Encoder) -> AsyncIterator[Application]:
    plugins = {"taught": TaughtPlugin(texts(), TextClassifier), "learner_adaptation": LearnerAdaptationPlugin()}
    async with opened(tmp_path, plugins, model=encoder, tenants=("acme", "other")) as application:
        await application.tenants.set_setting("acme", "learner_adaptation.method", "lora")
        await application.tenants.set_setting("acme", "learner_adaptation.epochs", 2)
        yield application


async def adapted(application: Application) -> ModelVersion:
    run = await create_run(application.database, "acme", task="intent")
    version_id = await run_adaptation(application, tenant="acme", run_id=run.id, owner="worker")
    (version,) = [one for one in await list_versions(application.database, "acme") if one.id == version_id]
    return version


async def turn(application: Application, tenant: str) -> tuple[str | None, str]:
    request = await application.models.request_for(tenant, ANA)
    said = await request.models.predict("intent", QUESTION)
    return (said.label if said else None), request.models.versions["intent"]


async def test_a_run_trains_an_adapter_that_serves_once_it_is_promoted(application: Application) -> None:
    kept = next(text for n in range(100) if held_back(text := f"rose {'good ' * n}firm", 10))
    one = Example(id="kept", task="intent", text=kept, label="up", polarity="correction", at=utc_now())
    await add_examples(application.database, "acme", [one], held_back=lambda example: held_back(example.text, 10))
    assert await turn(application, "acme") == ("up", "intent-1+1")
    elsewhere = await turn(application, "other")
    version = await adapted(application)

    folder = Path(version.artefact)
    assert {name.partition("/")[0] for name in check_artefact(folder)["files"]} == {
        "adapter",
        "head",
        "anchors",
        "warm_start",
    }
    assert load_adapter(folder / "adapter").settings["trained_as"] == "lora"
    assert "adapter_train_loss" in version.metrics
    (scored,) = await list_evaluations(application.database, "acme", version.id)
    assert scored.correct == {"kept": True}

    await application.models.promote("acme", version.id)
    async with asyncio.timeout(10):
        while (await turn(application, "acme"))[1] != "intent-2+1":
            assert await turn(application, "other") == elsewhere
            await asyncio.sleep(0.02)
    assert await turn(application, "acme") == ("up", "intent-2+1")
    assert application.models._adapters.stats.held == 1
    assert await turn(application, "other") == elsewhere


async def test_a_run_leaves_no_checkpoints(application: Application) -> None:
    await adapted(application)
    work = Path(application.settings.data_dir) / "work" / "learner_adaptation"
    assert list(work.iterdir()) == []


async def taught(application: Application, name: str, text: str, label: str) -> Example:
    one = Example(id=name, task="intent", text=text, label=label, polarity="correction", user_id=name, at=utc_now())
    await add_examples(application.database, "acme", [one], held_back=lambda example: False)
    return one


async def test_a_round_goes_on_from_the_live_adapter_and_counts_what_that_had_learned(application: Application) -> None:
    await taught(application, "ana", "it rose again", "up")
    first = await adapted(application)
    await application.models.promote("acme", first.id)
    await taught(application, "ben", "the firm paid", "flat")
    with patch("rejoinder.models.training.loop.epoch_batches", wraps=epoch_batches) as batches:
        second = await adapted(application)
    assert (first.settings["continues"], second.settings["continues"]) == (False, True)
    rehearsed, lengths = batches.call_args.kwargs["rehearsed"], batches.call_args.args[0]
    assert len(lengths) - len(rehearsed) == 1, "one text is new"
    await application.models.promote("acme", second.id)

    # Ana's text is in what the second goes on from, whether or not it was rehearsed.
    await application.eraser.erase("acme", "ana", by="key:admin")
    versions = {one.number: one for one in await list_versions(application.database, "acme")}
    assert versions[second.number].erased_at is not None
    third = await adapted(application)
    assert third.settings["continues"] is False, "nothing goes on from what is to be forgotten"
    assert third.erased_at is None


async def test_a_round_starts_anew_where_the_live_adapter_was_trained_otherwise_or_that_is_wanted(
    application: Application,
) -> None:
    await application.models.promote("acme", (await adapted(application)).id)
    await application.tenants.set_setting("acme", "learner_adaptation.method", "prefix_tuning")
    prefix = await adapted(application)
    assert prefix.settings["continues"] is False
    await application.models.promote("acme", prefix.id)
    await application.tenants.set_setting("acme", "learner_adaptation.warm_start", False)
    assert (await adapted(application)).settings["continues"] is False


async def test_what_a_version_goes_on_from_counts_even_where_nothing_of_it_is_rehearsed(
    application: Application,
) -> None:
    one = await taught(application, "ana", "it rose again", "up")
    lineage: dict[str, Any] = {"task": "intent", "artefact": "x", "sha256": "y"}
    first = await add_version(application.database, "acme", example_ids=[one.id], **lineage)
    later = await add_version(application.database, "acme", parent_id=first.id, continues=True, **lineage)
    apart = await add_version(application.database, "acme", parent_id=first.id, **lineage)
    await application.eraser.erase("acme", "ana", by="key:admin")
    versions = {one.id: one.erased_at for one in await list_versions(application.database, "acme")}
    assert (versions[later.id] is None, versions[apart.id] is None) == (False, True)


@pytest.mark.parametrize(
    ("learner", "kind"),
    [
        (TextClassifier, "classification"),
        (MultiLabelClassifier, "multi-label"),
        (SentencePairScorer, "pairs"),
        (QuestionAnswering, "qa"),
        (TokenClassifier, "tags"),
    ],
)
def test_an_adapter_is_trained_for_what_the_learner_is(learner: Any, kind: str) -> None:
    assert kind_of(learner()) == kind


def asked(folder: Path) -> AdaptationRequest:
    examples = [Example(id=text, task="intent", text=text, label=label) for text, label in texts().items()]
    return AdaptationRequest(run_id="run", task="intent", examples=tuple(examples), folder=str(folder))


async def test_a_cancelled_training_stops_and_is_taken_up_where_it_stopped(tmp_path: Path, encoder: Encoder) -> None:
    settings = LearnerAdaptationSettings(method="lora", epochs=3)
    told: list[tuple[float, str | None]] = []

    def tell(share: float, *, checkpoint: str | None = None) -> None:
        told.append((share, checkpoint))

    whole, _ = await train_adapter("classification", asked(tmp_path), settings, encoder, tmp_path / "whole", tell)
    reached, saved = threading.Event(), threading.Event()

    def save(*args: Any, **options: Any) -> None:
        save_checkpoint(*args, **options)
        (saved if reached.is_set() else reached).set()
        time.sleep(0.2)

    with patch("rejoinder.models.training.loop.save_checkpoint", save):
        training = asyncio.create_task(
            train_adapter("classification", asked(tmp_path), settings, encoder, tmp_path / "work", tell)
        )
        assert await asyncio.to_thread(reached.wait, 20)
        training.cancel()
        with pytest.raises(asyncio.CancelledError):
            await training
        assert await asyncio.to_thread(saved.wait, 20)
        await asyncio.sleep(1)  # the thread ends, and gives torch's random numbers back
    (left,) = (tmp_path / "work").iterdir()
    assert (left / "checkpoint").is_dir()
    told.clear()

    with patch("rejoinder.models.training.loop._Run._evaluate", autospec=True) as epochs:
        again, _ = await train_adapter("classification", asked(tmp_path), settings, encoder, tmp_path / "work", tell)
    assert epochs.call_count < settings.epochs, "the epochs before are not run again"
    assert again.adapter.id == whole.adapter.id
    assert list((tmp_path / "work").iterdir()) == []
    shares = [share for share, _ in told]
    assert shares == sorted(shares)
    assert (0 < shares[0] < 0.9, shares[-1], told[0][1]) == (True, pytest.approx(0.9), str(left))


async def test_a_reader_goes_on_at_a_lower_rate_than_it_began_with(tmp_path: Path, encoder: Encoder) -> None:
    passage = "sales of the firm rose"
    target = {"start": 18, "end": 22}
    examples = [
        Example(id=str(i), task="qa", text=f"what {FILL[i]}", other=passage, target=target, polarity=polarity)
        for i, polarity in enumerate(("positive", "negative"))
    ]
    request = AdaptationRequest(run_id="run", task="qa", examples=tuple(examples), folder=str(tmp_path))
    settings = LearnerAdaptationSettings(method="full", epochs=1)
    with patch("rejoinder.models.training.optimiser.make_optimiser", wraps=make_optimiser) as made:
        first, went_on = await train_adapter("qa", request, settings, encoder, tmp_path / "work", tell_nobody)
        assert not went_on
        save_adapter(tmp_path / ADAPTER, first.adapter)
        save_warm_start(tmp_path / WARM_START, first.warm_start)
        later = replace(request, base_version="first", base_folder=str(tmp_path), rehearsed=("0",))
        _, went_on = await train_adapter("qa", later, settings, encoder, tmp_path / "work", tell_nobody)
    assert went_on
    before, after = (call.kwargs["rate"] for call in made.call_args_list)
    assert after < before


@pytest.mark.parametrize("damage", ["cut short", "lost", "no JSON"])
async def test_a_damaged_checkpoint_is_not_used(tmp_path: Path, encoder: Encoder, damage: str) -> None:
    settings = LearnerAdaptationSettings(method="lora", epochs=2)
    folders: list[Path] = []

    def stop_after_first(*args: Any, **options: Any) -> None:
        save_checkpoint(*args, **options)
        folders.append(args[0])
        raise OSError("the machine is gone")

    with (
        patch("rejoinder.models.training.loop.save_checkpoint", stop_after_first),
        pytest.raises(OSError, match="is gone"),
    ):
        await train_adapter("classification", asked(tmp_path), settings, encoder, tmp_path / "work", tell_nobody)
    (folder,) = folders
    largest = max(folder.iterdir(), key=lambda path: path.stat().st_size)
    if damage == "cut short":
        largest.write_bytes(largest.read_bytes()[:100])
    elif damage == "lost":
        largest.unlink()
    else:
        (folder / MANIFEST).write_text("{")

    made, _ = await train_adapter("classification", asked(tmp_path), settings, encoder, tmp_path / "work", tell_nobody)
    whole, _ = await train_adapter(
        "classification", asked(tmp_path), settings, encoder, tmp_path / "whole", tell_nobody
    )
    assert made.adapter.id == whole.adapter.id


def tell_nobody(share: float, *, checkpoint: str | None = None) -> None:
    """Take progress that no test looks at."""


async def test_an_encoder_without_weights_cannot_be_adapted(tmp_path: Path) -> None:
    plugin = LearnerAdaptationPlugin()
    task = Task(name="intent", learner=TextClassifier)
    plugin.start(SimpleNamespace(data_dir=str(tmp_path), tasks={"intent": task}))  # type: ignore[arg-type]
    context: Any = SimpleNamespace(settings=LearnerAdaptationSettings(method="full"), models=HashModels())
    with pytest.raises(ModelError, match="cannot be adapted"):
        await plugin.adapt_model(asked(tmp_path), context)


# --- one precision for servers and workers -----------------------------------------------------------------------------


class Int8(Encoder):
    """The same encoder as a server with `onnx-int8` has it, as far as keys go."""

    def __init__(self, folder: Path) -> None:
        super().__init__(str(folder), threads=1)
        self.hash = next(key for key, precision in keys(self).items() if precision == "int8")


def keys(encoder: Encoder) -> dict[str, str]:
    from rejoinder.models.encoding.encoder import _hash

    made = {}
    for precision in PRECISIONS:
        key = _hash(encoder.weights_sha256, encoder.pooling.mode, encoder.max_tokens, precision)
        assert encoder.precision_of(key) == precision
        made[key] = precision
    return made


async def test_a_model_fitted_in_another_precision_is_refused_with_what_to_do(
    application: Application, encoder: Encoder
) -> None:
    await turn(application, "acme")
    (version,) = await list_versions(application.database, "acme")
    int8 = Int8(encoder.folder)

    assert encoder.precision_of("another") is None
    with pytest.raises(ModelIntegrityError, match=r'in float32, .* in int8.*again with encoder.backend = "onnx-int8"'):
        await application.models.registry.load(version, TextClassifier, base_hash=int8.hash, encoder=int8)
    with pytest.raises(ModelIntegrityError, match="use the encoder it was fitted on"):
        await application.models.registry.load(version, TextClassifier, base_hash="another")


async def test_a_worker_with_another_precision_than_the_servers_does_not_begin(
    application: Application, encoder: Encoder, tmp_path: Path
) -> None:
    await application.models.promote("acme", (await adapted(application)).id)
    plugins = {"taught": TaughtPlugin(texts(), TextClassifier), "learner_adaptation": LearnerAdaptationPlugin()}
    run = await create_run(application.database, "acme", task="intent")
    async with opened(tmp_path, plugins, model=Int8(encoder.folder)) as worker:
        with pytest.raises(ModelError, match=r"is live and cannot be used by this worker: .* in float32, .* in int8"):
            await run_adaptation(worker, tenant="acme", run_id=run.id, owner="worker")
    live = await list_versions(application.database, "acme", state="live")
    assert [f"{one.task}-{one.number}" for one in live] == ["intent-2"], "nothing was fitted anew"
