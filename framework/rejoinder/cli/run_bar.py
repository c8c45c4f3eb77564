"""A bar for a run that a worker carries out."""

from __future__ import annotations

import asyncio
from typing import Any, Final

from rejoinder.cli.runtime import open_database
from rejoinder.settings import load_settings
from rejoinder.store.runs import get_run

__all__ = ["wait_for_run"]

_OVER: Final = ("done", "failed", "cancelled")
_LOOK_S: Final = 0.5


async def wait_for_run(tenant: str, run_id: str, *, silent: bool = False) -> dict[str, Any]:
    """Wait until a run is over, with a bar on stderr unless `silent`; return it.

    Raises:
        NotFoundError: the tenant has no such run.
    """
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeElapsedColumn

    columns = (TextColumn("{task.description}"), BarColumn(), TaskProgressColumn(), TimeElapsedColumn())
    async with open_database(load_settings().settings) as database:
        with Progress(*columns, console=Console(stderr=True), disable=silent) as bar:
            row = bar.add_task("queued", total=1.0)
            while True:
                found = await get_run(database, tenant, run_id)
                bar.update(row, completed=found.progress, description=f"{found.task}: {found.status}")
                if found.status in _OVER:
                    return found.model_dump(mode="json")
                await asyncio.sleep(_LOOK_S)
