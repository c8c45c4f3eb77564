"""A process that reads events of the tenant "acme" until none is left: `python reading_process.py FOLDER`, to be killed in the midst of it.

It prints a line whenever it has begun to read a batch.
"""

from __future__ import annotations

import asyncio
import sys
import time
from collections.abc import Sequence
from pathlib import Path

sys.path.append(str(Path(__file__).parents[2]))

from rejoinder import hookimpl
from rejoinder.events.reading import read_stream
from rejoinder.payloads import Event, Observation

from tests.support.application import opened


class Slow:
    """Observes the id of each event, slowly enough to be killed."""

    @hookimpl()
    def read_events(self, events: Sequence[Event]) -> list[Observation]:
        sys.stdout.write(f"{events[0].id}\n")
        sys.stdout.flush()
        time.sleep(0.05)
        return [Observation(event_id=one.id, type="id", at=one.at, value=one.id) for one in events]


async def main() -> None:
    """Read."""
    async with opened(Path(sys.argv[1]), {"slow": Slow()}) as application:
        while await read_stream(application, "acme"):
            pass


asyncio.run(main())
