"""Stores on SQLite."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from rejoinder.store.database import Database
from rejoinder.store.tenants import create_tenant


@pytest.fixture
def url(tmp_path: Path) -> str:
    """Where a new store will be."""
    return f"sqlite:///{tmp_path / 'data' / 'store.db'}"


@pytest.fixture
async def database(url: str) -> AsyncIterator[Database]:
    """A migrated store with the tenant "acme"."""
    opened = await Database.open(url, synchronous="NORMAL")
    await opened.migrate()
    await create_tenant(opened, "acme", name="Acme")
    yield opened
    await opened.close()
