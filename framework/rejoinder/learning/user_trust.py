"""How far a person's word is trusted: the chance that what they say of a text is right, learned from agreement.

Each person has one coin: with probability r they name the right label, else any other (the one-coin model of Dawid & Skene 1979, Maximum
likelihood estimation of observer error-rates using the EM algorithm, Applied Statistics 28:20). What is right is not known; as in Raykar
et al. 2010, Learning from crowds, JMLR 11, section 2.3, a model of the task is a witness beside the other people. The chance that a
statement is right, its expectation step, is added to the Beta counts of whoever made it; one pass over the statements in the order in
which they come takes the place of repeated passes (Cappé & Moulines 2009, On-line expectation-maximization, JRSS B 71:593).

The model is heard only on which label comes second: people correct answers that were wrong, so that it disagrees with every correction,
and what it says of its first choice would call honest people liars. Judgements (thumbs, stars) are weighed against other people only.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

PRIOR: Final = (2.0, 0.5)
"""Beta counts of a person who has said nothing yet: trusted at 0.8, and known after a handful of statements."""

FLOOR: Final = 0.5
"""Below this trust a person's word teaches nothing by itself; it is kept, and counts where somebody trusted says the same."""

FULL: Final = 0.7
"""From this trust on a person's word has its full weight."""

_MEMORY: Final = 40.0
"""Statements remembered: older ones fade, so that nobody lives on a good name for ever."""

_MOST_SURE: Final = 0.95
_LEAST: Final = 0.05
"""No single witness multiplies the odds by less than this, or by more than its inverse."""


@dataclass(frozen=True, slots=True)
class UserTrust:
    """Beta counts of a person's statements, without the prior: `agreed` were right, `disputed` wrong, both expected numbers >= 0."""

    agreed: float = 0.0
    disputed: float = 0.0

    @property
    def value(self) -> float:
        """The mean of the chance in (0, 1) that what the person says is right."""
        right, wrong = PRIOR[0] + self.agreed, PRIOR[1] + self.disputed
        return right / (right + wrong)

    @property
    def statements(self) -> float:
        """How many statements it rests on."""
        return self.agreed + self.disputed

    def after(self, right: float, *, weight: float = 1.0) -> UserTrust:
        """Return the trust after one more statement.

        Args:
            right: chance in [0, 1] that it is right.
            weight: how much of a statement it counts for, in [0, 1].
        """
        agreed, disputed = self.agreed + weight * right, self.disputed + weight * (1 - right)
        fade = min(1.0, _MEMORY / max(agreed + disputed, 1e-9))
        return UserTrust(agreed * fade, disputed * fade)


_RANK_SHARES: Final = (0.52, 0.17, 0.08, 0.05, 0.18)
"""Of right corrections, those that name the model's second to fifth choice, and another: banking77, 10 examples a class and 640
corrections."""

_WITNESS_PRIOR: Final = 30.0
_WITNESS_MEMORY: Final = 1000.0


def factor_of(trust: float) -> float:
    """Return what a person's weights are multiplied by, in [0, 1]: 1 from `FULL` on, half of it at `FLOOR`.

    Example:
        >>> factor_of(0.8), round(factor_of(0.5), 3), factor_of(0.2)
        (1.0, 0.5, 0.0)
    """
    nothing = 2 * FLOOR - FULL
    return min(1.0, max(0.0, (trust - nothing) / (FULL - nothing)))


class ModelWitness:
    """One task's model as a witness: how often right corrections name its second, third, ... choice, learned as they come.

    A model that is poor finds little to say against what people name, and the witness learns so.
    """

    def __init__(self) -> None:
        """Start with what was seen on public data, as if of `_WITNESS_PRIOR` corrections."""
        self._counts = [share * _WITNESS_PRIOR for share in _RANK_SHARES]

    def rank(self, ranking: Sequence[str], said: str) -> int | None:
        """Return which other choice of the model a label is, 0 for its second, the last place for all that it does not name.

        Args:
            ranking: the model's best labels, best first.
            said: the label that a person named; None is returned for the model's first choice.
        """
        if not ranking or said == ranking[0]:
            return None
        others = list(ranking[1 : len(_RANK_SHARES)])
        return others.index(said) if said in others else len(_RANK_SHARES) - 1

    def evidence(self, rank: int, labels: int) -> float:
        """Return how much oftener right corrections are at this rank than ones by chance.

        Args:
            labels: how many the model knows, >= 3.
        """
        share = self._counts[rank] / sum(self._counts)
        named = len(_RANK_SHARES) - 1
        by_chance = 1.0 if rank < named else float(max(1, labels - 1 - named))
        return _bounded(share * (labels - 1) / by_chance)

    def learn(self, rank: int, right: float) -> None:
        """Learn from a correction that is right with this chance in [0, 1]."""
        self._counts[rank] += right
        if sum(self._counts) > _WITNESS_MEMORY:
            self._counts = [count / 2 for count in self._counts]


def people_evidence(*, same: bool, sureness: float, labels: int) -> float:
    """Return how much another person's word on the same text multiplies the odds that a statement is right.

    Args:
        same: whether both said the same.
        sureness: chance in [0, 1] that the other's label holds for this text: their trust, times that of the likeness of two texts.
        labels: how many labels there are, >= 2.
    """
    sure = min(_MOST_SURE, max(0.0, sureness))
    by_chance = (1 - sure) / max(2, labels)
    if same:
        return _bounded((sure + by_chance) / max(by_chance, 1e-9))
    return _bounded(by_chance / (sure / max(1, labels - 1) + by_chance))


def chance_right(trust: float, evidence: Sequence[float]) -> float:
    """Return the chance in (0, 1) that a statement of a person of this trust is right, given what witnesses say.

    Example:
        >>> chance_right(0.8, []), round(chance_right(0.8, [0.1]), 2)
        (0.8, 0.29)
    """
    odds = trust / (1 - trust)
    for factor in evidence:
        odds *= factor
    return odds / (1 + odds)


def _bounded(factor: float) -> float:
    return min(1 / _LEAST, max(_LEAST, factor))
