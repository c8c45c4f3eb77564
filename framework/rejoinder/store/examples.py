"""Examples: what the models learn from."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any, NamedTuple, TypeAlias

from sqlalchemy import Row, func, or_, select, update
from sqlalchemy.orm import Session

from rejoinder.context import utc_now
from rejoinder.learning.propensity import without_propensity
from rejoinder.payloads import Example
from rejoinder.store.access import add_missing, missing, reading, writing
from rejoinder.store.chunks import in_chunks
from rejoinder.store.tables import DecisionRow, ExampleRow, table_of
from rejoinder.wire import from_json, to_json

__all__ = [
    "Provenance",
    "add_examples",
    "count_examples",
    "get_example",
    "get_examples",
    "list_examples",
    "list_provenance",
    "set_active",
    "take_back_of_user",
    "taken_back_since",
]

_examples = table_of(ExampleRow)
_c = _examples.c
_About: TypeAlias = tuple[str | None, str, str, str | None]
"""User, task, text and the pair's other text."""

_NOT_SAID = ("tenant_id", "held_back", "active", "subject_id", "imported_at", "origin", "taken_back_at")
_COLUMNS = tuple(column for column in _c if column.name not in _NOT_SAID)
_decisions = table_of(DecisionRow).c


class Provenance(NamedTuple):
    """An example with where it came from: its source at first, whatever it was loaded by since, and whose words it holds."""

    example: Example
    source: str
    subject_id: str | None


@writing
def add_examples(
    session: Session,
    tenant_id: str,
    examples: Iterable[Example],
    *,
    held_back: Callable[[Example], bool] | None = None,
    at: datetime | None = None,
    origins: Mapping[str, Provenance] | None = None,
) -> list[str]:
    """Keep the examples whose ids are not there yet, in one go.

    A correction makes older examples of the same user, text and task inactive that contradict it: those with another label,
    and those that said "not this label". An older one that arrives late is inactive from the start.

    Args:
        held_back: says of an example whether it is kept from all training; default none is.
        at: the moment for examples that name none; default now.
        origins: by id, where examples that are loaded from a file came from; None: people just gave them.
    Returns:
        The ids that were new, in the order given.
    """
    given = {example.id: example for example in examples}
    now = at or utc_now()
    subjects = _subjects(session, tenant_id, given.values())
    rows = [
        {
            **to_json(example),
            "at": example.at or now,
            "tenant_id": tenant_id,
            "held_back": bool(held_back and held_back(example)),
            "active": True,
            "taken_back_at": None,
            **(
                {"subject_id": subjects.get(example.decision_id or ""), "imported_at": None, "origin": None}
                if origins is None
                else {
                    "subject_id": origins[example.id].subject_id,
                    "imported_at": now,
                    "origin": origins[example.id].source,
                }
            ),
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
def get_examples(session: Session, tenant_id: str, example_ids: Sequence[str]) -> dict[str, Example]:
    """Return those examples that there are of these ids, by id."""
    found = {}
    for some in in_chunks(example_ids):
        mine = (_c.tenant_id == tenant_id, _c.id.in_(some))
        found.update({row.id: _example(row) for row in session.execute(select(*_COLUMNS).where(*mine))})
    return found


@reading
def list_provenance(
    session: Session, tenant_id: str, task: str, *, after: tuple[datetime, str] | None = None, limit: int = 500
) -> list[Provenance]:
    """Return a task's examples that nothing contradicts, with where they came from, in the order of their moments, then ids."""
    statement = select(*_COLUMNS, _c.origin, _c.subject_id).where(
        _c.tenant_id == tenant_id, _c.task == task, *_flags(True, None), *_later(after)
    )
    found = []
    for row in session.execute(statement.order_by(_c.at, _c.id).limit(limit)):
        values = dict(row._mapping)
        origin, subject_id = values.pop("origin"), values.pop("subject_id")
        example = from_json(Example, values)
        found.append(Provenance(example, example.source if origin is None else origin, subject_id))
    return found


@reading
def list_examples(
    session: Session,
    tenant_id: str,
    task: str,
    *,
    active: bool | None = True,
    held_back: bool | None = None,
    after: tuple[datetime, str] | None = None,
    known_by: datetime | None = None,
    new_since: datetime | None = None,
    limit: int | None = None,
) -> list[Example]:
    """Return a task's examples in the order of their moments, then ids.

    Args:
        active: None: also those that a later correction contradicts.
        held_back: False: what may be trained on; True: the gate's own; None: both.
        after: moment and id of the last example of the page before.
        known_by, new_since: only what people gave, or somebody loaded, up to a moment, or after one.
        limit: most wanted; None: all.
    """
    statement = select(*_COLUMNS).where(
        _c.tenant_id == tenant_id, _c.task == task, *_flags(active, held_back), *_later(after)
    )
    if known_by is not None:
        statement = statement.where(_c.at <= known_by, or_(_c.imported_at.is_(None), _c.imported_at <= known_by))
    if new_since is not None:
        statement = statement.where(or_(_c.at > new_since, _c.imported_at > new_since))
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
def take_back_of_user(session: Session, tenant_id: str, user_id: str, *, at: datetime | None = None) -> list[str]:
    """Take all that a user taught out of learning; return the ids of these examples."""
    mine = (_c.tenant_id == tenant_id, _c.user_id == user_id, _c.active)
    values = {"active": False, "taken_back_at": at or utc_now()}
    return list(session.scalars(update(_examples).where(*mine).values(**values).returning(_c.id)))


@reading
def taken_back_since(session: Session, tenant_ids: Collection[str], *, since: datetime) -> dict[str, list[str]]:
    """Return, by tenant, the ids of the examples that were taken back since a moment, for processes that have learned them."""
    wanted = (_c.taken_back_at >= since, _c.tenant_id.in_(sorted(tenant_ids)))
    found: dict[str, list[str]] = {}
    for tenant_id, example_id in session.execute(select(_c.tenant_id, _c.id).where(*wanted).order_by(_c.id)):
        found.setdefault(tenant_id, []).append(example_id)
    return found


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
    if (older.at, older.id) >= (newer.at, newer.id):
        return False
    if without_propensity(older.target) != without_propensity(newer.target):
        return False
    return bool((older.label == newer.label) == (older.polarity == "negative"))


def _subjects(session: Session, tenant_id: str, examples: Iterable[Example]) -> dict[str, str | None]:
    """Return, by decision, whose words examples hold."""
    ids = sorted({example.decision_id for example in examples if example.decision_id is not None})
    found: dict[str, str | None] = {}
    for some in in_chunks(ids):
        mine = (_decisions.tenant_id == tenant_id, _decisions.id.in_(some))
        rows = session.execute(select(_decisions.id, _decisions.user_id).where(*mine))
        found |= {decision_id: user_id for decision_id, user_id in rows}  # noqa: C416  # typed rows
    return found


def _later(after: tuple[datetime, str] | None) -> list[Any]:
    if after is None:
        return []
    moment, example_id = after
    return [(_c.at > moment) | ((_c.at == moment) & (_c.id > example_id))]


def _same(column: Any, value: str | None) -> Any:
    return column.is_(None) if value is None else column == value


def _flags(active: bool | None, held_back: bool | None) -> list[Any]:
    return [
        *([] if active is None else [_c.active == active]),
        *([] if held_back is None else [_c.held_back == held_back]),
    ]


def _example(row: Row[Any]) -> Example:
    return from_json(Example, dict(row._mapping))
