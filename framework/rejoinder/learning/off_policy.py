"""What a ranker would have earned, estimated from lists that another one showed: before anybody sees it.

A list's worth is the sum of its positions' rewards: how many of its items were welcome. The propensity of an item is that of standing at
its position, as it was logged with the list (the item-position model of Li, Abbasi-Yadkori, Kveton, Muthukrishnan, Vinay & Wen 2018,
Offline Evaluation of Ranking Policies with Click Models, KDD, section 4.3): what a person does with an item may depend on where it
stands, and not on what stands around it. Nothing is learned of items that the lists never show at a position: `coverage` says how much
of the new ranker's lists these leave.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

from rejoinder.errors import InvalidInputError

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from rejoinder.payloads import ListWeights, ShownList

    Floats = NDArray[np.float64]

__all__ = ["Estimate", "ListComparison", "LoggedLists", "compare_lists", "doubly_robust", "ips", "snips"]

_RESAMPLES: Final = 2000
_POWER: Final = 0.8


@dataclass(frozen=True, slots=True, eq=False)
class LoggedLists:
    """Lists that were shown, and what a new ranker makes of each. Positions beyond a list's end hold zeros.

    Attributes:
        rewards: (lists, positions) in [0, 1].
        weights: (lists, positions) >= 0, the new ranker's chance to have the item there, divided by the logged one.
        predicted: (lists, positions), what a model of rewards says of the items shown.
        predicted_own: (lists), what it says of the new ranker's list.
        people: (lists), numbers from 0; lists of the same person are resampled together.
        lengths: (lists), how many items each had.
    """

    rewards: Floats
    weights: Floats
    predicted: Floats
    predicted_own: Floats
    people: NDArray[np.int64]
    lengths: NDArray[np.int64]

    def __post_init__(self) -> None:
        """Refuse what does not fit together, and weights below 0."""
        shape = self.rewards.shape
        if not len(self.people) or len(shape) != 2:
            raise InvalidInputError("there are no lists to estimate from")
        if {self.weights.shape, self.predicted.shape} != {shape} or {
            len(self.predicted_own),
            len(self.people),
            len(self.lengths),
        } != {shape[0]}:
            raise InvalidInputError("rewards, weights, predictions and people must be of the same lists and positions")
        if (self.weights < 0).any() or not np.isfinite(self.weights).all():
            raise InvalidInputError("weights must be finite and >= 0: a logged propensity is above 0")

    def __len__(self) -> int:
        return len(self.people)

    @property
    def effective(self) -> float:
        """So many lists of the new ranker's own would tell as much: Kish's effective sample size of the weights of all positions."""
        squares = float((self.weights**2).sum())
        return float(self.weights.sum()) ** 2 / squares / float(self.lengths.mean()) if squares else 0.0

    @property
    def coverage(self) -> float:
        """About what share of the new ranker's items the lists could show where it has them: the mean weight, 1 with full support."""
        return float(self.weights.sum() / self.lengths.sum())


@dataclass(frozen=True, slots=True, kw_only=True)
class Estimate:
    """An estimated worth of a list, with its 95 % interval (bootstrap over people: a person's lists are not independent)."""

    name: str
    value: float
    low: float
    high: float


def ips(lists: LoggedLists, *, seed: int) -> Estimate:
    """Return the estimate by inverse propensity: unbiased where everything the new ranker shows may have been shown.

    Source: Horvitz & Thompson 1952, A Generalization of Sampling Without Replacement From a Finite Universe, JASA 47:663.
    """
    return _estimate("ips", lists, (lists.weights * lists.rewards).sum(axis=1), seed)


def snips(lists: LoggedLists, *, seed: int) -> Estimate:
    """Return the self-normalised estimate: the weights of each position are divided by their mean. Slightly biased, of less variance.

    Source: Swaminathan & Joachims 2015, The Self-Normalized Estimator for Counterfactual Learning, NeurIPS, section 4.
    """
    earned, weights = _by_person(lists, lists.weights * lists.rewards), _by_person(lists, lists.weights)
    counts = _resamples(lists, seed)
    drawn = _shares(counts @ earned, counts @ weights)
    low, high = np.quantile(drawn, (0.025, 0.975))
    value = float(_shares(earned.sum(axis=0), weights.sum(axis=0)))
    return Estimate(name="snips", value=value, low=float(low), high=float(high))


def doubly_robust(lists: LoggedLists, *, seed: int) -> Estimate:
    """Return the model's prediction, corrected by what the lists say of its error: right where either the model or the propensities are.

    Source: Dudik, Langford & Li 2011, Doubly Robust Policy Evaluation and Learning, ICML, section 3.
    """
    return _estimate("doubly robust", lists, _doubly_robust(lists), seed)


@dataclass(frozen=True, slots=True, kw_only=True)
class ListComparison:
    """What a candidate would have earned with the lists that the live version showed.

    Attributes:
        lists, people: how many; `effective` and `coverage`: see `LoggedLists`.
        live: mean worth of the lists as they were shown.
        estimates: of the candidate.
        difference: doubly robust, candidate less live; `p_better`, `p_worse`: one-sided p-values of its being above and below 0.
        more: about so many more lists would tell, if what they show so far is true; 0 where they show no difference.
    """

    lists: int
    people: int
    effective: float
    coverage: float
    live: float
    estimates: tuple[Estimate, ...]
    difference: Estimate
    p_better: float
    p_worse: float
    more: int


def compare_lists(
    shown: Sequence[ShownList], weights: Mapping[str, ListWeights], *, seed: int, error: float
) -> ListComparison | None:
    """Compare a candidate with the live version, whose lists these are; None where there are none.

    Args:
        weights: what the candidate makes of each, by decision id; lists that are not named are left out.
        seed: of the bootstrap.
        error: one-sided, for which `more` is planned, in (0, 0.5).
    """
    known = [one for one in shown if one.decision.id in weights and one.rewards]
    if not known:
        return None
    lists = _logged(known, [weights[one.decision.id] for one in known])
    gains = _doubly_robust(lists) - lists.rewards.sum(axis=1)
    difference = _estimate("difference", lists, gains, seed)
    drawn = _means(lists, gains, seed)
    return ListComparison(
        lists=len(lists),
        people=int(lists.people.max()) + 1,
        effective=lists.effective,
        coverage=lists.coverage,
        live=float(lists.rewards.sum(axis=1).mean()),
        estimates=(ips(lists, seed=seed), snips(lists, seed=seed), doubly_robust(lists, seed=seed)),
        difference=difference,
        p_better=float((1 + (drawn <= 0).sum()) / (_RESAMPLES + 1)),
        p_worse=float((1 + (drawn >= 0).sum()) / (_RESAMPLES + 1)),
        more=_more(len(lists), difference.value, float(drawn.std()), error),
    )


def _logged(shown: Sequence[ShownList], weights: Sequence[ListWeights]) -> LoggedLists:
    depth = max(len(one.rewards) for one in shown)
    numbers: dict[str, int] = {}
    people = [numbers.setdefault(one.decision.user_id or one.decision.id, len(numbers)) for one in shown]
    return LoggedLists(
        _padded([one.rewards for one in shown], depth),
        _padded([one.weights for one in weights], depth),
        _padded([one.predicted for one in weights], depth),
        np.array([one.predicted_own for one in weights]),
        np.array(people, dtype=np.int64),
        np.array([len(one.rewards) for one in shown], dtype=np.int64),
    )


def _padded(rows: Sequence[Sequence[float]], depth: int) -> Floats:
    return np.array([[*row, *[0.0] * (depth - len(row))] for row in rows], dtype=np.float64)


def _doubly_robust(lists: LoggedLists) -> Floats:
    return np.asarray(lists.predicted_own + (lists.weights * (lists.rewards - lists.predicted)).sum(axis=1))


def _estimate(name: str, lists: LoggedLists, worth: Floats, seed: int) -> Estimate:
    low, high = np.quantile(_means(lists, worth, seed), (0.025, 0.975))
    return Estimate(name=name, value=float(worth.mean()), low=float(low), high=float(high))


def _means(lists: LoggedLists, worth: Floats, seed: int) -> Floats:
    """Return (resamples) means of a worth per list over people drawn with replacement."""
    counts = _resamples(lists, seed)
    return np.asarray(
        _shares(counts @ _by_person(lists, worth[:, None]), counts @ _by_person(lists, np.ones((len(lists), 1))))
    )


def _resamples(lists: LoggedLists, seed: int) -> Floats:
    """Return (resamples, people), how often each person was drawn."""
    people = int(lists.people.max()) + 1
    drawn = np.random.default_rng(seed).multinomial(people, np.full(people, 1 / people), size=_RESAMPLES)
    return np.asarray(drawn, dtype=np.float64)


def _by_person(lists: LoggedLists, values: Floats) -> Floats:
    found = np.zeros((int(lists.people.max()) + 1, values.shape[1]))
    np.add.at(found, lists.people, values)
    return found


def _shares(parts: Floats, wholes: Floats) -> Floats:
    """Return the sum over positions of what was earned in a whole."""
    return np.asarray(np.divide(parts, wholes, out=np.zeros_like(parts), where=wholes > 0).sum(axis=-1))


def _more(lists: int, difference: float, deviation: float, error: float) -> int:
    from scipy.stats import norm

    if not difference or not deviation:
        return 0
    wanted = lists * ((norm.ppf(1 - error) + norm.ppf(_POWER)) * deviation / abs(difference)) ** 2
    return max(0, int(np.ceil(wanted)) - lists)
