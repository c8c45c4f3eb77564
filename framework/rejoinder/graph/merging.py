"""Two entities that are one: merged by a person's decision, on record, and undone where that was wrong.

`rejoinder.graph.duplicates` proposes; nothing is merged by itself. Each merge, each refusal and each undoing leaves an entry in the graph:
who, when, why, and what was there before.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime
from typing import TYPE_CHECKING, Any, Final, Literal, TypeVar
from uuid import uuid4

from rejoinder.errors import ConflictError, InvalidInputError, NotFoundError
from rejoinder.graph.names import normalised
from rejoinder.graph.provenance import united
from rejoinder.graph.reading import check_limit
from rejoinder.graph.records import entity_of, entity_record, loaded, name_records, relation_of, relation_record
from rejoinder.graph.storable import check_storable
from rejoinder.graph.values import Entity, Relation

if TYPE_CHECKING:
    from rejoinder.graph.connection import Run
    from rejoinder.graph.space import Space

__all__ = ["Action", "AuditEntry", "audit", "merge", "reject", "undo"]

Action = Literal["merge", "reject", "undo"]

_Key = tuple[str, str, str]
_Relations = dict[_Key, Relation]
_One = TypeVar("_One", Entity, Relation)

_MOST_ENTRIES: Final = 1000
_MOST_CHARS: Final = 10_000


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditEntry:
    """One decision about two entities.

    Attributes:
        keep, drop: their ids; `drop` is gone after a merge.
        by: who decided.
        before: what the merge changed, as JSON; empty for other actions.
        undone: whether the merge was undone later.
    """

    id: str
    action: Action
    keep: str
    drop: str
    by: str
    reason: str
    time: datetime
    before: str = ""
    undone: bool = False


def merge(space: Space, keep: str, drop: str, *, by: str, reason: str) -> AuditEntry:
    """Make one entity of two, in one transaction.

    Name and aliases of the one dropped become aliases of the other; its relations move there, each once, and none to itself;
    sources are united; a description and properties that are missing are taken over. Vectors are made anew by the next `embed`.

    Args:
        keep, drop: ids.
        by: who decided so.
        reason: why.
    Raises:
        NotFoundError: there is no such entity.
        InvalidInputError: they are the same, or of different kinds; `by` or `reason` is empty or too long.
        GraphSchemaError: what comes of it has too many aliases or sources to be stored.
        GraphUnavailableError, GraphError: the server failed; nothing was changed.
    """
    _check_words(by, reason)
    if keep == drop:
        raise InvalidInputError(f"{keep!r} cannot be merged with itself")
    vectors = [label for label in space.owned_labels() if label not in _plain_labels(space)]
    entry = _entry("merge", keep, drop, by, reason)

    def work(run: Run) -> AuditEntry:
        there = _locked(space, run, keep, drop)
        for one in (keep, drop):
            if one not in there:
                raise NotFoundError(f"there is no entity {one!r}")
        kept, dropped = there[keep], there[drop]
        if kept.kind != dropped.kind:
            raise InvalidInputError(
                f"{keep!r} is of kind {kept.kind!r} and {drop!r} of kind {dropped.kind!r}: only entities of one kind are merged"
            )
        own, moving = _relations_at(space, run, keep), _relations_at(space, run, drop)
        after = _merged_entity(kept, dropped)
        check_storable(after)
        changed = _moved(moving, own, keep, drop)
        _write_entity(space, run, after)
        _write_relations(space, run, changed)
        _delete_entity(space, run, drop, vectors)
        before = {
            "keep": entity_record(kept),
            "drop": entity_record(dropped),
            "after": entity_record(after),
            "dropped": _rows(moving),
            "replaced": _rows({key: own[key] for key in changed if key in own}),
            "written": _rows(changed),
        }
        return _record(space, run, replace(entry, before=json.dumps(before, default=_packed, ensure_ascii=False)))

    return space.transact(work)


def reject(space: Space, first: str, second: str, *, by: str, reason: str) -> AuditEntry:
    """Remember that two entities are not the same: they are not proposed again.

    Raises:
        NotFoundError: there is no such entity.
        InvalidInputError: they are the same id; `by` or `reason` is empty or too long.
        GraphUnavailableError, GraphError: the server failed.
    """
    _check_words(by, reason)
    if first == second:
        raise InvalidInputError(f"{first!r} is one id: name two entities")
    entry = _entry("reject", first, second, by, reason)

    def work(run: Run) -> AuditEntry:
        there = _locked(space, run, first, second)
        for one in (first, second):
            if one not in there:
                raise NotFoundError(f"there is no entity {one!r}")
        return _record(space, run, entry)

    return space.transact(work)


def undo(space: Space, entry: str, *, by: str) -> AuditEntry:
    """Make two entities of one again, as they were before a merge; they are not proposed again.

    Relations that others have changed since stay at the entity that was kept too.

    Args:
        entry: id of the merge's `AuditEntry`.
        by: who decided so.
    Raises:
        NotFoundError: there is no such merge.
        ConflictError: it was undone already, or either entity has been written to since: correct it by hand.
        GraphUnavailableError, GraphError: the server failed; nothing was changed.
    """
    _check_words(by, "undo")

    def work(run: Run) -> AuditEntry:
        rows = run(
            f"MATCH (a:{space.audit} {{id: $id, action: 'merge'}}) SET a.undone = a.undone RETURN properties(a)",
            {"id": entry},
        )
        if not rows:
            raise NotFoundError(f"there is no merge {entry!r}")
        merged = _entry_of(rows[0][0])
        if merged.undone:
            raise ConflictError(f"the merge {entry!r} was undone already")
        before = json.loads(merged.before, object_hook=_unpacked)
        there = _locked(space, run, merged.keep, merged.drop)
        if there.get(merged.keep) != entity_of(before["after"]):
            raise ConflictError(f"{merged.keep!r} has changed since the merge {entry!r}: correct it by hand")
        if merged.drop in there:
            raise ConflictError(f"{merged.drop!r} was written again since the merge {entry!r}: correct it by hand")
        now = _relations_at(space, run, merged.keep)
        replaced, written = _of_rows(before["replaced"]), _of_rows(before["written"])
        as_written = {key for key, one in written.items() if now.get(key) == one}
        _delete_relations(space, run, as_written - replaced.keys())
        _write_relations(space, run, {key: replaced[key] for key in as_written & replaced.keys()})
        _write_entity(space, run, entity_of(before["keep"]))
        _write_entity(space, run, entity_of(before["drop"]))
        _write_relations(space, run, _of_rows(before["dropped"]))
        run(f"MATCH (a:{space.audit} {{id: $id}}) SET a.undone = true", {"id": entry})
        return _record(space, run, _entry("undo", merged.keep, merged.drop, by, f"merge {entry}"))

    return space.transact(work)


def audit(space: Space, *, limit: int = 100) -> tuple[AuditEntry, ...]:
    """Return what was merged, rejected and undone, latest first.

    Args:
        limit: most entries, 1 to 1000.
    Raises:
        InvalidInputError: the limit is out of range.
    """
    check_limit(limit, most=_MOST_ENTRIES)
    rows = space.read(
        f"MATCH (a:{space.audit}) RETURN properties(a) ORDER BY a.time DESC, a.id LIMIT $limit", limit=limit
    )
    return tuple(_entry_of(row[0]) for row in rows)


def _check_words(by: str, reason: str) -> None:
    for name, text in (("by", by), ("reason", reason)):
        if not text.strip() or len(text) > _MOST_CHARS:
            raise InvalidInputError(f"{name}: got {len(text)} characters, expected 1 to {_MOST_CHARS}, not all blank")


def _plain_labels(space: Space) -> tuple[str, ...]:
    return space.entity, space.name, space.migration, space.audit


def _entry(action: Action, keep: str, drop: str, by: str, reason: str) -> AuditEntry:
    return AuditEntry(id=uuid4().hex, action=action, keep=keep, drop=drop, by=by, reason=reason, time=datetime.now(UTC))


def _record(space: Space, run: Run, entry: AuditEntry) -> AuditEntry:
    run(
        f"CREATE (a:{space.audit} {{id: $id, action: $action, keep: $keep, drop: $drop, by: $by, reason: $reason, "
        "time: $time, before: $before, undone: $undone})",
        {
            "id": entry.id,
            "action": entry.action,
            "keep": entry.keep,
            "drop": entry.drop,
            "by": entry.by,
            "reason": entry.reason,
            "time": entry.time,
            "before": entry.before,
            "undone": entry.undone,
        },
    )
    return entry


def _entry_of(node: Mapping[str, Any]) -> AuditEntry:
    return AuditEntry(**{**node, "time": loaded(node["time"])})


def _locked(space: Space, run: Run, *ids: str) -> dict[str, Entity]:
    """Return those of these entities that are there, with nobody else able to change them or their relations until the transaction ends."""
    match = f"UNWIND $ids AS id MATCH (e:{space.entity} {{id: id}})"
    run(f"{match} {space.dialect.lock('e')} {space.dialect.lock_relations('e')}", {"ids": sorted(ids)})
    rows = run(f"{match} RETURN properties(e)", {"ids": sorted(ids)})
    return {one.id: one for one in (entity_of(row[0]) for row in rows)}


def _relations_at(space: Space, run: Run, id_: str) -> _Relations:
    rows = run(
        f"MATCH (a:{space.entity} {{id: $id}})-[r]-(b:{space.entity}) "
        "RETURN type(r), startNode(r) = a, b.id, properties(r)",
        {"id": id_},
    )
    keys = [((id_, row[0], row[2]) if row[1] else (row[2], row[0], id_), row[3]) for row in rows]
    return {key: relation_of(record, *key) for key, record in keys}


def _merged_entity(kept: Entity, dropped: Entity) -> Entity:
    names = {normalised(kept.name)}
    aliases = []
    for alias in (*kept.aliases, dropped.name, *dropped.aliases):
        if normalised(alias) not in names:
            names.add(normalised(alias))
            aliases.append(alias)
    return replace(
        _latest(kept, dropped),
        aliases=tuple(aliases),
        description=kept.description or dropped.description,
        properties={**dropped.properties, **kept.properties},
    )


def _latest(first: _One, second: _One) -> _One:
    """The first, with the sources of both, and time and confidence of the later one."""
    later = second if first.time is not None and second.time is not None and second.time > first.time else first
    return replace(
        first,
        sources=united(first.sources, second.sources),
        time=later.time or second.time,
        confidence=later.confidence,
    )


def _moved(moving: _Relations, own: _Relations, keep: str, drop: str) -> _Relations:
    """The relations of the one dropped, at the one kept; joined with those that are there already."""
    written: _Relations = {}
    for (subject, name, object_), one in moving.items():
        key = (keep if subject == drop else subject, name, keep if object_ == drop else object_)
        if key[0] == key[2]:
            continue
        there = written.get(key) or own.get(key)
        if there is None:
            written[key] = replace(one, subject=key[0], object=key[2])
        else:
            written[key] = replace(_latest(there, one), properties={**one.properties, **there.properties})
    return written


def _write_entity(space: Space, run: Run, entity: Entity) -> None:
    run(f"MERGE (e:{space.entity} {{id: $id}}) SET e = $record", {"id": entity.id, "record": entity_record(entity)})
    run(f"MATCH (n:{space.name} {{entity: $id}}) DELETE n", {"id": entity.id})
    run(
        f"UNWIND $rows AS row CREATE (n:{space.name} "
        "{text: row.text, entity: row.entity, alias: row.alias, head: row.head, tail: row.tail})",
        {"rows": name_records(entity)},
    )


def _delete_entity(space: Space, run: Run, id_: str, vectors: Iterable[str]) -> None:
    run(f"MATCH (e:{space.entity} {{id: $id}}) DETACH DELETE e", {"id": id_})
    for label in (space.name, *vectors):
        run(f"MATCH (n:{label} {{entity: $id}}) DELETE n", {"id": id_})


def _write_relations(space: Space, run: Run, relations: _Relations) -> None:
    """Write relations of entities that are there; those with an end that is gone fall out."""
    for name, keys in _by_name(relations).items():
        run(
            f"UNWIND $rows AS row MATCH (a:{space.entity} {{id: row.s}}) MATCH (b:{space.entity} {{id: row.o}}) "
            f"MERGE (a)-[r:`{name}`]->(b) SET r = row.now",
            {"rows": [{"s": key[0], "o": key[2], "now": relation_record(relations[key])} for key in keys]},
        )


def _delete_relations(space: Space, run: Run, keys: Iterable[_Key]) -> None:
    for name, some in _by_name(keys).items():
        run(
            f"UNWIND $rows AS row MATCH (a:{space.entity} {{id: row.s}}) MATCH (b:{space.entity} {{id: row.o}}) "
            f"MATCH (a)-[r:`{name}`]->(b) DELETE r",
            {"rows": [{"s": key[0], "o": key[2]} for key in some]},
        )


def _by_name(keys: Iterable[_Key]) -> dict[str, list[_Key]]:
    found: dict[str, list[_Key]] = defaultdict(list)
    for key in sorted(keys):
        found[key[1]].append(key)
    return found


def _rows(relations: _Relations) -> list[list[Any]]:
    return [[*key, relation_record(one)] for key, one in sorted(relations.items())]


def _of_rows(rows: Iterable[list[Any]]) -> _Relations:
    return {(row[0], row[1], row[2]): relation_of(row[3], row[0], row[1], row[2]) for row in rows}


def _packed(value: Any) -> dict[str, str]:
    """A time as JSON keeps it."""
    return {"$time" if isinstance(value, datetime) else "$date": value.isoformat()}


def _unpacked(value: dict[str, Any]) -> Any:
    if "$time" in value:
        return datetime.fromisoformat(value["$time"])
    return date.fromisoformat(value["$date"]) if "$date" in value else value
