"""Any number of labels: binary cross-entropy for each."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from rejoinder.errors import InvalidInputError, SettingsError, did_you_mean
from rejoinder.models.tasks.targets import labels_of
from rejoinder.models.training.features import Feature, Row

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import torch

    from rejoinder.models.learner import Reads
    from rejoinder.models.training.base import Base
    from rejoinder.models.training.features import Read
    from rejoinder.models.training.objectives.heads import ScaledLinear
    from rejoinder.payloads import Example


class MultiLabel:
    """Say of each label whether it holds. An example's labels are the list `target`, or without one its `label` alone.

    A negative example says only that its labels do not hold, and nothing of the others.

    Args:
        labels: all labels, in the order of the head's columns.
        balance: how far weights make up for rare labels, in [0, 1]: a label that holds counts (n_without / n_with) ** balance times.
    """

    name = "multi-label"
    reads: Reads = "vectors"
    metric = "micro_f1"

    def __init__(self, labels: Sequence[str], *, balance: float = 0.0) -> None:
        """Fix the labels; see the class for arguments.

        Raises:
            InvalidInputError: there is no label.
            SettingsError: balance is out of range.
        """
        if not labels:
            raise InvalidInputError("nothing to learn from: no example has a label")
        if not 0 <= balance <= 1:
            raise SettingsError(f"balance is {balance}, expected a number in [0, 1]")
        self.labels = tuple(dict.fromkeys(labels))
        self._balance = balance
        self._factors = [1.0] * len(self.labels)

    @classmethod
    def of(cls, examples: Sequence[Example], **options: Any) -> MultiLabel:
        """Make one whose labels are those of the examples, sorted."""
        return cls(sorted({label for one in examples for label in labels_of(one) or ()}), **options)

    def features(self, examples: Sequence[Example], base: Base) -> list[Feature]:
        """One for each example with a text, labels (perhaps none of them) and a weight above 0; see `Objective.features`."""
        rows = [
            i for i, one in enumerate(examples) if one.text.strip() and labels_of(one) is not None and one.weight > 0
        ]
        column_of = {label: column for column, label in enumerate(self.labels)}
        found = []
        for i, encoding in zip(rows, base.tokeniser.encodings([examples[i].text for i in rows]), strict=True):
            example = examples[i]
            labels = labels_of(example) or ()
            for label in labels:
                if label not in column_of:
                    raise InvalidInputError(
                        f"example {example.id}: label {label!r} is not among the {len(column_of)} labels to learn."
                        f"{did_you_mean(label, column_of)}"
                    )
            columns = sorted({column_of[label] for label in labels})
            found.append(
                Feature(
                    rows=(Row(encoding.ids, encoding.type_ids),),
                    target=(columns, example.polarity == "negative"),
                    example=i,
                    weight=example.weight,
                    group=" ".join(map(str, columns)),
                )
            )
        return found

    def balanced(self, features: Sequence[Feature]) -> list[Feature]:
        """Note how rare each label is; see `Objective.balanced`."""
        positive = [one.target[0] for one in features if not one.target[1]]
        for column in range(len(self.labels)):
            having = sum(column in columns for columns in positive)
            if having:
                self._factors[column] = max(1.0, (len(positive) - having) / having) ** self._balance
        return list(features)

    def head(self, dim: int) -> ScaledLinear:
        """A linear head; see `Objective.head`."""
        from rejoinder.models.training.objectives.heads import ScaledLinear

        return ScaledLinear(dim, len(self.labels))

    def rows(self) -> Sequence[str]:
        """The labels; see `Objective.rows`."""
        return self.labels

    def loss(self, head: torch.nn.Module, read: Read, features: Sequence[Feature]) -> torch.Tensor:
        """Sum over labels of the binary cross-entropy; see `Objective.loss`."""
        import torch

        scores: torch.Tensor = head(read.vectors[0])
        truth, counts = torch.zeros_like(scores), torch.ones_like(scores)
        for row, one in enumerate(features):
            columns, negative = one.target
            if negative:
                counts[row] = 0
                counts[row, columns] = 1
            else:
                truth[row, columns] = 1
        factors = torch.tensor(self._factors, device=scores.device)
        losses = torch.nn.functional.binary_cross_entropy_with_logits(
            scores, truth, pos_weight=factors, reduction="none"
        )
        return (losses * counts).sum(dim=1)

    def predict(self, head: torch.nn.Module, read: Read) -> list[list[int]]:
        """The columns with a probability of at least a half; see `Objective.predict`."""
        return [row.nonzero()[:, 0].tolist() for row in head(read.vectors[0]) >= 0]

    def score(self, predictions: Sequence[list[int]], features: Sequence[Feature]) -> dict[str, float]:
        """Return `micro_f1` over all labels and `exact_match`; negative examples do not count."""
        pairs = [
            (set(said), set(one.target[0]))
            for said, one in zip(predictions, features, strict=True)
            if not one.target[1]
        ]
        hits = sum(len(said & truth) for said, truth in pairs)
        named = sum(len(said) + len(truth) for said, truth in pairs)
        exact = sum(said == truth for said, truth in pairs)
        return {"micro_f1": 2 * hits / named if named else 1.0, "exact_match": exact / len(pairs) if pairs else 0.0}

    def head_arrays(self, head: torch.nn.Module) -> dict[str, torch.Tensor]:
        """Return `weight` (n_labels, dim) and `bias` (n_labels,)."""
        found: dict[str, torch.Tensor] = head.arrays()  # type: ignore[operator]  # a ScaledLinear
        return found

    def settings(self) -> Mapping[str, Any]:
        """Return labels and balance."""
        return {"labels": list(self.labels), "balance": self._balance}
