"""The adapter: the value, and its artefact on disk.

An adapter holds what a task changes in the frozen base encoder. It belongs to the weights it was trained on and to no others.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from rejoinder.errors import ModelError, ModelIntegrityError
from rejoinder.models.artefact import load_artefact, save_artefact

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    import numpy as np
    from numpy.typing import NDArray

KIND: Final = "adapter/1"

ID_DIGITS: Final = 16
"""Hexadecimal digits of an adapter's id and of a base's hash."""


@dataclass(frozen=True, slots=True, weakref_slot=True, kw_only=True, eq=False)
class Adapter:
    """What one task changes in the base encoder; `make_adapter` makes it.

    Attributes:
        id: `ID_DIGITS` hexadecimal digits of the SHA-256 of all the rest; equal adapters have equal ids.
        method: the method's name, which is also how the arrays are to be read: "lora" (also of what AdaLoRA trained: its factors are
            exported as plain low-rank ones), "prefix_tuning" or "full".
        base_hash: `base_hash` of the weights that it was trained on.
        arrays: float32. Of "lora" and "prefix_tuning" named as in peft's state dict, with the prefix `base_model.model.` and without an
            adapter's name (`base_model.model.encoder.layer.0.attention.self.query.lora_A.weight` (rank, in), `lora_B` (out, rank);
            `prompt_embeddings` (tokens, layers * 2 * dim)); of "full" the changed weights, named as in the base.
        settings: what serving needs of the method's configuration, as JSON says it. For "lora": `r`, `lora_alpha`, `use_rslora`,
            `target_modules`, `rank_pattern`, `alpha_pattern` and `scaling` (by module name: what B A is multiplied by).
    """

    id: str
    method: str
    base_hash: str
    arrays: Mapping[str, NDArray[np.float32]]
    settings: Mapping[str, Any]

    @property
    def nbytes(self) -> int:
        """Bytes that the arrays take."""
        return sum(array.nbytes for array in self.arrays.values())

    def check_base(self, found: str) -> None:
        """Refuse a base that the adapter was not trained on.

        Args:
            found: `base_hash` of the base at hand.

        Raises:
            ModelError: it is another.
        """
        if found != self.base_hash:
            raise ModelError(
                f"adapter {self.id} ({self.method}) was trained on the encoder weights {self.base_hash} and cannot be used on {found}: "
                "set encoder.name to the encoder it was trained on, or train it again on this one"
            )

    def __hash__(self) -> int:
        """Adapters are told apart by their ids."""
        return hash(self.id)

    def __eq__(self, other: object) -> bool:
        """Return whether the other is an adapter with the same content."""
        return isinstance(other, Adapter) and other.id == self.id


def base_hash(weights_sha256: str) -> str:
    """Return the key of base weights: the first digits of the SHA-256 of `model.safetensors`.

    It leaves out pooling and precision, which an adapter does not depend on: an adapter trained on float32 weights serves beside the
    int8 form of the same weights.

    Example:
        >>> base_hash("53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db")
        '53aa51172d142c89'
    """
    return weights_sha256[:ID_DIGITS]


def make_adapter(
    *, method: str, base_hash: str, arrays: Mapping[str, NDArray[np.float32]], settings: Mapping[str, Any]
) -> Adapter:
    """Make an adapter and its id; see `Adapter` for the arguments. The arrays become read-only."""
    import numpy as np

    own = {name: np.array(arrays[name], dtype=np.float32, order="C") for name in sorted(arrays)}
    digest = hashlib.sha256(_said(method, base_hash, settings))
    for name, array in own.items():
        array.flags.writeable = False
        digest.update(f"{name}{array.shape}".encode())
        digest.update(array.data)
    return Adapter(
        id=digest.hexdigest()[:ID_DIGITS], method=method, base_hash=base_hash, arrays=own, settings=dict(settings)
    )


def save_adapter(folder: Path, adapter: Adapter) -> None:
    """Write an adapter into `folder`, which is made if need be; see `save_artefact`."""
    settings = {
        "id": adapter.id,
        "method": adapter.method,
        "base_hash": adapter.base_hash,
        "settings": dict(adapter.settings),
    }
    save_artefact(folder, kind=KIND, arrays=adapter.arrays, settings=settings)


def load_adapter(folder: Path) -> Adapter:
    """Read what `save_adapter` wrote.

    Raises:
        ModelIntegrityError: a file is missing, damaged or of another kind; the message names it.
    """
    arrays, found = load_artefact(folder, kind=KIND)
    adapter = make_adapter(
        method=found["method"], base_hash=found["base_hash"], arrays=arrays, settings=found["settings"]
    )
    if adapter.id != found["id"]:
        raise ModelIntegrityError(
            f"{folder} holds adapter {adapter.id}, but its manifest says {found['id']}: restore it from a copy or train it again"
        )
    return adapter


def _said(method: str, base_hash: str, settings: Mapping[str, Any]) -> bytes:
    return json.dumps([method, base_hash, dict(settings)], sort_keys=True, ensure_ascii=False).encode()
