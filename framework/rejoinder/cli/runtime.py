"""What commands open and close: settings, plugins, the record store."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator, Coroutine, Mapping, Sequence
from contextlib import asynccontextmanager
from functools import cached_property
from typing import TYPE_CHECKING, Any, TypeVar

from rejoinder.host.deployment import load_host
from rejoinder.settings import DeploymentSettings, LoadedSettings, load_settings

if TYPE_CHECKING:
    from pydantic import BaseModel

    from rejoinder.host import Host
    from rejoinder.models.encoding.encoder import Encoder
    from rejoinder.payloads import Domain
    from rejoinder.store.database import Database
    from rejoinder.tenants.service import Tenants

__all__ = ["InstalledPlugins", "load_encoder", "load_host", "open_database", "open_tenants", "run"]

_T = TypeVar("_T")


def run(work: Coroutine[Any, Any, _T]) -> _T:
    """Run a coroutine to its end in an event loop of its own."""
    return asyncio.run(work)


class InstalledPlugins:
    """The plugins of this deployment, imported when they are first asked for: many commands need none."""

    def __init__(self, settings: DeploymentSettings) -> None:
        self._settings = settings

    @cached_property
    def _host(self) -> Host:
        return load_host(self._settings)

    @property
    def plugin_names(self) -> frozenset[str]:
        """Names of the plugins."""
        return self._host.plugin_names

    @property
    def settings_models(self) -> Mapping[str, type[BaseModel]]:
        """The settings model of each plugin that has one."""
        return self._host.settings_models

    @property
    def domains(self) -> Sequence[Domain]:
        """The domains that they bring."""
        return self._host.domains


@asynccontextmanager
async def open_database(settings: DeploymentSettings) -> AsyncIterator[Database]:
    """Open the record store, migrating it.

    Raises:
        StoreUnavailableError: the store does not answer.
    """
    from rejoinder.store.database import Database

    database = await Database.open(settings.store_url, synchronous=settings.store.synchronous)
    try:
        await database.migrate()
        yield database
    finally:
        await database.close()


@asynccontextmanager
async def open_tenants(loaded: LoadedSettings | None = None) -> AsyncIterator[Tenants]:
    """Open the record store (migrating it) and give the tenants in it.

    Raises:
        SettingsError: a setting is wrong.
        StoreUnavailableError: the store does not answer.
    """
    from rejoinder.tenants.service import Tenants

    loaded = loaded or load_settings()
    async with open_database(loaded.settings) as database:
        yield Tenants(database, InstalledPlugins(loaded.settings), loaded)


def load_encoder() -> Encoder:
    """Load the encoder that this deployment's settings name, on all cores unless these say otherwise: nothing else runs.

    Raises:
        ModelError: it cannot be loaded.
    """
    from rejoinder.models.encoding.encoder import load_encoder

    settings = load_settings().settings.encoder
    return load_encoder(settings.name, threads=settings.threads or os.cpu_count() or 1, **settings.loading)
