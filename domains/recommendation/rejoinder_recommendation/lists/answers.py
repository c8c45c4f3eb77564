"""Answers to queries of the kind `recommendation`."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import numpy as np
from rejoinder.errors import EncoderBusyError, ModelError
from rejoinder.items.behaviour import strength
from rejoinder.payloads import Answer, Card, Citation, Query

from rejoinder_recommendation.lists.paths import ItemPath, find_paths
from rejoinder_recommendation.lists.person import person_from
from rejoinder_recommendation.lists.ranking import Listed, make_list
from rejoinder_recommendation.lists.reasons import reason_of
from rejoinder_recommendation.lists.shelf import Shelf
from rejoinder_recommendation.lists.wish import allowed_items, wish_of
from rejoinder_recommendation.settings import RecommendationSettings

if TYPE_CHECKING:
    from rejoinder.context import Context
    from rejoinder.items.catalogue import BehaviourLog, Catalogue
    from rejoinder.items.tenant_items import TenantItems

__all__ = ["Shelves"]


class Shelves:
    """The shelves of one process, one a tenant, made anew where items or behaviour changed."""

    def __init__(self) -> None:
        self._shelves: dict[str, Shelf] = {}
        self._locks: dict[str, asyncio.Lock] = {}

    def forget(self, tenant: str) -> None:
        """Free a tenant's shelf."""
        self._shelves.pop(tenant, None)
        self._locks.pop(tenant, None)

    async def answers(self, query: Query, context: Context) -> list[Answer]:
        """Return a list for a query, best first; each answer's card holds the item, why it is there, and what its score is made of.

        Raises:
            InvalidInputError: a filter is unknown or of the wrong kind.
        """
        items = context.items
        if items is None:
            return []
        wish = wish_of(query.filters)
        catalogue = await items.catalogue()
        if not len(catalogue):
            return []
        shelf = await self._shelf(context.tenant, items, catalogue, await items.behaviour())
        events = await items.recent(query.user_id, query.session_id)
        lists = await items.lists(query.user_id, query.session_id)
        settings = context.settings or RecommendationSettings()
        person = person_from(shelf, events, lists, lambda kind, data: strength(kind, data, items.rules), wish.like)
        listed = await asyncio.to_thread(
            make_list,
            shelf,
            person,
            allowed_items(shelf, wish, settings),
            settings,
            limit=query.limit,
            now=context.now().timestamp(),
            text=await _vector(query.text, context),
            explore=query.explore,
            noise=np.random.default_rng(secrets.randbits(64)),
        )
        places = [one.place for one in listed]
        paths = await find_paths(shelf, places, person.items.tolist(), context) if query.explain else {}
        return [_answer(shelf, one, number, len(listed), paths.get(one.place, ())) for number, one in enumerate(listed)]

    async def _shelf(self, tenant: str, items: TenantItems, catalogue: Catalogue, log: BehaviourLog) -> Shelf:
        shelf = self._shelves.get(tenant)
        if shelf is not None and shelf.catalogue is catalogue and shelf.log is log:
            return shelf
        async with self._locks.setdefault(tenant, asyncio.Lock()):
            shelf = self._shelves.get(tenant)
            if shelf is None or shelf.catalogue is not catalogue or shelf.log is not log:
                rules = items.rules
                shelf = self._shelves[tenant] = await asyncio.to_thread(
                    Shelf, catalogue, log, lambda kind, data: strength(kind, data, rules)
                )
            return shelf


async def _vector(text: str | None, context: Context) -> Any:
    if not text:
        return None
    try:
        return await context.models.encode(text)
    except (EncoderBusyError, ModelError) as error:
        context.logger.warning("the words of a list were not read: %s", error)
        return None


def _answer(shelf: Shelf, listed: Listed, number: int, count: int, paths: Sequence[ItemPath]) -> Answer:
    item = shelf.catalogue.items[listed.place]
    kind, reason, because = reason_of(shelf, listed, paths)
    data = {
        "tags": item.data.get("tags", []),
        "price": item.data.get("price"),
        "available": item.available,
        "reason": reason,
        "reason_kind": kind,
        "because": because,
        "parts": listed.parts,
        "paths": [asdict(path) for path in paths],
    }
    return Answer(
        id=item.id,
        item=item.id,
        score=1 - number / (2 * count),
        source="recommendation",
        citations=(Citation(source=f"item:{item.id}", title=item.title, url=item.data.get("url"), quote=reason),),
        card=Card(
            title=item.title, text=item.text, image_url=item.data.get("image"), url=item.data.get("url"), data=data
        ),
        propensity=listed.propensity,
    )
