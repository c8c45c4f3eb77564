"""The plugin's hooks."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Final

from rejoinder.context import Context, Deployment
from rejoinder.hooks import hookimpl
from rejoinder.items.item_graph import ITEM
from rejoinder.payloads import (
    Adaptation,
    AdaptationRequest,
    Answer,
    Command,
    Domain,
    Evaluation,
    EvaluationRequest,
    Query,
    Task,
)

from rejoinder_recommendation.learner import TASK, RecommenderLearner
from rejoinder_recommendation.settings import RecommendationSettings

if TYPE_CHECKING:
    from rejoinder_recommendation.lists.answers import Shelves

NAME: Final = "recommendation"


class RecommendationPlugin:
    """Items that fit what somebody did."""

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

    @hookimpl(deadline_s=30.0)
    async def retrieve_answers(self, query: Query, context: Context) -> list[Answer]:
        """List items where a recommendation is asked for."""
        if query.kind != NAME:
            return []
        if self._shelves is None:
            from rejoinder_recommendation.lists.answers import Shelves  # numpy and scipy, needed only here

            self._shelves = Shelves()
        return await self._shelves.answers(query, context)

    @hookimpl()
    def tenant_disabled(self, context: Context) -> None:
        """Free what is kept of the tenant."""
        if self._shelves is not None:
            self._shelves.forget(context.tenant)
