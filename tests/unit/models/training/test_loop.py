"""The training loop, on a tiny random BERT."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from rejoinder.errors import (
    InvalidInputError,
    ModelIntegrityError,
    SettingsError,
    TrainingCancelledError,
    TrainingError,
)
from rejoinder.models.training.base import Base
from rejoinder.models.training.loop import CHECKPOINT, Trained, train
from rejoinder.models.training.network import Network
from rejoinder.models.training.objectives.classification import Classification
from rejoinder.models.training.progress import Progress
from rejoinder.models.training.settings import TrainingSettings
from rejoinder.payloads import Example

SHORT = TrainingSettings(epochs=3, batch_size=16, dev_share=0.0, device="cpu", precision="float32")


def run(examples: Sequence[Example], base: Base, settings: TrainingSettings = SHORT, **options: Any) -> Trained:
    return train(examples, Classification.of(examples), base=base, settings=settings, **options)


def same(first: Trained, second: Trained) -> bool:
    heads = all(np.array_equal(first.head[name], second.head[name]) for name in first.head)
    return first.adapter.id == second.adapter.id and heads


@pytest.mark.parametrize("method", ["full", "lora", "adalora", "prefix_tuning"])
def test_each_method_lowers_the_loss(method: str, tiny: Base, rises: list[Example]) -> None:
    seen: list[Progress] = []
    made = run(rises, tiny, replace(SHORT, epochs=8), method=method, report=seen.append)
    assert [one.step for one in seen] == list(range(1, 25))
    assert {one.total for one in seen} == {24}
    assert seen[-1].loss < 0.8 * seen[0].loss
    assert made.steps == 24
    assert made.metrics["train_loss"] < seen[0].loss
    assert made.adapter.base_hash == tiny.hash
    assert made.head["weight"].shape == (2, 32)
    assert made.head_settings["labels"] == ["down", "up"]


def test_same_seed_same_weights_and_another_seed_others(tiny: Base, rises: list[Example]) -> None:
    first, second, third = (run(rises, tiny, seed=seed) for seed in (1, 1, 2))
    assert same(first, second)
    assert first.adapter.id != third.adapter.id


def test_training_leaves_the_random_numbers_of_others_alone(tiny: Base, rises: list[Example]) -> None:
    torch.manual_seed(5)
    before = torch.random.get_rng_state()
    run(rises, tiny, replace(SHORT, epochs=1))
    assert torch.equal(before, torch.random.get_rng_state())


@pytest.mark.parametrize("method", ["full", "adalora"])
@pytest.mark.parametrize("stop_after", [1, 4])
def test_a_resumed_run_ends_where_an_uninterrupted_one_does(
    method: str, stop_after: int, tiny: Base, rises: list[Example], tmp_path: Path
) -> None:
    settings = replace(SHORT, dev_share=0.25, checkpoint_steps=1)
    whole = run(rises, tiny, settings, method=method)
    steps: list[int] = []
    with pytest.raises(TrainingCancelledError, match=f"after step {stop_after} of") as error:
        run(
            rises,
            tiny,
            settings,
            method=method,
            work_dir=tmp_path,
            report=lambda one: steps.append(one.step),
            cancelled=lambda: len(steps) == stop_after,
        )
    assert error.value.checkpoint == str(tmp_path / CHECKPOINT)
    resumed = run(rises, tiny, settings, method=method, work_dir=tmp_path, resume=True)
    assert same(whole, resumed)
    assert resumed.metrics == whole.metrics
    assert not (tmp_path / CHECKPOINT).exists()


def test_resuming_without_a_checkpoint_starts_from_the_beginning(
    tiny: Base, rises: list[Example], tmp_path: Path
) -> None:
    assert same(run(rises, tiny), run(rises, tiny, work_dir=tmp_path, resume=True))


def cancel_at_once(examples: list[Example], base: Base, folder: Path, **options: Any) -> None:
    with pytest.raises(TrainingCancelledError):
        run(examples, base, work_dir=folder, cancelled=lambda: True, **options)


def test_a_checkpoint_of_another_run_is_refused(tiny: Base, rises: list[Example], tmp_path: Path) -> None:
    cancel_at_once(rises, tiny, tmp_path, seed=1)
    with pytest.raises(TrainingError, match="of another run"):
        run(rises, tiny, work_dir=tmp_path, resume=True, seed=2)


def test_a_damaged_checkpoint_is_refused_by_name(tiny: Base, rises: list[Example], tmp_path: Path) -> None:
    cancel_at_once(rises, tiny, tmp_path)
    file = next((tmp_path / CHECKPOINT).glob("*.safetensors"))
    file.write_bytes(file.read_bytes()[:-1] + b"x")
    with pytest.raises(ModelIntegrityError, match=file.name):
        run(rises, tiny, work_dir=tmp_path, resume=True)


class Broken(Classification):
    """Gives losses of its own from one step on."""

    def __init__(self, labels: Sequence[str], *, loss: float, after: int) -> None:
        super().__init__(labels)
        self._loss, self._after, self._calls = loss, after, 0

    def loss(self, head: torch.nn.Module, read: Any, features: Any) -> torch.Tensor:
        self._calls += 1
        return super().loss(head, read, features) * (self._loss if self._calls > self._after else 1.0)


@pytest.mark.parametrize("value", [math.nan, math.inf])
def test_a_loss_that_is_no_number_stops_with_the_step_and_the_last_good_checkpoint(
    value: float, tiny: Base, rises: list[Example], tmp_path: Path
) -> None:
    broken = Broken(["down", "up"], loss=value, after=4)
    with pytest.raises(TrainingError, match=r"step 5 of 9 .*checkpoint is") as error:
        train(rises, broken, base=tiny, settings=SHORT, work_dir=tmp_path)
    assert error.value.step == 4
    assert error.value.checkpoint == str(tmp_path / CHECKPOINT)
    with pytest.raises(TrainingError, match="no checkpoint was written"):
        train(rises, Broken(["down", "up"], loss=value, after=0), base=tiny, settings=SHORT)


def without_dropout(base: Base, monkeypatch: pytest.MonkeyPatch) -> None:
    """Parts of a batch draw other dropout than the whole; without it both must give the same."""
    loaded = Base.model

    def model(self: Base) -> torch.nn.Module:
        found = loaded(self)
        for module in found.modules():
            if isinstance(module, torch.nn.Dropout):
                module.p = 0.0
        return found

    monkeypatch.setattr(Base, "model", model)


def test_memory_that_runs_out_halves_what_runs_at_once_and_changes_nothing_else(
    tiny: Base, rises: list[Example], monkeypatch: pytest.MonkeyPatch
) -> None:
    without_dropout(tiny, monkeypatch)
    whole = run(rises, tiny)
    forward = Network.forward

    def small_memory(self: Network, features: Any) -> torch.Tensor:
        if len(features) > 6:
            raise torch.OutOfMemoryError("CUDA out of memory")
        return forward(self, features)

    monkeypatch.setattr(Network, "forward", small_memory)
    seen: list[Progress] = []
    halved = run(rises, tiny, report=seen.append)
    assert {one.batch_rows for one in seen} == {4}
    assert halved.steps == whole.steps
    for name, array in whole.adapter.arrays.items():
        np.testing.assert_allclose(halved.adapter.arrays[name], array, atol=2e-4)


def test_memory_that_does_not_hold_one_example_is_an_error(
    tiny: Base, rises: list[Example], monkeypatch: pytest.MonkeyPatch
) -> None:
    def no_memory(self: Network, features: Any) -> torch.Tensor:
        raise RuntimeError("DefaultCPUAllocator: can't allocate memory")

    monkeypatch.setattr(Network, "forward", no_memory)
    with pytest.raises(TrainingError, match="memory ran out at step 1 with 1 examples at once"):
        run(rises, tiny)


def test_other_errors_of_torch_are_not_taken_for_memory(
    tiny: Base, rises: list[Example], monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(self: Network, features: Any) -> torch.Tensor:
        raise RuntimeError("shapes do not fit")

    monkeypatch.setattr(Network, "forward", broken)
    with pytest.raises(RuntimeError, match="shapes do not fit"):
        run(rises, tiny)


class Scripted(Classification):
    """Scores as a list says, one value an evaluation."""

    def __init__(self, values: Sequence[float]) -> None:
        super().__init__(["down", "up"])
        self._values = list(values)

    def score(self, predictions: Sequence[int], features: Any) -> dict[str, float]:
        return {"accuracy": self._values.pop(0)}


def test_training_stops_early_and_keeps_the_best_weights(tiny: Base, rises: list[Example]) -> None:
    settings = replace(SHORT, epochs=9, patience=2, batch_size=32)
    made = train(rises, Scripted([0.5, 0.9, 0.4, 0.3, 0.2]), base=tiny, settings=settings, dev=rises[:4])
    assert made.steps == 4 * 2
    assert made.metrics["accuracy"] == 0.9
    at_best = train(rises, Scripted([0.5, 0.9]), base=tiny, settings=replace(settings, epochs=9, patience=1), dev=[])
    assert at_best.steps == 9 * 2  # an empty dev set stops nothing
    assert made.adapter.id != at_best.adapter.id


def test_without_patience_what_is_held_out_only_measures(tiny: Base, rises: list[Example]) -> None:
    settings = replace(SHORT, patience=None, batch_size=32)
    made = train(rises, Scripted([0.9, 0.5, 0.1]), base=tiny, settings=settings, dev=rises[:4])
    assert made.metrics["accuracy"] == 0.1
    assert made.adapter.id == train(rises, Scripted([]), base=tiny, settings=settings, dev=[]).adapter.id


def test_held_out_examples_are_not_trained_on_and_are_spread_over_the_labels(tiny: Base, rises: list[Example]) -> None:
    made = run(rises, tiny, replace(SHORT, epochs=1, dev_share=0.25))
    assert len(made.held_out) == 12
    assert sum(rises[place].label == "up" for place in made.held_out) == 6
    assert made.metrics["examples"] == 36
    assert 0 <= made.metrics["accuracy"] <= 1


def test_one_example_and_a_label_without_examples_can_be_trained(tiny: Base, rises: list[Example]) -> None:
    objective = Classification(["up", "down", "sideways"], balance=1.0)
    made = train(rises[:1], objective, base=tiny, settings=replace(SHORT, dev_share=0.5))
    assert made.metrics["examples"] == 1
    assert made.held_out == ()
    assert made.head["weight"].shape == (3, 32)


def test_no_usable_example_and_an_unknown_label_are_told(tiny: Base, rises: list[Example]) -> None:
    empty = [Example(id="0", task="t", text=" ", label="up")]
    with pytest.raises(InvalidInputError, match="none of 1 examples can be used"):
        train(empty, Classification(["up"]), base=tiny, settings=SHORT)
    with pytest.raises(
        InvalidInputError, match=r"example x: label 'dwn' is not among the 2 labels to learn. Did you mean 'down'"
    ):
        train(
            [Example(id="x", task="t", text="fell", label="dwn")],
            Classification(["up", "down"]),
            base=tiny,
            settings=SHORT,
        )


def test_a_negative_example_lowers_its_label(tiny: Base) -> None:
    def likely(examples: list[Example]) -> float:
        made = train(examples, Classification(["down", "up"]), base=tiny, settings=replace(SHORT, epochs=10))
        bias = made.head["bias"]
        return float(bias[1] - bias[0])

    yes = [Example(id=str(i), task="t", text="the firm", label="up") for i in range(8)]
    no = [replace(one, polarity="negative") for one in yes]
    assert likely(no) < 0 < likely(yes)


class Recorder:
    """Keeps scalars."""

    def __init__(self) -> None:
        self.found: list[tuple[str, int]] = []

    def add(self, name: str, value: float, step: int) -> None:
        assert math.isfinite(value)
        self.found.append((name, step))

    def close(self) -> None:
        """Nothing to close."""


def test_scalars_are_written_for_steps_and_evaluations(tiny: Base, rises: list[Example]) -> None:
    recorder = Recorder()
    run(rises, tiny, replace(SHORT, epochs=2, dev_share=0.25), scalars=recorder)
    assert [step for name, step in recorder.found if name == "train/loss"] == [1, 2, 3, 4, 5, 6]
    assert [step for name, step in recorder.found if name == "dev/accuracy"] == [3, 6]


def test_bfloat16_trains_on_a_cpu_too(tiny: Base, rises: list[Example]) -> None:
    seen: list[Progress] = []
    made = run(rises, tiny, replace(SHORT, epochs=8, precision="bf16"), report=seen.append)
    assert seen[-1].loss < 0.8 * seen[0].loss
    assert all(array.dtype == np.float32 for array in made.adapter.arrays.values())


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({"epochs": 0}, "epochs is 0, expected a whole number >= 1"),
        ({"learning_rate": -1.0}, "learning_rate is -1.0"),
        ({"dev_share": 1.0}, "dev_share is 1.0"),
        ({"patience": 0}, "patience is 0, expected a whole number >= 1, or none"),
        ({"precision": "fp16"}, "precision is 'fp16', expected auto, float32 or bf16"),
    ],
)
def test_settings_out_of_range_are_refused(values: dict[str, Any], said: str) -> None:
    with pytest.raises(SettingsError, match=said):
        TrainingSettings(**values)


def test_a_device_that_is_not_there_is_refused(tiny: Base, rises: list[Example]) -> None:
    with pytest.raises(SettingsError, match="device is 'gpu7'"):
        run(rises, tiny, replace(SHORT, device="gpu7"))


def test_an_unknown_method_is_refused_with_the_choices(tiny: Base, rises: list[Example]) -> None:
    with pytest.raises(SettingsError, match=r"no adaptation method 'lorra'.*Did you mean 'lora'"):
        run(rises, tiny, method="lorra")
