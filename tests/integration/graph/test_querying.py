"""Cypher of others on both servers: it reads its own tenant's entities, and nothing else, within its limits."""

from __future__ import annotations

import contextlib
import json
import time
from collections.abc import Iterator
from typing import Any
from uuid import uuid4

import pytest
from rejoinder.errors import GraphError, GraphQueryError
from rejoinder.graph import querying
from rejoinder.graph.graphs import Graphs
from rejoinder.graph.querying import query
from rejoinder.graph.space import Space

SECRET = "zz-secret-of-the-other"


@pytest.fixture(scope="module", params=["arcadedb", pytest.param("neo4j", marks=pytest.mark.service)])
def spaces(request: pytest.FixtureRequest) -> Iterator[tuple[Space, Space]]:
    """Two tenants' spaces on each kind of server, that no test here changes."""
    graphs: Graphs = request.getfixturevalue(request.param)
    names = [f"test-{uuid4().hex[:8]}" for _ in range(2)]
    space, other = (graphs.space(name) for name in names)
    fill(space, ["Heat", "Ali", "Alien"], {"Heat": "Mann", "Ali": "Mann", "Alien": "Scott"})
    films = [f"{SECRET} film", f"{SECRET} film 2"]
    fill(other, films, dict.fromkeys(films, f"{SECRET} person"))
    yield space, other
    for name in names:
        graphs.drop(name)


@pytest.fixture
def space(spaces: tuple[Space, Space]) -> Space:
    """A space with three films and two directors."""
    return spaces[0]


@pytest.fixture
def other(spaces: tuple[Space, Space]) -> Space:
    """A space of another tenant, all of whose texts have a secret in them."""
    return spaces[1]


def fill(space: Space, films: list[str], directors: dict[str, str]) -> None:
    people = sorted(set(directors.values()))
    rows = [
        {"id": f"{kind}:{name}", "kind": kind, "name": name, "year": 1990 + number}
        for kind, names in (("movie", films), ("person", people))
        for number, name in enumerate(names)
    ]
    space.write(
        f"UNWIND $rows AS row CREATE (n:{space.entity}) SET n = row, n.search = row.name RETURN count(*) AS n",
        rows=rows,
    )
    space.write(
        f"UNWIND $rows AS row CREATE (n:{space.name}) SET n.text = row.name, n.entity = row.id RETURN count(*) AS n",
        rows=rows,
    )
    pairs = [{"film": f"movie:{film}", "person": f"person:{person}"} for film, person in directors.items()]
    space.write(
        f"UNWIND $pairs AS pair MATCH (a:{space.entity} {{id: pair.film}}), (b:{space.entity} {{id: pair.person}}) "
        "CREATE (a)-[:directed_by {confidence: 0.5}]->(b) RETURN count(*) AS n",
        pairs=pairs,
    )


ANSWERS: list[tuple[str, dict[str, Any], list[Any]]] = [
    ("MATCH (n:Entity {kind: 'person'}) RETURN n.name ORDER BY n.name", {}, ["Mann", "Scott"]),
    ("MATCH (n {kind: 'movie'}) RETURN count(*)", {}, [3]),
    ("MATCH (n) RETURN count(n)", {}, [5]),
    ("MATCH ({name: $film})-[:directed_by]->(p) RETURN p.name", {"film": "Heat"}, ["Mann"]),
    ("MATCH (p {name: 'Mann'})<-[:directed_by]-(f) RETURN f.name ORDER BY f.year DESC", {}, ["Ali", "Heat"]),
    ("MATCH (p) WHERE (p)<-[:directed_by]-({name: 'Heat'}) RETURN p.name", {}, ["Mann"]),
    ("MATCH (p) WHERE NOT (p)<-[:directed_by]-() AND p.kind = 'person' RETURN p.name", {}, []),
    ("MATCH (p {kind: 'person'}) WHERE COUNT { (p)<-[:directed_by]-() } > 1 RETURN p.name", {}, ["Mann"]),
    ("MATCH (p {kind: 'person'}) WHERE EXISTS { MATCH (p)<--(f) WHERE f.name = 'Alien' } RETURN p.name", {}, ["Scott"]),
    ("MATCH (p {name: 'Mann'}) RETURN size([(p)<-[:directed_by]-(f) WHERE f.year < 1991 | f.name])", {}, [1]),
    (
        "MATCH (p {name: 'Mann'}) CALL { WITH p MATCH (p)<--(f) RETURN f.name AS film } RETURN film ORDER BY film",
        {},
        ["Ali", "Heat"],
    ),
    ("MATCH p = shortestPath((a {name: 'Heat'})-[*..4]-(b {name: 'Ali'})) RETURN length(p)", {}, [2]),
    ("MATCH (a {name: 'Heat'})-[*2..2]-(b) RETURN b.name", {}, ["Ali"]),
    ("MATCH (n) WHERE n.name STARTS WITH 'Ali' AND n.name =~ '.*en' RETURN n.name", {}, ["Alien"]),
    ("MATCH (n) WHERE n:Entity AND n.kind = 'person' WITH DISTINCT n.kind AS k RETURN toUpper(k)", {}, ["PERSON"]),
    ("MATCH (n) WITH n.kind AS kind, count(*) AS c WHERE c > 2 RETURN kind + ' ' + toString(c)", {}, ["movie 3"]),
    (
        "UNWIND $names AS name MATCH (n {name: name}) RETURN n.id ORDER BY n.id",
        {"names": ["Heat", "Scott"]},
        ["movie:Heat", "person:Scott"],
    ),
    ("MATCH (n {name: 'Heat'}) RETURN n {.name, year: n.year + 1}", {}, [{"name": "Heat", "year": 1991}]),
    ("MATCH (n {name: 'Heat'}) RETURN CASE WHEN n.year < 2000 THEN 'old' ELSE 'new' END", {}, ["old"]),
    ("RETURN [x IN range(1, 4) WHERE x % 2 = 0 | x * 10]", {}, [[20, 40]]),
    ("RETURN all(x IN [1, 2] WHERE x > 0)", {}, [True]),
    (
        "MATCH ({name: 'Heat'}) RETURN 1 AS x UNION MATCH (n {name: 'Ali'}) RETURN 2 AS x UNION MATCH ({name: 'Ali'}) RETURN 2 AS x",
        {},
        [1, 2],
    ),
    ("RETURN date('2020-02-03')", {}, ["2020-02-03"]),
    ("MATCH (n) WHERE n.name = 'x\\' OR 1 = 1 //' RETURN n", {}, []),
    ("MATCH (n) RETURN n.name ORDER BY n.name SKIP 1 LIMIT 2", {}, ["Alien", "Heat"]),
]


@pytest.mark.parametrize(("cypher", "parameters", "expected"), ANSWERS)
def test_the_same_query_gives_the_same_on_each_server(
    space: Space, cypher: str, parameters: dict[str, Any], expected: list[Any]
) -> None:
    assert [row[0] for row in query(space, cypher, parameters).rows] == expected


def test_entities_relations_and_paths_become_plain_values(space: Space) -> None:
    result = query(
        space,
        "MATCH p = (a {name: 'Heat'})-[r]->(b) RETURN a, r, p, b.name, 1.5 AS `a number`, null AS nothing, [a] AS many",
    )
    assert result.columns == ("a", "r", "p", "b.name", "a number", "nothing", "many")
    heat = {"id": "movie:Heat", "kind": "movie", "name": "Heat", "year": 1990}
    mann = {"id": "person:Mann", "kind": "person", "name": "Mann", "year": 1990}
    relation = {"relation": "directed_by", "confidence": 0.5}
    assert result.rows == (
        (heat, relation, {"entities": [heat, mann], "relations": [relation]}, "Mann", 1.5, None, [heat]),
    )
    json.dumps(result.rows)


WRITES = [
    "CREATE (n:Entity {id: 'x'}) RETURN n",
    "MATCH (n:{label}) SET n.name = 'x' RETURN n",
    "MATCH (n:{label}) DETACH DELETE n",
    "MATCH (n:{label}) REMOVE n.name RETURN n",
    "MERGE (n:{label} {id: 'x'}) RETURN n",
    "MATCH (n:{label}) FOREACH (x IN [1] | SET n.name = 'x')",
    "MATCH (n:{label}) CALL { WITH n SET n.name = 'x' } RETURN n",
    "CREATE INDEX stray FOR (n:{label}) ON (n.year)",
    "DROP INDEX entity_kind",
    "LOAD CSV FROM 'file:///etc/passwd' AS line RETURN line",
]


@pytest.mark.parametrize("cypher", WRITES)
def test_writing_is_refused_by_the_guard_and_by_the_server(space: Space, cypher: str) -> None:
    before = space.read(f"MATCH (n:{space.entity}) RETURN n.id AS id, n.name AS name ORDER BY id")
    with pytest.raises(GraphQueryError, match="refused at line 1"):
        query(space, cypher.replace("{label}", "Entity"))
    with pytest.raises(GraphError):
        space.read_only(cypher.replace("{label}", space.entity), {}, timeout_s=5, max_rows=10)
    after = space.read(f"MATCH (n:{space.entity}) RETURN n.id AS id, n.name AS name ORDER BY id")
    assert [row.data() for row in after] == [row.data() for row in before]


TRICKS = [
    "MATCH (n) RETURN n",
    "MATCH () RETURN count(*) AS c, collect(1)",
    "MATCH (n:Entity) RETURN n",
    "MATCH (n:{other}) RETURN n",
    "MATCH (n:`{other}`) RETURN n",
    "MATCH (n:Entity|{other}) RETURN n",
    "MATCH (n:Entity&!Entity) RETURN n",
    "MATCH (n:%) RETURN n",
    "MATCH (n:!Entity) RETURN n",
    "MATCH (n:$($other)) RETURN n",
    "MATCH (n:$other) RETURN n",
    "MATCH (n IS {other}) RETURN n",
    "MATCH (n:{other_name}) RETURN n",
    "MATCH (n:{name}) RETURN n",
    "MATCH (n) WHERE n:{other} RETURN n",
    "MATCH (n {id: $secret}) RETURN n",
    "MATCH (n WHERE n.name CONTAINS 'secret') RETURN n",
    "MATCH (n) WHERE elementId(n) = $element RETURN n",
    "MATCH (n) WHERE id(n) IN range(0, 5000) RETURN n",
    "MATCH (a)-[r]->(b) RETURN a, r, b",
    "MATCH ()-[r]->() RETURN startNode(r), endNode(r)",
    "MATCH (a), (b) RETURN a, b",
    "MATCH (a), b = () RETURN b",
    "MATCH (a)--(b)--(c) RETURN c",
    "MATCH (a)-[*1..4]-(b) RETURN b",
    "MATCH p = (a)-[*0..3]-(b) RETURN nodes(p)",
    "MATCH p = shortestPath((a)-[*1..5]-(b)) WHERE a.id <> b.id RETURN p",
    "MATCH p = allShortestPaths((a)-[*1..5]-(b)) WHERE a.id <> b.id RETURN p",
    "OPTIONAL MATCH (x) RETURN x",
    "MATCH (n) OPTIONAL MATCH (m {kind: 'movie'}) RETURN m",
    "MATCH (n) RETURN [(a)-->(b) | a.name] AS l",
    "MATCH (n) RETURN [p = (a)-->(b) | nodes(p)] AS l",
    "RETURN COLLECT { MATCH (n) RETURN n.name } AS l",
    "RETURN COUNT { (n {kind: 'movie'}) } AS c, COUNT { MATCH (n) } AS d",
    f"RETURN EXISTS {{ (n {{name: '{SECRET} film'}}) }} AS secret_is_there",
    "CALL { MATCH (n) RETURN n } RETURN n",
    "CALL () { MATCH (n) RETURN n } RETURN n",
    "MATCH (n) WITH n.kind AS kind CALL { MATCH (m) RETURN m } RETURN m",
    "MATCH (n) RETURN n UNION MATCH (m) RETURN m AS n",
    "UNWIND [1] AS x MATCH (n) RETURN n",
    "MATCH (n) WHERE (n) IS NOT NULL MATCH (m) RETURN m",
    "MATCH /* (n:Entity) */ (n) // (n:Entity)\n RETURN n",
    "MATCH (/**/n/**/)/**/RETURN n",
    "MATCH (n /* :Entity */) RETURN n",
    "MATCH ((a)--(b)) RETURN b",
    "MATCH ((a)-->(b)){1,3} RETURN b",
    "MATCH (n) RETURN n; MATCH (m:{other}) RETURN m",
    "MATCH (`n:{other}) RETURN n //`) RETURN `n:{other}) RETURN n //`",
    "MATCH (n {name: 'x\\'}) MATCH (m:{other}) RETURN m //'}) RETURN n",
    'MATCH (n) WHERE n.name = "\'" OR true RETURN n',
    "CALL db.labels() YIELD label RETURN label",
    "CALL db.index.fulltext.queryNodes('entity_search', 'secret') YIELD node RETURN node",
    "SHOW INDEXES",
    "MATCH (n) RETURN apoc.cypher.runFirstColumnMany('MATCH (n) RETURN n', {}) AS n",
]


@pytest.mark.parametrize("trick", TRICKS)
def test_nothing_of_another_tenant_comes_back(space: Space, other: Space, trick: str) -> None:
    element = other.read(f"MATCH (n:{other.entity}) RETURN elementId(n) AS id LIMIT 1")[0]["id"]
    labels = {"{other}": other.entity if other.shared else "Other", "{other_name}": other.name, "{name}": space.name}
    for sign, label in labels.items():
        trick = trick.replace(sign, label)
    parameters = {"secret": f"movie:{SECRET} film", "element": element, "other": other.entity}
    try:
        result = query(space, trick, parameters)
    except GraphQueryError:
        return
    found = json.dumps(result.rows)
    assert SECRET not in found
    assert "text" not in found  # of a name node
    counts = [value for row in result.rows for value in row if isinstance(value, int) and not isinstance(value, bool)]
    assert max(counts, default=0) <= 5
    assert True not in [value for row in result.rows for value in row]


def test_a_node_of_another_tenant_is_withheld_should_the_guard_fail(
    space: Space, other: Space, monkeypatch: pytest.MonkeyPatch
) -> None:
    if not space.shared:
        pytest.skip("each tenant has a database of its own")
    leak = querying.guarded("MATCH (n) RETURN n", max_rows=10)
    leaking = type(leak)(f"MATCH (n) WHERE n:{space.entity} OR n.name CONTAINS 'secret' RETURN n", {}, ("n",))
    monkeypatch.setattr(querying, "guarded", lambda *_, **__: leaking)
    with pytest.raises(GraphError, match="no entity of this tenant"):
        query(space, "MATCH (n) RETURN n")


INJECTIONS = [
    "x' OR 1 = 1 //",
    'x" OR 1 = 1 //',
    "x`) MATCH (n) RETURN n //",
    "\\' OR true //",
    "\\u0027 OR true //",
    "'}) DETACH DELETE n //",
    "$id",
    "{id}",
]


@pytest.mark.parametrize("text", INJECTIONS)
def test_nothing_gets_in_by_a_value(space: Space, text: str) -> None:
    assert query(space, "MATCH (n {name: $text}) RETURN n", {"text": text}).rows == ()
    assert query(space, "RETURN $text, $map", {"text": text, "map": {text: [text]}}).rows == ((text, {text: [text]}),)


@pytest.mark.parametrize("text", ["x`", "x\\`", "x'", "n) DETACH DELETE n //", "x` DELETE n //", "\\u0060"])
@pytest.mark.parametrize(
    "place",
    [
        "MATCH (`%s`) RETURN 1",
        "MATCH (n) RETURN n.`%s`",
        "MATCH (n:`%s`) RETURN n",
        "MATCH ()-[:`%s`]-() RETURN 1",
        "MATCH (n {`%s`: 1}) RETURN n",
    ],
)
def test_nothing_gets_in_by_a_name(space: Space, text: str, place: str) -> None:
    with contextlib.suppress(GraphQueryError):
        query(space, place % text)
    assert query(space, "MATCH (n) RETURN count(n)").rows == ((5,),)


def test_rows_are_bounded(graph_space: Space) -> None:
    graph_space.write(
        f"UNWIND range(1, 300) AS i CREATE (n:{graph_space.entity}) SET n.id = toString(i), n.kind = 'many' RETURN count(*) AS n"
    )
    begun = time.monotonic()
    result = query(graph_space, "MATCH (a), (b), (c) RETURN a", max_rows=100)
    assert time.monotonic() - begun < 3
    assert len(result.rows) == 100
    assert result.truncated
    whole = query(graph_space, "MATCH (a {kind: 'many'}) RETURN a", max_rows=300)
    assert (len(whole.rows), whole.truncated) == (300, False)


def test_bytes_are_bounded(space: Space, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(querying, "MAX_BYTES", 1000)
    result = query(space, "UNWIND range(1, 100) AS i RETURN 'xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx'")
    assert 10 < len(result.rows) < 20
    assert result.truncated
    with pytest.raises(GraphQueryError, match="one row has more than 1000 bytes"):
        query(space, "RETURN range(1, 1000)")


def test_time_is_bounded(graph_space: Space) -> None:
    graph_space.write(
        f"UNWIND range(1, 400) AS i CREATE (n:{graph_space.entity}) SET n.id = toString(i), n.kind = 'many' RETURN count(*) AS n"
    )
    begun = time.monotonic()
    with pytest.raises(GraphQueryError, match="took longer"):
        query(
            graph_space, "MATCH (a), (b), (c), (d) WHERE a.id + b.id + c.id + d.id = 'x' RETURN count(*)", timeout_s=1.0
        )
    assert time.monotonic() - begun < 3
    assert query(graph_space, "MATCH (a) RETURN count(*)").rows == ((400,),)


@pytest.mark.parametrize(("timeout_s", "max_rows"), [(0, 1), (-1, 1), (1e9, 1), (1, 0), (1, 10**9), (float("nan"), 1)])
def test_limits_out_of_range_are_refused(space: Space, timeout_s: float, max_rows: int) -> None:
    with pytest.raises(GraphQueryError, match="allowed"):
        query(space, "RETURN 1", timeout_s=timeout_s, max_rows=max_rows)


@pytest.mark.parametrize("cypher", ["MATCH (n) RETURN m", "RETURN date('x')", "MATCH (n) RETURN sum(count(n))"])
def test_what_the_server_does_not_understand_is_an_error_of_ours(space: Space, cypher: str) -> None:
    with pytest.raises(GraphError):
        query(space, cypher)
