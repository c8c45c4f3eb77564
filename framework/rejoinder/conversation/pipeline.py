"""From message to reply: which hooks one turn calls, in which order, and what becomes of what they give."""

from __future__ import annotations

import hashlib
from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Final

from rejoinder.context import Request
from rejoinder.conversation.turn import Turn
from rejoinder.host import Host
from rejoinder.payloads import (
    Action,
    Answer,
    Caller,
    Candidate,
    ConversationState,
    Decision,
    Effect,
    EffectResult,
    Message,
    Question,
    Reading,
    Reply,
    Slot,
    Understanding,
)
from rejoinder.store.ids import new_id

__all__ = ["APOLOGY", "Pipeline"]

APOLOGY: Final = "Sorry, something went wrong on our side. Please try again in a moment, or ask to talk to a person."
_MOST_DECISIONS: Final = 10
"""Times that one turn may decide, where actions want to go on after their effects (`Action.again`)."""
_LEAST_IN_SCOPE: Final = 0.5
"""Below this, what was wanted counts as none of the bot's intents, unless the action trusts one all the same."""


class Pipeline:
    """The hooks of one turn, called one after another, and what they gave."""

    def __init__(self, host: Host, request: Request, message: Message, state: ConversationState) -> None:
        self.host = host
        self.request = request
        self.message = message
        self.state = state
        self.understanding = Understanding()
        self.action = Action(kind="silent", state=state)
        self.answers: tuple[Answer, ...] = ()
        self.reply = Reply(parts=())
        self.before = state
        self.completed = 0
        """Flows that came to their end."""
        self.told: list[Slot] = []
        """The slots that decisions filled, also those that are empty again."""

    def hear(self, state: ConversationState, reply: Reply) -> None:
        """Take what the host itself made of the message, in the place of all hooks."""
        self.state, self.reply = state, reply
        if reply.parts:
            self.action = Action(kind="ask", state=state)

    def open(self, state: ConversationState, reply: Reply) -> None:
        """Take what the host made of a hand-off; where nobody is there, the customer is asked what to do instead."""
        self.state, self.reply = state, reply
        if state.mode == "bot":
            self.action = replace(self.action, kind="ask")

    async def run(self) -> AsyncIterator[str]:
        """Go from message to reply, yielding the parts of a reply that comes in parts."""
        host, request = self.host, self.request
        self.understanding = await host.understand_intent(self.message, self.state, request)
        self._refuse_when_busy()
        await self._decide()
        results: list[EffectResult] = []
        said: list[str] = []
        for decisions in range(1, _MOST_DECISIONS + 1):
            for effect in self.action.effects:
                results.append(await host.run_effect(self._keyed(len(results), effect), request))
                self.state = replace(self.state, effects=tuple(results))
            if not self.action.again or decisions == _MOST_DECISIONS:
                break
            said += [self.action.text] if self.action.text else []
            await self._decide()
            self.state = replace(self.state, effects=tuple(results))
        if said:
            self.action = replace(self.action, text="\n".join((*said, self.action.text or "")).strip())
        if self.action.kind == "answer" and self.action.query is not None:
            query = self.action.query
            if results or self.state.flows:  # what changes the world is never left to chance
                query = replace(query, explore=False)
            found = await host.retrieve_answers(query, request)
            self._refuse_when_busy()
            self.answers = await host.rank_answers(query, found, request)
            self._note_whether_answered(query.text)
        composed = await host.compose_reply(self.action, self.answers, self.state, request)
        if composed is None:
            self.reply = Reply(parts=(self.action.text or APOLOGY,))
        elif isinstance(composed, Reply):
            self.reply = composed
        else:
            parts = []
            async for part in composed:
                parts.append(part)
                yield part
            citations = tuple(citation for answer in self.answers[:1] for citation in answer.citations)
            self.reply = Reply(parts=tuple(parts) or (APOLOGY,), citations=citations)

    async def _decide(self) -> None:
        action = await self.host.decide_action(self.message, self.understanding, self.state, self.request)
        self._refuse_when_busy()
        self.action = action or Action(kind="ask", state=self.state, text=APOLOGY, reason="no plugin decided")
        self.state = replace(self.action.state, effects=())
        self.told += [*self.state.slots.values(), *self.action.forgotten]
        self.completed += self.action.completed

    def turn(self, conversation_id: str, number: int) -> Turn:
        """Return the turn, not recorded yet."""
        top = self._wanted()
        label = self.answers[0].intent if self.answers else (top.intent if top else None)
        confidence = next((one.confidence for one in self._intents if one.intent == label), None)
        return Turn(
            id=new_id("turn"),
            conversation_id=conversation_id,
            number=number,
            text=self.message.text,
            reply=self.reply,
            action=self.action.kind,
            answered=bool(self.answers),
            label=label,
            confidence=confidence,
            mode=self.state.mode,
            speaker="bot" if self.reply.parts else "none",
            model_versions=dict(self.request.models.versions),
        )

    def decision(self, turn: Turn, caller: Caller) -> Decision:
        """Return what was put before the person, for feedback to name."""
        if self.answers:
            candidates = [
                Candidate(id=one.id, score=one.score, label=one.intent, propensity=one.propensity)
                for one in self.answers
            ]
        else:
            candidates = [Candidate(id=one.intent, score=one.confidence, label=one.intent) for one in self._intents]
        about = self.action.query.text if self.action.query is not None else None
        return Decision(
            id=new_id("dec"),
            kind="turn",
            task="intent",
            at=self.message.at,
            input=about or self.message.text,
            user_id=caller.id,
            candidates=tuple(candidates),
            chosen=tuple(answer.id for answer in self.answers[:1]),
            label=turn.label,
            confidence=turn.confidence,
            answer=self.answers[0].text if self.answers else None,
            model_versions=turn.model_versions,
        )

    def _wanted(self) -> Reading | None:
        """Return the likeliest intent; None for small talk, what answers a flow, and what is out of scope."""
        action, question, in_scope = self.action, self.before.question, self.understanding.in_scope
        if action.kind == "say":
            return None
        if action.kind in ("flow", "hand_off") and question is not None and question.kind in ("slot", "confirm"):
            return None
        is_trusted = action.query is not None and action.query.intents
        if in_scope is not None and in_scope < _LEAST_IN_SCOPE and not is_trusted:
            return None
        return next(iter(self._intents), None)

    @property
    def _intents(self) -> list[Reading]:
        return [one for one in self.understanding.readings if one.task == "intent"]

    def _refuse_when_busy(self) -> None:
        """Raise what the models said when too much waited: an answer made without them would be a wrong one."""
        if self.request.models.busy is not None:
            raise self.request.models.busy

    def _keyed(self, number: int, effect: Effect) -> Effect:
        text = f"{self.request.tenant}|{self.message.id}|{number}"
        return replace(effect, key=hashlib.sha256(text.encode()).hexdigest())

    def _note_whether_answered(self, text: str | None) -> None:
        if self.answers:
            self.state = replace(self.state, misses=0)
        else:
            question = self.state.question or Question(kind="hand_off", about=text)
            self.state = replace(self.state, misses=self.state.misses + 1, question=question)
