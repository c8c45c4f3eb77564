"""The help desk: agents take conversations out of the queue, answer, and give them back.

Who has a conversation, what is said about it to the customer, and who answers from then on are committed together: of two agents who
take the same conversation at the same time, one does.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, Final, Literal

from sqlalchemy.orm import Session

from rejoinder.context import Clock, utc_now
from rejoinder.conversation import Conversations, Interjection, Turn
from rejoinder.errors import AccessError, ConflictError, InvalidInputError, NotFoundError, RejoinderError
from rejoinder.handoff.lobby import CONTACT, Change, contact_question, place_of, places_of
from rejoinder.handoff.settings import HelpDeskSettings, help_desk_of
from rejoinder.handoff.suggesting import Suggestion, suggest
from rejoinder.handoff.teaching import Teacher
from rejoinder.handoff.waiting import Place
from rejoinder.payloads import Caller, Question
from rejoinder.store.database import Database
from rejoinder.store.decisions import get_decision
from rejoinder.store.hand_offs import (
    AgentState,
    EventKind,
    HandOffStatus,
    NewEvent,
    NewHandOff,
    add_event,
    add_hand_off,
    change_hand_off,
    change_row,
    find_open,
    get_hand_off,
    list_agents,
    list_events,
    list_hand_offs,
    note_reply,
    open_hand_offs,
    see_agent,
    unlearned,
)
from rejoinder.store.tables import AgentRow, HandOffEventRow, HandOffRow
from rejoinder.store.turns import LoadedConversation

if TYPE_CHECKING:
    from rejoinder.host import Host
    from rejoinder.learning.feedback import FeedbackDesk
    from rejoinder.learning.live import LiveModels, Profiles
    from rejoinder.tenants.secrets import Vault

__all__ = ["DeskEvent", "HandOffDesk", "Watch"]

_HOST: Final = Caller(id="host", role="system")
_LONGEST_NOTE: Final = 8000
_HISTORY: Final = 20

_logger = logging.getLogger("rejoinder.handoff")


@dataclass(frozen=True, slots=True, kw_only=True)
class DeskEvent:
    """Something changed: the hand-off as it is now, and what was said to the customer, if anything."""

    tenant: str
    conversation_id: str
    hand_off: HandOffRow
    turn: Turn | None = None


Watch = Callable[[DeskEvent], None]


class HandOffDesk:
    """The help desks of all tenants.

    Attributes:
        watches: are told of each change that this process makes.
    """

    def __init__(
        self,
        database: Database,
        host: Host,
        conversations: Conversations,
        models: LiveModels,
        feedback: FeedbackDesk,
        profiles: Profiles,
        vault: Vault,
        *,
        clock: Clock = utc_now,
    ) -> None:
        self._database = database
        self._host = host
        self._conversations = conversations
        self._models = models
        self._profiles = profiles
        self._vault = vault
        self._clock = clock
        self._teacher = Teacher(database, feedback, profiles, clock=clock)
        self.watches: list[Watch] = []

    # --- looking ---------------------------------------------------------------------------------------------------

    async def settings(self, tenant: str) -> HelpDeskSettings:
        """Return a tenant's settings.

        Raises:
            NotFoundError: there is no such tenant, or it is disabled.
        """
        return help_desk_of((await self._profiles.served(tenant)).settings)

    async def listed(
        self,
        tenant: str,
        *,
        status: HandOffStatus | None = None,
        agent_id: str | None = None,
        after: tuple[datetime, str] | None = None,
        limit: int = 100,
    ) -> list[HandOffRow]:
        """Return hand-offs; see `rejoinder.store.hand_offs.list_hand_offs`."""
        return await list_hand_offs(self._database, tenant, status=status, agent_id=agent_id, after=after, limit=limit)

    async def get(self, tenant: str, hand_off_id: str) -> HandOffRow:
        """Return a hand-off.

        Raises:
            NotFoundError: the tenant has no such hand-off.
        """
        return await get_hand_off(self._database, tenant, hand_off_id)

    async def history(self, tenant: str, hand_off_id: str) -> list[HandOffEventRow]:
        """Return what happened to a hand-off and what was noted, oldest first."""
        return await list_events(self._database, tenant, hand_off_id)

    async def find(self, tenant: str, conversation_id: str) -> tuple[HandOffRow, Place | None] | None:
        """Return the hand-off under way in a conversation, and where it stands in the queue while it does; None: there is none."""
        row = await find_open(self._database, tenant, conversation_id)
        if row is None:
            return None
        return row, await self.place(row)

    async def place(self, row: HandOffRow) -> Place | None:
        """Return where a hand-off stands in the queue; None where it waits no longer."""
        if row.status != "queued":
            return None
        return await place_of(self._database, await self.settings(row.tenant_id), row, now=self._clock())

    async def places(self, tenant: str) -> dict[str, Place]:
        """Return where each hand-off in a tenant's queue stands, the first thousand by id."""
        waiting = await list_hand_offs(self._database, tenant, status="queued", limit=1000)
        return await places_of(self._database, tenant, await self.settings(tenant), waiting, now=self._clock())

    def contact(self, row: HandOffRow) -> str | None:
        """Return the address that the customer left, if any."""
        if row.contact is None:
            return None
        return self._vault.decrypt(CONTACT, row.tenant_id, row.contact).decode()

    async def agents(self, tenant: str) -> list[tuple[AgentRow, bool]]:
        """Return a tenant's agents by name, each with whether they are there."""
        since = self._clock() - timedelta(seconds=(await self.settings(tenant)).presence_s)
        found = await list_agents(self._database, tenant)
        return [(one, one.state == "online" and one.seen_at >= since) for one in found]

    # --- agents ----------------------------------------------------------------------------------------------------

    async def see(self, tenant: str, caller: Caller, *, state: AgentState | None = None) -> AgentRow:
        """Note that an agent is alive and, where they say so, whether they are there.

        Raises:
            AccessError: the caller is neither agent nor admin.
        """
        _refuse_others(caller)
        return await see_agent(self._database, tenant, caller.id, name=caller.name, at=self._clock(), state=state)

    async def claim(self, tenant: str, hand_off_id: str, caller: Caller) -> HandOffRow:
        """Take a conversation out of the queue; from now on the agent answers in it. Whoever has it already: nothing happens.

        Raises:
            AccessError: the caller is neither agent nor admin.
            NotFoundError: there is no such hand-off.
            ConflictError: another agent has it or is to have it, or it has ended.
        """
        await self.see(tenant, caller)
        row = await self.get(tenant, hand_off_id)
        if row.status == "active" and row.agent_id == caller.id:
            return row
        now = self._clock()
        said = await self._joined(tenant, caller)

        async def plan(_: LoadedConversation) -> Interjection:
            taken = _taking(await self.get(tenant, hand_off_id), caller, now)
            return Interjection(mode="agent", text=said, also=taken)

        return await self._interject(row, caller, plan)

    async def suggest(self, tenant: str, hand_off_id: str, caller: Caller) -> Suggestion | None:
        """Return what the bot would answer to what the customer said last; None where they said nothing.

        Raises:
            AccessError, NotFoundError: as `claim`.
        """
        await self.see(tenant, caller)
        row = await self.get(tenant, hand_off_id)
        loaded = await self._conversations.load(tenant, row.conversation_id, caller, history=_HISTORY)
        return await suggest(self._database, self._host, self._models, tenant, loaded, clock=self._clock)

    async def say(
        self,
        tenant: str,
        hand_off_id: str,
        caller: Caller,
        text: str,
        *,
        suggestion: str | None = None,
        teach: bool | None = None,
        idempotency_key: str | None = None,
    ) -> Turn:
        """Answer the customer; a conversation in the queue is taken with it: both happen, or neither.

        Args:
            suggestion: the decision of the suggestion that the agent sends, as it was or edited: the bot learns from that at once.
            teach: whether the bot is to answer so from now on; None: where the matter is resolved and the answer holds for others too.
            idempotency_key: the agent's own; what is repeated with the same key gets the same turn and changes nothing.
        Raises:
            InvalidInputError, RedactionError: as `Conversations.turn`.
            AccessError, NotFoundError, ConflictError: as `claim`; or there is no such suggestion for this customer, or the key was used
                for another text.
        """
        _refuse_others(caller)
        row = await self.get(tenant, hand_off_id)
        key = None if idempotency_key is None else f"{caller.id} {idempotency_key}"
        earlier = await self._conversations.interjected(tenant, row.conversation_id, caller, text, key)
        if earlier is not None:
            return earlier
        if suggestion is not None:
            decision = await get_decision(self._database, tenant, suggestion)
            if decision.user_id != row.user_id:
                raise NotFoundError(f"there is no suggestion {suggestion!r} for this customer")
        await self.see(tenant, caller)
        now = self._clock()
        joined = await self._joined(tenant, caller)

        async def plan(_: LoadedConversation) -> Interjection:
            row = await self.get(tenant, hand_off_id)
            if row.status == "active" and row.agent_id == caller.id:
                return _spoken(caller, text, _noting(tenant, hand_off_id, now))
            return _spoken(caller, text, _taking(row, caller, now), _noting(tenant, hand_off_id, now), first=joined)

        turns = await self._conversations.interject(tenant, row.conversation_id, caller, plan, idempotency_key=key)
        row = await self.get(tenant, hand_off_id)
        turn = self._tell_turns(tenant, row, turns)
        if suggestion is not None and teach is not False:
            await self._teacher.edited(row, caller, turn.id, suggestion, turn.reply.parts[0])
        elif teach is not None:
            await self._teacher.said(row, caller, turn, teach=teach)
        return turn

    async def note(self, tenant: str, hand_off_id: str, caller: Caller, text: str) -> HandOffEventRow:
        """Write something down for agents; the customer never sees it.

        Raises:
            InvalidInputError: the text is empty or too long.
            AccessError, NotFoundError: as `claim`.
        """
        await self.see(tenant, caller)
        _check_note(text)
        row = await self.get(tenant, hand_off_id)
        event = replace(_event("note", caller, self._clock()), text=await self._redacted(tenant, caller, text))
        noted = await add_event(self._database, tenant, hand_off_id, event)
        self._tell(tenant, row)
        return noted

    async def transfer(
        self, tenant: str, hand_off_id: str, caller: Caller, *, to: str | None = None, text: str = ""
    ) -> HandOffRow:
        """Put a conversation back into the queue, where it keeps its place, for everybody or for one agent.

        Args:
            to: the id of an agent of this tenant; None: whoever takes it.
            text: for whoever takes it; the customer never sees it.
        Raises:
            AccessError, NotFoundError: as `claim`; or there is no agent of this id.
            ConflictError: the caller does not have it.
        """
        await self.see(tenant, caller)
        if to is not None and to not in {one.id for one in await list_agents(self._database, tenant)}:
            raise NotFoundError(f"there is no agent {to!r}: GET /v1/agents lists them")
        if text:
            _check_note(text)
        noted = await self._redacted(tenant, caller, text) if text else ""
        return await self._requeue(tenant, hand_off_id, caller, "transferred", to=to, text=noted)

    async def release(self, tenant: str, hand_off_id: str, caller: Caller) -> HandOffRow:
        """Give a conversation back to the bot.

        Raises:
            AccessError, NotFoundError: as `claim`.
            ConflictError: another agent has it, or it has ended.
        """
        texts = (await self.settings(tenant)).texts
        return await self._end(tenant, hand_off_id, caller, {"outcome": "released"}, texts.released)

    async def close(
        self, tenant: str, hand_off_id: str, caller: Caller, *, resolved: bool = True, label: str | None = None
    ) -> HandOffRow:
        """End a hand-off; whatever the customer says next is for the bot.

        Args:
            resolved: whether the customer's matter is settled.
            label: the intent that it was about.
        Raises:
            AccessError, NotFoundError, ConflictError: as `release`.
        """
        texts = (await self.settings(tenant)).texts
        said = texts.closed.replace("{agent}", caller.name or texts.someone.capitalize())
        values = {"outcome": "resolved" if resolved else "unresolved", "label": label}
        row = await self._end(tenant, hand_off_id, caller, values, said)
        if resolved:
            await self._teacher.resolved(row)
        return row

    # --- by conversation -------------------------------------------------------------------------------------------

    async def take_over(self, tenant: str, conversation_id: str, caller: Caller) -> HandOffRow:
        """Take a conversation, whether it waits in the queue or the bot has it.

        Raises:
            AccessError, ConflictError: as `claim`.
            NotFoundError: there is no such conversation.
        """
        await self.see(tenant, caller)
        open_row = await find_open(self._database, tenant, conversation_id)
        if open_row is not None:
            return await self.claim(tenant, open_row.id, caller)
        new = await self._taken_from_the_bot(tenant, conversation_id, caller)
        said = await self._joined(tenant, caller)

        async def plan(_: LoadedConversation) -> Interjection:
            return Interjection(mode="agent", text=said, also=_beginning(tenant, new, caller))

        turns = await self._conversations.interject(tenant, conversation_id, caller, plan)
        row = await self.get(tenant, new.id)
        self._tell_turns(tenant, row, turns)
        return row

    async def say_in(
        self, tenant: str, conversation_id: str, caller: Caller, text: str, *, idempotency_key: str | None = None
    ) -> Turn:
        """Answer in a conversation, which is taken with it: both happen, or neither. Raises as `take_over` and `say`."""
        _refuse_others(caller)
        key = None if idempotency_key is None else f"{caller.id} {idempotency_key}"
        earlier = await self._conversations.interjected(tenant, conversation_id, caller, text, key)
        if earlier is not None:
            return earlier
        row = await find_open(self._database, tenant, conversation_id)
        if row is not None:
            return await self.say(tenant, row.id, caller, text, idempotency_key=idempotency_key)
        await self.see(tenant, caller)
        new = await self._taken_from_the_bot(tenant, conversation_id, caller)
        joined = await self._joined(tenant, caller)

        async def plan(_: LoadedConversation) -> Interjection:
            noted = _noting(tenant, new.id, new.at)
            return _spoken(caller, text, _beginning(tenant, new, caller), noted, first=joined)

        turns = await self._conversations.interject(tenant, conversation_id, caller, plan, idempotency_key=key)
        return self._tell_turns(tenant, await self.get(tenant, new.id), turns)

    async def release_in(self, tenant: str, conversation_id: str, caller: Caller) -> None:
        """Give a conversation back to the bot; one that the bot has already stays its own. Raises as `release`."""
        _refuse_others(caller)
        await self._conversations.load(tenant, conversation_id, caller)
        row = await find_open(self._database, tenant, conversation_id)
        if row is not None:
            await self.release(tenant, row.id, caller)

    # --- watching --------------------------------------------------------------------------------------------------

    async def sweep(self) -> int:
        """Look after all that wait, in all tenants; return how many hand-offs were changed.

        A conversation whose agent says nothing goes back into the queue; one that is meant for an agent who does not take it is for
        everybody; and where nobody is there, or nobody takes it for too long, the customer is told so. What was not learned yet is learned.
        """
        changed = 0
        there: dict[str, bool] = {}
        for row in await open_hand_offs(self._database):
            try:
                changed += await self._look_after(row, there)
            except NotFoundError:  # the tenant is disabled, or the conversation was erased meanwhile
                continue
            except RejoinderError as error:
                _logger.warning("tenant %s: hand-off %s is looked after later: %s", row.tenant_id, row.id, error)
        for row in await unlearned(self._database):
            await self._teacher.resolved(row)
        return changed

    async def _look_after(self, row: HandOffRow, there: dict[str, bool]) -> bool:
        """Do what is due; `there` keeps, for one sweep, in which tenants somebody can answer."""
        tenant, now = row.tenant_id, self._clock()
        settings = await self.settings(tenant)
        if row.status == "active":
            since = row.unanswered_since and max(row.unanswered_since, row.claimed_at or row.queued_at)
            if since is None or now - since < timedelta(seconds=settings.agent_silence_s):
                return False
            said = settings.texts.left.replace("{agent}", row.agent_name or settings.texts.someone.capitalize())
            await self._requeue(tenant, row.id, _HOST, "returned", said=said, text="the agent gave no answer in time")
            return True
        waited = now - row.waiting_since
        if row.for_agent is not None and waited >= timedelta(seconds=settings.agent_silence_s):
            event = NewEvent(kind="returned", at=now, text="the agent whom it was meant for did not take it in time")
            await self._rewrite(row, {"for_agent": None}, event)
            return True
        if tenant not in there:
            there[tenant] = any(is_there for _, is_there in await self.agents(tenant))
        longest_s = settings.longest_wait_s if there[tenant] else settings.patience_s
        may_come = there[tenant] or settings.are_people_there(now)
        if may_come and waited < timedelta(seconds=longest_s):
            return False
        question = contact_question(settings)
        await self._end(tenant, row.id, _HOST, {"outcome": "nobody"}, settings.texts.nobody, question=question)
        return True

    # --- within ----------------------------------------------------------------------------------------------------

    async def _joined(self, tenant: str, caller: Caller) -> str:
        """Return what the customer is told when an agent takes their conversation."""
        texts = (await self.settings(tenant)).texts
        return texts.joined.replace("{agent}", caller.name or texts.someone)

    async def _taken_from_the_bot(self, tenant: str, conversation_id: str, caller: Caller) -> NewHandOff:
        """Return the hand-off of a conversation that an agent takes unasked, not stored yet."""
        now = self._clock()
        loaded = await self._conversations.load(tenant, conversation_id, caller)
        return NewHandOff(
            conversation_id=conversation_id,
            user_id=loaded.user_id,
            reason="an agent took over",
            at=now,
            values={
                "status": "active",
                "agent_id": caller.id,
                "agent_name": caller.name,
                "claimed_at": now,
                "first_claimed_at": now,
            },
        )

    async def _held(self, tenant: str, hand_off_id: str, caller: Caller) -> HandOffRow:
        """Return a hand-off that a caller may do something with: they have it, or look after all."""
        row = await self.get(tenant, hand_off_id)
        if row.status == "closed" or (row.agent_id != caller.id and caller.role not in ("admin", "system")):
            raise ConflictError(_taken(row))
        return row

    async def _requeue(
        self,
        tenant: str,
        hand_off_id: str,
        caller: Caller,
        kind: Literal["transferred", "returned"],
        *,
        to: str | None = None,
        said: str | None = None,
        text: str = "",
    ) -> HandOffRow:
        now = self._clock()
        if said is None:
            texts = (await self.settings(tenant)).texts
            said = texts.left.replace("{agent}", caller.name or texts.someone.capitalize())

        async def plan(_: LoadedConversation) -> Interjection:
            row = await self._held(tenant, hand_off_id, caller)
            if row.status != "active":
                raise ConflictError("this conversation waits in the queue already")
            values = {
                "status": "queued",
                "agent_id": None,
                "agent_name": "",
                "claimed_at": None,
                "for_agent": to,
                "waiting_since": now,
            }
            event = replace(_event(kind, caller, now), text=text)
            return Interjection(mode="queued", text=said, also=_change(row, values, event))

        return await self._interject(await self.get(tenant, hand_off_id), caller, plan)

    async def _end(
        self,
        tenant: str,
        hand_off_id: str,
        caller: Caller,
        values: Mapping[str, Any],
        said: str,
        *,
        question: Question | None = None,
    ) -> HandOffRow:
        if caller is not _HOST:
            await self.see(tenant, caller)
        now = self._clock()

        async def plan(loaded: LoadedConversation) -> Interjection:
            row = await self.get(tenant, hand_off_id)
            if row.status != "queued":
                row = await self._held(tenant, hand_off_id, caller)
            ended = {"status": "closed", "closed_at": now, **values}
            event = replace(_event("ended", caller, now), text=str(values["outcome"]))
            return Interjection(mode="bot", text=said, question=question, also=_change(row, ended, event))

        return await self._interject(await self.get(tenant, hand_off_id), caller, plan)

    async def _interject(self, row: HandOffRow, caller: Caller, plan: Any) -> HandOffRow:
        tenant = row.tenant_id
        turns = await self._conversations.interject(tenant, row.conversation_id, caller, plan)
        changed = await self.get(tenant, row.id)
        self._tell_turns(tenant, changed, turns)
        return changed

    async def _rewrite(self, row: HandOffRow, values: Mapping[str, Any], event: NewEvent) -> None:
        await change_hand_off(
            self._database, row.tenant_id, row.id, expected_version=row.version, values=values, event=event
        )
        self._tell(row.tenant_id, await self.get(row.tenant_id, row.id))

    async def _redacted(self, tenant: str, caller: Caller, text: str) -> str:
        return await self._host.redact_text(text, "store", await self._models.request_for(tenant, caller))

    def _tell_turns(self, tenant: str, row: HandOffRow, turns: Sequence[Turn]) -> Turn:
        """Tell of each turn, and return the last."""
        for turn in turns:
            self._tell(tenant, row, turn)
        return turns[-1]

    def _tell(self, tenant: str, row: HandOffRow, turn: Turn | None = None) -> None:
        event = DeskEvent(tenant=tenant, conversation_id=row.conversation_id, hand_off=row, turn=turn)
        for watch in self.watches:
            watch(event)


def _refuse_others(caller: Caller) -> None:
    if caller.role not in ("agent", "admin"):
        raise AccessError("only agents and admins may speak for the bot: use a key or token of such a role")


def _check_note(text: str) -> None:
    if not text.strip():
        raise InvalidInputError("the note is empty: write at least one character that is not white space")
    if len(text) > _LONGEST_NOTE:
        raise InvalidInputError(f"the note has {len(text)} characters, at most {_LONGEST_NOTE} are allowed: shorten it")


def _taken(row: HandOffRow) -> str:
    if row.status == "closed":
        return "this hand-off has ended: take the conversation over anew"
    if row.status == "queued":
        return "this conversation waits in the queue: take it first"
    return f"{row.agent_name or 'another agent'} has this conversation"


def _event(kind: EventKind, caller: Caller, at: datetime) -> NewEvent:
    if caller is _HOST:
        return NewEvent(kind=kind, at=at)
    return NewEvent(kind=kind, at=at, agent_id=caller.id, agent_name=caller.name)


def _taking(row: HandOffRow, caller: Caller, at: datetime) -> Change:
    """Take a hand-off out of the queue.

    Raises:
        ConflictError: as `HandOffDesk.claim`.
    """
    if row.status != "queued":
        raise ConflictError(_taken(row))
    if row.for_agent not in (None, caller.id) and caller.role != "admin":
        raise ConflictError("this conversation is meant for another agent: leave it to them, or wait")
    values = {
        "status": "active",
        "agent_id": caller.id,
        "agent_name": caller.name,
        "claimed_at": at,
        "first_claimed_at": row.first_claimed_at or at,
        "for_agent": None,
    }
    return _change(row, values, _event("claimed", caller, at))


def _beginning(tenant: str, new: NewHandOff, caller: Caller) -> Change:
    return lambda session: add_hand_off(session, tenant, new, _event("claimed", caller, new.at))


def _noting(tenant: str, hand_off_id: str, at: datetime) -> Change:
    return lambda session: note_reply(session, tenant, hand_off_id, at)


def _spoken(caller: Caller, text: str, *changes: Change, first: str | None = None) -> Interjection:
    """Return what an agent says, with all that is written with it in their order."""

    def write(session: Session) -> None:
        for change in changes:
            change(session)

    return Interjection(mode="agent", text=text, first=first, speaker="agent", author=caller.name or None, also=write)


def _change(row: HandOffRow, values: Mapping[str, Any], event: NewEvent) -> Change:
    return lambda session: change_row(
        session, row.tenant_id, row.id, expected_version=row.version, values=values, event=event
    )
