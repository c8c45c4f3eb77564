"""The edge where the database drivers' errors become ours."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy import exc

from rejoinder.errors import ConflictError, InvalidInputError, RejoinderError, StoreError, StoreUnavailableError

__all__ = ["connecting", "mapped_errors", "our_error"]

_NO_TABLE = ("no such table", "no such column", "UndefinedTable", "UndefinedColumn", "does not exist")


def our_error(error: BaseException) -> RejoinderError | None:
    """Return what an error of SQLAlchemy or of a driver means to callers; None when it is none of theirs.

    IntegrityError is a ConflictError; OperationalError, InterfaceError, a lost connection and a pool that ran dry are
    StoreUnavailableError; data that the database cannot hold is InvalidInputError; any other is StoreError.
    """
    if isinstance(error, exc.StatementError) and isinstance(error.orig, RejoinderError):
        return error.orig
    if isinstance(error, exc.TimeoutError):
        return StoreUnavailableError("all connections to the record store are in use; try again")
    if not isinstance(error, exc.SQLAlchemyError):
        return None
    cause = _first_line(getattr(error, "orig", None) or error)
    if isinstance(error, exc.IntegrityError):
        return ConflictError(f"the record contradicts another one: {cause}")
    if isinstance(error, exc.DataError):
        return InvalidInputError(f"the record store cannot hold a value: {cause}")
    if isinstance(error, exc.OperationalError | exc.ProgrammingError) and any(word in cause for word in _NO_TABLE):
        return StoreError(f"the record store lacks a table ({cause}); call Database.migrate() first")
    if isinstance(error, exc.OperationalError | exc.InterfaceError):
        return StoreUnavailableError(f"the record store gave no answer: {cause}")
    if isinstance(error, exc.DBAPIError) and error.connection_invalidated:
        return StoreUnavailableError(f"the connection to the record store was lost: {cause}")
    return StoreError(f"the record store failed: {cause}")


@contextmanager
def mapped_errors() -> Iterator[None]:
    """Raise our errors in place of SQLAlchemy's, which stay as the cause.

    Raises:
        ConflictError, InvalidInputError, StoreUnavailableError, StoreError: as `our_error` says.
    """
    try:
        yield
    except exc.SQLAlchemyError as error:
        ours = our_error(error)
        if ours is None:
            raise
        raise ours from error


@contextmanager
def connecting(where: str) -> Iterator[None]:
    """Raise one of our errors for whatever goes wrong while a connection is made.

    asyncpg raises errors of its own, and those of the operating system, before SQLAlchemy can wrap them.

    Args:
        where: the store's address without its password.
    Raises:
        StoreUnavailableError: in place of any other error but the next.
        StoreError: a file is damaged or no database; another attempt would not help.
    """
    try:
        yield
    except RejoinderError:
        raise
    except exc.TimeoutError as error:
        raise StoreUnavailableError("all connections to the record store are in use; try again") from error
    except Exception as error:
        cause = _first_line(getattr(error, "orig", None) or error)
        if type(error) is exc.DatabaseError:
            raise StoreError(f"the record store {where} cannot be used: {cause}") from error
        raise StoreUnavailableError(f"the record store {where} cannot be reached: {cause}") from error


def _first_line(error: BaseException) -> str:
    return (str(error) or type(error).__name__).splitlines()[0]
