"""The schema of a graph: how it is declared and merged, and what it lets through."""

from __future__ import annotations

from datetime import UTC, date, datetime
from typing import Any

import pytest
from rejoinder.errors import GraphSchemaError
from rejoinder.graph.schema import GraphSchema
from rejoinder.graph.storable import MAX_LIST, MAX_PROPERTIES
from rejoinder.graph.values import Entity, Relation

FILMS = GraphSchema.parse(
    {
        "kinds": {
            "movie": {
                "title": "film",
                "properties": {"year": {"type": "integer", "required": True}, "tags": "string[]"},
            },
            "person": None,
        },
        "relations": {"directed_by": {"from": "movie", "to": ["person"], "inverse_title": "directed"}},
    }
)


def test_a_declaration_is_read() -> None:
    assert not FILMS.open
    assert FILMS.kinds["movie"].title == "film"
    assert FILMS.kinds["movie"].properties["tags"].type == "string[]"
    assert (FILMS.relations["directed_by"].domain, FILMS.relations["directed_by"].range) == (("movie",), ("person",))
    assert FILMS.property_type("movie", "year") == "integer"
    assert FILMS.property_type("movie", "nothing") is None
    assert not FILMS.may_be_bare("movie")
    assert FILMS.may_be_bare("person")


@pytest.mark.parametrize(
    ("declared", "is_open"), [({}, True), ({"open": False}, False), ({"kinds": {"a": None}}, False)]
)
def test_a_schema_that_declares_nothing_is_open(declared: dict[str, Any], is_open: bool) -> None:
    assert GraphSchema.parse(declared).open is is_open


@pytest.mark.parametrize(
    ("declared", "message"),
    [
        ({"kind": {}}, "films: kind: Extra inputs"),
        ({"kinds": {"Movie": None}}, "is no name of the form"),
        ({"kinds": {"movie\n": None}}, "is no name of the form"),
        ({"kinds": {"a": {"properties": {"year": "int"}}}}, "expected one of string, integer"),
        ({"kinds": {"a": {"properties": {"name": "string"}}}}, "property 'name' has the name of a field"),
        ({"kinds": {"a": {"properties": {"a`b": "string"}}}}, "is no name of the form"),
        ({"kinds": {"movie": None}, "relations": {"r": {"from": "movei"}}}, "Did you mean 'movie'?"),
        ({"relations": {"r`]->() DELETE": {}}}, "is no name of the form"),
    ],
)
def test_mistakes_are_named(declared: dict[str, Any], message: str) -> None:
    with pytest.raises(GraphSchemaError, match="films: ") as told:
        GraphSchema.parse(declared, place="films")
    assert message in str(told.value)


def test_schemas_are_merged() -> None:
    more = GraphSchema.parse({"kinds": {"person": None, "band": None}})
    both = GraphSchema.merged([FILMS, more, GraphSchema(open=True)])
    assert not both.open
    assert set(both.kinds) == {"movie", "person", "band"}
    assert GraphSchema.merged([]).open
    with pytest.raises(GraphSchemaError, match="kind 'movie' is declared by two domains, and differently"):
        GraphSchema.merged([FILMS, GraphSchema.parse({"kinds": {"movie": None}})])


@pytest.mark.parametrize(
    ("type_", "good", "bad"),
    [
        ("string", "x", 1),
        ("integer", 1, True),
        ("number", 1, "1"),
        ("boolean", True, 1),
        ("date", date(2026, 1, 1), datetime(2026, 1, 1, tzinfo=UTC)),
        ("datetime", datetime(2026, 1, 1, tzinfo=UTC), date(2026, 1, 1)),
        ("string[]", ("x",), "x"),
        ("integer[]", (), ("x",)),
        ("number[]", (1.5,), (True,)),
    ],
)
def test_types_of_properties(type_: str, good: Any, bad: Any) -> None:
    schema = GraphSchema.parse({"kinds": {"a": {"properties": {"p": type_}}}})
    schema.check_entity(Entity(id="x", kind="a", name="x", properties={"p": good}))
    with pytest.raises(GraphSchemaError, match=f"property 'p': got .*, expected {type_.replace('[]', '')}"):
        schema.check_entity(Entity(id="x", kind="a", name="x", properties={"p": bad}))


@pytest.mark.parametrize(
    ("properties", "message"),
    [
        ({"p": None}, "leave the property out"),
        ({"p": float("nan")}, "leave the property out"),
        ({"p": float("inf")}, "leave the property out"),
        ({"p": 2**63}, "beyond 64 bits"),
        ({"p": {"a": 1}}, "cannot be stored"),
        ({"p": (("x",),)}, "a list within a list"),
        ({"p": (1, "x")}, "must be of one type"),
        ({"p": tuple(range(MAX_LIST + 1))}, "a list of 1001, at most 1000"),
        ({"p": "\x00"}, r"U\+0000"),
        ({"p": datetime(2026, 1, 1)}, "no time zone"),  # noqa: DTZ001
        ({f"p{number}": 1 for number in range(MAX_PROPERTIES + 1)}, "101 properties"),
        ({"time": 1}, "has the name of a field"),
        ({"a b": 1}, "is no name of the form"),
    ],
)
def test_what_cannot_be_stored(properties: Any, message: str) -> None:
    with pytest.raises(GraphSchemaError, match=message):
        GraphSchema(open=True).check_entity(Entity(id="x", kind="a", name="x", properties=properties))
    with pytest.raises(GraphSchemaError, match=message):
        GraphSchema(open=True).check_relation(Relation(subject="x", name="r", object="y", properties=properties))


def test_relations() -> None:
    directed = Relation(subject="a", name="directed_by", object="b")
    FILMS.check_relation(directed)
    FILMS.check_ends(directed, "movie", "person")
    with pytest.raises(GraphSchemaError, match="object is of kind 'movie', expected 'person'"):
        FILMS.check_ends(directed, "movie", "movie")
    with pytest.raises(GraphSchemaError, match=r"unknown relation 'directed'\. Did you mean 'directed_by'"):
        FILMS.check_relation(Relation(subject="a", name="directed", object="b"))
