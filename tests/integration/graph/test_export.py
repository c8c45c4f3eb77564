"""What is exported and loaded again is the same graph, in every format and on both servers."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, date, datetime
from pathlib import Path

import pytest
from rejoinder.errors import GraphSchemaError, InvalidInputError
from rejoinder.graph.export import export
from rejoinder.graph.graphs import Graphs
from rejoinder.graph.loading import Format, load
from rejoinder.graph.reading import entities
from rejoinder.graph.records import relation_of
from rejoinder.graph.schema import GraphSchema
from rejoinder.graph.space import Space
from rejoinder.graph.values import Entity, Properties, Relation
from rejoinder.graph.writing import upsert

OPEN = GraphSchema(open=True)
TIME = datetime(2026, 1, 2, 3, 4, 5, 678901, tzinfo=UTC)
ODD = [
    "plain",
    "bar | pipe",
    "[REC]",
    '["json"]',
    'quote " and "" more',
    "comma, semicolon; tab\t",
    "two\nlines",
    "carriage\rreturn\r\n",
    "back\\slash",
    "back\\\\slashes\\n\\|",
    "ends with \\",
    "電影 🦁 \u0301é",
    " spaces ",
    "'; DROP",
    "#comment",
    "\ufeffmark",
    "\u2028separator\u0085\x1c",
]
VALUES: Properties = {
    "text": "a",
    "empty": "",
    "number": 1.0,
    "integer": 1,
    "yes": True,
    "day": date(2024, 2, 29),
    "at": TIME,
    "texts": ("a|b", "", "[c"),
    "numbers": (1, 2),
    "days": (date(2024, 2, 29), date(2024, 3, 1)),
    "nothing": (),
    "json": '{"$date": "2024-01-01"}',
}


@pytest.fixture
def other(graphs: Graphs, tenant: str) -> Iterator[Space]:
    yield graphs.space(f"{tenant}-other")
    graphs.drop(f"{tenant}-other")


def content(space: Space) -> tuple[dict[str, Entity], list[Relation]]:
    ids = sorted(row[0] for row in space.read(f"MATCH (n:{space.entity}) RETURN n.id"))
    rows = space.read(f"MATCH (a:{space.entity})-[r]->(b:{space.entity}) RETURN a.id, type(r), b.id, properties(r)")
    relations = [relation_of(row[3], row[0], row[1], row[2]) for row in rows]
    return entities(space, ids), sorted(relations, key=lambda one: (one.subject, one.name, one.object))


def fill(space: Space) -> None:
    named = [Entity(id=f"thing:{name}", kind="thing", name=name) for name in ODD]
    full = replace(named[0], aliases=tuple(ODD), description=ODD[6], properties=VALUES, time=TIME, confidence=0.25)
    mixed = [replace(one, properties={"text": number, "day": str(number)}) for number, one in enumerate(named[1:4])]
    relations = [Relation(subject=named[0].id, name="likes", object=one.id) for one in named]
    relations.append(replace(relations[0], name="hates", properties=VALUES, time=TIME, confidence=0.5))
    upsert(space, OPEN, [full, *mixed, *named[4:]], relations, source="a|b")
    upsert(space, OPEN, named[5:7], relations[:2], source='quote "')


@pytest.mark.parametrize(("format", "name"), [("csv", "folder"), ("jsonl", "x.jsonl"), ("jsonl", "x.jsonl.gz")])
def test_a_round_trip(
    graph_space: Space,
    other: Space,
    tmp_path: Path,
    format: Format,  # noqa: A002
    name: str,
) -> None:
    fill(graph_space)
    rows = export(graph_space, OPEN, tmp_path / name, format=format)
    assert rows == len(ODD) * 2 + 1
    report = load(other, OPEN, tmp_path / name, source=None, rejects=tmp_path / "bad")
    assert (report.rows, report.problems) == (rows, ())
    assert content(other) == content(graph_space)
    types = [{key: type(value) for key, value in one.properties.items()} for one in content(graph_space)[0].values()]
    assert types == [{key: type(value) for key, value in one.properties.items()} for one in content(other)[0].values()]
    again = load(graph_space, OPEN, tmp_path / name, source=None)
    assert not again.written.changed


def test_triples_keep_names_and_relations(graph_space: Space, other: Space, tmp_path: Path) -> None:
    names = [name for name in ODD if name.strip()]
    relations = [Relation(subject=f"thing:{one}", name="likes", object="thing:plain") for one in names]
    upsert(graph_space, OPEN, (), relations, source="s", bare=True)
    assert export(graph_space, OPEN, tmp_path / "x.txt", format="triples") == len(names)
    report = load(other, OPEN, tmp_path / "x.txt", source="s")
    assert report.problems == ()
    assert content(other) == content(graph_space)


def test_what_triples_cannot_hold_is_refused(graph_space: Space, tmp_path: Path) -> None:
    path = tmp_path / "x.txt"
    path.write_text("as it was")
    upsert(graph_space, OPEN, [Entity(id="q1", kind="movie", name="Heat")], source="s")
    upsert(graph_space, OPEN, (), [Relation(subject="q1", name="likes", object="q1")], source="s")
    with pytest.raises(GraphSchemaError, match="'q1' cannot be written as a part of a triple"):
        export(graph_space, OPEN, path, format="triples")
    assert path.read_text() == "as it was"
    assert list(tmp_path.iterdir()) == [path]


def test_declared_dates_are_plain_texts(graph_space: Space, tmp_path: Path) -> None:
    schema = GraphSchema.parse({"kinds": {"movie": {"properties": {"day": "date", "days": "date[]"}}}})
    heat = Entity(
        id="h", kind="movie", name="Heat", properties={"day": date(1995, 12, 15), "days": (date(1995, 1, 1),)}
    )
    upsert(graph_space, schema, [heat], source="s")
    export(graph_space, schema, tmp_path / "x.jsonl", format="jsonl")
    assert '"day": "1995-12-15", "days": ["1995-01-01"]' in (tmp_path / "x.jsonl").read_text()
    assert not load(graph_space, schema, tmp_path / "x.jsonl", source=None).written.changed


def test_an_empty_graph(graph_space: Space, tmp_path: Path) -> None:
    files: tuple[tuple[Format, str], ...] = (("csv", "folder"), ("jsonl", "x.jsonl"), ("triples", "x.txt"))
    for format_, name in files:
        assert export(graph_space, OPEN, tmp_path / name, format=format_) == 0
        assert load(graph_space, OPEN, tmp_path / name, source=None).rows == 0


def test_a_folder_that_is_a_file(graph_space: Space, tmp_path: Path) -> None:
    (tmp_path / "x").write_text("")
    with pytest.raises(InvalidInputError, match="CSV is exported to a folder"):
        export(graph_space, OPEN, tmp_path / "x", format="csv")
