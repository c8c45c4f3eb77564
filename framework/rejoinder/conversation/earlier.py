"""A turn that was made before, for a message that is repeated."""

from __future__ import annotations

from typing import cast

from rejoinder.conversation.turn import Speaker, Turn
from rejoinder.errors import ConflictError
from rejoinder.payloads import ActionKind, Decision, Mode, Reply
from rejoinder.store import tables
from rejoinder.store.database import Database
from rejoinder.store.decisions import decisions_of_turn
from rejoinder.store.turns import find_turn_by_key
from rejoinder.wire import from_json

__all__ = ["earlier_turn"]


async def earlier_turn(
    database: Database, tenant: str, conversation_id: str, key: str | None, text_hash: str
) -> Turn | None:
    """Return the turn that was made with an idempotency key as it was given the first time; None: there is none.

    Args:
        text_hash: of the text that comes with the key now.

    Raises:
        ConflictError: the key was used for another text.
    """
    if key is None:
        return None
    earlier = await find_turn_by_key(database, tenant, conversation_id, key)
    if earlier is None:
        return None
    if earlier.request_hash != text_hash:
        raise ConflictError("this idempotency key was used for another text in this conversation: use a new key")
    made = next(iter(await decisions_of_turn(database, tenant, earlier.id)), None)
    return Turn(
        id=earlier.id,
        conversation_id=earlier.conversation_id,
        number=earlier.number,
        text=earlier.user_text or "",
        reply=from_json(Reply, earlier.reply) if earlier.reply else Reply(parts=()),
        action=cast("ActionKind", earlier.action),
        decision_id=made.id if made else None,
        answered=bool(made and made.chosen),
        label=made.label if made else None,
        confidence=made.confidence if made else None,
        mode=_mode_of(earlier, made),
        speaker=cast("Speaker", earlier.speaker) if earlier.reply else "none",
        author=earlier.author,
        model_versions=dict(made.model_versions) if made else {},
    )


def _mode_of(turn: tables.Turn, made: Decision | None) -> Mode:
    """Return the mode that a stored turn left behind. Without a decision, no hook was called: a person speaks for the bot, or the host."""
    if made is None and turn.action == "ask":
        return "bot"
    if made is None:
        return "agent" if turn.speaker == "agent" else "queued"
    return "queued" if turn.action == "hand_off" else "bot"
