"""`rejoinder graph` on the embedded server: each command, and what it says about bad input."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from rejoinder.cli import app
from typer.testing import CliRunner, Result

Run = Callable[..., Result]
Data = Callable[..., Any]

PLUGIN = """
from rejoinder import hookimpl
from rejoinder.payloads import Domain

SCHEMA = {
    "kinds": {"movie": {"title": "film", "properties": {"year": "integer"}}, "person": {}},
    "relations": {
        "directed_by": {"from": "movie", "to": "person", "title": "was directed by", "inverse_title": "directed"},
        "starring": {"from": "movie", "to": "person", "title": "stars"},
    },
}


@hookimpl()
def register_domain() -> list[Domain]:
    return [Domain(name="films", graph_schema=SCHEMA)]
"""

ROWS: list[dict[str, Any]] = [
    {
        "kind": "movie",
        "name": "Jaws",
        "aliases": ["Der weiße Hai"],
        "description": "A shark off an island",
        "year": 1975,
    },
    {"kind": "movie", "name": "Duel", "description": "A lorry on a lonely road", "year": 1971},
    {"kind": "person", "name": "Steven Spielberg"},
    {"kind": "person", "name": "Robert Shaw"},
    {"kind": "person", "name": "Robert Shaw", "id": "person:shaw"},
    {"subject": "movie:Jaws", "relation": "directed_by", "object": "person:Steven Spielberg"},
    {"subject": "movie:Duel", "relation": "directed_by", "object": "person:Steven Spielberg"},
    {"subject": "movie:Jaws", "relation": "starring", "object": "person:Robert Shaw"},
]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A deployment with one plugin, and some tenants; no REJOINDER_ variable of the outside reaches it."""
    path = tmp_path_factory.mktemp("deployment")
    (path / "plugins").mkdir()
    (path / "plugins" / "films.py").write_text(PLUGIN, encoding="utf-8")
    (path / "rejoinder.toml").write_text(
        '[plugins]\nfolder = "plugins"\n[store]\nsynchronous = "NORMAL"\n[graph]\nmemory_mb = 256\n', encoding="utf-8"
    )
    (path / "films.jsonl").write_text("".join(f"{json.dumps(row)}\n" for row in ROWS), encoding="utf-8")
    with pytest.MonkeyPatch.context() as patch:
        for name in [name for name in os.environ if name.startswith("REJOINDER_")]:
            patch.delenv(name)
        patch.chdir(path)
        for tenant in ("acme", "own", "copy", "open", "empty"):
            invoke("tenant", "create", tenant)
        yield path
        assert "The graph server is stopped." in invoke("graph", "stop").output
        assert "No graph server runs." in invoke("graph", "stop").output


def invoke(*words: str, code: int = 0, stdin: str | None = None) -> Result:
    """Run a command line; it must exit with `code`."""
    result = CliRunner().invoke(app, words, input=stdin, catch_exceptions=False)
    assert result.exit_code == code, f"rejoinder {' '.join(words)}: {result.exit_code}\n{result.output}"
    return result


def graph(*words: str, tenant: str = "acme", code: int = 0, stdin: str | None = None) -> Result:
    """Run a command of a tenant's graph."""
    return invoke("graph", *words, "--tenant", tenant, code=code, stdin=stdin)


def data(*words: str, tenant: str = "acme", code: int = 0) -> Any:
    """Run a command of a tenant's graph with --json, and return what it prints."""
    return json.loads(graph(*words, "--json", tenant=tenant, code=code).stdout)


@pytest.fixture(scope="module")
def films(folder: Path) -> Path:
    """The folder, with the graph of the tenant "acme" loaded: tests do not change it."""
    said = graph("load", "films.jsonl", "--source", "films").stdout
    assert "8 rows, 0 rejected. Entities: 5 created, 0 updated, 0 unchanged; relations: 3 created" in said
    return folder


@pytest.fixture
def own(films: Path) -> Iterator[Path]:
    """The same in the graph of the tenant "own", empty again afterwards."""
    graph("load", "films.jsonl", "--source", "films", tenant="own")
    yield films
    graph("delete", "--all", "--yes", tenant="own")


# --- loading -------------------------------------------------------------------------------------------------------


def test_loading_again_changes_nothing(films: Path) -> None:
    loaded = data("load", "films.jsonl", "--source", "films")["files"][0]

    assert loaded["entities"] == {"created": 0, "updated": 0, "unchanged": 5}
    assert loaded["relations"] == {"created": 0, "updated": 0, "unchanged": 3}


def test_bad_rows_are_set_aside_the_others_are_loaded(own: Path, tmp_path: Path) -> None:
    (tmp_path / "more.txt").write_text("E.T.|directed_by|Steven Spielberg\nE.T.|made_in|USA\nE.T.\n", encoding="utf-8")
    (tmp_path / "good.txt").write_text("Lincoln|directed_by|Steven Spielberg\n", encoding="utf-8")

    files = (str(tmp_path / "more.txt"), str(tmp_path / "good.txt"))
    rejects = tmp_path / "rejects"
    said = graph("load", *files, "--source", "more", "--rejects", str(rejects), tenant="own", code=1)

    assert "more.txt: 3 rows, 2 rejected. Entities: 1 created" in said.stdout
    assert "good.txt: 1 rows, 0 rejected" in said.stdout
    assert "more.txt:2: unknown relation 'made_in'" in said.stderr
    assert [one.name for one in rejects.iterdir()] == ["more.txt"]
    assert len((rejects / "more.txt").read_text(encoding="utf-8").splitlines()) == 2
    assert data("load", *files, "--source", "more", tenant="own", code=1)["files"][0]["rejected"] == 2


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("nowhere.csv", "--source", "x"), "nowhere.csv cannot be read: No such file"),
        (("films.jsonl",), "--source NAME, or --keep-sources"),
        (("films.jsonl", "--source", "x", "--keep-sources"), "not both"),
        (("rejoinder.toml", "--source", "x"), "the format is not known by its name"),
        (("films.jsonl", "--source", "x", "--format", "csv"), "expected kind and name"),
        (("films.jsonl", "--source", "x", "--rejects", "films.jsonl"), "cannot be the file that is loaded"),
        (("films.jsonl", "./films.jsonl", "--source", "x", "--rejects", "r"), "several files are called 'films.jsonl'"),
    ],
)
def test_what_cannot_be_loaded_is_said(films: Path, words: tuple[str, ...], told: str) -> None:
    assert told in graph("load", *words, code=1).stderr


def test_an_unknown_format_is_wrong_usage(films: Path) -> None:
    assert "'xml'" in graph("load", "films.jsonl", "--source", "x", "--format", "xml", code=2).output
    assert "'xml'" in graph("export", "out", "--format", "xml", code=2).output


# --- asking --------------------------------------------------------------------------------------------------------


def test_query_gives_rows(films: Path) -> None:
    cypher = "MATCH (m {kind: $kind})-[:directed_by]->(p) WHERE m.year < $year RETURN m.name AS film, p.name AS person"

    found = data("query", cypher, "--param", "kind=movie", "--param", "year=1974")

    assert found == {
        "columns": ["film", "person"],
        "rows": [{"film": "Duel", "person": "Steven Spielberg"}],
        "truncated": False,
    }
    assert "Steven Spielberg" in graph("query", "-", stdin="MATCH (p {kind: 'person'}) RETURN p.name").stdout
    assert graph("query", "MATCH (m {kind: 'nothing'}) RETURN m").stdout == "(no rows)\n"


def test_query_says_when_there_is_more(films: Path) -> None:
    assert data("query", "MATCH (n) RETURN n.id", "--limit", "2")["truncated"] is True
    assert "more than these 2 rows" in graph("query", "MATCH (n) RETURN n.id", "--limit", "2").stderr


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("MATCH (n) DELETE n",), "only reading is allowed"),
        (("MATCH (n RETURN n",), "query refused at line 1, column"),
        (("LOAD CSV FROM 'file:///etc/passwd' AS row RETURN row",), "refused"),
        (("MATCH (n {id: $id}) RETURN n",), "id"),
        (("MATCH (n) RETURN n", "--param", "id"), "--param 'id': expected NAME=VALUE"),
    ],
)
def test_wrong_cypher_is_said(films: Path, words: tuple[str, ...], told: str) -> None:
    assert told in graph("query", *words, code=1).stderr


def test_stats_count(films: Path) -> None:
    assert data("stats") == {
        "entities": 5,
        "relations": 3,
        "kinds": {"person": 3, "movie": 2},
        "relation_names": {"directed_by": 2, "starring": 1},
    }
    assert "directed_by" in graph("stats").stdout


def test_search_and_link(films: Path) -> None:
    assert [one["id"] for one in data("search", "shark island")] == ["movie:Jaws"]
    assert [one["id"] for one in data("search", "shark", "--kind", "person")] == []
    found = data("link", "who directed Der weiße Hai?")
    assert [(one["text"], one["how"], one["id"]) for one in found] == [("Der weiße Hai", "alias", "movie:Jaws")]
    assert "(it speaks of no entity)" in graph("link", "hello there").stdout
    assert "no entity of this graph has a vector" in graph("search", "sea", "--meaning", code=1).stderr


# --- showing -------------------------------------------------------------------------------------------------------


def test_show_by_id_name_and_alias(films: Path) -> None:
    for name in ("movie:Jaws", "jaws", "Der weiße Hai"):
        said = graph("show", name).stdout
        assert "movie:Jaws" in said
        assert "1975" in said
        assert "Robert Shaw" in said
    found = data("show", "Duel", "--hops", "2", "--limit", "2")
    assert [one["id"] for one in found["entities"]] == ["movie:Duel", "person:Steven Spielberg", "movie:Jaws"]
    assert found["truncated"] is False


def test_show_says_which_entities_are_meant(films: Path) -> None:
    assert "name one by its id: 'person:Robert Shaw', 'person:shaw'" in graph("show", "robert shaw", code=1).stderr
    assert "Did you mean 'person:Steven Spielberg'?" in graph("show", "Spielberg", code=1).stderr
    assert "Did you mean 'person:Steven Spielberg'?" in graph("show", "Steven Spielbreg", code=1).stderr
    assert "has no entity of the id or name 'nobody'" in graph("show", "nobody", code=1).stderr


def test_show_draws(films: Path, tmp_path: Path) -> None:
    for name in ("jaws.png", "jaws.html"):
        said = graph("show", "Jaws", "--out", str(tmp_path / name)).stdout
        assert said == f"3 entities and 2 relations are drawn in {tmp_path / name}.\n"
        assert (tmp_path / name).stat().st_size > 1000


def test_show_says_what_it_cannot_draw(films: Path) -> None:
    assert "ends with .png or .html" in graph("show", "Jaws", "--out", "jaws.gif", code=1).stderr
    assert "cannot be written" in graph("show", "Jaws", "--out", "films.jsonl/jaws.png", code=1).stderr


# --- schema --------------------------------------------------------------------------------------------------------


def test_schema_shows_what_the_domains_declare(films: Path) -> None:
    found = data("schema")

    assert found["open"] is False
    assert found["relations"]["directed_by"]["from"] == ["movie"]
    assert json.loads(graph("schema").stdout) == found
    assert data("schema", "--check") == {"checked": 8, "misfits": 0, "reasons": []}


def test_schema_check_finds_what_was_written_before_it(films: Path, tmp_path: Path) -> None:
    (tmp_path / "open.txt").write_text("Jaws|made_in|USA\n", encoding="utf-8")
    invoke("tenant", "plugins", "open", "--disable", "films")
    graph("load", str(tmp_path / "open.txt"), "--source", "x", tenant="open")
    assert data("schema", tenant="open")["open"] is True
    invoke("tenant", "plugins", "open", "--enable", "films")

    said = graph("schema", "--check", tenant="open", code=1).stdout

    assert "unknown kind 'thing'" in said
    assert "unknown relation 'made_in'" in said
    assert "3 of 3 entities and relations do not fit the schema." in said


# --- export and deletion -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["all.jsonl", "all.jsonl.gz", "csv"])
def test_an_export_loads_as_the_same_graph(films: Path, tmp_path: Path, name: str) -> None:
    assert "8 rows are in" in graph("export", str(tmp_path / name)).stdout
    graph("load", str(tmp_path / name), "--keep-sources", tenant="copy")

    graph("export", str(tmp_path / "again.jsonl"), tenant="copy")
    graph("export", str(tmp_path / "first.jsonl"))
    graph("delete", "--all", "--yes", tenant="copy")

    assert (tmp_path / "again.jsonl").read_bytes() == (tmp_path / "first.jsonl").read_bytes()


def test_export_says_what_it_cannot_write(films: Path) -> None:
    assert "name a folder" in graph("export", "all.csv", code=1).stderr
    assert "the format is not known by its name" in graph("export", "all.xml", code=1).stderr
    assert "cannot be written" in graph("export", "films.jsonl/all.jsonl", code=1).stderr
    assert "is a file; CSV is exported to a folder" in graph("export", "films.jsonl", "--format", "csv", code=1).stderr


def test_delete_asks_first(own: Path) -> None:
    asked = graph("delete", "--all", tenant="own", code=1, stdin="n\n")
    assert "Delete all 5 entities in the graph of tenant 'own'?" in asked.stderr
    assert data("stats", tenant="own")["entities"] == 5
    assert data("delete", "--source", "nobody", "--yes", tenant="own") == {"entities": 0, "relations": 0, "kept": 0}
    said = graph("delete", "--source", "films", tenant="own", stdin="y\n").stdout
    assert "5 entities and 3 relations are deleted." in said
    assert data("stats")["entities"] == 5, "another tenant's"


def test_delete_says_what_it_wants(films: Path) -> None:
    assert "--source NAME, or --all; not both" in graph("delete", "--yes", code=1).stderr
    assert "not both" in graph("delete", "--yes", "--all", "--source", "films", code=1).stderr


# --- merges --------------------------------------------------------------------------------------------------------


def test_a_merge_is_proposed_accepted_and_undone(own: Path) -> None:
    proposed = data("merges", "list", tenant="own")
    assert [(one["keep"]["id"], one["drop"]["id"], one["how"]) for one in proposed] == [
        ("person:Robert Shaw", "person:shaw", "name")
    ]
    entry = data("merges", "accept", "person:Robert Shaw", "person:shaw", "--by", "ann", tenant="own")
    assert data("stats", tenant="own")["entities"] == 4
    assert "are two again" in graph("merges", "undo", entry["id"], "--by", "bob", tenant="own").stdout
    assert data("stats", tenant="own")["entities"] == 5
    audit = data("merges", "audit", tenant="own")
    assert [(one["action"], one["by"]) for one in audit] == [("undo", "bob"), ("merge", "ann")]


def test_a_rejected_merge_is_not_proposed_again(own: Path) -> None:
    graph("merges", "reject", "person:shaw", "person:Robert Shaw", "--reason", "father and son", tenant="own")

    assert "(no two seem to be the same)" in graph("merges", "list", tenant="own").stdout
    assert "father and son" in graph("merges", "audit", tenant="own").stdout


def test_merges_say_what_is_wrong(films: Path) -> None:
    assert (
        "only entities of one kind are merged" in graph("merges", "accept", "Jaws", "Steven Spielberg", code=1).stderr
    )
    assert "no entity of the id or name 'Heat'" in graph("merges", "accept", "Jaws", "Heat", code=1).stderr
    assert "there is no merge 'x'" in graph("merges", "undo", "x", code=1).stderr


# --- vectors and extraction ----------------------------------------------------------------------------------------


def test_embed_makes_search_by_meaning_possible(own: Path) -> None:
    assert data("embed", tenant="own") == {"embedded": 5}
    assert data("embed", tenant="own") == {"embedded": 0}
    assert data("search", "danger in the sea", "--meaning", "--limit", "1", tenant="own")[0]["id"] == "movie:Jaws"


def test_extract_wants_examples_first(films: Path) -> None:
    missing = graph("extract", "films.jsonl", "--out", "p.jsonl", code=1).stderr
    assert "nothing was learned yet for tenant 'acme'" in missing


def test_accepted_proposals_go_into_the_graph(own: Path, tmp_path: Path) -> None:
    place = {"start": 0, "end": 4}
    jaws = {"id": "movie:Jaws", "kind": "movie", "name": "Jaws", "known": True, **place}
    scheider = {"id": "person:Roy Scheider", "kind": "person", "name": "Roy Scheider", "known": False, **place}
    evidence = {"document": "review.txt", "sentence": "Jaws stars Roy Scheider.", **place}
    one = {"subject": jaws, "relation": "starring", "object": scheider, "confidence": 0.9, "evidence": evidence}
    rows = [{**one, "texts": None, "relations": [], "accept": accept} for accept in (True, None)]
    path = tmp_path / "proposals.jsonl"
    path.write_text("".join(f"{json.dumps(row)}\n" for row in rows), encoding="utf-8")

    said = graph("extract", "--accept", str(path), tenant="own").stdout

    assert "1 new entities and 1 relations of 1 documents are in the graph. 1 of 2 proposals are not decided" in said
    assert data("show", "Roy Scheider", tenant="own")["relations"][0]["sources"] == ["review.txt"]


@pytest.mark.parametrize("tune", [(), ("--tune",)])
def test_extract_learns_proposes_and_keeps_what_it_learned(own: Path, tmp_path: Path, tune: tuple[str, ...]) -> None:
    lines = []
    for film, person in (("Jaws", "Steven Spielberg"), ("Duel", "Steven Spielberg")):
        for phrase in (
            "{} was directed by {}.",
            "{} is a film by the director {}.",
            "{} was made by {}, who directed it.",
        ):
            triples = [[f"movie:{film}", "directed_by", f"person:{person}"]]
            lines.append({"text": phrase.format(film, person), "triples": triples})
        for phrase in ("{} stars {}.", "In {} the leading role is played by {}.", "{} features {}."):
            triples = [[f"movie:{film}", "starring", f"person:{person}"]]
            lines.append({"text": phrase.format(film, person), "triples": triples})
    (tmp_path / "examples.jsonl").write_text("".join(f"{json.dumps(one)}\n" for one in lines), encoding="utf-8")
    (tmp_path / "review.txt").write_text("Jaws was directed by Steven Spielberg.", encoding="utf-8")
    document, out = str(tmp_path / "review.txt"), tmp_path / "proposals.jsonl"
    examples = str(tmp_path / "examples.jsonl")

    graph("extract", document, "--out", str(out), "--examples", examples, *tune, tenant="own")
    again = data("extract", document, "--out", str(tmp_path / "again.jsonl"), tenant="own")

    first, second = (
        [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
        for path in (out, tmp_path / "again.jsonl")
    )
    assert second == [{**one, "confidence": pytest.approx(one["confidence"], abs=1e-3)} for one in first]
    assert tune or [(one["subject"]["id"], one["relation"]) for one in first] == [("movie:Jaws", "directed_by")]
    assert again["learned"] is None
    assert "it may hold decisions" in graph("extract", document, "--out", str(out), tenant="own", code=1).stderr


@pytest.mark.parametrize(
    ("words", "told"),
    [
        ((), "name documents"),
        (("films.jsonl",), "name documents"),
        (("nowhere.txt", "--out", "p.jsonl"), "nowhere.txt cannot be read: No such file"),
        (("films.jsonl", "--out", "p.jsonl", "--decided", "p.jsonl"), "--decided and --tune go with --examples"),
        (("films.jsonl", "--out", "p.jsonl", "--tune"), "--decided and --tune go with --examples"),
        (("films.jsonl", "--out", "p.jsonl", "--examples", "films.jsonl"), "films.jsonl, line 1: expected"),
        (("--accept", "films.jsonl"), "line 1 is no proposal"),
        (("--accept", "nowhere.jsonl"), "nowhere.jsonl cannot be read"),
        (("films.jsonl", "--accept", "films.jsonl"), "--accept goes alone"),
    ],
)
def test_what_cannot_be_extracted_is_said(films: Path, words: tuple[str, ...], told: str) -> None:
    assert told in graph("extract", *words, code=1).stderr


# --- tenants and servers -------------------------------------------------------------------------------------------

COMMANDS = [
    ("load", "films.jsonl", "--source", "x"),
    ("query", "MATCH (n) RETURN n"),
    ("stats",),
    ("schema",),
    ("schema", "--check"),
    ("search", "x"),
    ("link", "x"),
    ("export", "out.jsonl"),
    ("embed",),
    ("delete", "--all", "--yes"),
    ("merges", "list"),
    ("merges", "audit"),
    ("show", "x"),
    ("serve",),
]


@pytest.mark.parametrize("words", COMMANDS, ids=" ".join)
def test_an_unknown_tenant_is_said(films: Path, words: tuple[str, ...]) -> None:
    assert "there is no tenant 'nobody'" in graph(*words, tenant="nobody", code=1).stderr


@pytest.mark.parametrize(
    "words", [one for one in COMMANDS if one[0] not in ("load", "serve") and one != ("schema",)], ids=" ".join
)
def test_a_tenant_without_a_graph_is_said_and_gets_none(films: Path, words: tuple[str, ...]) -> None:
    assert (
        "tenant 'empty' has no graph yet; make one: rejoinder graph load"
        in graph(*words, tenant="empty", code=1).stderr
    )


def test_a_server_elsewhere_is_not_started_or_stopped_and_may_be_away(
    films: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("REJOINDER_GRAPH__URL", "bolt://neo4j:secret-word@127.0.0.1:1")
    for command in ("serve", "stop"):
        assert "names a server elsewhere" in invoke("graph", command, code=1).stderr
    said = graph("stats", code=1).stderr
    assert len(said.splitlines()) == 1
    assert "127.0.0.1:1" in said
    assert "secret-word" not in said


@pytest.mark.parametrize("shown", [False, True])
def test_serve_says_where_it_is_and_ends_by_ctrl_c(films: Path, shown: bool) -> None:
    command = [sys.executable, "-m", "rejoinder", "graph", "serve", "--tenant", "acme", "--json"]
    command += ["--show-password"] if shown else []
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=films) as process:
        assert process.stdout is not None
        told = ""
        while not told.endswith("}\n") and (line := process.stdout.readline()):
            told += line
        process.send_signal(signal.SIGINT)
        _, errors = process.communicate(timeout=60)
    found = json.loads(told)
    password = json.loads(Path(found["password_file"]).read_text(encoding="utf-8"))["password"]
    assert found["bolt"].startswith("bolt://127.0.0.1:")
    assert found["database"] == "t_acme"
    assert found.get("password") == (password if shown else None)
    assert process.returncode == 0
    assert "stops as soon as nobody uses it" in errors
