"""Alembic's migrations of the host's own tables, run by `rejoinder.store.schema`."""
