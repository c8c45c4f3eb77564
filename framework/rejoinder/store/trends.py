"""What was observed in a stretch of time, as it was known at a moment: the rows that trends are made of."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Any, NamedTuple

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from rejoinder.store.access import reading
from rejoinder.store.chunks import in_chunks
from rejoinder.store.tables import EventRow, ObservationRow, table_of

__all__ = [
    "Document",
    "Observed",
    "Seen",
    "Stretch",
    "busiest_keys",
    "documents_about",
    "observed_in",
    "seen_in",
    "topics_of",
]

_events, _observations = table_of(EventRow), table_of(ObservationRow)
_c, _o = _events.c, _observations.c
_SENTIMENT = "sentiment"


class Stretch(NamedTuple):
    """Which documents count: those dated from `start` to before `end`, that had arrived by `as_of`."""

    start: datetime
    end: datetime
    as_of: datetime


class Seen(NamedTuple):
    """A document in which a key was observed.

    Attributes:
        event_id: the document's.
        score: its sentiment about the key, in [-1, 1]; None: unknown.
        label: the sentiment's name, such as "negative"; None: unknown.
    """

    key: str
    event_id: str
    at: datetime
    score: float | None
    label: str | None


class Observed(NamedTuple):
    """What is known of a stretch.

    Attributes:
        documents: the moments of all documents that were read.
        of_key: each document in which a key was observed, once per key.
    """

    documents: tuple[datetime, ...]
    of_key: tuple[Seen, ...]


class Document(NamedTuple):
    """A document and its sentiment about a key; `score` and `label` as in `Seen`."""

    id: str
    at: datetime
    source: str
    url: str | None
    text: str
    score: float | None
    label: str | None


@reading
def busiest_keys(session: Session, tenant_id: str, kind: str, stretch: Stretch, *, limit: int) -> list[str]:
    """Return the keys of observations of a type that most documents of a stretch have, most frequent first, at most `limit`."""
    count = func.count(_o.event_id.distinct())
    statement = select(_o.key).where(_o.type == kind, _o.key != "", *_known(tenant_id, stretch)).group_by(_o.key)
    return list(session.scalars(statement.order_by(count.desc(), _o.key).limit(limit)))


@reading
def observed_in(session: Session, tenant_id: str, kind: str, keys: Sequence[str], stretch: Stretch) -> Observed:
    """Return the documents of a stretch, and those in which these keys were observed, with their sentiments.

    A document's sentiment about a key is the observation `sentiment` with that key; where there is none, the one of the whole text. Its
    number is the `score` of the observation's value, its name the `label`.
    """
    documents = select(_c.at).where(
        _c.tenant_id == tenant_id,
        _c.status == "done",
        _c.at >= stretch.start,
        _c.at < stretch.end,
        _c.received_at <= stretch.as_of,
    )
    return Observed(tuple(session.scalars(documents)), tuple(_seen(session, tenant_id, kind, keys, stretch)))


@reading
def seen_in(session: Session, tenant_id: str, kind: str, keys: Sequence[str], stretch: Stretch) -> list[Seen]:
    """Return the documents of a stretch in which these keys were observed, as `observed_in` does, and none of the others."""
    return list(_seen(session, tenant_id, kind, keys, stretch))


@reading
def documents_about(session: Session, tenant_id: str, kind: str, key: str, stretch: Stretch) -> list[Document]:
    """Return the documents of a stretch in which a key was observed, with their texts, oldest first."""
    seen = {one.event_id: one for one in _seen(session, tenant_id, kind, [key], stretch)}
    found: list[Document] = []
    for ids in in_chunks(list(seen)):
        columns = select(_c.id, _c.at, _c.source, _c.url, _c.text).where(_c.tenant_id == tenant_id, _c.id.in_(ids))
        for row in session.execute(columns):
            one = seen[row.id]
            found.append(Document(row.id, row.at, row.source, row.url, row.text or "", one.score, one.label))
    return sorted(found, key=lambda one: (one.at, one.id))


@reading
def topics_of(session: Session, tenant_id: str, kind: str, event_ids: Sequence[str]) -> dict[str, int]:
    """Return in how many of these documents each key of a type was observed."""
    found: dict[str, int] = {}
    for ids in in_chunks(list(event_ids)):
        mine = (_o.tenant_id == tenant_id, _o.type == kind, _o.event_id.in_(ids))
        counted = select(_o.key, func.count(_o.event_id.distinct())).where(*mine).group_by(_o.key)
        for key, count in session.execute(counted):
            found[key] = found.get(key, 0) + count
    return found


def _seen(session: Session, tenant_id: str, kind: str, keys: Sequence[str], stretch: Stretch) -> Iterator[Seen]:
    at_of: dict[tuple[str, str], datetime] = {}
    columns = select(_o.event_id, _o.key, _o.at)
    for row in session.execute(columns.where(_o.type == kind, _o.key.in_(keys), *_known(tenant_id, stretch))):
        at_of[row.event_id, row.key] = row.at
    if not at_of:
        return
    said = select(_o.event_id, _o.key, _o.value).where(
        _o.type == _SENTIMENT, _o.key.in_(["", *keys]), *_known(tenant_id, stretch)
    )
    sentiments = {(event, key): (score, label) for event, key, score, label in _sentiments(session.execute(said))}
    for (event, key), at in at_of.items():
        score, label = sentiments.get((event, key)) or sentiments.get((event, "")) or (None, None)
        yield Seen(key, event, at, score, label)


def _known(tenant_id: str, stretch: Stretch) -> tuple[Any, ...]:
    """Return the conditions on observations of a stretch."""
    arrived = (
        select(_c.id)
        .where(_c.tenant_id == tenant_id, _c.id == _o.event_id, _c.received_at <= stretch.as_of)
        .correlate(_observations)
        .exists()
    )
    return (_o.tenant_id == tenant_id, _o.at >= stretch.start, _o.at < stretch.end, arrived)


def _sentiments(rows: Any) -> Iterator[tuple[str, str, float, str | None]]:
    for event_id, key, value in rows:
        score, label = (value.get("score"), value.get("label")) if isinstance(value, dict) else (None, None)
        if isinstance(score, int | float):
            yield event_id, key, float(score), label if isinstance(label, str) else None
