"""Lists for everybody at once, for newsletters and pages that are made ahead; nothing is left to chance, and nothing is kept of it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import TYPE_CHECKING, Any, Final, Literal

from rejoinder.items.behaviour import KINDS
from rejoinder.items.listing import listed_answers, note_of
from rejoinder.items.tenant_items import LIST_TASK
from rejoinder.payloads import Caller, Query
from rejoinder.privacy.consent import users_to_learn_from
from rejoinder.privacy.settings import privacy_of
from rejoinder.store.behaviour import people_after
from rejoinder.store.items import list_items

if TYPE_CHECKING:
    from rejoinder.application import Application

__all__ = ["Whose", "export_lists"]

Whose = Literal["users", "items"]

_AT_ONCE: Final = 500


async def export_lists(
    application: Application,
    tenant: str,
    caller: Caller,
    *,
    whose: Whose,
    limit: int = 10,
    after: str = "",
    count: int | None = None,
) -> AsyncIterator[dict[str, Any]]:
    """Yield a list for every user who did something and may be learned from, or of what is like every available item; by id.

    Each is `{"user_id" or "item_id": id, "items": [{"id", "title", "reason", "because"}], "note": why it is empty or general}`.

    Args:
        limit: most items of a list, >= 1.
        after: only ids after this one.
        count: most lists; None: all.
    Raises:
        NotFoundError: there is no such tenant.
        StoreUnavailableError: the store cannot be reached.
    """
    left = count
    while left is None or left > 0:
        ids, last = await _page(application, tenant, caller, whose, after)
        for one in ids[:left]:
            yield await _listed(application, tenant, caller, whose, one, limit)
        left = None if left is None else left - len(ids)
        if last is None:
            return
        after = last


async def _page(
    application: Application, tenant: str, caller: Caller, whose: Whose, after: str
) -> tuple[list[str], str | None]:
    """Return the next ids, and after which to go on; None where there are no more."""
    database = application.database
    if whose == "items":
        found = [item.id for item in await list_items(database, tenant, after=after, limit=_AT_ONCE)]
        return found, (found[-1] if found else None)
    people = await people_after(database, tenant, kinds=KINDS, after=after, limit=_AT_ONCE)
    request = await application.models.request_for(tenant, caller)
    agreed = await users_to_learn_from(database, tenant, people, privacy_of(request.settings))
    return [one for one in people if one in agreed], (people[-1] if people else None)


async def _listed(
    application: Application, tenant: str, caller: Caller, whose: Whose, one: str, limit: int
) -> dict[str, Any]:
    request = await application.models.request_for(tenant, caller)
    who: dict[str, Any] = {"user_id": one} if whose == "users" else {"filters": {"like": [one]}}
    query = Query(kind=LIST_TASK, limit=limit, explore=False, **who)
    answers = await listed_answers(application.host, query, request)
    cards = [(answer.item, answer.card) for answer in answers]
    items = [
        {
            "id": item,
            "title": item if card is None else card.title,
            "reason": "" if card is None else card.data.get("reason", ""),
            "because": None if card is None else card.data.get("because"),
        }
        for item, card in cards
    ]
    return {
        "user_id" if whose == "users" else "item_id": one,
        "items": items,
        "note": await note_of(request, query, answers),
    }
