"""A tenant's messages of late, of which nobody said what they are: what a model can learn its scope from."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Final

from rejoinder.errors import RedactionError
from rejoinder.privacy.consent import users_to_learn_from
from rejoinder.privacy.settings import privacy_of
from rejoinder.store.decisions import list_decisions

if TYPE_CHECKING:
    from datetime import datetime

    from rejoinder.context import Request
    from rejoinder.host import Host
    from rejoinder.store.database import Database

__all__ = ["recent_traffic"]

_DAYS: Final = 30
_MOST: Final = 1000


async def recent_traffic(
    database: Database, host: Host, request: Request, task: str, *, now: datetime
) -> tuple[str, ...]:
    """Return at most 1,000 different messages of the last 30 days in which a task decided, the newest first, redacted for training.

    Only words of people who may be learned from count, and no message twice: who repeats one makes it no more likely.
    """
    decisions = await list_decisions(
        database, request.tenant, task=task, since=now - timedelta(days=_DAYS), limit=2 * _MOST
    )
    users = {one.user_id for one in decisions if one.user_id}
    willing = await users_to_learn_from(database, request.tenant, users, privacy_of(request.settings))
    texts = dict.fromkeys(one.input for one in decisions if one.user_id in willing and one.input.strip())
    found: dict[str, None] = {}
    for text in list(texts)[:_MOST]:
        try:
            found[await host.redact_text(text, "train", request)] = None
        except RedactionError:
            continue  # what cannot be redacted is not learned from
    return tuple(found)
