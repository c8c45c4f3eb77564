"""Where scalars go: libraries that need not be there."""

from __future__ import annotations

import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from rejoinder.errors import ModelError
from rejoinder.models.training.scalars import TensorBoard, WeightsAndBiases


class Writer:
    """Stands for a SummaryWriter, and notes what is asked of it."""

    def __init__(self, folder: str) -> None:
        self.calls: list[tuple[Any, ...]] = [("open", folder)]

    def add_scalar(self, name: str, value: float, step: int) -> None:
        self.calls.append((name, value, step))

    def close(self) -> None:
        self.calls.append(("close",))


def test_tensorboard_writes_with_torchs_writer_or_else_with_tensorboardx(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "torch.utils.tensorboard", None)
    monkeypatch.setitem(sys.modules, "tensorboardX", SimpleNamespace(SummaryWriter=Writer))
    scalars = TensorBoard(tmp_path)
    scalars.add("loss", 0.5, 3)
    scalars.close()
    assert scalars._writer.calls == [("open", str(tmp_path)), ("loss", 0.5, 3), ("close",)]


def test_tensorboard_says_what_to_install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "torch.utils.tensorboard", None)
    monkeypatch.setitem(sys.modules, "tensorboardX", None)
    with pytest.raises(ModelError, match="pip install tensorboard"):
        TensorBoard(tmp_path)


def test_weights_and_biases_gets_settings_and_scalars(monkeypatch: pytest.MonkeyPatch) -> None:
    calls: list[Any] = []
    run = SimpleNamespace(log=lambda said, step: calls.append((said, step)), finish=lambda: calls.append("finish"))

    def init(*, project: str, config: dict[str, Any]) -> Any:
        calls.append((project, config))
        return run

    monkeypatch.setitem(sys.modules, "wandb", SimpleNamespace(init=init))
    scalars = WeightsAndBiases("mine", settings={"seed": 1})
    scalars.add("loss", 0.5, 3)
    scalars.close()
    assert calls == [("mine", {"seed": 1}), ({"loss": 0.5}, 3), "finish"]


def test_weights_and_biases_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "wandb", None)
    with pytest.raises(ModelError, match=r"pip install 'rejoinder\[wandb\]'"):
        WeightsAndBiases("mine", settings={})
