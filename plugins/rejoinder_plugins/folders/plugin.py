"""The plugin's hooks."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Final

from rejoinder.context import Context, Deployment
from rejoinder.hooks import hookimpl
from rejoinder.payloads import Poll, Source

from rejoinder_plugins.folders.inbox import poll_folder

KIND: Final = "folder"

_INBOX: Final = "inbox"


class FoldersPlugin:
    """Reads documents from sources of the kind `folder`: folders below `inbox/<tenant>` in the deployment's data folder."""

    rejoinder_spec = ">=1.0,<2"

    def __init__(self) -> None:
        self._inbox = Path(_INBOX)

    @hookimpl()
    def start(self, deployment: Deployment) -> None:
        """Note where the tenants' folders are."""
        self._inbox = Path(deployment.data_dir) / _INBOX

    @hookimpl()
    async def poll_source(self, source: Source, cursor: str | None, context: Context) -> Poll | None:
        """Read the next files of a folder; None for sources of other kinds. Nothing outside the tenant's own folder is reached."""
        if source.kind != KIND:
            return None
        own = (self._inbox / context.tenant).resolve()
        folder = (own / source.location).resolve()
        if not folder.is_relative_to(own):
            return Poll(
                rows=(), cursor=cursor, error="the location of a folder is a path below the tenant's own folder"
            )
        try:
            return await asyncio.to_thread(poll_folder, folder, cursor)
        except OSError as error:
            return Poll(rows=(), cursor=cursor, error=f"the folder cannot be used: {error.strerror or error}")
