"""Statements that go past SQLAlchemy to SQLite's driver."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from rejoinder.errors import InvalidInputError, StoreError
from rejoinder.payloads import ConversationState
from rejoinder.store.conversations import open_conversation
from rejoinder.store.database import Database
from rejoinder.store.turns import NewTurn, record_turn


def new_turn(**changes) -> NewTurn:
    return NewTurn(**{"number": 1, "action": "answer", "started_at": datetime.now(UTC), **changes})


async def test_what_the_driver_says_is_told_as_what_sqlalchemy_says(url: str):
    database = await Database.open(url, synchronous="NORMAL")
    try:
        with pytest.raises(StoreError, match=r"no such table: conversations.*migrate"):
            await record_turn(
                database,
                "acme",
                conversation_id="c1",
                expected_version=0,
                state=ConversationState(),
                turn=new_turn(),
            )
    finally:
        await database.close()


async def test_values_are_checked_as_sqlalchemy_does(database: Database):
    opened = await open_conversation(database, "acme", user_id="ann")
    with pytest.raises(InvalidInputError, match="cannot be stored as JSON"):
        await record_turn(
            database,
            "acme",
            conversation_id=opened.id,
            expected_version=0,
            state=ConversationState(),
            turn=new_turn(trace={"no": object()}),
        )
