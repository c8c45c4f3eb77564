"""Column types that mean the same on SQLite and PostgreSQL."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import orjson
from sqlalchemy import DateTime as SqlDateTime
from sqlalchemy import Dialect, String, Text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.types import TypeDecorator, TypeEngine

from rejoinder.errors import InvalidInputError

__all__ = ["JsonText", "PlainText", "UtcDateTime", "dump_json"]


class UtcDateTime(TypeDecorator[datetime]):
    """An aware moment, stored in UTC; a naive one is refused."""

    impl = SqlDateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """Turn an aware moment into UTC.

        Raises:
            InvalidInputError: it has no time zone.
        """
        if value is None:
            return None
        if value.tzinfo is None:
            raise InvalidInputError(f"the moment {value.isoformat()} has no time zone; use datetime.now(UTC)")
        return value.astimezone(UTC)

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """Give the zone back to what SQLite stored without one."""
        if value is None:
            return None
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


class PlainText(TypeDecorator[str]):
    """Text of any length; NUL, which PostgreSQL cannot store, becomes the replacement character on both databases."""

    impl = String
    cache_ok = True

    def process_bind_param(self, value: str | None, dialect: Dialect) -> str | None:
        """Replace NUL characters."""
        return value.replace("\0", "\ufffd") if value and "\0" in value else value


class JsonText(TypeDecorator[Any]):
    """What JSON can say: JSONB on PostgreSQL, text on SQLite. None is stored as SQL NULL.

    SQLite's own JSON column type would not do: it has numeric affinity, and the text `1.50` comes back as the number 1.5.
    """

    impl = Text
    cache_ok = True

    def load_dialect_impl(self, dialect: Dialect) -> TypeEngine[Any]:
        """Choose JSONB where there is one."""
        return dialect.type_descriptor(JSONB(none_as_null=True) if dialect.name == "postgresql" else Text())

    def process_bind_param(self, value: Any, dialect: Dialect) -> Any:
        """Turn a value into text, except where the driver's type does.

        Raises:
            InvalidInputError: JSON cannot say it.
        """
        return value if value is None or dialect.name == "postgresql" else dump_json(value)

    def process_result_value(self, value: Any, dialect: Dialect) -> Any:
        """Turn text back into a value."""
        return value if value is None or dialect.name == "postgresql" else orjson.loads(value)

    def coerce_compared_value(self, op: Any, value: Any) -> TypeEngine[Any]:
        """Compare JSON with JSON."""
        return self


def dump_json(value: object) -> str:
    """Turn a value into JSON text for the database.

    Raises:
        InvalidInputError: JSON cannot say it.
    """
    try:
        text = orjson.dumps(value).decode()
    except (TypeError, ValueError) as error:
        raise InvalidInputError(f"the value cannot be stored as JSON: {error}") from error
    return text.replace("\\u0000", "\ufffd") if "\\u0000" in text else text
