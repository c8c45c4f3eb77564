"""The plugin's hooks."""

from __future__ import annotations

import hashlib
from typing import Final

from rejoinder.context import Context
from rejoinder.hooks import hookimpl
from rejoinder.payloads import Decision, Example, Feedback, Polarity, Reward

from rejoinder_plugins.explicit_feedback.score import ANSWER, chosen_label, label_task, rewards_for, text_of
from rejoinder_plugins.explicit_feedback.settings import ExplicitFeedbackSettings

_CLEARLY_GOOD: Final = 0.75
_CLEARLY_BAD: Final = 0.25
"""A reward between the two, such as three stars of five, says nothing about the label."""


class ExplicitFeedbackPlugin:
    """Reads thumbs, ratings, corrections and remarks, and makes examples of what they say for sure."""

    rejoinder_spec = ">=1.0,<2"
    settings = ExplicitFeedbackSettings

    @hookimpl()
    async def score_feedback(self, feedback: Feedback, decision: Decision, context: Context) -> list[Reward]:
        """Give one reward for each task that the feedback speaks of."""
        return rewards_for(feedback, decision, context.settings)

    @hookimpl()
    async def make_examples(
        self, reward: Reward, feedback: Feedback, decision: Decision, context: Context
    ) -> list[Example]:
        """Give the one example that follows from the reward, if any; a remark or a middling rating teaches nothing."""
        settings: ExplicitFeedbackSettings = context.settings
        if not decision.input.strip() or decision.kind not in ("turn", "reading"):
            return []
        label: str | None = None
        polarity: Polarity = "correction"
        weight = settings.weight_of(feedback.role)
        if feedback.kind == "corrected_intent" and reward.task == label_task(decision):
            label = text_of(feedback, settings.max_intent_chars)
        elif feedback.kind == "chosen" and reward.about != "position" and reward.task == label_task(decision):
            label = chosen_label(feedback, decision)
        elif feedback.kind == "corrected_answer" and reward.task == ANSWER:
            label = text_of(feedback, settings.max_answer_chars)
        elif (
            feedback.kind in ("thumbs", "rating") and reward.about != "position" and reward.task == label_task(decision)
        ):
            own = [one for one in rewards_for(feedback, decision, settings) if one.task == reward.task]
            value = own[0].value if own else 0.5
            if _CLEARLY_BAD < value < _CLEARLY_GOOD:
                return []
            label = decision.label
            polarity = "positive" if value >= _CLEARLY_GOOD else "negative"
            weight *= settings.judgement_weight * abs(2.0 * value - 1.0)
        if not label or weight <= 0.0:
            return []
        return [
            Example(
                id=_example_id(context.tenant, feedback.id, reward.task),
                task=reward.task,
                text=decision.input,
                label=label,
                polarity=polarity,
                weight=weight,
                source=f"feedback:{feedback.kind}",
                decision_id=decision.id,
                user_id=feedback.user_id,
                at=feedback.at,
            )
        ]


def _example_id(tenant: str, feedback_id: str, task: str) -> str:
    """Return the same id for the same feedback and task of a tenant, so that a retry changes nothing."""
    return "ex_" + hashlib.sha256(f"{tenant}|{feedback_id}|{task}".encode()).hexdigest()[:40]
