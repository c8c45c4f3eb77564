"""Files and DataFrames loaded into both servers: what is good is there, what is bad is told and set aside."""

from __future__ import annotations

import gzip
import json
from pathlib import Path

import pandas as pd
import pytest
from rejoinder.errors import InvalidInputError
from rejoinder.graph.loading import PROBLEMS, load, load_frame
from rejoinder.graph.reading import count, entity, stats
from rejoinder.graph.schema import GraphSchema
from rejoinder.graph.space import Space

OPEN = GraphSchema(open=True)
FILMS = GraphSchema.parse(
    {
        "kinds": {"movie": {"properties": {"year": "integer", "tags": "string[]"}}, "person": None},
        "relations": {"directed_by": {"from": "movie", "to": "person", "properties": {"share": "number"}}},
    }
)
ENTITIES = """id,kind,name,aliases,description,year,tags
movie:Heat,movie,Heat,Heat (1995)|L.A.,"A film, with ""quotes""
and a second line",1995,crime|drama
movie:Alien,movie,Alien,,,nineteen,
,person,Mann,,,,
movie:Bad,movei,Bad,,,,
"""
RELATIONS = """subject,relation,object,share
movie:Heat,directed_by,person:Mann,0.5
movie:Heat,directed_by,person:Nobody,
movie:Heat,liked_by,person:Mann,
person:Mann,directed_by,movie:Heat,
"""


def write(path: Path, text: str | bytes) -> Path:
    data = text if isinstance(text, bytes) else text.encode()
    path.write_bytes(gzip.compress(data) if path.suffix == ".gz" else data)
    return path


def test_csv(graph_space: Space, tmp_path: Path) -> None:
    entities = write(tmp_path / "films.csv", ENTITIES)
    report = load(graph_space, FILMS, entities, source="s", rejects=tmp_path / "bad.csv")
    assert (report.rows, report.bad, report.written.entities.created) == (4, 2, 2)
    assert [(one.line, one.reason) for one in report.problems] == [
        (4, "column 'year': got 'nineteen', expected integer"),
        (6, "entity 'movie:Bad': unknown kind 'movei'. Did you mean 'movie'?"),
    ]
    found = entity(graph_space, "movie:Heat")
    assert found is not None
    assert found.aliases == ("Heat (1995)", "L.A.")
    assert found.description == 'A film, with "quotes"\nand a second line'
    assert found.properties == {"year": 1995, "tags": ("crime", "drama")}
    assert entity(graph_space, "person:Mann") is not None

    relations = write(tmp_path / "relations.csv.gz", RELATIONS)
    report = load(graph_space, FILMS, relations, source="s", rejects=tmp_path / "bad.csv")
    assert (report.rows, report.bad, report.written.relations.created) == (4, 3, 1)
    assert [one.line for one in sorted(report.problems, key=lambda one: one.line)] == [3, 4, 5]
    assert (tmp_path / "bad.csv").read_text().splitlines()[0] == "subject,relation,object,share,_reason"


def test_rejects_are_loaded_when_they_are_put_right(graph_space: Space, tmp_path: Path) -> None:
    bad = tmp_path / "bad.csv"
    load(graph_space, FILMS, write(tmp_path / "films.csv", ENTITIES), source="s", rejects=bad)
    write(bad, bad.read_text().replace("nineteen", "1979").replace("movei", "movie"))
    report = load(graph_space, FILMS, bad, source="s", rejects=tmp_path / "again.csv")
    assert (report.rows, report.bad, report.rejects) == (2, 0, ())
    assert not (tmp_path / "again.csv").exists()
    assert count(graph_space) == 4


def test_a_quote_that_is_never_closed_costs_one_row(graph_space: Space, tmp_path: Path) -> None:
    text = 'kind,name\nperson,one\nperson,"two\nperson,three\nperson,four\n'
    report = load(graph_space, FILMS, write(tmp_path / "x.csv", text), source="s", rejects=tmp_path / "bad.csv")
    assert (report.rows, report.bad, count(graph_space)) == (4, 1, 3)
    assert report.problems[0].line == 3


def test_odd_csv(graph_space: Space, tmp_path: Path) -> None:
    text = (
        "\ufeffkind;name\r\nperson;Löwe\r\n\r\nperson;a;b\r\n".encode() + b"person;caf\xe9\r\nperson;" + b"x" * 200_000
    )
    report = load(graph_space, FILMS, write(tmp_path / "x.csv", text), source="s", rejects=tmp_path / "bad.csv")
    assert (report.rows, report.bad) == (4, 3)
    reasons = [f"{one.line}: {one.reason}" for one in report.problems]
    assert reasons[0] == "4: 3 cells, the header has 2"
    assert reasons[1] == "5: is not UTF-8; convert the file"
    assert reasons[2].startswith("6: is no CSV: field larger than field limit")
    assert b"caf\xe9" in (tmp_path / "bad.csv").read_bytes()
    assert entity(graph_space, "person:Löwe") is not None


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "expected kind and name"),
        ("id,title\n", "expected kind and name"),
        ("kind,name,name\n", "two columns 'name'"),
        ("kind,name,na me\n", "column 'na me' cannot be a property"),
        ("kind,name,x:strin\n", "has no known type. Did you mean 'string'"),
        ("kind,name,search\n", "cannot be a property"),
        ("kind,name,`x`\n", "cannot be a property"),
    ],
)
def test_headers_are_checked(graph_space: Space, tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(InvalidInputError, match=message):
        load(graph_space, FILMS, write(tmp_path / "x.csv", text), source="s")


def test_json_lines(graph_space: Space, tmp_path: Path) -> None:
    lines = [
        {"kind": "movie", "name": "Heat", "aliases": ["a|b"], "properties": {"year": 1995}, "tags": ["crime"]},
        {"id": "person:Mann", "kind": "person", "name": "Mann", "sources": ["x"], "confidence": 0.5},
        {"subject": "movie:Heat", "relation": "directed_by", "object": "person:Mann", "share": 1},
    ]
    bad = [
        "{",
        "[]",
        "1",
        '{"kind": 1, "name": "x"}',
        '{"kind": "movie", "name": "x", "year": {"a": 1}}',
        "[" * 100_000,
    ]
    more = [json.dumps(line) for line in lines]
    path = write(tmp_path / "x.jsonl", "\n".join(["", *more, *bad, '{"kind": "movie", "name": "\\u0000"}']))
    report = load(graph_space, FILMS, path, source="s", rejects=tmp_path / "bad.jsonl")
    assert (report.rows, report.bad) == (10, 7)
    assert [one.line for one in report.problems] == [5, 6, 7, 8, 9, 10, 11]
    rejected = [json.loads(line) for line in (tmp_path / "bad.jsonl").read_text().splitlines()]
    assert all(one["_reason"].startswith("line ") for one in rejected)
    assert rejected[0]["_line"] == "{"
    found = entity(graph_space, "person:Mann")
    assert found is not None
    assert (found.sources, found.confidence) == (("s", "x"), 0.5)


def test_triples(graph_space: Space, tmp_path: Path) -> None:
    text = "Heat|directed_by|Mann\r\nHeat|directed_by\nHeat|directed by|Mann\nHeat||Mann\n|directed_by|Mann\na\\|b|likes|c\\\\d\n"
    path = write(tmp_path / "x.txt", text.encode() + b"\xff|likes|x\n")
    report = load(graph_space, OPEN, path, source="s", rejects=tmp_path / "bad.txt")
    assert (report.rows, report.bad) == (7, 5)
    assert entity(graph_space, "thing:a|b") is not None
    assert entity(graph_space, "thing:c\\d") is not None
    again = load(graph_space, OPEN, path, source="s", rejects=tmp_path / "bad.txt")
    assert not again.written.changed
    assert (tmp_path / "bad.txt").read_bytes().splitlines()[0].startswith(b"Heat|directed_by|# line 2: 2 parts")


def test_triples_get_kinds_from_the_schema(graph_space: Space, tmp_path: Path) -> None:
    schema = GraphSchema.parse(
        {
            "kinds": {"movie": None, "person": None, "band": None},
            "relations": {
                "directed_by": {"from": "movie", "to": "person"},
                "played_by": {"from": "movie", "to": ["person", "band"]},
            },
        }
    )
    path = write(tmp_path / "x.txt.gz", "Heat|directed_by|Mann\nHeat|played_by|Moby\nHeat|directedby|Mann\n")
    report = load(graph_space, schema, path, source="s")
    assert report.bad == 2
    assert "may be 'person' or 'band'; use CSV or JSON lines" in report.problems[0].reason
    assert "Did you mean 'directed_by'?" in report.problems[1].reason
    assert dict(stats(graph_space).kinds) == {"movie": 1, "person": 1}


def test_frames(graph_space: Space, tmp_path: Path) -> None:
    entities = pd.DataFrame(
        {
            "kind": ["movie", "movie", "person", None],
            "name": ["Heat", "Alien", "Mann", "x"],
            "year": [1995, None, None, None],
            "tags": [["crime", "drama"], None, None, None],
            "aliases": ["L.A.|Heat (1995)", None, ["Michael"], None],
        }
    )
    relations = pd.DataFrame({"subject": ["movie:Heat"], "relation": ["directed_by"], "object": ["person:Mann"]})
    told: list[tuple[int, float]] = []
    report = load_frame(
        graph_space,
        FILMS,
        entities,
        relations,
        source="s",
        rejects=tmp_path,
        progress=lambda rows, share: told.append((rows, share)),
    )
    assert (report.rows, report.bad, report.problems[0].line) == (5, 1, 4)
    assert told[-1] == (5, 1.0)
    assert (tmp_path / "entities.csv").read_text().startswith("kind,name,year,tags,aliases,_reason\n,x,")
    found = entity(graph_space, "movie:Heat")
    assert found is not None
    assert found.properties == {"year": 1995, "tags": ("crime", "drama")}
    assert found.aliases == ("L.A.", "Heat (1995)")


def test_times_of_frames(graph_space: Space) -> None:
    frame = pd.DataFrame(
        {"kind": ["a", "a"], "name": ["x", "y"], "at": pd.to_datetime(["2026-01-02T03:04:05Z", None], utc=True)}
    )
    assert load_frame(graph_space, OPEN, frame, source="s").bad == 0
    found = entity(graph_space, "a:x")
    assert found is not None
    assert str(found.properties["at"]) == "2026-01-02 03:04:05+00:00"
    frame["at"] = frame["at"].dt.tz_localize(None)
    assert "has no time zone" in load_frame(graph_space, OPEN, frame, source="s").problems[0].reason
    with pytest.raises(InvalidInputError, match="entities: got list, expected a DataFrame"):
        load_frame(graph_space, OPEN, [1], source="s")


def test_progress_and_many_bad_rows(graph_space: Space, tmp_path: Path) -> None:
    lines = [f"a{number}|r|b{number}" if number % 2 else "bad" for number in range(3000)]
    told: list[tuple[int, float]] = []
    report = load(
        graph_space,
        OPEN,
        write(tmp_path / "x.txt", "\n".join(lines)),
        source="s",
        progress=lambda rows, share: told.append((rows, share)),
    )
    assert (report.rows, report.bad, len(report.problems)) == (3000, 1500, PROBLEMS)
    assert told == sorted(told)
    assert told[-1] == (3000, 1.0)
    assert len(told) > 3


def test_files_that_cannot_be_loaded(graph_space: Space, tmp_path: Path) -> None:
    with pytest.raises(InvalidInputError, match="cannot be read: No such file"):
        load(graph_space, OPEN, tmp_path / "no.csv", source="s")
    with pytest.raises(InvalidInputError, match="the format is not known by its name"):
        load(graph_space, OPEN, write(tmp_path / "x.pdf", "x"), source="s")
    with pytest.raises(InvalidInputError, match=r"without entities\.csv or relations\.csv"):
        load(graph_space, OPEN, tmp_path, source="s")
    good = write(tmp_path / "x.txt", "a|r|b")
    with pytest.raises(InvalidInputError, match="cannot be the file that is loaded"):
        load(graph_space, OPEN, good, source="s", rejects=good)
    cut = gzip.compress(b"a|r|b\n" * 1000)[:-8]
    (tmp_path / "cut.txt.gz").write_bytes(cut)
    with pytest.raises(InvalidInputError, match="cannot be read to its end"):
        load(graph_space, OPEN, tmp_path / "cut.txt.gz", source="s")
