"""What records cost: `load_conversation` and `record_turn`, one after the other and for many conversations at once.

    python benchmarks/store.py [URL ...] [--json OUT]

A URL that ends in "/" is a folder for a new SQLite file, e.g. sqlite:////dev/shm/ (a RAM disk, so without the disk's own time) or
sqlite:////tmp/; those two are the default. A PostgreSQL database must be empty.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import statistics
import tempfile
import time
from datetime import UTC, datetime
from pathlib import Path
from uuid import uuid4

from rejoinder.payloads import Candidate, ConversationState, Decision, Reply
from rejoinder.store.conversations import open_conversation
from rejoinder.store.database import Database
from rejoinder.store.tenants import create_tenant
from rejoinder.store.turns import NewTurn, load_conversation, record_turn

TURNS, CONVERSATIONS, TURNS_EACH = 300, 100, 10


async def hold_turn(database: Database, tenant: str, conversation_id: str, number: int) -> tuple[float, float]:
    """Hold one turn; return the seconds of its load and of its record."""
    started = time.perf_counter()
    loaded = await load_conversation(database, tenant, conversation_id)
    loaded_at = time.perf_counter()
    now = datetime.now(UTC)
    candidates = tuple(Candidate(id=f"intent_{k}", score=0.5) for k in range(5))
    turn = NewTurn(
        number=number,
        action="answer",
        started_at=now,
        idempotency_key=uuid4().hex,
        request_hash="h" * 64,
        user_text="where is my card?",
        reply=Reply(parts=("It is on its way to you. " * 4,)),
        trace=[{"plugin": "memory", "hook": "understand_intent", "ms": 1.0}] * 5,
    )
    await record_turn(
        database,
        tenant,
        conversation_id=conversation_id,
        expected_version=loaded.state.version,
        state=ConversationState(misses=number),
        turn=turn,
        decision=Decision(id=uuid4().hex, kind="turn", task="intent", at=now, input="where", candidates=candidates),
    )
    return loaded_at - started, time.perf_counter() - loaded_at


def percentiles(seconds: list[float]) -> dict[str, float]:
    """Return the median and the 95th percentile in milliseconds."""
    cuts = statistics.quantiles(seconds, n=20)
    return {"p50_ms": cuts[9] * 1e3, "p95_ms": cuts[18] * 1e3}


async def measure(url: str) -> dict[str, float]:
    """Measure turns one after the other, then many conversations at once."""
    if url.endswith("/"):
        url = f"sqlite:///{tempfile.mkdtemp(dir=url.removeprefix('sqlite:///'))}/store.db"
    database = await Database.open(url)
    await database.migrate()
    tenant = f"t{uuid4().hex}"
    await create_tenant(database, tenant, name="Measured")
    first = await open_conversation(database, tenant, user_id="ann")
    loads, records = zip(*[await hold_turn(database, tenant, first.id, n) for n in range(1, TURNS + 1)], strict=True)
    conversations = [await open_conversation(database, tenant, user_id="ann") for _ in range(CONVERSATIONS)]

    async def talk(conversation_id: str) -> None:
        for number in range(1, TURNS_EACH + 1):
            await hold_turn(database, tenant, conversation_id, number)

    started = time.perf_counter()
    await asyncio.gather(*(talk(one.id) for one in conversations))
    rate = CONVERSATIONS * TURNS_EACH / (time.perf_counter() - started)
    await database.close()
    record, load = percentiles(list(records)), percentiles(list(loads))
    return {
        "record_p50_ms": record["p50_ms"],
        "record_p95_ms": record["p95_ms"],
        "load_p50_ms": load["p50_ms"],
        "load_p95_ms": load["p95_ms"],
        "turns_per_s": rate,
    }


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description="What records cost.")
    parser.add_argument("urls", nargs="*", default=["sqlite:////dev/shm/", "sqlite:////tmp/"], metavar="URL")
    parser.add_argument("--json", type=Path, help="write the figures to this file")
    options = parser.parse_args()
    report = {url: asyncio.run(measure(url)) for url in options.urls}
    print(f"{'':<24}{'record p50':>12}{'p95':>8}{'load p50':>12}{'p95':>8}{'turns/s':>10}")
    for url, row in report.items():
        print(
            f"{url:<24}{row['record_p50_ms']:>9.2f} ms{row['record_p95_ms']:>8.2f}"
            f"{row['load_p50_ms']:>9.2f} ms{row['load_p95_ms']:>8.2f}{row['turns_per_s']:>10.0f}"
        )
    if options.json:
        options.json.write_text(json.dumps(report, indent=2))


if __name__ == "__main__":
    main()
