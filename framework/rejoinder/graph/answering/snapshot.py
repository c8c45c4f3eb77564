"""A graph's relations in memory, to try very many paths: learning from thousands of questions would ask a server millions of times."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING, Final

from rejoinder.graph.values import Step

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Sequence, Set

    from rejoinder.graph.values import RelationPath

MOST_PASSED: Final = 20_000
"""A path that passes through more entities than that explains no question: it says nearly nothing of where it started."""

_LEAST_FIT: Final = 0.5
_Row = frozenset[int]
_NOBODY: Final[_Row] = frozenset()


class Snapshot:
    """Who is related to whom, followed in both directions.

    Args:
        triples: (subject, relation, object) by ids; some 200 bytes of memory for each.
    """

    def __init__(self, triples: Iterable[tuple[str, str, str]]) -> None:
        """Read all triples; see the class for arguments."""
        self._numbers: dict[str, int] = {}
        self._ids: list[str] = []
        found: dict[tuple[str, bool], dict[int, set[int]]] = defaultdict(lambda: defaultdict(set))
        for subject, relation, target in triples:
            start, end = self._number(subject), self._number(target)
            found[relation, False][start].add(end)
            found[relation, True][end].add(start)
        self._rows = {
            Step(relation=relation, inverse=inverse): {node: frozenset(ends) for node, ends in rows.items()}
            for (relation, inverse), rows in sorted(found.items())
        }

    @property
    def steps(self) -> tuple[Step, ...]:
        """All steps that can be taken somewhere, in the order of their texts' relations."""
        return tuple(self._rows)

    def __contains__(self, entity: str) -> bool:
        """Return whether an entity has any relation."""
        return entity in self._numbers

    def follow(self, start: str, path: RelationPath) -> frozenset[str]:
        """Return the ids of the entities at the end of a path; the start is left out at each step."""
        number = self._numbers.get(start)
        if number is None:
            return frozenset()
        return frozenset(self._ids[one] for one in self._ends(number, path, {}))

    def explaining(
        self, start: str, answers: Collection[str], *, max_hops: int = 3, known: Sequence[RelationPath] | None = None
    ) -> dict[RelationPath, float]:
        """Return the paths that lead from a topic to the answers of a question, with how well they fit.

        Args:
            answers: ids of entities.
            max_hops: length of the longest path, 1 to 3.
            known: try only these; None: all.

        Returns:
            F1 of what a path leads to against the answers, in [0.5, 1]; only paths of the best F1.
        """
        topic = self._numbers.get(start)
        wanted = frozenset(self._numbers[one] for one in answers if one in self._numbers)
        if topic is None or not wanted:
            return {}
        passed: dict[RelationPath, _Row] = {}
        paths = (
            self._leading(topic, wanted, max_hops) if known is None else [one for one in known if len(one) <= max_hops]
        )
        fits: dict[RelationPath, float] = {}
        for path in paths:
            fit = self._fit(topic, path, wanted, len(answers), passed)
            if fit >= _LEAST_FIT:
                fits[path] = fit
        best = max(fits.values(), default=0.0)
        return {path: fit for path, fit in fits.items() if fit == best}

    def _number(self, entity: str) -> int:
        number = self._numbers.get(entity)
        if number is None:
            number = self._numbers[entity] = len(self._ids)
            self._ids.append(entity)
        return number

    def _leading(self, topic: int, wanted: _Row, max_hops: int) -> Iterator[RelationPath]:
        """Give all paths that lead to at least one of the wanted, found from both ends."""
        one = next(iter(wanted))
        for first in self._rows:
            reached = self._ends(topic, (first,), {})
            if not reached:
                continue
            if reached & wanted:
                yield (first,)
            if max_hops < 2:
                continue
            for last in self._rows:
                before = self._before(one, last)
                if not before:
                    continue
                if not reached.isdisjoint(before):
                    yield first, last
                if max_hops > 2:
                    for middle, rows in self._rows.items():
                        if _meet(rows, self._rows[_back(middle)], reached, before):
                            yield first, middle, last

    def _before(self, node: int, step: Step) -> _Row:
        return self._rows[_back(step)].get(node, _NOBODY)

    def _ends(self, topic: int, path: RelationPath, passed: dict[RelationPath, _Row]) -> _Row:
        if not path:
            return frozenset((topic,))
        known = passed.get(path)
        if known is None:
            rows = self._rows.get(path[-1], {})
            before = self._ends(topic, path[:-1], passed)
            if len(before) > MOST_PASSED:
                before = _NOBODY
            known = frozenset().union(*(rows.get(node, _NOBODY) for node in before)) - {topic}
            passed[path] = known
        return known

    def _fit(self, topic: int, path: RelationPath, wanted: _Row, size: int, passed: dict[RelationPath, _Row]) -> float:
        """Return the F1 of a path, or 0 as soon as it is known to be below the least."""
        most = (2 / _LEAST_FIT - 1) * size
        rows = self._rows.get(path[-1])
        before = self._ends(topic, path[:-1], passed)
        if rows is None or len(before) > MOST_PASSED:
            return 0.0
        reached: set[int] = set()
        for node in before:
            reached |= rows.get(node, _NOBODY)
            if len(reached) > most + 1:
                return 0.0
        reached.discard(topic)
        return 2 * len(reached & wanted) / (len(reached) + size)


def _back(step: Step) -> Step:
    return Step(relation=step.relation, inverse=not step.inverse)


def _meet(rows: dict[int, _Row], back: dict[int, _Row], left: Set[int], right: Set[int]) -> bool:
    """Return whether a step leads from any of the left to any of the right, asked from the side with fewer."""
    if len(left) <= len(right):
        return any(not rows.get(node, _NOBODY).isdisjoint(right) for node in left)
    return any(not back.get(node, _NOBODY).isdisjoint(left) for node in right)
