"""The real application over a real store, with inline plugins and an encoder that needs no model.

`opened(folder, plugins)` is `Application.open` with only these two replaced; opened a second time over the same folder it is the
next process after a restart.
"""

from __future__ import annotations

import itertools
import shutil
import subprocess
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any
from unittest.mock import patch

from rejoinder.application import Application
from rejoinder.context import Clock, utc_now
from rejoinder.host import Host, Plugins
from rejoinder.learning.holdback import held_back
from rejoinder.learning.live import LiveModels
from rejoinder.learning.versions import open_registry
from rejoinder.models.encoding.service import TextEncoder
from rejoinder.payloads import Caller
from rejoinder.settings import DeploymentSettings, LoadedSettings
from rejoinder.testing import HashEncoder

ANA = Caller(id="ana")
BEN = Caller(id="ben")
AGENT = Caller(id="agent-1", role="agent")
ADMIN = Caller(id="admin-1", role="admin")


@asynccontextmanager
async def opened(
    folder: Path,
    plugins: Mapping[str, object],
    *,
    store_url: str | None = None,
    model: TextEncoder | None = None,
    clock: Clock = utc_now,
    tenants: tuple[str, ...] = ("acme",),
    host_options: Mapping[str, Any] | None = None,
    **settings: Any,
) -> AsyncIterator[Application]:
    """Open an application in a folder, with these plugins and tenants.

    Args:
        store_url: default a SQLite file in the folder.
        model: what makes vectors of texts; default a `HashEncoder`.
        host_options: passed on to `Host`, e.g. `{"deadlines_s": {"compose_reply": 0.1}}`.
        settings: sections of the deployment's settings, e.g. `encoder={"max_queue": 1}`.
    """
    registry = Plugins()
    for name, plugin in plugins.items():
        registry.register(plugin, name, "this test")
    store = {"url": store_url, "synchronous": "NORMAL"}
    loaded = LoadedSettings(
        DeploymentSettings(data_dir=folder, store=store, **settings), tenants_dir=folder / "tenants"
    )
    host = Host(registry, **{"breaker_failures": 1000, **(host_options or {})})
    loads = model or HashEncoder()
    with (
        patch("rejoinder.application.load_host", lambda _: host),
        patch("rejoinder.application.load_encoder", lambda *_, **__: loads),
    ):
        async with Application.open(loaded, clock=clock) as application:
            known = {row.id for row in await application.tenants.list()}
            for tenant in tenants:
                if tenant not in known:
                    await application.tenants.create(tenant)
            yield application


def new_models(application: Application, **options: Any) -> LiveModels:
    """Return live models over an application's store as another process would have them."""
    registry = open_registry(application.database, application.settings)
    values: dict[str, Any] = {"registry": registry, "clock": application.clock, **options}
    return LiveModels(application.database, application.host, application.encoder, application.tenants, **values)


def text_that_is(kept: bool, pattern: str = "what about number {}", *, start: int = 0, every: int = 10) -> str:
    """Return a text that is, or is not, kept back from all models."""
    texts = (pattern.format(number) for number in itertools.count(start))
    return next(text for text in texts if held_back(text, every) == kept)


def file_bytes(folder: Path, name: str = "rejoinder.db") -> bytes:
    """Return all that is in a SQLite file, its write-ahead log included.

    Read by another process: to close the file in this one would drop the locks of its open connections.
    """
    files = sorted(str(path) for path in folder.glob(f"{name}*"))
    assert files, f"there is no {name} in {folder}"
    return subprocess.run(["cat", *files], capture_output=True, check=True).stdout


def copied(template: Path, folder: Path) -> Path:
    """Put a migrated store into a folder, which spares a test the migrations."""
    folder.mkdir(parents=True, exist_ok=True)
    shutil.copy(template, folder / "rejoinder.db")
    return folder
