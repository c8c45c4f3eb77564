"""Events: a tenant's stream of what happened, in the order of arrival, and how far it was read.

Positions are given under a lock on the tenant's row of `event_streams`, so that no reader ever meets a position before a smaller one that
is still on its way. Nothing is skipped: what cannot be read is set aside where a person sees it.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

from sqlalchemy import Row, delete, insert, select, update
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import Session

from rejoinder.context import utc_now
from rejoinder.errors import BacklogError
from rejoinder.payloads import Event, Observation
from rejoinder.store.access import get_record, list_records, missing, reading, writing
from rejoinder.store.chunks import in_chunks
from rejoinder.store.tables import EventBand, EventRow, EventStream, ObservationRow, table_of
from rejoinder.wire import from_json, to_json

if TYPE_CHECKING:
    from rejoinder.events.near_duplicates import Sketch

__all__ = [
    "EventStatus",
    "NewEvent",
    "Taken",
    "Unread",
    "add_events",
    "events_read",
    "forget_bands",
    "get_event",
    "list_events",
    "list_observations",
    "note_attempt",
    "read_again",
    "unread_count",
    "unread_events",
]

EventStatus = Literal["new", "done", "folded", "set_aside"]

_RETRY_S = 10.0

_events, _streams, _bands = table_of(EventRow), table_of(EventStream), table_of(EventBand)
_observations = table_of(ObservationRow)
_c, _s, _b, _o = _events.c, _streams.c, _bands.c, _observations.c
_PAYLOAD = (_c.id, _c.kind, _c.at, _c.user_id, _c.session_id, _c.item_id, _c.text, _c.data)


@dataclass(frozen=True, slots=True, kw_only=True)
class NewEvent:
    """An event that arrives.

    Attributes:
        sha256: of all that was sent, its id left out.
        sketch: to find near-duplicates by; None: it is folded into none, and none into it.
    """

    event: Event
    sha256: str
    source: str = ""
    url: str | None = None
    sketch: Sketch | None = None


class Taken(NamedTuple):
    """What became of an event that arrived.

    "duplicate": the same was there already, as `of`; "folded": kept, and not read since it says what `of` says; "conflict": its id is
    that of another one, and nothing was stored.
    """

    id: str
    status: Literal["accepted", "duplicate", "folded", "conflict"]
    of: str | None = None


class Unread(NamedTuple):
    """The next events of a stream.

    Attributes:
        start: the position up to which it was read.
        end: the position up to which it will be.
        events: in order, without those that were folded.
        attempts: how often it was tried to read them.
    """

    start: int
    end: int
    events: tuple[Event, ...]
    attempts: int


@writing
def add_events(
    session: Session,
    tenant_id: str,
    events: Sequence[NewEvent],
    *,
    most_unread: int | None = None,
    fold_within: timedelta = timedelta(0),
    at: datetime | None = None,
) -> list[Taken]:
    """Keep the events that are not there yet; return what became of each, in the order given.

    Args:
        most_unread: events that may wait to be read; None: any number.
        fold_within: the longest time between the moments of two near-duplicates.
        at: when they arrived; default now.
    Raises:
        BacklogError: more would wait; nothing was stored.
        ConflictError: there is no such tenant.
    """
    written, waiting = _locked_stream(session, tenant_id)
    if most_unread is not None and waiting + len(events) > most_unread:
        raise BacklogError(
            f"{waiting} events of this tenant wait to be read, and at most {most_unread} may: send these again later",
            retry_after_s=_RETRY_S,
        )
    known = _Known(session, tenant_id, events, fold_within)
    received = at or utc_now()
    taken, rows, bands = [], [], []
    for new in events:
        outcome = known.judge(new)
        taken.append(outcome)
        if outcome.status not in ("accepted", "folded"):
            continue
        written += 1
        folded = outcome.status == "folded"
        rows.append(
            {
                **to_json(new.event),
                "at": new.event.at,
                "tenant_id": tenant_id,
                "source": new.source,
                "url": new.url,
                "received_at": received,
                "sha256": new.sha256,
                "position": written,
                "duplicate_of": outcome.of,
                "status": "folded" if folded else "new",
                "attempts": 0,
                "error": None,
            }
        )
        if new.sketch is not None and not folded:
            mine = {"tenant_id": tenant_id, "event_id": new.event.id, "received_at": received}
            bands += [{**mine, "band": band} for band in new.sketch.bands]
    for table, values in ((_events, rows), (_bands, bands)):
        if values:
            session.execute(insert(table), values)
    session.execute(update(_streams).where(_s.tenant_id == tenant_id).values(written=written))
    return taken


@reading
def get_event(session: Session, tenant_id: str, event_id: str) -> EventRow:
    """Return an event.

    Raises:
        NotFoundError: the tenant has no such event.
    """
    return get_record(session, EventRow, "event", tenant_id, event_id)


@reading
def list_events(
    session: Session,
    tenant_id: str,
    *,
    status: EventStatus | None = None,
    source: str | None = None,
    after: int = 0,
    limit: int = 100,
) -> list[EventRow]:
    """Return events in the order of arrival, those with positions above `after`, at most `limit`; only those that fit what is given."""
    statement = select(EventRow).where(_c.tenant_id == tenant_id, _c.position > after)
    for column, value in ((_c.status, status), (_c.source, source)):
        if value is not None:
            statement = statement.where(column == value)
    return list_records(session, statement.order_by(_c.position).limit(limit))


@reading
def unread_count(session: Session, tenant_id: str) -> int:
    """Return how many events wait to be read, those included that were deleted or folded meanwhile."""
    found = session.execute(select(_s.written - _s.read).where(_s.tenant_id == tenant_id)).scalar()
    return found or 0


@reading
def unread_events(session: Session, tenant_id: str, *, limit: int) -> Unread | None:
    """Return the next events to read, at most `limit`; None where there are none.

    One that a reader failed on comes alone, so that no other is held for its fault.
    """
    stream = session.execute(select(_s.read, _s.written).where(_s.tenant_id == tenant_id)).first()
    if stream is None or stream.read == stream.written:
        return None
    statement = (
        select(*_PAYLOAD, _c.position, _c.status, _c.attempts)
        .where(_c.tenant_id == tenant_id, _c.position > stream.read)
        .order_by(_c.position)
        .limit(limit)
    )
    end, attempts = stream.read, 0
    events: list[Event] = []
    rows = session.execute(statement).all()
    for row in rows:
        if row.status == "new":
            if events and (attempts or row.attempts):
                break
            events.append(_event(row._asdict()))
            attempts = row.attempts
        end = row.position
    if not rows:  # what was left was deleted
        end = stream.written
    return Unread(stream.read, end, tuple(events), attempts)


@writing
def events_read(
    session: Session, tenant_id: str, unread: Unread, observations: Iterable[Observation], *, error: str | None = None
) -> bool:
    """Keep, in one transaction, what was read of events and that they were read.

    Args:
        observations: those of events that are no more are left out.
        error: why they could not be read: they are set aside.
    Returns:
        False where another reader was there first; then nothing was written.
    """
    mine = (_s.tenant_id == tenant_id, _s.read == unread.start)
    if session.execute(update(_streams).where(*mine).values(read=unread.end).returning(_s.read)).first() is None:
        return False
    changes: dict[str, Any] = {"status": "done" if error is None else "set_aside", "error": error}
    ids = [event.id for event in unread.events]
    read = (_c.tenant_id == tenant_id, _c.id.in_(ids))
    there = set(session.scalars(update(_events).where(*read).values(**changes).returning(_c.id)))
    numbers: defaultdict[str, int] = defaultdict(int)
    rows = []
    for one in observations:
        if one.event_id not in there:
            continue
        number = numbers[one.event_id]
        numbers[one.event_id] += 1
        values = {name: value for name, value in to_json(one).items() if name != "position"}
        rows.append({**values, "at": one.at, "tenant_id": tenant_id, "number": number})
    session.execute(delete(_observations).where(_o.tenant_id == tenant_id, _o.event_id.in_(ids)))
    if rows:
        session.execute(insert(_observations), rows)
    return True


@writing
def note_attempt(session: Session, tenant_id: str, unread: Unread, error: str) -> None:
    """Note that it was tried in vain to read events."""
    mine = (_c.tenant_id == tenant_id, _c.id.in_([event.id for event in unread.events]))
    session.execute(update(_events).where(*mine).values(attempts=_c.attempts + 1, error=error))


@writing
def read_again(session: Session, tenant_id: str, event_id: str) -> None:
    """Put an event that was set aside at the end of the stream, as if it arrived now.

    Raises:
        NotFoundError: the tenant has no such event that is set aside.
    """
    written, _ = _locked_stream(session, tenant_id)
    mine = (_c.tenant_id == tenant_id, _c.id == event_id, _c.status == "set_aside")
    changes = {"status": "new", "attempts": 0, "error": None, "position": written + 1}
    if session.execute(update(_events).where(*mine).values(**changes).returning(_c.id)).first() is None:
        raise missing("event that is set aside", event_id)
    session.execute(update(_streams).where(_s.tenant_id == tenant_id).values(written=written + 1))


@writing
def forget_bands(session: Session, tenant_id: str, before: datetime) -> None:
    """Let nothing be folded any more into events that arrived before a moment."""
    session.execute(delete(_bands).where(_b.tenant_id == tenant_id, _b.received_at < before))


@reading
def list_observations(session: Session, tenant_id: str, event_id: str) -> list[Observation]:
    """Return what was read of an event, in the order in which it was."""
    columns = [column for column in _o if column.name not in ("tenant_id", "number")]
    statement = (
        select(*columns, _c.position)
        .join(_events, (_c.tenant_id == _o.tenant_id) & (_c.id == _o.event_id))
        .where(_o.tenant_id == tenant_id, _o.event_id == event_id)
        .order_by(_o.number)
    )
    return [from_json(Observation, dict(row._mapping)) for row in session.execute(statement)]


def _locked_stream(session: Session, tenant_id: str) -> tuple[int, int]:
    """Return how many events were written and how many are unread; nobody else adds any until the transaction ends."""
    kind = postgresql if session.get_bind().dialect.name == "postgresql" else sqlite
    first = kind.insert(_streams).values(tenant_id=tenant_id, written=0, read=0, detected=0)
    locked = first.on_conflict_do_update(index_elements=[_s.tenant_id], set_={"written": _s.written})
    written, waiting = session.execute(locked.returning(_s.written, _s.written - _s.read)).one()
    return written, waiting


class _Known:
    """What there is already of arriving events: their ids, their contents, and near-duplicates."""

    def __init__(self, session: Session, tenant_id: str, events: Sequence[NewEvent], fold_within: timedelta) -> None:
        self._session = session
        self._tenant = tenant_id
        self._within = fold_within
        self._content_of: dict[str, str] = {}
        self._id_of: dict[str, str] = {}
        for column, values in ((_c.id, [new.event.id for new in events]), (_c.sha256, [new.sha256 for new in events])):
            for row in self._rows(select(_c.id, _c.sha256).where(_c.tenant_id == tenant_id), column, values):
                self._add(row.id, row.sha256)
        self._in_band: defaultdict[int, list[str]] = defaultdict(list)
        bands = [band for new in events if new.sketch is not None for band in new.sketch.bands]
        for row in self._rows(select(_b.band, _b.event_id).where(_b.tenant_id == tenant_id), _b.band, bands):
            self._in_band[row.band].append(row.event_id)
        self._texts: dict[str, tuple[datetime, str]] = {}

    def judge(self, new: NewEvent) -> Taken:
        """Say what becomes of an event, and know it from now on."""
        event_id = new.event.id
        content = self._content_of.get(event_id)
        if content is not None:
            same = content == new.sha256
            return Taken(event_id, "duplicate" if same else "conflict", event_id)
        same_as = self._id_of.get(new.sha256)
        if same_as is not None:
            return Taken(event_id, "duplicate", same_as)
        self._add(event_id, new.sha256)
        if new.sketch is None:
            return Taken(event_id, "accepted")
        like = self._alike(new, new.sketch)
        if like is not None:
            return Taken(event_id, "folded", like)
        self._texts[event_id] = (new.event.at, new.event.text or "")
        for band in new.sketch.bands:
            self._in_band[band].append(event_id)
        return Taken(event_id, "accepted")

    def _add(self, event_id: str, sha256: str) -> None:
        self._content_of[event_id] = sha256
        self._id_of[sha256] = event_id

    def _alike(self, new: NewEvent, sketch: Sketch) -> str | None:
        candidates = list(dict.fromkeys(one for band in sketch.bands for one in self._in_band.get(band, ())))
        unknown = [one for one in candidates if one not in self._texts]
        texts = select(_c.id, _c.at, _c.text).where(_c.tenant_id == self._tenant)
        for row in self._rows(texts, _c.id, unknown):
            self._texts[row.id] = (row.at, row.text or "")
        for candidate in candidates:
            at, text = self._texts[candidate]
            if abs(new.event.at - at) <= self._within and sketch.resembles(text):
                return candidate
        return None

    def _rows(self, statement: Any, column: Any, values: Sequence[Any]) -> Iterable[Row[Any]]:
        for some in in_chunks(values):
            yield from self._session.execute(statement.where(column.in_(some)))


def _event(row: Mapping[str, Any]) -> Event:
    return from_json(Event, {column.name: row[column.name] for column in _PAYLOAD})
