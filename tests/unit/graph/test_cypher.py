"""Cypher of others: what is let through is only reading, of one tenant; everything else is refused, and the refusal says where and what."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rejoinder.errors import GraphQueryError
from rejoinder.graph.cypher import guarded
from rejoinder.graph.cypher.words import FORBIDDEN

LABEL = "Entity_acme"
PARAMETERS = {"id": "movie:Heat", "names": ["Heat"], "n": 3}

WRITTEN = [
    ("MATCH (n) RETURN n", "MATCH (n:L ) RETURN n LIMIT 11"),
    ("match (n:Entity) return n limit 3", "MATCH (n:L ) RETURN n LIMIT 3"),
    ("MATCH (n:`Entity`) RETURN n LIMIT 500", "MATCH (n:L ) RETURN n LIMIT 11"),
    ("MATCH (n) RETURN n LIMIT $n", "MATCH (n:L ) RETURN n LIMIT 3"),
    ("MATCH () RETURN count(*)", "MATCH (:L ) RETURN count ( * ) AS _c0 LIMIT 11"),
    ("MATCH (a)-->(b) RETURN a", "MATCH (a:L ) --> (b:L ) RETURN a LIMIT 11"),
    ("MATCH (a)<--() RETURN a", "MATCH (a:L ) <-- (:L ) RETURN a LIMIT 11"),
    ("MATCH (a)--(b:Entity) RETURN a", "MATCH (a:L ) -- (b:L ) RETURN a LIMIT 11"),
    (
        "MATCH (a)-[r:x|:y*1..3 {w: 1}]->(b) RETURN r",
        "MATCH (a:L ) -[ r : x | y *1..3 { w : 1 } ]-> (b:L ) RETURN r LIMIT 11",
    ),
    ("MATCH (a)<-[*..2]-(b) RETURN 1 AS one", "MATCH (a:L ) <-[ *1..2 ]- (b:L ) RETURN 1 AS one LIMIT 11"),
    ("MATCH (n {name: 'O\\'Neil'}) RETURN n", "MATCH (n:L { name : $_0 } ) RETURN n LIMIT 11"),
    ("MATCH (n) WHERE n:Entity RETURN n", "MATCH (n:L ) WHERE n : L RETURN n LIMIT 11"),
    ("MATCH (n WHERE n.year > 0x7D0) RETURN n", "MATCH (n:L WHERE n . year > 2000 ) RETURN n LIMIT 11"),
    ("MATCH (n) WHERE (n)-->() RETURN n", "MATCH (n:L ) WHERE (n:L ) --> (:L ) RETURN n LIMIT 11"),
    (
        "MATCH (n) WHERE NOT (n)-[:x]-({id: $id}) RETURN n",
        "MATCH (n:L ) WHERE NOT (n:L ) -[ : x ]- (:L { id : $id } ) RETURN n LIMIT 11",
    ),
    (
        "MATCH (n) RETURN [(n)-->(m) WHERE m.x | m.y] AS l",
        "MATCH (n:L ) RETURN [ (n:L ) --> (m:L ) WHERE m . x | m . y ] AS l LIMIT 11",
    ),
    ("MATCH (n) RETURN [p = (n)--() | p] AS l", "MATCH (n:L ) RETURN [ p = (n:L ) -- (:L ) | p ] AS l LIMIT 11"),
    ("MATCH (n) RETURN COUNT { (n)--() } AS c", "MATCH (n:L ) RETURN COUNT { (n:L ) -- (:L ) } AS c LIMIT 11"),
    (
        "MATCH (n) WHERE EXISTS { MATCH (n)-->(m) WHERE m.x } RETURN n",
        "MATCH (n:L ) WHERE EXISTS { MATCH (n:L ) --> (m:L ) WHERE m . x } RETURN n LIMIT 11",
    ),
    (
        "MATCH p = shortestPath((a)-[*..4]-(b)) RETURN p",
        "MATCH p = shortestPath ( (a:L ) -[ *1..4 ]- (b:L ) ) RETURN p LIMIT 11",
    ),
    (
        "MATCH (n) CALL { WITH n MATCH (n)--(m) RETURN m } RETURN m",
        "MATCH (n:L ) CALL { WITH n MATCH (n:L ) -- (m:L ) RETURN m } RETURN m LIMIT 11",
    ),
    (
        "MATCH (n) CALL (n) { MATCH (n)--(m) RETURN m } RETURN m",
        "MATCH (n:L ) CALL ( n ) { MATCH (n:L ) -- (m:L ) RETURN m } RETURN m LIMIT 11",
    ),
    ("RETURN 1 AS x UNION RETURN 2 AS x", "RETURN 1 AS x UNION RETURN 2 AS x"),
    ("RETURN 1 AS x UNION ALL RETURN 2 AS x", "RETURN 1 AS x LIMIT 11 UNION ALL RETURN 2 AS x LIMIT 11"),
    ("MATCH (n) RETURN (n.x + 1) * 2 AS y", "MATCH (n:L ) RETURN ( n . x + 1 ) * 2 AS y LIMIT 11"),
    (
        "MATCH (`create`) RETURN `create`.set AS `merge`",
        "MATCH (`create`:L ) RETURN `create` . `set` AS `merge` LIMIT 11",
    ),
]
"""Queries, and what is sent for them with the label L and 10 rows."""

ALLOWED = [
    "MATCH (a), (b)-->(c) RETURN a, b, c",
    "MATCH (a) OPTIONAL MATCH (a)-[r]->(b) RETURN a, collect(DISTINCT b.name) AS names",
    "MATCH (a) WITH a, count(*) AS c WHERE c > 1 RETURN a ORDER BY c DESC, a.name SKIP 2 LIMIT 5",
    "MATCH (a) WITH * WHERE a.year = 1999 RETURN *",
    "MATCH (a) WITH DISTINCT a.kind AS kind ORDER BY kind LIMIT 3 RETURN kind",
    "UNWIND [1, 2, 3] AS x UNWIND $names AS y RETURN x, y",
    "MATCH (a) RETURN CASE a.kind WHEN 'movie' THEN 1 WHEN 'person' THEN 2 ELSE 3 END AS k",
    "MATCH (a) RETURN CASE WHEN a.year > 2000 AND NOT a.old THEN 'new' END AS k",
    "MATCH (a) WHERE a.name STARTS WITH 'H' OR a.name ENDS WITH 't' XOR a.name CONTAINS 'ea' RETURN a",
    "MATCH (a) WHERE a.name =~ 'H.*' AND a.year IN [1, 2] AND a.x IS NOT NULL AND a.y IS NULL RETURN a",
    "MATCH (a) WHERE a.year >= 1 AND a.year <= 2 AND a.year <> 3 AND a.year < -1 RETURN a",
    "RETURN -1 + 2 - 3 * 4 / 5 % 6 ^ 7 AS x, 'a' || 'b' AS y",
    "RETURN [x IN range(1, 5) WHERE x > 2 | x * x] AS squares, [x IN [1] | x] AS same, [x IN [1] WHERE x > 0] AS few",
    "RETURN any(x IN [1] WHERE x = 1) AS a, ALL(x IN [1] WHERE x = 1) AS b, none(x IN [] WHERE x) AS c",
    "MATCH (a) RETURN a {.name, .*, year: a.year + 1} AS m",
    "MATCH (a) RETURN a.aliases[0] AS x, a.aliases[1..] AS y, a.aliases[..2] AS z, a['name'] AS w",
    "RETURN {a: 1, `b c`: [1, {d: null}], order: true} AS m",
    "RETURN date('2020-01-01') AS d, duration.between(date('2020-01-01'), date()) AS e, point({x: 1, y: 2}) AS p",
    "MATCH (a) RETURN vector.similarity.cosine(a.v, [1.0, 2e3, .5]) AS s",
    "MATCH p = (a)-[*1..3]-(b) WHERE length(p) > 1 RETURN nodes(p) AS n, relationships(p) AS r",
    "MATCH (a)-[r]->() RETURN type(r) AS t, startNode(r).name AS s, properties(r) AS p",
    "MATCH (a) // a comment: CREATE (n)\nRETURN a /* DELETE a */",
    "MATCH (a) WHERE a.name = 'CREATE (n) DELETE n; //' RETURN a",
    'MATCH (a) WHERE a.name = "it\'s \\"/*\\" \\n" RETURN a',
    "MATCH (`a b`) WHERE `a b`.`delete` = 1 RETURN `a b`",
    "MATCH (a) RETURN COLLECT { MATCH (a)-->(b) RETURN b.name ORDER BY b.name } AS names",
    "MATCH (a) RETURN EXISTS { (a)-->(b) WHERE b.year = 1 } AS e",
    "MATCH (a) WHERE size([(a)-->(b) | b]) > 2 RETURN a",
    "MATCH (a :Entity {kind : 'movie'} ) RETURN a",
    "MATCH (a)\t-\n[r]\n-\r\n>(b) RETURN r",
    "MATCH (`电影`) RETURN `电影`.name AS `名字`",
    "MATCH (a) WHERE a.name = '霸王别姬 \U0001f600' RETURN a",
    "MATCH (a) WHERE (a.x) < -1 AND (a.y)-1 = 2 RETURN a",
    "MATCH (a) RETURN a.name, count(*) ORDER BY count(*) DESC",
]

REFUSED = [
    ("", "line 1, column 1: found the end of the query"),
    ("MATCH (n)", "found the end of the query"),
    ("CREATE (n)", "found CREATE, which may not be used"),
    ("MATCH (n) CREATE (m) RETURN m", "line 1, column 11: found CREATE"),
    ("MATCH (n)\n  SET n.x = 1 RETURN n", "line 2, column 3: found SET"),
    ("MATCH (n) SET n:Other", "found SET"),
    ("MATCH (n) DELETE n", "found DELETE"),
    ("MATCH (n) DETACH DELETE n", "found DETACH"),
    ("MATCH (n) NODETACH DELETE n", "found NODETACH"),
    ("MATCH (n) REMOVE n.x RETURN n", "found REMOVE"),
    ("MERGE (n {id: 1}) RETURN n", "found MERGE"),
    ("INSERT (n)", "found INSERT"),
    ("MATCH (n) FOREACH (x IN [1] | SET n.x = x)", "found FOREACH"),
    ("LOAD CSV FROM 'file:///etc/passwd' AS row RETURN row", "found LOAD"),
    ("MATCH (n) LOAD CSV WITH HEADERS FROM $id AS row RETURN row", "found LOAD"),
    ("CALL db.labels()", "procedures are not called"),
    ("CALL db.labels() YIELD label RETURN label", "procedures are not called"),
    ("CALL `db`.`labels`()", "procedures are not called"),
    ("CALL apoc.load.json('http://x')", "procedures are not called"),
    ("CALL dbms.listConfig", "procedures are not called"),
    ("CALL db.index.fulltext.queryNodes('x', 'y') YIELD node RETURN node", "procedures are not called"),
    ("MATCH (n) CALL { CREATE (m) RETURN m } RETURN m", "found CREATE"),
    ("MATCH (n) CALL { WITH n DELETE n } RETURN 1", "found DELETE"),
    ("CALL { MATCH (n) RETURN n } IN TRANSACTIONS RETURN n", "own transaction"),
    ("CALL { MATCH (n) RETURN n } IN 3 CONCURRENT TRANSACTIONS RETURN n", "IN"),
    ("USE neo4j MATCH (n) RETURN n", "found USE"),
    ("CALL { USE other MATCH (n) RETURN n } RETURN n", "found USE"),
    ("SHOW DATABASES", "found SHOW"),
    ("SHOW USERS YIELD * RETURN *", "found SHOW"),
    ("TERMINATE TRANSACTIONS 'x'", "found TERMINATE"),
    ("PROFILE MATCH (n) RETURN n", "found PROFILE"),
    ("EXPLAIN MATCH (n) RETURN n", "found EXPLAIN"),
    ("CYPHER 5 MATCH (n) RETURN n", "found CYPHER"),
    ("USING PERIODIC COMMIT LOAD CSV FROM 'x' AS r RETURN r", "found USING"),
    ("MATCH (n) USING INDEX n:Entity(id) RETURN n", "found USING"),
    ("START n = node(*) RETURN n", "found START"),
    ("DROP INDEX x", "found DROP"),
    ("ALTER CURRENT USER SET PASSWORD FROM 'a' TO 'b'", "found ALTER"),
    ("GRANT ROLE admin TO me", "found GRANT"),
    ("DENY x", "found DENY"),
    ("REVOKE x", "found REVOKE"),
    ("CREATE USER me SET PASSWORD 'x'", "found CREATE"),
    ("MATCH (n) RETURN n; MATCH (m) DELETE m", "one statement only"),
    ("MATCH (n) RETURN n;", "one statement only"),
    ("MATCH (n) RETURN n FINISH", "found FINISH"),
    ("LET x = 1 RETURN x", "found word 'LET'"),
    ("FILTER true RETURN 1", "found word 'FILTER'"),
    ("MATCH (n:Name) RETURN n", "the label Entity alone"),
    ("MATCH (n:Entity_other) RETURN n", "the label Entity alone"),
    ("MATCH (n:Entity_acme) RETURN n", "the label Entity alone"),
    ("MATCH (n:Entity|Name) RETURN n", "the label Entity alone"),
    ("MATCH (n:Entity&Name) RETURN n", "the label Entity alone"),
    ("MATCH (n:Entity:Name) RETURN n", "the label Entity alone"),
    ("MATCH (n:!Entity) RETURN n", "the label Entity alone"),
    ("MATCH (n:%) RETURN n", "the label Entity alone"),
    ("MATCH (n:(Entity)) RETURN n", "the label Entity alone"),
    ("MATCH (n:$(x)) RETURN n", "the label Entity alone"),
    ("MATCH (n:$id) RETURN n", "the label Entity alone"),
    ("MATCH (n IS Name) RETURN n", "a node has"),
    ("MATCH (IS Name) RETURN 1", "a node has"),
    ("MATCH (n) WHERE n:Name RETURN n", "the label Entity alone"),
    ("MATCH (n) WHERE n:Entity|Name RETURN n", "the label Entity alone"),
    ("MATCH (n) WHERE n IS :: STRING RETURN n", "NULL"),
    ("MATCH (n $id) RETURN n", "properties one by one"),
    ("MATCH (a)-[r $id]->(b) RETURN a", "properties one by one"),
    ("MATCH (a)-[:!x]->(b) RETURN a", "the name of a relation"),
    ("MATCH (a)-[:$id]->(b) RETURN a", "the name of a relation"),
    ("MATCH (a)-[*]->(b) RETURN a", "upper bound"),
    ("MATCH (a)-[*2..]->(b) RETURN a", "upper bound"),
    ("MATCH (a)-[*..99]->(b) RETURN a", "upper bound"),
    ("MATCH ((a)-->(b)){1,3} RETURN a", "a node has"),
    ("MATCH (a)-->+(b) RETURN a", "a node"),
    ("MATCH SHORTEST 1 (a)-[*..3]-(b) RETURN a", "a node"),
    ("MATCH ANY (a)--(b) RETURN a", "a node"),
    ("MATCH (a)<-->(b) RETURN a", "a relation points one way"),
    ("MATCH (a)-(b) RETURN a", "found sign '-'"),
    ("MATCH (n) WHERE (n.x)--(m) RETURN n", "a node has"),
    ("MATCH (n) WHERE n--(m) RETURN n", "an operator"),
    ("RETURN apoc.load.json('http://x') AS x", "the function 'apoc.load.json' may not be called"),
    ("RETURN `apoc`.`load`.`json`('x') AS x", "may not be called"),
    ("RETURN db.nameFromElementId('x') AS x", "may not be called"),
    ("RETURN graph.names() AS x", "may not be called"),
    ("RETURN file() AS x", "the function 'file' may not be called"),
    ("RETURN linenumber() AS x", "may not be called"),
    ("MATCH (n) RETURN labels(n) AS x", "the function 'labels' may not be called"),
    ("RETURN reduce(s = 'x', i IN range(1, 40) | s + s) AS x", "the function 'reduce' may not be called"),
    ("MATCH (n) RETURN exists((n)--()) AS x", "the function 'exists' may not be called"),
    ("MATCH (n) RETURN n.name\\u0020AS x", r"a \u escape is refused"),
    ("MATCH (n) WHERE n.name = '\\u0027 DELETE n //' RETURN n", r"a \u escape is refused"),
    ("MATCH (n) WHERE n.name = '\\\\u0027 DELETE n //' RETURN n", r"a \u escape is refused"),
    ("MATCH (n) WHERE n.name = 'a\\x' RETURN n", "no escape of Cypher"),
    ("MATCH (n) WHERE n.name = 'a RETURN n", "this text does not end"),
    ("MATCH (n) /* RETURN n", "this comment does not end"),
    ("MATCH (n) RETURN n.`x``y`", "a name in backticks"),
    ("MATCH (n) RETURN n.`x\\`", "a name in backticks"),
    ("MATCH (n)\u00a0RETURN n", "is refused outside of texts"),
    ("MATCH (a)\u2010\u2010(b) RETURN a", "is refused outside of texts"),
    ("MATCH (a)-\u00ad-(b) RETURN a", "is refused outside of texts"),
    ("MATCH (a)--\uff1e(b) RETURN a", "is refused outside of texts"),
    ("MATCH (n) RETURN n.x @ 2", "is refused outside of texts"),
    ("MATCH (create) RETURN create", "found CREATE"),
    ("MATCH (n) RETURN 12abc", "is no number"),
    ("MATCH (n) RETURN 99999999999999999999 AS x", "is too big"),
    ("MATCH (n) RETURN 1e999 AS x", "is too big"),
    ("MATCH (n) RETURN $other", "the parameter $other has no value; given: $id, $n, $names"),
    ("MATCH (n) RETURN n LIMIT $id", "a whole number from 0"),
    ("MATCH (n) RETURN n LIMIT 1 + 1", "found sign '+'"),
    ("MATCH (n) RETURN n LIMIT toInteger('5')", "a whole number"),
    ("MATCH (n) RETURN n {.set}", "allowed here: `key: variable"),
    ("RETURN " + "(" * 60 + "1" + ")" * 60, "brackets deep"),
    ("WITH 'x' AS a " * 41 + "RETURN a", "at most 40 clauses"),
    ("RETURN '" + "x" * 20_000 + "'", "20000 are allowed"),
    ("MATCH (n) RETURN n }", "UNION, or the end of the query"),
    ("MATCH (n)) RETURN n", "found sign ')'"),
]


@pytest.mark.parametrize(("cypher", "expected"), WRITTEN)
def test_what_is_sent(cypher: str, expected: str) -> None:
    sent = guarded(cypher, PARAMETERS, label="L", max_rows=10)
    assert sent.text == expected


@pytest.mark.parametrize("cypher", ALLOWED)
def test_reading_is_allowed(cypher: str) -> None:
    sent = guarded(cypher, PARAMETERS, label=LABEL, max_rows=10)
    check_only_reads(sent.text)


@pytest.mark.parametrize(("cypher", "reason"), REFUSED)
def test_everything_else_is_refused(cypher: str, reason: str) -> None:
    with pytest.raises(GraphQueryError, match=re.escape(reason)) as refused:
        guarded(cypher, PARAMETERS, label=LABEL, max_rows=10)
    assert "column" in str(refused.value) or "allowed" in str(refused.value)


def test_texts_become_parameters() -> None:
    sent = guarded("MATCH (n {name: 'It\\'s \\\\ \\n'}) RETURN \"x\" AS y", max_rows=10)
    assert sent.parameters == {"_0": "It's \\ \n", "_1": "x"}


def test_columns_keep_the_names_that_the_author_knows() -> None:
    sent = guarded("MATCH (n) RETURN n, n.name, count( * ), n.year AS `the year`, 'x'", max_rows=10)
    assert sent.columns == ("n", "n.name", "count( * )", "the year", "'x'")
    assert guarded("MATCH (n) RETURN *", max_rows=10).columns is None


PIECES = st.sampled_from(
    [
        *(
            "MATCH",
            "(n)",
            "(n:Entity)",
            "-[r]->",
            "--",
            "-->",
            "<-",
            "RETURN",
            "n",
            "n.name",
            "WHERE",
            "WITH",
            "AS",
            "x",
            "UNION",
            "CALL",
            "{",
            "}",
        ),
        *(
            "(",
            ")",
            "[",
            "]",
            "'",
            '"',
            "`",
            "\\",
            "\\'",
            "\\u0027",
            "//",
            "/*",
            "*/",
            "\n",
            " ",
            ",",
            ":",
            "|",
            ".",
            "..",
            "*",
            "$id",
            "$",
            ";",
        ),
        *(
            "CREATE (m)",
            "SET n.x = 1",
            "DELETE n",
            "MERGE (m)",
            "LOAD CSV FROM 'file:///x' AS l",
            "REMOVE n.x",
            "CALL db.labels()",
            "Name",
            "1",
            "= 1",
        ),
    ]
)


@given(st.lists(PIECES, max_size=14).map(" ".join) | st.lists(PIECES, max_size=14).map("".join))
def test_no_mixture_of_pieces_writes(cypher: str) -> None:
    try:
        sent = guarded(cypher, PARAMETERS, label=LABEL, max_rows=10)
    except GraphQueryError:
        return
    check_only_reads(sent.text)


@given(st.sampled_from([*ALLOWED, *(one for one, _ in WRITTEN)]), st.data())
def test_a_clause_slipped_into_a_query_does_not_write(cypher: str, data: st.DataObject) -> None:
    at = data.draw(st.integers(0, len(cypher)))
    opening = data.draw(
        st.sampled_from(["", "'", '"', "`", "*/", "/*", "//", "\n", "\\", "}", ")", "]", "'}) ", "`) ", "\\u0027", ";"])
    )
    closing = data.draw(st.sampled_from(["", "'", '"', "`", "/*", "*/", "//", "\n", "{", "(", "["]))
    clause = data.draw(
        st.sampled_from(
            [
                " CREATE (m) ",
                " SET n.x = 1 ",
                " DETACH DELETE n ",
                " MATCH (n:Name) ",
                " CALL db.labels() ",
                " (m:Other) ",
            ]
        )
    )
    try:
        sent = guarded(cypher[:at] + opening + clause + closing + cypher[at:], PARAMETERS, label=LABEL, max_rows=10)
    except GraphQueryError:
        return
    check_only_reads(sent.text)


@given(st.text(max_size=60))
def test_any_text_is_refused_or_only_reads(cypher: str) -> None:
    try:
        sent = guarded(cypher, label=LABEL, max_rows=10)
    except GraphQueryError:
        return
    check_only_reads(sent.text)


def check_only_reads(text: str) -> None:
    """What is sent: no quotation marks, no forbidden word outside of backticks, every node with the tenant's label, and no other label."""
    assert "\\" not in text
    bare = re.sub(r"`[^`]*`", "`", text)
    assert not set("'\";") & set(bare)
    words = {word.upper() for word in re.findall(r"(?<![$\w])[A-Za-z_]\w*", bare)}
    called = len(re.findall(r"\bCALL (?:\( [^)]*\) )?\{", bare))
    assert bare.split().count("CALL") == called
    assert not words & (FORBIDDEN - {"CALL"})
    for node in re.findall(r"(?:-->|<--|--|\]->|\]-|MATCH|-\[[^]]*\]-) (\([^ ]*)", bare):
        assert node.endswith(f":{LABEL}")
    assert not re.search(rf"\([\w`]*:(?!{LABEL} )", bare)
