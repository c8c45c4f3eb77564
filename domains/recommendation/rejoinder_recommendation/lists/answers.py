"""Answers to queries of the kind `recommendation`, asked by a shop's page or in a conversation."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING, Final

import numpy as np
from rejoinder.errors import EncoderBusyError, ModelError
from rejoinder.items.behaviour import strength
from rejoinder.payloads import Answer, Card, Citation, Query

from rejoinder_recommendation.conversation.reasons import Told, reasons_for
from rejoinder_recommendation.item_facts import facts_of
from rejoinder_recommendation.learner import TASK, RecommenderLearner
from rejoinder_recommendation.lists.asked import asked_odds, is_asked
from rejoinder_recommendation.lists.filters import MEASURES
from rejoinder_recommendation.lists.paths import ItemPath, find_paths
from rejoinder_recommendation.lists.person import Person, person_from
from rejoinder_recommendation.lists.ranking import Listed, make_list
from rejoinder_recommendation.lists.reasons import reason_of
from rejoinder_recommendation.lists.shelf import Shelf
from rejoinder_recommendation.lists.wish import Wish, allowed_items, wish_of
from rejoinder_recommendation.settings import RecommendationSettings

if TYPE_CHECKING:
    from rejoinder.context import Context

    from rejoinder_recommendation.histories import Bools, Floats
    from rejoinder_recommendation.lists.shelves import Shelves, Stand
    from rejoinder_recommendation.lists.trained_part import TrainedOnShelf

__all__ = ["Listing", "answers_to", "listing_for"]

_BEHAVIOUR: Final = frozenset({"together", "session", "pinned", "rules"})
"""Kinds of reasons that are told beside what was asked for,"""
_TOLD: Final = 0.05
"""where they are so much of the score."""
_PATIENCE_S: Final = 2.0
_ASKED: Final = "no detail in particular, but ahead of the rest in the ranking as a whole"


@dataclass(frozen=True, slots=True, eq=False)
class Listing:
    """All that a list for somebody is made of.

    Attributes:
        vector: (dim), of the query's text; None: there is none, or no encoder that reads it.
        trained: the trained recommender that serves; None: there is none.
    """

    stand: Stand
    person: Person
    wish: Wish
    settings: RecommendationSettings
    text: str
    vector: Floats | None
    now: float
    trained: TrainedOnShelf | None

    @property
    def shelf(self) -> Shelf:
        """What is known of the items."""
        return self.stand.shelf

    def open(self, wish: Wish | None = None) -> Bools:
        """Return (items), which may be listed by a wish, the tenant's rules and what the person is done with."""
        allowed = allowed_items(self.shelf, wish or self.wish, self.settings)
        if self.stand.outdated is not None:
            allowed &= ~self.stand.outdated
        return allowed if self.settings.repeat else allowed & ~self.person.done

    def wished(self, limit: int, *, explore: bool) -> list[Listed]:
        """Return the list that was wished for, best first."""
        return self.make(self.open(), limit, explore=explore)

    def make(self, allowed: Bools, limit: int, *, explore: bool) -> list[Listed]:
        """Return the list, best first, of items that are allowed; see `make_list`."""
        index = self.stand.index
        asked = None if index is None else asked_odds(index, self.shelf, self.wish, self.text, self.vector)
        return make_list(
            self.shelf,
            self.person,
            allowed,
            self.settings,
            limit=limit,
            now=self.now,
            asked=asked,
            trained=None if self.trained is None else self.trained.says(self.person, allowed),
            explore=explore,
            noise=np.random.default_rng(secrets.randbits(64)),
        )

    def reasons(self, listed: Listed, paths: Sequence[ItemPath] = ()) -> tuple[str, tuple[str, ...], str | None]:
        """Return why an item is listed: what was asked for and it has, and what people did.

        Args:
            paths: from what the person turned to, the most telling first.
        Returns:
            The kind of the foremost reason, all reasons, and the id of the item that the one by behaviour names.
        """
        index = self.stand.index
        if index is None or not is_asked(self.shelf, self.wish, self.text):
            kind, reason, because = reason_of(self.shelf, listed, paths)
            return kind, (reason,), because
        found = reasons_for(listed.place, index, Told(self.wish.like, self.text))
        others = replace(listed, parts={name: part for name, part in listed.parts.items() if name != "asked"})
        kind, reason, because = reason_of(self.shelf, others)
        if kind in _BEHAVIOUR and others.parts[kind] >= _TOLD:
            found.append(reason)
            return ("asked" if len(found) > 1 else kind), tuple(found), because
        return "asked", tuple(found or [_ASKED]), None

    async def paths(self, places: Sequence[int], context: Context) -> dict[int, tuple[ItemPath, ...]]:
        """Return the paths from what the person turned to; see `find_paths`."""
        return await find_paths(self.shelf, places, self.person.items.tolist(), context)

    async def reasons_of(self, item: str, context: Context) -> tuple[str, ...]:
        """Return why an item is listed, whatever was done with it since."""
        only = np.zeros(len(self.shelf), dtype=bool)
        only[self.shelf.places((item,))] = True
        again = replace(self, settings=self.settings.model_copy(update={"repeat": True}))
        listed = (await asyncio.to_thread(again.make, only, 1, explore=False))[0]
        paths = await self.paths([listed.place], context)
        return self.reasons(listed, paths.get(listed.place, ()))[1]


async def listing_for(
    query: Query, context: Context, shelves: Shelves, *, patience_s: float | None = None
) -> Listing | None:
    """Return what a list for a query is made of; None where the tenant's items were not read yet; see `Shelves.stand`.

    Raises:
        InvalidInputError: a filter is unknown or of the wrong kind.
    """
    items = context.items
    if items is None:
        return None
    wish = wish_of(query.filters)
    stand = await shelves.stand(items, indexed=bool(query.text or wish.like or wish.dislike), patience_s=patience_s)
    if stand is None:
        return None
    events = await items.recent(query.user_id, query.session_id)
    lists = await items.lists(query.user_id, query.session_id)
    rules = items.rules
    person = person_from(stand.shelf, events, lists, lambda kind, data: strength(kind, data, rules), wish.like)
    settings = context.settings or RecommendationSettings()
    vector = await _vector(query.text, context)
    learner = context.models.learner(TASK)
    trained = None
    if isinstance(learner, RecommenderLearner) and learner.trained is not None:
        trained = shelves.trained(items.tenant, learner.trained, stand.shelf)
    return Listing(stand, person, wish, settings, query.text or "", vector, context.now().timestamp(), trained)


async def answers_to(query: Query, context: Context, shelves: Shelves) -> list[Answer]:
    """Return a list for a query, best first; each answer's card holds the item, why it is there, and what its score is made of.

    Raises:
        InvalidInputError: a filter is unknown or of the wrong kind.
    """
    if context.items is None or not len(await context.items.catalogue()):
        return []
    listing = await listing_for(query, context, shelves, patience_s=_PATIENCE_S)
    if listing is None:  # for the first time it takes as long as it takes
        listing = await listing_for(query, context, shelves)
    if listing is None:
        return []
    listed = await asyncio.to_thread(listing.wished, query.limit, explore=query.explore)
    paths = await listing.paths([one.place for one in listed], context) if query.explain else {}
    return [_answer(listing, one, number, len(listed), paths.get(one.place, ())) for number, one in enumerate(listed)]


async def _vector(text: str | None, context: Context) -> Floats | None:
    if not text:
        return None
    try:
        return np.asarray(await context.models.encode(text), dtype=np.float64)
    except (EncoderBusyError, ModelError) as error:
        context.logger.warning("the words of a list were not read: %s", error)
        return None


def _answer(listing: Listing, listed: Listed, number: int, count: int, paths: Sequence[ItemPath]) -> Answer:
    shelf = listing.shelf
    item = shelf.catalogue.items[listed.place]
    kind, reasons, because = listing.reasons(listed, paths)
    reason = "; ".join(reasons)
    facts = facts_of(item)
    data = {
        "item": item.id,
        "tags": item.data.get("tags", []),
        "available": item.available,
        "source": "catalogue",
        "reason": reason,
        "reasons": list(reasons),
        "reason_kind": kind,
        "because": because,
        "parts": listed.parts,
        "paths": [asdict(path) for path in paths],
        **{name: getattr(facts, name) for name in MEASURES},
    }
    return Answer(
        id=item.id,
        item=item.id,
        score=1 - number / (2 * count),
        source="recommendation",
        citations=(
            Citation(source=f"item:{item.id}", title=item.title, url=item.data.get("url"), quote=item.text or None),
        ),
        card=Card(
            title=item.title, text=item.text, image_url=item.data.get("image"), url=item.data.get("url"), data=data
        ),
        propensity=listed.propensity,
    )
