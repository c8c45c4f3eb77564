"""`rejoinder learning`: how well a tenant's models serve, and what was decided about them."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from rejoinder.cli.clusters import app as clusters
from rejoinder.cli.output import JsonOption, say, show_record, show_table
from rejoinder.cli.runtime import open_database, run
from rejoinder.errors import InvalidInputError
from rejoinder.settings import load_settings

if TYPE_CHECKING:
    from rejoinder.learning.example_import import ImportReport

__all__ = ["app"]

app = typer.Typer(help="Learning: how well models serve, what waits and what was decided.", no_args_is_help=True)
app.add_typer(clusters, name="clusters")

_MOST_SHOWN = 20
_TABLES = {
    "examples": ("task", "examples", "held_back"),
    "versions": (
        "version",
        "state",
        "decisions",
        "rated",
        "accuracy",
        "recall",
        "csat",
        "containment",
        "ece",
        "reward",
        "drift",
    ),
    "runs": ("task", "status", "progress", "reason", "created_at"),
    "trials": ("task", "version", "share", "started_at", "outcome"),
    "decided": ("at", "version", "action", "by", "reason"),
    "erasures": ("at", "reason", "examples", "tasks"),
}


@app.command("status")
def status(
    tenant: Annotated[str, typer.Option("--tenant", help="The tenant's id.")],
    days: Annotated[float, typer.Option("--days", min=0.01, max=365, help="How far back to look.")] = 7.0,
    json: JsonOption = False,
) -> None:
    """Show how each model version did by what people said, conversations that needed no person, runs, trials and decisions."""
    found = run(_status(tenant, days))
    if json:
        show_record(found, json=True)
        return
    contained = "-" if found["containment"] is None else f"{found['containment']:.1%}"
    say(
        f"Since {found['since'][:16]} UTC: {found['conversations']} conversations, {contained} of them without a person."
    )
    for name, columns in _TABLES.items():
        rows = [{key: _short(value) for key, value in row.items()} for row in found[name]]
        show_table(rows, columns, json=False, title=name.capitalize(), empty=f"({name}: none)")


@app.command("export")
def export_examples(
    tenant: Annotated[str, typer.Option("--tenant", help="The tenant's id.")],
    to: Annotated[Path, typer.Option("--to", help="File to write: .jsonl or .parquet.")],
    task: Annotated[str | None, typer.Option("--task", help="Only this task's.")] = None,
    json: JsonOption = False,
) -> None:
    """Write the examples that count, with where each came from; the same examples make the same file."""
    count = run(_export(tenant, to, task))
    say(f"{count} examples are in {to}.", json=json, data={"path": str(to), "examples": count})


@app.command("import")
def import_examples(
    file: Annotated[Path, typer.Argument(help="File to read: .jsonl or .parquet, as `export` writes it.")],
    tenant: Annotated[str, typer.Option("--tenant", help="The tenant's id.")],
    rejects: Annotated[
        Path | None,
        typer.Option(
            "--rejects", help="Where rows go that cannot be used; default <file>.rejects.jsonl, if there are any."
        ),
    ] = None,
    fit: Annotated[
        bool, typer.Option("--fit/--no-fit", help="Fit models anew at once; else servers and workers do so later.")
    ] = True,
    json: JsonOption = False,
) -> None:
    """Load labelled examples: rows that cannot be used are told with line and reason, the others loaded, the same ones once."""
    report = run(_import(tenant, file, fit))
    bad = sorted(report.bad, key=lambda one: one.line)
    place = rejects or file.with_name(f"{file.name}.rejects.jsonl")
    if bad:
        from rejoinder.learning.example_files import write_rejects

        write_rejects(bad, place)
    told = {
        "loaded": report.loaded,
        "repeated": report.repeated,
        "bad": [{"line": one.line, "reason": one.reason} for one in bad],
        "rejects": str(place) if bad else None,
    }
    words = f"{report.loaded} examples were loaded; {report.repeated} were there already."
    if bad:
        shown = "".join(f"\n  line {one.line}: {one.reason}" for one in bad[:_MOST_SHOWN])
        words += f" {len(bad)} rows cannot be used, and are in {place}:{shown}"
    say(words, json=json, data=told)


@app.command("review")
def review(
    tenant: Annotated[str, typer.Option("--tenant", help="The tenant's id.")],
    answers: Annotated[
        Path | None,
        typer.Option(
            "--answers", help='Take answers from this file instead of asking: JSON lines {"id", "label"}, null to skip.'
        ),
    ] = None,
    by: Annotated[str, typer.Option("--by", help="Who reviews, as it is kept with what they say.")] = "command line",
    json: JsonOption = False,
) -> None:
    """Label the questions of today whose labels would help most: one after the other, or with `--json` print them."""
    from rejoinder.cli.review import answer_from_file, ask_one_by_one, show_questions

    if answers is not None:
        done = run(answer_from_file(tenant, answers, by))
        say(f"{done['answered']} answered, {done['skipped']} skipped.", json=json, data=done)
    elif json:
        run(show_questions(tenant))
    else:
        run(ask_one_by_one(tenant, by))


async def _export(tenant: str, to: Path, task: str | None) -> int:
    from rejoinder.learning.example_files import stored_examples, write_examples
    from rejoinder.store.tenants import get_tenant

    async with open_database(load_settings().settings) as database:
        await get_tenant(database, tenant)
        return await write_examples(stored_examples(database, tenant, task=task), to)


async def _import(tenant: str, file: Path, fit: bool) -> ImportReport:
    from rejoinder.application import Application
    from rejoinder.context import NoModels, Request
    from rejoinder.learning.example_files import format_of, read_rows
    from rejoinder.learning.example_import import ExampleImport
    from rejoinder.learning.holdback import held_back
    from rejoinder.payloads import Caller

    kind = format_of(file)
    caller = Caller(id="command line", role="admin")
    async with Application.open(load_settings()) as application:
        await application.tenants.get(tenant)
        profile = await application.tenants.served(tenant)
        every = application.settings.learning.hold_back_every
        redacting = Request(
            tenant=tenant,
            caller=caller,
            models=NoModels(),
            plugins=profile.plugins,
            settings=profile.settings,
            deadline=float("inf"),
            clock=application.clock,
        )
        loading = ExampleImport(
            application.database, application.host, redacting, held_back=lambda example: held_back(example.text, every)
        )
        try:
            with file.open("rb") as content:
                report = await loading.load(read_rows(content, kind))
        except OSError as error:
            raise InvalidInputError(f"{file} cannot be read: {error.strerror or error}") from error
        if fit and report.loaded and application.host.tasks:
            await application.models.refit(tenant)
        return report


async def _status(tenant: str, days: float) -> dict[str, Any]:
    from rejoinder.context import utc_now
    from rejoinder.learning.status import learning_status
    from rejoinder.store.tenants import get_tenant

    settings = load_settings().settings
    async with open_database(settings) as database:
        await get_tenant(database, tenant)
        return await learning_status(
            database, tenant, now=utc_now(), days=days, drift_error=settings.learning.drift_error
        )


def _short(value: Any) -> Any:
    return round(value, 4) if isinstance(value, float) else value
