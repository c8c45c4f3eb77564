"""Batches of entities and relations on their way to a graph server, each settled in few transactions.

A batch is read, what is absent is created, and what has changed is updated where it is still as it was read; whatever another process
was quicker with goes round again. So nothing is lost or doubled, whoever else writes, and a batch of which all is known writes nothing.
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Final, Generic, Protocol, TypeVar

from rejoinder.errors import GraphError
from rejoinder.graph.provenance import together
from rejoinder.graph.records import (
    entity_of,
    entity_record,
    name_records,
    names_of,
    relation_of,
    relation_record,
    stored,
)
from rejoinder.graph.values import Entity, Relation

if TYPE_CHECKING:
    from rejoinder.graph.connection import Run
    from rejoinder.graph.space import Space

__all__ = ["Counts", "EntityBatches", "Key", "RelationBatches", "Settled"]

_ROUNDS: Final = 200
_LONGEST_PAUSE_S: Final = 0.2

_FIELDS: Final = ("id", "kind", "name", "aliases", "description", "search", "sources", "confidence", "time")
_SAME: Final = "{0}.sources = row.sources AND ({0}.time = row.time OR {0}.time IS NULL AND row.time IS NULL)"
"""Whether that of which an update was made is still there."""

Key = tuple[str, str]
"""Subject and object of a relation."""

_K = TypeVar("_K", str, Key)
_One = TypeVar("_One", Entity, Relation)


@dataclass(frozen=True, slots=True, kw_only=True)
class Counts:
    """How many were created, updated, and found to be as they should."""

    created: int = 0
    updated: int = 0
    unchanged: int = 0

    def __add__(self, other: Counts) -> Counts:
        """Return both together."""
        return Counts(
            created=self.created + other.created,
            updated=self.updated + other.updated,
            unchanged=self.unchanged + other.unchanged,
        )


@dataclass(frozen=True, slots=True)
class _Change(Generic[_One]):
    """An update: what was read, what shall be, and whether only the sources are more."""

    was: _One
    now: _One
    sources_only: bool


@dataclass(frozen=True, slots=True)
class Settled(Generic[_K, _One]):
    """What became of a batch.

    Attributes:
        there: what the graph has now.
        gone: keys of relations that lack an end.
    """

    counts: Counts
    there: dict[_K, _One]
    gone: frozenset[_K]


class _Table(Protocol[_K, _One]):
    def read(self, keys: Iterable[_K]) -> dict[_K, _One]:
        """Return what is there of these."""

    def create(self, absent: Mapping[_K, _One]) -> set[_K]:
        """Create what is still absent; return what was."""

    def update(self, changes: Mapping[_K, _Change[_One]]) -> set[_K]:
        """Update what is still as it was; return what was updated."""

    def gone(self, keys: Iterable[_K]) -> frozenset[_K]:
        """Return those that can never be created."""


def _settle(
    table: _Table[_K, _One], batch: Mapping[_K, _One], bare: frozenset[_K], *, fresh: bool
) -> Settled[_K, _One]:
    """Bring a batch into the graph. `fresh` says that most of it is likely to be new, which saves reading it first."""
    pending = dict(batch)
    created = updated = unchanged = 0
    gone: frozenset[_K] = frozenset()
    there: dict[_K, _One] = {}
    for round_ in range(_ROUNDS):
        if not fresh or round_:
            changes: dict[_K, _Change[_One]] = {}
            absent = dict(pending)
            for key, was in table.read(pending).items():
                new = absent.pop(key)
                now = together(was, new, bare=key in bare)
                if now == was:
                    unchanged += 1
                    there[key] = was
                    del pending[key]
                else:
                    changes[key] = _Change(was, now, replace(now, sources=was.sources) == was)
            done = table.update(changes) if changes else set()
            updated += len(done)
            there.update((key, changes[key].now) for key in done)
        else:
            done, absent = set(), pending
        if absent:
            made = table.create(absent)
            created += len(made)
            there.update((key, absent[key]) for key in made)
            done = done | made
            if round_ and len(made) < len(absent):
                gone |= table.gone(absent.keys() - made)
        pending = {key: one for key, one in pending.items() if key not in done and key not in gone}
        if not pending:
            return Settled(Counts(created=created, updated=updated, unchanged=unchanged), there, gone)
        if round_ > 1:
            time.sleep(random.uniform(0, min(_LONGEST_PAUSE_S, 0.002 * 2**round_)))  # noqa: S311  # no secret
    raise GraphError(
        f"{len(pending)} entities or relations are changed by others all the time, first {next(iter(pending))!r}; "
        "write again when there is less to do"
    )


class EntityBatches:
    """Writes batches of entities."""

    def __init__(self, space: Space) -> None:
        self._space = space
        self._fresh = False

    def settle(self, batch: Mapping[str, Entity], bare: frozenset[str] = frozenset()) -> Settled[str, Entity]:
        """Bring entities, by id, into the graph with their name nodes; those of `bare` are created, or only get sources.

        Raises:
            GraphUnavailableError, GraphError: the server failed; a part may be written, and writing again does no harm.
        """
        ordered = {key: batch[key] for key in sorted(batch)}
        settled = _settle(self, ordered, bare, fresh=self._fresh)
        self._fresh = settled.counts.created * 2 > len(batch)
        return settled

    def read(self, keys: Iterable[str]) -> dict[str, Entity]:
        """Return the entities among these ids that are there."""
        rows = self._space.read(
            f"UNWIND $ids AS id MATCH (n:{self._space.entity} {{id: id}}) RETURN properties(n)", ids=list(keys)
        )
        return {row[0]["id"]: entity_of(row[0]) for row in rows}

    def create(self, absent: Mapping[str, Entity]) -> set[str]:
        """Create the entities that are still absent, with their names; return their ids."""
        rows = [entity_record(one) for one in absent.values()]
        extra = sorted({key for row in rows for key in row}.difference(_FIELDS))
        fields = ", ".join(f"`{key}`: row.`{key}`" for key in (*_FIELDS, *extra))
        create = (
            f"UNWIND $rows AS row OPTIONAL MATCH (old:{self._space.entity} {{id: row.id}}) "
            f"WITH row, old WHERE old IS NULL CREATE (n:{self._space.entity} {{{fields}}}) RETURN row.id"
        )

        def work(run: Run) -> set[str]:
            made = {row[0] for row in run(create, {"rows": rows})}
            self._create_names(run, [absent[key] for key in absent if key in made])
            return made

        return self._space.transact(work)

    def update(self, changes: Mapping[str, _Change[Entity]]) -> set[str]:
        """Update the entities that are as they were, and their names where those change; return their ids."""
        match = f"UNWIND $rows AS row MATCH (n:{self._space.entity} {{id: row.id}})"
        named = "n.name = row.name AND n.aliases = row.aliases"  # what name nodes are made of
        whole = f"{match} WHERE {named} AND {_SAME.format('n')} SET n = row.now RETURN row.id"
        sources = f"{match} WHERE n.sources = row.sources SET n.sources = row.now RETURN row.id"
        forget = f"UNWIND $ids AS id MATCH (m:{self._space.name} {{entity: id}}) DETACH DELETE m"
        rows, more = _updates(
            changes,
            lambda key: {"id": key, "name": changes[key].was.name, "aliases": list(changes[key].was.aliases)},
            entity_record,
        )

        def work(run: Run) -> set[str]:
            _lock(self._space, run, match, "n", [*rows, *more])
            done = {row[0] for row in run(sources, {"rows": more})} if more else set()
            if rows:
                wholly = {row[0] for row in run(whole, {"rows": rows})}
                renamed = [
                    changes[key].now
                    for key in sorted(wholly)
                    if names_of(changes[key].was) != names_of(changes[key].now)
                ]
                if renamed:
                    run(forget, {"ids": [one.id for one in renamed]})
                    self._create_names(run, renamed)
                done |= wholly
            return done

        return self._space.transact(work)

    def gone(self, keys: Iterable[str]) -> frozenset[str]:
        """Return nothing: any entity can be created."""
        return frozenset()

    def _create_names(self, run: Run, entities: Iterable[Entity]) -> None:
        rows = [row for one in entities for row in name_records(one)]
        if rows:
            create = (
                f"UNWIND $rows AS row CREATE (:{self._space.name} "
                "{text: row.text, entity: row.entity, alias: row.alias, head: row.head, tail: row.tail})"
            )
            run(create, {"rows": rows})


class RelationBatches:
    """Writes batches of relations of one name, which the schema has let through: it becomes a part of query texts."""

    def __init__(self, space: Space, name: str) -> None:
        self._space = space
        self._name = name
        self._fresh = False
        self._from_object = False

    def settle(self, batch: Mapping[Key, Relation]) -> Settled[Key, Relation]:
        """Bring relations, by subject and object, into the graph; both ends should be there.

        Raises:
            GraphUnavailableError, GraphError: as of `EntityBatches.settle`.
        """
        ordered = {key: batch[key] for key in sorted(batch)}
        # Servers look for a relation among all those of the end that is written first: one subject of many objects is a hub.
        self._from_object = len({key[0] for key in batch}) < len({key[1] for key in batch})
        settled = _settle(self, ordered, frozenset(), fresh=self._fresh)
        self._fresh = settled.counts.created * 2 > len(batch)
        return settled

    def read(self, keys: Iterable[Key]) -> dict[Key, Relation]:
        """Return the relations among these that are there."""
        asked = list(keys)
        rows = self._space.read(
            f"{self._ends} MATCH {self._pattern('r')} RETURN row.i, properties(r)",
            rows=[{"i": i, "s": key[0], "o": key[1]} for i, key in enumerate(asked)],
        )
        return {asked[i]: relation_of(record, asked[i][0], self._name, asked[i][1]) for i, record in rows}

    def create(self, absent: Mapping[Key, Relation]) -> set[Key]:
        """Create the relations that are still absent and have both ends; return their keys."""
        asked = list(absent)
        dialect = self._space.dialect
        lock = dialect.lock_relations("a")
        subjects = f"UNWIND $ids AS id MATCH (a:{self._space.entity} {{id: id}}) {lock}"
        create = f"{self._ends} {dialect.create_relation(self._pattern(''), self._pattern('r'))} RETURN row.i"
        rows = [
            {"i": i, "s": key[0], "o": key[1], "now": relation_record(one)}
            for i, (key, one) in enumerate(absent.items())
        ]

        def work(run: Run) -> set[Key]:
            if lock:
                run(subjects, {"ids": sorted({key[0] for key in asked})})
            return {asked[row[0]] for row in run(create, {"rows": rows})}

        return self._space.transact(work)

    def update(self, changes: Mapping[Key, _Change[Relation]]) -> set[Key]:
        """Update the relations that are as they were; return their keys."""
        asked = list(changes)
        places = {key: i for i, key in enumerate(asked)}
        match = f"{self._ends} MATCH {self._pattern('r')}"
        whole = f"{match} WHERE {_SAME.format('r')} SET r = row.now RETURN row.i"
        sources = f"{match} WHERE r.sources = row.sources SET r.sources = row.now RETURN row.i"
        rows, more = _updates(changes, lambda key: {"i": places[key], "s": key[0], "o": key[1]}, relation_record)

        def work(run: Run) -> set[Key]:
            _lock(self._space, run, match, "r", [*rows, *more])
            done = run(sources, {"rows": more}) if more else []
            done += run(whole, {"rows": rows}) if rows else []
            return {asked[row[0]] for row in done}

        return self._space.transact(work)

    def gone(self, keys: Iterable[Key]) -> frozenset[Key]:
        """Return the relations that lack an end."""
        asked = list(keys)
        rows = self._space.read(
            f"{self._ends} RETURN row.i", rows=[{"i": i, "s": key[0], "o": key[1]} for i, key in enumerate(asked)]
        )
        return frozenset(asked) - {asked[row[0]] for row in rows}

    @property
    def _ends(self) -> str:
        label = self._space.entity
        return f"UNWIND $rows AS row MATCH (a:{label} {{id: row.s}}) MATCH (b:{label} {{id: row.o}})"

    def _pattern(self, variable: str) -> str:
        walked = f"[{variable}:`{self._name}`]"
        return f"(b)<-{walked}-(a)" if self._from_object else f"(a)-{walked}->(b)"


def _lock(space: Space, run: Run, match: str, variable: str, rows: list[dict[str, Any]]) -> None:
    """See that nobody changes what is matched between a look at it and a write, in a statement of its own: what follows reads anew."""
    lock = space.dialect.lock(variable)
    if lock:
        run(f"{match} {lock}", {"rows": [{key: row[key] for key in ("id", "s", "o") if key in row} for row in rows]})


def _updates(
    changes: Mapping[_K, _Change[_One]],
    key_of: Callable[[_K], dict[str, Any]],
    record_of: Callable[[_One], dict[str, Any]],
) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """The rows of updates of the whole, and of those of the sources only."""
    whole: list[dict[str, Any]] = []
    sources: list[dict[str, Any]] = []
    for key, change in sorted(changes.items()):
        row = {**key_of(key), "sources": list(change.was.sources)}
        if change.sources_only:
            sources.append({**row, "now": list(change.now.sources)})
        else:
            was = change.was.time
            whole.append({**row, "time": None if was is None else stored(was), "now": record_of(change.now)})
    return whole, sources
