"""How two texts belong together: both vectors, each text encoded on its own.

Source: Reimers & Gurevych 2019, Sentence-BERT (arXiv:1908.10084), section 3; we leave u and v themselves out of the head, so that it is
symmetric, and put u * v in, of which the cosine is made.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from rejoinder.errors import InvalidInputError
from rejoinder.models.training.features import Feature, Row
from rejoinder.models.training.objectives.classification import Classification
from rejoinder.models.training.objectives.reinforce import inverse_propensity

if TYPE_CHECKING:
    from collections.abc import Sequence

    import torch

    from rejoinder.models.training.base import Base
    from rejoinder.models.training.features import Read
    from rejoinder.models.training.objectives.heads import ScaledLinear
    from rejoinder.payloads import Example


class Pair(Classification):
    """Classify pairs (`text`, `other`) into labels; arguments as of `Classification`.

    The head reads |u - v| and u * v: `weight` (n_labels, 2 * dim) and `bias` (n_labels,).

    A pair that was judged because it was shown, with the `propensity` in its target, counts by the clipped inverse of that: what was rarely
    shown speaks for all the times when it was not (`rejoinder.models.training.objectives.reinforce`).
    """

    name = "pairs"
    reads = "pairs"

    def features(self, examples: Sequence[Example], base: Base) -> list[Feature]:
        """One for each example with two texts, a label and a weight above 0; see `Objective.features`."""
        for one in examples:
            if one.label is not None and one.other is None:
                raise InvalidInputError(f"example {one.id}: a pair needs a second text in `other`")
        found = [one for one in super().features(examples, base) if (examples[one.example].other or "").strip()]
        others = base.tokeniser.encodings([examples[one.example].other or "" for one in found])
        return [
            Feature(
                rows=(one.rows[0], Row(encoding.ids, encoding.type_ids)),
                target=one.target,
                example=one.example,
                weight=one.weight * inverse_propensity(examples[one.example]),
                group=one.group,
            )
            for one, encoding in zip(found, others, strict=True)
        ]

    def head(self, dim: int) -> ScaledLinear:
        """A linear head on both comparisons; see `Objective.head`."""
        return super().head(2 * dim)

    def loss(self, head: torch.nn.Module, read: Read, features: Sequence[Feature]) -> torch.Tensor:
        """Cross-entropy; see `Classification.loss`."""
        return super().loss(head, _compared(read), features)

    def predict(self, head: torch.nn.Module, read: Read) -> list[int]:
        """The best column; see `Objective.predict`."""
        return super().predict(head, _compared(read))


def compare(first: Any, second: Any) -> Any:
    """Return what the head reads of vectors (n, dim), of numpy or torch: (n, 2 * dim), |u - v| and then u * v times the root of dim.

    The factor makes both of like size for vectors of length 1.
    """
    root = first.shape[-1] ** 0.5
    parts = [abs(first - second), first * second * root]
    if hasattr(first, "detach"):
        import torch

        return torch.cat(parts, dim=-1)
    import numpy as np

    return np.concatenate(parts, axis=-1)


def _compared(read: Read) -> Read:
    return read._replace(vectors=compare(read.vectors[0], read.vectors[1])[None])
