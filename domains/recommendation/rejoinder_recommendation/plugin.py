"""The plugin's hooks."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Final

from rejoinder.context import Context, Deployment
from rejoinder.hooks import hookimpl
from rejoinder.items.item_graph import ITEM
from rejoinder.payloads import (
    Action,
    Adaptation,
    AdaptationRequest,
    Answer,
    Command,
    ConversationState,
    Domain,
    Effect,
    EffectResult,
    Evaluation,
    EvaluationRequest,
    Message,
    Query,
    Reply,
    Task,
    Understanding,
)

from rejoinder_recommendation.learner import TASK, RecommenderLearner
from rejoinder_recommendation.settings import RecommendationSettings

if TYPE_CHECKING:
    from rejoinder_recommendation.lists.shelves import Shelves

NAME: Final = "recommendation"


def _chats(settings: RecommendationSettings) -> bool:
    return settings.chat.enabled


class RecommendationPlugin:
    """Items that fit what somebody did and says: as lists, and in conversation."""

    rejoinder_spec = ">=1.0,<2"
    settings = RecommendationSettings

    def __init__(self) -> None:
        self._shelves: Shelves | None = None
        self._work = Path()

    @hookimpl()
    def start(self, deployment: Deployment) -> None:
        """Note where trainings that were interrupted keep what they found."""
        self._work = Path(deployment.data_dir) / "work" / "recommendation"

    @hookimpl()
    def register_tasks(self) -> list[Task]:
        """Bring the task `recommend`: a recommender trained by workers, which `/v1/recommendations` serves while it is live."""
        about = "Ranks items by what people did with them."
        return [Task(name=TASK, learner=RecommenderLearner, description=about, learns_from="behaviour")]

    @hookimpl()
    async def adapt_model(self, request: AdaptationRequest, context: Context) -> Adaptation | None:
        """Train a recommender on what the tenant's people did."""
        if request.task != TASK:
            return None
        from rejoinder_recommendation.training.fitting import train_on_behaviour  # with PyTorch, needed only here

        return await train_on_behaviour(request, context, self._work)

    @hookimpl()
    async def evaluate_model(self, request: EvaluationRequest, context: Context) -> Evaluation | None:
        """Judge a recommender by people whom no training saw."""
        if request.task != TASK:
            return None
        from rejoinder_recommendation.training.judging import judge_recommender

        return await judge_recommender(request, context)

    @property
    def shelves(self) -> Shelves:
        """What each tenant recommends from."""
        if self._shelves is None:
            from rejoinder_recommendation.lists.shelves import (
                Shelves,  # numpy and scipy, needed only where they are used
            )

            self._shelves = Shelves()
        return self._shelves

    @hookimpl()
    def register_domain(self) -> list[Domain]:
        """Bring the domain."""
        return [
            Domain(
                name=NAME,
                title="Recommendation",
                settings=RecommendationSettings,
                graph_schema={"open": True, "kinds": {ITEM: {"title": "item"}}},
                version="1",
            )
        ]

    @hookimpl()
    def register_commands(self) -> list[Command]:
        """Bring `rejoinder evaluate recommend` and `rejoinder recommender`."""
        from rejoinder_recommendation.command import app
        from rejoinder_recommendation.recommender_command import app as recommender

        return [Command(name="evaluate recommend", app=app), Command(name="recommender", app=recommender)]

    @hookimpl(when=_chats)
    async def tenant_enabled(self, context: Context) -> None:
        """Read the tenant's items, so that the first message about them need not wait."""
        if context.items is not None:
            await self.shelves.read(context.items)

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

    @hookimpl(before=("dialogue", "flows", "small_talk"), when=_chats)
    async def decide_action(
        self, message: Message, understanding: Understanding, state: ConversationState, context: Context
    ) -> Action | None:
        """Recommend, ask or explain; None where the message is about something else, or a flow or a person has the word."""
        if state.mode != "bot" or state.flows or context.items is None:
            return None
        from rejoinder_recommendation.conversation.talk import decide

        return await decide(message, understanding, state, self.shelves, context)

    @hookimpl()
    async def run_effect(self, effect: Effect, context: Context) -> EffectResult | None:
        """Keep what somebody said of an item in conversation, as the behaviour that it is."""
        if context.items is None:
            return None
        from rejoinder_recommendation.conversation.opinions import keep_opinion

        return await keep_opinion(effect, context)

    @hookimpl(deadline_s=30.0)
    async def retrieve_answers(self, query: Query, context: Context) -> list[Answer]:
        """List items where a recommendation is asked for."""
        if query.kind != NAME:
            return []
        from rejoinder_recommendation.lists.answers import answers_to

        return await answers_to(query, context, self.shelves)

    @hookimpl(before=("dialogue",), when=_chats)
    async def compose_reply(
        self, action: Action, answers: tuple[Answer, ...], state: ConversationState, context: Context
    ) -> Reply | None:
        """Put a list into words and cards; None for what other plugins decided."""
        if action.kind != "answer" or action.query is None or action.query.kind != NAME:
            return None
        if not answers:
            return Reply(parts=("I could not make a list just now. Please ask again in a moment.",))
        from rejoinder_recommendation.conversation.cards import shown

        return Reply(
            parts=(action.text or "",),
            cards=tuple(shown(answer.card) for answer in answers if answer.card is not None),
            citations=tuple(citation for answer in answers for citation in answer.citations),
        )
