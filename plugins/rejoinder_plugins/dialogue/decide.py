"""Choose what the bot does with one message."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Final

from rejoinder.context import Context
from rejoinder.labels import humanised
from rejoinder.payloads import (
    Action,
    ConversationState,
    Entity,
    Message,
    Option,
    Query,
    Question,
    Reading,
    Understanding,
)

from rejoinder_plugins.dialogue.choices import NONE, chosen
from rejoinder_plugins.dialogue.compose import is_of_a_flow
from rejoinder_plugins.dialogue.hand_off import hand_off, sounds_angry, wants_person
from rejoinder_plugins.dialogue.phrases import normalised, says_yes_or_no
from rejoinder_plugins.dialogue.settings import DialogueSettings

_KEPT_ENTITIES: Final = 50


class Turn:
    """The decision on one message: what was said, what it may mean, and the state with the new slots and entities in it."""

    def __init__(
        self, message: Message, understanding: Understanding, state: ConversationState, context: Context
    ) -> None:
        self.settings: DialogueSettings = context.settings
        self.context = context
        self.text = message.text.strip()
        self.understanding = understanding
        self.question = state.question
        self.known = merged(state, understanding)
        # what a flow that waits knows is changed by the flow only
        self.state = replace(self.known, slots=state.slots) if state.flows else self.known
        self.readings = tuple(one for one in understanding.readings if one.task == "intent")

    async def decide(self) -> Action:
        """Return the action; the state never keeps a question of this plugin that was answered or passed over."""
        if self.state.mode != "bot":
            return Action(kind="silent", state=self.state, reason="a person speaks for the bot")
        if not normalised(self.text):
            return Action(
                kind="ask", state=self.state, text=self.settings.texts.empty, reason="no words", question=self.question
            )
        pending = self.question
        if pending is not None and pending.kind in ("clarify", "hand_off"):
            self.state = replace(self.state, question=None)
            action = self._chose(pending) if pending.kind == "clarify" else self._accepted_or_declined(pending)
            if action is not None:
                return action
        asks = wants_person(self.text, self.settings)
        if self._wants_person(asks):
            return self.hand_off(self.text, "asked for a person")
        if sounds_angry(self.understanding) and not asks:
            return self.hand_off(self.text, "is angry")
        if (failed := self._failed()) is not None:
            return self.hand_off(self.text, failed)
        options = [] if is_of_a_flow(self.question) else self._near_ties()
        if options and not self._same_as_before(options) and await self._nothing_was_taught():
            return self._ask_back(options, self.text)
        return self.answer(self.text, self.readings)

    def answer(self, text: str, readings: Sequence[Reading], reason: str = "") -> Action:
        """Answer a text; where it is out of scope the intents are withheld, and only what the text itself finds counts."""
        in_scope = self.understanding.in_scope
        known = in_scope is None or in_scope >= self.settings.min_in_scope
        query = Query(
            text=text,
            user_id=self.context.caller.id,
            session_id=self.context.session_id,
            intents=tuple(readings) if known or reason else (),
            entities=self.state.entities,
            filters={name: slot.value for name, slot in self.known.slots.items() if not slot.sensitive},
            history=self.context.history,
            limit=self.settings.max_candidates,
        )
        return Action(kind="answer", state=self.state, query=query, reason=reason or ("" if known else "out of scope"))

    def hand_off(self, about: str, reason: str) -> Action:
        """Give the conversation to a person, and plan to tell them where the tenant wants that."""
        return hand_off(
            self.state,
            self.context,
            about=about,
            reason=reason,
            text=self.settings.texts.hand_off,
            notifier=self.settings.hand_off_notifier,
            timeout_s=self.settings.hand_off_notify_timeout_s,
        )

    # --- pending questions -----------------------------------------------------------------------------------------

    def _chose(self, pending: Question) -> Action | None:
        option = chosen(self.text, pending.options)
        if option is None:
            if self._yes_or_no() == "yes":  # yes to which?
                return self._ask(self.settings.texts.clarify_again, pending, "no choice")
            return None
        if option.value == NONE:
            state = replace(self.state, misses=self.state.misses + 1)
            return Action(kind="ask", state=state, text=self.settings.texts.none_chosen, reason="all options rejected")
        reading = Reading(intent=option.value, confidence=1.0, title=option.title, source="choice")
        return self.answer(pending.about or self.text, (reading,), "chosen when asked back")

    def _accepted_or_declined(self, pending: Question) -> Action | None:
        if not self.settings.hand_off or self.state.misses < self.settings.hand_off_after_misses:
            return None  # nothing was offered
        said = self._yes_or_no()
        if said == "yes":
            return self.hand_off(pending.about or self.text, "accepted a person")
        if said == "no":
            text = self.settings.texts.hand_off_declined
            return Action(kind="ask", state=self.state, text=text, reason="declined a person")
        return None

    def _yes_or_no(self) -> str | None:
        texts, said = self.settings.texts, normalised(self.text)
        if said == normalised(texts.yes_option):
            return "yes"
        if said == normalised(texts.no_option):
            return "no"
        return says_yes_or_no(self.text, yes=self.settings.yes_phrases, no=self.settings.no_phrases)

    # --- asking ----------------------------------------------------------------------------------------------------

    def _wants_person(self, asks: bool) -> bool:
        if not self.settings.hand_off:
            return False
        top = self.readings[0] if self.readings else None
        taught = top is not None and top.source == "memory"  # somebody said what such words mean here
        if asks and not taught:
            return True
        return (
            top is not None
            and top.intent in self.settings.hand_off_intents
            and top.confidence >= self.settings.sure_confidence
        )

    def _failed(self) -> str | None:
        """Return in what the bot failed so often that a person takes over; None where it did not."""
        settings, state = self.settings, self.state
        if not settings.hand_off or is_of_a_flow(self.question):
            return None
        if 0 < settings.hand_off_after_failures <= state.misses:
            return f"{state.misses} messages in a row found no answer"
        if 0 < settings.hand_off_after_dislikes <= state.dislikes:
            return f"{state.dislikes} answers in a row were thumbed down"
        return None

    def _near_ties(self) -> list[Reading]:
        """Return the intents to offer, best first; none when one is ahead of the others, or nothing is in scope."""
        settings, in_scope = self.settings, self.understanding.in_scope
        if settings.clarify_margin <= 0.0 or (in_scope is not None and in_scope < settings.min_in_scope):
            return []
        offered = [one for one in self.readings if one.confidence >= settings.min_confidence][: settings.max_options]
        if len(offered) < 2 or offered[0].confidence >= settings.sure_confidence or offered[0].source == "memory":
            return []  # what a person corrected needs no asking
        return offered if offered[0].confidence - offered[1].confidence < settings.clarify_margin else []

    def _same_as_before(self, offered: list[Reading]) -> bool:
        """Tell whether this would ask again what was just asked and not chosen."""
        if self.question is None or self.question.kind != "clarify":
            return False
        return {one.intent for one in offered} == {one.value for one in self.question.options if one.value != NONE}

    async def _nothing_was_taught(self) -> bool:
        return await self.context.models.recall("answer", self.text) is None

    def _ask_back(self, offered: list[Reading], about: str) -> Action:
        none = Option(title=self.settings.texts.none_option, value=NONE)
        titles = _distinct_titles(offered)
        options = tuple(Option(title=title, value=one.intent) for title, one in zip(titles, offered, strict=True))
        question = Question(kind="clarify", options=(*options, none), about=about)
        return self._ask(self.settings.texts.clarify, question, "near ties")

    def _ask(self, text: str, question: Question, reason: str) -> Action:
        state = replace(self.state, question=question)
        return Action(kind="ask", state=state, text=text, question=question, reason=reason)


def merged(state: ConversationState, understanding: Understanding) -> ConversationState:
    """Return the state with an understanding's slots and entities carried into it; a new value replaces the old one of its name."""
    if not understanding.slots and not understanding.entities:
        return state
    slots = {**state.slots, **{slot.name: slot for slot in understanding.slots}}
    named = {entity.name for entity in understanding.entities}
    kept: list[Entity] = [entity for entity in state.entities if entity.name not in named]
    return replace(state, slots=slots, entities=(*understanding.entities, *kept)[:_KEPT_ENTITIES])


def _distinct_titles(readings: list[Reading]) -> list[str]:
    """Return what to call each reading; where two have the same title, their intents are named too."""
    titles = [one.title or humanised(one.intent) for one in readings]
    return [
        title if titles.count(title) == 1 else f"{title} ({humanised(one.intent).lower()})"
        for title, one in zip(titles, readings, strict=True)
    ]
