"""Statements that are on the way of every turn, compiled once.

SQLAlchemy's way from a Core statement to SQLite's driver, its cache of compiled statements included, touches so much code and memory that
it takes several times as long after an encoder has emptied the processor's caches as it does in a loop. A `RowChange` knows what that way
comes to, and hands it to the driver.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from sqlalchemy import Insert, Update
from sqlalchemy.dialects import sqlite
from sqlalchemy.exc import DBAPIError
from sqlalchemy.orm import Session

__all__ = ["RowChange"]

_SQLITE = sqlite.dialect()


class RowChange:
    """An insert or update of one row.

    Args:
        statement: of Core; its values are those that `run` is given.
        columns: the names of all values that `run` will be given.
    """

    def __init__(self, statement: Insert | Update, columns: Sequence[str]) -> None:
        self._statement = statement
        compiled = statement.compile(dialect=_SQLITE, column_keys=columns)
        self._text = str(compiled)
        self._values = [(name, _processor(compiled.binds[name].type)) for name in compiled.positiontup or ()]

    def run(self, session: Session, values: Mapping[str, Any]) -> int:
        """Change the row; return how many rows there were.

        Raises:
            DBAPIError: as SQLAlchemy's `execute`.
        """
        connection = session.connection()
        driver = connection.connection.driver_connection
        if not isinstance(driver, sqlite3.Connection):
            return connection.execute(self._statement, values).rowcount
        given = [values[name] if process is None else process(values[name]) for name, process in self._values]
        try:
            return driver.execute(self._text, given).rowcount
        except sqlite3.Error as error:
            raise DBAPIError.instance(self._text, given, error, sqlite3.Error, dialect=_SQLITE) from error


def _processor(kind: Any) -> Callable[[Any], Any] | None:
    found: Callable[[Any], Any] | None = kind.dialect_impl(_SQLITE).bind_processor(_SQLITE)
    return found
