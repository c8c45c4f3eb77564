"""The plugin's hooks."""

from __future__ import annotations

from typing import Final

from rejoinder.hooks import hookimpl
from rejoinder.payloads import Command, Domain

NAME: Final = "recommendation"


class RecommendationPlugin:
    """Items that fit what somebody did."""

    rejoinder_spec = ">=1.0,<2"

    @hookimpl()
    def register_domain(self) -> list[Domain]:
        """Bring the domain."""
        return [Domain(name=NAME, title="Recommendation", version="1")]

    @hookimpl()
    def register_commands(self) -> list[Command]:
        """Bring `rejoinder evaluate recommend` and `rejoinder recommender`."""
        from rejoinder_recommendation.command import app
        from rejoinder_recommendation.recommender_command import app as recommender

        return [Command(name="evaluate recommend", app=app), Command(name="recommender", app=recommender)]
