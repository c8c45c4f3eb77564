"""One turn, from message to reply.

    redact -> understand -> decide -> effects -> retrieve -> rank -> compose -> record

What a turn did is committed in one transaction before its reply is acknowledged (sensitive slot values, encrypted, just before
it). A plugin that fails is left out; when nothing is left, the bot apologises. While a person speaks for the bot (mode "queued" or
"agent") no hook is called.
"""

from __future__ import annotations

import hashlib
import logging
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import Any, Literal, TypeVar, cast

from rejoinder.context import Clock, Request, utc_now
from rejoinder.errors import ConflictError, InvalidInputError, NotFoundError, RedactionError
from rejoinder.handoff.context import context_of
from rejoinder.handoff.lobby import Change, Lobby
from rejoinder.handoff.waiting import Place
from rejoinder.host import Host
from rejoinder.items.listing import list_decision
from rejoinder.items.tenant_items import LIST_TASK
from rejoinder.locks import KeyedLocks
from rejoinder.payloads import (
    Action,
    ActionKind,
    Answer,
    Caller,
    Candidate,
    ConversationState,
    Decision,
    Effect,
    EffectResult,
    Message,
    Mode,
    Question,
    Reading,
    Reply,
    Slot,
    Understanding,
    payload,
)
from rejoinder.privacy.sensitive_slots import SensitiveSlots
from rejoinder.store import tables
from rejoinder.store.conversations import open_conversation
from rejoinder.store.database import Database
from rejoinder.store.decisions import decisions_of_turn
from rejoinder.store.ids import new_id
from rejoinder.store.recent import RecentConversations
from rejoinder.store.turns import (
    LoadedConversation,
    NewTurn,
    change_state,
    conversation_of,
    find_turn_by_key,
    load_conversation,
    record_turn,
)
from rejoinder.trace import FAILURES, Trace
from rejoinder.wire import from_json

_T = TypeVar("_T")

RequestFactory = Callable[..., Awaitable[Request]]
Speaker = Literal["bot", "agent", "none"]

APOLOGY = "Sorry, something went wrong on our side. Please try again in a moment, or ask to talk to a person."
_MOST_DECISIONS = 10
"""Times that one turn may decide, where actions want to go on after their effects (`Action.again`)."""
_LEAST_IN_SCOPE = 0.5
"""Below this, what was wanted counts as none of the bot's intents, unless the action trusts one all the same."""
_ATTEMPTS = 20
"""Of processes that answer in one conversation at once, one gets through each time: the others try again."""

_logger = logging.getLogger("rejoinder.conversation")


@payload
class Turn:
    """What one message came to, as it is stored and as it is given back for a repeated message.

    Attributes:
        number: 1 for the conversation's first turn.
        answered: whether an answer was found.
        label: the intent that was answered (None: the answer is none of an intent), or the likeliest one where nothing was; None for small
            talk, what answers a flow, and what is out of scope.
        speaker: who answered; "none" while the customer waits for a person.
        author: the name of the agent who answered.
        place: where the customer stands in the queue for a person.
    """

    id: str
    conversation_id: str
    number: int
    text: str
    reply: Reply
    action: ActionKind
    decision_id: str | None = None
    answered: bool = False
    label: str | None = None
    confidence: float | None = None
    mode: Mode = "bot"
    speaker: Speaker = "bot"
    model_versions: dict[str, str] = field(default_factory=dict)
    author: str | None = None
    place: Place | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Interjection:
    """What is put into a conversation outside of a customer's turn.

    Attributes:
        mode: who answers from now on.
        text: what is said; None: only the state changes.
        first: what the bot says just before, as a turn of its own.
        question: what the conversation waits for from now on; its options are shown with the text.
        author: the name of the agent who says it.
        also: what is to be written in the same transaction.
    """

    mode: Mode
    text: str | None = None
    first: str | None = None
    question: Question | None = None
    speaker: Literal["bot", "agent"] = "bot"
    author: str | None = None
    also: Change | None = None


@dataclass(frozen=True, slots=True)
class Limits:
    """What a message and a turn may take: characters of text, seconds for the whole turn, lines of history for plugins."""

    max_text_chars: int = 8000
    turn_deadline_s: float = 30.0
    history: int = 10


class Conversations:
    """The conversations of all tenants.

    Args:
        request_for: makes the request of a tenant: `await request_for(tenant, caller, session_id=..., history=..., deadline=...)`.
        on_turn: told of each turn once it is recorded: tenant, action, trace, and the milliseconds that it took.
    """

    def __init__(
        self,
        database: Database,
        host: Host,
        request_for: RequestFactory,
        sensitive_slots: SensitiveSlots,
        lobby: Lobby,
        *,
        limits: Limits | None = None,
        clock: Clock = utc_now,
        on_turn: Callable[[str, str, Trace, float], None] | None = None,
    ) -> None:
        self._database = database
        self._host = host
        self._request_for = request_for
        self._sensitive_slots = sensitive_slots
        self._lobby = lobby
        self._limits = limits or Limits()
        self._clock = clock
        self._on_turn = on_turn
        self._locks = KeyedLocks()
        self._recent = RecentConversations(database, history=self._limits.history)

    async def create(self, tenant: str, caller: Caller, *, channel: str = "api") -> str:
        """Start a conversation of the caller, durably; return its id."""
        await self._request_for(tenant, caller)
        opened = await open_conversation(self._database, tenant, user_id=caller.id, channel=channel, at=self._clock())
        return opened.id

    async def load(self, tenant: str, conversation_id: str, caller: Caller, *, history: int = 0) -> LoadedConversation:
        """Return a conversation that the caller may see, with its last lines.

        Raises:
            NotFoundError: there is none of this id, or it is another tenant's or another user's.
        """
        loaded = await load_conversation(self._database, tenant, conversation_id, history=history)
        _refuse_strangers(loaded, caller)
        return loaded

    async def turn(
        self, tenant: str, conversation_id: str, caller: Caller, text: str, *, idempotency_key: str | None = None
    ) -> Turn:
        """Answer one message; the reply is durable when this returns.

        Args:
            idempotency_key: a message repeated with the same key gets the same turn and changes nothing.
        Raises:
            InvalidInputError: the text is empty, too long or holds a NUL character.
            NotFoundError: the conversation does not exist for this caller.
            ConflictError: the key was used for another text, or other processes kept changing the conversation.
            RedactionError: the text could not be redacted; nothing was stored.
            EncoderBusyError: too much is waiting; try again after its `retry_after_s`.
            StoreUnavailableError: the store cannot be reached; nothing was acknowledged.
        """
        turn: Turn | None = None
        async for item in self.stream(tenant, conversation_id, caller, text, idempotency_key=idempotency_key):
            if isinstance(item, Turn):
                turn = item  # read on to the end: only then is the conversation's lock given back
        if turn is None:
            raise ConflictError("the turn ended without a result")
        return turn

    async def stream(
        self, tenant: str, conversation_id: str, caller: Caller, text: str, *, idempotency_key: str | None = None
    ) -> AsyncIterator[str | Turn]:
        """Answer one message, part by part, and at the end with the durable turn. Raises as `turn`."""
        self._check_text(text)
        message_id = _message_id(
            tenant, conversation_id, idempotency_key
        )  # one for all attempts: effects keep their keys
        async with self._locks.hold((tenant, conversation_id)):
            for attempt in range(1, _ATTEMPTS + 1):
                shown = False
                try:
                    async for item in self._attempt(tenant, conversation_id, caller, text, idempotency_key, message_id):
                        shown = True
                        yield item
                except _OvertakenError:
                    if shown or attempt == _ATTEMPTS:
                        raise
                    _logger.info("conversation %s changed in another process; turn repeated", conversation_id)
                else:
                    return

    async def interject(
        self,
        tenant: str,
        conversation_id: str,
        caller: Caller,
        plan: Callable[[LoadedConversation], Awaitable[Interjection]],
        *,
        idempotency_key: str | None = None,
    ) -> tuple[Turn, ...]:
        """Put something into a conversation outside of a customer's turn, all of it or nothing; return what was said, as turns.

        Args:
            plan: what is to be put there, by the conversation as it is; asked again when another process came between.
            idempotency_key: what was said with the same key before is given back, and nothing changes.
        Raises:
            InvalidInputError, RedactionError: as `turn`.
            NotFoundError: there is no such conversation.
            ConflictError: other processes kept changing the conversation, or the key was used for another text.
        """

        async def attempt() -> tuple[Turn, ...]:
            loaded = await self._recent.load(tenant, conversation_id)
            what = await plan(loaded)
            state = replace(loaded.state, mode=what.mode, question=what.question, misses=0, dislikes=0)
            if what.text is None:
                await self._change(tenant, loaded, state, what.also)
                return ()
            self._check_text(what.text)
            request = await self._request(tenant, caller, conversation_id)
            shown = await self._host.redact_text(what.text, "store", request)
            key = (idempotency_key, _hash_of(shown))
            earlier = await self._earlier(tenant, conversation_id, *key)
            if earlier is not None:
                return (earlier,)
            turn = Turn(
                id=new_id("turn"),
                conversation_id=conversation_id,
                number=loaded.next_number + (what.first is not None),
                text="",
                reply=Reply(parts=(shown,), options=what.question.options if what.question else ()),
                action="silent",
                mode=what.mode,
                speaker=what.speaker,
                author=what.author,
            )
            first = None
            if what.first is not None:
                said = Reply(parts=(await self._host.redact_text(what.first, "store", request),))
                first = replace(
                    turn, id=new_id("turn"), number=loaded.next_number, reply=said, speaker="bot", author=None
                )
            await self._record(_Done(tenant, loaded, state, turn, None, request, key=key, first=first, also=what.also))
            return (turn,) if first is None else (first, turn)

        async with self._locks.hold((tenant, conversation_id)):
            return await _until_through(attempt, conversation_id)

    async def interjected(
        self, tenant: str, conversation_id: str, caller: Caller, text: str, idempotency_key: str | None
    ) -> Turn | None:
        """Return what `interject` put into a conversation with a key before; None: nothing, and the text may be put there.

        Raises:
            InvalidInputError, RedactionError: as `turn`.
            ConflictError: the key was used for another text.
        """
        self._check_text(text)
        request = await self._request(tenant, caller, conversation_id)
        shown = await self._host.redact_text(text, "store", request)
        return await self._earlier(tenant, conversation_id, idempotency_key, _hash_of(shown))

    async def judged(self, tenant: str, decision_id: str, liked: bool) -> None:
        """Count a customer's thumb in the conversation that a decision belongs to, for plugins to see that the bot fails there."""
        conversation_id = await conversation_of(self._database, tenant, decision_id)
        if conversation_id is None:
            return

        async def attempt() -> None:
            loaded = await self._recent.load(tenant, conversation_id)
            dislikes = 0 if liked else loaded.state.dislikes + 1
            if dislikes != loaded.state.dislikes:
                await self._change(tenant, loaded, replace(loaded.state, dislikes=dislikes), None)

        async with self._locks.hold((tenant, conversation_id)):
            try:
                await _until_through(attempt, conversation_id)
            except ConflictError as error:
                _logger.warning("a thumb is not counted in conversation %s: %s", conversation_id, error)

    def forget(self, tenant: str) -> None:
        """Drop what is kept in memory of a tenant's conversations; the next turns read them again."""
        self._recent.drop(tenant)

    def _check_text(self, text: str) -> None:
        if not text.strip():
            raise InvalidInputError("the message is empty: send at least one character that is not white space")
        if len(text) > self._limits.max_text_chars:
            raise InvalidInputError(
                f"the message has {len(text)} characters, at most {self._limits.max_text_chars} are allowed: shorten it"
            )
        if "\x00" in text:
            raise InvalidInputError("the message holds a NUL character: remove it")
        try:
            text.encode()
        except UnicodeEncodeError as error:
            raise InvalidInputError(f"the message is not valid Unicode at character {error.start}") from error

    async def _request(self, tenant: str, caller: Caller, conversation_id: str) -> Request:
        request = await self._request_for(tenant, caller, session_id=conversation_id)
        # The first message of a tenant waits for its models; the turn's time begins after that.
        return replace(request, deadline=time.monotonic() + self._limits.turn_deadline_s)

    async def _attempt(
        self,
        tenant: str,
        conversation_id: str,
        caller: Caller,
        text: str,
        idempotency_key: str | None,
        message_id: str,
    ) -> AsyncIterator[str | Turn]:
        request = await self._request(tenant, caller, conversation_id)
        stored_text = await self._host.redact_text(text, "store", request)
        request.models.prefetch(stored_text)
        loaded = await self._recent.load(tenant, conversation_id)
        _refuse_strangers(loaded, caller)
        request = replace(request, history=loaded.history)
        text_hash = _hash_of(stored_text)
        earlier = await self._earlier(tenant, conversation_id, idempotency_key, text_hash)
        if earlier is not None:
            yield earlier
            return
        before = await self._sensitive_slots.reveal(tenant, conversation_id, loaded.state)
        message = Message(id=message_id, text=stored_text, raw_text=text, at=self._clock())
        work = _Work(self._host, request, message, before)
        heard = opening = None
        asked_for_contact = before.question is not None and before.question.kind == "contact"
        if before.mode != "bot" or asked_for_contact:
            heard = await self._lobby.hear(request, before, message)
        if heard is not None:
            work.hear(heard.state, heard.reply)
        else:
            if asked_for_contact:  # and something else was said
                work.state = replace(before, question=None)
            async for part in work.run():
                yield part
            if work.state.mode == "queued":
                opening = await self._lobby.open(request, work.state, work.reply)
                work.open(opening.state, opening.reply)
        turn = work.turn(conversation_id, loaded.next_number)
        decision = work.decision(turn, caller) if heard is None else None
        if decision is not None:
            turn = replace(turn, decision_id=decision.id)
        also = None
        if heard is not None:
            also, turn = heard.also, replace(turn, place=heard.place)
        state = await self._sensitive_slots.hide(before, work.state, request)
        told = (*before.slots.values(), *work.told)
        secrets = await self._sensitive_slots.secrets(told, work.state, state, request)
        retold = turn.reply
        if secrets or state != work.state:
            retold = await self._sensitive_slots.retold(turn.reply, secrets, request)
        if secrets:
            turn = replace(turn, text=self._sensitive_slots.heard(turn.text, secrets))
            if decision is not None:
                decision = replace(decision, input=self._sensitive_slots.heard(decision.input, secrets))
        if opening is not None:
            turn = replace(turn, place=opening.place)
            context = context_of(turn.text, before, state, work.understanding, loaded.history)
            reason = work.action.reason
            also = await self._lobby.enter(request, opening, context, user_id=loaded.user_id, reason=reason)
        key = (idempotency_key, text_hash)
        done = _Done(
            tenant,
            loaded,
            state,
            turn,
            decision,
            request,
            message_id,
            key,
            retold,
            also,
            flows_completed=work.completed,
        )
        await self._record(done)
        yield turn

    async def _change(
        self, tenant: str, loaded: LoadedConversation, state: ConversationState, also: Change | None
    ) -> None:
        try:
            await change_state(
                self._database,
                tenant,
                loaded.id,
                expected_version=loaded.state.version,
                state=state,
                also=also,
                at=self._clock(),
            )
        except ConflictError as error:
            raise _OvertakenError(str(error)) from error

    async def _record(self, done: _Done) -> None:
        key, text_hash = done.key or (None, None)
        turn, trace = done.turn, done.request.trace
        duration_ms = (time.perf_counter() - trace.started) * 1e3
        new = NewTurn(
            id=turn.id,
            number=turn.number,
            action=turn.action,
            started_at=self._clock() - timedelta(milliseconds=duration_ms),
            message_id=done.message_id,
            idempotency_key=key,
            request_hash=text_hash,
            user_text=turn.text or None,
            reply=(done.retold or turn.reply) if turn.reply.parts else None,
            trace=await self._redacted(trace.to_json(), done.request),
            duration_ms=duration_ms,
            speaker="agent" if turn.mode == "agent" and turn.speaker != "bot" else "bot",
            author=turn.author,
            flows_completed=done.flows_completed,
        )
        first = None
        if done.first is not None:
            first = NewTurn(
                id=done.first.id,
                number=done.first.number,
                action=done.first.action,
                started_at=new.started_at,
                reply=done.first.reply,
            )
        try:
            state = await record_turn(
                self._database,
                done.tenant,
                conversation_id=turn.conversation_id,
                expected_version=done.loaded.state.version,
                state=done.state,
                decision=done.decision,
                turn=new,
                before=first,
                also=done.also,
            )
        except ConflictError as error:
            raise _OvertakenError(str(error)) from error
        self._recent.keep(done.tenant, done.loaded, (new,) if first is None else (first, new), state)
        if self._on_turn is not None:
            self._on_turn(done.tenant, turn.action, trace, (time.perf_counter() - trace.started) * 1e3)

    async def _redacted(self, calls: list[dict[str, Any]], request: Request) -> list[dict[str, Any]]:
        """Return a trace as it may be stored: the error of a plugin may repeat what was typed."""
        failed = [call for call in calls if call["outcome"] in FAILURES]
        for call in failed:
            try:
                call["detail"] = await self._host.redact_text(call["detail"], "store", request)
            except RedactionError:
                call["detail"] = "(what it said could not be redacted)"
        return calls

    async def _earlier(self, tenant: str, conversation_id: str, key: str | None, text_hash: str) -> Turn | None:
        """Return the turn that was made with an idempotency key as it was given the first time; None: there is none.

        Raises:
            ConflictError: the key was used for another text.
        """
        if key is None:
            return None
        earlier = await find_turn_by_key(self._database, tenant, conversation_id, key)
        if earlier is None:
            return None
        if earlier.request_hash != text_hash:
            raise ConflictError("this idempotency key was used for another text in this conversation: use a new key")
        made = next(iter(await decisions_of_turn(self._database, tenant, earlier.id)), None)
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


class _OvertakenError(ConflictError):
    """Another process changed the conversation while this one worked on it."""


async def _until_through(attempt: Callable[[], Awaitable[_T]], conversation_id: str) -> _T:
    """Do something with a conversation, again as long as other processes change it meanwhile, and return the result."""
    for _ in range(_ATTEMPTS - 1):
        try:
            return await attempt()
        except _OvertakenError:
            _logger.info("conversation %s changed in another process; repeated", conversation_id)
    return await attempt()


@dataclass(frozen=True, slots=True)
class _Done:
    tenant: str
    loaded: LoadedConversation
    state: ConversationState
    turn: Turn
    decision: Decision | None
    request: Request
    message_id: str | None = None
    key: tuple[str | None, str] | None = None
    retold: Reply | None = None
    also: Change | None = None
    flows_completed: int = 0
    first: Turn | None = None


class _Work:
    """The hooks of one turn, and what they gave."""

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
            if items := tuple(answer.item for answer in self.answers if answer.item is not None):
                self.state = replace(self.state, last_list=items)
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
        query, versions = self.action.query, turn.model_versions
        about = (query.text if query is not None else None) or self.message.text
        if query is not None and query.kind == LIST_TASK and self.answers:
            return list_decision(query, self.answers, at=self.message.at, about=about, model_versions=versions)
        if self.answers:
            candidates = [
                Candidate(id=one.id, score=one.score, label=one.intent, propensity=one.propensity)
                for one in self.answers
            ]
        else:
            candidates = [Candidate(id=one.intent, score=one.confidence, label=one.intent) for one in self._intents]
        return Decision(
            id=new_id("dec"),
            kind="turn",
            task="intent",
            at=self.message.at,
            input=about,
            user_id=caller.id,
            candidates=tuple(candidates),
            chosen=tuple(answer.id for answer in self.answers[:1]),
            label=turn.label,
            confidence=turn.confidence,
            answer=self.answers[0].text if self.answers else None,
            model_versions=versions,
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


def _refuse_strangers(loaded: LoadedConversation, caller: Caller) -> None:
    if caller.role == "customer" and loaded.user_id != caller.id:
        raise NotFoundError(f"there is no conversation {loaded.id!r}")


def _mode_of(turn: tables.Turn, made: Decision | None) -> Mode:
    """Return the mode that a stored turn left behind. Without a decision, no hook was called: a person speaks for the bot, or the host."""
    if made is None and turn.action == "ask":
        return "bot"
    if made is None:
        return "agent" if turn.speaker == "agent" else "queued"
    return "queued" if turn.action == "hand_off" else "bot"


def _hash_of(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def _message_id(tenant: str, conversation_id: str, idempotency_key: str | None) -> str:
    if idempotency_key is None:
        return new_id("msg")
    return "msg_" + hashlib.sha256(f"{tenant}|{conversation_id}|{idempotency_key}".encode()).hexdigest()[:32]
