"""Where figures go while training: TensorBoard files or Weights & Biases, each an optional extra."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any, Protocol

from rejoinder.errors import ModelError

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path


class Scalars(Protocol):
    """Takes numbers by name and step."""

    def add(self, name: str, value: float, step: int) -> None:
        """Write one number."""

    def close(self) -> None:
        """Write what is not written yet."""


class TensorBoard:
    """Writes event files for TensorBoard, with torch's writer or tensorboardX."""

    def __init__(self, folder: Path) -> None:
        """Open a file in `folder`.

        Raises:
            ModelError: neither library is installed.
        """
        for name in ("torch.utils.tensorboard", "tensorboardX"):
            try:
                writer: Any = import_module(name).SummaryWriter
                break
            except ImportError:
                continue
        else:
            raise ModelError(
                "scalars for TensorBoard need tensorboard or tensorboardX: install one with `pip install tensorboard`"
            )
        self._writer: Any = writer(str(folder))

    def add(self, name: str, value: float, step: int) -> None:
        """Write one number; see `Scalars`."""
        self._writer.add_scalar(name, value, step)

    def close(self) -> None:
        """Flush and close the file."""
        self._writer.close()


class WeightsAndBiases:
    """Sends scalars to Weights & Biases."""

    def __init__(self, project: str, *, settings: Mapping[str, Any]) -> None:
        """Start a run in `project`; its configuration shows `settings`.

        Raises:
            ModelError: the library is not installed.
        """
        try:
            wandb: Any = import_module("wandb")
        except ImportError as error:
            raise ModelError(
                "scalars for Weights & Biases need wandb: install it with `pip install 'rejoinder[wandb]'`"
            ) from error
        self._run: Any = wandb.init(project=project, config=dict(settings))

    def add(self, name: str, value: float, step: int) -> None:
        """Send one number; see `Scalars`."""
        self._run.log({name: value}, step=step)

    def close(self) -> None:
        """Finish the run."""
        self._run.finish()
