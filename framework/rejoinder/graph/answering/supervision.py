"""What questions and their answers teach the path ranker, although nobody says which path leads from one to the other.

Of each question those relation paths are taken that lead from its topic to its answers. Of questions that read the same with their topic
masked, the path that explains most of them counts. Where several explain equally much, the ranker that the clear ones taught says which
is meant, and learns from that in turn.

Source: weak supervision by answers, as in Berant et al. 2013 (SEMPRE) and, with hard choices in rounds, "hard EM" in Min et al. 2019
(arXiv:1909.04849).
"""

from __future__ import annotations

import hashlib
from collections import Counter, defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

from rejoinder.errors import InvalidInputError
from rejoinder.graph.answering.paths import path_text
from rejoinder.graph.answering.ranker import PathRanker
from rejoinder.payloads import Example

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from rejoinder.graph.answering.snapshot import Snapshot
    from rejoinder.models.learner import FloatArray

TASK: Final = "graph_path"

MOST_ALIKE: Final = 30
"""Of questions that read the same, so many are looked at."""

_NEARLY: Final = 0.05
"""Paths that explain so much less than the best are rivals."""

_LONGER: Final = 0.3
"""Factor for each further step of a path that explains as much."""

_ROUNDS: Final = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """A question with its answers.

    Attributes:
        text: the question, masked.
        topics: ids of the entities that it may be about.
        answers: for each right answer the ids of the entities that it may be.
    """

    text: str
    topics: tuple[str, ...]
    answers: tuple[tuple[str, ...], ...]


def explained(snapshot: Snapshot, asked: Iterable[Asked], *, max_hops: int = 3) -> dict[str, dict[str, float]]:
    """Return how well paths explain masked questions: by question, path texts with their mean F1 in [0, 1] over all who asked so.

    Questions that no path explains by half are left out.
    """
    seen: Counter[str] = Counter()
    fits: dict[str, Counter[str]] = defaultdict(Counter)
    for one in asked:
        if seen[one.text] >= MOST_ALIKE:
            continue
        seen[one.text] += 1
        best: dict[str, float] = {}
        for topic in one.topics:
            wanted = {answer for ids in one.answers for answer in ids}
            for path, fit in snapshot.explaining(topic, wanted, max_hops=max_hops).items():
                best[path_text(path)] = max(fit, best.get(path_text(path), 0.0))
        fits[one.text].update(best)
    return {text: {path: fit / seen[text] for path, fit in paths.items()} for text, paths in fits.items() if paths}


def examples_of(
    explanations: Mapping[str, Mapping[str, float]], encode: Callable[[Sequence[str]], FloatArray], *, seed: int
) -> list[Example]:
    """Return one example for each masked question: the path that is meant.

    Args:
        explanations: of `explained`.
        encode: gives the vectors of texts, (n, dim) float32.
        seed: fixes the choice.

    Raises:
        InvalidInputError: no question has an explanation.
    """
    if not explanations:
        raise InvalidInputError(
            "no relation path of the graph leads from any question's topic to its answers: do questions and graph use the same names?"
        )
    texts = sorted(explanations)
    rivals = {text: _rivals(explanations[text]) for text in texts}
    common: Counter[str] = Counter()
    for some in rivals.values():
        common.update(dict.fromkeys(some, 1.0 / len(some)))
    chosen = {text: max(rivals[text], key=lambda path: (-path.count("/"), common[path], path)) for text in texts}
    clear = [text for text in texts if len(rivals[text]) == 1]
    unclear = [text for text in texts if len(rivals[text]) > 1]
    if clear and unclear:
        vectors = dict(zip(texts, encode(texts), strict=True))
        for number in range(_ROUNDS):
            taught = clear if number == 0 else texts
            ranker = PathRanker(top_k=_ALL)
            ranker.fit(
                [_example(text, chosen[text]) for text in taught],
                np.stack([vectors[text] for text in taught]),
                seed=seed,
            )
            said = ranker.predict_batch(unclear, np.stack([vectors[text] for text in unclear]))
            for text, found in zip(unclear, said, strict=True):
                shares = dict(found.ranking)
                chosen[text] = max(
                    rivals[text],
                    key=lambda path: (shares.get(path, _FLOOR) * _LONGER ** path.count("/"), common[path], path),
                )
    return [_example(text, chosen[text]) for text in texts]


_ALL: Final = 200
_FLOOR: Final = 1e-6


def _rivals(fits: Mapping[str, float]) -> list[str]:
    best = max(fits.values())
    return sorted(path for path, fit in fits.items() if fit >= best - _NEARLY)


def _example(text: str, path: str) -> Example:
    made = hashlib.sha256(f"{text}|{path}".encode()).hexdigest()[:40]
    return Example(id=f"path_{made}", task=TASK, text=text, label=path, source="answers")
