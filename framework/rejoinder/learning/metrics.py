"""How good predictions are, as small pure functions."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rejoinder.models.learner import Prediction

_BINS: Final = 15


def accuracy(truth: Sequence[str], predicted: Sequence[str]) -> float:
    """Return the share of right labels in [0, 1]; 0.0 for no rows.

    Example:
        >>> accuracy(["a", "b"], ["a", "a"])
        0.5
    """
    return sum(map(str.__eq__, truth, predicted)) / len(truth) if truth else 0.0


def macro_f1(truth: Sequence[str], predicted: Sequence[str]) -> float:
    """Return the mean F1 over the labels that occur in `truth` or `predicted`, in [0, 1]; 0.0 for no rows."""
    if not truth:
        return 0.0
    from sklearn.metrics import f1_score

    return float(f1_score(list(truth), list(predicted), average="macro", zero_division=0.0))


def ece(confidences: Sequence[float], right: Sequence[bool], *, bins: int = _BINS) -> float:
    """Return the expected calibration error in [0, 1], lower is better: bins of equal width, weighted by their rows.

    Source: Naeini, Cooper & Hauskrecht 2015; fifteen bins as in Guo et al. 2017 (arXiv:1706.04599).
    """
    import numpy as np

    if not len(confidences):
        return 0.0
    sure, hit = np.asarray(confidences, dtype=float), np.asarray(right, dtype=float)
    places = np.minimum((sure * bins).astype(int), bins - 1)
    sums = np.bincount(places, weights=sure - hit, minlength=bins)
    return float(np.abs(sums).sum() / len(sure))


def in_scope_accuracy(
    truth: Sequence[str], predicted: Sequence[str], accepted: Sequence[bool], *, oos_label: str | None
) -> float:
    """Return the share of in-scope rows that are accepted and right, in [0, 1]; a rejected one counts as wrong; 0.0 for no such rows."""
    rows = [i for i, label in enumerate(truth) if label != oos_label]
    return sum(accepted[i] and truth[i] == predicted[i] for i in rows) / len(rows) if rows else 0.0


def oos_recall(truth: Sequence[str], accepted: Sequence[bool], *, oos_label: str) -> float:
    """Return the share of out-of-scope rows that are rejected, in [0, 1]; 0.0 for no such rows."""
    rows = [i for i, label in enumerate(truth) if label == oos_label]
    return sum(not accepted[i] for i in rows) / len(rows) if rows else 0.0


def oos_auroc(truth: Sequence[str], in_scope: Sequence[float], *, oos_label: str) -> float | None:
    """Return the probability that an in-scope row scores above an out-of-scope one, in [0, 1]; None when one kind is missing."""
    from sklearn.metrics import roc_auc_score

    inside = [label != oos_label for label in truth]
    if all(inside) or not any(inside):
        return None
    return float(roc_auc_score(inside, list(in_scope)))


def report(truth: Sequence[str], predictions: Sequence[Prediction], *, oos_label: str | None) -> dict[str, float]:
    """Return all metrics that apply, by name.

    `accuracy` and `macro_f1` take a rejected text to be labelled `oos_label` where there are out-of-scope rows; without them nothing can
    be rightly rejected and the best label counts. `ece` is over in-scope rows.
    """
    outside = oos_label if oos_label in truth else None
    best = [one.label for one in predictions]
    accepted = [one.accepted for one in predictions]
    said = [label if ok or outside is None else outside for label, ok in zip(best, accepted, strict=True)]
    inside = [i for i, label in enumerate(truth) if label != oos_label]
    values = {
        "accuracy": accuracy(truth, said),
        "macro_f1": macro_f1(truth, said),
        "in_scope_accuracy": in_scope_accuracy(truth, best, accepted, oos_label=oos_label),
        "ece": ece([predictions[i].confidence for i in inside], [best[i] == truth[i] for i in inside]),
    }
    if outside is not None:
        values["oos_recall"] = oos_recall(truth, accepted, oos_label=outside)
        auroc = oos_auroc(truth, [one.in_scope for one in predictions], oos_label=outside)
        if auroc is not None:
            values["oos_auroc"] = auroc
    return values
