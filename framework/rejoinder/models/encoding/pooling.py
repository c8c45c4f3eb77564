"""From the states of a text's tokens to one vector, as the model's own files say.

sentence-transformers keeps them beside the weights: `modules.json` lists the steps, and the folder of the pooling step (`1_Pooling`)
has a `config.json` with its kind. Source: Reimers & Gurevych 2019, Sentence-BERT (arXiv:1908.10084), section 3.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from rejoinder.errors import ModelError, ModelIntegrityError

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["Pooling", "read_pooling"]

_FLAGS: Final = {
    "pooling_mode_cls_token": "cls",
    "pooling_mode_mean_tokens": "mean",
    "pooling_mode_max_tokens": "max",
    "pooling_mode_mean_sqrt_len_tokens": "mean_sqrt_len",
    "pooling_mode_lasttoken": "lasttoken",
}
_MODES: Final = tuple(_FLAGS.values())
_SMALLEST: Final = 1e-12
_LARGEST: Final = 1e30


@dataclass(frozen=True, slots=True)
class Pooling:
    """How a text's vector is made of its tokens' states.

    Attributes:
        mode: "mean" over the tokens, "cls" (the first token), "max" over the tokens, "mean_sqrt_len" (the sum, divided by the root of
            the number of tokens) or "lasttoken".
        normalised: whether the model itself scales the vector to length 1.
    """

    mode: str = "mean"
    normalised: bool = True

    def pool(self, states: Any, mask: Any) -> Any:
        """Pool one batch, of numpy or of torch (also while torch traces).

        Args:
            states: (n, length, dim) of floats.
            mask: (n, length), 1 for a token, 0 for the padding that follows, of a type that gives floats when multiplied by `states`;
                each row has a token.

        Returns:
            (n, dim) as `states`.
        """
        seen = mask[:, :, None]
        if self.mode == "cls":
            pooled = states[:, 0]
        elif self.mode == "max":
            hidden = states * seen - (1 - seen) * _LARGEST
            pooled = hidden.amax(1) if hasattr(hidden, "amax") else hidden.max(1)
        elif self.mode == "lasttoken":
            last = mask * (mask.cumsum(1) == mask.sum(1)[:, None])
            pooled = (states * last[:, :, None]).sum(1)
        else:
            count = seen.sum(1)
            pooled = (states * seen).sum(1) / (count**0.5 if self.mode == "mean_sqrt_len" else count)
        return unit(pooled) if self.normalised else pooled


def unit(vectors: Any) -> Any:
    """Scale the rows of (n, dim), of numpy or of torch, to length 1; a row of zeros stays."""
    return vectors / ((vectors * vectors).sum(1)[:, None] + _SMALLEST**2) ** 0.5


def read_pooling(folder: Path) -> Pooling:
    """Read the pooling from a model's folder.

    Returns:
        What `modules.json` and the pooling's `config.json` say; mean and normalised where there is neither.

    Raises:
        ModelError: the model has a step or a kind of pooling that we cannot do; the message names the file and what can be done.
        ModelIntegrityError: one of the files cannot be read.
    """
    steps = _steps(folder / "modules.json")
    normalised = steps is None or "Normalize" in steps
    config = folder / (steps or {}).get("Pooling", "1_Pooling") / "config.json"
    if not config.is_file():
        if steps is not None and "Pooling" in steps:
            raise ModelIntegrityError(
                f"no {config}, though {folder / 'modules.json'} names it: download the model again"
            )
        return Pooling(normalised=normalised)
    return Pooling(_mode(config), normalised)


def _steps(path: Path) -> dict[str, str] | None:
    """The folders of the model's steps by the names of their classes; None where no file says."""
    if not path.is_file():
        return None
    steps = {str(step["type"]).rsplit(".", 1)[-1]: str(step.get("path", "")) for step in _read(path)}
    unknown = sorted(set(steps) - {"Transformer", "Pooling", "Normalize"})
    if unknown:
        raise ModelError(
            f"{path} has the step {', '.join(unknown)}, which cannot be done here: use a model of the steps Transformer, Pooling and "
            "Normalize only"
        )
    return steps


def _mode(path: Path) -> str:
    config = _read(path)
    named = config.get("pooling_mode")
    if isinstance(named, str):
        modes = named.split("+")
    else:
        modes = [
            _FLAGS.get(key, key) for key, value in config.items() if key.startswith("pooling_mode_") and value is True
        ]
    if len(modes) != 1 or modes[0] not in _MODES:
        found = " and ".join(modes) or "none"
        raise ModelError(f"{path} asks for the pooling {found}, which cannot be done here: one of {', '.join(_MODES)}")
    return modes[0]


def _read(path: Path) -> Any:
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise ModelIntegrityError(f"{path} cannot be read: {error}") from error
