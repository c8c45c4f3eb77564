"""Fine-tuning the encoder on marked sentences: what is learned of one phrasing reaches further to others than on the frozen one."""

from __future__ import annotations

import json
import math
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from rejoinder.errors import ModelIntegrityError
from rejoinder.models.adapters.adapter import base_hash, load_adapter, save_adapter
from rejoinder.models.artefact import write_durably
from rejoinder.models.training.base import open_base
from rejoinder.models.training.loop import train
from rejoinder.models.training.objectives.classification import Classification
from rejoinder.models.training.settings import TrainingSettings
from rejoinder.payloads import Example

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from rejoinder.graph.extraction.relations import Labelled
    from rejoinder.models.adapters.adapter import Adapter
    from rejoinder.models.encoding.encoder import Encoder
    from rejoinder.models.training.progress import Progress

__all__ = ["Tuned", "tune"]

EPOCHS: Final = 4
_APART: Final = 0.25
"""Share of the phrasings that training does not see: only of these can it be told how sure to be."""
_RATE: Final = 2e-4
_NO_RELATION: Final = "none"
_SEEN: Final = "phrasings.json"


@dataclass(frozen=True, slots=True)
class Tuned:
    """An encoder with what it learned of relations.

    Attributes:
        seen: phrasings that it was trained on.
    """

    encoder: Encoder
    adapter: Adapter
    seen: frozenset[str]

    def encode(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """Return vectors of texts, (n, dim) float32."""
        return self.encoder.encode(texts, adapters=[self.adapter] * len(texts))

    def save(self, folder: Path) -> None:
        """Write what was learned into a folder, made if need be."""
        save_adapter(folder, self.adapter)
        write_durably(folder / _SEEN, json.dumps(sorted(self.seen), ensure_ascii=False).encode())

    @classmethod
    def load(cls, folder: Path, encoder: Encoder) -> Tuned:
        """Read what `save` wrote, for the same encoder.

        Raises:
            ModelError, ModelIntegrityError: as of `load_adapter`, or it was trained for another encoder.
        """
        adapter = load_adapter(folder)
        adapter.check_base(base_hash(encoder.weights_sha256))
        try:
            seen = json.loads((folder / _SEEN).read_text(encoding="utf-8"))
        except (OSError, ValueError) as error:
            raise ModelIntegrityError(f"{folder / _SEEN} is missing or damaged: {error}") from error
        return cls(encoder, adapter, frozenset(seen))


def tune(
    encoder: Encoder,
    pairs: Sequence[Labelled],
    *,
    seed: int = 0,
    epochs: int = EPOCHS,
    report: Callable[[Progress], None] | None = None,
    **options: Any,
) -> Tuned:
    """Train all of the encoder on three quarters of the phrasings; a minute or two on one core for a thousand pairs.

    Args:
        report: called after each step.
        options: more of `rejoinder.models.training.loop.train`, such as `work_dir` and `cancelled`.
    Raises:
        InvalidInputError: there are no pairs.
        TrainingError: see `rejoinder.models.training.loop.train`.
    """
    counted = Counter(pairs)
    phrasings = sorted({row.phrasing for row in counted})
    order = np.random.default_rng(seed).permutation(len(phrasings))
    seen = frozenset(phrasings[place] for place in order[int(len(phrasings) * _APART) :])
    examples = [
        Example(
            id=str(place),
            task="graph_relation",
            text=row.marked,
            label=row.label or _NO_RELATION,
            weight=math.sqrt(count),
        )
        for place, (row, count) in enumerate(counted.items())
        if row.phrasing in seen
    ]
    settings = TrainingSettings(epochs=epochs, batch_size=16, learning_rate=_RATE, dev_share=0.0, patience=None)
    trained = train(
        examples,
        Classification.of(examples),
        base=open_base(encoder.folder),
        settings=settings,
        seed=seed,
        report=report,
        **options,
    )
    return Tuned(encoder, trained.adapter, seen)
