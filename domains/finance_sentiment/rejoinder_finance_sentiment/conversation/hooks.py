"""The conversation's part of the plugin's hooks."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING

from rejoinder.context import Context
from rejoinder.payloads import Action, Answer, ConversationState, Effect, EffectResult, Message, Query, Understanding

from rejoinder_finance_sentiment.conversation.naming import Directories
from rejoinder_finance_sentiment.conversation.turn import KIND

if TYPE_CHECKING:
    from rejoinder_finance_sentiment.conversation.settings import ConversationSettings
    from rejoinder_finance_sentiment.reading.graph_companies import Companies

__all__ = ["Conversation"]


class Conversation:
    """Answers questions about companies, of callers who may ask them.

    Args:
        companies: what is declared of companies.
    """

    def __init__(self, companies: Companies) -> None:
        self.directories = Directories(companies)

    async def decide(
        self, message: Message, understanding: Understanding, state: ConversationState, context: Context
    ) -> Action | None:
        """Return what to do with a message; None where it is about something else, or a flow or a person has the word."""
        settings: ConversationSettings = context.settings.conversation
        if state.mode != "bot" or state.flows or context.monitoring is None:
            return None
        if not settings.enabled or context.caller.role not in settings.roles:
            return None
        from rejoinder_finance_sentiment.conversation.talk import decide

        directory = await self.directories.of(context)
        return await decide(message, understanding, state, directory, context.monitoring, context)

    async def answers(self, query: Query, context: Context) -> list[Answer]:
        """Return the answer to a question that `decide` has read; [] for other queries."""
        if query.kind != KIND or context.monitoring is None:
            return []
        from rejoinder_finance_sentiment.conversation.alert_talk import alert_answer
        from rejoinder_finance_sentiment.conversation.answers import Question, answer
        from rejoinder_finance_sentiment.conversation.memory import Request

        directory = await self.directories.of(context)
        if "alert" in query.filters:
            found = await alert_answer(query.filters["alert"], context.monitoring, directory, context.now())
            return [] if found is None else [found]
        request = Request.from_json(query.filters["request"])
        if not request.keys or request.period is None:
            return []
        question = Question(
            request=request,
            period=request.period,
            as_of=datetime.fromisoformat(query.filters["as_of"]),
            directory=directory,
            monitoring=context.monitoring,
            context=context,
        )
        return [await answer(question)]

    async def run(self, effect: Effect, context: Context) -> EffectResult | None:
        """Do what was confirmed."""
        from rejoinder_finance_sentiment.conversation import alert_talk, rule_talk

        return await rule_talk.run(effect, context) or await alert_talk.run(effect, context)
