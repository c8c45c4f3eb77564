"""The seam of adaptation methods: how a base is made trainable, and what is kept of it afterwards.

A method is a folder beside this file with `settings.py` and `method.py`, and a line in `METHODS`.
"""

from __future__ import annotations

import importlib
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import fields
from typing import TYPE_CHECKING, Any, Final, Protocol, TypeVar

from rejoinder.errors import SettingsError, did_you_mean

if TYPE_CHECKING:
    from collections.abc import Mapping

    import numpy as np
    import torch
    from numpy.typing import NDArray

    Arrays = Mapping[str, NDArray[np.float32]]

_S = TypeVar("_S")


class Attachment(Protocol):
    """A base model with what a method adds to it, ready to train.

    Attributes:
        model: holds all parameters; those with `requires_grad` are trained.
    """

    model: torch.nn.Module

    def states(self, ids: torch.Tensor, mask: torch.Tensor, types: torch.Tensor) -> torch.Tensor:
        """Return the last hidden state (n, length, dim) of ids, mask and token types (n, length)."""

    def penalty(self) -> torch.Tensor | None:
        """Return what the method adds to the loss of a step, or None."""

    def after_step(self, step: int) -> None:
        """Take note of an optimiser step (counted from 1) while its gradients are still there."""

    def arrays(self) -> dict[str, torch.Tensor]:
        """Return what a checkpoint must hold beside the trained parameters."""

    def restore(self, arrays: Mapping[str, torch.Tensor]) -> None:
        """Take back what `arrays` gave."""

    def extract(self) -> tuple[Arrays, dict[str, Any]]:
        """Return an adapter's arrays and settings; see `Adapter`."""

    def start_from(self, arrays: Arrays) -> None:
        """Begin where a training of the same method, settings and base ended; `arrays` are what it extracted.

        Raises:
            SettingsError: what was extracted does not say how to go on; the message names the setting.
        """


class Method(Protocol):
    """One way of adapting a base.

    Attributes:
        name: how settings and commands call it.
        adapter_method: `Adapter.method` of what it makes.
        settings: the class of its settings, a frozen dataclass whose defaults are sane.
        learning_rate: peak rate for AdamW when nobody says otherwise, > 0.
        layer_decay: factor in (0, 1] on the rate from each layer to the one below it, when nobody says otherwise.
        averages: whether a running average of its weights may take their place.
    """

    name: str
    adapter_method: str
    settings: type
    learning_rate: float
    layer_decay: float
    averages: bool

    def attach(self, model: torch.nn.Module, settings: Any, *, total_steps: int) -> Attachment:
        """Make a base trainable; the model is changed in place.

        Args:
            model: what transformers' `AutoModel` loads.
            settings: an instance of `settings`.
            total_steps: optimiser steps that training will take, for methods with a schedule of their own.

        Raises:
            SettingsError: the settings do not fit the model; the message names the field.
        """


METHODS: Final[Mapping[str, str]] = {
    "lora": "rejoinder.models.adapters.lora.method:LoRA",
    "adalora": "rejoinder.models.adapters.adalora.method:AdaLoRA",
    "prefix_tuning": "rejoinder.models.adapters.prefix_tuning.method:PrefixTuning",
    "full": "rejoinder.models.adapters.full.method:Full",
}
"""All methods: `module:class` by name."""


def find_method(name: str) -> Method:
    """Return a method by name.

    Raises:
        SettingsError: there is none of this name; the message lists the choices.
    """
    if name not in METHODS:
        raise SettingsError(
            f"no adaptation method {name!r}: choose one of {', '.join(METHODS)}.{did_you_mean(name, METHODS)}"
        )
    module, _, attribute = METHODS[name].partition(":")
    made: Method = getattr(importlib.import_module(module), attribute)()
    return made


def make_settings(cls: type[_S], values: Mapping[str, Any]) -> _S:
    """Make settings of what JSON or TOML said.

    Raises:
        SettingsError: a name is unknown (with "did you mean") or a value out of range.
    """
    names = [one.name for one in fields(cls)]  # type: ignore[arg-type]  # every settings class is a dataclass
    for name in values:
        if name not in names:
            raise SettingsError(
                f"{cls.__name__} has no setting {name!r}: choose one of {', '.join(names)}.{did_you_mean(name, names)}"
            )
    return cls(**{name: tuple(value) if isinstance(value, list) else value for name, value in values.items()})


def check_setting(owner: object, name: str, allowed: bool, expected: str) -> None:
    """Refuse a setting that is out of range.

    Raises:
        SettingsError: unless `allowed`; the message names class, field, value and what was `expected`.
    """
    if not allowed:
        raise SettingsError(f"{type(owner).__name__}.{name} is {getattr(owner, name)!r}, expected {expected}")


@contextmanager
def quiet_peft() -> Iterator[None]:
    """Keep peft 0.21 from warning that it calls names of transformers that transformers 5.2 gave new names (2026-11)."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message=".*is deprecated and will be removed", category=FutureWarning)
        yield


def write(parameter: torch.Tensor, values: NDArray[np.float32]) -> None:
    """Put values of the same shape into a parameter."""
    import torch

    parameter.data.copy_(torch.tensor(values))


def as_float32(tensor: torch.Tensor) -> NDArray[np.float32]:
    """Return a tensor's values as a numpy array of its own."""
    import numpy as np

    return np.array(tensor.detach().float().cpu().numpy(), dtype=np.float32)
