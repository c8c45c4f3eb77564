"""Token classification: a tag for each token, in the scheme B-, I-, O."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from rejoinder.errors import InvalidInputError, did_you_mean
from rejoinder.models.tasks.targets import spans_of
from rejoinder.models.training.features import Feature, Row

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import torch

    from rejoinder.models.learner import Reads
    from rejoinder.models.training.base import Base
    from rejoinder.models.training.features import Read
    from rejoinder.models.training.objectives.heads import ScaledLinear
    from rejoinder.payloads import Example

OUTSIDE: Final = "O"
_IGNORED: Final = -100


class Tags:
    """Find named spans of a text.

    What `target` says, `rejoinder.models.tasks.targets` tells; of spans that share a token the first counts.

    The head reads tokens' states: `weight` (n_tags, dim) and `bias` (n_tags,) for `tags`, "O" first.

    Args:
        labels: names of spans, in any order.
    """

    name = "tags"
    reads: Reads = "tokens"
    metric = "f1"

    def __init__(self, labels: Sequence[str]) -> None:
        """Fix the labels.

        Raises:
            InvalidInputError: there is no label.
        """
        if not labels:
            raise InvalidInputError("nothing to learn from: no example has a span")
        self.labels = tuple(dict.fromkeys(labels))
        self.tags = (OUTSIDE, *(f"{kind}-{label}" for label in self.labels for kind in "BI"))

    @classmethod
    def of(cls, examples: Sequence[Example]) -> Tags:
        """Make one whose labels are those of the examples' spans, sorted."""
        return cls(sorted({label for one in examples for _, _, label in spans_of(one) or ()}))

    def features(self, examples: Sequence[Example], base: Base) -> list[Feature]:
        """One for each example with a text, spans (perhaps none) and a weight above 0; see `Objective.features`."""
        rows = [
            i for i, one in enumerate(examples) if one.text.strip() and spans_of(one) is not None and one.weight > 0
        ]
        found = []
        for i, encoding in zip(rows, base.tokeniser.encodings([examples[i].text for i in rows]), strict=True):
            example = examples[i]
            spans = spans_of(example) or ()
            for _, _, label in spans:
                if label not in self.labels:
                    raise InvalidInputError(
                        f"example {example.id}: label {label!r} is not among the {len(self.labels)} labels to learn."
                        f"{did_you_mean(label, self.labels)}"
                    )
            found.append(
                Feature(
                    rows=(Row(encoding.ids, encoding.type_ids),),
                    target=self._columns(encoding, spans),
                    example=i,
                    weight=example.weight,
                    group=spans[0][2] if spans else "",
                )
            )
        return found

    def _columns(self, encoding: Any, spans: Sequence[tuple[int, int, str]]) -> list[int]:
        """The tag of each token; special tokens are ignored."""
        columns = [_IGNORED if sequence is None else 0 for sequence in encoding.sequence_ids]
        for start, end, label in spans:
            begin = 1 + 2 * self.labels.index(label)
            inside = [
                i
                for i, (first, last) in enumerate(encoding.offsets)
                if columns[i] != _IGNORED and first < end and last > start
            ]
            if any(columns[i] for i in inside):
                continue
            for i in inside:
                columns[i] = begin if i == inside[0] else begin + 1
        return columns

    def balanced(self, features: Sequence[Feature]) -> list[Feature]:
        """Return them as they are; see `Objective.balanced`."""
        return list(features)

    def head(self, dim: int) -> ScaledLinear:
        """Scores of the tags for a token; see `Objective.head`. States are not of length 1, so they are not scaled."""
        from rejoinder.models.training.objectives.heads import ScaledLinear

        return ScaledLinear(dim, len(self.tags), scale=1.0)

    def rows(self) -> Sequence[str]:
        """The tags; see `Objective.rows`."""
        return self.tags

    def loss(self, head: torch.nn.Module, read: Read, features: Sequence[Feature]) -> torch.Tensor:
        """Mean over a text's tokens of the cross-entropy; see `Objective.loss`."""
        import torch

        scores: torch.Tensor = head(read.states)
        length = scores.shape[1]
        truth = torch.tensor(
            [[*one.target, *([_IGNORED] * (length - len(one.target)))] for one in features], device=scores.device
        )
        losses = torch.nn.functional.cross_entropy(
            scores.transpose(1, 2), truth, reduction="none", ignore_index=_IGNORED
        )
        return losses.sum(dim=1) / (truth != _IGNORED).sum(dim=1).clamp(min=1)

    def predict(self, head: torch.nn.Module, read: Read) -> list[list[int]]:
        """The best tag of each token; see `Objective.predict`."""
        found: list[list[int]] = head(read.states).argmax(dim=2).tolist()
        return found

    def score(self, predictions: Sequence[list[int]], features: Sequence[Feature]) -> dict[str, float]:
        """Return `f1` over whole spans, micro-averaged: label, start and end must all be right."""
        hits = named = 0
        for said, one in zip(predictions, features, strict=True):
            kept = [tag if truth != _IGNORED else 0 for tag, truth in zip(said, one.target, strict=False)]
            found, wanted = _spans(kept), _spans([max(0, tag) for tag in one.target])
            hits += len(found & wanted)
            named += len(found) + len(wanted)
        return {"f1": 2 * hits / named if named else 1.0}

    def head_arrays(self, head: torch.nn.Module) -> dict[str, torch.Tensor]:
        """Return `weight` (n_tags, dim) and `bias` (n_tags,)."""
        found: dict[str, torch.Tensor] = head.arrays()  # type: ignore[operator]  # a ScaledLinear
        return found

    def settings(self) -> Mapping[str, Any]:
        """Return labels and tags."""
        return {"labels": list(self.labels), "tags": list(self.tags)}


def _spans(columns: Sequence[int]) -> set[tuple[int, int, int]]:
    """Spans as (start, end, label's number); an I without its B begins a span, as conlleval has it."""
    found: set[tuple[int, int, int]] = set()
    start, label = 0, -1
    for place, column in enumerate([*columns, 0]):
        begins = column > 0 and (column % 2 == 1 or (column - 1) // 2 != label)
        if label >= 0 and (column == 0 or begins):
            found.add((start, place, label))
            label = -1
        if begins:
            start, label = place, (column - 1) // 2
    return found
