"""One tenant's graph, written to files that `rejoinder.graph.loading` reads: `load(..., source=None)` of an export gives the same graph."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import IO, TYPE_CHECKING, Final

from rejoinder.errors import InvalidInputError
from rejoinder.graph import reading
from rejoinder.graph.formats.csv import PropertyTypes, add_types, csv_line, entity_cells, header_of, relation_cells
from rejoinder.graph.formats.files import written_whole
from rejoinder.graph.formats.jsonl import json_line
from rejoinder.graph.formats.triples import triple_line
from rejoinder.graph.loading import CSV_FILES, Format
from rejoinder.graph.records import relation_of
from rejoinder.graph.schema import GraphSchema
from rejoinder.graph.values import Entity, Relation

if TYPE_CHECKING:
    from rejoinder.graph.space import Space

__all__ = ["export"]

_BATCH: Final = 2000


def export(
    space: Space,
    schema: GraphSchema,
    path: Path,
    *,
    format: Format,  # noqa: A002
    progress: Callable[[int], None] | None = None,
) -> int:
    """Write the graph to a file, or as CSV to the files `entities.csv` and `relations.csv` of a folder; return how many rows.

    Rows are sorted, so that two exports of the same graph are equal. Triples hold relations and names only. What others write
    meanwhile may be in it or not.

    Args:
        path: the file, gzipped where its name ends with `.gz`; of CSV the folder.
        progress: told how many more rows are written, after each batch.
    Raises:
        GraphSchemaError: an entity cannot be a part of a triple, since its id is not "kind:name".
        InvalidInputError: the file cannot be written. A file that was there stays as it was after any error.
        GraphUnavailableError, GraphError: the server failed.
    """
    tell = progress or (lambda more: None)
    if format == "csv":
        return _csv(space, path, tell)
    with written_whole(path) as file:
        if format == "triples":
            return _write(file, (triple_line(*one, schema) for one in _named(space)), tell)
        rows = _write(file, (json_line(one, schema) for one in _entities(space)), tell)
        return rows + _write(file, (json_line(one, schema) for one in _relations(space)), tell)


def _csv(space: Space, folder: Path, tell: Callable[[int], None]) -> int:
    if folder.is_file():
        raise InvalidInputError(f"{folder} is a file; CSV is exported to a folder, as {' and '.join(CSV_FILES)}")
    entity_types: PropertyTypes = {}
    relation_types: PropertyTypes = {}
    for entity in _entities(space):
        add_types(entity_types, entity)
    for relation in _relations(space):
        add_types(relation_types, relation)
    entity_types, relation_types = dict(sorted(entity_types.items())), dict(sorted(relation_types.items()))
    with written_whole(folder / CSV_FILES[0]) as first, written_whole(folder / CSV_FILES[1]) as second:
        first.write(csv_line(header_of(False, entity_types)))
        rows = _write(first, (csv_line(entity_cells(one, entity_types)) for one in _entities(space)), tell)
        second.write(csv_line(header_of(True, relation_types)))
        return rows + _write(second, (csv_line(relation_cells(one, relation_types)) for one in _relations(space)), tell)


def _write(file: IO[str], lines: Iterator[str], tell: Callable[[int], None]) -> int:
    rows = 0
    for rows, line in enumerate(lines, start=1):
        file.write(line)
        if rows % _BATCH == 0:
            tell(_BATCH)
    tell(rows % _BATCH)
    return rows


def _ids(space: Space) -> Iterator[list[str]]:
    """The ids of all entities, sorted, in batches."""
    ids = sorted(row[0] for row in space.read(f"MATCH (n:{space.entity}) RETURN n.id"))
    for start in range(0, len(ids), _BATCH):
        yield ids[start : start + _BATCH]


def _entities(space: Space) -> Iterator[Entity]:
    for ids in _ids(space):
        found = reading.entities(space, ids)
        yield from (found[id_] for id_ in ids if id_ in found)


def _relations(space: Space) -> Iterator[Relation]:
    for ids in _ids(space):
        rows = space.read(f"{_outgoing(space)} RETURN a.id, type(r), b.id, properties(r)", ids=ids)
        for row in sorted(rows, key=lambda row: (row[0], row[1], row[2])):
            yield relation_of(row[3], row[0], row[1], row[2])


def _named(space: Space) -> Iterator[tuple[Entity, str, Entity]]:
    """All relations, with no more of their ends than id, kind and name."""
    for ids in _ids(space):
        rows = space.read(f"{_outgoing(space)} RETURN a.id, type(r), b.id, a.kind, a.name, b.kind, b.name", ids=ids)
        for row in sorted(rows, key=lambda row: (row[0], row[1], row[2])):
            yield Entity(id=row[0], kind=row[3], name=row[4]), row[1], Entity(id=row[2], kind=row[5], name=row[6])


def _outgoing(space: Space) -> str:
    return f"UNWIND $ids AS id MATCH (a:{space.entity} {{id: id}})-[r]->(b:{space.entity})"
