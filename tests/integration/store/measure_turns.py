"""Measure `record_turn` and `load_conversation`: python tests/integration/store/measure_turns.py URL...

A URL that ends in "/" is a folder for a new SQLite file, e.g. sqlite:////dev/shm/ (a RAM disk) or sqlite:////tmp/.
"""

from __future__ import annotations

import asyncio
import statistics
import sys
import tempfile
import time
from datetime import UTC, datetime
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


def told(name: str, seconds: list[float]) -> str:
    """Return the median and the 95th percentile in words."""
    cuts = statistics.quantiles(seconds, n=20)
    return f"{name} p50 {cuts[9] * 1e3:.2f} ms, p95 {cuts[18] * 1e3:.2f} ms"


async def measure(url: str) -> str:
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
    return (
        f"{database.shown_url}: {told('record', list(records))}; {told('load', list(loads))}; "
        f"{CONVERSATIONS} conversations at once: {rate:.0f} turns/s"
    )


if __name__ == "__main__":
    for place in sys.argv[1:]:
        sys.stdout.write(asyncio.run(measure(place)) + "\n")
