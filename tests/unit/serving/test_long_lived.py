"""A full garbage collection of a server looks at what came after its models were loaded."""

from __future__ import annotations

import asyncio
import gc
from collections.abc import Iterator
from pathlib import Path

import pytest
from rejoinder.serving.long_lived import set_aside_long_lived
from rejoinder.testing import EchoPlugin

from tests.support.application import ANA, opened


@pytest.fixture(autouse=True)
def _as_before() -> Iterator[None]:
    yield
    gc.unfreeze()


async def test_what_is_there_once_models_are_loaded_is_set_aside(tmp_path: Path) -> None:
    async with opened(tmp_path, {"echo": EchoPlugin()}) as application, set_aside_long_lived(application):
        await asyncio.sleep(1.2)
        assert gc.get_freeze_count() == 0, "no tenant is loaded"

        await application.models.request_for("acme", ANA)
        await asyncio.sleep(2.5)

    assert gc.get_freeze_count() > 10_000
    assert len(gc.get_objects()) < 10_000
