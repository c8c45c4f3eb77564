"""Bring a database's schema to a revision. Everything here blocks; `Database` calls it through `run_sync`.

One transaction does it all: SQLite and PostgreSQL both undo what a crash leaves half done. The transaction also is the lock
between processes that start at once: on SQLite it began with BEGIN IMMEDIATE, on PostgreSQL it takes an advisory lock first.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy import Connection, text

from rejoinder.errors import StoreError, did_you_mean

if TYPE_CHECKING:
    from alembic.config import Config
    from alembic.script import ScriptDirectory

__all__ = ["alembic_config", "current_revision", "downgrade", "upgrade"]

_MIGRATION_LOCK = 0x72656A6F696E6465  # "rejoinde": any number that no one else uses


def alembic_config(connection: Connection | None = None) -> Config:
    """Return Alembic's settings for the packaged migrations; they need no file."""
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", "rejoinder.store:migrations")
    config.set_main_option("path_separator", "os")
    config.attributes["connection"] = connection
    return config


def current_revision(connection: Connection) -> str | None:
    """Return the schema's revision; None when there are no tables yet."""
    from alembic.runtime.migration import MigrationContext

    return MigrationContext.configure(connection).get_current_revision()


def upgrade(connection: Connection) -> None:
    """Bring the schema to this version's revision.

    Raises:
        StoreError: it was made by a newer version.
    """
    from alembic import command

    config = alembic_config(connection)
    _lock(connection)
    _known_revision(connection, config)
    command.upgrade(config, "head")


def downgrade(connection: Connection, *, revision: str) -> None:
    """Bring the schema back to an older revision; "base" removes all tables.

    Raises:
        StoreError: there is no such revision, or the schema was made by a newer version.
    """
    from alembic import command

    config = alembic_config(connection)
    _lock(connection)
    script = _known_revision(connection, config)
    known = [entry.revision for entry in script.walk_revisions()]
    if revision != "base" and revision not in known:
        raise StoreError(f"there is no schema revision {revision!r}.{did_you_mean(revision, [*known, 'base'])}")
    command.downgrade(config, revision)


def _lock(connection: Connection) -> None:
    if connection.dialect.name == "postgresql":
        connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": _MIGRATION_LOCK})


def _known_revision(connection: Connection, config: Config) -> ScriptDirectory:
    from alembic.script import ScriptDirectory

    script = ScriptDirectory.from_config(config)
    current = current_revision(connection)
    known = {entry.revision for entry in script.walk_revisions()}
    if current is not None and current not in known:
        raise StoreError(
            f"the record store has schema revision {current!r}, which this version of Rejoinder does not know (its newest is "
            f"{script.get_current_head()!r}): a newer version made it. Install that version or a later one; nothing was changed"
        )
    return script
