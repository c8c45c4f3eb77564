"""What was observed in a stretch of time, as it was known at a moment: the rows that trends are made of."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Any, NamedTuple

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from rejoinder.store.access import reading
from rejoinder.store.tables import EventRow, ObservationRow, table_of

__all__ = ["Observed", "Stretch", "busiest_keys", "observed_in"]

_events, _observations = table_of(EventRow), table_of(ObservationRow)
_c, _o = _events.c, _observations.c
_SENTIMENT = "sentiment"


class Stretch(NamedTuple):
    """Which documents count: those dated from `start` to before `end`, that had arrived by `as_of`."""

    start: datetime
    end: datetime
    as_of: datetime


class Observed(NamedTuple):
    """What is known of a stretch.

    Attributes:
        documents: the moments of all documents that were read.
        of_key: key, moment and sentiment in [-1, 1] (None: unknown) of each document in which a key was observed.
    """

    documents: tuple[datetime, ...]
    of_key: tuple[tuple[str, datetime, float | None], ...]


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
    number is the `score` of the observation's value.
    """
    documents = select(_c.at).where(
        _c.tenant_id == tenant_id,
        _c.status == "done",
        _c.at >= stretch.start,
        _c.at < stretch.end,
        _c.received_at <= stretch.as_of,
    )
    at_of: dict[tuple[str, str], datetime] = {}
    columns = select(_o.event_id, _o.key, _o.at)
    for row in session.execute(columns.where(_o.type == kind, _o.key.in_(keys), *_known(tenant_id, stretch))):
        at_of[row.event_id, row.key] = row.at
    scores: dict[tuple[str, str], float] = {}
    said = select(_o.event_id, _o.key, _o.value).where(
        _o.type == _SENTIMENT, _o.key.in_(["", *keys]), *_known(tenant_id, stretch)
    )
    for event_id, key, score in _scores(session.execute(said)) if at_of else ():
        scores[event_id, key] = score
    found = ((key, at, scores.get((event, key), scores.get((event, "")))) for (event, key), at in at_of.items())
    return Observed(tuple(session.scalars(documents)), tuple(found))


def _known(tenant_id: str, stretch: Stretch) -> tuple[Any, ...]:
    """Return the conditions on observations of a stretch."""
    arrived = (
        select(_c.id)
        .where(_c.tenant_id == tenant_id, _c.id == _o.event_id, _c.received_at <= stretch.as_of)
        .correlate(_observations)
        .exists()
    )
    return (_o.tenant_id == tenant_id, _o.at >= stretch.start, _o.at < stretch.end, arrived)


def _scores(rows: Any) -> Iterator[tuple[str, str, float]]:
    for event_id, key, value in rows:
        score = value.get("score") if isinstance(value, dict) else None
        if isinstance(score, int | float):
            yield event_id, key, float(score)
