"""Every tenant's catalogue as hooks see it: in memory, and never older than the store says when it is asked.

A list compares one number with the store; where it differs, only the items that changed are read, in a thread. What somebody did a moment
ago is read from the store each time, so that the very next list knows it, in whichever process it is made. Statistics over everybody may
be some seconds old.
"""

from __future__ import annotations

import asyncio
import hashlib
import time
from collections import OrderedDict
from collections.abc import Collection
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Final

from rejoinder.errors import InvalidInputError, ModelError
from rejoinder.items.behaviour import KINDS, check_behaviour
from rejoinder.payloads import Decision, Event, ShownList
from rejoinder.privacy.consent import users_to_learn_from
from rejoinder.store.behaviour import Deed, deeds_after, lists_between, recent_events, recent_lists
from rejoinder.store.chunks import in_chunks
from rejoinder.store.events import NewEvent, add_events
from rejoinder.store.items import Revision, item_ids, items_after, read_items_revision

if TYPE_CHECKING:
    from datetime import datetime

    from rejoinder.events.settings import TenantEventSettings
    from rejoinder.items.catalogue import BehaviourLog, Catalogue
    from rejoinder.models.encoding.service import EncoderService
    from rejoinder.privacy.settings import PrivacySettings
    from rejoinder.store.database import Database

__all__ = ["LIST_TASK", "Catalogues", "TenantItems", "person_of"]

LIST_TASK: Final = "recommendation"
"""The task of decisions that are lists of items."""

_MOST_DEEDS: Final = 200_000
_READ_AT_ONCE: Final = 20_000
_BEHAVIOUR_S: Final = 5.0
_CONSENT_S: Final = 60.0
"""Who does not consent any more is left out of the statistics after this time, as soon as somebody asks."""

_MOST_RECENT: Final = 200
_MOST_SHOWN: Final = 20_000
_VISIT: Final = "session:"
_MOST_LISTS: Final = 30
_MOST_TENANTS: Final = 100


def person_of(user_id: str | None, session_id: str | None) -> str | None:
    """Return the name under which a list is kept: the user's, or that of a session without one."""
    return user_id or (f"{_VISIT}{session_id}" if session_id else None)


class TenantItems:
    """One tenant's items and behaviour, for hooks.

    Attributes:
        rules: the tenant's settings of events.
    """

    def __init__(self, owner: Catalogues, tenant: str, rules: TenantEventSettings, privacy: PrivacySettings) -> None:
        self._owner = owner
        self._privacy = privacy
        self.tenant = tenant
        self.rules = rules

    async def catalogue(self) -> Catalogue:
        """Return all items as they are now.

        Raises:
            StoreUnavailableError: the store cannot be reached.
        """
        return await self._owner.catalogue(self.tenant)

    async def behaviour(self) -> BehaviourLog:
        """Return what people did with items, as far as it may be learned from; some seconds old at most. The same object until it changes.

        Raises:
            StoreUnavailableError: the store cannot be reached.
        """
        return await self._owner.behaviour(self.tenant, self.rules, self._privacy)

    async def recent(self, user_id: str | None, session_id: str | None) -> list[Event]:
        """Return what somebody did of late, in the order of its moments; nothing of a user who may not be learned from.

        Raises:
            StoreUnavailableError: the store cannot be reached.
        """
        if not await self._may_know(user_id):
            return []
        return await recent_events(
            self._owner.database,
            self.tenant,
            kinds=KINDS,
            user_id=user_id,
            session_id=session_id,
            limit=_MOST_RECENT,
        )

    async def lists(self, user_id: str | None, session_id: str | None) -> list[Decision]:
        """Return the last lists that somebody was shown, oldest first; nothing of a user who may not be learned from.

        Raises:
            StoreUnavailableError: the store cannot be reached.
        """
        person = person_of(user_id, session_id)
        if person is None or not await self._may_know(user_id):
            return []
        return await recent_lists(
            self._owner.database, self.tenant, task=LIST_TASK, user_ids=[person], limit=_MOST_LISTS
        )

    async def note(
        self, kind: str, item_id: str, *, user_id: str | None, session_id: str | None, at: datetime, key: str
    ) -> None:
        """Keep what somebody did with an item or said of it, as an event; with the same key again, nothing changes.

        Args:
            kind: one of `rejoinder.items.behaviour.KINDS` other than `rate`.
            key: names what was done, in this tenant.
        Raises:
            InvalidInputError: it is no behaviour towards an item, or nobody's.
            StoreUnavailableError: the store cannot be reached.
        """
        if kind not in KINDS:
            raise InvalidInputError(f"{kind!r} is no behaviour towards an item: there are {', '.join(sorted(KINDS))}")
        check_behaviour(kind, user_id, session_id, item_id, {}, self.rules)
        event = Event(id=f"chat-{key}", kind=kind, at=at, user_id=user_id, session_id=session_id, item_id=item_id)
        digest = hashlib.sha256(f"{key}|{kind}|{item_id}".encode()).hexdigest()
        await add_events(self._owner.database, self.tenant, [NewEvent(event=event, sha256=digest, source="chat")])

    async def shown_lists(self, *, since: datetime | None, until: datetime) -> list[ShownList]:
        """Return the newest lists that people were shown, at most 20,000, oldest first, with what came of them.

        Left out are programs, whoever may not be learned from, and lists of which more may come yet: an item counts as welcome where the
        person turned to it within an hour of the list and before their next one.

        Args:
            since, until: of the lists, `since` included; None: from the beginning.

        Raises:
            StoreUnavailableError: the store cannot be reached.
        """
        from rejoinder.items.outcomes import LIST_S, with_outcomes  # numpy, needed only here

        settled = until - timedelta(seconds=LIST_S)
        shown = await lists_between(
            self._owner.database, self.tenant, task=LIST_TASK, since=since, until=settled, limit=_MOST_SHOWN
        )
        log = await self.behaviour()
        known = await self._learnable({one.user_id for one in shown if one.user_id} - log.left_out)
        return with_outcomes([one for one in shown if one.user_id in known], log, self.rules)

    async def _learnable(self, people: Collection[str]) -> set[str]:
        """Return those of these people (see `person_of`) who may be learned from."""
        visits = {one for one in people if one.startswith(_VISIT)}
        found = visits if self._privacy.consent == "assumed" else set()
        for some in in_chunks(sorted(set(people) - visits)):
            found |= await users_to_learn_from(self._owner.database, self.tenant, some, self._privacy)
        return found

    async def _may_know(self, user_id: str | None) -> bool:
        if user_id is None:
            return self._privacy.consent == "assumed"
        return user_id in await users_to_learn_from(self._owner.database, self.tenant, [user_id], self._privacy)


@dataclass(slots=True)
class _Kept:
    catalogue: Catalogue | None = None
    revision: Revision = field(default_factory=lambda: Revision(0, 0))
    deeds: list[Deed] = field(default_factory=list)
    position: int = 0
    log: BehaviourLog | None = None
    looked_at: float = float("-inf")
    made_at: float = float("-inf")
    lock: asyncio.Lock = field(default_factory=asyncio.Lock)


class Catalogues:
    """The catalogues of one process, those used last kept in memory.

    Args:
        encoder: whose vectors are used.
    """

    def __init__(self, database: Database, encoder: EncoderService) -> None:
        self.database = database
        self._encoder = encoder
        self._kept: OrderedDict[str, _Kept] = OrderedDict()

    def of(self, tenant: str, rules: TenantEventSettings, privacy: PrivacySettings) -> TenantItems:
        """Return the items of a tenant, whether there are any or not."""
        return TenantItems(self, tenant, rules, privacy)

    def forget(self, tenant: str) -> None:
        """Free what is kept of a tenant: the next list reads it anew."""
        self._kept.pop(tenant, None)

    def close(self) -> None:
        """Free everything."""
        self._kept.clear()

    async def catalogue(self, tenant: str) -> Catalogue:
        """See `TenantItems.catalogue`."""

        kept = self._of(tenant)
        if kept.catalogue is not None and kept.revision.revision == await read_items_revision(self.database, tenant):
            return kept.catalogue
        async with kept.lock:
            before = kept.catalogue
            if before is None:
                before = await asyncio.to_thread(_empty)
            now, rows = await items_after(self.database, tenant, kept.revision.revision)
            gone: set[str] = set()
            if now.removed != kept.revision.removed and len(before):
                gone = set(before.place) - set(await item_ids(self.database, tenant))
            made: Catalogue = before
            if rows or gone:
                made = await asyncio.to_thread(before.with_changes, gone, rows, await self._encoder_hash())
            kept.catalogue, kept.revision = made, now
            return made

    async def behaviour(self, tenant: str, rules: TenantEventSettings, privacy: PrivacySettings) -> BehaviourLog:
        """See `TenantItems.behaviour`."""
        from rejoinder.items.catalogue import BehaviourLog

        kept = self._of(tenant)
        if kept.log is not None and time.monotonic() < kept.looked_at + _BEHAVIOUR_S:
            return kept.log
        async with kept.lock:
            new: list[Deed] = []
            while True:
                found, position = await deeds_after(
                    self.database, tenant, kinds=KINDS, position=kept.position, limit=_READ_AT_ONCE
                )
                new += found
                if position == kept.position:
                    break
                kept.position = position
            now = kept.looked_at = time.monotonic()
            if kept.log is not None and not new and now < kept.made_at + _CONSENT_S:
                return kept.log
            kept.made_at = now
            kept.deeds = [*kept.deeds, *new][-_MOST_DEEDS:]
            users = sorted({deed.user_id for deed in kept.deeds if deed.user_id})
            agreed: set[str] = set()
            for some in in_chunks(users):
                agreed |= await users_to_learn_from(self.database, tenant, some, privacy)
            kept.log = await asyncio.to_thread(
                BehaviourLog.of,
                kept.deeds,
                most_per_minute=rules.bot_events_per_minute,
                refused=frozenset(users) - agreed,
                anonymous=privacy.consent == "assumed",
            )
            return kept.log

    async def _encoder_hash(self) -> str | None:
        try:
            return (await self._encoder.ready()).hash
        except ModelError:
            return None

    def _of(self, tenant: str) -> _Kept:
        kept = self._kept.setdefault(tenant, _Kept())
        self._kept.move_to_end(tenant)
        while len(self._kept) > _MOST_TENANTS:
            self._kept.popitem(last=False)
        return kept


def _empty() -> Catalogue:
    import numpy as np

    from rejoinder.items.catalogue import Catalogue

    return Catalogue((), np.zeros((0, 0), dtype=np.float32))
