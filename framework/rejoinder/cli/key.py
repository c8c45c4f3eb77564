"""`rejoinder key`: create, list, revoke."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from datetime import timedelta
from typing import Annotated

import typer

from rejoinder.cli.output import JsonOption, say, show_table
from rejoinder.cli.runtime import open_tenants, run
from rejoinder.context import utc_now
from rejoinder.tenants.keys import KeyRecord, NewKey

__all__ = ["app"]

app = typer.Typer(no_args_is_help=True, help="API keys: create, list, revoke.")

TenantOption = Annotated[str | None, typer.Option("--tenant", help="Whose key.", metavar="ID")]
OperatorOption = Annotated[bool, typer.Option("--operator", help="A key for the whole deployment instead.")]


@app.command()
def create(
    tenant: TenantOption = None,
    role: Annotated[
        str | None,
        typer.Option(
            "--role", help="customer (issues users' tokens), agent, analyst, ingest or admin; default: admin."
        ),
    ] = None,
    operator: OperatorOption = False,
    name: Annotated[str, typer.Option("--name", help="What it is for.")] = "",
    expires_days: Annotated[
        int | None,
        typer.Option("--expires-days", help="Days after which it is worthless; default: never.", min=1, max=3660),
    ] = None,
    json: JsonOption = False,
) -> None:
    """Make a key. It is shown once: only its hash is stored."""
    owner = _owner(tenant, operator=operator)
    chosen = role or ("operator" if operator else "admin")
    expires_at = None if expires_days is None else utc_now() + timedelta(days=expires_days)

    async def work() -> NewKey:
        async with open_tenants() as tenants:
            if owner is not None:
                await tenants.get(owner)
            return await tenants.create_key(chosen, tenant=owner, name=name, expires_at=expires_at)

    made = run(work())
    say(
        f"{made.token}\nKeep it now: it is not shown again.",
        json=json,
        data={**asdict(made.record), "key": made.token},
    )


@app.command("list")
def list_(tenant: TenantOption = None, operator: OperatorOption = False, json: JsonOption = False) -> None:
    """List the keys of a tenant, or the operators'."""
    owner = _owner(tenant, operator=operator)

    async def work() -> Sequence[KeyRecord]:
        async with open_tenants() as tenants:
            if owner is not None:
                await tenants.get(owner)
            return await tenants.list_keys(owner)

    records = [asdict(record) for record in run(work())]
    columns = ("id", "prefix", "role", "name", "created_at", "last_used_at", "expires_at", "revoked_at")
    show_table(records, columns, json=json, empty="No keys.")


@app.command()
def revoke(
    key_id: Annotated[str, typer.Argument(help="The key's id, as in `rejoinder key list`.", metavar="KEY_ID")],
    tenant: TenantOption = None,
    operator: OperatorOption = False,
    json: JsonOption = False,
) -> None:
    """Make a key, and the tokens that it issued, worthless: in running servers within 2 seconds."""
    owner = _owner(tenant, operator=operator)

    async def work() -> KeyRecord:
        async with open_tenants() as tenants:
            if owner is not None:
                await tenants.get(owner)
            return await tenants.revoke_key(key_id, tenant=owner)

    record = run(work())
    say(f"Revoked {record.prefix}... ({record.id}).", json=json, data=asdict(record))


def _owner(tenant: str | None, *, operator: bool) -> str | None:
    if operator is (tenant is not None):
        raise typer.BadParameter("whose key? Give one of --tenant ID and --operator")
    return tenant
