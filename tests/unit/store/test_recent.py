"""What is kept of a conversation is what the store would give, and never older."""

from __future__ import annotations

from datetime import timedelta

import pytest
from rejoinder.context import utc_now
from rejoinder.errors import NotFoundError
from rejoinder.payloads import ConversationState, Reply, Slot
from rejoinder.store.conversations import delete_conversation, open_conversation, update_state
from rejoinder.store.database import Database
from rejoinder.store.recent import RecentConversations
from rejoinder.store.turns import NewTurn, load_conversation, record_turn

HISTORY = 4


async def _turn(database: Database, recent: RecentConversations, conversation_id: str, text: str | None) -> None:
    loaded = await recent.load("acme", conversation_id)
    turn = NewTurn(
        number=loaded.next_number,
        action="answer",
        started_at=utc_now() - timedelta(milliseconds=3),
        user_text=text,
        reply=Reply(parts=("one", "two")) if text != "quiet" else None,
        duration_ms=1.2345,
        speaker="agent" if text is None else "bot",
    )
    state = ConversationState(slots={"order": Slot(name="order", value=text)}, misses=loaded.next_number)
    stored = await record_turn(
        database,
        "acme",
        conversation_id=conversation_id,
        expected_version=loaded.state.version,
        state=state,
        turn=turn,
    )
    recent.keep("acme", loaded, [turn], stored)


@pytest.fixture
async def conversation(database: Database) -> str:
    return (await open_conversation(database, "acme", user_id="ann")).id


async def test_what_is_kept_is_what_the_store_has(database: Database, conversation: str) -> None:
    recent = RecentConversations(database, history=HISTORY)
    for text in ("hello", "quiet", None, "where is it", "thanks"):
        await _turn(database, recent, conversation, text)
        kept = await recent.load("acme", conversation)
        assert kept == await load_conversation(database, "acme", conversation, history=HISTORY)
        assert len(kept.history) <= HISTORY


async def test_what_another_changed_is_loaded_again(database: Database, conversation: str) -> None:
    here, elsewhere = (RecentConversations(database, history=HISTORY) for _ in range(2))
    await _turn(database, here, conversation, "hello")
    await _turn(database, elsewhere, conversation, "from elsewhere")
    loaded = await here.load("acme", conversation)
    assert loaded.next_number == 3
    assert [line.text for line in loaded.history][-2:] == ["from elsewhere", "one\ntwo"]
    await _turn(database, here, conversation, "again")
    handed_over = ConversationState(mode="queued")
    await update_state(database, "acme", conversation, expected_version=3, state=handed_over)
    assert (await here.load("acme", conversation)).state.mode == "queued"


async def test_what_was_deleted_is_gone(database: Database, conversation: str) -> None:
    recent = RecentConversations(database, history=HISTORY)
    await _turn(database, recent, conversation, "hello")
    await delete_conversation(database, "acme", conversation)
    with pytest.raises(NotFoundError):
        await recent.load("acme", conversation)


async def test_another_tenant_finds_nothing(database: Database, conversation: str) -> None:
    recent = RecentConversations(database, history=HISTORY)
    await _turn(database, recent, conversation, "hello")
    with pytest.raises(NotFoundError):
        await recent.load("globex", conversation)
