"""Run by Alembic: migrate on the connection and in the transaction that `rejoinder.store.schema` hands over."""

from __future__ import annotations

from alembic import context

from rejoinder.store.tables import metadata

connection = context.config.attributes.get("connection")
if connection is None:
    raise RuntimeError(
        "these migrations run through rejoinder.store.database.Database.migrate(), not from Alembic's own command"
    )

context.configure(
    connection=connection,
    target_metadata=metadata,
    transactional_ddl=True,
    render_as_batch=connection.dialect.name == "sqlite",
)
with context.begin_transaction():
    context.run_migrations()
