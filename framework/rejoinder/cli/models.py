"""`rejoinder models`: the model versions of a tenant."""

from __future__ import annotations

from typing import Annotated

import typer

from rejoinder.cli.output import JsonOption, show_record, show_table
from rejoinder.cli.runtime import open_database, run
from rejoinder.settings import load_settings

__all__ = ["app"]

app = typer.Typer(help="Model versions of a tenant.", no_args_is_help=True)

Tenant = Annotated[str, typer.Option("--tenant", help="The tenant's id.")]


@app.command("list")
def list_models(
    tenant: Tenant,
    task: Annotated[str | None, typer.Option("--task", help="Only this task's versions.")] = None,
    json: JsonOption = False,
) -> None:
    """List versions, newest first."""
    columns = ("task", "number", "state", "id", "created_at", "metrics")
    show_table(run(_versions(tenant, task)), columns, json=json, empty="(no model has been fitted yet)")


@app.command("show")
def show_model(
    version: Annotated[str, typer.Argument(help="The version's id.")], tenant: Tenant, json: JsonOption = False
) -> None:
    """Show a version with its lineage: what it was made of, by which code, from which data."""
    show_record(run(_version(tenant, version)), json=json)


async def _versions(tenant: str, task: str | None) -> list[dict[str, object]]:
    from rejoinder.store.models import list_versions
    from rejoinder.store.tenants import get_tenant

    async with open_database(load_settings().settings) as database:
        await get_tenant(database, tenant)
        return [row.model_dump(mode="json") for row in await list_versions(database, tenant, task=task)]


async def _version(tenant: str, version: str) -> dict[str, object]:
    from rejoinder.store.models import get_version

    async with open_database(load_settings().settings) as database:
        return (await get_version(database, tenant, version)).model_dump(mode="json")
