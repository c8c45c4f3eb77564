"""The conversations of all tenants: their turns, one after another, each durable before it is acknowledged."""

from __future__ import annotations

import asyncio
import hashlib
import logging
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any, TypeVar

from rejoinder.context import Clock, Request, utc_now
from rejoinder.conversation.earlier import earlier_turn
from rejoinder.conversation.pipeline import Pipeline
from rejoinder.conversation.turn import Interjection, Turn
from rejoinder.errors import ConflictError, InvalidInputError, NotFoundError, RedactionError
from rejoinder.handoff.context import context_of
from rejoinder.handoff.lobby import Change, Lobby
from rejoinder.host import Host
from rejoinder.locks import KeyedLocks
from rejoinder.payloads import (
    Caller,
    ConversationState,
    Decision,
    Message,
    Reply,
)
from rejoinder.privacy.sensitive_slots import SensitiveSlots
from rejoinder.store.conversations import open_conversation
from rejoinder.store.database import Database
from rejoinder.store.ids import new_id
from rejoinder.store.recent import RecentConversations
from rejoinder.store.turns import (
    LoadedConversation,
    NewTurn,
    change_state,
    conversation_of,
    load_conversation,
    record_turn,
)
from rejoinder.trace import FAILURES, Trace

_T = TypeVar("_T")

RequestFactory = Callable[..., Awaitable[Request]]

_ATTEMPTS = 20
"""Of processes that answer in one conversation at once, one gets through each time: the others try again."""

_logger = logging.getLogger("rejoinder.conversation")


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
            earlier = await earlier_turn(self._database, tenant, conversation_id, *key)
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
        return await earlier_turn(self._database, tenant, conversation_id, idempotency_key, _hash_of(shown))

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
        _refuse_strangers(loaded, caller, speaks=True)
        request = replace(request, history=loaded.history)
        text_hash = _hash_of(stored_text)
        earlier = await earlier_turn(self._database, tenant, conversation_id, idempotency_key, text_hash)
        if earlier is not None:
            yield earlier
            return
        before = await self._sensitive_slots.reveal(tenant, conversation_id, loaded.state)
        message = Message(id=message_id, text=stored_text, raw_text=text, at=self._clock())
        work = Pipeline(self._host, request, message, before)
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
        if self._on_turn is not None:  # once the reply is on its way
            took_ms = (time.perf_counter() - trace.started) * 1e3
            asyncio.get_running_loop().call_soon(self._on_turn, done.tenant, turn.action, trace, took_ms)

    async def _redacted(self, calls: list[dict[str, Any]], request: Request) -> list[dict[str, Any]]:
        """Return a trace as it may be stored: the error of a plugin may repeat what was typed."""
        failed = [call for call in calls if call["outcome"] in FAILURES]
        for call in failed:
            try:
                call["detail"] = await self._host.redact_text(call["detail"], "store", request)
            except RedactionError:
                call["detail"] = "(what it said could not be redacted)"
        return calls


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


def _refuse_strangers(loaded: LoadedConversation, caller: Caller, *, speaks: bool = False) -> None:
    """Refuse who is not let in: others' conversations are nothing to customers, and to analysts only to be read."""
    kept_out = ("customer", "analyst") if speaks else ("customer",)
    if caller.role in kept_out and loaded.user_id != caller.id:
        raise NotFoundError(f"there is no conversation {loaded.id!r}")


def _hash_of(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def _message_id(tenant: str, conversation_id: str, idempotency_key: str | None) -> str:
    if idempotency_key is None:
        return new_id("msg")
    return "msg_" + hashlib.sha256(f"{tenant}|{conversation_id}|{idempotency_key}".encode()).hexdigest()[:32]
