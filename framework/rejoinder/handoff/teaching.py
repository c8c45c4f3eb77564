"""Give what agents answered to the feedback desk, in the role of the agent: there it is redacted, weighed by consent, and learned."""

from __future__ import annotations

import hashlib
import logging
from datetime import timedelta
from typing import TYPE_CHECKING, Final, Literal

from rejoinder.context import Clock, utc_now
from rejoinder.conversation import Turn
from rejoinder.errors import ConflictError, NotFoundError, RejoinderError
from rejoinder.handoff.lessons import Line, is_a_question, lessons_of
from rejoinder.handoff.settings import help_desk_of
from rejoinder.handoff.suggesting import last_question
from rejoinder.payloads import Caller, Decision, FeedbackKind
from rejoinder.store.database import Database
from rejoinder.store.decisions import add_decision
from rejoinder.store.hand_offs import NewEvent, add_event, list_events, note_learned
from rejoinder.store.tables import HandOffRow
from rejoinder.store.turns import list_turns, load_conversation, turn_number_before

if TYPE_CHECKING:
    from rejoinder.learning.feedback import FeedbackDesk
    from rejoinder.learning.live import Profiles

__all__ = ["Teacher"]

_MOST_TURNS: Final = 500
_LONGEST_TURN: Final = timedelta(minutes=1)
_MOST_LINES: Final = 50

_logger = logging.getLogger("rejoinder.handoff")


class Teacher:
    """Teaches the bots of all tenants what their agents answered, where the tenant wants that. What fails is logged, and fails nothing."""

    def __init__(
        self, database: Database, feedback: FeedbackDesk, profiles: Profiles, *, clock: Clock = utc_now
    ) -> None:
        self._database = database
        self._feedback = feedback
        self._profiles = profiles
        self._clock = clock

    async def edited(self, row: HandOffRow, caller: Caller, turn_id: str, suggestion: str, text: str) -> None:
        """Learn what an agent made of a suggestion: it was right, or this is."""
        try:
            if await self._is_wanted(row.tenant_id):
                await self._give(row, caller, suggestion, "corrected_answer", text, key=turn_id)
                await self._note(row, caller, "taught", turn_id)
        except RejoinderError as error:
            _logger.warning("tenant %s: turn %s is not learned: %s", row.tenant_id, turn_id, error)

    async def said(self, row: HandOffRow, caller: Caller, turn: Turn, *, teach: bool) -> None:
        """Learn what an agent answered now, or note that it is not to be learned."""
        try:
            if not teach:
                await self._note(row, caller, "private", turn.id)
            elif await self._is_wanted(row.tenant_id):
                loaded = await load_conversation(
                    self._database, row.tenant_id, row.conversation_id, history=_MOST_LINES
                )
                question = last_question(loaded)
                if question is not None:
                    await self._teach(row, caller, question, turn.reply.parts[0], turn.id)
                    await self._note(row, caller, "taught", turn.id)
        except RejoinderError as error:
            _logger.warning("tenant %s: turn %s is not learned: %s", row.tenant_id, turn.id, error)

    async def resolved(self, row: HandOffRow) -> None:
        """Learn from a hand-off that an agent closed as resolved; a second time changes nothing."""
        caller = Caller(id=row.agent_id or "host", role="agent", name=row.agent_name)
        tenant = row.tenant_id
        try:
            if await self._is_wanted(tenant):
                await self._learn(row, caller)
            await note_learned(self._database, tenant, row.id, self._clock())
        except NotFoundError:  # the tenant is disabled: it learns when it is enabled again
            return
        except RejoinderError as error:
            _logger.warning("tenant %s: what hand-off %s teaches is learned later: %s", tenant, row.id, error)

    async def _learn(self, row: HandOffRow, caller: Caller) -> None:
        tenant = row.tenant_id
        events = await list_events(self._database, tenant, row.id)
        left_out = {one.text for one in events if one.kind in ("taught", "private")}
        before = await turn_number_before(self._database, tenant, row.conversation_id, row.queued_at - _LONGEST_TURN)
        turns = await list_turns(self._database, tenant, row.conversation_id, after_number=before, limit=_MOST_TURNS)
        lines = []
        for turn in turns:
            if row.closed_at is not None and turn.started_at > row.closed_at:
                break
            if turn.user_text is not None:
                lines.append(Line(turn_id=turn.id, speaker="user", text=turn.user_text))
            ended_at = turn.started_at + timedelta(milliseconds=turn.duration_ms)
            if turn.reply is not None and ended_at >= row.queued_at:
                lines.append(Line(turn_id=turn.id, speaker=turn.speaker, text="\n".join(turn.reply["parts"])))
        slots = row.context.get("slots", {})
        for lesson in lessons_of(lines, slots):
            if lesson.turn_id not in left_out:
                await self._teach(row, caller, lesson.question, lesson.answer, lesson.turn_id)
        asked = [*row.context.get("asked", ()), row.context.get("question", "")]
        question = next((text for text in reversed(asked) if is_a_question(text)), None)
        if row.label and question is not None:
            decision_id = await self._decide(row, question, f"{row.id}|label")
            await self._give(row, caller, decision_id, "corrected_intent", row.label, key=f"{row.id}|label")

    async def _teach(self, row: HandOffRow, caller: Caller, question: str, answer: str, turn_id: str) -> None:
        decision_id = await self._decide(row, question, turn_id)
        await self._give(row, caller, decision_id, "corrected_answer", answer, key=turn_id)

    async def _decide(self, row: HandOffRow, question: str, key: str) -> str:
        """Store that an answer was put before the customer in the bot's place, for feedback to name; return its id."""
        decision_id = "dec_" + hashlib.sha256(f"{row.tenant_id}|{key}".encode()).hexdigest()[:31]
        decision = Decision(
            id=decision_id, kind="turn", task="intent", at=self._clock(), input=question, user_id=row.user_id
        )
        try:
            await add_decision(self._database, row.tenant_id, decision)
        except ConflictError:
            _logger.debug("tenant %s: %s was decided before", row.tenant_id, decision_id)
        return decision_id

    async def _give(
        self, row: HandOffRow, caller: Caller, decision_id: str, kind: FeedbackKind, value: str, *, key: str
    ) -> None:
        try:
            await self._feedback.give(
                row.tenant_id,
                caller,
                decision_id=decision_id,
                kind=kind,
                value=value,
                idempotency_key=f"hand-off:{key}:{kind}",
            )
        except ConflictError as error:
            _logger.debug("tenant %s: given before: %s", row.tenant_id, error)

    async def _note(self, row: HandOffRow, caller: Caller, kind: Literal["taught", "private"], turn_id: str) -> None:
        event = NewEvent(kind=kind, at=self._clock(), agent_id=caller.id, agent_name=caller.name, text=turn_id)
        await add_event(self._database, row.tenant_id, row.id, event)

    async def _is_wanted(self, tenant: str) -> bool:
        return help_desk_of((await self._profiles.served(tenant)).settings).learn
