"""`rejoinder graph`: load, ask, look at and keep up a tenant's knowledge graph."""

from __future__ import annotations

import json as json_text
import sys
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final, Literal

import typer

from rejoinder.cli.graph_extract import extract
from rejoinder.cli.graph_merges import merges
from rejoinder.cli.graph_server import serve, stop
from rejoinder.cli.graph_tenant import Kinds, Tenant, bar, entity_record, named_entity, opened, schema_of_tenant
from rejoinder.cli.output import JsonOption, say, show_record, show_table
from rejoinder.errors import InvalidInputError

if TYPE_CHECKING:
    from rejoinder.graph.graph import Graph
    from rejoinder.graph.loading import LoadReport
    from rejoinder.graph.values import Hit, Neighbourhood

__all__ = ["app"]

app = typer.Typer(no_args_is_help=True, help="A tenant's knowledge graph: load it, ask it, look at it.")

Format = Literal["csv", "jsonl", "triples"]
Limit = Annotated[int, typer.Option("--limit", min=1, max=1000, help="Most of them.")]

_SHOWN_PROBLEMS: Final = 5
_SHOWN_MISFITS: Final = 20


@app.command()
def load(
    files: Annotated[
        list[Path],
        typer.Argument(
            help="CSV, JSON lines or `subject|relation|object` lines, .gz is fine; or a folder with entities.csv and relations.csv.",
            metavar="FILE",
        ),
    ],
    tenant: Tenant,
    source: Annotated[
        str | None, typer.Option("--source", metavar="NAME", help="Who says so; `graph delete --source` takes it back.")
    ] = None,
    keep_sources: Annotated[
        bool, typer.Option("--keep-sources", help="Each row says its own sources, as in what `graph export` wrote.")
    ] = False,
    format: Annotated[  # noqa: A002
        Format | None, typer.Option("--format", help="Of all files; default: what each name ends with.")
    ] = None,
    rejects: Annotated[
        Path | None,
        typer.Option(
            "--rejects",
            help="File for the rows that cannot be loaded, with the reason; of a folder or several files, a folder.",
        ),
    ] = None,
    bare: Annotated[
        bool, typer.Option("--bare", help="Make entities that relations name and that are not there of their ids.")
    ] = False,
    embed: Annotated[bool, typer.Option("--embed", help="Give vectors to what is new, as `graph embed` does.")] = False,
    json: JsonOption = False,
) -> None:
    """Write what files say into the graph. Loading the same again changes nothing.

    Rows that do not fit the schema are set aside, all others are loaded; exits with 1 when there were any.
    """
    if (source is None) != keep_sources:
        raise InvalidInputError(
            "say who says so with --source NAME, or --keep-sources where each row says so; not both"
        )
    asides = _asides(files, rejects)
    reports: list[tuple[Path, LoadReport]] = []
    with opened(tenant, make=True, vectors="needed" if embed else "none") as graph:
        for file, aside in zip(files, asides, strict=True):
            with bar(file.name, shown=not json) as move:
                report = graph.load(
                    file,
                    format=format,
                    source=source,
                    rejects=aside,
                    bare=bare,
                    progress=_rows_to(move),
                )
            reports.append((file, report))
            if not json:
                _say_load(file, report)
        embedded = _embed(graph, shown=not json) if embed else None
    data = {"files": [_load_record(*one) for one in reports], "embedded": embedded}
    if json:
        show_record(data, json=True)
    elif embedded is not None:
        say(f"{embedded} entities got a vector.")
    if any(report.bad for _, report in reports):
        raise typer.Exit(1)


@app.command()
def query(
    cypher: Annotated[
        str, typer.Argument(help="What to ask, such as \"MATCH (n {kind: 'movie'}) RETURN n.name\"; `-` reads it.")
    ],
    tenant: Tenant,
    param: Annotated[
        list[str] | None,
        typer.Option("--param", metavar="NAME=VALUE", help="Value of $NAME, JSON or else a text; can be repeated."),
    ] = None,
    limit: Annotated[int, typer.Option("--limit", min=1, max=100_000, help="Most rows.")] = 1000,
    timeout: Annotated[float, typer.Option("--timeout", min=0.001, max=600, help="Seconds that it may take.")] = 5.0,
    json: JsonOption = False,
) -> None:
    """Ask in Cypher: only reading, only this tenant's entities (label `Entity`)."""
    text = sys.stdin.read() if cypher == "-" else cypher
    parameters = _parameters(param or [])
    with opened(tenant) as graph:
        found = graph.query(text, parameters, timeout_s=timeout, max_rows=limit)
    records = [dict(zip(found.columns, row, strict=True)) for row in found.rows]
    if json:
        show_record({"columns": list(found.columns), "rows": records, "truncated": found.truncated}, json=True)
        return
    show_table(records, found.columns, json=False, empty="(no rows)")
    if found.truncated:
        typer.echo(f"There is more than these {len(records)} rows: ask for less, or with a higher --limit.", err=True)


@app.command()
def stats(tenant: Tenant, json: JsonOption = False) -> None:
    """Count entities by kind, and relations by name."""
    with opened(tenant) as graph:
        found = graph.stats()
    if json:
        show_record(asdict(found), json=True)
        return
    rows = [{"what": "entities", "name": "", "count": found.entities}]
    rows += [{"what": "", "name": kind, "count": count} for kind, count in found.kinds.items()]
    rows.append({"what": "relations", "name": "", "count": found.relations})
    rows += [{"what": "", "name": name, "count": count} for name, count in found.relation_names.items()]
    show_table(rows, ("what", "name", "count"), json=False)


@app.command()
def schema(
    tenant: Tenant,
    check: Annotated[
        bool,
        typer.Option("--check", help="Say what of the graph does not fit it; exits with 1 when something does not."),
    ] = False,
    json: JsonOption = False,
) -> None:
    """Show what the domains of the tenant declare: kinds, relations, and their properties."""
    if not check:
        declared = schema_of_tenant(tenant).model_dump(mode="json", by_alias=True, exclude_defaults=True)
        say(json_text.dumps(declared, ensure_ascii=False, indent=2), json=json, data=declared)
        return
    from rejoinder.graph.checking import check as check_graph

    with opened(tenant) as graph:
        found = check_graph(graph.space, graph.schema, limit=_SHOWN_MISFITS)
    if json:
        show_record(asdict(found), json=True)
    else:
        for reason in found.reasons:
            typer.echo(reason)
        more = f" The first {len(found.reasons)} are named above." if found.misfits > len(found.reasons) else ""
        say(f"{found.misfits} of {found.checked} entities and relations do not fit the schema.{more}")
    if found.misfits:
        raise typer.Exit(1)


@app.command()
def search(
    text: Annotated[str, typer.Argument(help="Words of a name, an alias or a description.", metavar="TEXT")],
    tenant: Tenant,
    limit: Limit = 10,
    kind: Kinds = None,
    meaning: Annotated[
        bool, typer.Option("--meaning", help="By what the text means: needs `graph embed` once.")
    ] = False,
    json: JsonOption = False,
) -> None:
    """Find entities by words, best first."""
    with opened(tenant, vectors="needed" if meaning else "none") as graph:
        ask = graph.similar if meaning else graph.search
        found: tuple[Hit, ...] = ask(text, limit=limit, kinds=kind or ())
    records = [{"score": round(one.score, 3), **entity_record(one.entity)} for one in found]
    show_table(records, ("score", "kind", "name", "id"), json=json, empty="(nothing found)")


@app.command()
def link(
    text: Annotated[str, typer.Argument(help="What somebody says.", metavar="TEXT")],
    tenant: Tenant,
    limit: Annotated[int, typer.Option("--limit", min=1, max=100, help="Most of them.")] = 5,
    kind: Kinds = None,
    json: JsonOption = False,
) -> None:
    """Say which entities a text speaks of, best first."""
    with opened(tenant, vectors="if there are any") as graph:
        found = graph.link(text, kinds=kind or (), limit=limit)
    records = [
        {
            "text": one.text,
            "start": one.start,
            "end": one.end,
            "score": round(one.score, 3),
            "how": one.how,
            **{f"entity_{key}" if key == "text" else key: value for key, value in entity_record(one.entity).items()},
        }
        for one in found
    ]
    show_table(records, ("text", "score", "how", "kind", "name", "id"), json=json, empty="(it speaks of no entity)")


@app.command()
def export(
    file: Annotated[
        Path, typer.Argument(help="File to write, gzipped where it ends with .gz; of CSV a folder.", metavar="FILE")
    ],
    tenant: Tenant,
    format: Annotated[  # noqa: A002
        Format | None, typer.Option("--format", help="Default: what the name ends with; csv for a folder.")
    ] = None,
    json: JsonOption = False,
) -> None:
    """Write the graph to files that `graph load --keep-sources` reads; triples hold names and relations only."""
    from rejoinder.graph.loading import format_of

    if format is None:
        format = format_of(file) if file.suffix else "csv"  # noqa: A001
        if format == "csv" and file.suffix:
            raise InvalidInputError(f"{file}: CSV is two files, entities.csv and relations.csv: name a folder for them")
    with opened(tenant) as graph:
        rows = graph.export(file, format=format)
    say(f"{rows} rows are in {file}.", json=json, data={"file": str(file), "format": format, "rows": rows})


@app.command()
def embed(tenant: Tenant, json: JsonOption = False) -> None:
    """Give a vector to each entity that is new or has changed: for search and linking by meaning."""
    with opened(tenant, vectors="needed") as graph:
        done = _embed(graph, shown=not json)
    say(f"{done} entities got a vector.", json=json, data={"embedded": done})


@app.command()
def delete(
    tenant: Tenant,
    source: Annotated[
        str | None,
        typer.Option("--source", metavar="NAME", help="All that this source said and no other says."),
    ] = None,
    everything: Annotated[bool, typer.Option("--all", help="All that the tenant's graph holds.")] = False,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
    json: JsonOption = False,
) -> None:
    """Delete what a source said, or everything."""
    if (source is None) != everything:
        raise InvalidInputError("say what to delete: --source NAME, or --all; not both")
    with opened(tenant) as graph:
        if not yes:
            what = f"all {graph.count()} entities" if source is None else f"what {source!r} said"
            typer.confirm(f"Delete {what} in the graph of tenant {tenant!r}?", abort=True, err=True)
        gone = graph.clear() if source is None else graph.delete_source(source)
    kept = f" {gone.kept} stay, since others say so too." if gone.kept else ""
    say(f"{gone.entities} entities and {gone.relations} relations are deleted.{kept}", json=json, data=asdict(gone))


@app.command()
def show(
    entity: Annotated[str, typer.Argument(help="Its id or its name.", metavar="ENTITY")],
    tenant: Tenant,
    hops: Annotated[int, typer.Option("--hops", min=1, max=3, help="How far away.")] = 1,
    limit: Annotated[int, typer.Option("--limit", min=1, max=1000, help="Most relations.")] = 50,
    out: Annotated[
        Path | None, typer.Option("--out", help="A picture instead: FILE.png or FILE.html.", metavar="FILE")
    ] = None,
    json: JsonOption = False,
) -> None:
    """Show an entity and what is around it."""
    from rejoinder.graph.picture import SUFFIXES, draw

    if out is not None and out.suffix.casefold() not in SUFFIXES:
        raise InvalidInputError(f"--out {out}: a picture's name ends with {' or '.join(SUFFIXES)}")
    with opened(tenant) as graph:
        centre = named_entity(graph, entity)
        found = graph.neighbourhood(centre.id, hops=hops, limit=limit)
    data: dict[str, Any] = {
        "entities": [entity_record(one) for one in found.entities],
        "relations": [{**asdict(one), "properties": dict(one.properties)} for one in found.relations],
        "truncated": found.truncated,
    }
    if out is not None:
        draw(found, out, centre=centre.id)
        more = "; there are more" if found.truncated else ""
        text = f"{len(found.entities)} entities and {len(found.relations)} relations{more} are drawn in {out}."
        say(text, json=json, data={**data, "picture": str(out)})
    elif json:
        show_record(data, json=True)
    else:
        _show_around(found)


app.command()(extract)
app.command()(serve)
app.command()(stop)
app.add_typer(merges, name="merges")


def _asides(files: list[Path], rejects: Path | None) -> list[Path | None]:
    """The reject file of each file."""
    if rejects is None or len(files) == 1:
        return [rejects] * len(files)
    names = [file.name for file in files]
    same = next((name for name in names if names.count(name) > 1), None)
    if same is not None:
        raise InvalidInputError(f"several files are called {same!r}: load them one by one, each with its --rejects")
    return [rejects / name for name in names]


def _rows_to(move: Callable[[float, str], None]) -> Callable[[int, float], None]:
    return lambda rows, share: move(share, f"{rows:,} rows")


def _say_load(file: Path, report: LoadReport) -> None:
    parts = [f"{file}: {report.rows} rows, {report.bad} rejected."]
    for what, counts in (("Entities", report.written.entities), ("relations", report.written.relations)):
        parts.append(f"{what}: {counts.created} created, {counts.updated} updated, {counts.unchanged} unchanged")
    say(f"{parts[0]} {parts[1]}; {parts[2]}.")
    for problem in report.problems[:_SHOWN_PROBLEMS]:
        typer.echo(f"rejected: {problem}", err=True)
    if report.rejects:
        typer.echo(f"All rejected rows are in {', '.join(str(one) for one in report.rejects)}.", err=True)
    elif report.bad > _SHOWN_PROBLEMS:
        typer.echo(f"... and {report.bad - _SHOWN_PROBLEMS} more; --rejects FILE keeps all of them.", err=True)


def _load_record(file: Path, report: LoadReport) -> dict[str, Any]:
    return {
        "file": str(file),
        "rows": report.rows,
        "rejected": report.bad,
        "problems": [asdict(one) for one in report.problems],
        "entities": asdict(report.written.entities),
        "relations": asdict(report.written.relations),
        "rejects": [str(one) for one in report.rejects],
    }


def _embed(graph: Graph, *, shown: bool) -> int:
    total = max(graph.count(), 1)
    done = 0
    with bar("vectors", shown=shown) as move:

        def progress(more: int) -> None:
            nonlocal done
            done += more
            move(done / total, f"{done:,} entities")

        return graph.embed(progress=progress)


def _parameters(pairs: list[str]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for pair in pairs:
        name, equals, value = pair.partition("=")
        if not equals or not name.strip():
            raise InvalidInputError(f"--param {pair!r}: expected NAME=VALUE, such as name=Jaws")
        try:
            found[name.strip()] = json_text.loads(value)
        except ValueError:
            found[name.strip()] = value
    return found


def _show_around(found: Neighbourhood) -> None:
    centre = found.entities[0]
    record = {key: value for key, value in entity_record(centre).items() if value not in (None, "", (), {})}
    record.pop("properties", None)
    show_record({**record, **centre.properties}, json=False)
    names = {one.id: one.name for one in found.entities}
    rows = [
        {"subject": names[one.subject], "relation": one.name, "object": names[one.object]} for one in found.relations
    ]
    show_table(rows, ("subject", "relation", "object"), json=False, empty="(no relations)")
    if found.truncated:
        typer.echo("There are more relations: --limit shows more of them.", err=True)
