"""`rejoinder monitor sources`: feeds and folders from which a tenant's events are fetched."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

from rejoinder.cli.output import JsonOption, say, show_record, show_table
from rejoinder.errors import InvalidInputError

if TYPE_CHECKING:
    from rejoinder.events.sources import Polled
    from rejoinder.store.database import Database

__all__ = ["app"]

app = typer.Typer(
    help="Feeds and folders from which events are fetched: add, list, remove, poll.", no_args_is_help=True
)

_ID: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")
_SHOWN: Final = ("id", "kind", "location", "every_s", "polled_at", "taken", "failures", "error")

TenantOption = Annotated[str, typer.Option("--tenant", help="Whose stream.", metavar="ID")]
SourceId = Annotated[str, typer.Argument(help="The source's id, which its events name.", metavar="SOURCE")]


@app.callback()
def _group() -> None:
    """Feeds and folders from which events are fetched: add, list, remove, poll."""


@app.command()
def add(
    source: SourceId,
    location: Annotated[
        str,
        typer.Argument(
            help="A feed's address (RSS or Atom), or the path of a folder below inbox/<tenant> in the deployment's data folder."
        ),
    ],
    tenant: TenantOption,
    kind: Annotated[
        str | None, typer.Option("--kind", help="Default: feed for an address, folder for a path.", metavar="KIND")
    ] = None,
    every: Annotated[float, typer.Option("--every", min=1, help="Seconds from one look to the next.")] = 300.0,
    time_zone: Annotated[
        str | None, typer.Option("--time-zone", help="Of dates that name none; default: the tenant's.", metavar="ZONE")
    ] = None,
    json: JsonOption = False,
) -> None:
    """Add a source, or change it; a worker looks at it soon, and then again and again."""
    from rejoinder.cli.runtime import run
    from rejoinder.context import utc_now
    from rejoinder.handoff.hours import time_zone_of
    from rejoinder.store.sources import put_source

    if not _ID.fullmatch(source):
        raise InvalidInputError(f"{source!r} is no id for a source: use letters, digits, dots, hyphens and underscores")
    if time_zone is not None:
        time_zone_of(time_zone)
    kind = kind or ("feed" if location.startswith(("http://", "https://")) else "folder")

    async def work() -> None:
        async with _opened(tenant) as database:
            values: dict[str, Any] = {"kind": kind, "location": location, "every_s": every, "time_zone": time_zone}
            await put_source(database, tenant, source, **values, at=utc_now())

    run(work())
    told = {"id": source, "kind": kind, "location": location, "every_s": every, "time_zone": time_zone}
    hint = f"rejoinder monitor sources poll {source} --tenant {tenant}"
    say(f"Source {source!r}: a worker looks at it every {every:g} s; now: {hint}", json=json, data=told)


@app.command("list")
def list_(tenant: TenantOption, json: JsonOption = False) -> None:
    """List sources, with what came of each."""
    from rejoinder.cli.runtime import run

    async def work() -> list[dict[str, Any]]:
        from rejoinder.serving.schemas.sources import SourceOut
        from rejoinder.store.sources import list_sources

        async with _opened(tenant) as database:
            rows = await list_sources(database, tenant)
            return [{name: getattr(row, name) for name in SourceOut.model_fields} for row in rows]

    rows = run(work())
    show_table(rows, _SHOWN, json=json, title=f"Sources of {tenant}", empty="No sources.")
    for row in () if json else rows:
        for problem in row["problems"]:
            typer.echo(f"{row['id']}: {problem}", err=True)


@app.command()
def remove(source: SourceId, tenant: TenantOption, json: JsonOption = False) -> None:
    """Fetch nothing more from a source; its events stay."""
    from rejoinder.cli.runtime import run
    from rejoinder.store.sources import delete_source

    async def work() -> None:
        async with _opened(tenant) as database:
            await delete_source(database, tenant, source)

    run(work())
    say(f"Removed source {source!r}.", json=json, data={"removed": source})


@app.command()
def poll(source: SourceId, tenant: TenantOption, json: JsonOption = False) -> None:
    """Look at a source now, in this process, and tell what came of it; exits with 1 when it could not be reached."""
    from rejoinder.cli.runtime import run

    async def work() -> Polled:
        from rejoinder.application import Application
        from rejoinder.events.sources import poll_now
        from rejoinder.settings import load_settings

        async with Application.open(load_settings()) as application:
            await application.tenants.get(tenant)
            return await poll_now(application, tenant, source)

    found = run(work())
    statuses = ("accepted", "duplicate", "folded", "refused")
    counts = {name: found.counts[name] for name in statuses}
    if json:
        show_record({"source": source, **counts, "problems": found.problems, "error": found.error}, json=True)
    else:
        show_record({"source": source, **counts}, json=False)
        for problem in found.problems:
            typer.echo(problem, err=True)
        if found.error:
            typer.echo(f"{source} cannot be read now: {found.error}", err=True)
    if found.error:
        raise typer.Exit(1)


@asynccontextmanager
async def _opened(tenant: str) -> AsyncIterator[Database]:
    from rejoinder.cli.runtime import open_database
    from rejoinder.settings import load_settings
    from rejoinder.store.tenants import get_tenant

    async with open_database(load_settings().settings) as database:
        await get_tenant(database, tenant)
        yield database
