"""The plugin's hooks."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from rejoinder.context import Context
from rejoinder.hooks import hookimpl
from rejoinder.items.item_graph import ITEM
from rejoinder.payloads import Answer, Command, Domain, Query

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
