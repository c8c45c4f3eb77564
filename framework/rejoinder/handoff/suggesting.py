"""What the bot would answer to a customer, for the agent who answers in its place. Nothing in the world is changed by it."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from rejoinder.context import Clock, utc_now
from rejoinder.host import Host
from rejoinder.payloads import Answer, Caller, Candidate, Citation, Decision, Message, Reply, payload
from rejoinder.store.database import Database
from rejoinder.store.decisions import add_decision
from rejoinder.store.ids import new_id
from rejoinder.store.turns import LoadedConversation

if TYPE_CHECKING:
    from rejoinder.learning.live import LiveModels

__all__ = ["Suggestion", "last_question", "suggest"]


@payload
class Suggestion:
    """An answer that the bot would give.

    Attributes:
        decision_id: names it in what the agent makes of it.
        question: what it answers.
        text: the answer; "" where the bot has none.
    """

    decision_id: str
    question: str
    text: str = ""
    intent: str | None = None
    confidence: float | None = None
    citations: tuple[Citation, ...] = ()


async def suggest(
    database: Database,
    host: Host,
    models: LiveModels,
    tenant: str,
    loaded: LoadedConversation,
    *,
    clock: Clock = utc_now,
) -> Suggestion | None:
    """Return what the bot would answer to what the customer said last, as a stored decision; None where they said nothing yet.

    Only hooks without side effects are called, as for the customer; a plan of the bot to do something is left undone.

    Args:
        loaded: the conversation with its last lines.
    """
    question = last_question(loaded)
    if question is None:
        return None
    caller = Caller(id=loaded.user_id)
    request = replace(await models.request_for(tenant, caller, session_id=loaded.id), history=loaded.history)
    message = Message(id=new_id("msg"), text=question, raw_text=question, at=clock())
    state = replace(loaded.state, mode="bot", question=None, flows=(), misses=0, dislikes=0)
    understanding = await host.understand_intent(message, state, request)
    action = await host.decide_action(message, understanding, state, request)
    query = action.query if action is not None and action.kind == "answer" else None
    answers: tuple[Answer, ...] = ()
    text, citations = "", tuple[Citation, ...]()
    if action is not None and query is not None:
        query = replace(query, explore=False)
        answers = await host.rank_answers(query, await host.retrieve_answers(query, request), request)
        if answers:
            composed = await host.compose_reply(action, answers, state, request)
            if isinstance(composed, Reply):
                text, citations = "\n".join(composed.parts), composed.citations
            elif composed is not None:
                text = "\n".join([part async for part in composed])
    top = next((one for one in understanding.readings if one.task == "intent"), None)
    label = answers[0].intent if answers else None if top is None else top.intent
    confidence = next((one.confidence for one in understanding.readings if one.intent == label), None)
    decision = Decision(
        id=new_id("dec"),
        kind="turn",
        task="intent",
        at=clock(),
        input=question,
        user_id=loaded.user_id,
        candidates=tuple(Candidate(id=one.id, score=one.score, label=one.intent) for one in answers),
        chosen=tuple(one.id for one in answers[:1]),
        label=label,
        confidence=confidence,
        answer=text or None,
        model_versions=dict(request.models.versions),
    )
    await add_decision(database, tenant, decision)
    return Suggestion(
        decision_id=decision.id, question=question, text=text, intent=label, confidence=confidence, citations=citations
    )


def last_question(loaded: LoadedConversation) -> str | None:
    """Return what the customer said last; None where they said nothing."""
    return next((line.text for line in reversed(loaded.history) if line.speaker == "user" and line.text.strip()), None)
