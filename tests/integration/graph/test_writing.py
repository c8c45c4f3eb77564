"""Upserts on both servers: what is kept, what changes, who may write at the same time, and what is refused."""

from __future__ import annotations

import json
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, date, datetime, timedelta, timezone

import pytest
from rejoinder.errors import GraphSchemaError, InvalidInputError
from rejoinder.graph.names import normalised
from rejoinder.graph.reading import entities, entity, named
from rejoinder.graph.records import relation_of
from rejoinder.graph.schema import GraphSchema
from rejoinder.graph.space import Space
from rejoinder.graph.values import Entity, Properties, Relation
from rejoinder.graph.writing import Counts, upsert

OPEN = GraphSchema(open=True)
FILMS = GraphSchema.parse(
    {
        "kinds": {
            "movie": {"properties": {"year": {"type": "integer", "required": True}, "rating": "number"}},
            "person": {},
        },
        "relations": {"directed_by": {"from": "movie", "to": "person", "properties": {"role": "string"}}},
    }
)
HEAT = Entity(id="movie:Heat", kind="movie", name="Heat", aliases=("Heat (1995)",), properties={"year": 1995})
MANN = Entity(id="person:Mann", kind="person", name="Michael Mann", description="A director.")
DIRECTED = Relation(subject="movie:Heat", name="directed_by", object="person:Mann", properties={"role": "director"})
MAY = datetime(2026, 5, 1, tzinfo=UTC)
JUNE = datetime(2026, 6, 1, 12, 30, 15, 123456, tzinfo=UTC)


def relations(space: Space) -> list[Relation]:
    rows = space.read(
        f"MATCH (a:{space.entity})-[r]->(b:{space.entity}) RETURN a.id, type(r), b.id, properties(r) ORDER BY a.id, b.id"
    )
    return [relation_of(row[3], row[0], row[1], row[2]) for row in rows]


def names(space: Space, id: str) -> dict[str, bool]:  # noqa: A002
    rows = space.read(f"MATCH (n:{space.name} {{entity: $id}}) RETURN n.text, n.alias", id=id)
    assert len({row[0] for row in rows}) == len(rows)
    return {row[0]: row[1] for row in rows}


def test_what_is_written_is_read_back(graph_space: Space) -> None:
    values: Properties = {
        "text": "a 'b' \"c\" `d` \\ {e} $f\n\t|",
        "empty": "",
        "year": 2**63 - 1,
        "rating": 7.0,
        "seen": True,
        "day": date(2024, 2, 29),
        "at": datetime(2024, 2, 29, 1, 2, 3, 4, tzinfo=timezone(timedelta(hours=5, minutes=30))),
        "tags": ("x", "ÿ", "電影"),
        "numbers": (1, 2),
        "days": (date(2024, 1, 1),),
        "like_a_date": "2024-02-29",
        "like_a_time": "2024-02-29T01:02:03Z",
        "order": "a reserved word",
    }
    written = Entity(id="x", kind="movie", name="Löwe 🦁", aliases=("獅子", "a|b"), properties=values)
    upsert(graph_space, OPEN, [written], source="s", time=JUNE)
    found = entity(graph_space, "x")
    assert found == Entity(
        id="x", kind="movie", name="Löwe 🦁", aliases=("獅子", "a|b"), properties=values, sources=("s",), time=JUNE
    )
    assert found.properties["at"].tzinfo is UTC  # type: ignore[union-attr]
    assert {key: type(value) for key, value in found.properties.items()} == {k: type(v) for k, v in values.items()}


def test_writing_again_changes_nothing(graph_space: Space) -> None:
    first = upsert(graph_space, FILMS, [HEAT, MANN], [DIRECTED], source="imdb", time=MAY)
    assert (first.entities, first.relations) == (Counts(created=2), Counts(created=1))
    again = upsert(graph_space, FILMS, [HEAT, MANN], [DIRECTED], source="imdb", time=MAY)
    assert (again.entities, again.relations) == (Counts(unchanged=2), Counts(unchanged=1))
    assert not again.changed
    assert len(relations(graph_space)) == 1
    assert names(graph_space, "movie:Heat") == {"heat": False, "heat 1995": True}


def test_provenance_is_united_and_the_latest_has_the_word(graph_space: Space) -> None:
    def said(name: str, time: datetime | None, confidence: float) -> Entity:
        return Entity(id="p", kind="person", name=name, time=time, confidence=confidence)

    upsert(graph_space, OPEN, [said("New", JUNE, 0.9)], source="b")
    report = upsert(graph_space, OPEN, [said("Old", MAY, 0.1)], source="a")
    assert report.entities == Counts(updated=1)
    found = entity(graph_space, "p")
    assert found is not None
    assert (found.name, found.sources, found.time, found.confidence) == ("New", ("a", "b"), JUNE, 0.9)
    upsert(graph_space, OPEN, [said("Timeless", None, 0.5)], source="c")
    found = entity(graph_space, "p")
    assert found is not None
    assert (found.name, found.sources, found.time, found.confidence) == ("Timeless", ("a", "b", "c"), JUNE, 0.5)

    ends = [HEAT, MANN]
    upsert(graph_space, OPEN, ends, [DIRECTED], source="b", time=JUNE)
    upsert(graph_space, OPEN, (), [DIRECTED], source="a", time=MAY)
    assert relations(graph_space)[0].sources == ("a", "b")
    assert relations(graph_space)[0].time == JUNE


def test_names_follow_their_entity(graph_space: Space) -> None:
    upsert(graph_space, FILMS, [HEAT], source="s")
    renamed = Entity(id=HEAT.id, kind="movie", name="Heat", aliases=("L.A. Takedown",), properties={"year": 1995})
    upsert(graph_space, FILMS, [renamed], source="s")
    assert names(graph_space, HEAT.id) == {"heat": False, "l a takedown": True}
    assert named(graph_space, "heat (1995)") == ()
    assert [one.id for one in named(graph_space, "l.a. TAKEDOWN")] == [HEAT.id]


def test_any_property_stays_when_a_source_is_added(graph_space: Space) -> None:
    values = {"lock": 1, "locked": True, "now": 2, "row": 3, "was": 4, "version": 5, "n": 6}
    one = Entity(id="x", kind="a", name="x", properties=values, time=JUNE)
    knows = Relation(subject="x", name="knows", object="x", properties=values, time=JUNE)
    upsert(graph_space, OPEN, [one], [knows], source="s")
    upsert(graph_space, OPEN, (), [Relation(subject="x", name="knows", object="x", time=MAY)], source="t", bare=True)
    found = entity(graph_space, "x")
    assert found is not None
    assert (found.properties, found.sources) == (values, ("s", "t"))
    assert (relations(graph_space)[0].properties, relations(graph_space)[0].sources) == (values, ("s", "t"))


def test_an_upsert_replaces_properties_as_a_whole(graph_space: Space) -> None:
    upsert(graph_space, OPEN, [Entity(id="x", kind="a", name="x", properties={"one": 1, "two": 2})], source="s")
    upsert(graph_space, OPEN, [Entity(id="x", kind="a", name="x", properties={"two": 3})], source="s")
    found = entity(graph_space, "x")
    assert found is not None
    assert found.properties == {"two": 3}


def test_one_entity_many_times_in_one_batch(graph_space: Space) -> None:
    several = [Entity(id="x", kind="a", name=f"n{number}", sources=(f"s{number}",)) for number in range(5)]
    report = upsert(graph_space, OPEN, several, source=None)
    assert report.entities == Counts(created=1)
    found = entity(graph_space, "x")
    assert found is not None
    assert (found.name, found.sources) == ("n4", ("s0", "s1", "s2", "s3", "s4"))


def test_a_dangling_relation_is_an_error(graph_space: Space) -> None:
    upsert(graph_space, FILMS, [HEAT], source="s")
    with pytest.raises(GraphSchemaError, match="there is no entity 'person:Mann'; write it first"):
        upsert(graph_space, FILMS, (), [DIRECTED], source="s")
    assert relations(graph_space) == []


def test_bare_entities_are_made_of_ids(graph_space: Space) -> None:
    free = GraphSchema.parse({"kinds": {"movie": None, "person": None}, "open": True})
    upsert(graph_space, free, [HEAT], source="a")
    report = upsert(graph_space, free, (), [DIRECTED], source="b", bare=True)
    assert (report.entities, report.relations) == (Counts(created=1, updated=1), Counts(created=1))
    there = entities(graph_space, ["movie:Heat", "person:Mann"])
    assert there["person:Mann"].name == "Mann"
    assert (there["movie:Heat"].aliases, there["movie:Heat"].sources) == (HEAT.aliases, ("a", "b"))
    again = upsert(graph_space, free, (), [DIRECTED], source="b", bare=True)
    assert not again.changed


def test_no_entity_is_made_without_its_required_properties(graph_space: Space) -> None:
    with pytest.raises(GraphSchemaError, match="there is no entity 'movie:Heat'"):
        upsert(graph_space, FILMS, (), [DIRECTED], source="s", bare=True)
    upsert(graph_space, FILMS, [HEAT], source="s")
    assert upsert(graph_space, FILMS, (), [DIRECTED], source="s", bare=True).relations == Counts(created=1)


def test_ends_must_be_of_the_kinds_declared(graph_space: Space) -> None:
    upsert(graph_space, FILMS, [HEAT, MANN], source="s")
    wrong = Relation(subject="person:Mann", name="directed_by", object="movie:Heat")
    with pytest.raises(GraphSchemaError, match="subject is of kind 'person', expected 'movie'"):
        upsert(graph_space, FILMS, (), [wrong], source="s")


@pytest.mark.parametrize(
    ("bad", "message"),
    [
        (Entity(id="x", kind="movei", name="x"), "unknown kind 'movei'. Did you mean 'movie'?"),
        (Entity(id="x", kind="movie", name="x"), "property 'year' is missing"),
        (Entity(id="x", kind="movie", name="x", properties={"year": "1995"}), "got '1995', expected integer"),
        (Entity(id="x", kind="person", name=""), "name: is empty"),
        (Entity(id="x", kind="person", name=" \n"), "name: is empty"),
        (Entity(id="", kind="person", name="x"), "id: is empty"),
        (Entity(id="x", kind="person", name="x" * 1_000_000), "name: 1000000 characters, at most 1000"),
        (Entity(id="x" * 1_000_000, kind="person", name="x"), "id: 1000000 characters"),
        (Entity(id="x", kind="person", name="a\x00b"), r"U\+0000"),
        (Entity(id="x", kind="person", name="a\ud800b"), r"U\+D800"),
        (Entity(id="x", kind="person", name="x", aliases=("",)), "aliases: is empty"),
        (Entity(id="x", kind="person", name="x", aliases=tuple(map(str, range(1000)))), "1000 of them, at most 200"),
        (Entity(id="x", kind="person", name="x", confidence=1.5), "expected a number from 0 to 1"),
        (Entity(id="x", kind="person", name="x", time=datetime(2026, 1, 1)), "no time zone"),  # noqa: DTZ001
        (Entity(id="x", kind="person", name="x", properties={"born": 1}), "unknown property 'born'"),
    ],
)
def test_what_does_not_fit_is_refused(graph_space: Space, bad: Entity, message: str) -> None:
    with pytest.raises(GraphSchemaError, match=message) as told:
        upsert(graph_space, FILMS, [bad], source="s")
    assert len(str(told.value)) < 500
    assert entity(graph_space, "x") is None


INJECTIONS = [
    "x'}) DETACH DELETE n //",
    "`]-() DETACH DELETE a //",
    'x"}) MATCH (n) DETACH DELETE n RETURN 1 //',
    "$id",
    "\\'; DROP TYPE Entity; --",
    "a`b",
    "*/ MATCH (n) DETACH DELETE n /*",
]


@pytest.mark.parametrize("text", INJECTIONS)
def test_values_are_never_cypher(graph_space: Space, text: str) -> None:
    evil = Entity(id=text, kind="a", name=text, aliases=(f"{text}!",), description=text, properties={"p": text})
    upsert(graph_space, OPEN, [HEAT, evil], [Relation(subject=text, name="r", object=HEAT.id)], source=text)
    assert entity(graph_space, text) == Entity(
        id=text, kind="a", name=text, aliases=(f"{text}!",), description=text, properties={"p": text}, sources=(text,)
    )
    assert [one.id for one in named(graph_space, text)] == [text] or not normalised(text)
    assert entity(graph_space, HEAT.id) is not None


@pytest.mark.parametrize("text", [*INJECTIONS, "A", "", "ä", "a b", "a\n", "entity" * 20])
def test_identifiers_are_checked(graph_space: Space, text: str) -> None:
    upsert(graph_space, OPEN, [HEAT, MANN], source="s")
    with pytest.raises(GraphSchemaError, match="is no name of the form"):
        upsert(graph_space, OPEN, [Entity(id="x", kind=text, name="x")], source="s")
    with pytest.raises(GraphSchemaError, match="is no name of the form"):
        upsert(graph_space, OPEN, (), [Relation(subject=HEAT.id, name=text, object=MANN.id)], source="s")
    if text not in ("A", "entity" * 20):
        with pytest.raises(GraphSchemaError, match="is no name of the form"):
            upsert(graph_space, OPEN, [Entity(id="x", kind="a", name="x", properties={text: 1})], source="s")
    assert entity(graph_space, HEAT.id) is not None


@pytest.mark.parametrize("word", ["in", "order", "match", "return", "where", "entity", "name", "type", "count", "null"])
def test_words_of_cypher_are_names_too(graph_space: Space, word: str) -> None:
    one = Entity(id="x", kind=word, name=word, properties={f"{word}_": 1})
    upsert(graph_space, OPEN, [one], [Relation(subject="x", name=word, object="x", properties={"of": 1})], source="s")
    again = upsert(
        graph_space, OPEN, [one], [Relation(subject="x", name=word, object="x", properties={"of": 2})], source="s"
    )
    assert again.relations == Counts(updated=1)
    assert relations(graph_space)[0].properties == {"of": 2}


def test_arguments_are_checked(graph_space: Space) -> None:
    with pytest.raises(InvalidInputError, match="batch: got 0, expected 1 to 10000"):
        upsert(graph_space, OPEN, [HEAT], source="s", batch=0)
    with pytest.raises(GraphSchemaError, match="source: is empty"):
        upsert(graph_space, OPEN, [HEAT], source="")
    with pytest.raises(GraphSchemaError, match="none is given"):
        upsert(graph_space, OPEN, [HEAT], source=None)


def test_progress_counts_all(graph_space: Space) -> None:
    told: list[int] = []
    many = [Entity(id=str(number), kind="a", name=str(number)) for number in range(25)]
    upsert(graph_space, OPEN, many, source="s", batch=10, progress=told.append)
    assert told == [10, 10, 5]


KEYS = 40
WRITER = """
import json, sys
from pathlib import Path
from concurrent.futures import ThreadPoolExecutor
from rejoinder.graph.graphs import Graphs
from rejoinder.graph.schema import GraphSchema
from rejoinder.graph.values import Entity, Properties, Relation
from rejoinder.graph.writing import upsert
from rejoinder.settings import DeploymentSettings, GraphSettings, SecretUrl

process, tenant, url, folder, keys = json.loads(sys.argv[1])
settings = DeploymentSettings(graph=GraphSettings(url=SecretUrl(url))) if url else DeploymentSettings(data_dir=Path(folder))
graphs = Graphs.from_settings(settings)
space = graphs.space(tenant)

def write(thread):
    source = f"{process}-{thread}"
    for start in range(0, keys, 10):
        ids = [f"e{(number * 7 + thread) % keys}" for number in range(start, start + 10)]
        entities = [Entity(id=id, kind="a", name=f"{id} of {source}", aliases=(id,)) for id in ids]
        relations = [Relation(subject=id, name="next", object=f"e{(int(id[1:]) + 1) % keys}") for id in ids]
        upsert(space, GraphSchema(open=True), entities, relations, source=source, bare=True)

with ThreadPoolExecutor(8) as pool:
    list(pool.map(write, range(8)))
graphs.close()
"""


def test_eight_threads_in_each_of_two_processes(
    graph_space: Space, tenant: str, request: pytest.FixtureRequest
) -> None:
    arcade = graph_space.dialect.name == "arcadedb"
    url = None if arcade else request.getfixturevalue("neo4j_url")
    folder = str(request.getfixturevalue("arcadedb_folder")) if arcade else None

    def run(process: int) -> subprocess.CompletedProcess[str]:
        told = json.dumps([process, tenant, url, folder, KEYS])
        return subprocess.run([sys.executable, "-c", WRITER, told], capture_output=True, text=True, timeout=300)

    with ThreadPoolExecutor(2) as pool:
        for done in pool.map(run, range(2)):
            assert done.returncode == 0, done.stderr
    everyone = tuple(sorted(f"{process}-{thread}" for process in range(2) for thread in range(8)))
    found = entities(graph_space, [f"e{number}" for number in range(KEYS)])
    assert len(found) == KEYS
    assert graph_space.read(f"MATCH (n:{graph_space.entity}) RETURN count(n)")[0][0] == KEYS
    assert {one.sources for one in found.values()} == {everyone}
    joined = relations(graph_space)
    assert len(joined) == KEYS
    assert {one.sources for one in joined} == {everyone}
    for one in found.values():
        assert names(graph_space, one.id) == {normalised(one.name): False, one.id: True}
