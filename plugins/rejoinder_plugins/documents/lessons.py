"""What people's word on an answer teaches: whether its passage answered the question, and which part of it does."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from rejoinder.context import Context
from rejoinder.documents.encoding import encoded_text
from rejoinder.learning.propensity import PROPENSITY, propensity_of_shown
from rejoinder.payloads import Decision, Example, Feedback, Polarity, Reward

from rejoinder_plugins.documents.finding import RANKING, FoundPassage, find
from rejoinder_plugins.documents.reading import READING, Extract, read

if TYPE_CHECKING:
    from rejoinder.documents.index import IndexedPassage

SOURCE: Final = "documents"

GOOD: Final = 0.75
BAD: Final = 0.25
_LOOKED_THROUGH: Final = 40
_SHORTEST_QUOTE: Final = 3


@dataclass(frozen=True, slots=True)
class _Lesson:
    passage: IndexedPassage
    features: tuple[float, ...]
    right: bool


def answer_id(passage: IndexedPassage) -> str:
    """Return the id of a passage's answer."""
    return f"{SOURCE}:{passage.document_id}#{passage.number}@{passage.revision}"


def parsed(candidate_id: str) -> tuple[str, int, int] | None:
    """Return document, number and revision of an answer's id; None for an answer of another plugin."""
    source, _, rest = candidate_id.partition(":")
    place, at, revision = rest.rpartition("@")
    document_id, mark, number = place.rpartition("#")
    if source != SOURCE or not at or not mark or not number.isdigit() or not revision.isdigit():
        return None
    return document_id, int(number), int(revision)


async def examples_of(reward: Reward, feedback: Feedback, decision: Decision, context: Context) -> list[Example]:
    """Return what a reward on an answer from documents teaches ranker and reader.

    A correction whose text stands in a passage that was found teaches that passage instead. Of a document that changed since, nothing is
    learned of the old answer.
    """
    question = decision.input.strip()
    chosen = parsed(decision.chosen[0]) if decision.chosen else None
    if not question or BAD < reward.value < GOOD:
        return []
    found = await find(question, context, limit=_LOOKED_THROUGH)
    lessons: list[_Lesson] = []
    given = _of(found, chosen)
    if given is not None:
        lessons.append(_Lesson(given.passage, given.features, reward.value >= GOOD))
    examples: list[Example] = []
    if isinstance(reward.correction, str) and reward.value <= BAD:
        quoted = _quoting(found, reward.correction)
        if quoted is not None:
            lessons.append(_Lesson(quoted.passage, quoted.features, right=True))
            start = quoted.passage.text.casefold().index(reward.correction.strip().casefold())
            span = (start, start + len(reward.correction.strip()))
            examples.append(_reading(question, quoted.passage, span, reward, feedback, decision, context, "correction"))
    elif given is not None and given.passage.kind == "text":
        extract: Extract = await read(question, given.passage, context)
        if extract.span is not None:
            polarity: Polarity = "positive" if reward.value >= GOOD else "negative"
            # One bit on words that were given: it is learned by how likely these were (rejoinder.models.training.objectives.reinforce).
            likely = propensity_of_shown(decision, decision.chosen[0])
            examples.append(
                _reading(question, given.passage, extract.span, reward, feedback, decision, context, polarity, likely)
            )
    return [*(_ranking(question, one, reward, feedback, decision, context) for one in lessons), *examples]


def _of(found: Sequence[FoundPassage], chosen: tuple[str, int, int] | None) -> FoundPassage | None:
    return next(
        (one for one in found if chosen == (one.passage.document_id, one.passage.number, one.passage.revision)), None
    )


def _quoting(found: Sequence[FoundPassage], text: str) -> FoundPassage | None:
    wanted = text.strip().casefold()
    if len(wanted) < _SHORTEST_QUOTE:
        return None
    return next((one for one in found if wanted in one.passage.text.casefold()), None)


def _ranking(
    question: str, lesson: _Lesson, reward: Reward, feedback: Feedback, decision: Decision, context: Context
) -> Example:
    passage = lesson.passage
    made = _made(context.tenant, feedback.id, RANKING, answer_id(passage))
    return Example(
        id=made,
        task=RANKING,
        text=question,
        other=encoded_text("", passage.headings, passage.text),
        label="yes" if lesson.right else "no",
        target={"features": [round(value, 5) for value in lesson.features]},
        **_common(reward, feedback, decision),
    )


def _reading(
    question: str,
    passage: IndexedPassage,
    span: tuple[int, int],
    reward: Reward,
    feedback: Feedback,
    decision: Decision,
    context: Context,
    polarity: Polarity,
    propensity: float = 1.0,
) -> Example:
    start, end = span
    target: dict[str, Any] = {"answers": [{"start": start, "end": end, "text": passage.text[start:end]}]}
    if 0.0 < propensity < 1.0:
        target[PROPENSITY] = propensity
    return Example(
        id=_made(context.tenant, feedback.id, READING, answer_id(passage)),
        task=READING,
        text=question,
        other=passage.text,
        target=target,
        polarity=polarity,
        **_common(reward, feedback, decision),
    )


def _common(reward: Reward, feedback: Feedback, decision: Decision) -> dict[str, Any]:
    return {
        "weight": reward.weight * abs(2.0 * reward.value - 1.0),
        "source": f"feedback:{feedback.kind}",
        "decision_id": decision.id,
        "user_id": feedback.user_id,
        "at": feedback.at,
    }


def _made(*parts: str) -> str:
    return "ex_" + hashlib.sha256("|".join(parts).encode()).hexdigest()[:40]
