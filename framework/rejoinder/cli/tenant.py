"""`rejoinder tenant`: create, list, show, disable, enable, set, unset, plugins."""

from __future__ import annotations

import json as json_text
import sys
from typing import Annotated

import typer

from rejoinder.cli.output import JsonOption, say, show_record, show_table
from rejoinder.cli.runtime import open_tenants, run
from rejoinder.errors import SettingsError
from rejoinder.payloads import Json
from rejoinder.store.tables import Tenant
from rejoinder.tenants.settings import TenantSettings

__all__ = ["app"]

app = typer.Typer(no_args_is_help=True, help="Tenants: create, list, change, disable.")

TenantArgument = Annotated[str, typer.Argument(help="The tenant's id.", metavar="TENANT")]
KeyArgument = Annotated[str, typer.Argument(help="The setting: PLUGIN.KEY.", metavar="KEY")]


@app.command()
def create(
    tenant: TenantArgument,
    name: Annotated[str | None, typer.Option("--name", help="What people call it; default: its id.")] = None,
    plugin: Annotated[
        list[str] | None, typer.Option("--plugin", help="A plugin that it has, can be repeated; default: all.")
    ] = None,
    json: JsonOption = False,
) -> None:
    """Add a tenant."""

    async def work() -> Tenant:
        async with open_tenants() as tenants:
            return await tenants.create(tenant, name=name, plugins=plugin or None)

    row = run(work())
    say(f"Created tenant {row.id!r}. Next: rejoinder key create --tenant {row.id}", json=json, data=_record(row))


@app.command("list")
def list_(json: JsonOption = False) -> None:
    """List all tenants."""

    async def work() -> list[Tenant]:
        async with open_tenants() as tenants:
            return await tenants.list()

    records = [_record(row) for row in run(work())]
    for record in records if not json else ():
        record["plugins"] = "all" if record["plugins"] is None else ", ".join(record["plugins"]) or "none"
    empty = "No tenants yet. Make one: rejoinder tenant create ID"
    show_table(records, ("id", "name", "plugins", "disabled", "created_at"), json=json, empty=empty)


@app.command()
def show(tenant: TenantArgument, json: JsonOption = False) -> None:
    """Show a tenant, the plugins that it can use, and why it cannot use others."""

    async def work() -> tuple[Tenant, TenantSettings]:
        async with open_tenants() as tenants:
            return await tenants.get(tenant), await tenants.resolved(tenant)

    row, resolved = run(work())
    record = _record(row)
    record["plugins"] = sorted(resolved.plugins) if json else ", ".join(sorted(resolved.plugins)) or "none"
    record["all_plugins"] = row.plugins is None
    record["skipped"] = dict(resolved.skipped) if json else "; ".join(f"{k}: {v}" for k, v in resolved.skipped.items())
    record["settings_stored"] = [one.key for one in resolved.rows() if one.origin.layer == "tenant"]
    if not json:
        record["skipped"] = record["skipped"] or "none"
        record["settings_stored"] = ", ".join(record["settings_stored"]) or "none"
    show_record(record, json=json)


@app.command()
def disable(tenant: TenantArgument, json: JsonOption = False) -> None:
    """Refuse a tenant's keys and tokens from now on; nothing is deleted."""
    _disable(tenant, disabled=True, json=json)


@app.command()
def enable(tenant: TenantArgument, json: JsonOption = False) -> None:
    """Accept a disabled tenant's keys and tokens again."""
    _disable(tenant, disabled=False, json=json)


def _disable(tenant: str, *, disabled: bool, json: bool) -> None:
    async def work() -> Tenant:
        async with open_tenants() as tenants:
            await tenants.get(tenant)
            return await tenants.disable(tenant, disabled=disabled)

    row = run(work())
    say(f"Tenant {row.id!r} is {'disabled' if row.disabled else 'enabled'}.", json=json, data=_record(row))


@app.command("set")
def set_(
    tenant: TenantArgument,
    key: KeyArgument,
    value: Annotated[
        str, typer.Argument(help="JSON, or else text; `-` reads it from standard input.", metavar="VALUE")
    ],
    json: JsonOption = False,
) -> None:
    """Store a setting with a tenant. It is checked first; secrets are stored encrypted."""
    text = sys.stdin.read().rstrip("\n") if value == "-" else value

    async def work() -> TenantSettings:
        async with open_tenants() as tenants:
            await tenants.get(tenant)
            parsed = _parse(text)
            try:
                return await tenants.set_setting(tenant, key, parsed)
            except SettingsError:
                if isinstance(parsed, str):
                    raise
                try:  # 007 for a text
                    return await tenants.set_setting(tenant, key, text)
                except SettingsError:
                    pass
                raise

    _say_setting(run(work()), key, json=json)


@app.command()
def unset(tenant: TenantArgument, key: KeyArgument, json: JsonOption = False) -> None:
    """Remove a stored setting of a tenant, so that its file and the defaults decide."""

    async def work() -> TenantSettings:
        async with open_tenants() as tenants:
            await tenants.get(tenant)
            return await tenants.unset_setting(tenant, key)

    _say_setting(run(work()), key, json=json)


@app.command()
def plugins(
    tenant: TenantArgument,
    enable_one: Annotated[
        list[str] | None, typer.Option("--enable", help="Give it a plugin; can be repeated.", metavar="PLUGIN")
    ] = None,
    disable_one: Annotated[
        list[str] | None, typer.Option("--disable", help="Take a plugin; can be repeated.", metavar="PLUGIN")
    ] = None,
    use_all: Annotated[bool, typer.Option("--all", help="Give it all plugins, now and later.")] = False,
    json: JsonOption = False,
) -> None:
    """Show or change the plugins of a tenant."""

    async def work() -> tuple[Tenant, TenantSettings, frozenset[str]]:
        async with open_tenants() as tenants:
            await tenants.get(tenant)
            if use_all:
                await tenants.use_all_plugins(tenant)
            for one in enable_one or ():
                await tenants.enable_plugin(tenant, one)
            for one in disable_one or ():
                await tenants.disable_plugin(tenant, one)
            return await tenants.get(tenant), await tenants.resolved(tenant), tenants.resolver.plugin_names

    row, resolved, names = run(work())
    records = [
        {
            "plugin": one,
            "enabled": row.plugins is None or one in row.plugins,
            "usable": one in resolved.plugins,
            "why_not": resolved.skipped.get(one, ""),
        }
        for one in sorted({*names, *(row.plugins or ())})
    ]
    show_table(records, ("plugin", "enabled", "usable", "why_not"), json=json, empty="No plugins are installed.")


def _record(row: Tenant) -> dict[str, Json]:
    return {
        "id": row.id,
        "name": row.name,
        "plugins": row.plugins,
        "disabled": row.disabled,
        "created_at": row.created_at,
    }


def _parse(text: str) -> Json:
    try:
        return json_text.loads(text)
    except ValueError:
        return text


def _say_setting(resolved: TenantSettings, key: str, *, json: bool) -> None:
    records = [
        {"key": one.key, "value": one.value, "from": one.origin.place}
        for one in resolved.rows()
        if one.key == key or one.key.startswith(f"{key}.")
    ]
    show_table(records, ("key", "value", "from"), json=json, empty=f"{key} is unset.")
