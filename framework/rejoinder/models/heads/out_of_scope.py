"""Telling texts that the bot knows about from those it does not.

The score of a text is how surely a label claims it, less how surely the out-of-scope rows claim it, plus how near known examples are. On
CLINC150 it separates better (AUROC 0.98) than the largest softmax probability (0.957) or the nearest neighbour alone (0.965).

The same rule, learned from examples alone, rejects nearly 0.8 of CLINC150's strangers for a bot of its own intents and under 0.5 for
one of HWU64's: what comes from outside differs from tenant to tenant. So a tenant's own traffic moves the threshold. Nobody says which
of its messages are in scope, but it is known how examples score, and so what share of the traffic must be something else, and where
that is.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

import numpy as np

from rejoinder.models.heads.calibration import fit_logistic

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float32]

DEFAULT_BUDGET: Final = 0.0055
"""Share of all in-scope texts that may be rejected although their label was right."""

FEWEST_MESSAGES: Final = 200
"""Messages of a tenant below which its traffic says too little of what is out of scope in it."""

MOST_LOSS: Final = 0.1
"""Share of the texts in scope whose label was right that a threshold learned from traffic may lose, whatever that traffic is."""

_FEWEST_ROWS: Final = 30
_FEWEST_INSIDE: Final = 100
_LEAST_TAIL: Final = 0.05
_ERROR_RATE: Final = 0.1
_SMALL_MARGIN: Final = 0.15
_DEFAULT_THRESHOLD: Final = 0.5


class ScopeRule(NamedTuple):
    """`sigmoid(slope * score + offset)` is the probability of being in scope; a text is accepted when its score >= `threshold`."""

    slope: float = 4.0
    offset: float = -2.0
    threshold: float = _DEFAULT_THRESHOLD

    def probability(self, score: Floats) -> Floats:
        """Map scores to [0, 1], monotonically."""
        result: Floats = 1 / (1 + np.exp(-np.clip(self.slope * score + self.offset, -30, 30)))
        return result


def scope_score(labels: Floats, nearness: Floats, outside: int | None) -> Floats:
    """Return (n_texts,) scores, higher is more in scope.

    Args:
        labels: (n_texts, n_columns) scores of the labels.
        nearness: (n_texts,) mean cosine of the nearest in-scope examples.
        outside: the column of the out-of-scope label, or None when there is none.
    """
    if outside is None:
        alone: Floats = labels.max(axis=1) + nearness
        return alone
    inside = np.delete(labels, outside, axis=1)
    best = inside.max(axis=1) if inside.shape[1] else np.zeros(len(labels), dtype=np.float32)
    result: Floats = best - labels[:, outside] + nearness
    return result


def fit_scope_rule(right: Floats, wrong: Floats, out: Floats, *, budget: float = DEFAULT_BUDGET) -> ScopeRule:
    """Learn the rule from scores of held-out examples.

    Args:
        right: scores of in-scope examples whose label came out right.
        wrong: scores of in-scope examples whose label came out wrong; rejecting them costs nothing.
        out: scores of out-of-scope examples, or of examples whose whole label was left out.
        budget: share of in-scope examples, in [0, 1], that may be lost; the threshold is as high as that allows.
    """
    inside = np.concatenate([right, wrong])
    slope, offset = fit_logistic(inside, out)
    if len(right) == 0:
        return ScopeRule(slope, offset, _DEFAULT_THRESHOLD)
    if len(right) < _FEWEST_ROWS:
        return ScopeRule(slope, offset, float(min(right.min() - _SMALL_MARGIN, _DEFAULT_THRESHOLD)))
    share = min(1.0, budget * len(inside) / len(right))
    return ScopeRule(slope, offset, float(np.quantile(right, share)))


class TrafficScope(NamedTuple):
    """What traffic says: the threshold under which most of it is judged right, and the share of it that is out of scope, in [0, 1]."""

    threshold: float
    share_outside: float


def fit_traffic_scope(inside: Floats, right: NDArray[np.bool_], traffic: Floats) -> TrafficScope | None:
    """Learn a threshold from messages of which nobody said whether they are in scope.

    The share out of scope is what the highest scores leave over: above some score nearly all is in scope, and there the traffic must have
    at least as many messages as examples in scope would. The threshold is where losing one message in scope costs as much as letting one in
    that is not; it never loses more than `MOST_LOSS` of the examples.

    Args:
        inside: (n,) scores of in-scope examples that the model was not fitted to.
        right: (n,) whether their label came out right; to reject the others costs nothing.
        traffic: (m,) scores of messages as they came.

    Returns:
        None where there are fewer than 100 examples or `FEWEST_MESSAGES` messages.

    Source: best bin estimation of Garg et al. 2021, Mixture proportion estimation and PU learning: a modern approach (arXiv:2111.00980,
    section 4), with the bound of Dvoretzky, Kiefer & Wolfowitz; densities by difference as in Elkan & Noto 2008.
    """
    if len(inside) < _FEWEST_INSIDE or len(traffic) < FEWEST_MESSAGES or not right.any():
        return None
    places = np.unique(np.concatenate([inside, traffic]))
    of_inside, of_traffic = _share_above(inside, places), _share_above(traffic, places)
    slack = sum(np.sqrt(np.log(4 / _ERROR_RATE) / (2 * len(one))) for one in (inside, traffic))
    tail = of_inside > _LEAST_TAIL
    best = ((of_traffic[tail] + slack) / of_inside[tail]).argmin()
    share = float(min(1.0, of_traffic[tail][best] / of_inside[tail][best]))
    lost = share * right.mean() * (1 - _share_above(inside[right], places))
    let_in = np.maximum(of_traffic - share * of_inside, 0)
    chosen = float(places[(lost + let_in).argmin()])
    return TrafficScope(min(chosen, float(np.quantile(inside[right], MOST_LOSS))), 1 - share)


def _share_above(scores: Floats, places: Floats) -> NDArray[np.float64]:
    """Return the share of scores at or above each place."""
    return np.asarray(1 - np.searchsorted(np.sort(scores), places, side="left") / len(scores))
