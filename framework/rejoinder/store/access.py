"""What access functions have in common.

An access function is written once, as a plain function of a blocking session and a tenant; `reading` and `writing` make it
awaitable on a `Database` (a transaction of its own) or on the session of a `read()` or `write()` block (part of that one).
"""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Iterable, Sequence
from functools import wraps
from typing import Any, Concatenate, ParamSpec, TypeAlias, TypeVar

from sqlalchemy import Select, Table
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import Session
from sqlmodel import SQLModel

from rejoinder.errors import NotFoundError
from rejoinder.store.database import Database
from rejoinder.store.failures import mapped_errors

__all__ = [
    "Access",
    "add_missing",
    "get_or_none",
    "get_record",
    "list_records",
    "missing",
    "plain",
    "reading",
    "writing",
]

Access: TypeAlias = Database | AsyncSession
"""Where an access function may run."""

_P = ParamSpec("_P")
_T = TypeVar("_T")
_R = TypeVar("_R", bound=SQLModel)

_Sync = Callable[Concatenate[Session, _P], _T]
_Async = Callable[Concatenate[Access, _P], Coroutine[Any, Any, _T]]


def reading(function: Callable[Concatenate[Session, _P], _T]) -> _Async[_P, _T]:
    """Make a function that only reads awaitable on a Database or a session."""

    @wraps(function)
    async def call(access: Access, /, *args: _P.args, **kwargs: _P.kwargs) -> _T:
        if isinstance(access, Database):
            return await access.run_read(function, *args, **kwargs)
        with mapped_errors():
            return await access.run_sync(function, *args, **kwargs)

    return call


def writing(function: Callable[Concatenate[Session, _P], _T]) -> _Async[_P, _T]:
    """Make a function that writes awaitable on a Database or a session."""

    @wraps(function)
    async def call(access: Access, /, *args: _P.args, **kwargs: _P.kwargs) -> _T:
        if isinstance(access, Database):
            return await access.run_write(function, *args, **kwargs)
        with mapped_errors():
            return await access.run_sync(function, *args, **kwargs)

    return call


def plain(function: _Async[_P, _T]) -> _Sync[_P, _T]:
    """Return an access function as it was written, to be called with the blocking session of another one."""
    written: _Sync[_P, _T] = function.__wrapped__  # type: ignore[attr-defined]  # set by functools.wraps
    return written


def missing(kind: str, record_id: str) -> NotFoundError:
    """Return the error for a record that this tenant does not have; another tenant's reads the same as none at all."""
    return NotFoundError(f"there is no {kind} {record_id!r}")


def get_or_none(session: Session, record: type[_R], *key: str) -> _R | None:
    """Return the record with this primary key (tenant first) as it is in the store now."""
    return session.get(record, key if len(key) > 1 else key[0], populate_existing=True)


def get_record(session: Session, record: type[_R], kind: str, *key: str) -> _R:
    """Return the record with this primary key (tenant first).

    Raises:
        NotFoundError: there is none.
    """
    found = get_or_none(session, record, *key)
    if found is None:
        raise missing(kind, key[-1])
    return found


def list_records(session: Session, statement: Select[_T]) -> list[_T]:
    """Return what a statement finds, as it is in the store now."""
    return list(session.scalars(statement, execution_options={"populate_existing": True}))


def add_missing(session: Session, table: Table, rows: Iterable[dict[str, Any]]) -> Sequence[str]:
    """Insert the rows that contradict none that is there; return the ids of these, in no particular order."""
    values = list(rows)
    if not values:
        return []
    kind = postgresql if session.get_bind().dialect.name == "postgresql" else sqlite
    statement = kind.insert(table).on_conflict_do_nothing().returning(table.c.id)
    return list(session.execute(statement, values).scalars())
