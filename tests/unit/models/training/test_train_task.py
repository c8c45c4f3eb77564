"""From examples to a model that serves, for each kind of task, on a tiny encoder."""

from __future__ import annotations

import json
import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from rejoinder.errors import InvalidInputError, ModelIntegrityError, SettingsError
from rejoinder.learning.train_task import (
    KINDS,
    load_task_model,
    read_examples_with,
    save_task_model,
    train_task,
)
from rejoinder.models.adapters.full.settings import FullSettings
from rejoinder.models.encoding.encoder import Encoder
from rejoinder.models.training.settings import TrainingSettings
from rejoinder.payloads import Example

from tests.support.tiny_encoder import FILL

SHORT = TrainingSettings(epochs=2, batch_size=16, dev_share=0.25, device="cpu")

Make = Callable[[random.Random, int], dict[str, Any]]


def one_label(draw: random.Random, number: int) -> dict[str, Any]:
    verb, label = (("rose", "up"), ("fell", "down"))[number % 2]
    return {"text": f"{verb} {' '.join(draw.choices(FILL, k=3))}", "label": label}


def several_labels(draw: random.Random, number: int) -> dict[str, Any]:
    words = [word for word in ("rose", "fell") if draw.random() < 0.5]
    return {"text": " ".join([*words, *draw.choices(FILL, k=3)]), "target": words}


def pair(draw: random.Random, number: int) -> dict[str, Any]:
    second = ("fell", "rose")[number % 2]
    fill = " ".join(draw.choices(FILL, k=2))
    return {"text": f"rose {fill}", "other": f"{second} {fill}", "label": ("no", "yes")[number % 2]}


def question(draw: random.Random, number: int) -> dict[str, Any]:
    words = draw.choices(FILL, k=5)
    if number % 3 == 0:
        return {"text": "who rose", "other": " ".join(words)}
    words[draw.randrange(5)] = "firm"
    start = " ".join(words).index("firm")
    return {"text": "who rose", "other": " ".join(words), "target": {"start": start, "end": start + 4}}


def slots(draw: random.Random, number: int) -> dict[str, Any]:
    words = draw.choices(FILL, k=4)
    words[draw.randrange(4)] = "sales grew"
    text = " ".join(words)
    start = text.index("sales")
    return {"text": text, "target": [{"start": start, "end": start + 10, "label": "event"}]}


MAKERS: dict[str, Make] = {
    "classification": one_label,
    "multi-label": several_labels,
    "pairs": pair,
    "qa": question,
    "tags": slots,
}


@pytest.fixture(scope="module")
def encoder(tiny_folder: Path) -> Encoder:
    return Encoder(str(tiny_folder), threads=1)


def made(kind: str, count: int = 40) -> list[Example]:
    draw = random.Random(0)
    return [Example(id=str(number), task=kind, **MAKERS[kind](draw, number)) for number in range(count)]


def test_there_is_a_maker_for_each_kind() -> None:
    assert set(MAKERS) == set(KINDS)


@pytest.mark.parametrize("kind", list(MAKERS))
@pytest.mark.parametrize("method", ["head", "lora"])
def test_a_model_says_the_same_after_it_was_saved_and_loaded(
    kind: str, method: str, encoder: Encoder, tmp_path: Path
) -> None:
    examples = made(kind)
    model = train_task(kind, examples, encoder=encoder, method=method, settings=SHORT, dev=made(kind, 8))
    assert (model.adapter is None) == (method == "head")
    save_task_model(tmp_path / "model", model, made_of={"seed": 0})
    found = load_task_model(tmp_path / "model")
    asked = made(kind, 12)
    texts = [(one.text, one.other or "") if kind in ("pairs", "qa") else one.text for one in asked]
    first = model.learner.predict_batch(texts, read_examples_with(encoder, kind, asked, model.adapter))
    second = found.learner.predict_batch(texts, read_examples_with(encoder, kind, asked, found.adapter))
    assert first == second
    assert found.metrics == model.metrics
    assert any(name.startswith("dev_") for name in found.metrics)


def test_the_adapter_changes_what_the_head_reads(encoder: Encoder) -> None:
    examples = made("classification")
    model = train_task("classification", examples, encoder=encoder, method="full", settings=SHORT)
    plain = read_examples_with(encoder, "classification", examples, None)
    adapted = read_examples_with(encoder, "classification", examples, model.adapter)
    assert abs(plain - adapted).max() > 1e-3


def test_answers_are_learned_without_dropout_unless_somebody_says_otherwise() -> None:
    assert KINDS["qa"].method_settings("full") == FullSettings(dropout=0.0)
    assert KINDS["qa"].method_settings("lora") is None
    assert KINDS["tags"].method_settings("full") is None


def test_an_unknown_kind_is_refused_with_the_choices(encoder: Encoder) -> None:
    with pytest.raises(SettingsError, match=r"no kind of task 'tgas'.*Did you mean 'tags'"):
        train_task("tgas", [], encoder=encoder)


def test_half_a_model_and_a_damaged_one_are_refused(encoder: Encoder, tmp_path: Path) -> None:
    with pytest.raises(InvalidInputError, match="holds no trained model"):
        load_task_model(tmp_path)
    model = train_task("classification", made("classification"), encoder=encoder, method="lora", settings=SHORT)
    save_task_model(tmp_path, model, made_of={})
    assert json.loads((tmp_path / "training.json").read_text())["kind"] == "classification"
    file = next((tmp_path / "adapter").glob("*.safetensors"))
    file.write_bytes(file.read_bytes()[:100])
    with pytest.raises(ModelIntegrityError, match=file.name):
        load_task_model(tmp_path)
