"""The shelves of one process, one a tenant: never older than the items in the store, their statistics some seconds at most."""

from __future__ import annotations

import asyncio
import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from rejoinder.items.behaviour import strength

from rejoinder_recommendation.conversation.item_index import ItemIndex
from rejoinder_recommendation.lists.shelf import Shelf
from rejoinder_recommendation.lists.trained_part import TrainedOnShelf

if TYPE_CHECKING:
    from rejoinder.items.catalogue import BehaviourLog, Catalogue
    from rejoinder.items.tenant_items import TenantItems

    from rejoinder_recommendation.histories import Bools
    from rejoinder_recommendation.trained import TrainedRecommender

__all__ = ["Shelves", "Stand"]

_MOST_TENANTS: Final = 100
_SHORT_S: Final = 0.2
"""Where statistics take no longer, a list waits for them,"""
_WAITED_S: Final = 2.0
"""so long at most."""
_MOSTLY: Final = 0.8
"""Where fewer items are what they were, the statistics of the others say nothing."""


@dataclass(frozen=True, slots=True, eq=False)
class Stand:
    """A tenant's items at one moment.

    Attributes:
        index: of what they say; None: nobody asked in words yet.
        counted_s: seconds that the statistics took.
        outdated: (items), those that are not so any more, where there was no time to read what they are now; None: none.
    """

    shelf: Shelf
    index: ItemIndex | None
    counted_s: float
    outdated: Bools | None = None

    @property
    def catalogue(self) -> Catalogue:
        """The items."""
        return self.shelf.catalogue


@dataclass(slots=True, eq=False)
class _Kept:
    stand: Stand | None = None
    index: ItemIndex | None = None
    making: asyncio.Task[None] | None = None
    trained: tuple[TrainedOnShelf, ...] = ()


class Shelves:
    """Makes shelves in threads, and keeps those used last.

    Where items changed, a list waits for a shelf that has them. Where only behaviour did, it waits for new statistics of a small shop; in a
    large one it is made with those that there are, and new ones are made beside it.
    """

    def __init__(self) -> None:
        self._kept: OrderedDict[str, _Kept] = OrderedDict()

    def trained(self, tenant: str, trained: TrainedRecommender, shelf: Shelf) -> TrainedOnShelf:
        """Return a recommender on a shelf; two are kept of a tenant, since a canary may serve beside the live one."""
        kept = self._of(tenant)
        found = next((one for one in kept.trained if one.trained is trained and one.shelf is shelf), None)
        if found is None:
            found = TrainedOnShelf(trained, shelf)
            kept.trained = (found, *kept.trained[:1])
        return found

    async def read(self, items: TenantItems) -> None:
        """Read what a tenant's items say, ahead of the first who asks in words."""
        catalogue = await items.catalogue()
        if len(catalogue):
            self._of(items.tenant).index = await asyncio.to_thread(ItemIndex, catalogue)

    async def stand(self, items: TenantItems, *, indexed: bool, patience_s: float | None = None) -> Stand | None:
        """Return a tenant's items as they are now.

        Args:
            indexed: whether what they say is needed.
            patience_s: where reading them takes longer, it goes on for whoever asks next, and those of before are returned, the ones that
                changed marked as outdated; None where nothing was read before. Without it, the items are waited for.
        """
        catalogue, log = await items.catalogue(), await items.behaviour()
        kept = self._of(items.tenant)
        until = None if patience_s is None else time.monotonic() + patience_s
        while True:
            stand = kept.stand
            if stand is not None and stand.catalogue is catalogue and (stand.index is not None or not indexed):
                if stand.shelf.log is log and stand.shelf.settled:
                    return stand
                making = self._make(kept, items, catalogue, log, indexed=indexed, settled=True)
                if stand.counted_s > _SHORT_S:
                    return stand
                await asyncio.wait({making}, timeout=_WAITED_S)
                made = kept.stand
                return made if made is not None and made.catalogue is catalogue else stand
            making = self._make(kept, items, catalogue, log, indexed=indexed, settled=stand is None)
            left = None if until is None else max(0.0, until - time.monotonic())
            done, _ = await asyncio.wait({making}, timeout=left)
            if not done:
                if stand is None or (indexed and stand.index is None):
                    return None
                return replace(stand, outdated=_outdated(stand.catalogue, catalogue))
            await making

    def forget(self, tenant: str) -> None:
        """Free a tenant's shelf."""
        kept = self._kept.pop(tenant, None)
        if kept is not None and kept.making is not None:
            kept.making.cancel()

    def close(self) -> None:
        """Free everything."""
        for tenant in list(self._kept):
            self.forget(tenant)

    def _of(self, tenant: str) -> _Kept:
        kept = self._kept.setdefault(tenant, _Kept())
        self._kept.move_to_end(tenant)
        while len(self._kept) > _MOST_TENANTS:
            self.forget(next(iter(self._kept)))
        return kept

    def _make(
        self,
        kept: _Kept,
        items: TenantItems,
        catalogue: Catalogue,
        log: BehaviourLog,
        *,
        indexed: bool,
        settled: bool,
    ) -> asyncio.Task[None]:
        """Begin to make a stand, if none is being made; of two that want different ones, the later asks again."""
        if kept.making is None or kept.making.done():
            rules = items.rules

            async def make() -> None:
                kept.stand = await asyncio.to_thread(
                    _made,
                    kept.stand,
                    kept.index,
                    catalogue,
                    log,
                    lambda kind, data: strength(kind, data, rules),
                    indexed=indexed,
                    settled=settled,
                )

            kept.making = asyncio.get_running_loop().create_task(make())
        return kept.making


def _made(
    before: Stand | None,
    index: ItemIndex | None,
    catalogue: Catalogue,
    log: BehaviourLog,
    speaks: Callable[[str, Any], float],
    *,
    indexed: bool,
    settled: bool,
) -> Stand:
    counted_s = 0.0 if before is None else before.counted_s
    if before is not None and before.catalogue is catalogue and not settled:
        shelf = before.shelf
    elif before is not None and not settled and _mostly_kept(before.catalogue, catalogue):
        shelf = before.shelf.with_catalogue(catalogue)
    else:
        begun = time.monotonic()
        shelf = Shelf(catalogue, log, speaks)
        counted_s = time.monotonic() - begun
    index = index if before is None or before.index is None else before.index
    if (indexed or index is not None) and (index is None or index.catalogue is not catalogue):
        index = ItemIndex(catalogue, index)
    return Stand(shelf, index, counted_s)


def _outdated(before: Catalogue, now: Catalogue) -> Bools:
    """Return (items of before), which are not so any more."""
    items, place = now.items, now.place
    return np.array(
        [(new := place.get(item.id)) is None or items[new] is not item for item in before.items], dtype=bool
    )


def _mostly_kept(before: Catalogue, now: Catalogue) -> bool:
    return int((~_outdated(before, now)).sum()) >= _MOSTLY * max(len(before), len(now))
