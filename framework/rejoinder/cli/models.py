"""`rejoinder models`: the model versions of a tenant, and the runs that make them."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from rejoinder.cli.doctor import doctor
from rejoinder.cli.output import JsonOption, say, show_record, show_table
from rejoinder.cli.runtime import load_host, open_database, run
from rejoinder.errors import InvalidInputError, NotFoundError, did_you_mean
from rejoinder.settings import load_settings

if TYPE_CHECKING:
    from rejoinder.learning.versions import Registry
    from rejoinder.store.database import Database
    from rejoinder.store.runs import RunStatus

__all__ = ["app"]

app = typer.Typer(help="Model versions of a tenant.", no_args_is_help=True)
app.command("doctor")(doctor)

Version = Annotated[str, typer.Argument(help="The version's id, or its name such as intent-3.")]
Tenant = Annotated[str, typer.Option("--tenant", help="The tenant's id.")]


@app.command("list")
def list_models(
    tenant: Tenant,
    task: Annotated[str | None, typer.Option("--task", help="Only this task's versions.")] = None,
    json: JsonOption = False,
) -> None:
    """List versions, newest first."""
    columns = ("task", "number", "state", "id", "created_at", "erased_at", "metrics")
    show_table(run(_versions(tenant, task)), columns, json=json, empty="(no model has been fitted yet)")


@app.command("show")
def show_model(version: Version, tenant: Tenant, json: JsonOption = False) -> None:
    """Show a version with its lineage (what it was made of, by which code, from which data and versions) and its evaluations."""
    show_record(run(_version(tenant, version)), json=json)


@app.command("promote")
def promote_model(version: Version, tenant: Tenant, json: JsonOption = False) -> None:
    """Make a version live once its files are known to be sound; running servers serve it within two seconds."""
    record = run(_promoted(tenant, version))
    say(f"{_name_of(record)} ({record['id']}) is live.", json=json, data=record)


@app.command("rollback")
def roll_back_model(
    tenant: Tenant,
    task: Annotated[str, typer.Option("--task", help="The task to go back with, such as intent.")],
    json: JsonOption = False,
) -> None:
    """Retire the live version of a task and make the one before it live again; repeat it to go back further."""
    retired, live = run(_rolled_back(tenant, task))
    say(
        f"{_name_of(live)} ({live['id']}) is live again, in place of {_name_of(retired)} ({retired['id']}).",
        json=json,
        data={"live": live, "retired": retired},
    )


@app.command("export")
def export_model(
    version: Version,
    tenant: Tenant,
    to: Annotated[
        Path | None,
        typer.Option(
            "--to", help="Folder to make, or archive that ends in .tar.gz; default <task>-<number>.tar.gz here."
        ),
    ] = None,
    json: JsonOption = False,
) -> None:
    """Write a version's files, lineage and a manifest with the SHA-256 of each into a folder or archive, to be used elsewhere."""
    record = run(_exported(tenant, version, to))
    say(f"{record['name']} is in {record['path']}: {len(record['files'])} files.", json=json, data=record)


@app.command("report")
def report_model(
    version: Version,
    tenant: Tenant,
    to: Annotated[Path, typer.Option("--to", help="Folder for the three files; made if need be.")] = Path(),
    json: JsonOption = False,
) -> None:
    """Write the gate's report card of a version: JSON, Markdown and a picture."""
    name, paths = run(_report_card(tenant, version, to))
    say(
        f"The report card of {name} is in {', '.join(str(path) for path in paths)}.",
        json=json,
        data={"name": name, "paths": [str(path) for path in paths]},
    )


@app.command("decisions")
def list_decisions(
    tenant: Tenant,
    task: Annotated[str | None, typer.Option("--task", help="Only this task's.")] = None,
    json: JsonOption = False,
) -> None:
    """List what gate, canary and people decided about versions, newest first, and why."""
    columns = ("at", "version", "action", "by", "reason")
    show_table(run(_decisions(tenant, task)), columns, json=json, empty="(nothing was decided yet)")


@app.command("adapt")
def adapt_model(
    tenant: Tenant,
    task: Annotated[str, typer.Option("--task", help="The task to learn anew, such as intent.")],
    priority: Annotated[int, typer.Option("--priority", help="Runs with a higher one go first.")] = 0,
    wait: Annotated[
        bool, typer.Option("--wait", help="Show a bar until it is over; exits with 1 when nothing came of it.")
    ] = False,
    json: JsonOption = False,
) -> None:
    """Have a worker (`rejoinder worker`) fit a candidate version on all examples up to now."""
    record, sent = run(_new_run(tenant, task, priority))
    how = "" if sent else " The broker cannot be reached: workers find it in the store, a little later."
    if not wait:
        say(
            f"Run {record['id']} is queued. `rejoinder models runs --tenant {tenant}` shows what comes of it.{how}",
            json=json,
            data={**record, "sent": sent},
        )
        return
    from rejoinder.cli.run_bar import wait_for_run

    over = run(wait_for_run(tenant, record["id"], silent=json))
    said = f"Run {over['id']} is {over['status']}" + (f": {over['error']}" if over["error"] else "")
    said += f"; it made {over['model_version_id']}." if over["model_version_id"] else "."
    say(said, json=json, data={**over, "sent": sent})
    if over["status"] != "done":
        raise typer.Exit(1)


@app.command("cancel")
def cancel_run(
    run_id: Annotated[str, typer.Argument(metavar="RUN", help="The run's id.")],
    tenant: Tenant,
    json: JsonOption = False,
) -> None:
    """Stop a run that is not over; its worker learns of it within seconds, and the model that answers stays as it is."""
    record = run(_cancelled(tenant, run_id))
    say(f"Run {run_id} is cancelled.", json=json, data=record)


@app.command("runs")
def list_runs(
    tenant: Tenant,
    task: Annotated[str | None, typer.Option("--task", help="Only this task's runs.")] = None,
    status: Annotated[
        str | None, typer.Option("--status", help="Only these: queued, running, done, failed or cancelled.")
    ] = None,
    json: JsonOption = False,
) -> None:
    """List adaptation runs, newest first."""
    from typing import get_args

    from rejoinder.store.runs import RunStatus

    choices = get_args(RunStatus)
    if status is not None and status not in choices:
        raise InvalidInputError(
            f"--status: there is no {status!r}.{did_you_mean(status, choices)} Choose from {', '.join(choices)}"
        )
    columns = ("task", "status", "progress", "attempts", "id", "created_at", "reason", "model_version_id", "error")
    found = run(_runs(tenant, task, status))  # type: ignore[arg-type]  # checked above
    show_table(found, columns, json=json, empty="(there was no run yet)")


async def _versions(tenant: str, task: str | None) -> list[dict[str, object]]:
    from rejoinder.store.models import list_versions
    from rejoinder.store.tenants import get_tenant

    async with open_database(load_settings().settings) as database:
        await get_tenant(database, tenant)
        return [row.model_dump(mode="json") for row in await list_versions(database, tenant, task=task)]


@asynccontextmanager
async def _opened(tenant: str) -> AsyncIterator[tuple[Database, Registry]]:
    """Open the record store and the registry for a tenant that is there."""
    from rejoinder.learning.versions import open_registry
    from rejoinder.store.tenants import get_tenant

    settings = load_settings().settings
    async with open_database(settings) as database:
        await get_tenant(database, tenant)
        yield database, open_registry(database, settings)


async def _version(tenant: str, version: str) -> dict[str, Any]:
    from rejoinder.learning.export import version_record

    async with _opened(tenant) as (database, registry):
        return await version_record(database, await registry.find(tenant, version))


async def _promoted(tenant: str, version: str) -> dict[str, Any]:
    async with _opened(tenant) as (_, registry):
        found = await registry.find(tenant, version)
        return (await registry.promote(tenant, found.id)).model_dump(mode="json")


async def _rolled_back(tenant: str, task: str) -> tuple[dict[str, Any], dict[str, Any]]:
    from rejoinder.store.models import list_versions

    async with _opened(tenant) as (database, registry):
        tasks = {row.task for row in await list_versions(database, tenant, state="live")}
        if task not in tasks:
            named = ", ".join(sorted(tasks)) or "none"
            raise NotFoundError(
                f"no model version of the task {task!r} is live.{did_you_mean(task, tasks)} Tasks with one: {named}"
            )
        retired, live = await registry.roll_back(tenant, task)
        return retired.model_dump(mode="json"), live.model_dump(mode="json")


async def _exported(tenant: str, version: str, to: Path | None) -> dict[str, Any]:
    from rejoinder.learning.export import export_version

    async with _opened(tenant) as (database, registry):
        found = await registry.find(tenant, version)
        name = f"{found.task}-{found.number}"
        target = to or Path(f"{name}.tar.gz")
        manifest = await export_version(database, registry, found, target)
        return {"id": found.id, "name": name, "path": str(target), **manifest}


async def _report_card(tenant: str, version: str, to: Path) -> tuple[str, tuple[Path, ...]]:
    from rejoinder.learning.gate.report_card import write_report_card
    from rejoinder.store.models import list_evaluations

    async with _opened(tenant) as (database, registry):
        found = await registry.find(tenant, version)
        name = f"{found.task}-{found.number}"
        judged = [row.verdict for row in await list_evaluations(database, tenant, found.id) if row.verdict is not None]
        if not judged:
            raise NotFoundError(f"the gate has not judged {name}: only what a worker's run made comes before it")
        lineage = {
            key: getattr(found, key)
            for key in ("id", "parent_id", "base_hash", "data_fingerprint", "code_version", "seed")
        }
        return name, write_report_card(to, name, judged[-1], lineage=lineage)


async def _decisions(tenant: str, task: str | None) -> list[dict[str, Any]]:
    from rejoinder.store.models import list_versions
    from rejoinder.store.trials import list_model_decisions

    async with _opened(tenant) as (database, _):
        names = {
            row.id: f"{row.task}-{row.number}" for row in await list_versions(database, tenant, task=task, limit=10_000)
        }
        found = await list_model_decisions(database, tenant, task=task)
        return [{**row.model_dump(mode="json"), "version": names.get(row.model_version_id)} for row in found]


def _name_of(record: dict[str, Any]) -> str:
    return f"{record['task']}-{record['number']}"


async def _new_run(tenant: str, task: str, priority: int) -> tuple[dict[str, Any], bool]:
    from rejoinder.learning.queue import make_queue
    from rejoinder.learning.triggers import start_by_hand
    from rejoinder.tenants.service import Tenants

    loaded = load_settings()
    settings = loaded.settings
    make_queue(settings).close()  # without Celery, nothing is to be queued
    host = load_host(settings, tolerant=True)
    async with open_database(settings) as database:
        tenants = Tenants(database, host, loaded)
        await tenants.get(tenant)
        if task not in host.tasks:
            named = ", ".join(sorted(host.tasks)) or "none: no plugin brings one"
            raise InvalidInputError(
                f"there is no task {task!r}.{did_you_mean(task, host.tasks)} The tasks are: {named}"
            )
        reason = "asked for on the command line"
        made, sent = await start_by_hand(
            database, host, tenants, settings, tenant, task, reason=reason, priority=priority
        )
        return made.model_dump(mode="json"), sent


async def _cancelled(tenant: str, run_id: str) -> dict[str, Any]:
    from rejoinder.store.runs import cancel_run
    from rejoinder.store.tenants import get_tenant

    async with open_database(load_settings().settings) as database:
        await get_tenant(database, tenant)
        return (await cancel_run(database, tenant, run_id)).model_dump(mode="json")


async def _runs(tenant: str, task: str | None, status: RunStatus | None) -> list[dict[str, object]]:
    from rejoinder.store.runs import list_runs
    from rejoinder.store.tenants import get_tenant

    async with open_database(load_settings().settings) as database:
        await get_tenant(database, tenant)
        return [row.model_dump(mode="json") for row in await list_runs(database, tenant, task=task, status=status)]
