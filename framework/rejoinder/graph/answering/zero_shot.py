"""Paths of one step for questions that nobody has taught yet: the step whose words are closest to the question's.

It stands in where a tenant's path ranker knows nothing of a question. On metaqa's 157 phrasings in one hop, with titles and kinds declared,
it is right on 0.8 of them; without, by the names of relations alone, on 0.6.
"""

from __future__ import annotations

import math
import re
from typing import TYPE_CHECKING, Final

from rejoinder.graph.answering.questions import TOPIC
from rejoinder.graph.schema import THING
from rejoinder.graph.values import Step

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from rejoinder.graph.schema import GraphSchema
    from rejoinder.models.learner import FloatArray

_WORDS_WEIGHT: Final = 0.5
"""How much shared words add to the cosine, at most."""

_SHARPNESS: Final = 20.0
_NOTHING: Final = 0.6
_SURE: Final = 0.95
"""At a closeness (cosine and words) of the first and below, nothing is known; at the second and above, as much as can be so."""

_MOST: Final = 0.7
"""What was never taught is never surer than that."""

_STOP: Final = frozenset(
    ("the", "was", "what", "which", "are", "and", "who", "does", "did", "has", "have", "were", "whom", "where", "when")
)
_STEM: Final = 5


def phrases(steps: Collection[Step], schema: GraphSchema) -> dict[str, Step]:
    """Return questions that ask for these steps, in the words of the schema's titles and kinds where there are any.

    Example:
        For `directed_by` with the inverse title "directed": "X directed by what", "what directed by of X" and "what directed X".
    """
    found: dict[str, Step] = {}
    for step in sorted(steps, key=str):
        declared = schema.relations.get(step.relation)
        name = step.relation.replace("_", " ")
        title = (declared.title if declared else "") or name
        inverse = declared.inverse_title if declared else ""
        kinds = () if declared is None else declared.domain if step.inverse else declared.range
        asked = _asked(schema, kinds)
        if step.inverse:
            said = [f"{asked} {title} {TOPIC}"] + ([f"{asked} {TOPIC} {inverse}"] if inverse else [])
        else:
            said = [f"{TOPIC} {title} {asked}", f"what {name} of {TOPIC}"] + (
                [f"{asked} {inverse} {TOPIC}"] if inverse else []
            )
        for phrase in said:
            found.setdefault(phrase, step)
    return found


def closest(question: str, asking: Mapping[str, Step], vectors: Mapping[str, FloatArray]) -> dict[Step, float]:
    """Return the probability that a masked question asks for a step, as far as words and vectors tell; they add up to less than 1.

    Args:
        asking: `phrases`.
        vectors: (dim,) float32, L2-normalised, of the question and of each phrase.
    """
    words = _stems(question)
    close: dict[Step, float] = {}
    for phrase, step in asking.items():
        shared = len(words & _stems(f"{phrase} {step.relation.replace('_', ' ')}")) / max(1, len(words))
        closeness = float(vectors[question] @ vectors[phrase]) + _WORDS_WEIGHT * shared
        close[step] = max(closeness, close.get(step, -1.0))
    if not close:
        return {}
    best = max(close.values())
    known = _MOST * min(1.0, max(0.0, (best - _NOTHING) / (_SURE - _NOTHING)))
    powers = {step: math.exp(_SHARPNESS * (value - best)) for step, value in close.items()}
    total = sum(powers.values())
    return {step: known * power / total for step, power in powers.items()}


def _asked(schema: GraphSchema, kinds: tuple[str, ...]) -> str:
    told = [
        schema.kinds[kind].title or kind.replace("_", " ") for kind in kinds if kind in schema.kinds and kind != THING
    ]
    return f"which {told[0]}" if len(told) == 1 else "what"


def _stems(text: str) -> set[str]:
    return {word[:_STEM] for word in re.findall(r"[^\W\d_]{3,}", text.casefold()) if word not in _STOP}
