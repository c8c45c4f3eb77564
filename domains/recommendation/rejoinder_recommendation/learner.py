"""The task `recommend` as the registry keeps it: a trained recommender, or none yet."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Final, Self

from rejoinder.errors import InvalidInputError, ModelNotReadyError
from rejoinder.models.artefact import write_durably

if TYPE_CHECKING:
    from rejoinder.models.learner import Prediction, Reads
    from rejoinder.payloads import Example

    from rejoinder_recommendation.trained import TrainedRecommender

__all__ = ["TASK", "RecommenderLearner"]

TASK: Final = "recommend"
_MODEL: Final = "recommender"
_UNTRAINED: Final = "untrained.json"


class RecommenderLearner:
    """Holds what ranks items, of which `rejoinder_recommendation.lists` makes lists; of texts it says nothing.

    Attributes:
        trained: None: the parts of a list that need no training serve alone.
    """

    reads: ClassVar[Reads] = "vectors"
    several_labels: ClassVar[bool] = True

    def __init__(self, trained: TrainedRecommender | None = None) -> None:
        self.trained = trained

    def fit(self, examples: Sequence[Example], inputs: Any, /, *, seed: int) -> Mapping[str, float]:
        """Refuse: `rejoinder_recommendation.training` makes it of behaviour."""
        raise InvalidInputError("a recommender learns from what people did with items, not from examples")

    def update(self, examples: Sequence[Example], inputs: Any, /) -> None:
        """Refuse as `fit`."""
        self.fit(examples, inputs, seed=0)

    def predict_batch(self, texts: Sequence[Any], inputs: Any, /) -> list[Prediction]:
        """Refuse: it says nothing of texts."""
        raise ModelNotReadyError("a recommender ranks items and says nothing of texts: ask /v1/recommendations")

    def evaluate(self, examples: Sequence[Example], inputs: Any, /) -> Mapping[str, float]:
        """Return nothing: it says nothing of texts."""
        return {}

    def save(self, folder: Path) -> None:
        """Write it into `folder`, made if need be."""
        folder.mkdir(parents=True, exist_ok=True)
        if self.trained is None:
            write_durably(folder / _UNTRAINED, json.dumps({"kind": "untrained recommender"}).encode())
        else:
            self.trained.save(folder / _MODEL)

    @classmethod
    def load(cls, folder: Path) -> Self:
        """Read what `save` wrote.

        Raises:
            ModelIntegrityError: a file is missing or damaged.
        """
        if (folder / _UNTRAINED).is_file():
            return cls()
        from rejoinder_recommendation.trained import TrainedRecommender  # with PyTorch, which an untrained one spares

        return cls(TrainedRecommender.load(folder / _MODEL))

    def size(self) -> int:
        """Return the bytes of its arrays."""
        return 0 if self.trained is None else self.trained.size()
