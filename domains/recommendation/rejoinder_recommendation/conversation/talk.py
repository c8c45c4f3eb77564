"""Decide what the one who recommends says: a list, a question, a reason, or nothing."""

from __future__ import annotations

import asyncio
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

import numpy as np
from rejoinder.context import Context
from rejoinder.items.tenant_items import LIST_TASK
from rejoinder.payloads import Action, ConversationState, Message, Option, Query, Question, Understanding

from rejoinder_recommendation.conversation.filters import COMPARISONS, relative
from rejoinder_recommendation.conversation.memory import Memory
from rejoinder_recommendation.conversation.opinions import opinions_in
from rejoinder_recommendation.conversation.requests import Request, pointed_to, read_request
from rejoinder_recommendation.lists.answers import Listing, listing_for
from rejoinder_recommendation.lists.filters import Filters

if TYPE_CHECKING:
    from rejoinder.items.catalogue import CatalogueItem

    from rejoinder_recommendation.conversation.item_index import ItemIndex
    from rejoinder_recommendation.lists.shelves import Shelves, Stand
    from rejoinder_recommendation.settings import ChatSettings

__all__ = ["QUESTION", "decide"]

QUESTION: Final = "recommendation."
"""How the slots of the three questions begin."""
_OFFERED: Final = 6
_QUESTIONS: Final = 3
_PATIENCE_S: Final = 0.5
_EXPLICIT: Final = re.compile(r"\b(?:recommend|suggest)", re.IGNORECASE)
_EMPTY: Final = "There is nothing that I could recommend: the catalogue is empty."
_READING: Final = "I am still reading the catalogue. Please ask me again in a moment."
_NAMES: Final = {"price": "price", "minutes": "length", "year": "year"}
_NOTHING: Final = re.compile(
    r"\W*(?:no|nope|none|nothing|skip|any(?:thing)?|whatever|no idea|surprise me|not really|no limits?|"
    r"(?:i )?don['’]?t (?:know|care|mind))\W*",
    re.IGNORECASE,
)


@dataclass(frozen=True, slots=True)
class _Turn:
    """One message to the one who recommends, and what is known."""

    message: Message
    state: ConversationState
    stand: Stand
    index: ItemIndex
    shelves: Shelves
    context: Context
    memory: Memory
    request: Request
    notes: tuple[str, ...] = ()

    @property
    def settings(self) -> ChatSettings:
        """The tenant's."""
        found: ChatSettings = self.context.settings.chat
        return found

    def item(self, id_: str) -> CatalogueItem:
        """Return an item."""
        return self.index.catalogue.items[self.index.catalogue.place[id_]]


async def decide(
    message: Message, understanding: Understanding, state: ConversationState, shelves: Shelves, context: Context
) -> Action | None:
    """Return what to do with a message; None where it is about something else."""
    settings: ChatSettings = context.settings.chat
    if context.items is None:
        return None
    catalogue = await context.items.catalogue()
    if not len(catalogue):
        asked = bool(_EXPLICIT.search(message.text)) and not _is_of_others(understanding, settings)
        return Action(kind="say", state=state, text=_EMPTY, reason="empty catalogue") if asked else None
    stand = await shelves.stand(context.items, indexed=True, patience_s=_PATIENCE_S)
    if stand is None or stand.index is None:
        asked = bool(_EXPLICIT.search(message.text)) and not _is_of_others(understanding, settings)
        return Action(kind="say", state=state, text=_READING, reason="items are being read") if asked else None
    last = tuple(id_ for id_ in state.last_list if id_ in stand.catalogue.place)
    request = read_request(message.text, stand.index, last)
    answers = state.question is not None and (state.question.slot or "").startswith(QUESTION)
    if not answers and not _is_meant(request, bool(last), understanding, settings):
        return None
    memory = Memory.of(state) or Memory()
    if request.wants and not answers and (request.liked or request.content):
        memory = Memory(disliked=memory.disliked)
    if answers:
        state = replace(state, question=None)
    turn = _Turn(message, state, stand, stand.index, shelves, context, memory.heard(request), request)
    if request.explains:
        return await _explanation(turn, last)
    if answers:
        said = message.text if not _NOTHING.fullmatch(message.text) else ""
        if said and not request.content and not request.liked:
            turn = replace(turn, memory=replace(turn.memory, said=(*turn.memory.said, said)))
        return _next_question(turn) or await _list(turn)
    if request.wants and not request.says_something and not last and await _is_stranger(turn):
        return _next_question(turn) or await _list(turn)
    return await _list(_criticised(turn, last))


def _is_meant(request: Request, shown: bool, understanding: Understanding, settings: ChatSettings) -> bool:
    if any(one.task == "hand_off" for one in understanding.readings):
        return False
    if shown and request.refines:
        return True
    named = bool(request.liked or request.disliked)
    if named and (request.wants or request.compared or request.tells):
        return True
    return request.wants and not _is_of_others(understanding, settings)


def _is_of_others(understanding: Understanding, settings: ChatSettings) -> bool:
    """Say whether a message surely has an intent that other plugins answer."""
    elsewhere = any(
        one.task == "intent" and one.confidence >= settings.domain_confidence for one in understanding.readings
    )
    return elsewhere and (understanding.in_scope is None or understanding.in_scope >= 0.5)


async def _is_stranger(turn: _Turn) -> bool:
    """Say whether nothing is known of who speaks, neither by words nor by what they did."""
    if turn.memory.liked or turn.memory.said or turn.context.items is None:
        return False
    return not await turn.context.items.recent(turn.context.caller.id, turn.context.session_id)


def _criticised(turn: _Turn, last: Sequence[str]) -> _Turn:
    """Return the turn with what the message says of the last list, and of what an item is to be compared with."""
    request, memory, notes = turn.request, turn.memory, list(turn.notes)
    gone = last if request.more else request.rejected
    memory = replace(
        memory,
        shown=tuple(dict.fromkeys((*memory.shown, *gone))),
        disliked=tuple(dict.fromkeys((*memory.disliked, *request.rejected))) if not request.more else memory.disliked,
    )
    shelf = turn.stand.shelf
    about = next(iter((*request.liked, *request.preferred, *last, *reversed(memory.liked))), None)
    for word in request.compared:
        value = np.nan if about is None else shelf.measure(COMPARISONS[word][0])[shelf.catalogue.place[about]]
        bound = relative(word, float(value))
        if bound is None:
            of = "" if about is None else f" of {turn.item(about).title}"
            notes.append(f"The catalogue does not say what I would need{of} for “{word}”, so I left that out.")
        else:
            memory = replace(memory, filters=memory.filters.merged(bound))
    for measure in memory.filters.bounded():
        if not np.isfinite(shelf.measure(measure)).any():
            memory = replace(memory, filters=memory.filters.unbounded([measure]))
            notes.append(f"The catalogue knows no item's {_NAMES[measure]}, so I left that out.")
    return replace(turn, memory=memory, notes=tuple(notes))


async def _list(turn: _Turn) -> Action:
    """Return the action that shows a list, or says why there is none."""
    memory = turn.memory
    query = _query(turn, memory)
    effects = opinions_in(turn.request)
    listing = await listing_for(query, turn.context, turn.shelves, patience_s=_PATIENCE_S)
    if listing is None:
        return Action(kind="say", state=turn.state, text=_READING, reason="items are being read")
    state = memory.kept_in(turn.state)
    if not (await asyncio.to_thread(listing.open)).any():
        text = await asyncio.to_thread(_why_empty, turn, listing)
        return Action(kind="say", state=state, text=text, effects=effects, reason="all items filtered out")
    text = _introduction(turn)
    return Action(kind="answer", state=state, text=text, query=query, effects=effects, reason="items were asked for")


def _query(turn: _Turn, memory: Memory) -> Query:
    return Query(
        kind=LIST_TASK,
        text=memory.words or None,
        user_id=turn.context.caller.id,
        session_id=turn.context.session_id,
        filters=memory.wish().to_json(),
        limit=turn.settings.items,
        explain=True,
    )


def _introduction(turn: _Turn) -> str:
    """Return the sentence before a list: what it goes by, and what was left out."""
    memory, place = turn.memory, turn.index.catalogue.place
    liked = [turn.item(id_).title for id_ in memory.liked[-2:] if id_ in place]
    by = [f"like {' and '.join(liked)}"] if liked else []
    if limits := memory.filters.in_words():
        by.append(limits)
    text = f"Here is what I found ({'; '.join(by)}):" if by else "Here is what I found:"
    return " ".join((*turn.notes, text))


def _why_empty(turn: _Turn, listing: Listing) -> str:
    """Say what fits nothing, and what would with one wish less."""
    filters = turn.memory.filters
    wished = filters.in_words()
    if not wished:
        return "That was everything I have; nothing is left that I have not shown."
    easier: list[tuple[str, Filters]] = [(_NAMES[name], filters.unbounded([name])) for name in filters.bounded()]
    if filters.tags or filters.without:
        easier.append(("kind", replace(filters, tags=(), without=())))
    for name, fewer in easier:
        found = listing.make(listing.open(turn.memory.wish(fewer)), 1, explore=False)
        if found:
            title = listing.shelf.catalogue.items[found[0].place].title
            return f"Nothing fits “{wished}”. Whatever the {name}, {title} would come nearest."
    return f"Nothing fits “{wished}”."


async def _explanation(turn: _Turn, last: Sequence[str]) -> Action:
    """Say why an item of the last list was shown: what its place in the list was really made of."""
    text = turn.message.text
    named = [link.item for link in turn.index.linker.link(text) if link.item in last]
    item = turn.item((*named, *pointed_to(text, last), *last)[0])
    memory = Memory.of(turn.state) or Memory()
    listing = await listing_for(_query(turn, memory), turn.context, turn.shelves, patience_s=_PATIENCE_S)
    if listing is None:
        return Action(kind="say", state=turn.state, text=_READING, reason="items are being read")
    reasons = list(await listing.reasons_of(item.id, turn.context))
    if wished := memory.filters.in_words():
        reasons.append(f"it fits “{wished}”")
    return Action(kind="say", state=turn.state, text=f"{item.title}: {'; '.join(reasons)}.", reason="asked why")


def _next_question(turn: _Turn) -> Action | None:
    """Return the next of the three questions to a stranger; None when they were asked."""
    asked, settings = turn.memory.asked, turn.settings
    if asked >= _QUESTIONS:
        return None
    texts = (settings.question_liked, settings.question_mood, settings.question_limits)
    options: tuple[Option, ...] = ()
    if asked == 1:
        often = Counter(tag for facts in turn.index.facts for tag in facts.tags).most_common(_OFFERED)
        options = tuple(Option(title=tag, value=tag) for tag, _ in often)
    question = Question(kind="slot", slot=f"{QUESTION}{asked + 1}", options=options, text=texts[asked])
    state = replace(replace(turn.memory, asked=asked + 1).kept_in(turn.state), question=question)
    return Action(
        kind="ask",
        state=state,
        text=texts[asked],
        question=question,
        effects=opinions_in(turn.request),
        reason=f"stranger's question {asked + 1}",
    )
