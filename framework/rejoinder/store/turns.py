"""Turns: the way of every message, and so the one place where microseconds count.

A turn needs one `load_conversation` and one `record_turn`. Both use statements made once instead of objects (what `record_turn` writes
goes straight to the driver, see `rejoinder.store.statements`), and given a `Database` on SQLite each is one thread hop
(`rejoinder.store.lanes`). Measured with benchmarks/store.py on
two busy cores: p50 0.5 ms for `record_turn` and 0.4 ms for `load_conversation` on a RAM disk; with synchronous=FULL on a disk a
commit waits for the disk besides (there 4 ms), but writes that come together share it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Literal

from sqlalchemy import bindparam, func, insert, select
from sqlalchemy.orm import Session

from rejoinder.payloads import ActionKind, ConversationState, Decision, Reply, Utterance
from rejoinder.store.access import get_record, list_records, missing, reading, writing
from rejoinder.store.conversations import replace_state
from rejoinder.store.decisions import insert_decision
from rejoinder.store.ids import new_id
from rejoinder.store.statements import RowChange
from rejoinder.store.tables import Conversation, DecisionRow, Turn, table_of
from rejoinder.wire import from_json, to_json

__all__ = [
    "LoadedConversation",
    "NewTurn",
    "change_state",
    "conversation_of",
    "find_turn_by_key",
    "get_turn",
    "lines_of",
    "list_turns",
    "load_conversation",
    "record_turn",
    "turn_number_before",
]

_turns = table_of(Turn)
_c = _turns.c
_conversations = table_of(Conversation).c

# Made once: building a statement costs as much as running it.
_INSERT = RowChange(insert(_turns), _turns.columns.keys())
_LOAD_CONVERSATION = select(
    _conversations.user_id, _conversations.channel, _conversations.closed, _conversations.state, _conversations.turns
).where(_conversations.tenant_id == bindparam("of_tenant"), _conversations.id == bindparam("of_conversation"))
_LOAD_HISTORY = (
    select(_c.user_text, _c.reply, _c.started_at, _c.duration_ms, _c.speaker, _c.author)
    .where(_c.tenant_id == bindparam("of_tenant"), _c.conversation_id == bindparam("of_conversation"))
    .order_by(_c.number.desc())
    .limit(bindparam("of_turns"))
)


@dataclass(frozen=True, slots=True, kw_only=True)
class NewTurn:
    """One turn as it is written.

    Attributes:
        number: 1 for a conversation's first turn; `LoadedConversation.next_number`.
        idempotency_key: the caller's, unique in the conversation; None: the caller does not repeat itself.
        request_hash: a hash of what the caller sent, to tell a repeated request from another one with the same key.
        user_text: redacted; None when an agent spoke unasked.
        reply: None when the bot stayed silent.
        trace: what JSON can say.
        speaker: who answered.
        author: the name of the agent who did.
        flows_completed: how many flows came to their end in it.
    """

    number: int
    action: ActionKind
    started_at: datetime
    id: str = field(default_factory=lambda: new_id("turn"))
    message_id: str | None = None
    idempotency_key: str | None = None
    request_hash: str | None = None
    user_text: str | None = None
    reply: Reply | None = None
    trace: Any = None
    duration_ms: float = 0.0
    speaker: Literal["bot", "agent"] = "bot"
    author: str | None = None
    flows_completed: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class LoadedConversation:
    """What the next turn starts from. `history` is oldest first."""

    id: str
    user_id: str
    channel: str
    closed: bool
    state: ConversationState
    next_number: int
    history: tuple[Utterance, ...]


@writing
def record_turn(
    session: Session,
    tenant_id: str,
    *,
    conversation_id: str,
    expected_version: int,
    state: ConversationState,
    turn: NewTurn,
    decision: Decision | None = None,
    before: NewTurn | None = None,
    also: Callable[[Session], None] | None = None,
) -> ConversationState:
    """Write a turn, the conversation's new state and the turn's decision: all of them or none.

    Args:
        expected_version: the version of the state that the turn started from.
        before: a turn that comes just before it, with the number before its own.
        also: what else is to be written in the same transaction.
    Returns:
        The state as stored: its version is `expected_version` + 1.
    Raises:
        ConflictError: another turn came between, or the number, the idempotency key or an id is taken; nothing was written.
        NotFoundError: the tenant has no such conversation.
    """
    ended_at = turn.started_at + timedelta(milliseconds=turn.duration_ms)
    stored = replace_state(session, tenant_id, conversation_id, expected_version, state, ended_at, turns=turn.number)
    for one in (turn,) if before is None else (before, turn):
        _INSERT.run(session, _row(tenant_id, conversation_id, one))
    if decision is not None:
        insert_decision(session, tenant_id, decision, turn.id)
    if also is not None:
        also(session)
    return stored


def _row(tenant_id: str, conversation_id: str, turn: NewTurn) -> dict[str, Any]:
    return {
        "tenant_id": tenant_id,
        "id": turn.id,
        "conversation_id": conversation_id,
        "number": turn.number,
        "message_id": turn.message_id,
        "idempotency_key": turn.idempotency_key,
        "request_hash": turn.request_hash,
        "user_text": turn.user_text,
        "reply": None if turn.reply is None else to_json(turn.reply, is_checked=True),
        "action": turn.action,
        "trace": turn.trace,
        "started_at": turn.started_at,
        "duration_ms": turn.duration_ms,
        "speaker": turn.speaker,
        "author": turn.author,
        "flows_completed": turn.flows_completed,
    }


@writing
def change_state(
    session: Session,
    tenant_id: str,
    conversation_id: str,
    *,
    expected_version: int,
    state: ConversationState,
    also: Callable[[Session], None] | None,
    at: datetime,
) -> ConversationState:
    """Replace a conversation's state without a turn, and write what goes with it; raises as `record_turn`."""
    stored = replace_state(session, tenant_id, conversation_id, expected_version, state, at)
    if also is not None:
        also(session)
    return stored


@reading
def load_conversation(
    session: Session, tenant_id: str, conversation_id: str, *, history: int = 10
) -> LoadedConversation:
    """Return a conversation's state and its last lines.

    Args:
        history: most lines wanted, >= 0; a turn has up to two.
    Raises:
        NotFoundError: the tenant has no such conversation.
    """
    connection = session.connection()
    mine = {"of_tenant": tenant_id, "of_conversation": conversation_id, "of_turns": history}
    found = connection.execute(_LOAD_CONVERSATION, mine).first()
    if found is None:
        raise missing("conversation", conversation_id)
    rows = connection.execute(_LOAD_HISTORY, mine).all()
    lines = [
        line
        for text, reply, started_at, duration_ms, speaker, author in reversed(rows)
        for line in _lines(text, reply and reply["parts"], started_at, duration_ms, speaker, author)
    ]
    return LoadedConversation(
        id=conversation_id,
        user_id=found.user_id,
        channel=found.channel,
        closed=found.closed,
        state=from_json(ConversationState, found.state),
        next_number=found.turns + 1,
        history=tuple(lines[-history:] if history else ()),
    )


@reading
def find_turn_by_key(session: Session, tenant_id: str, conversation_id: str, idempotency_key: str) -> Turn | None:
    """Return the turn that was written with this idempotency key; None when there is none.

    The caller compares `request_hash`: the same means a repeated request, to be answered with `reply`; another is a conflict.
    """
    mine = (_c.tenant_id == tenant_id, _c.conversation_id == conversation_id, _c.idempotency_key == idempotency_key)
    return next(iter(list_records(session, select(Turn).where(*mine))), None)


@reading
def conversation_of(session: Session, tenant_id: str, decision_id: str) -> str | None:
    """Return the conversation that a decision was made in; None where it was made outside of any, or there is none of this id."""
    made = table_of(DecisionRow).c
    joined = (made.tenant_id == _c.tenant_id) & (made.turn_id == _c.id)
    mine = (made.tenant_id == tenant_id, made.id == decision_id)
    statement = select(_c.conversation_id).join(table_of(DecisionRow), joined).where(*mine)
    return session.execute(statement).scalar()


@reading
def get_turn(session: Session, tenant_id: str, turn_id: str) -> Turn:
    """Return a turn.

    Raises:
        NotFoundError: the tenant has no such turn.
    """
    return get_record(session, Turn, "turn", tenant_id, turn_id)


@reading
def list_turns(
    session: Session, tenant_id: str, conversation_id: str, *, after_number: int = 0, limit: int = 100
) -> list[Turn]:
    """Return a conversation's turns by number, those after `after_number`, at most `limit`.

    Raises:
        NotFoundError: the tenant has no such conversation.
    """
    get_record(session, Conversation, "conversation", tenant_id, conversation_id)
    mine = (_c.tenant_id == tenant_id, _c.conversation_id == conversation_id, _c.number > after_number)
    return list_records(session, select(Turn).where(*mine).order_by(_c.number).limit(limit))


@reading
def turn_number_before(session: Session, tenant_id: str, conversation_id: str, at: datetime) -> int:
    """Return the number of the last turn of a conversation that began before a moment; 0 where none did."""
    mine = (_c.tenant_id == tenant_id, _c.conversation_id == conversation_id, _c.started_at < at)
    return session.execute(select(func.max(_c.number)).where(*mine)).scalar() or 0


def lines_of(turn: NewTurn) -> list[Utterance]:
    """Return a turn's lines, as `load_conversation` gives them."""
    parts = None if turn.reply is None else turn.reply.parts
    return _lines(turn.user_text, parts, turn.started_at, turn.duration_ms, turn.speaker, turn.author)


def _lines(
    user_text: str | None,
    parts: Sequence[str] | None,
    started_at: datetime,
    duration_ms: float,
    speaker: str,
    author: str | None,
) -> list[Utterance]:
    lines = [] if user_text is None else [Utterance(speaker="user", text=user_text, at=started_at)]
    if parts is not None:
        ended_at = started_at + timedelta(milliseconds=duration_ms)
        who: Literal["bot", "agent"] = "agent" if speaker == "agent" else "bot"
        lines.append(Utterance(speaker=who, text="\n".join(parts), at=ended_at, author=author))
    return lines
