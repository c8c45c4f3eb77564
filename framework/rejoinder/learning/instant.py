"""Learning at once: every correction counts from the very next message on.

Two parts work together. The head (a `Learner`) takes a correction as one more example, with less than full weight, so that one person's
word moves the neighbourhood but does not turn it over. The memory makes up for that close by: the same text always gets the corrected
label. A paraphrase gets it when the memory's learned trust is above the head's calibrated confidence, and the head either never learned
the correction (it was held back) or repeats the very mistake that was corrected. Otherwise a head that disagrees has weighed the
correction already and is right about twice as often as the memory (banking77), so that the correction is not counted twice.
"""

from __future__ import annotations

import threading
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

import numpy as np

from rejoinder.errors import InvalidInputError, ModelNotReadyError
from rejoinder.learning.holdback import DEFAULT_EVERY, held_back
from rejoinder.learning.memory import turn_of
from rejoinder.models.learner import Prediction, need_vectors
from rejoinder.payloads import Example

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Sequence

    from numpy.typing import NDArray

    from rejoinder.learning.memory import CorrectionMemory, Match
    from rejoinder.models.learner import Learner
    from rejoinder.payloads import Polarity

    Floats = NDArray[np.float32]

CORRECTION_WEIGHT: Final = 0.5
"""Weight of a correction in the head: on banking77, hwu64 and clinc150 less than 1 unsettles a fifth to a third fewer right answers
and gains about as much, since what people correct lies near the borders between labels."""

MOST_WEIGHT: Final = 2.0
"""Whoever says it, one piece of feedback weighs no more in the head than two examples of the training data."""

PARAPHRASE: Final = 0.8
"""From this cosine on a text is close enough to a correction for the head to be held to it when it repeats the mistake."""

_TOP: Final = 5


@dataclass(frozen=True, slots=True)
class _Lesson:
    """One piece of feedback: whether the head was taught it, and what the head had said before it was corrected."""

    text: str
    taught: bool
    mistake: str | None = None


class InstantLearner:
    """Predict with head and memory, and learn from each piece of feedback before the next message.

    Args:
        learner: the head; it may know nothing yet.
        memory: the memory of the same tenant, task and encoder.
        task: the task's name, put into the examples that the head gets.
        hold_back_every: about one text in so many enters the memory only, never the head (see `held_back`); 0 keeps none back.
        correction_weight: weight of a correction in the head, > 0.
        oos_label: the label that means "none of the labels"; a match with it is not accepted.

    Raises:
        InvalidInputError: `correction_weight` is out of range.
        ModelError: the learner reads something else than vectors.

    Writers wait for one another; `predict` never waits, and sees the state before a change or after it.
    """

    def __init__(
        self,
        learner: Learner,
        memory: CorrectionMemory,
        *,
        task: str = "intent",
        hold_back_every: int = DEFAULT_EVERY,
        correction_weight: float = CORRECTION_WEIGHT,
        oos_label: str | None = None,
    ) -> None:
        """Combine the two; see the class for arguments."""
        if correction_weight <= 0:
            raise InvalidInputError(f"correction_weight must be > 0, came as {correction_weight}")
        need_vectors(learner, "learning at once")
        self.memory = memory
        self.task = task
        self._learner = learner
        self._every = hold_back_every
        self._weight = correction_weight
        self._oos_label = oos_label
        self._writing = threading.Lock()
        self._lessons: dict[str, _Lesson] = {}

    @property
    def learner(self) -> Learner:
        """The head that predicts now."""
        return self._learner

    def swap(self, learner: Learner) -> Learner:
        """Put another head in its place, such as a promoted one that was fitted with the same feedback, and return the old; the memory
        stays."""
        with self._writing:
            old, self._learner = self._learner, learner
        return old

    def predict(
        self, text: str, vector: Floats, *, adapted: Floats | None = None, spelled: str | None = None
    ) -> Prediction:
        """Predict one text; `Prediction.source` says who decided.

        Args:
            text: what was said.
            vector: (dim,) float32 of the base encoder, L2-normalised.
            adapted: (dim,) float32 that the head reads, where it has an adapter; None: the same.
            spelled: what the head reads in place of the text, and what both vectors are of; None: the text. What people taught is
                remembered by the text itself.

        Raises:
            ModelNotReadyError: the head knows nothing yet and nothing remembered fits.
        """
        try:
            asked = text if spelled is None else spelled
            head = self._learner.predict_batch([asked], (vector if adapted is None else adapted)[None])[0]
        except ModelNotReadyError:
            match, _ = self.memory.recall(text, vector)
            if match is None:
                raise
            return self._remembered(match, None)
        return self._with_memory(text, vector, head)

    def predict_many(self, texts: Sequence[str], vectors: Floats, adapted: Floats) -> list[Prediction]:
        """Predict many texts, by one call of the head.

        Args:
            vectors: (n, dim) float32 of the base encoder, L2-normalised; not looked at while nothing is remembered.
            adapted: the same as the head reads them.

        Raises:
            ModelNotReadyError: the head knows nothing yet.
        """
        heads = self._learner.predict_batch(texts, adapted)
        if not len(self.memory):
            return heads
        return [self._with_memory(*row) for row in zip(texts, vectors, heads, strict=True)]

    def _with_memory(self, text: str, vector: Floats, head: Prediction) -> Prediction:
        match, rejected = self.memory.recall(text, vector, least=head.confidence)
        if rejected:
            head = _without(head, rejected)
            match, _ = self.memory.recall(text, vector, least=head.confidence)
        if match is not None and match.label not in rejected and self._overrules(match, head):
            return self._remembered(match, head)
        return head

    def correct(
        self, text: str, vector: Floats, label: str, *, example_id: str | None = None, weight: float = 1.0
    ) -> str:
        """Learn that `text` has this label, whatever was known of it.

        Args:
            text: what was said.
            vector: (dim,) float32 of the base encoder, L2-normalised.
            label: what is right; a new label is added.
            example_id: the id to remember it by; None makes one.
            weight: how much the head makes of it, relative to a customer's word (1.0), as in `Example.weight`; 0 learns nothing.

        Returns:
            The id under which `forget` forgets it.
        """
        return self._learn(text, vector, label, "correction", weight, example_id)

    def confirm(
        self, text: str, vector: Floats, label: str, *, example_id: str | None = None, weight: float = 1.0
    ) -> str:
        """Learn that `label`, as it was answered, is right (a thumbs-up); see `correct`."""
        return self._learn(text, vector, label, "positive", weight, example_id)

    def reject(
        self, text: str, vector: Floats, label: str, *, example_id: str | None = None, weight: float = 1.0
    ) -> str:
        """Learn that `text` does not have this label (a thumbs-down): it is not answered again; see `correct`."""
        return self._learn(text, vector, label, "negative", weight, example_id)

    def replay(self, examples: Sequence[Example], vectors: Floats, *, adapted: Floats | None = None) -> None:
        """Learn many pieces of feedback, in order, as `correct`, `confirm` and `reject` would, with one update of the head.

        Of several about one text the head learns the last, which replaces the others. What counts as the head's mistake is what it said
        before the first.

        Args:
            examples: feedback with ids and labels; what weighs nothing is passed over.
            vectors: (n, dim) float32 of the base encoder, L2-normalised.
            adapted: (n, dim) float32 that the head reads, where it has an adapter; None: the same.

        Raises:
            InvalidInputError: a label is missing or a weight is below 0; nothing was learned.
        """
        for example in examples:
            _check(example.label, example.weight)
        rows = [row for row, example in enumerate(examples) if example.weight > 0]
        read = np.asarray(vectors if adapted is None else adapted, dtype=np.float32)
        with self._writing:
            taught = [row for row in rows if not held_back(examples[row].text, self._every)]
            corrected = [row for row in taught if examples[row].polarity == "correction"]
            said = dict(
                zip(corrected, self._said([examples[row].text for row in corrected], read[corrected]), strict=True)
            )
            self.memory.add_many([turn_of(examples[row], vectors[row]) for row in rows])
            self._lessons |= {
                examples[row].id: _Lesson(
                    examples[row].text, not held_back(examples[row].text, self._every), said.get(row)
                )
                for row in rows
            }
            last = sorted({examples[row].text: row for row in taught}.values())
            if last:
                self._learner.update([self._weighed(examples[row]) for row in last], read[last])

    def forget(self, example_ids: Collection[str]) -> bool:
        """Forget examples; False when none was known.

        The memory forgets at once. The head does where it can (it has a method `remove(texts)`), else at its next fit.
        """
        with self._writing:
            lessons = [self._lessons.pop(one) for one in example_ids if one in self._lessons]
            remembered = self.memory.remove(example_ids)
            remove: Callable[[list[str]], int] | None = getattr(self._learner, "remove", None)
            if lessons and remove is not None:
                remove([lesson.text for lesson in lessons])
        return bool(remembered or lessons)

    def _overrules(self, match: Match, head: Prediction) -> bool:
        """Tell whether a remembered turn stands above what the head says."""
        lesson = self._lessons.get(match.id)
        if not match.exact and match.label != head.label and lesson is not None and lesson.taught:
            repeats = head.label == lesson.mistake and match.similarity >= PARAPHRASE
            return repeats and match.trust >= head.confidence
        return match.exact or match.trust >= head.confidence

    def _learn(
        self, text: str, vector: Floats, label: str, polarity: Polarity, weight: float, example_id: str | None
    ) -> str:
        _check(label, weight)
        made = example_id or f"{polarity}:{len(self._lessons)}:{text}"[:200]
        example = Example(id=made, task=self.task, text=text, label=label, polarity=polarity, weight=weight)
        self.replay([example], np.asarray(vector, dtype=np.float32)[None])
        return made

    def _weighed(self, example: Example) -> Example:
        """What the head is taught of a piece of feedback: less than full weight where it contradicts, and never too much."""
        weight = example.weight if example.polarity == "positive" else self._weight * example.weight
        return replace(example, task=self.task, weight=min(weight, MOST_WEIGHT))

    def _said(self, texts: Sequence[str], rows: Floats) -> list[str | None]:
        """What the head says now of each text; None while it knows nothing yet."""
        if not texts:
            return []
        try:
            return [one.label for one in self._learner.predict_batch(texts, rows)]
        except ModelNotReadyError:
            return [None] * len(texts)

    def _remembered(self, match: Match, head: Prediction | None) -> Prediction:
        """The memory's answer; the head's ranking follows with what probability is left."""
        others = [(label, share) for label, share in head.ranking if label != match.label] if head else []
        own = next((share for label, share in head.ranking if label == match.label), 0.0) if head else 0.0
        confidence = min(1.0, max(match.trust, own))
        total = sum(share for _, share in others) or 1.0
        rest = [(label, min(confidence, (1 - confidence) * share / total)) for label, share in others]
        outside = match.label == self._oos_label
        return Prediction(
            label=match.label,
            confidence=confidence,
            ranking=((match.label, confidence), *rest)[: max(_TOP, 1)],
            in_scope=1 - match.trust if outside else max(match.trust, head.in_scope if head else 0.0),
            accepted=not outside,
            source="memory",
        )


def _without(prediction: Prediction, rejected: frozenset[str]) -> Prediction:
    """Take rejected labels out of a ranking; when none is left nothing can be accepted."""
    left = [(label, share) for label, share in prediction.ranking if label not in rejected]
    if len(left) == len(prediction.ranking):
        return prediction
    if not left:
        nothing = tuple((label, 0.0) for label, _ in prediction.ranking)
        return replace(prediction, confidence=0.0, ranking=nothing, accepted=False)
    total = sum(share for _, share in left) or 1.0
    ranking = tuple((label, share / max(total, 1e-12)) for label, share in left)
    return replace(prediction, label=ranking[0][0], confidence=ranking[0][1], ranking=ranking)


def _check(label: str | None, weight: float) -> None:
    if not label:
        raise InvalidInputError("a label must have at least one character")
    if weight < 0:
        raise InvalidInputError(f"weight must be >= 0, came as {weight}")
