"""Pooling is read from the model's own files, and computed the same in numpy and in torch."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from rejoinder.errors import ModelError, ModelIntegrityError
from rejoinder.models.encoding.pooling import Pooling, read_pooling

STATES = np.array([[[1, 2], [3, 0], [9, 9]], [[4, 0], [0, 4], [-2, 2]]], dtype=np.float32)
MASK = np.array([[1, 1, 0], [1, 1, 1]], dtype=np.float32)


@pytest.mark.parametrize(
    ("mode", "expected"),
    [
        ("mean", [[2, 1], [2 / 3, 2]]),
        ("cls", [[1, 2], [4, 0]]),
        ("max", [[3, 2], [4, 4]]),
        ("mean_sqrt_len", [[4 / 2**0.5, 2 / 2**0.5], [2 / 3**0.5, 6 / 3**0.5]]),
        ("lasttoken", [[3, 0], [-2, 2]]),
    ],
)
def test_pooling_reads_the_tokens_and_not_the_padding(mode: str, expected: list[list[float]]) -> None:
    pooling = Pooling(mode, normalised=False)
    np.testing.assert_allclose(pooling.pool(STATES, MASK), expected, rtol=1e-6)
    found = pooling.pool(torch.from_numpy(STATES), torch.from_numpy(MASK).long())
    np.testing.assert_allclose(found.numpy(), expected, rtol=1e-6)
    np.testing.assert_allclose(np.linalg.norm(Pooling(mode).pool(STATES, MASK), axis=1), 1, rtol=1e-6)


def _folder(tmp_path: Path, pooling: Any = None, steps: list[str] | None = None) -> Path:
    if pooling is not None:
        (tmp_path / "1_Pooling").mkdir()
        (tmp_path / "1_Pooling" / "config.json").write_text(json.dumps(pooling))
    if steps is not None:
        paths = {"Transformer": "", "Pooling": "1_Pooling", "Normalize": "2_Normalize"}
        said = [{"type": f"sentence_transformers.models.{step}", "path": paths.get(step, "x")} for step in steps]
        (tmp_path / "modules.json").write_text(json.dumps(said))
    return tmp_path


@pytest.mark.parametrize(
    ("pooling", "steps", "expected"),
    [
        (None, None, Pooling("mean", normalised=True)),
        (
            {"pooling_mode_cls_token": True, "pooling_mode_mean_tokens": False, "word_embedding_dimension": 8},
            ["Transformer", "Pooling", "Normalize"],
            Pooling("cls", normalised=True),
        ),
        ({"pooling_mode_max_tokens": True}, ["Transformer", "Pooling"], Pooling("max", normalised=False)),
        ({"pooling_mode": "lasttoken"}, None, Pooling("lasttoken", normalised=True)),
        (None, ["Transformer"], Pooling("mean", normalised=False)),
    ],
)
def test_pooling_is_read_from_the_folder(
    pooling: Any, steps: list[str] | None, expected: Pooling, tmp_path: Path
) -> None:
    assert read_pooling(_folder(tmp_path, pooling, steps)) == expected


@pytest.mark.parametrize(
    ("pooling", "steps", "message"),
    [
        (
            {"pooling_mode_weightedmean_tokens": True},
            None,
            "pooling pooling_mode_weightedmean_tokens.*one of cls, mean",
        ),
        (
            {"pooling_mode_mean_tokens": True, "pooling_mode_max_tokens": True},
            None,
            "pooling mean and max, which cannot",
        ),
        ({"pooling_mode_mean_tokens": False}, None, "pooling none"),
        ({"pooling_mode": "mean"}, ["Transformer", "Pooling", "Dense"], "has the step Dense"),
    ],
)
def test_what_cannot_be_done_is_said(pooling: Any, steps: list[str] | None, message: str, tmp_path: Path) -> None:
    with pytest.raises(ModelError, match=message):
        read_pooling(_folder(tmp_path, pooling, steps))


def test_a_damaged_or_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(ModelIntegrityError, match=r"no .*1_Pooling.config\.json, though"):
        read_pooling(_folder(tmp_path, None, ["Transformer", "Pooling"]))
    (tmp_path / "modules.json").write_text("{")
    with pytest.raises(ModelIntegrityError, match=r"modules\.json cannot be read"):
        read_pooling(tmp_path)
