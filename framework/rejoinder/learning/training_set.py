"""What a training set is: examples with repeats and contradictions settled, the same way wherever something is fitted.

People repeat one another and contradict one another. Of what is said of the same text (of the same pair, where there are two), the
weightier counts, and of what weighs the same the later: an example of the seeds comes before whatever people said. A label weighs as
much as all voices for it together, each voice once, with the most that it said: nobody makes a label heavier by repeating it.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Final, TypeAlias

from rejoinder.learning.propensity import without_propensity
from rejoinder.models.learner import gives_one_label, reads_of
from rejoinder.payloads import Example

if TYPE_CHECKING:
    from rejoinder.models.learner import Learner

__all__ = ["TrainingSet", "training_set"]

_Text: TypeAlias = tuple[str, str, str | None]
_Said: TypeAlias = tuple[str | None, str]
_SEED: Final = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainingSet:
    """What is learned from.

    Attributes:
        examples: those that count, in the order in which they came.
        repeated: how many were left out since another says the same of the same text.
        contradicted: how many were left out since a weightier or later one says something else.
    """

    examples: tuple[Example, ...]
    repeated: int = 0
    contradicted: int = 0


@dataclass(slots=True)
class _Statement:
    """All examples that say one thing of one text."""

    rows: list[int] = field(default_factory=list)
    voices: dict[str, float] = field(default_factory=dict)
    latest: tuple[bool, datetime | None, int] = (False, None, -1)

    def add(self, row: int, example: Example) -> None:
        self.rows.append(row)
        voice = example.user_id or example.source or _SEED
        self.voices[voice] = max(self.voices.get(voice, 0.0), example.weight)
        moment = (example.at is not None, example.at, row)
        if self.latest[2] < 0 or _is_later(moment, self.latest):
            self.latest = moment

    def beats(self, other: _Statement) -> bool:
        mine, theirs = sum(self.voices.values()), sum(other.voices.values())
        return mine > theirs if mine != theirs else _is_later(self.latest, other.latest)


def training_set(examples: Iterable[Example], learner: Learner | None = None) -> TrainingSet:
    """Settle repeats and contradictions.

    Args:
        examples: of one task, in the order in which they came; those without a moment are older than all others.
        learner: the task's. Where it gives a text several labels, examples that name different ones do not contradict each other,
            except where each says by its `target` all that holds.

    Example:
        >>> said = [Example(id="1", task="t", text="hi", label="a"), Example(id="2", task="t", text="Hi", label="b")]
        >>> [one.label for one in training_set(said).examples]
        ['b']
    """
    rows = list(examples)
    one_label = learner is None or gives_one_label(learner) or reads_of(learner) != "vectors"
    by_text: dict[_Text, dict[bool, dict[_Said, _Statement]]] = defaultdict(lambda: {True: {}, False: {}})
    for row, example in enumerate(rows):
        statements = by_text[example.task, _normal(example.text), example.other][example.polarity != "negative"]
        statements.setdefault(_said(example), _Statement()).add(row, example)
    kept: list[int] = []
    repeated = contradicted = 0
    for of_text in by_text.values():
        winners, losers = _settled(of_text[True], of_text[False], one_label=one_label)
        for statement in winners:
            kept.append(_best(rows, statement))
            repeated += len(statement.rows) - 1
        contradicted += sum(len(statement.rows) for statement in losers)
    return TrainingSet(examples=tuple(rows[row] for row in sorted(kept)), repeated=repeated, contradicted=contradicted)


def _settled(
    right: dict[_Said, _Statement], wrong: dict[_Said, _Statement], *, one_label: bool
) -> tuple[list[_Statement], list[_Statement]]:
    """Return what stands and what does not, of what is said to be right and to be wrong of one text."""
    winners, losers = [], []
    for said, statement in wrong.items():
        if said in right and right[said].beats(statement):
            losers.append(statement)
        else:
            winners.append(statement)
            if said in right:
                losers.append(right[said])
                right = {one: other for one, other in right.items() if one != said}
    rivals: dict[bool, list[_Statement]] = {True: [], False: []}
    for (_, target), statement in right.items():
        rivals[one_label or target != "null"].append(statement)
    best: _Statement | None = None
    for statement in rivals[True]:
        if best is None or statement.beats(best):
            best = statement
    losers += [statement for statement in rivals[True] if statement is not best]
    return [*winners, *rivals[False], *([] if best is None else [best])], losers


def _best(rows: Sequence[Example], statement: _Statement) -> int:
    """The example that stands for all that say the same: the weightiest, and of these the latest."""
    best = statement.rows[0]
    for row in statement.rows[1:]:
        heavier = rows[row].weight - rows[best].weight
        if heavier > 0 or (heavier == 0 and _is_later(_moment(rows, row), _moment(rows, best))):
            best = row
    return best


def _moment(rows: Sequence[Example], row: int) -> tuple[bool, datetime | None, int]:
    return rows[row].at is not None, rows[row].at, row


def _is_later(one: tuple[bool, datetime | None, int], other: tuple[bool, datetime | None, int]) -> bool:
    if one[1] is None or other[1] is None or one[1] == other[1]:
        return (one[0], one[2]) > (other[0], other[2])
    return one[1] > other[1]


def _said(example: Example) -> _Said:
    return example.label, json.dumps(without_propensity(example.target), sort_keys=True)


def _normal(text: str) -> str:
    return " ".join(text.casefold().split())
