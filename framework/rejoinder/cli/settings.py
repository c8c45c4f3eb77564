"""`rejoinder settings`: show, check, explain, docs."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from rejoinder.cli.output import JsonOption, plain, say, show_table
from rejoinder.cli.runtime import InstalledPlugins, load_host, open_tenants, run
from rejoinder.errors import NotFoundError, RejoinderError, SettingsError
from rejoinder.layers import Setting
from rejoinder.payloads import Json
from rejoinder.settings import DeploymentSettings, load_settings, select
from rejoinder.tenants.service import Checked, make_resolver

__all__ = ["app"]

app = typer.Typer(no_args_is_help=True, help="Settings: show, check, explain where each value came from.")

TenantOption = Annotated[
    str | None, typer.Option("--tenant", help="Settings of this tenant's plugins instead.", metavar="ID")
]
KeyArgument = Annotated[str | None, typer.Argument(help="A setting, or what several begin with: server.port, server.")]


@app.command()
def show(key: KeyArgument = None, tenant: TenantOption = None, json: JsonOption = False) -> None:
    """Show settings and their values; secrets are masked."""
    records = [_record(one) for one in _find(tenant, key)]
    show_table(records, ("key", "value"), json=json)


@app.command()
def explain(key: KeyArgument = None, tenant: TenantOption = None, json: JsonOption = False) -> None:
    """Show where each value came from, and which values it overrides."""
    found = _find(tenant, key)
    records = [_record(one) for one in found]
    for one, record in zip(found, records, strict=True):
        record["from"] = one.origin.place
        overridden = "; ".join(f"{plain(value)} ({origin.place})" for origin, value in one.overridden)
        record["overrides"] = overridden or ("" if json else "-")
    if json:
        for record in records:
            del record["from"], record["overrides"]
    columns = ("key", "value", "from", "overrides", "help") if key else ("key", "value", "from", "overrides")
    show_table(records, columns, json=json)


@app.command()
def check(tenant: TenantOption = None, json: JsonOption = False) -> None:
    """Check the settings file, the environment, and every tenant's file and stored settings."""
    found = run(_check(tenant))
    if json:
        say("", json=True, data={"ok": not found.problems, **asdict(found)})
    else:
        for problem in found.problems:
            typer.echo(problem, err=True)
        for one, plugins in found.skipped.items():
            for plugin, why in plugins.items():
                typer.echo(f"note: tenant {one!r} does not have plugin {plugin!r}: {why}")
        if not found.problems:
            typer.echo(f"The settings are right, those of {len(found.tenants)} tenant(s) included.")
    if found.problems:
        raise typer.Exit(1)


@app.command()
def docs(
    output: Annotated[Path, typer.Option("--output", help="The page.", metavar="FILE")] = Path("docs/settings.md"),
    compare: Annotated[
        bool, typer.Option("--check", help="Write nothing; fail when the page is not up to date.")
    ] = False,
    json: JsonOption = False,
) -> None:
    """Write the page of all settings, made from the settings models; or compare it with them."""
    from rejoinder.cli.settings_page import difference, settings_page

    host = load_host(DeploymentSettings(), tolerant=True)
    page = settings_page(
        {name: model for name, model in host.settings_models.items() if _is_shipped(host.plugin(name).distribution)}
    )
    if not compare:
        output.parent.mkdir(parents=True, exist_ok=True)
        output.write_text(page, encoding="utf-8")
        say(f"Wrote {output}.", json=json, data={"path": str(output), "changed": True})
        return
    old = output.read_text(encoding="utf-8") if output.is_file() else ""
    if old != page:
        raise SettingsError(f"{output} is not up to date: {difference(old, page)}; run: rejoinder settings docs")
    say(f"{output} is up to date.", json=json, data={"path": str(output), "changed": False})


def _is_shipped(distribution: str) -> bool:
    return distribution.partition(" ")[0] == "rejoinder"


def _find(tenant: str | None, key: str | None) -> tuple[Setting, ...]:
    if tenant is None:
        return select(load_settings().rows(), key)
    return select(run(_tenant_rows(tenant)), key)


async def _tenant_rows(tenant: str) -> tuple[Setting, ...]:
    async with open_tenants() as tenants:
        return (await tenants.resolved(tenant)).rows()


def _record(one: Setting) -> dict[str, Json]:
    return {
        "key": one.key,
        "value": one.value,
        "origin": {"layer": one.origin.layer, "place": one.origin.place},
        "overridden": [
            {"value": value, "origin": {"layer": origin.layer, "place": origin.place}}
            for origin, value in one.overridden
        ],
        "secret": one.secret,
        "help": one.help,
    }


async def _check(tenant: str | None) -> Checked:
    try:
        loaded = load_settings()
        if _has_store(loaded.settings):
            async with open_tenants(loaded) as tenants:
                return await tenants.check(tenant)
        resolver = make_resolver(InstalledPlugins(loaded.settings), loaded)
    except NotFoundError:
        raise
    except RejoinderError as error:
        return Checked(problems=str(error).splitlines())
    if tenant is not None:
        raise NotFoundError(
            f"there is no tenant {tenant!r}: there is no record store yet; `rejoinder tenant create` makes it"
        )
    found = Checked()
    for file in resolver.files():
        found.tenants.append(file.stem)
        problems, skipped = resolver.problems(file.stem, {})
        found.problems.extend(problems)
        if skipped:
            found.skipped[file.stem] = dict(skipped)
    return found


def _has_store(settings: DeploymentSettings) -> bool:
    """Tell whether there is a record store: looking at settings is not to make one."""
    from rejoinder.store.engines import parse_url

    path = parse_url(settings.store_url).path
    return path is None or path.is_file()
