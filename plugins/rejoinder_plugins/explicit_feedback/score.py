"""Turn what a person said of a decision into rewards."""

from __future__ import annotations

import re
from typing import Final

from rejoinder.payloads import Decision, Feedback, Part, Reward

from rejoinder_plugins.explicit_feedback.settings import ExplicitFeedbackSettings

INTENT: Final = "intent"
ANSWER: Final = "answer"

_REMARK_CHARS: Final = 200
_GOOD: Final = re.compile(
    r"(?:yes|yeah|yep|perfect|great|excellent|awesome|brilliant|thanks|thank you|correct|exactly|good|very helpful|helpful|"
    r"that(?:'s| is| was) (?:right|correct|it|perfect|great|helpful)|that (?:helped|worked|helps|works)|solved)\b",
    re.IGNORECASE,
)
_BAD: Final = re.compile(
    r"(?:no|nope|wrong|incorrect|bad|terrible|useless|awful|not (?:helpful|right|correct|what|true|useful|good|quite)|unhelpful|"
    r"that(?:'s| is| was) (?:wrong|not|incorrect|false|useless)|"
    r"th(?:is|at) (?:didn'?t|doesn'?t|did not|does not) (?:help|work|answer))\b",
    re.IGNORECASE,
)
_REVERSED: Final = re.compile(
    r"(?:no (?:problem|worries|complaints?|issues?)|yeah,? right|thanks for nothing|good luck|great,? (?:but|another|more))\b",
    re.IGNORECASE,
)


def label_task(decision: Decision) -> str:
    """Return the task that the decision's label belongs to."""
    return INTENT if decision.kind == "turn" else decision.task


def rewards_for(feedback: Feedback, decision: Decision, settings: ExplicitFeedbackSettings) -> list[Reward]:
    """Return the rewards, one for each task that the feedback speaks of; [] for what cannot be read or is another plugin's."""
    weight = settings.weight_of(feedback.role)
    match feedback.kind:
        case "thumbs" if _is_number(feedback.value) and feedback.value in (1, -1):
            reason = "thumbs up" if feedback.value == 1 else "thumbs down"
            value = 1.0 if feedback.value == 1 else 0.0
            return _judged(feedback, decision, value, weight * settings.judgement_weight, reason)
        case "rating" if _is_number(feedback.value) and 1 <= feedback.value <= 5:
            reason = f"rated {feedback.value:g} of 5"
            return _judged(feedback, decision, (feedback.value - 1) / 4, weight * settings.judgement_weight, reason)
        case "corrected_intent":
            return _corrected_intent(feedback, decision, weight, settings)
        case "chosen":
            return _chose(feedback, decision, weight, settings)
        case "corrected_answer":
            return _corrected_answer(feedback, decision, weight, settings)
        case "free_text":
            return _remarked(feedback, decision, weight * settings.remark_weight)
        case _:
            return []


def _is_number(value: object) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def _tasks(feedback: Feedback, decision: Decision) -> list[tuple[str, Part]]:
    """Return the tasks, with their parts, that a judgement is about; one on a whole turn is about its intent and its answer.

    An answer that is none of an intent (it has no label) says nothing of how the message was read.
    """
    if decision.kind != "turn":
        return [(decision.task, feedback.about)]
    match feedback.about:
        case "whole":
            of_intent: list[tuple[str, Part]] = [(INTENT, "intent")]
            of_answer: list[tuple[str, Part]] = [(ANSWER, "answer")]
            if decision.answer is None:
                return of_intent
            return of_answer if decision.label is None else of_intent + of_answer
        case "intent":
            return [(INTENT, "intent")]
        case "answer":
            return [(ANSWER, "answer")]
        case "position":
            return [(decision.task, "position")]
        case _:  # of which part of a passage or of the message was read, whoever read it knows the task
            return []


def _judged(feedback: Feedback, decision: Decision, value: float, weight: float, reason: str) -> list[Reward]:
    said = f"{reason} by {_who(feedback)}"
    return [
        Reward(task=task, value=value, weight=weight, reason=said, about=part)
        for task, part in _tasks(feedback, decision)
    ]


def _corrected_intent(
    feedback: Feedback, decision: Decision, weight: float, settings: ExplicitFeedbackSettings
) -> list[Reward]:
    right = text_of(feedback, settings.max_intent_chars)
    if right is None:
        return []
    was_right = right == decision.label
    said = "confirmed" if was_right else "corrected"
    return [
        Reward(
            task=label_task(decision),
            value=1.0 if was_right else 0.0,
            weight=weight,
            reason=f"intent {said} by {_who(feedback)}",
            about="intent" if decision.kind == "turn" else feedback.about,
            correction=right,
        )
    ]


def chosen_label(feedback: Feedback, decision: Decision) -> str | None:
    """Return the label of the alternative that was chosen; None where it was not among the candidates."""
    picked = next((one for one in decision.candidates if feedback.value in (one.id, one.label)), None)
    return None if picked is None else picked.label or picked.id


def _chose(feedback: Feedback, decision: Decision, weight: float, settings: ExplicitFeedbackSettings) -> list[Reward]:
    """Return what a choice among the shown alternatives says: for the chosen one, and a little against those shown before it."""
    label = chosen_label(feedback, decision)
    if label is None:
        return []
    places = [one.label or one.id for one in decision.candidates]
    place = places.index(label)
    task = label_task(decision)
    who = _who(feedback)
    passed = f"passed over by {who} for {label!r}"
    return [
        Reward(
            task=task,
            value=1.0 if label == decision.label else 0.0,
            weight=weight,
            reason=f"{label!r} chosen by {who} among {len(places)}",
            about="intent" if decision.kind == "turn" else feedback.about,
            correction=label,
        ),
        Reward(task=task, value=1.0, weight=weight, reason=f"chosen by {who}", about="position", index=place),
        *(
            Reward(
                task=task, value=0.0, weight=weight * settings.passed_weight, reason=passed, about="position", index=one
            )
            for one in range(place)
            if settings.passed_weight
        ),
    ]


def _corrected_answer(
    feedback: Feedback, decision: Decision, weight: float, settings: ExplicitFeedbackSettings
) -> list[Reward]:
    right = text_of(feedback, settings.max_answer_chars)
    if right is None:
        return []
    was_right = decision.answer is not None and right == decision.answer.strip()
    said = "confirmed" if was_right else "corrected"
    value = 1.0 if was_right else 0.0
    reason = f"answer {said} by {_who(feedback)}"
    return [Reward(task=ANSWER, value=value, weight=weight, reason=reason, about="answer", correction=right)]


def _remarked(feedback: Feedback, decision: Decision, weight: float) -> list[Reward]:
    remark = text_of(feedback, _REMARK_CHARS, cut=True)
    if remark is None:
        return []
    value = 0.5
    if not _REVERSED.match(remark):
        value = 1.0 if _GOOD.match(remark) else 0.0 if _BAD.match(remark) else 0.5
    return _judged(feedback, decision, value, weight if value != 0.5 else 0.0, f"remark {remark!r}")


def text_of(feedback: Feedback, max_chars: int, *, cut: bool = False) -> str | None:
    """Return the feedback's text, stripped; None when there is none or it is too long (with `cut`, it is shortened instead)."""
    if not isinstance(feedback.value, str):
        return None
    text = feedback.value.strip()
    if not text or (len(text) > max_chars and not cut):
        return None
    return text if len(text) <= max_chars else text[: max_chars - 1] + "…"


def _who(feedback: Feedback) -> str:
    article = "an" if feedback.role[0] in "aeiou" else "a"
    return f"{article} {feedback.role}"
