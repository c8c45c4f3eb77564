"""Which examples a round of training sees: all new ones, and a rehearsal of the old that no class is missing from.

A model that is trained on what is new alone forgets the rest. The old examples are rehearsed from a reservoir for each class: a uniform
sample of its examples (weightier ones more often), as large for a rare class as for a frequent one as far as it has examples. What is in it
depends on seed, ids and weights alone, not on the order in which examples came or were listed, so that a worker who takes a round up again
rehearses the same, and an example that came later pushes out at most one of its class.

Source: Vitter 1985, Random sampling with a reservoir; by keys that can be compared in any order: Efraimidis & Spirakis 2006, Weighted
random sampling with a reservoir; one for each class: Chrysakis & Moens 2020, Online continual learning from imbalanced data; that a
rehearsal of few examples keeps most: Chaudhry et al. 2019 (arXiv:1902.10486), and half of what is learned from: Rolnick et al. 2019
(arXiv:1811.11682).
"""

from __future__ import annotations

import hashlib
from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from rejoinder.payloads import Example

DEFAULT_LIMIT: Final = 50_000


@dataclass(frozen=True, slots=True)
class Round:
    """What one round of training sees.

    Attributes:
        examples: in the order in which they came.
        rehearsed: ids of those that the live model has learned; half of each batch comes from these where a round goes on from it.
    """

    examples: tuple[Example, ...]
    rehearsed: tuple[str, ...] = ()


def replayed(
    examples: Sequence[Example], *, since: datetime | None, limit: int = DEFAULT_LIMIT, seed: int = 0
) -> Round:
    """Return what a round learns from.

    Args:
        examples: all that may be learned from.
        since: up to when the live model has learned; what is later is new. None: nothing was learned, so all is new.
        limit: most old examples that are rehearsed, >= 0; where there are more new ones, as many as these, so that rehearsal is half of the
            round wherever there is enough to rehearse.
        seed: of the reservoirs.

    Raises:
        ValueError: `limit` is below 0.
    """
    if since is None:
        return Round(tuple(examples))
    old = [one for one in examples if one.at is None or one.at <= since]
    fresh = len(examples) - len(old)
    kept = {one.id for one in reservoir(old, max(limit, fresh) if limit else 0, seed=seed)}
    chosen = tuple(one for one in examples if one.id in kept or (one.at is not None and one.at > since))
    return Round(chosen, tuple(one.id for one in chosen if one.id in kept))


def reservoir(examples: Sequence[Example], limit: int, *, seed: int = 0) -> list[Example]:
    """Return at most `limit` examples, drawn alike from all classes, in the order given.

    A class is a label with its polarity: what a text is not is another class than what it is. Examples that name no label are one class.

    Example:
        >>> from rejoinder.payloads import Example
        >>> said = [Example(id=str(n), task="t", text=f"text {n}", label="rare" if n == 7 else "usual") for n in range(20)]
        >>> sorted(one.label for one in reservoir(said, 3))
        ['rare', 'usual', 'usual']
    """
    if limit < 0:
        raise ValueError(f"limit must be >= 0, came as {limit}")
    if len(examples) <= limit:
        return list(examples)
    classes: dict[tuple[str | None, bool], list[tuple[float, int]]] = defaultdict(list)
    for row, one in enumerate(examples):
        classes[one.label, one.polarity == "negative"].append((_key(one, seed), row))
    # All first choices come before all second ones: a small class gives all that it has, and the large share the rest.
    turns = [
        (turn, key, row)
        for members in classes.values()
        for turn, (key, row) in enumerate(sorted(members, key=lambda one: (-one[0], one[1])))
    ]
    turns.sort(key=lambda one: (one[0], -one[1], one[2]))
    return [examples[row] for row in sorted(row for _, _, row in turns[:limit])]


def _key(example: Example, seed: int) -> float:
    """A number in (0, 1), u to the power of 1 / weight; the examples with the largest are a weighted sample (0 for no weight)."""
    digest = hashlib.sha256(f"{seed}\0{example.id}".encode("utf-8", "surrogatepass")).digest()
    uniform = (int.from_bytes(digest[:7], "big") + 0.5) / 2**56
    return float(uniform ** (1 / example.weight)) if example.weight > 0 else 0.0
