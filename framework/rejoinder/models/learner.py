"""The seam between a task and whatever learns it.

A plugin that brings a task brings a `Learner`; the host, the instant memory, the workers and the promotion gate know nothing else of it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol, Self, runtime_checkable

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    import numpy as np
    from numpy.typing import NDArray

    from rejoinder.payloads import Example

    FloatArray = NDArray[np.float32]


@dataclass(frozen=True, slots=True, kw_only=True)
class Prediction:
    """What a learner makes of one text.

    Attributes:
        label: the best label, whether accepted or not.
        confidence: calibrated probability of `label` in [0, 1], given that the text is in scope.
        ranking: the best labels with their probabilities, best first; at most the learner's `top_k`.
        in_scope: probability in [0, 1] that the text is about anything the learner knows.
        accepted: whether `in_scope` reaches the learned threshold; when False the bot should not act on `label`.
        source: who decided: "head", or "memory" for a corrected turn.
    """

    label: str
    confidence: float
    ranking: tuple[tuple[str, float], ...]
    in_scope: float
    accepted: bool
    source: str = "head"


@runtime_checkable
class Learner(Protocol):
    """Fits, updates, predicts, evaluates, saves and loads one task.

    `vectors` are always (n, dim) float32 of the base encoder, rows L2-normalised, one for each example or text, in the same order.
    Reading methods may run in any thread while one thread fits or updates: they see the state before or after, never half of it.
    """

    def fit(self, examples: Sequence[Example], vectors: FloatArray, *, seed: int) -> Mapping[str, float]:
        """Learn from nothing; what was known is forgotten. Same examples, same seed, same model.

        Returns:
            What was measured on the way, such as `train_seconds` and cross-validated `accuracy`.

        Raises:
            InvalidInputError: there is no usable example, or counts or shapes do not fit; the old state is kept.
        """

    def update(self, examples: Sequence[Example], vectors: FloatArray) -> None:
        """Add a few examples to what is known, in milliseconds; a correction of a known text replaces what was known of it.

        Raises:
            InvalidInputError: as for `fit`; the old state is kept.
        """

    def predict_batch(self, texts: Sequence[str], vectors: FloatArray) -> list[Prediction]:
        """Predict, in order; [] for no texts.

        Raises:
            ModelNotReadyError: nothing has been learned yet.
        """

    def evaluate(self, examples: Sequence[Example], vectors: FloatArray) -> Mapping[str, float]:
        """Score predictions against the examples' labels; higher is better except where the name says otherwise (`ece`)."""

    def save(self, folder: Path) -> None:
        """Write the model into `folder` (made if need be), beside and renamed, with sums that `load` checks."""

    @classmethod
    def load(cls, folder: Path) -> Self:
        """Read what `save` wrote.

        Raises:
            ModelIntegrityError: a file is missing or damaged; the message names it.
        """

    def size(self) -> int:
        """Bytes that the model takes in memory."""
