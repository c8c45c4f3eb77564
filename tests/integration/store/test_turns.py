"""Conversations, their state and their turns."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest
from rejoinder.errors import ConflictError, NotFoundError
from rejoinder.payloads import ConversationState, Slot, Utterance
from rejoinder.store import conversations, decisions, secret_slots, turns
from rejoinder.store.database import Database
from rejoinder.store.tables import DecisionRow, Turn
from sqlalchemy import func, select

from .samples import NOON, decision, later, turn


@pytest.fixture
async def conversation_id(database: Database) -> str:
    opened = await conversations.open_conversation(database, "acme", user_id="ann", at=NOON)
    return opened.id


async def record(database: Database, conversation_id: str, number: int = 1, **changes):
    options = {"turn": turn(number), "decision": decision(f"decision_{number}"), "state": ConversationState()}
    return await turns.record_turn(
        database, "acme", **{"conversation_id": conversation_id, "expected_version": number - 1, **options, **changes}
    )


async def test_a_turn_its_state_and_its_decision_come_back(database: Database, conversation_id: str):
    state = ConversationState(mode="queued", slots={"card": Slot(name="card", value={"last": [1, None]})})
    stored = await record(database, conversation_id, state=state)
    assert stored == replace(state, version=1)
    loaded = await turns.load_conversation(database, "acme", conversation_id)
    assert (loaded.user_id, loaded.state, loaded.next_number, loaded.closed) == ("ann", stored, 2, False)
    assert loaded.history == (
        Utterance(speaker="user", text="question 1", at=later(1)),
        Utterance(speaker="bot", text="answer 1", at=later(1.01)),
    )
    assert await decisions.get_decision(database, "acme", "decision_1") == decision()
    assert await decisions.decisions_of_turn(database, "acme", "turn_1") == [decision()]
    row = await turns.get_turn(database, "acme", "turn_1")
    assert (row.trace, row.reply["parts"], row.started_at) == (turn().trace, ["answer 1"], later(1))
    opened = await conversations.get_conversation(database, "acme", conversation_id)
    assert (opened.mode, opened.updated_at) == ("queued", later(1.01))


async def test_history_is_the_last_lines_oldest_first(database: Database, conversation_id: str):
    for number in range(1, 5):
        await record(database, conversation_id, number)
    loaded = await turns.load_conversation(database, "acme", conversation_id, history=3)
    assert [line.text for line in loaded.history] == ["answer 3", "question 4", "answer 4"]
    assert (await turns.load_conversation(database, "acme", conversation_id, history=0)).history == ()


async def test_silent_turns_and_agents_are_in_the_history(database: Database, conversation_id: str):
    await record(database, conversation_id, turn=turn(1, reply=None, action="silent"))
    await record(database, conversation_id, 2, turn=turn(2, user_text=None, speaker="agent"))
    loaded = await turns.load_conversation(database, "acme", conversation_id)
    assert [(line.speaker, line.text) for line in loaded.history] == [("user", "question 1"), ("agent", "answer 2")]


async def test_a_state_that_changed_meanwhile_is_a_conflict_and_writes_nothing(
    database: Database, conversation_id: str
):
    await record(database, conversation_id)
    with pytest.raises(ConflictError, match="state version 1, not 0"):
        await record(database, conversation_id, 2, expected_version=0)
    async with database.read() as session:
        assert await session.scalar(select(func.count()).select_from(Turn)) == 1


async def test_a_state_replaced_between_turns_leaves_their_number(database: Database, conversation_id: str):
    await record(database, conversation_id)
    await conversations.update_state(
        database, "acme", conversation_id, expected_version=1, state=ConversationState(mode="agent")
    )
    loaded = await turns.load_conversation(database, "acme", conversation_id)
    assert (loaded.state.mode, loaded.state.version, loaded.next_number) == ("agent", 2, 2)


async def test_of_two_turns_at_once_one_wins(database: Database, conversation_id: str):
    results = await asyncio.gather(
        *(
            record(database, conversation_id, turn=turn(1, id=f"turn_{k}"), decision=decision(f"decision_{k}"))
            for k in range(5)
        ),
        return_exceptions=True,
    )
    assert sorted(type(result).__name__ for result in results) == ["ConflictError"] * 4 + ["ConversationState"]
    async with database.read() as session:
        assert await session.scalar(select(func.count()).select_from(Turn)) == 1
        assert await session.scalar(select(func.count()).select_from(DecisionRow)) == 1


async def test_a_decision_that_exists_undoes_the_whole_turn(database: Database, conversation_id: str):
    await record(database, conversation_id)
    with pytest.raises(ConflictError):
        await record(database, conversation_id, 2, decision=decision("decision_1"))
    loaded = await turns.load_conversation(database, "acme", conversation_id)
    assert (loaded.state.version, loaded.next_number) == (1, 2)


async def test_a_turn_is_found_by_its_key_in_its_conversation_only(database: Database, conversation_id: str):
    await record(database, conversation_id, turn=turn(1, idempotency_key="key", request_hash="hash"))
    found = await turns.find_turn_by_key(database, "acme", conversation_id, "key")
    assert found is not None
    assert (found.id, found.request_hash) == ("turn_1", "hash")
    assert await turns.find_turn_by_key(database, "acme", conversation_id, "another") is None
    second = await conversations.open_conversation(database, "acme", user_id="ann")
    assert await turns.find_turn_by_key(database, "acme", second.id, "key") is None
    with pytest.raises(ConflictError):
        await record(database, conversation_id, 2, turn=turn(2, idempotency_key="key"))


async def test_turns_run_in_a_session_of_the_caller_too(database: Database, conversation_id: str):
    async def fail() -> None:
        async with database.write() as session:
            await turns.record_turn(
                session,
                "acme",
                conversation_id=conversation_id,
                expected_version=0,
                state=ConversationState(),
                turn=turn(),
            )
            assert (await turns.load_conversation(session, "acme", conversation_id)).next_number == 2
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await fail()
    assert (await turns.load_conversation(database, "acme", conversation_id)).next_number == 1


async def test_records_are_as_they_are_in_the_store_now(database: Database, conversation_id: str):
    async with database.write() as session:
        before = await conversations.get_conversation(session, "acme", conversation_id)
        await conversations.update_state(
            session, "acme", conversation_id, expected_version=0, state=ConversationState(mode="agent")
        )
        after = await conversations.get_conversation(session, "acme", conversation_id)
    assert before is after
    assert (after.mode, after.state_version) == ("agent", 1)


async def test_what_no_database_can_hold_is_replaced(database: Database, conversation_id: str):
    await record(database, conversation_id, turn=turn(1, user_text="a\0b", trace=["c\0d"]))
    row = await turns.get_turn(database, "acme", "turn_1")
    assert (row.user_text, row.trace) == ("a\ufffdb", ["c\ufffdd"])


async def test_listing_conversations_and_turns(database: Database, conversation_id: str):
    second = await conversations.open_conversation(database, "acme", user_id="bob", at=later(60))
    await conversations.close_conversation(database, "acme", second.id, at=later(90))
    await record(database, conversation_id)
    ids = [one.id for one in await conversations.list_conversations(database, "acme")]
    assert ids == [second.id, conversation_id]
    assert [one.id for one in await conversations.list_conversations(database, "acme", closed=False)] == [
        conversation_id
    ]
    assert [one.id for one in await conversations.list_conversations(database, "acme", user_id="bob")] == [second.id]
    assert [one.id for one in await conversations.list_conversations(database, "acme", before=later(90))] == [
        conversation_id
    ]
    assert await conversations.list_conversations(database, "acme", mode="agent") == []
    assert [one.number for one in await turns.list_turns(database, "acme", conversation_id)] == [1]
    assert await turns.list_turns(database, "acme", conversation_id, after_number=1) == []


async def test_deleting_a_conversation_takes_what_hangs_on_it(database: Database, conversation_id: str):
    await record(database, conversation_id)
    await secret_slots.put_secret(database, "acme", conversation_id, "card", ciphertext=b"x", expires_at=later(9))
    await conversations.delete_conversation(database, "acme", conversation_id)
    for read in (decisions.get_decision(database, "acme", "decision_1"), turns.get_turn(database, "acme", "turn_1")):
        with pytest.raises(NotFoundError):
            await read


async def test_secrets_are_replaced_and_expire(database: Database, conversation_id: str):
    for ciphertext in (b"old", b"\0new"):
        await secret_slots.put_secret(
            database, "acme", conversation_id, "card", ciphertext=ciphertext, expires_at=later(10)
        )
    assert await secret_slots.get_secrets(database, "acme", conversation_id, at=NOON) == {"card": b"\0new"}
    assert await secret_slots.get_secrets(database, "acme", conversation_id, at=later(10)) == {}
    assert await secret_slots.delete_expired_secrets(database, "acme", at=NOON) == 0
    assert await secret_slots.delete_expired_secrets(database, "acme", at=later(10)) == 1
