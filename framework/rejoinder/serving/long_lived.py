"""What lives as long as the server is kept out of garbage collection.

A full collection stops every turn. With the libraries of models loaded it looks at 300,000 objects, mostly their functions, in some 180 ms;
when these are set aside (`gc.freeze`), at what came later, in 1 to 2 ms.
"""

from __future__ import annotations

import asyncio
import gc
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from rejoinder.application import Application

__all__ = ["set_aside_long_lived"]

_LOOK_S: Final = 1.0


@asynccontextmanager
async def set_aside_long_lived(application: Application) -> AsyncIterator[None]:
    """Set aside what there is once the first tenant's models are loaded, and with them their libraries; to be held while it is served.

    Once only: what is replaced later, such as models, has to be collected.
    """
    waiting = asyncio.create_task(_when_loaded(application), name="rejoinder-long-lived")
    try:
        yield
    finally:
        waiting.cancel()


async def _when_loaded(application: Application) -> None:
    loaded: tuple[str, ...] = ()
    while not loaded:
        await asyncio.sleep(_LOOK_S)
        loaded = application.models.loaded_tenants
    gc.collect()
    gc.freeze()
