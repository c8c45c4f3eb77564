"""Take events in: each row on its own, so that one that cannot be used stops no other; acknowledged once it is on the disk."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, Final, Literal

import orjson
from pydantic import ValidationError

from rejoinder.errors import InvalidInputError, RedactionError, did_you_mean
from rejoinder.events.arriving import EventIn, understood
from rejoinder.events.settings import TenantEventSettings, events_of
from rejoinder.items.behaviour import KINDS
from rejoinder.payloads import Caller
from rejoinder.store.events import NewEvent, Taken, add_events
from rejoinder.store.items import known_items

if TYPE_CHECKING:
    from rejoinder.application import Application
    from rejoinder.context import Request

__all__ = ["EventIngestion", "RowResult"]

AT_ONCE: Final = 256
"""Rows that are written in one transaction."""

_UNKNOWN: Final = "the catalogue has no such item: the event is kept, and counts once it has"

_FORMS: Final = {
    "id": "1 to 200 visible characters of ASCII, no blanks",
    "url": "an address that begins with http:// or https://, with blanks and other characters than ASCII escaped",
}
"""What fields look like that have a pattern."""

_REPLIES: Final = {
    "accepted": "",
    "duplicate": "the same event is there already",
    "folded": "a near-duplicate: it is kept, and not read",
    "conflict": "another event has this id: nothing was changed",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class RowResult:
    """What became of one row.

    Attributes:
        index: its place in what was sent, from 0.
        id: the event's; None where it has none.
        reason: why it was not simply accepted, or how it was understood.
        of: the event that it repeats.
    """

    index: int
    id: str | None
    status: Literal["accepted", "duplicate", "folded", "refused"]
    reason: str = ""
    of: str | None = None


@dataclass(slots=True)
class _Row:
    index: int
    new: NewEvent | None = None
    id: str | None = None
    note: str = ""
    reason: str = ""


class EventIngestion:
    """Takes in the events of one tenant. What was published waits for no model; only to redact what people typed, plugins may need some.

    Args:
        caller: who sends them.
        settings: the tenant's, by table.
        zones: time zones of sources, in place of those of the settings.
    """

    def __init__(
        self,
        application: Application,
        tenant: str,
        caller: Caller,
        settings: Mapping[str, object],
        *,
        zones: Mapping[str, str] | None = None,
    ) -> None:
        self._database = application.database
        self._host = application.host
        self._models = application.models
        self._limits = application.settings.events
        self._clock = application.clock
        self._tenant = tenant
        self._caller = caller
        rules = events_of(settings)
        self._rules: TenantEventSettings = rules.model_copy(
            update={"time_zones": {**rules.time_zones, **(zones or {})}}
        )

    async def take(self, rows: Sequence[tuple[int, Any]]) -> list[RowResult]:
        """Keep what can be kept of rows, each with its index; return what became of each once it is durable.

        Args:
            rows: a row is a line of JSON (bytes), a value read from JSON, or the error that it could not be read for.
        Raises:
            BacklogError: too many events wait to be read. What was kept of these rows is a duplicate when it is sent again.
            StoreUnavailableError: likewise.
        """
        results: list[RowResult] = []
        for start in range(0, len(rows), AT_ONCE):
            results += await self._take(rows[start : start + AT_ONCE])
        return results

    async def _take(self, rows: Sequence[tuple[int, Any]]) -> list[RowResult]:
        now = self._clock()
        read = await asyncio.to_thread(self._read, rows, now)
        await self._redact(read)
        await self._note_unknown(read)
        taken = iter(
            await add_events(
                self._database,
                self._tenant,
                [row.new for row in read if row.new is not None],
                most_unread=self._limits.max_unread,
                fold_within=timedelta(hours=self._rules.near_duplicate_hours),
                at=now,
            )
        )
        return [_result(row, None if row.new is None else next(taken)) for row in read]

    def _read(self, rows: Iterable[tuple[int, Any]], now: datetime) -> list[_Row]:
        return [self._read_row(index, value, now) for index, value in rows]

    def _read_row(self, index: int, value: Any, now: datetime) -> _Row:
        row = _Row(index)
        try:
            if isinstance(value, InvalidInputError):
                raise value
            if isinstance(value, bytes):
                value = orjson.loads(value)
            sent = EventIn.model_validate(value)
            row.id = sent.id
            row.new, row.note = understood(sent, self._rules, now=now, most_chars=self._limits.max_text_chars)
        except orjson.JSONDecodeError as error:
            row.reason = f"the row is not JSON in UTF-8: {error.msg} at character {error.pos}"
        except ValidationError as error:
            row.reason = _reason_of(error)
        except InvalidInputError as error:
            row.reason = str(error)
        return row

    async def _note_unknown(self, rows: Iterable[_Row]) -> None:
        """Tell of items that nobody has sent: what was done with them counts once they are there."""
        about = [row for row in rows if row.new is not None and row.new.event.kind in KINDS]
        if not about:
            return
        items = {row.new.event.item_id for row in about if row.new is not None and row.new.event.item_id is not None}
        known = await known_items(self._database, self._tenant, items)
        for row in about:
            if row.new is not None and row.new.event.item_id not in known:
                row.note = "; ".join(one for one in (row.note, _UNKNOWN) if one)

    async def _redact(self, rows: Iterable[_Row]) -> None:
        """Mask what people typed; what was published is kept as it is."""
        request: Request | None = None
        for row in rows:
            event = None if row.new is None else row.new.event
            if row.new is None or event is None or event.user_id is None or event.text is None:
                continue
            request = request or await self._models.request_for(self._tenant, self._caller)
            try:
                text = await self._host.redact_text(event.text, "store", request)
            except RedactionError:
                row.new, row.reason = None, "text: it could not be made safe to store; send it again later"
            else:
                row.new = replace(row.new, event=replace(event, text=text))


def _reason_of(error: ValidationError) -> str:
    """Say what is wrong with the first field of a row that is."""
    found = error.errors()[0]
    place = ".".join(str(part) for part in found["loc"])
    match found["type"]:
        case "extra_forbidden":
            return f"{place[:100]}: there is no such field.{did_you_mean(place, EventIn.model_fields)}"
        case "model_type":
            return "the row is no JSON object"
        case "string_pattern_mismatch":
            return f"{place}: {_FORMS.get(place, '1 to 200 characters, none of them a control character')}"
        case _:
            return f"{place}: {found['msg']}"[:300]


def _result(row: _Row, taken: Taken | None) -> RowResult:
    if taken is None:
        return RowResult(index=row.index, id=row.id, status="refused", reason=row.reason)
    if taken.status == "conflict":
        return RowResult(index=row.index, id=taken.id, status="refused", reason=_REPLIES["conflict"])
    reason = row.note if taken.status == "accepted" else _REPLIES[taken.status]
    return RowResult(index=row.index, id=taken.id, status=taken.status, reason=reason, of=taken.of)
