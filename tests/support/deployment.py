"""The deployment in the working directory, reached as its commands reach it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any

from rejoinder.settings import load_settings
from rejoinder.store.database import Database


def in_store(work: Callable[[Database], Coroutine[Any, Any, Any]]) -> Any:
    """Do something with the deployment's store."""

    async def done() -> Any:
        database = await Database.open(load_settings().settings.store_url, synchronous="NORMAL")
        try:
            return await work(database)
        finally:
            await database.close()

    return asyncio.run(done())
