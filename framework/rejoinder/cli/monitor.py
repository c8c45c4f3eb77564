"""`rejoinder monitor`: what is spoken of in a tenant's stream, and what alerts were raised."""

from __future__ import annotations

from contextlib import asynccontextmanager
from datetime import datetime, timedelta
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated, Final

import typer

from rejoinder.cli.moments import parse_moment
from rejoinder.cli.monitor_replay import replay
from rejoinder.cli.monitor_rules import app as rules
from rejoinder.cli.monitor_sources import app as sources
from rejoinder.cli.new_topics import app as new_topics
from rejoinder.cli.output import JsonOption, say, show_record, show_table

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from pydantic import BaseModel

    from rejoinder.monitoring.marks import Mark
    from rejoinder.monitoring.trends import Trends
    from rejoinder.store.database import Database
    from rejoinder.store.tables import AlertRow

__all__ = ["app", "opened"]

_HELP: Final = "What is spoken of, and alerts: trends, alerts, marks, rules, replay, sources, topics."

app = typer.Typer(help=_HELP, no_args_is_help=True)
app.add_typer(rules, name="rules")
app.add_typer(sources, name="sources")
app.add_typer(new_topics, name="topics")

_DAYS: Final = 28
_ALERT: Final = ("id", "at", "severity", "key", "title", "part_of", "acknowledged_by", "mark")

TenantOption = Annotated[str, typer.Option("--tenant", help="Whose stream.", metavar="ID")]


class Bucket(StrEnum):
    """How long a bucket of time is."""

    hour = "hour"
    day = "day"
    week = "week"


class MarkName(StrEnum):
    """What somebody thinks of an alert."""

    useful = "useful"
    noise = "noise"


@app.callback(help=_HELP)
def _group() -> None:
    """Hold the commands."""


@app.command()
def trends(
    tenant: TenantOption,
    kind: Annotated[str, typer.Option("--type", help="Type of observations.", metavar="TYPE")] = "mention",
    key: Annotated[
        list[str] | None, typer.Option("--key", help="These, e.g. tickers; default: the busiest.", metavar="KEY")
    ] = None,
    start: Annotated[
        str | None, typer.Option("--from", help="Default: 28 days before the end.", metavar="TIME")
    ] = None,
    end: Annotated[str | None, typer.Option("--to", help="Default: now.", metavar="TIME")] = None,
    as_of: Annotated[
        str | None, typer.Option("--as-of", help="As it was known then; default: now.", metavar="TIME")
    ] = None,
    by: Annotated[Bucket, typer.Option("--by", help="Length of a bucket.")] = Bucket.day,
    limit: Annotated[int, typer.Option("--limit", min=1, max=100, help="Keys at most.")] = 20,
    json: JsonOption = False,
) -> None:
    """Show counts, shares of all documents and mean sentiments by bucket of time."""
    from rejoinder.cli.runtime import run
    from rejoinder.wire import to_json

    moments = [parse_moment(start, "--from"), parse_moment(end, "--to"), parse_moment(as_of, "--as-of")]
    found = run(_trends(tenant, kind, tuple(key or ()), moments, by, limit))
    if json:
        say("", json=True, data=to_json(found))
        return
    rows = [
        {
            "key": one.key,
            "from": bucket.start,
            "count": bucket.count,
            "share": bucket.share,
            "sentiment": bucket.sentiment,
        }
        for one in found.trends
        for bucket in one.buckets
        if bucket.count
    ]
    title = f"{kind}, {found.start} to {found.end} ({found.time_zone}), {found.documents} documents"
    show_table(
        rows, ("key", "from", "count", "share", "sentiment"), json=False, title=title, empty="Nothing was observed."
    )


@app.command()
def alerts(
    tenant: TenantOption,
    key: Annotated[str | None, typer.Option("--key", help="Only about this.", metavar="KEY")] = None,
    limit: Annotated[int, typer.Option("--limit", min=1, max=1000, help="So many at most.")] = 50,
    json: JsonOption = False,
) -> None:
    """List alerts, newest first."""
    from rejoinder.cli.runtime import run

    rows = run(_alerts(tenant, key, limit))
    told = [{name: getattr(row, name) for name in _ALERT} for row in rows]
    show_table(told, _ALERT, json=json, title=f"Alerts of {tenant}", empty="No alerts.")


@app.command()
def show(
    tenant: TenantOption, alert: Annotated[str, typer.Argument(help="The alert's id.")], json: JsonOption = False
) -> None:
    """Show an alert: what changed, since when, and the documents that drove it."""
    from rejoinder.cli.runtime import run

    row = run(_alert(tenant, alert))
    told = {name: getattr(row, name) for name in (*_ALERT, "incident", "raised_at", "explanation", "data", "evidence")}
    show_record(told, json=json)


@app.command()
def acknowledge(
    tenant: TenantOption, alert: Annotated[str, typer.Argument(help="The alert's id.")], json: JsonOption = False
) -> None:
    """Say that you see to an alert."""
    from rejoinder.cli.runtime import run

    row = run(_acknowledge(tenant, alert))
    show_record({name: getattr(row, name) for name in ("id", "acknowledged_at", "acknowledged_by")}, json=json)


@app.command()
def mark(
    tenant: TenantOption,
    alert: Annotated[str, typer.Argument(help="The alert's id.")],
    as_what: Annotated[MarkName, typer.Argument(metavar="useful|noise", help="What it was.")],
    json: JsonOption = False,
) -> None:
    """Say whether an alert was useful or noise; this moves the tenant's threshold."""
    from rejoinder.cli.runtime import run

    shift = run(_mark(tenant, alert, as_what.value))
    show_record({"id": alert, "mark": as_what.value, "threshold_shift": shift}, json=json)


app.command()(replay)


# --- within --------------------------------------------------------------------------------------------------------


@asynccontextmanager
async def opened(tenant: str) -> AsyncIterator[tuple[Database, dict[str, BaseModel]]]:
    """Give the store, and the settings of a tenant that is there."""
    from rejoinder.cli.runtime import InstalledPlugins, open_database
    from rejoinder.settings import load_settings
    from rejoinder.tenants.service import Tenants

    loaded = load_settings()
    async with open_database(loaded.settings) as database:
        tenants = Tenants(database, InstalledPlugins(loaded.settings), loaded)
        await tenants.get(tenant)  # which names the closest one where there is none
        yield database, dict((await tenants.resolved(tenant)).settings)


async def _trends(
    tenant: str, kind: str, keys: tuple[str, ...], moments: list[datetime | None], by: Bucket, limit: int
) -> Trends:
    from rejoinder.context import utc_now
    from rejoinder.handoff.settings import help_desk_of
    from rejoinder.monitoring.trends import make_trends

    async with opened(tenant) as (database, settings):
        start, end, as_of = moments
        end = end or utc_now()
        return await make_trends(
            database,
            tenant,
            kind=kind,
            keys=keys,
            start=start or end - timedelta(days=_DAYS),
            end=end,
            as_of=as_of or utc_now(),
            bucket=by.value,
            time_zone=help_desk_of(settings).time_zone,
            limit=limit,
        )


async def _alerts(tenant: str, key: str | None, limit: int) -> list[AlertRow]:
    from rejoinder.store.alerts import list_alert_rows

    async with opened(tenant) as (database, _):
        return await list_alert_rows(database, tenant, key=key, limit=limit)


async def _alert(tenant: str, alert: str) -> AlertRow:
    from rejoinder.store.alerts import get_alert_row

    async with opened(tenant) as (database, _):
        return await get_alert_row(database, tenant, alert)


async def _acknowledge(tenant: str, alert: str) -> AlertRow:
    from rejoinder.context import utc_now
    from rejoinder.store.alerts import acknowledge_alert, get_alert_row

    async with opened(tenant) as (database, _):
        await acknowledge_alert(database, tenant, alert, by=_BY, at=utc_now())
        return await get_alert_row(database, tenant, alert)


async def _mark(tenant: str, alert: str, mark: Mark) -> float:
    from rejoinder.context import utc_now
    from rejoinder.monitoring.marks import mark_alert
    from rejoinder.monitoring.settings import alerts_of

    async with opened(tenant) as (database, settings):
        wanted = alerts_of(settings).false_alarms_per_day
        return await mark_alert(database, tenant, alert, mark, by=_BY, at=utc_now(), wanted_per_day=wanted)


_BY: Final = "command line"
