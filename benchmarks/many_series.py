"""Ten thousand series in one process: what watching them costs, through the hook and the store, and whether it goes on after a restart.

    python benchmarks/many_series.py [--series 10000] [--rounds 4] [--json OUT]

Each round is a day in which every company is named once, in texts that name ten; from the second on the same texts come again, whose
vectors the encoder still has. A text goes the way of all: stored, read by the plugin for the companies it names, looked through for surges
with the states of its series from the store. Then the process' application is closed and opened again, and twenty series are given a surge.

`store_bytes` is the mean state of a series as it is stored, `resident_mb` the process' memory after the round.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import string
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from itertools import islice, product
from pathlib import Path

from rejoinder.application import Application
from rejoinder.events.reading import read_stream
from rejoinder.monitoring.detection import detect_changes
from rejoinder.payloads import Event
from rejoinder.settings import DeploymentSettings, LoadedSettings
from rejoinder.store.alerts import list_alert_rows
from rejoinder.store.detection import detector_states, undetected_count
from rejoinder.store.events import NewEvent, add_events, unread_count

TENANT = "acme"
BEGUN = datetime(2026, 1, 5, tzinfo=UTC)
NAMED = 10
SURGING = 20
A_SURGE = 6
"""Times that each company is named on each of three days, where once is usual."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Round:
    """What one day cost."""

    day: int
    observations: int
    read_per_s: float
    detected_per_s: float
    store_bytes: float
    resident_mb: float


def tickers(count: int) -> list[str]:
    """Return so many cashtags without their sign."""
    return ["".join(letters) for letters in islice(product(string.ascii_uppercase, repeat=4), count)]


def day_of(names: list[str], day: int, note: str = "") -> Iterator[NewEvent]:
    """Yield the texts of a day, each naming ten companies."""
    for first in range(0, len(names), NAMED):
        named = " ".join(f"${name}" for name in names[first : first + NAMED])
        key = f"d{day}{note}-{first}"
        at = BEGUN + timedelta(days=day, seconds=first)
        yield NewEvent(event=Event(id=key, kind="document", at=at, text=f"{named} in the news"), sha256=key)


def resident_mb() -> float:
    """Return the memory that this process has now, in MiB."""
    status = Path("/proc/self/status").read_text(encoding="ascii")
    return int(status.partition("VmRSS:")[2].split()[0]) / 1024


@asynccontextmanager
async def opened(folder: Path) -> AsyncIterator[Application]:
    """Open the application over a folder, with a tenant that watches mentions by the day."""
    async with Application.open(LoadedSettings(DeploymentSettings(data_dir=folder))) as application:
        if TENANT not in {row.id for row in await application.tenants.list()}:
            await application.tenants.create(TENANT, plugins=["finance_sentiment"])
            surges = {"bucket_minutes": 1440, "watch": ["mention"]}
            await application.tenants.set_setting(TENANT, "finance_sentiment.surges", surges)
            await application.tenants.set_setting(TENANT, "finance_sentiment.examples", 0)
            await application.tenants.set_setting(
                TENANT, "finance_sentiment.max_companies", 1
            )  # sentiments are not watched
        yield application


async def work(application: Application, texts: list[NewEvent]) -> tuple[float, float]:
    """Store texts, read them and look through them; return the seconds of reading and of looking."""
    for first in range(0, len(texts), 256):
        await add_events(application.database, TENANT, texts[first : first + 256])
    started = time.perf_counter()
    while await unread_count(application.database, TENANT):
        await read_stream(application, TENANT)
    read = time.perf_counter()
    while await undetected_count(application.database, TENANT):
        await detect_changes(application, TENANT)
    return read - started, time.perf_counter() - read


async def state_bytes(application: Application, names: list[str]) -> float:
    """Return the mean size of the states of series as JSON."""
    states = await detector_states(application.database, TENANT, [f"mention:{name}" for name in names])
    return sum(len(json.dumps(dict(one.data))) for one in states.values()) / len(states)


async def measure(folder: Path, series: int, rounds: int) -> tuple[list[Round], int]:
    """Go through the days, and after a restart through a surge; return what the days cost, and the alerts of the surge."""
    names = tickers(series)
    found = []
    async with opened(folder) as application:
        await work(application, list(day_of(["ZZZZ"], 0)))  # models are loaded
        for day in range(rounds):
            read_s, detect_s = await work(application, list(day_of(names, day)))
            found.append(
                Round(
                    day=day,
                    observations=series,
                    read_per_s=series / read_s,
                    detected_per_s=series / detect_s,
                    store_bytes=await state_bytes(application, names),
                    resident_mb=resident_mb(),
                )
            )
            print(
                f"day {day}: {series} observations, {found[-1].read_per_s:,.0f} read and {found[-1].detected_per_s:,.0f} looked through "
                f"a second, {found[-1].store_bytes:,.0f} bytes a series, {found[-1].resident_mb:,.0f} MiB resident",
                flush=True,
            )
    async with opened(folder) as application:
        for day in range(rounds, 15):  # the rest of the warm-up
            await work(application, list(day_of(names[:SURGING], day)))
        for day, number in product(range(15, 18), range(A_SURGE)):
            await work(application, list(day_of(names[:SURGING], day, f"x{number}")))
        alerts = await list_alert_rows(application.database, TENANT, limit=1000)
    return found, len({row.key for row in alerts} & set(names[:SURGING]))


def main() -> int:
    """Print a line for each day; write JSON."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--series", type=int, default=10_000)
    parser.add_argument("--rounds", type=int, default=4)
    parser.add_argument("--json", type=Path)
    chosen = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        found, alerts = asyncio.run(measure(Path(folder), chosen.series, chosen.rounds))
    print(f"after a restart: {alerts} of {SURGING} series with a surge raised an alert")
    if chosen.json is not None:
        told = {"series": chosen.series, "alerts": alerts, "days": [asdict(one) for one in found]}
        chosen.json.write_text(json.dumps(told, indent=1), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
