"""What the host itself tells a customer who waits for a person, or for whom nobody came. No hook is called for any of it."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Final

from sqlalchemy.orm import Session

from rejoinder.context import Clock, Request, utc_now
from rejoinder.handoff.contacts import find_contact
from rejoinder.handoff.context import HandOffContext, summary_of
from rejoinder.handoff.settings import HelpDeskSettings, help_desk_of
from rejoinder.handoff.waiting import Place, estimated_wait_s
from rejoinder.host import Host
from rejoinder.payloads import ConversationState, Message, Option, Question, Reply
from rejoinder.store.database import Database
from rejoinder.store.hand_offs import (
    NewEvent,
    NewHandOff,
    QueueFigures,
    add_hand_off,
    change_row,
    find_open,
    newest_of,
    note_question,
    queue_figures,
)
from rejoinder.store.tables import HandOffRow
from rejoinder.wire import to_json

if TYPE_CHECKING:
    from rejoinder.tenants.secrets import Vault

__all__ = ["CONTACT", "Change", "Heard", "Lobby", "Opening", "contact_question", "place_of", "places_of"]

CONTACT: Final = "hand-off-contacts"
"""What the vault encrypts addresses for."""

_CONTACT_VALUE: Final = "contact"
_GO_ON_VALUE: Final = "bot"
_APOSTROPHES: Final = str.maketrans("", "", "'’`´")
_NO_WORDS: Final = re.compile(r"\W+")
_POLITE: Final = re.compile(r"^(?:(?:ok|okay|please|then) )+|(?: (?:please|thanks|thank you|then))+$")

Change = Callable[[Session], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Heard:
    """What a message came to that no hook was asked about. `also` is to be written with it."""

    state: ConversationState
    reply: Reply = field(default_factory=lambda: Reply(parts=()))
    place: Place | None = None
    also: Change | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Opening:
    """A hand-off that a turn begins: the turn's state and reply, and how the hand-off begins."""

    state: ConversationState
    reply: Reply
    place: Place | None
    is_open: bool


class Lobby:
    """Sees customers into the queue and, where nobody is there, out of it again."""

    def __init__(self, database: Database, host: Host, vault: Vault, *, clock: Clock = utc_now) -> None:
        self._database = database
        self._host = host
        self._vault = vault
        self._clock = clock

    async def open(self, request: Request, state: ConversationState, reply: Reply) -> Opening:
        """Return what a turn comes to that calls a person; within the opening hours the customer is told their place."""
        settings = help_desk_of(request.settings)
        state = replace(state, misses=0, dislikes=0)
        if not settings.are_people_there(self._clock()):
            question = contact_question(settings)
            closed = Reply(parts=(settings.texts.nobody,), options=question.options)
            return Opening(state=replace(state, mode="bot", question=question), reply=closed, place=None, is_open=False)
        since = self._clock() - timedelta(seconds=settings.presence_s)
        figures = await queue_figures(self._database, request.tenant, before=None, seen_since=since)
        if not figures.ever:  # people answer by other ways than ours, of which nothing is known
            return Opening(state=state, reply=reply, place=None, is_open=True)
        place = _place(figures, settings)
        options = (*reply.options, Option(title=settings.texts.go_on_option, value=_GO_ON_VALUE))
        told = replace(reply, parts=(*reply.parts, told_place(place, settings)), options=options)
        return Opening(state=state, reply=told, place=place, is_open=True)

    async def enter(
        self, request: Request, opening: Opening, context: HandOffContext, *, user_id: str, reason: str
    ) -> Change:
        """Return what writes a hand-off, with what an agent is to know of it.

        Raises:
            RedactionError: the summary could not be redacted; nothing may be stored.
        """
        now, tenant = self._clock(), request.tenant
        summary = await self._host.redact_text(summary_of(context, reason), "store", request)
        ended = {} if opening.is_open else {"status": "closed", "outcome": "nobody", "closed_at": now}
        new = NewHandOff(
            conversation_id=request.session_id or "",
            user_id=user_id,
            reason=await self._host.redact_text(reason, "store", request) if reason else "",
            summary=summary,
            context=to_json(context),
            at=now,
            values=ended,
        )
        event = NewEvent(kind="queued" if opening.is_open else "ended", at=now, text=reason)
        return lambda session: add_hand_off(session, tenant, new, event)

    async def hear(self, request: Request, state: ConversationState, message: Message) -> Heard | None:
        """Return what a message comes to while a person speaks for the bot, or after nobody came; None: it is the bot's again."""
        settings = help_desk_of(request.settings)
        tenant, conversation_id = request.tenant, request.session_id or ""
        if state.mode == "bot":
            return await self._contact(request, state, message, settings)
        row = await find_open(self._database, tenant, conversation_id)
        now = self._clock()
        if row is None:
            return Heard(state=state)
        if state.mode == "queued" and _goes_on(message.text, settings):
            values = {"status": "closed", "outcome": "withdrawn", "closed_at": now}
            event = NewEvent(kind="ended", at=now, text="the customer waited no longer")
            return Heard(
                state=replace(state, mode="bot", question=None),
                reply=Reply(parts=(settings.texts.released,)),
                also=_changed(tenant, row, values, event),
            )
        place = None if state.mode == "agent" else await place_of(self._database, settings, row, now=now)

        def note(session: Session) -> None:
            note_question(session, tenant, row.id, now)

        return Heard(state=state, place=place, also=note)

    async def _contact(
        self, request: Request, state: ConversationState, message: Message, settings: HelpDeskSettings
    ) -> Heard | None:
        tenant, texts = request.tenant, settings.texts
        contact = find_contact(message.raw_text)
        if contact is not None:
            row = await newest_of(self._database, tenant, request.session_id or "")
            if row is None:
                return None
            ciphertext = self._vault.encrypt(CONTACT, tenant, contact.encode())
            event = NewEvent(kind="ended", at=self._clock(), text="the customer left an address")
            return Heard(
                state=replace(state, question=None),
                reply=Reply(parts=(texts.contact_taken,)),
                also=_changed(tenant, row, {"outcome": "callback", "contact": ciphertext}, event),
            )
        if _same(message.text, texts.contact_option, _CONTACT_VALUE):
            return Heard(state=state, reply=Reply(parts=(texts.contact,)))
        if _goes_on(message.text, settings):
            return Heard(state=replace(state, question=None), reply=Reply(parts=(texts.released,)))
        return None


async def place_of(database: Database, settings: HelpDeskSettings, row: HandOffRow, *, now: datetime) -> Place:
    """Return where a hand-off in the queue stands."""
    since = now - timedelta(seconds=settings.presence_s)
    before = (row.queued_at, row.id)
    return _place(await queue_figures(database, row.tenant_id, before=before, seen_since=since), settings)


async def places_of(
    database: Database, tenant: str, settings: HelpDeskSettings, waiting: Sequence[HandOffRow], *, now: datetime
) -> dict[str, Place]:
    """Return where the hand-offs of a tenant's queue stand, by id; `waiting` are all, in order."""
    since = now - timedelta(seconds=settings.presence_s)
    figures = await queue_figures(database, tenant, before=None, seen_since=since)
    return {row.id: _place(figures._replace(waiting=ahead), settings) for ahead, row in enumerate(waiting)}


def _place(figures: QueueFigures, settings: HelpDeskSettings) -> Place:
    position = figures.waiting + 1
    typical_s = figures.typical_s or settings.typical_s
    wait_s = estimated_wait_s(position, agents=figures.agents, busy=figures.busy, typical_s=typical_s)
    return Place(position=position, wait_s=wait_s)


def told_place(place: Place, settings: HelpDeskSettings) -> str:
    """Put a place in the queue into words."""
    said = settings.texts.position.replace("{position}", str(place.position))
    if place.wait_s is None:
        return said
    minutes = max(1, round(place.wait_s / 60))
    return f"{said} {settings.texts.wait.replace('{minutes}', str(minutes))}"


def contact_question(settings: HelpDeskSettings) -> Question:
    """Return the question whether a customer wants to leave an address where nobody is there."""
    options = (
        Option(title=settings.texts.contact_option, value=_CONTACT_VALUE),
        Option(title=settings.texts.go_on_option, value=_GO_ON_VALUE),
    )
    return Question(kind="contact", options=options, text=settings.texts.nobody)


def _goes_on(text: str, settings: HelpDeskSettings) -> bool:
    """Tell whether a whole message says that the customer waits for nobody any more."""
    texts = settings.texts
    return _same(text, texts.go_on_option, _GO_ON_VALUE, *texts.go_on_phrases)


def _same(text: str, *meant: str) -> bool:
    return _bare(text) in {_bare(one) for one in meant}


def _bare(text: str) -> str:
    """Return the words of a text in lower case, without what only makes it polite."""
    return _POLITE.sub("", " ".join(_NO_WORDS.sub(" ", text.casefold().translate(_APOSTROPHES)).split()))


def _changed(tenant: str, row: HandOffRow, values: dict[str, object], event: NewEvent) -> Change:
    return lambda session: change_row(session, tenant, row.id, expected_version=row.version, values=values, event=event)
