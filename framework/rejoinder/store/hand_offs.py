"""Hand-offs, what happened to them, and the agents who take them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal, NamedTuple

from sqlalchemy import func, select, update
from sqlalchemy.orm import Session

from rejoinder.errors import ConflictError
from rejoinder.store.access import add_missing, get_record, list_records, reading, writing
from rejoinder.store.ids import new_id
from rejoinder.store.tables import AgentRow, HandOffEventRow, HandOffRow, table_of

__all__ = [
    "AgentState",
    "EventKind",
    "HandOffOutcome",
    "HandOffStatus",
    "NewEvent",
    "NewHandOff",
    "QueueFigures",
    "add_event",
    "add_hand_off",
    "change_hand_off",
    "find_open",
    "get_hand_off",
    "list_agents",
    "list_events",
    "list_hand_offs",
    "newest_of",
    "note_learned",
    "open_hand_offs",
    "queue_figures",
    "see_agent",
    "unlearned",
]

HandOffStatus = Literal["queued", "active", "closed"]
HandOffOutcome = Literal["resolved", "unresolved", "released", "withdrawn", "nobody", "callback"]
"""How a hand-off ended: closed by the agent with the matter settled, or not; given back to the bot; the customer waited no longer;
nobody came; the customer left an address."""
EventKind = Literal["queued", "claimed", "note", "transferred", "returned", "ended", "taught", "private"]
"""`returned`: it went back into the queue since the agent said nothing; `taught`, `private`: the agent's words of the turn that the text
names were learned, or are not to be."""
AgentState = Literal["online", "away"]

_rows = table_of(HandOffRow)
_c = _rows.c
_events = table_of(HandOffEventRow).c
_agents = table_of(AgentRow)
_MEASURED = 50
_FEWEST_MEASURED = 10


@dataclass(frozen=True, slots=True, kw_only=True)
class NewHandOff:
    """A hand-off that begins.

    Attributes:
        values: further columns, where it does not begin in the queue.
    """

    conversation_id: str
    user_id: str
    reason: str
    at: datetime
    summary: str = ""
    context: Mapping[str, Any] = field(default_factory=dict)
    values: Mapping[str, Any] = field(default_factory=dict)
    id: str = field(default_factory=lambda: new_id("handoff"))


@dataclass(frozen=True, slots=True, kw_only=True)
class NewEvent:
    """Something that happened to a hand-off; without an agent, nobody did it."""

    kind: EventKind
    at: datetime
    agent_id: str | None = None
    agent_name: str = ""
    text: str = ""


class QueueFigures(NamedTuple):
    """What an estimate of the wait is made of: how many wait, agents seen since a moment, how many of these are busy, seconds per
    conversation (None: too few were measured), and whether the tenant ever had an agent."""

    waiting: int
    agents: int
    busy: int
    typical_s: float | None
    ever: bool


# --- for other access functions ------------------------------------------------------------------------------------


def add_hand_off(session: Session, tenant_id: str, new: NewHandOff, event: NewEvent) -> None:
    """Begin a hand-off, within another access function.

    Raises:
        ConflictError: the conversation has one already (when the transaction ends).
    """
    row = HandOffRow(
        tenant_id=tenant_id,
        id=new.id,
        conversation_id=new.conversation_id,
        user_id=new.user_id,
        reason=new.reason,
        summary=new.summary,
        context=dict(new.context),
        queued_at=new.at,
        waiting_since=new.at,
        unanswered_since=new.at,
        **new.values,
    )
    session.add(row)
    session.flush()
    add_event_row(session, tenant_id, new.id, event)


def change_row(
    session: Session,
    tenant_id: str,
    hand_off_id: str,
    *,
    expected_version: int,
    values: Mapping[str, Any],
    event: NewEvent | None = None,
) -> None:
    """Change a hand-off that nobody changed meanwhile, within another access function.

    Raises:
        ConflictError: somebody did.
    """
    mine = (_c.tenant_id == tenant_id, _c.id == hand_off_id, _c.version == expected_version)
    changed = session.execute(
        update(_rows).where(*mine).values(**values, version=expected_version + 1).returning(_c.id)
    ).first()
    if changed is None:
        raise ConflictError(f"the hand-off {hand_off_id!r} was changed meanwhile: look at it again")
    if event is not None:
        add_event_row(session, tenant_id, hand_off_id, event)


def note_question(session: Session, tenant_id: str, hand_off_id: str, at: datetime) -> None:
    """Note that the customer said something, within another access function; who has the hand-off does not change."""
    mine = (_c.tenant_id == tenant_id, _c.id == hand_off_id)
    session.execute(update(_rows).where(*mine).values(unanswered_since=func.coalesce(_c.unanswered_since, at)))


def note_reply(session: Session, tenant_id: str, hand_off_id: str, at: datetime) -> None:
    """Note that the agent said something, as `note_question`."""
    mine = (_c.tenant_id == tenant_id, _c.id == hand_off_id)
    values = {"unanswered_since": None, "first_reply_at": func.coalesce(_c.first_reply_at, at)}
    session.execute(update(_rows).where(*mine).values(**values))


def add_event_row(session: Session, tenant_id: str, hand_off_id: str, event: NewEvent) -> HandOffEventRow:
    """Note what happened to a hand-off, within another access function."""
    row = HandOffEventRow(
        tenant_id=tenant_id,
        id=new_id("event"),
        hand_off_id=hand_off_id,
        kind=event.kind,
        at=event.at,
        agent_id=event.agent_id,
        agent_name=event.agent_name,
        text=event.text,
    )
    session.add(row)
    session.flush()
    return row


# --- hand-offs -----------------------------------------------------------------------------------------------------


@reading
def get_hand_off(session: Session, tenant_id: str, hand_off_id: str) -> HandOffRow:
    """Return a hand-off.

    Raises:
        NotFoundError: the tenant has no such hand-off.
    """
    return get_record(session, HandOffRow, "hand-off", tenant_id, hand_off_id)


@reading
def find_open(session: Session, tenant_id: str, conversation_id: str) -> HandOffRow | None:
    """Return the hand-off under way in a conversation, if any."""
    mine = (_c.tenant_id == tenant_id, _c.conversation_id == conversation_id, _c.status != "closed")
    return next(iter(list_records(session, select(HandOffRow).where(*mine))), None)


@reading
def newest_of(session: Session, tenant_id: str, conversation_id: str) -> HandOffRow | None:
    """Return the last hand-off of a conversation, if any."""
    mine = (_c.tenant_id == tenant_id, _c.conversation_id == conversation_id)
    statement = select(HandOffRow).where(*mine).order_by(_c.queued_at.desc(), _c.id.desc()).limit(1)
    return next(iter(list_records(session, statement)), None)


@reading
def list_hand_offs(
    session: Session,
    tenant_id: str,
    *,
    status: HandOffStatus | None = None,
    agent_id: str | None = None,
    after: tuple[datetime, str] | None = None,
    limit: int = 100,
) -> list[HandOffRow]:
    """Return hand-offs in the order of the queue, whoever waits longest first; closed ones last closed first. At most `limit`.

    Args:
        agent_id: only those that this agent has, or had last.
        after: what orders the last one of the page before: `closed_at` and id of a closed one, else `queued_at` and id.
    """
    statement = select(HandOffRow).where(_c.tenant_id == tenant_id)
    if status is not None:
        statement = statement.where(_c.status == status)
    if agent_id is not None:
        statement = statement.where(_c.agent_id == agent_id)
    if status == "closed":
        if after is not None:
            moment, last = after
            statement = statement.where((_c.closed_at < moment) | ((_c.closed_at == moment) & (_c.id < last)))
        statement = statement.order_by(_c.closed_at.desc(), _c.id.desc())
    else:
        if status is None:
            statement = statement.where(_c.status != "closed")
        if after is not None:
            moment, last = after
            statement = statement.where((_c.queued_at > moment) | ((_c.queued_at == moment) & (_c.id > last)))
        statement = statement.order_by(_c.queued_at, _c.id)
    return list_records(session, statement.limit(limit))


@reading
def open_hand_offs(session: Session) -> list[HandOffRow]:
    """Return the hand-offs of all tenants that are under way: for what watches over them."""
    return list_records(session, select(HandOffRow).where(_c.status.in_(("queued", "active"))).order_by(_c.queued_at))


@reading
def unlearned(session: Session, *, limit: int = 100) -> list[HandOffRow]:
    """Return hand-offs of all tenants that agents closed as resolved, and of which the bot has not learned yet."""
    wanted = (_c.outcome == "resolved", _c.learned_at.is_(None))
    return list_records(session, select(HandOffRow).where(*wanted).order_by(_c.closed_at).limit(limit))


@writing
def note_learned(session: Session, tenant_id: str, hand_off_id: str, at: datetime) -> None:
    """Note that the bot learned from what an agent answered."""
    session.execute(update(_rows).where(_c.tenant_id == tenant_id, _c.id == hand_off_id).values(learned_at=at))


@reading
def queue_figures(
    session: Session, tenant_id: str, *, before: tuple[datetime, str] | None, seen_since: datetime
) -> QueueFigures:
    """Return what an estimate of the wait is made of.

    Args:
        before: moment and id of a hand-off in the queue, for those that wait before it; None: all that wait.
        seen_since: agents that gave a sign of life since then, and are not away, are there.
    """
    waits = [_c.tenant_id == tenant_id, _c.status == "queued"]
    if before is not None:
        moment, hand_off_id = before
        waits.append((_c.queued_at < moment) | ((_c.queued_at == moment) & (_c.id < hand_off_id)))
    waiting = session.scalar(select(func.count()).select_from(_rows).where(*waits)) or 0
    there = _there(session, tenant_id, seen_since)
    has = (_c.tenant_id == tenant_id, _c.status == "active", _c.agent_id.in_(there))
    busy = session.scalar(select(func.count(func.distinct(_c.agent_id))).where(*has)) or 0
    ever = session.execute(select(_agents.c.id).where(_agents.c.tenant_id == tenant_id).limit(1)).first() is not None
    return QueueFigures(waiting, len(there), busy, _typical_s(session, tenant_id), ever)


@writing
def change_hand_off(
    session: Session,
    tenant_id: str,
    hand_off_id: str,
    *,
    expected_version: int,
    values: Mapping[str, Any],
    event: NewEvent | None = None,
) -> None:
    """Change a hand-off that nobody changed meanwhile.

    Raises:
        ConflictError: somebody did; nothing was written.
    """
    change_row(session, tenant_id, hand_off_id, expected_version=expected_version, values=values, event=event)


@writing
def add_event(session: Session, tenant_id: str, hand_off_id: str, event: NewEvent) -> HandOffEventRow:
    """Note what happened to a hand-off.

    Raises:
        NotFoundError: the tenant has no such hand-off.
    """
    get_record(session, HandOffRow, "hand-off", tenant_id, hand_off_id)
    return add_event_row(session, tenant_id, hand_off_id, event)


@reading
def list_events(session: Session, tenant_id: str, hand_off_id: str) -> list[HandOffEventRow]:
    """Return what happened to a hand-off, oldest first."""
    mine = (_events.tenant_id == tenant_id, _events.hand_off_id == hand_off_id)
    return list_records(session, select(HandOffEventRow).where(*mine).order_by(_events.at, _events.id))


# --- agents --------------------------------------------------------------------------------------------------------


@writing
def see_agent(
    session: Session, tenant_id: str, agent_id: str, *, name: str, at: datetime, state: AgentState | None = None
) -> AgentRow:
    """Note a sign of life of an agent and, where they said so, whether they are there; else they stay as they were."""
    new = {"tenant_id": tenant_id, "id": agent_id, "name": name, "state": state or "online", "seen_at": at}
    if not add_missing(session, _agents, [new]):
        mine = (_agents.c.tenant_id == tenant_id, _agents.c.id == agent_id)
        session.execute(update(_agents).where(*mine).values(name=name, state=state or _agents.c.state, seen_at=at))
    return get_record(session, AgentRow, "agent", tenant_id, agent_id)


@reading
def list_agents(session: Session, tenant_id: str) -> list[AgentRow]:
    """Return a tenant's agents by name."""
    return list_records(
        session, select(AgentRow).where(_agents.c.tenant_id == tenant_id).order_by(_agents.c.name, _agents.c.id)
    )


def _there(session: Session, tenant_id: str, since: datetime) -> Sequence[str]:
    mine = (_agents.c.tenant_id == tenant_id, _agents.c.state == "online", _agents.c.seen_at >= since)
    return session.scalars(select(_agents.c.id).where(*mine)).all()


def _typical_s(session: Session, tenant_id: str) -> float | None:
    """Return the mean time of the conversations that agents ended last; None where there were too few."""
    ended = (
        _c.tenant_id == tenant_id,
        _c.status == "closed",
        _c.claimed_at.is_not(None),
        _c.outcome.in_(("resolved", "unresolved", "released")),
    )
    rows = session.execute(
        select(_c.claimed_at, _c.closed_at).where(*ended).order_by(_c.closed_at.desc()).limit(_MEASURED)
    ).all()
    if len(rows) < _FEWEST_MEASURED:
        return None
    seconds: list[float] = [(row.closed_at - row.claimed_at).total_seconds() for row in rows]
    return sum(seconds) / len(seconds)
