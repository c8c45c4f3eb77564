"""What the graph calls its entities: looked up by exact normalised name, and sampled to learn what names of a kind look like."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Protocol

from rejoinder.graph.names import normalised

if TYPE_CHECKING:
    from rejoinder.graph.space import Space
    from rejoinder.graph.values import Entity

__all__ = ["GraphNames", "Known", "NameList", "Names"]

_TEXTS_A_QUERY: Final = 2000


@dataclass(frozen=True, slots=True)
class Known:
    """An entity that has a name."""

    id: str
    kind: str
    name: str


class Names(Protocol):
    """The names of a graph's entities."""

    def look_up(self, texts: Sequence[str]) -> Mapping[str, Sequence[Known]]:
        """Return the entities with each of some normalised names; names of none are left out."""

    def counts(self) -> Mapping[str, int]:
        """Return how many entities there are of each kind."""

    def sample(self, limit: int) -> Mapping[str, Sequence[Known]]:
        """Return up to so many entities of each kind."""


class NameList:
    """Names of entities that are all in memory."""

    def __init__(self, entities: Iterable[Known | Entity]) -> None:
        """See the class."""
        self._by_name: dict[str, list[Known]] = defaultdict(list)
        self._by_kind: dict[str, list[Known]] = defaultdict(list)
        for entity in entities:
            known = Known(entity.id, entity.kind, entity.name)
            self._by_kind[known.kind].append(known)
            for name in {entity.name, *getattr(entity, "aliases", ())}:
                self._by_name[normalised(name)].append(known)

    def look_up(self, texts: Sequence[str]) -> Mapping[str, Sequence[Known]]:
        """See `Names`."""
        return {text: self._by_name[text] for text in texts if text in self._by_name}

    def counts(self) -> Mapping[str, int]:
        """See `Names`."""
        return Counter({kind: len(every) for kind, every in self._by_kind.items()})

    def sample(self, limit: int) -> Mapping[str, Sequence[Known]]:
        """See `Names`."""
        return {kind: every[:: max(1, len(every) // limit)][:limit] for kind, every in self._by_kind.items()}


class GraphNames:
    """Names of the entities of a tenant's graph."""

    def __init__(self, space: Space) -> None:
        """See the class."""
        self._space = space

    def look_up(self, texts: Sequence[str]) -> Mapping[str, Sequence[Known]]:
        """See `Names`."""
        found: dict[str, list[Known]] = defaultdict(list)
        space = self._space
        for begin in range(0, len(texts), _TEXTS_A_QUERY):
            rows = space.read(
                f"UNWIND $texts AS text MATCH (n:{space.name} {{text: text}}) MATCH (e:{space.entity} {{id: n.entity}}) "
                "RETURN DISTINCT text, e.id AS id, e.kind AS kind, e.name AS name",
                texts=list(texts[begin : begin + _TEXTS_A_QUERY]),
            )
            for row in rows:
                found[row["text"]].append(Known(row["id"], row["kind"], row["name"]))
        return found

    def counts(self) -> Mapping[str, int]:
        """See `Names`."""
        rows = self._space.read(f"MATCH (e:{self._space.entity}) RETURN e.kind AS kind, count(*) AS n")
        return {row["kind"]: row["n"] for row in rows}

    def sample(self, limit: int) -> Mapping[str, Sequence[Known]]:
        """See `Names`."""
        found = {}
        for kind in self.counts():
            rows = self._space.read(
                f"MATCH (e:{self._space.entity} {{kind: $kind}}) RETURN e.id AS id, e.name AS name LIMIT $limit",
                kind=kind,
                limit=limit,
            )
            found[kind] = [Known(row["id"], kind, row["name"]) for row in rows]
        return found
