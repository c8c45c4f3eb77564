"""One message about companies, read, and what there is to answer it with."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Final

from rejoinder.context import Context
from rejoinder.payloads import Action, ConversationState, Effect, Message, Option, Query, Question

from rejoinder_finance_sentiment.conversation.memory import Memory, Request
from rejoinder_finance_sentiment.conversation.naming import Directory, Named

if TYPE_CHECKING:
    from rejoinder.monitoring.tenant_monitoring import TenantMonitoring

    from rejoinder_finance_sentiment.conversation.settings import ConversationSettings

__all__ = ["KIND", "Turn"]

KIND: Final = "finance_sentiment"
"""The kind of the queries that are answered here, and the plugin that runs the effects."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Turn:
    """One message, and what is known.

    Attributes:
        request: what it asks for.
        named: the companies in it.
    """

    message: Message
    state: ConversationState
    memory: Memory
    directory: Directory
    monitoring: TenantMonitoring
    context: Context
    request: Request
    named: Named

    @property
    def settings(self) -> ConversationSettings:
        """The tenant's."""
        found: ConversationSettings = self.context.settings.conversation
        return found

    @property
    def spoken_of(self) -> tuple[str, ...]:
        """The companies of the last question."""
        return () if self.memory.last is None else self.memory.last.keys

    def says(self, text: str, memory: Memory, reason: str) -> Action:
        """Return the action that says something."""
        return Action(kind="say", state=memory.kept_in(self.state), text=text, reason=reason)

    def asks(
        self,
        text: str,
        slot: str,
        memory: Memory,
        reason: str,
        *,
        options: tuple[Option, ...] = (),
        confirm: bool = False,
    ) -> Action:
        """Return the action that asks something."""
        question = Question(kind="confirm" if confirm else "slot", slot=slot, options=options, text=text)
        state = memory.kept_in(self.state)
        return Action(kind="ask", state=replace(state, question=question), text=text, question=question, reason=reason)

    def answers(self, filters: dict[str, Any], memory: Memory, reason: str) -> Action:
        """Return the action whose answer is looked up."""
        query = Query(
            kind=KIND,
            text=self.message.text,
            user_id=self.context.caller.id,
            session_id=self.context.session_id,
            filters=filters,
            explore=False,
        )
        return Action(kind="answer", state=memory.kept_in(self.state), query=query, reason=reason)

    def does(self, effects: tuple[Effect, ...], memory: Memory, reason: str) -> Action:
        """Return the action that does something, and says what came of it when it is done."""
        return Action(kind="say", state=memory.kept_in(self.state), effects=effects, again=True, reason=reason)
