"""Keep the items in a tenant's knowledge graph as they are in the store.

The store is the truth, and the graph follows it: every item in the graph says at which revision it was written, so that whatever was left
undone, by a server that was away or a process that died, is found by comparing and done later.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final, Protocol

from rejoinder.errors import RejoinderError
from rejoinder.items.item_graph import items_naming, remove_items, revisions_in_graph, write_items
from rejoinder.store.items import item_revisions, item_rows, read_items_revision

if TYPE_CHECKING:
    from rejoinder.graph.tenant_graph import TenantGraph
    from rejoinder.store.database import Database

__all__ = ["ItemMirror", "Mirrored"]

_AT_ONCE: Final = 5000
_LOOK_AGAIN_S: Final = 600.0
"""After so long a graph that somebody emptied is found and filled again."""

_logger = logging.getLogger("rejoinder.items")


@dataclass(frozen=True, slots=True, kw_only=True)
class Mirrored:
    """What was done.

    Attributes:
        written: items that were brought up to date.
        removed: items that are gone.
        left_out: why an item is not in the graph, by its id.
    """

    written: int = 0
    removed: int = 0
    left_out: dict[str, str] = field(default_factory=dict)


class Ask(Protocol):
    """Runs a function of a tenant's `Graph` in a thread, as `TenantGraph.ask` does."""

    async def __call__(self, method: Callable[..., Any], /, *args: Any) -> Any:
        """Return what it gives."""


class ItemMirror:
    """Lets the graphs of all tenants follow the store, one pass of a tenant at a time."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._followed: dict[str, tuple[int, float]] = {}
        self._running: dict[str, asyncio.Task[None]] = {}

    async def follow(self, tenant: str, ask: Ask) -> Mirrored:
        """Bring the items in a tenant's graph up to date, those that change meanwhile as well.

        Raises:
            GraphError: the server cannot be reached, or failed; what is done stays, and the next call does the rest.
            StoreUnavailableError: likewise.
        """
        written, removed = 0, 0
        left_out: dict[str, str] = {}
        while True:
            revision = await read_items_revision(self._database, tenant)
            wanted = await item_revisions(self._database, tenant)
            there: dict[str, int] = await ask(revisions_in_graph)
            if gone := there.keys() - wanted.keys():
                await ask(remove_items, gone)
                removed += len(gone)
            new = wanted.keys() - there.keys() - left_out.keys()
            naming: set[str] = await ask(items_naming, new) if new and there else set()
            stale = sorted(
                one for one, at in wanted.items() if (there.get(one) != at or one in naming) and one not in left_out
            )
            for start in range(0, len(stale), _AT_ONCE):
                rows = await item_rows(self._database, tenant, stale[start : start + _AT_ONCE])
                refused = await ask(write_items, rows, wanted.keys())
                left_out |= refused
                written += len(rows) - len(refused)
            if revision == await read_items_revision(self._database, tenant):
                self._followed[tenant] = (revision, time.monotonic() + _LOOK_AGAIN_S)
                return Mirrored(written=written, removed=removed, left_out=left_out)

    def start(self, tenant: str, graph: TenantGraph | None) -> None:
        """Do the same in the background where items changed, or nobody looked for ten minutes; a failure is logged."""
        if graph is not None and tenant not in self._running:
            self._running[tenant] = asyncio.create_task(self._follow(tenant, graph))

    async def close(self) -> None:
        """End what is under way; the next process takes it up again."""
        running = list(self._running.values())
        for task in running:
            task.cancel()
        await asyncio.gather(*running, return_exceptions=True)

    async def _follow(self, tenant: str, graph: TenantGraph) -> None:
        try:
            while await self._behind(tenant):
                done = await self.follow(tenant, graph.ask)
                for item, reason in done.left_out.items():
                    _logger.warning("the item %s of tenant %s is not in its graph: %s", item, tenant, reason)
        except RejoinderError as error:
            _logger.warning("the items of tenant %s are not all in its graph yet: %s", tenant, error)
        finally:
            del self._running[tenant]

    async def _behind(self, tenant: str) -> bool:
        revision, until = self._followed.get(tenant, (-1, 0.0))
        return time.monotonic() > until or revision != await read_items_revision(self._database, tenant)
