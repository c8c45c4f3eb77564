"""The hooks of the plugin `recommendation_chat`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from rejoinder.context import Context
from rejoinder.hooks import hookimpl
from rejoinder.payloads import Action, Answer, Citation, ConversationState, Message, Query, Reply, Understanding

from rejoinder_recommendation.conversation.settings import ConversationSettings

if TYPE_CHECKING:
    from rejoinder_recommendation.conversation.shelf import Shelves

NAME: Final = "recommendation_chat"
_SOURCE: Final = "catalogue"


class ConversationPlugin:
    """Recommends in conversation: by what somebody liked, by words and limits, by what they say of the last list; and says why."""

    rejoinder_spec = ">=1.0,<2"
    settings = ConversationSettings

    def __init__(self) -> None:
        self._shelves: Shelves | None = None

    @property
    def shelves(self) -> Shelves:
        """What each tenant recommends from; `shelves.put` gives a tenant items of its own."""
        if self._shelves is None:
            from rejoinder_recommendation.conversation.shelf import Shelves  # heavy, and needed only where it is used

            self._shelves = Shelves()
        return self._shelves

    @hookimpl()
    async def tenant_enabled(self, context: Context) -> None:
        """Make the tenant's catalogue ready; its texts are encoded beside the turns."""
        if context.settings.catalogue != "none":
            await self.shelves.prepare(context)

    @hookimpl()
    async def tenant_disabled(self, context: Context) -> None:
        """Free what is kept of the tenant."""
        if self._shelves is not None:
            self._shelves.forget(context.tenant)

    @hookimpl()
    async def stop(self) -> None:
        """Free everything."""
        if self._shelves is not None:
            self._shelves.close()

    @hookimpl(before=("dialogue", "flows", "small_talk"))
    async def decide_action(
        self, message: Message, understanding: Understanding, state: ConversationState, context: Context
    ) -> Action | None:
        """Recommend, ask or explain; None where the message is about something else, or a flow or a person has the word."""
        if state.mode != "bot" or state.flows or (self._shelves is None and context.settings.catalogue == "none"):
            return None
        shelf = self.shelves.of(context)
        if shelf is None:
            return None
        from rejoinder_recommendation.conversation.talk import decide

        return await decide(message, understanding, state, shelf, context)

    @hookimpl()
    async def retrieve_answers(self, query: Query, context: Context) -> list[Answer]:
        """Give the items of a list as cards, each with its reasons and its source."""
        if query.kind != NAME or (shelf := self.shelves.of(context)) is None:
            return []
        from rejoinder_recommendation.conversation.cards import card_of, reason_of
        from rejoinder_recommendation.conversation.memory import Memory

        wish = Memory.from_json(query.filters["wish"])
        answers = []
        for id_, score in query.filters["items"]:
            if id_ in shelf.catalogue:
                item = shelf.catalogue[id_]
                reasons = reason_of(item, shelf.catalogue, wish)
                cited = Citation(source=_SOURCE, title=item.title, quote=item.text or None)
                card = card_of(item, reasons)
                answers.append(
                    Answer(id=f"item:{id_}", score=score, source=NAME, item=id_, card=card, citations=(cited,))
                )
        return answers

    @hookimpl(before=("dialogue",))
    async def compose_reply(
        self, action: Action, answers: tuple[Answer, ...], state: ConversationState, context: Context
    ) -> Reply | None:
        """Put a list into words; None for what other plugins decided."""
        if action.kind != "answer" or action.query is None or action.query.kind != NAME or not answers:
            return None
        from rejoinder_recommendation.conversation.cards import introduction
        from rejoinder_recommendation.conversation.memory import Memory

        shelf = self.shelves.of(context)
        if shelf is None:
            return None
        text = introduction(
            Memory.from_json(action.query.filters["wish"]), shelf.catalogue, action.query.filters["notes"]
        )
        return Reply(
            parts=(text,),
            cards=tuple(answer.card for answer in answers if answer.card is not None),
            citations=tuple(citation for answer in answers for citation in answer.citations),
        )
