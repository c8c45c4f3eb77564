"""A training that goes on where an earlier one ended."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from rejoinder.errors import SettingsError, TrainingError
from rejoinder.models.adapters.adapter import Adapter
from rejoinder.models.adapters.lora.settings import LoRASettings
from rejoinder.models.adapters.prefix_tuning.settings import PrefixTuningSettings
from rejoinder.models.training.base import Base
from rejoinder.models.training.loop import Trained, train
from rejoinder.models.training.objectives.classification import Classification
from rejoinder.models.training.objectives.multi_label import MultiLabel
from rejoinder.models.training.objectives.tags import Tags
from rejoinder.models.training.progress import Progress
from rejoinder.models.training.settings import TrainingSettings
from rejoinder.models.training.warm_start import load_warm_start, save_warm_start
from rejoinder.payloads import Example

SHORT = TrainingSettings(epochs=4, batch_size=16, dev_share=0.0, device="cpu", precision="float32")
STILL = replace(SHORT, epochs=1, learning_rate=1e-12, head_learning_rate=1e-12, weight_decay=0.0)
"""Rates at which nothing moves that float32 could tell."""

METHODS = ("lora", "adalora", "prefix_tuning", "full")


def effect(adapter: Adapter) -> Mapping[str, Any]:
    """What an adapter does, whatever its factors are called: B A times its scaling, else the arrays themselves."""
    if adapter.method != "lora":
        return adapter.arrays
    found = {}
    for name, scaling in adapter.settings["scaling"].items():
        path = f"base_model.model.{name}.lora_"
        found[name] = scaling * adapter.arrays[f"{path}B.weight"] @ adapter.arrays[f"{path}A.weight"]
    return found


def same_effect(first: Adapter, second: Adapter) -> bool:
    one, other = effect(first), effect(second)
    return set(one) == set(other) and all(np.allclose(one[name], other[name], atol=1e-5) for name in one)


@pytest.mark.parametrize("method", METHODS)
def test_a_second_round_starts_where_the_first_ended(method: str, tiny: Base, rises: list[Example]) -> None:
    first = train(rises, Classification.of(rises), base=tiny, method=method, settings=SHORT)
    later = [*rises, Example(id="new", task="t", text="the firm paid", label="flat")]
    second = train(
        later, Classification.of(later), base=tiny, method=method, settings=STILL, seed=9, start=first.warm_start
    )
    assert same_effect(first.adapter, second.adapter)
    assert second.head_settings["labels"] == ["down", "flat", "up"]
    np.testing.assert_allclose(second.head["weight"][[0, 2]], first.head["weight"], atol=1e-6)
    np.testing.assert_allclose(second.head["bias"][[0, 2]], first.head["bias"], atol=1e-6)
    assert np.abs(second.head["weight"][1]).max() > 0, "the label that is new has a row of its own"
    anew = train(rises, Classification.of(rises), base=tiny, method=method, settings=STILL, seed=9)
    assert not same_effect(first.adapter, anew.adapter)


def test_a_second_round_begins_with_the_loss_that_the_first_ended_with(tiny: Base, rises: list[Example]) -> None:
    def losses(**options: Any) -> tuple[list[float], Trained]:
        told: list[Progress] = []
        settings = replace(SHORT, epochs=12, average_decay=0.0)
        made = train(
            rises, Classification.of(rises), base=tiny, method="lora", settings=settings, report=told.append, **options
        )
        return [one.loss for one in told], made

    first, made = losses()
    second, _ = losses(start=made.warm_start, seed=4)
    assert first[-1] < 0.5 * first[0]
    assert second[0] < first[0] - 0.7 * (first[0] - first[-1])


def test_rows_of_the_head_are_known_by_what_they_stand_for(tiny: Base) -> None:
    few = [Example(id="1", task="t", text="firm rose", target=["b"]), Example(id="2", task="t", text="it", target=[])]
    more = [*few, Example(id="3", task="t", text="firm fell", target=["a", "c"])]
    first = train(few, MultiLabel.of(few), base=tiny, method="lora", settings=SHORT)
    second = train(more, MultiLabel.of(more), base=tiny, method="lora", settings=STILL, start=first.warm_start)
    np.testing.assert_allclose(second.head["weight"][1], first.head["weight"][0], atol=1e-6)

    def spans(name: str) -> Example:
        return Example(id=name, task="t", text="firm rose", target=[{"start": 0, "end": 4, "label": name}])

    one, two = [spans("place")], [spans("item"), spans("place")]
    before = train(one, Tags.of(one), base=tiny, method="lora", settings=SHORT)
    after = train(two, Tags.of(two), base=tiny, method="lora", settings=STILL, start=before.warm_start)
    rows = [after.head_settings["tags"].index(tag) for tag in before.head_settings["tags"]]
    np.testing.assert_allclose(after.head["weight"][rows], before.head["weight"], atol=1e-6)


def test_it_is_kept_on_disk(tiny: Base, rises: list[Example], tmp_path: Path) -> None:
    first = train(rises, Classification.of(rises), base=tiny, method="lora", settings=SHORT)
    save_warm_start(tmp_path, first.warm_start)
    found = load_warm_start(tmp_path, first.adapter)
    assert (found.lineage, found.rows) == (first.warm_start.lineage, ("down", "up"))
    one, other = (
        train(rises, Classification.of(rises), base=tiny, method="lora", settings=SHORT, start=start)
        for start in (found, first.warm_start)
    )
    assert one.adapter.id == other.adapter.id


def test_another_rank_is_refused(tiny: Base, rises: list[Example]) -> None:
    first = train(rises, Classification.of(rises), base=tiny, method="lora", settings=STILL)
    with pytest.raises(SettingsError, match=r"another lineage: settings was .*'rank': 8.* and is .*'rank': 4"):
        train(
            rises,
            Classification.of(rises),
            base=tiny,
            method="lora",
            method_settings=LoRASettings(rank=4),
            settings=STILL,
            start=first.warm_start,
        )


def test_a_prefix_whose_network_is_not_kept_cannot_be_gone_on_from(tiny: Base, rises: list[Example]) -> None:
    how: dict[str, Any] = {
        "base": tiny,
        "method": "prefix_tuning",
        "method_settings": PrefixTuningSettings(projection=True),
        "settings": STILL,
    }
    first = train(rises, Classification.of(rises), **how)
    with pytest.raises(SettingsError, match="projection is True"):
        train(rises, Classification.of(rises), start=first.warm_start, **how)


def test_a_checkpoint_of_a_round_with_another_start_is_refused(
    tiny: Base, rises: list[Example], tmp_path: Path
) -> None:
    first = train(rises, Classification.of(rises), base=tiny, method="lora", settings=STILL)

    def stop(progress: Progress) -> None:
        if progress.step > 4:
            raise KeyboardInterrupt

    how: dict[str, Any] = {"base": tiny, "method": "lora", "settings": replace(STILL, epochs=4), "work_dir": tmp_path}
    with pytest.raises(KeyboardInterrupt):
        train(rises, Classification.of(rises), report=stop, **how)
    with pytest.raises(TrainingError, match="another run"):
        train(rises, Classification.of(rises), start=first.warm_start, resume=True, **how)
