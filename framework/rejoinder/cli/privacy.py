"""`rejoinder privacy`: erase what is stored of a user, give it to them, and delete what is too old."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from rejoinder.cli.output import JsonOption, say, show_table
from rejoinder.cli.runtime import load_host, open_database, run
from rejoinder.errors import InvalidInputError
from rejoinder.settings import load_settings

if TYPE_CHECKING:
    from rejoinder.host import Host
    from rejoinder.privacy.erasure import Eraser, ErasureReport
    from rejoinder.store.database import Database
    from rejoinder.tenants.service import Tenants

__all__ = ["app"]

app = typer.Typer(help="Privacy: erase users, give them their data, delete what is too old.", no_args_is_help=True)

Tenant = Annotated[str, typer.Option("--tenant", help="The tenant's id.")]
User = Annotated[str, typer.Option("--user", help="The user's pseudonym.")]

_BY = "command line"


@app.command("erase")
def erase(
    tenant: Tenant,
    user: User,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
    json: JsonOption = False,
) -> None:
    """Delete all that is stored of a user, and have models forget it; running servers do so within a second."""
    if not yes and not json:
        typer.confirm(f"Erase all that tenant {tenant} has of the user {user}?", abort=True)
    report = run(_erase(tenant, user))
    say(_said(report), json=json, data=asdict(report))


@app.command("export")
def export(
    tenant: Tenant,
    user: User,
    to: Annotated[Path | None, typer.Option("--to", help="File to write; default standard output.")] = None,
    json: JsonOption = False,
) -> None:
    """Write all that is stored of a user as JSON lines (`record` says what each is), what is kept encrypted included."""
    lines = run(_personal_data(tenant, user))
    if to is None:
        for line in lines:
            typer.echo(line)
        return
    try:
        to.touch(mode=0o600)  # it holds what is kept encrypted: nobody else is to read it
        to.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
    except OSError as error:
        raise InvalidInputError(f"{to} cannot be written: {error.strerror or error}") from error
    say(f"{len(lines)} records of {user} are in {to}.", json=json, data={"path": str(to), "records": len(lines)})


@app.command("consent")
def consent(
    tenant: Tenant,
    user: User,
    answer: Annotated[str, typer.Argument(help="yes, no, or unset: the tenant's setting privacy.consent decides.")],
    json: JsonOption = False,
) -> None:
    """Note whether a user may be learned from; with `no`, models forget what they taught."""
    answers = {"yes": True, "no": False, "unset": None}
    if answer not in answers:
        raise InvalidInputError(f"the answer must be yes, no or unset, not {answer!r}")
    report = run(_consent(tenant, user, answers[answer]))
    say(
        f"Noted. {report.examples} examples are forgotten.",
        json=json,
        data={"user_id": user, "consent": answers[answer], "forgotten": report.examples},
    )


@app.command("retain")
def retain(
    tenant: Tenant,
    days: Annotated[
        float | None, typer.Option("--days", min=0.01, help="In place of the tenant's setting privacy.retention_days.")
    ] = None,
    json: JsonOption = False,
) -> None:
    """Delete what is older than the tenant's settings allow, as workers do once an hour."""
    report = run(_retain(tenant, days))
    say(_said(report), json=json, data=asdict(report))


@app.command("erasures")
def erasures(tenant: Tenant, json: JsonOption = False) -> None:
    """List what was erased, newest first, without a word of whom; finished_at: no model trained on it is left."""
    columns = ("at", "reason", "by", "counts", "tasks", "finished_at")
    show_table(run(_erasures(tenant)), columns, json=json, empty="(nothing was erased yet)")


def _said(report: ErasureReport) -> str:
    if not report.counts:
        return "There was nothing to erase."
    counts = ", ".join(f"{count} {name}" for name, count in report.counts.items())
    words = [f"Erased: {counts}."]
    if report.marked:
        words.append(f"Trained on some of it: {', '.join(report.marked)}.")
    if report.runs:
        words.append(f"Queued to learn anew: {', '.join(report.runs)}.")
    return " ".join(words)


@asynccontextmanager
async def _opened(tenant: str) -> AsyncIterator[tuple[Eraser, Database, Host, Tenants]]:
    from rejoinder.learning.versions import open_registry
    from rejoinder.privacy.erasure import Eraser
    from rejoinder.tenants.service import Tenants

    loaded = load_settings()
    host = load_host(loaded.settings)
    async with open_database(loaded.settings) as database:
        tenants = Tenants(database, host, loaded)
        await tenants.get(tenant)
        registry = open_registry(database, loaded.settings)
        yield Eraser(database, host, tenants, registry, loaded.settings), database, host, tenants


async def _erase(tenant: str, user: str) -> ErasureReport:
    async with _opened(tenant) as (eraser, *_):
        return await eraser.erase(tenant, user, by=_BY)


async def _retain(tenant: str, days: float | None) -> ErasureReport:
    async with _opened(tenant) as (eraser, *_):
        return await eraser.retain(tenant, by=_BY, days=days)


async def _consent(tenant: str, user: str, answer: bool | None) -> ErasureReport:
    from rejoinder.privacy.erasure import ErasureReport
    from rejoinder.store.users import ensure_user, set_consent

    async with _opened(tenant) as (eraser, database, *_):
        async with database.write() as session:
            await ensure_user(session, tenant, user)
            await set_consent(session, tenant, user, answer)
        return await eraser.forget_lessons(tenant, user, by=_BY) if answer is False else ErasureReport()


async def _personal_data(tenant: str, user: str) -> list[str]:
    import orjson

    from rejoinder.privacy.personal_data import personal_data

    async with _opened(tenant) as (_, database, host, tenants):
        return [
            orjson.dumps(record, option=orjson.OPT_UTC_Z, default=str).decode()
            async for record in personal_data(database, host, tenants.vault, tenant, user)
        ]


async def _erasures(tenant: str) -> list[dict[str, Any]]:
    from rejoinder.store.erasures import list_erasures

    async with _opened(tenant) as (_, database, *_):
        rows = await list_erasures(database, tenant)
    return [{**row.model_dump(mode="json", exclude={"example_ids"}), "examples": len(row.example_ids)} for row in rows]
