"""Writes turns and feedback as fast as it can, and prints each id once it is acknowledged. Run by test_store_kill.py.

For each store's URL on standard input it forks a child that writes without end, prints the child's id, and, once somebody has
killed the child, "dead". Forking saves each round the imports.
"""

from __future__ import annotations

import asyncio
import os
import sys
from dataclasses import replace
from datetime import UTC, datetime
from uuid import uuid4

from rejoinder.payloads import ConversationState, Decision, Feedback, Reply
from rejoinder.store.conversations import open_conversation
from rejoinder.store.database import Database
from rejoinder.store.feedback import add_feedback
from rejoinder.store.turns import NewTurn, record_turn


def acknowledge(kind: str, record_id: str) -> None:
    """Tell the test, without delay."""
    sys.stdout.write(f"{kind} {record_id}\n")
    sys.stdout.flush()


async def talk(database: Database) -> None:
    """Hold one conversation without end."""
    conversation = await open_conversation(database, "acme", user_id="ann")
    state = ConversationState()
    number = 0
    while True:
        number += 1
        now = datetime.now(UTC)
        decision = Decision(id=uuid4().hex, kind="turn", task="intent", at=now)
        turn = NewTurn(
            number=number, action="answer", started_at=now, user_text="question", reply=Reply(parts=("answer",))
        )
        state = await record_turn(
            database,
            "acme",
            conversation_id=conversation.id,
            expected_version=state.version,
            state=replace(state, misses=number),
            turn=turn,
            decision=decision,
        )
        acknowledge("turn", turn.id)
        given = Feedback(id=uuid4().hex, decision_id=decision.id, kind="thumbs", value=1, user_id="ann", at=now)
        await add_feedback(database, "acme", given, idempotency_key=given.id, request_hash="hash")
        acknowledge("feedback", given.id)


async def write(url: str) -> None:
    """Talk in eight conversations at once."""
    database = await Database.open(url)
    await asyncio.gather(*(talk(database) for _ in range(8)))


def main() -> None:
    """Serve one round for each line of standard input."""
    for line in sys.stdin:
        child = os.fork()
        if child == 0:
            asyncio.run(write(line.strip()))
            os._exit(1)
        acknowledge("child", str(child))
        os.waitpid(child, 0)
        acknowledge("dead", str(child))


if __name__ == "__main__":
    main()
