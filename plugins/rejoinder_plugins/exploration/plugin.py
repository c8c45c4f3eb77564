"""The plugin's hooks."""

from __future__ import annotations

import secrets
from dataclasses import replace

from rejoinder.context import Context
from rejoinder.hooks import hookimpl
from rejoinder.payloads import Answer, Query

from rejoinder_plugins.exploration.settings import ExplorationSettings


class ExplorationPlugin:
    """Lets chance choose the first answer among those that are nearly as good as the best, where the tenant wants that."""

    rejoinder_spec = ">=1.0,<2"
    settings = ExplorationSettings

    @hookimpl(trylast=True, after=("dialogue",))
    async def rank_answers(self, query: Query, answers: tuple[Answer, ...], context: Context) -> list[Answer]:
        """Put one of the answers within the margin first, by Thompson sampling, and note the propensity of each at its place."""
        settings: ExplorationSettings = context.settings
        text = query.text
        if not settings.enabled or not query.explore or query.kind != "reply" or not text or len(answers) < 2:
            return list(answers)
        best = answers[0].score
        near = [one for one in answers[: settings.max_candidates] if one.score >= best - settings.margin]
        if best >= settings.sure_score or len(near) < 2:
            return list(answers)
        from rejoinder_plugins.exploration.thompson import chances_best, places  # numpy, needed only here

        said = await context.models.outcomes(text, [one.id for one in near])
        strength = settings.prior_strength
        good = [strength * _inner(one.score) for one in near]
        bad = [strength * (1 - _inner(one.score)) for one in near]
        for place, one in enumerate(near):
            if one.id in said:
                good[place] += said[one.id].good
                bad[place] += said[one.id].bad
        chances = chances_best(good, bad)
        first = _drawn(chances.tolist())
        order = [first, *(place for place in range(len(near)) if place != first)]
        chance_at = places(chances)
        shown = [replace(near[one], propensity=float(chance_at[place, one])) for place, one in enumerate(order)]
        return [*shown, *(one for one in answers if one not in near)]


def _inner(score: float) -> float:
    return min(0.95, max(0.05, score))


def _drawn(chances: list[float]) -> int:
    """Draw a place by these probabilities."""
    mark = secrets.randbelow(1 << 53) / (1 << 53)
    for place, chance in enumerate(chances):
        mark -= chance
        if mark < 0:
            return place
    return max(range(len(chances)), key=chances.__getitem__)
