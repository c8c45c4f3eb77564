"""`rejoinder learning`: how well a tenant's models serve, and what was decided about them."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from rejoinder.cli.output import JsonOption, say, show_record, show_table
from rejoinder.cli.runtime import load_host, open_database, run
from rejoinder.settings import load_settings

__all__ = ["app"]

app = typer.Typer(help="Learning: how well models serve, what waits and what was decided.", no_args_is_help=True)

_TABLES = {
    "versions": ("task", "version", "state", "decisions", "rated", "accuracy", "recall", "csat", "ece"),
    "runs": ("task", "status", "progress", "reason", "created_at"),
    "trials": ("task", "version", "share", "started_at", "outcome"),
    "decided": ("at", "version", "action", "by", "reason"),
}


@app.callback()
def _group() -> None:
    """Keep `status` a command of its own, however many there are."""


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


async def _status(tenant: str, days: float) -> dict[str, Any]:
    from rejoinder.context import utc_now
    from rejoinder.learning.status import learning_status
    from rejoinder.store.tenants import get_tenant

    settings = load_settings().settings
    tasks = sorted(load_host(settings, tolerant=True).tasks)
    async with open_database(settings) as database:
        await get_tenant(database, tenant)
        return await learning_status(database, tenant, tasks, now=utc_now(), days=days)


def _short(value: Any) -> Any:
    return round(value, 4) if isinstance(value, float) else value
