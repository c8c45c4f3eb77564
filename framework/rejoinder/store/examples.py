"""Examples: what the models learn from."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from datetime import datetime
from typing import Any, TypeAlias

from sqlalchemy import Row, func, select, update
from sqlalchemy.orm import Session

from rejoinder.context import utc_now
from rejoinder.payloads import Example
from rejoinder.store.access import add_missing, missing, reading, writing
from rejoinder.store.tables import ExampleRow, table_of
from rejoinder.wire import from_json, to_json

__all__ = ["add_examples", "count_examples", "get_example", "list_examples", "set_active"]

_examples = table_of(ExampleRow)
_c = _examples.c
_About: TypeAlias = tuple[str | None, str, str, str | None]
"""User, task, text and the pair's other text."""

_COLUMNS = tuple(column for column in _c if column.name not in ("tenant_id", "held_back", "active"))


@writing
def add_examples(
    session: Session,
    tenant_id: str,
    examples: Iterable[Example],
    *,
    held_back: Callable[[Example], bool] | None = None,
    at: datetime | None = None,
) -> list[str]:
    """Keep the examples whose ids are not there yet, in one go.

    A correction makes older examples of the same user, text and task inactive that contradict it: those with another label,
    and those that said "not this label". An older one that arrives late is inactive from the start.

    Args:
        held_back: says of an example whether it is kept from all training; default none is.
        at: the moment for examples that name none; default now.
    Returns:
        The ids that were new, in the order given.
    """
    given = {example.id: example for example in examples}
    now = at or utc_now()
    rows = [
        {
            **to_json(example),
            "at": example.at or now,
            "tenant_id": tenant_id,
            "held_back": bool(held_back and held_back(example)),
            "active": True,
        }
        for example in given.values()
    ]
    added = set(add_missing(session, _examples, rows))
    touched: set[_About] = {
        (e.user_id, e.task, e.text, e.other) for e in given.values() if e.id in added and e.user_id is not None
    }
    for user_id, task, text, other in sorted(touched & _corrected(session, tenant_id, touched), key=repr):
        _settle(session, tenant_id, (_c.user_id == user_id, _c.task == task, _c.text == text, _same(_c.other, other)))
    return [example_id for example_id in given if example_id in added]


@reading
def get_example(session: Session, tenant_id: str, example_id: str) -> Example:
    """Return an example.

    Raises:
        NotFoundError: the tenant has no such example.
    """
    row = session.execute(select(*_COLUMNS).where(_c.tenant_id == tenant_id, _c.id == example_id)).first()
    if row is None:
        raise missing("example", example_id)
    return _example(row)


@reading
def list_examples(
    session: Session,
    tenant_id: str,
    task: str,
    *,
    active: bool | None = True,
    held_back: bool | None = None,
    after: tuple[datetime, str] | None = None,
    limit: int | None = None,
) -> list[Example]:
    """Return a task's examples in the order of their moments, then ids.

    Args:
        active: None: also those that a later correction contradicts.
        held_back: False: what may be trained on; True: the gate's own; None: both.
        after: moment and id of the last example of the page before.
        limit: most wanted; None: all.
    """
    statement = select(*_COLUMNS).where(_c.tenant_id == tenant_id, _c.task == task, *_flags(active, held_back))
    if after is not None:
        moment, example_id = after
        statement = statement.where((_c.at > moment) | ((_c.at == moment) & (_c.id > example_id)))
    return [_example(row) for row in session.execute(statement.order_by(_c.at, _c.id).limit(limit))]


@reading
def count_examples(
    session: Session,
    tenant_id: str,
    *,
    active: bool | None = True,
    held_back: bool | None = None,
    since: datetime | None = None,
) -> dict[str, int]:
    """Return the number of examples of each task that has any; `since`: only those of this moment or later."""
    statement = select(_c.task, func.count()).where(_c.tenant_id == tenant_id, *_flags(active, held_back))
    if since is not None:
        statement = statement.where(_c.at >= since)
    return {task: count for task, count in session.execute(statement.group_by(_c.task))}  # noqa: C416  # typed rows


@writing
def set_active(session: Session, tenant_id: str, example_ids: Sequence[str], active: bool) -> int:
    """Take examples out of learning, or back in; return how many there were of these ids."""
    mine = (_c.tenant_id == tenant_id, _c.id.in_(example_ids))
    return len(session.execute(update(_examples).where(*mine).values(active=active).returning(_c.id)).all())


def _corrected(session: Session, tenant_id: str, touched: set[_About]) -> set[_About]:
    """Return what the users of `touched` have corrected: most examples contradict nothing and need no closer look."""
    users, tasks = {about[0] for about in touched}, {about[1] for about in touched}
    if not touched:
        return set()
    mine = (
        _c.tenant_id == tenant_id,
        _c.active,
        _c.polarity == "correction",
        _c.user_id.in_(users),
        _c.task.in_(tasks),
    )
    rows = session.execute(select(_c.user_id, _c.task, _c.text, _c.other).where(*mine).distinct())
    return {(user_id, task, text, other) for user_id, task, text, other in rows}


def _settle(session: Session, tenant_id: str, about: Sequence[Any]) -> None:
    """Make inactive what the newest correction about one text contradicts."""
    statement = select(_c.id, _c.at, _c.label, _c.target, _c.polarity).where(
        _c.tenant_id == tenant_id, _c.active, *about
    )
    rows = session.execute(statement.order_by(_c.at, _c.id)).all()
    corrections = [row for row in rows if row.polarity == "correction"]
    losers = [row.id for row in rows for newer in corrections if _contradicts(row, newer)]
    if losers:
        session.execute(update(_examples).where(_c.tenant_id == tenant_id, _c.id.in_(losers)).values(active=False))


def _contradicts(older: Any, newer: Any) -> bool:
    """Say whether a correction overrules an example. Different targets are about different things: both stay."""
    if (older.at, older.id) >= (newer.at, newer.id) or older.target != newer.target:
        return False
    return bool((older.label == newer.label) == (older.polarity == "negative"))


def _same(column: Any, value: str | None) -> Any:
    return column.is_(None) if value is None else column == value


def _flags(active: bool | None, held_back: bool | None) -> list[Any]:
    return [
        *([] if active is None else [_c.active == active]),
        *([] if held_back is None else [_c.held_back == held_back]),
    ]


def _example(row: Row[Any]) -> Example:
    return from_json(Example, dict(row._mapping))
