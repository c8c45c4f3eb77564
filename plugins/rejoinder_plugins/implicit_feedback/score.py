"""Turn what a person did into rewards.

Clicks are read by position, as Joachims et al. 2005 (Accurately interpreting clickthrough data as implicit feedback, SIGIR, section 5)
found people to behave: whoever clicks has looked at what stands above, and passed it over ("click > skip above"); what stands below
says nothing. Half a minute of looking is the usual mark of a welcome result (Fox et al. 2005, Evaluating implicit measures to improve
web search, ACM TOIS 23:147). Whoever leaves may have found what they wanted ("good abandonment": Li, Huffman & Tokuda 2009, SIGIR), so
that leaving counts only after a message without an answer, and least of all.
"""

from __future__ import annotations

from typing import Final

from rejoinder.payloads import Decision, Feedback, Part, Reward

from rejoinder_plugins.implicit_feedback.settings import ImplicitFeedbackSettings

REASONS: Final = {
    "rephrased": "asked the same in other words",
    "repeated": "asked the very same again",
    "abandoned": "left after a message without an answer",
    "escalated": "asked for a person after this reply",
}
"""What speaks against a reply, by signal."""

ANSWER: Final = "answer"

POSITIVE: Final = {"click": "clicked", "purchase": "bought"}


def rewards_for(feedback: Feedback, decision: Decision, settings: ImplicitFeedbackSettings) -> list[Reward]:
    """Return the rewards; [] for what is another plugin's, or counts for nothing by the settings."""
    if feedback.kind == "dwell":
        made = [_looked(feedback, decision, settings)]
    elif feedback.kind != "behaviour":
        made = []
    elif feedback.value in REASONS:
        weight = getattr(settings, f"{feedback.value}_weight")
        made = [_of_whole(decision, 0.0, weight, REASONS[feedback.value])]
    elif feedback.value in POSITIVE:
        made = _clicked(feedback, decision, settings)
    else:
        made = []
    return [one for one in made if one.weight > 0]


def _of_whole(decision: Decision, value: float, weight: float, reason: str) -> Reward:
    task, part = _speaks_of(decision)
    return Reward(task=task, value=value, weight=weight, reason=reason, about=part)


def _speaks_of(decision: Decision) -> tuple[str, Part]:
    """Return what is rewarded where a decision is judged as a whole: of an answer that is none of an intent, the answer."""
    if decision.kind != "turn":
        return decision.task, "whole"
    if decision.answer is not None and decision.label is None:
        return ANSWER, "answer"
    return decision.task, "intent"


def _at(decision: Decision, place: int, value: float, weight: float, reason: str) -> Reward:
    return Reward(task=decision.task, value=value, weight=weight, reason=reason, about="position", index=place)


def _clicked(feedback: Feedback, decision: Decision, settings: ImplicitFeedbackSettings) -> list[Reward]:
    said = POSITIVE[feedback.value]
    weight = settings.click_weight if feedback.value == "click" else settings.purchase_weight
    place = feedback.index
    if place is None:
        return [_of_whole(decision, 1.0, weight, said)]
    above = range(min(place, len(decision.chosen)))
    passed = f"passed over for number {place + 1} below, which was {said}"
    return [
        _at(decision, place, 1.0, weight, f"{said} at number {place + 1}"),
        *(_at(decision, one, 0.0, settings.skipped_weight, passed) for one in above),
    ]


def _looked(feedback: Feedback, decision: Decision, settings: ImplicitFeedbackSettings) -> Reward:
    seconds = float(feedback.value)
    span = max(settings.long_dwell_s - settings.short_dwell_s, 1e-9)
    value = min(1.0, max(0.0, (seconds - settings.short_dwell_s) / span))
    reason = f"looked at it for {seconds:.0f} s"
    if feedback.index is None:
        return _of_whole(decision, value, settings.dwell_weight, reason)
    return _at(decision, feedback.index, value, settings.dwell_weight, reason)
