"""Decide what the one who recommends says: a list, a question, a reason, or nothing."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from rejoinder.context import Context
from rejoinder.errors import EncoderBusyError, ModelError
from rejoinder.payloads import Action, ConversationState, Message, Option, Query, Question, Understanding

from rejoinder_recommendation.conversation.filters import Filters, known, relative
from rejoinder_recommendation.conversation.memory import Memory
from rejoinder_recommendation.conversation.reasons import reasons_for
from rejoinder_recommendation.conversation.requests import Request, pointed_to, read_request
from rejoinder_recommendation.conversation.shelf import Shelf

if TYPE_CHECKING:
    from rejoinder_recommendation.conversation.settings import ConversationSettings
    from rejoinder_recommendation.histories import Floats

__all__ = ["KIND", "QUESTION", "decide"]

KIND: Final = "recommendation_chat"
QUESTION: Final = "recommendation_chat."
"""How the slots of the three questions begin."""
_OFFERED: Final = 6
_QUESTIONS: Final = 3
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
    shelf: Shelf
    settings: ConversationSettings
    context: Context
    memory: Memory
    request: Request
    notes: tuple[str, ...] = ()


async def decide(
    message: Message, understanding: Understanding, state: ConversationState, shelf: Shelf, context: Context
) -> Action | None:
    """Return what to do with a message; None where it is about something else."""
    settings: ConversationSettings = context.settings
    catalogue = shelf.catalogue
    last = tuple(id_ for id_ in state.last_list if id_ in catalogue)
    request = read_request(message.text, catalogue, shelf.linker, last)
    answers = state.question is not None and (state.question.slot or "").startswith(QUESTION)
    if not answers and not _is_meant(request, bool(last), understanding, settings):
        return None
    memory = Memory.of(state) or Memory()
    if request.wants and not answers and (request.liked or request.content):
        memory = Memory(disliked=memory.disliked)
    if answers:
        state = replace(state, question=None)
    turn = _Turn(message, state, shelf, settings, context, memory.heard(request), request)
    if request.explains:
        return _explanation(turn, last)
    if answers:
        said = message.text if not _NOTHING.fullmatch(message.text) else ""
        if said and not request.content and not request.liked:
            turn = replace(turn, memory=replace(turn.memory, said=(*turn.memory.said, said)))
        return _next_question(turn) or await _list(turn)
    if request.wants and not request.says_something and not turn.memory.liked and not turn.memory.said and not last:
        return _next_question(turn) or await _list(turn)
    return await _list(_criticised(turn, last))


def _is_meant(request: Request, shown: bool, understanding: Understanding, settings: ConversationSettings) -> bool:
    if any(one.task == "hand_off" for one in understanding.readings):
        return False
    if shown and request.refines:
        return True
    named = bool(request.liked or request.disliked)
    if named and (request.wants or request.compared or request.tells):
        return True
    elsewhere = any(
        one.task == "intent" and one.confidence >= settings.domain_confidence for one in understanding.readings
    )
    in_scope = understanding.in_scope is None or understanding.in_scope >= 0.5
    return request.wants and not (elsewhere and in_scope)


def _criticised(turn: _Turn, last: Sequence[str]) -> _Turn:
    """Return the turn with what the message says of the last list, and of what an item is to be compared with."""
    request, memory, notes = turn.request, turn.memory, list(turn.notes)
    gone = last if request.more else request.rejected
    memory = replace(
        memory,
        shown=tuple(dict.fromkeys((*memory.shown, *gone))),
        disliked=tuple(dict.fromkeys((*memory.disliked, *request.rejected))) if not request.more else memory.disliked,
    )
    about = next(iter((*request.liked, *request.preferred, *last, *reversed(memory.liked))), None)
    for word in request.compared:
        bound = None if about is None else relative(word, turn.shelf.catalogue[about])
        if bound is None:
            of = "" if about is None else f" of {turn.shelf.catalogue[about].title}"
            notes.append(f"The catalogue does not say what I would need{of} for “{word}”, so I left that out.")
        else:
            memory = replace(memory, filters=memory.filters.merged(bound))
    for attribute in memory.filters.bounded():
        if not known(attribute, turn.shelf.catalogue):
            memory = replace(memory, filters=memory.filters.unbounded([attribute]))
            notes.append(f"The catalogue knows no item's {_NAMES[attribute]}, so I left that out.")
    return replace(turn, memory=memory, notes=tuple(notes))


_NAMES: Final = {"price": "price", "minutes": "length", "year": "year"}


async def _list(turn: _Turn) -> Action:
    """Return the action that shows a list, or says why there is none."""
    memory = turn.memory
    vector = await _vector(memory.words or turn.message.text, turn.context)
    found = _ranked(turn, memory.filters, vector)
    if not found:
        return Action(
            kind="say", state=memory.kept_in(turn.state), text=_why_empty(turn, vector), reason="all items filtered out"
        )
    ids = tuple(id_ for id_, _ in found)
    state = replace(memory.kept_in(turn.state), last_list=ids)
    wish: dict[str, Any] = {
        "items": [list(pair) for pair in found],
        "wish": memory.to_json(),
        "notes": list(turn.notes),
    }
    query = Query(
        kind=KIND,
        text=turn.message.text,
        user_id=turn.context.caller.id,
        session_id=turn.context.session_id,
        filters=wish,
        limit=turn.settings.items,
        explore=False,
    )
    return Action(kind="answer", state=state, query=query, reason="items were asked for")


def _ranked(turn: _Turn, filters: Filters, vector: Floats | None) -> list[tuple[str, float]]:
    memory = turn.memory
    return turn.shelf.ranked(
        liked=memory.liked,
        disliked=memory.disliked,
        excluded=frozenset(memory.shown),
        filters=filters,
        words=memory.words,
        vector=vector,
        limit=turn.settings.items,
    )


def _why_empty(turn: _Turn, vector: Floats | None) -> str:
    """Say what fits nothing, and what would with one wish less."""
    filters = turn.memory.filters
    if not len(turn.shelf.catalogue):
        return "The catalogue is empty: there is nothing that I could recommend."
    wished = filters.in_words()
    if not wished:
        return "That was everything I have; nothing is left that I have not shown."
    easier: list[tuple[str, Filters]] = [(_NAMES[name], filters.unbounded([name])) for name in filters.bounded()]
    if filters.tags or filters.without:
        easier.append(("kind", replace(filters, tags=(), without=())))
    for name, fewer in easier:
        found = _ranked(turn, fewer, vector)
        if found:
            title = turn.shelf.catalogue[found[0][0]].title
            return f"Nothing fits “{wished}”. Whatever the {name}, {title} would come nearest."
    return f"Nothing fits “{wished}”."


def _explanation(turn: _Turn, last: Sequence[str]) -> Action:
    """Say why an item of the last list was shown, by what can be pointed to."""
    catalogue, memory = turn.shelf.catalogue, Memory.of(turn.state) or Memory()
    named = [link.item for link in turn.shelf.linker.link(turn.message.text) if link.item in last]
    id_ = (*named, *pointed_to(turn.message.text, last), *last)[0]
    item = catalogue[id_]
    reasons = reasons_for(item, catalogue, liked=memory.liked, words=memory.words)
    wished = memory.filters.in_words()
    if wished:
        reasons.append(f"it fits “{wished}”")
    if reasons:
        text = f"{item.title}: {'; '.join(reasons)}."
    else:
        text = (
            f"I cannot point to a detail that {item.title} shares with what you said; "
            "it came out ahead of the rest in the ranking as a whole."
        )
    return Action(kind="say", state=turn.state, text=text, reason="asked why")


def _next_question(turn: _Turn) -> Action | None:
    """Return the next of the three questions to a stranger; None when they were asked."""
    asked, settings = turn.memory.asked, turn.settings
    if asked >= _QUESTIONS:
        return None
    texts = (settings.question_liked, settings.question_mood, settings.question_limits)
    options: tuple[Option, ...] = ()
    if asked == 1:
        often = Counter(tag for item in turn.shelf.catalogue.items for tag in item.tags).most_common(_OFFERED)
        options = tuple(Option(title=tag, value=tag) for tag, _ in often)
    question = Question(kind="slot", slot=f"{QUESTION}{asked + 1}", options=options, text=texts[asked])
    state = replace(replace(turn.memory, asked=asked + 1).kept_in(turn.state), question=question)
    return Action(
        kind="ask", state=state, text=texts[asked], question=question, reason=f"stranger's question {asked + 1}"
    )


async def _vector(text: str, context: Context) -> Floats | None:
    try:
        return np.asarray(await context.models.encode(text), dtype=np.float64)
    except EncoderBusyError:
        raise
    except ModelError:
        return None
