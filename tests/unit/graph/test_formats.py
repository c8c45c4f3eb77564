"""Values in cells and in JSON, triples, and what becomes of something that is said twice."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any, Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rejoinder.errors import GraphSchemaError
from rejoinder.graph.formats.csv import CsvReader, CsvRejects
from rejoinder.graph.formats.rows import BadRow
from rejoinder.graph.formats.triples import TriplesReader, triple_line
from rejoinder.graph.formats.values import from_json, list_cell, listed, parsed, to_cell, to_json, type_of
from rejoinder.graph.names import entity_id
from rejoinder.graph.provenance import said_by, together
from rejoinder.graph.schema import GraphSchema
from rejoinder.graph.values import Entity, Relation

OPEN = GraphSchema(open=True)
SURROGATES: tuple[Literal["Cs"]] = ("Cs",)
TEXTS = st.text(st.characters(exclude_categories=SURROGATES))
SCALARS: st.SearchStrategy[Any] = st.one_of(
    TEXTS,
    st.booleans(),
    st.integers(-(2**63), 2**63 - 1),
    st.floats(allow_nan=False, allow_infinity=False),
    st.dates(),
    st.datetimes(timezones=st.just(UTC)),
)
VALUES = st.one_of(SCALARS, *(st.lists(one, max_size=4).map(tuple) for one in (TEXTS, st.integers(0, 9), st.dates())))


@given(VALUES)
def test_values_survive_a_cell(value: Any) -> None:
    for type_ in {type_of(value), "json"}:
        cell = to_cell(value, type_)
        assert cell
        assert parsed(cell, type_) == value
        assert type(parsed(cell, type_)) is type(value)


@given(VALUES)
def test_values_survive_json(value: Any) -> None:
    for expected in (None, type_of(value)):
        assert from_json(json.loads(json.dumps(to_json(value, expected))), expected) == value


@given(st.lists(TEXTS))
def test_lists_survive_a_cell(texts: list[str]) -> None:
    assert listed(list_cell(texts)) == tuple(texts)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("x", "integer"),
        ("1.0", "integer"),
        ("1e400x", "number"),
        ("maybe", "boolean"),
        ("1.2.2026", "date"),
        ("[", "json"),
        ("a|1", "integer[]"),
    ],
)
def test_cells_that_are_not_of_their_type(text: str, expected: str) -> None:
    with pytest.raises(GraphSchemaError, match=r"got .*, expected"):
        parsed(text, expected)


@given(TEXTS.filter(str.strip), TEXTS.filter(str.strip))
def test_names_survive_a_triple(tmp_path_factory: pytest.TempPathFactory, first: str, second: str) -> None:
    subject, object_ = (Entity(id=entity_id("thing", name), kind="thing", name=name) for name in (first, second))
    path = tmp_path_factory.mktemp("triples") / "x.txt"
    path.write_text(triple_line(subject, "r", object_, OPEN), encoding="utf-8", newline="")
    rows = list(TriplesReader(path, OPEN))
    assert len(rows) == 1
    assert not isinstance(rows[0], BadRow), rows[0].reason
    assert rows[0].ends == (subject, object_)


@given(st.text(alphabet='ab,"\n;\r|', max_size=40))
def test_every_line_of_csv_is_read_or_told(tmp_path_factory: pytest.TempPathFactory, text: str) -> None:
    path = tmp_path_factory.mktemp("csv") / "x.csv"
    path.write_text(f"kind,name\n{text}\nperson,last\n", encoding="utf-8", newline="")
    rows = list(CsvReader(path, OPEN))
    assert rows[-1].line == text.count("\n") + 3
    last = rows[-1]
    assert not isinstance(last, BadRow)
    assert last.item == Entity(id="person:last", kind="person", name="last")


def test_rejects_have_the_reason_once() -> None:
    rejects = CsvRejects(["kind", "_reason", "name"])
    assert rejects.head() == "kind,name,_reason\n"
    assert rejects.line(["a", "old", "b"], 7, "new") == "a,b,line 7: new\n"
    assert rejects.line(["a"], 7, "short") == "a,,line 7: short\n"


def test_what_is_said_twice() -> None:
    early, late = datetime(2026, 1, 1, tzinfo=UTC), datetime(2026, 2, 1, tzinfo=UTC)
    old = Entity(id="x", kind="a", name="old", sources=("a",), time=early, confidence=0.1)
    new = Entity(id="x", kind="a", name="new", sources=("b",), time=late, confidence=0.2)
    both = replace(new, sources=("a", "b"))
    assert together(old, new) == both
    assert together(new, old) == both
    assert together(both, old) is both
    assert together(old, new, bare=True) == replace(old, sources=("a", "b"))
    assert together(old, replace(new, time=None)) == replace(both, time=early)


def test_sources_are_added() -> None:
    one = Relation(subject="x", name="r", object="y", sources=("b",))
    assert said_by(one, "a", None).sources == ("a", "b")
    assert said_by(one, None, None) is one
    with pytest.raises(GraphSchemaError, match="name one"):
        said_by(replace(one, sources=()), None, None)


def test_date_like_texts_stay_texts(tmp_path: Path) -> None:
    path = tmp_path / "x.csv"
    path.write_text("kind,name,day,seen:date\na,x,2026-01-01,2026-01-01\n")
    row = next(iter(CsvReader(path, OPEN)))
    assert not isinstance(row, BadRow)
    assert row.item.properties == {"day": "2026-01-01", "seen": date(2026, 1, 1)}
