"""The plugin's hooks."""

from __future__ import annotations

import hashlib

from rejoinder.context import Context
from rejoinder.hooks import hookimpl
from rejoinder.learning.propensity import PROPENSITY, propensity_of_shown
from rejoinder.payloads import Decision, Example, Feedback, Reward

from rejoinder_plugins.implicit_feedback.score import rewards_for
from rejoinder_plugins.implicit_feedback.settings import ImplicitFeedbackSettings


class ImplicitFeedbackPlugin:
    """Reads what people did: rephrased, repeated, left, asked for a person, clicked, bought, looked."""

    rejoinder_spec = ">=1.0,<2"
    settings = ImplicitFeedbackSettings

    @hookimpl()
    async def score_feedback(self, feedback: Feedback, decision: Decision, context: Context) -> list[Reward]:
        """Give the rewards, each with its reason."""
        return rewards_for(feedback, decision, context.settings)

    @hookimpl()
    async def make_examples(
        self, reward: Reward, feedback: Feedback, decision: Decision, context: Context
    ) -> list[Example]:
        """Give one example for each place of a list that a reward is about.

        Of replies none are made: that somebody asked again tells that something was wrong, and not what.
        """
        if feedback.kind not in ("behaviour", "dwell") or decision.kind != "list":
            return []
        place = reward.index
        if place is None or place >= len(decision.chosen) or reward.weight <= 0 or reward.value == 0.5:
            return []
        item = decision.chosen[place]
        made_of = f"{context.tenant}|{feedback.id}|{reward.task}|{place}"
        return [
            Example(
                id="ex_" + hashlib.sha256(made_of.encode()).hexdigest()[:40],
                task=reward.task,
                text=decision.input,
                target={"item": item, "position": place, PROPENSITY: propensity_of_shown(decision, item)},
                polarity="positive" if reward.value > 0.5 else "negative",
                weight=reward.weight,
                source=f"feedback:{feedback.value if feedback.kind == 'behaviour' else feedback.kind}",
                decision_id=decision.id,
                user_id=feedback.user_id,
                at=feedback.at,
            )
        ]
