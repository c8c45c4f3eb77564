"""What was said in conversations since a moment, with what was decided, for what people did to be read from it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple

from sqlalchemy import select
from sqlalchemy.orm import Session

from rejoinder.payloads import Decision
from rejoinder.store.access import add_missing, reading, writing
from rejoinder.store.decisions import decisions_of_turns
from rejoinder.store.tables import Conversation, ScheduleRow, Turn, table_of

__all__ = ["SaidConversation", "SaidTurn", "note_read", "read_until", "turns_to_read"]

_turns = table_of(Turn).c
_conversations = table_of(Conversation).c
_schedules = table_of(ScheduleRow)
_READ = "rejoinder:signals-read"
_MOST_TURNS = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class SaidTurn:
    """One turn as a person saw it. `decision` is None while a person speaks for the bot."""

    conversation_id: str
    user_id: str
    text: str
    action: str
    at: datetime
    decision: Decision | None


class SaidConversation(NamedTuple):
    """A conversation's turns, oldest first, and when it last changed."""

    updated_at: datetime
    id: str
    turns: list[SaidTurn]


@reading
def turns_to_read(
    session: Session, tenant_id: str, *, after: tuple[datetime, str], until: datetime, limit: int = 500
) -> list[SaidConversation]:
    """Return the turns of conversations in the order of when they last changed, then ids, at most `limit` conversations.

    Of a very long conversation only the last turns are given.

    Args:
        after: when the last conversation of the page before changed, and its id; with "" for an id, those of that moment are given too.
        until: those that changed later are left out.
    """
    moment, last_id = after
    later = (_conversations.updated_at > moment) | (
        (_conversations.updated_at == moment) & (_conversations.id > last_id)
    )
    changed = session.execute(
        select(_conversations.id, _conversations.user_id, _conversations.updated_at)
        .where(
            _conversations.tenant_id == tenant_id,
            later,
            _conversations.updated_at <= until,
            _conversations.turns > 0,
        )
        .order_by(_conversations.updated_at, _conversations.id)
        .limit(limit)
    ).all()
    found = []
    for conversation_id, user_id, updated_at in changed:
        rows = session.execute(
            select(_turns.id, _turns.user_text, _turns.action, _turns.started_at)
            .where(_turns.tenant_id == tenant_id, _turns.conversation_id == conversation_id)
            .order_by(_turns.number.desc())
            .limit(_MOST_TURNS)
        ).all()
        decided = decisions_of_turns(session, tenant_id, [row.id for row in rows])
        found.append(
            SaidConversation(
                updated_at,
                conversation_id,
                [
                    SaidTurn(
                        conversation_id=conversation_id,
                        user_id=user_id,
                        text=row.user_text or "",
                        action=row.action,
                        at=row.started_at,
                        decision=decided.get(row.id),
                    )
                    for row in reversed(rows)
                ],
            )
        )
    return found


@reading
def read_until(session: Session, tenant_id: str) -> datetime | None:
    """Return up to which moment a tenant's conversations were read; None: never."""
    mine = (_schedules.c.tenant_id == tenant_id, _schedules.c.id == _READ)
    return session.execute(select(_schedules.c.last_at).where(*mine)).scalar()


@writing
def note_read(session: Session, tenant_id: str, until: datetime) -> None:
    """Note up to which moment a tenant's conversations were read."""
    if not add_missing(session, _schedules, [{"tenant_id": tenant_id, "id": _READ, "last_at": until}]):
        mine = (_schedules.c.tenant_id == tenant_id, _schedules.c.id == _READ)
        session.execute(_schedules.update().where(*mine).values(last_at=until))
