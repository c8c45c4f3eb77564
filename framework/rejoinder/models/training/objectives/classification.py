"""One label of several: cross-entropy."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

from rejoinder.errors import InvalidInputError, SettingsError, did_you_mean
from rejoinder.models.training.features import Feature, Row

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import torch

    from rejoinder.models.learner import Reads
    from rejoinder.models.training.base import Base
    from rejoinder.models.training.features import Read
    from rejoinder.models.training.objectives.heads import ScaledLinear
    from rejoinder.payloads import Example


class Classification:
    """Classify texts into labels; a negative example lowers its label's probability.

    Args:
        labels: all labels, in the order of the head's columns; of these some may have no example.
        balance: how far weights make up for rare labels, in [0, 1]: (n / (n_labels * n_of_label)) ** balance.
        smoothing: share in [0, 1) of a target that goes to all labels alike (Szegedy et al. 2016, arXiv:1512.00567, section 7).
    """

    name = "classification"
    reads: Reads = "vectors"
    metric = "accuracy"

    def __init__(self, labels: Sequence[str], *, balance: float = 0.0, smoothing: float = 0.0) -> None:
        """Fix the labels; see the class for arguments.

        Raises:
            InvalidInputError: there is no label.
            SettingsError: a number is out of range.
        """
        if not labels:
            raise InvalidInputError("nothing to learn from: no example has a text, a label and a weight above 0")
        if not 0 <= balance <= 1 or not 0 <= smoothing < 1:
            raise SettingsError(f"balance {balance} must be in [0, 1] and smoothing {smoothing} in [0, 1)")
        self.labels = tuple(dict.fromkeys(labels))
        self._balance, self._smoothing = balance, smoothing

    @classmethod
    def of(cls, examples: Sequence[Example], **options: Any) -> Classification:
        """Make one whose labels are those of the examples, sorted."""
        return cls(sorted({one.label for one in examples if one.label is not None and one.weight > 0}), **options)

    def features(self, examples: Sequence[Example], base: Base) -> list[Feature]:
        """One for each example with a text, a label and a weight above 0; see `Objective.features`."""
        rows = [i for i, one in enumerate(examples) if one.text.strip() and one.label is not None and one.weight > 0]
        column_of = {label: column for column, label in enumerate(self.labels)}
        found = []
        encodings = base.tokeniser.encodings([examples[i].text for i in rows])
        for i, encoding in zip(rows, encodings, strict=True):
            example = examples[i]
            label = str(example.label)
            if label not in column_of:
                raise InvalidInputError(
                    f"example {example.id}: label {label!r} is not among the {len(column_of)} labels to learn."
                    f"{did_you_mean(label, column_of)}"
                )
            negative = example.polarity == "negative"
            found.append(
                Feature(
                    rows=(Row(encoding.ids, encoding.type_ids),),
                    target=(column_of[label], negative),
                    example=i,
                    weight=example.weight,
                    group=f"{'not ' if negative else ''}{label}",
                )
            )
        return found

    def balanced(self, features: Sequence[Feature]) -> list[Feature]:
        """Weight rare labels up; see `Objective.balanced`."""
        counts = Counter(one.target[0] for one in features if not one.target[1])
        total = sum(counts.values())
        factor = {column: (total / (len(counts) * count)) ** self._balance for column, count in counts.items()}
        return [one if one.target[1] else one.weighted(factor[one.target[0]]) for one in features]

    def head(self, dim: int) -> ScaledLinear:
        """A linear head; see `Objective.head`."""
        from rejoinder.models.training.objectives.heads import ScaledLinear

        return ScaledLinear(dim, len(self.labels))

    def rows(self) -> Sequence[str]:
        """The labels; see `Objective.rows`."""
        return self.labels

    def loss(self, head: torch.nn.Module, read: Read, features: Sequence[Feature]) -> torch.Tensor:
        """Cross-entropy; for a negative example -log(1 - p). See `Objective.loss`."""
        import torch

        scores: torch.Tensor = head(read.vectors[0])
        columns = torch.tensor([one.target[0] for one in features], device=scores.device)
        found = torch.nn.functional.cross_entropy(scores, columns, reduction="none", label_smoothing=self._smoothing)
        negative = torch.tensor([one.target[1] for one in features], device=scores.device)
        if not bool(negative.any()):
            return found
        likely = scores.softmax(dim=1).gather(1, columns[:, None])[:, 0]
        return torch.where(negative, -torch.log1p(-likely.clamp(max=1 - 1e-6)), found)

    def predict(self, head: torch.nn.Module, read: Read) -> list[int]:
        """The best column; see `Objective.predict`."""
        found: list[int] = head(read.vectors[0]).argmax(dim=1).tolist()
        return found

    def score(self, predictions: Sequence[int], features: Sequence[Feature]) -> dict[str, float]:
        """Return `accuracy` and `macro_f1`; negative examples do not count."""
        from rejoinder.learning.metrics import accuracy, macro_f1

        rows = [i for i, one in enumerate(features) if not one.target[1]]
        truth = [self.labels[features[i].target[0]] for i in rows]
        said = [self.labels[predictions[i]] for i in rows]
        return {"accuracy": accuracy(truth, said), "macro_f1": macro_f1(truth, said)}

    def head_arrays(self, head: torch.nn.Module) -> dict[str, torch.Tensor]:
        """Return `weight` (n_labels, dim) and `bias` (n_labels,)."""
        found: dict[str, torch.Tensor] = head.arrays()  # type: ignore[operator]  # a ScaledLinear
        return found

    def settings(self) -> Mapping[str, Any]:
        """Return labels, balance and smoothing."""
        return {"labels": list(self.labels), "balance": self._balance, "smoothing": self._smoothing}
