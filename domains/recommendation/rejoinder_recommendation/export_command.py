"""`rejoinder recommender export`: lists for everybody, or for every item, into a file."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer
from rejoinder.cli.output import JsonOption, say
from rejoinder.cli.runtime import run
from rejoinder.settings import load_settings

__all__ = ["export"]


class For(StrEnum):
    """Whose lists."""

    users = "users"
    items = "items"


def export(
    out: Annotated[Path, typer.Argument(help="The file: .jsonl, .ndjson or .parquet.", metavar="FILE")],
    tenant: Annotated[str, typer.Option("--tenant", help="The tenant's id.")],
    whose: Annotated[
        For, typer.Option("--for", help="users: whoever did something; items: lists of what is like each.")
    ] = For.users,
    limit: Annotated[int, typer.Option("--limit", min=1, max=100, help="Items of a list.")] = 10,
    json: JsonOption = False,
) -> None:
    """Write a list for every user of whom something is known, or of what is like every item.

    Nothing is left to chance. Users who may not be learned from are left out. JSON lines have one list a line, Parquet one item a row.
    """
    from rejoinder_recommendation.list_files import list_writer

    async def work() -> tuple[int, int]:
        from rejoinder.application import Application
        from rejoinder.items.exporting import export_lists
        from rejoinder.payloads import Caller

        caller = Caller(id="command-line", role="admin")
        lists = empty = 0
        async with Application.open(load_settings()) as application:
            await application.tenants.get(tenant)
            with list_writer(out) as write:
                async for one in export_lists(application, tenant, caller, whose=whose.value, limit=limit):
                    write(one)
                    lists, empty = lists + 1, empty + (not one["items"])
        return lists, empty

    lists, empty = run(work())
    data = {"file": str(out), "lists": lists, "empty": empty}
    say(f"{lists} lists written to {out}, {empty} of them empty", json=json, data=data)
