"""A learned combination of what speaks for each item."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Final

import numpy as np
from rejoinder.errors import InvalidInputError

from rejoinder_recommendation.conditional_logit import ConditionalLogit, Lists, fit_conditional_logit
from rejoinder_recommendation.conversation.evidence import FEATURES, Asked, Evidence, Talk
from rejoinder_recommendation.conversation.item_index import ItemIndex
from rejoinder_recommendation.histories import Bools, Floats, Ints

__all__ = ["Case", "ConversationRanker", "fit_ranker", "fit_rankers", "shipped_weights"]

_FOLDS: Final = 4
_LEAST_CASES: Final = 30
_BEST: Final = 10
_DRAWN: Final = 60
_MOST_LISTS: Final = 500
"""So many recommendations are enough for some twenty weights."""
_FREE: Final = ("popularity_of_year",)
"""Features of which more may be worse: they are read against an item's own popularity."""


@dataclass(frozen=True, slots=True, eq=False)
class Case:
    """One recommendation that a person gave.

    Attributes:
        dialogue: number of its dialogue.
        asked: what was said before.
        open: (items), those that had not been spoken of.
        item: the number of what was recommended.
    """

    dialogue: int
    asked: Asked
    open: Bools
    item: int


@dataclass(frozen=True, slots=True, eq=False)
class ConversationRanker:
    """Scores of items for what was said.

    Attributes:
        weights: by feature; those that are missing are 0.
    """

    evidence: Evidence
    weights: Mapping[str, float]

    def scores(self, asked: Asked) -> Floats:
        """Return (items), higher is better."""
        return self.of(self.evidence.features(asked))

    def of(self, features: Floats) -> Floats:
        """Return (items) for (items, features)."""
        return np.asarray(features @ np.array([self.weights.get(name, 0.0) for name in FEATURES]))


@cache
def shipped_weights() -> Mapping[str, float]:
    """Return the weights by feature that the domain ships, learned from ReDial's dialogues."""
    content = (files("rejoinder_recommendation") / "data" / "conversation_weights.json").read_text(encoding="utf-8")
    found: dict[str, float] = json.loads(content)
    return found


def fit_ranker(
    index: ItemIndex, cases: Sequence[Case], named: Sequence[Ints], features: Sequence[str], *, seed: int
) -> ConversationRanker:
    """Learn one ranker from dialogues; see `fit_rankers`."""
    return fit_rankers(index, cases, named, {"all": features}, seed=seed)["all"]


def fit_rankers(
    index: ItemIndex,
    cases: Sequence[Case],
    named: Sequence[Ints],
    models: Mapping[str, Sequence[str]],
    *,
    seed: int,
) -> dict[str, ConversationRanker]:
    """Learn a ranker for each of several choices of what it may know, all from the same lists.

    Weights are learned on each quarter of the dialogues with evidence from the others (cross-fitting), so that what was counted does
    not vouch for itself; then the evidence is gathered from all. See `rejoinder_recommendation.conditional_logit`.

    Args:
        cases: at least 30, of at least 4 dialogues.
        named: the items (numbers) that each dialogue names.
        models: names of features by model.
        seed: of the folds and of what is drawn.

    Raises:
        InvalidInputError: too few cases.
    """
    dialogues = sorted({case.dialogue for case in cases})
    if len(cases) < _LEAST_CASES or len(dialogues) < _FOLDS:
        raise InvalidInputError(
            f"{len(cases)} recommendations in {len(dialogues)} dialogues are too few to learn from: {_LEAST_CASES} in {_FOLDS} are needed"
        )
    random = np.random.default_rng(seed)
    fold_of = dict(zip(dialogues, random.permutation(len(dialogues)) % _FOLDS, strict=True))
    learned = set(random.permutation(len(cases))[:_MOST_LISTS].tolist())
    features: list[Floats] = []
    offsets: list[Floats] = []
    for fold in range(_FOLDS):
        others = [case for case in cases if fold_of[case.dialogue] != fold]
        talked = [items for number, items in enumerate(named) if fold_of.get(number, -1) != fold]
        evidence = _evidence(index, others, talked)
        for number, case in enumerate(cases):
            if number in learned and fold_of[case.dialogue] == fold:
                rows = evidence.features(case.asked)
                chosen, offset = _sample(rows, case, random)
                features.append(rows[chosen])
                offsets.append(offset)
    starts = np.cumsum([0, *(len(one) for one in offsets)])[:-1]
    lists = Lists(np.concatenate(features), np.concatenate(offsets), starts, np.ones((len(starts), 1)))
    evidence = _evidence(index, cases, named)
    return {name: ConversationRanker(evidence, _fit(lists, features, seed)) for name, features in models.items()}


def _fit(lists: Lists, names: Sequence[str], seed: int) -> dict[str, float]:
    columns = [FEATURES.index(name) for name in names]
    signs = np.array([name not in _FREE for name in names])
    fitted: ConditionalLogit = fit_conditional_logit(
        Lists(lists.features[:, columns], lists.offsets, lists.starts, lists.contexts), signs=signs, seed=seed
    )
    return dict(zip(names, fitted.weights[0].tolist(), strict=True))


def _evidence(index: ItemIndex, cases: Sequence[Case], named: Sequence[Ints]) -> Evidence:
    recommended = np.array([case.item for case in cases], dtype=np.int64)
    counts = index.mentions + np.bincount(recommended, minlength=len(index))
    return Evidence(index, np.log1p(counts), Talk(named, [case.asked for case in cases], recommended))


def _sample(features: Floats, case: Case, random: np.random.Generator) -> tuple[Ints, Floats]:
    """Return items to learn from, the right one first: the best of each feature and some drawn ones, with what each stands for."""
    is_open = np.flatnonzero(case.open)
    best = [is_open]
    if len(is_open) > _BEST:
        best = [is_open[np.argpartition(-column, _BEST)[:_BEST]] for column in features[is_open].T]
    taken = np.setdiff1d(np.concatenate(best), [case.item])
    others = np.setdiff1d(is_open, [*taken, case.item])
    drawn = random.choice(others, size=min(_DRAWN, len(others)), replace=False)
    offsets = np.zeros(1 + len(taken) + len(drawn))
    if len(drawn):
        offsets[1 + len(taken) :] = np.log(len(others) / len(drawn))
    return np.concatenate([[case.item], taken, drawn]), offsets
