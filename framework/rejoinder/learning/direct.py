"""Learning at once for tasks that say more than one label of one text: pairs, answers, slots, several labels.

Where a label for one text is corrected, `InstantLearner` weighs head and memory. Here there is no likeness of texts to go by: a correction
goes to the learner's `update`, and exactly the same text (and other text) gets what the person said from then on.
"""

from __future__ import annotations

import logging
import threading
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from rejoinder.errors import InvalidInputError
from rejoinder.learning.encodings import text_for
from rejoinder.learning.holdback import held_back
from rejoinder.learning.instant import MOST_WEIGHT
from rejoinder.models.learner import Prediction, Span, gives_one_label, reads_of, takes_pairs
from rejoinder.models.tasks.targets import answers_of, labels_of, spans_of

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from rejoinder.learning.encodings import Text
    from rejoinder.models.learner import Learner
    from rejoinder.payloads import Example

_logger = logging.getLogger("rejoinder.learning")


class DirectLearner:
    """A learner, and what people said of exactly these texts.

    Args:
        learner: reads anything; it may know nothing yet.
        task: the task's name, for the log.
        hold_back_every: about one text in so many is remembered only and never taught to the learner (see `held_back`); 0: none.

    Writers wait for one another; `predict` never waits.
    """

    def __init__(self, learner: Learner, *, task: str, hold_back_every: int) -> None:
        """Nothing is remembered yet; see the class for arguments."""
        self.learner = learner
        self._task = task
        self._every = hold_back_every
        self._said: dict[Text, Prediction] = {}
        self._from: dict[str, Text] = {}
        self._lessons = 0
        self._writing = threading.Lock()

    def __len__(self) -> int:
        """Return how many pieces of feedback it took in."""
        return self._lessons

    def repeated(self, text: Text) -> Prediction | None:
        """Return what a person said of exactly this text."""
        return self._said.get(text)

    def predict(self, text: Text, inputs: Any) -> Prediction:
        """Predict one text, or pair, that nobody said anything of.

        Args:
            inputs: what the learner reads, with one row.

        Raises:
            ModelNotReadyError: the learner knows nothing yet.
        """
        return self.learner.predict_batch([text], inputs)[0]

    def predict_many(self, texts: Sequence[Text], inputs: Any) -> list[Prediction]:
        """Return what people said of these very texts, or pairs, and what the learner says of the others; raises as `predict`."""
        found = self.learner.predict_batch(texts, inputs)
        return [self._said.get(text, said) for text, said in zip(texts, found, strict=True)]

    def remember(self, examples: Sequence[Example]) -> None:
        """Remember what examples say of their very texts, without teaching the learner."""
        for example in examples:
            key = text_for(self.learner, example.text, example.other)
            said = _said_by(self.learner, example)
            self._from[example.id] = key
            if said is None:
                self._said.pop(key, None)
            else:
                self._said[key] = said

    def forget(self, example_ids: Collection[str]) -> None:
        """Say no longer what examples said of their texts; the learner forgets them when it is fitted anew."""
        for example_id in example_ids:
            key = self._from.pop(example_id, None)
            if key is not None:
                self._said.pop(key, None)

    def replay(self, examples: Sequence[Example], inputs: Any) -> None:
        """Learn pieces of feedback, in order; one that the learner refuses is named in the log and passed over.

        Args:
            inputs: what the learner reads, one for each example.
        """
        with self._writing:
            rows = [row for row, example in enumerate(examples) if example.weight > 0]
            self.remember([examples[row] for row in rows])
            self._lessons += len(rows)
            last = {text_for(self.learner, examples[row].text, examples[row].other): row for row in rows}
            taught = sorted(row for row in last.values() if not held_back(examples[row].text, self._every))
            try:
                self._update(examples, inputs, taught)
            except InvalidInputError:
                for row in taught:
                    try:
                        self._update(examples, inputs, [row])
                    except InvalidInputError as error:
                        _logger.warning("example %s of %s teaches nothing: %s", examples[row].id, self._task, error)

    def _update(self, examples: Sequence[Example], inputs: Any, rows: list[int]) -> None:
        if rows:
            weighed = [replace(examples[row], weight=min(examples[row].weight, MOST_WEIGHT)) for row in rows]
            self.learner.update(weighed, [inputs[row] for row in rows] if isinstance(inputs, list) else inputs[rows])


def is_right(learner: Learner, example: Example, found: Prediction) -> bool | None:
    """Return whether a learner's prediction is what an example says; None where the example does not say what is right."""
    if gives_one_label(learner):
        return None if example.label is None or example.polarity == "negative" else found.label == example.label
    said = _said_by(learner, example)
    if said is None:
        return None
    if reads_of(learner) == "pairs":
        return found.label == said.label
    if reads_of(learner) == "vectors":
        return set(found.labels) == set(said.labels)
    if takes_pairs(learner):
        return (found.label if found.accepted else "") in ({one.text for one in said.spans} or {""})
    return [(one.start, one.end, one.label) for one in found.spans] == [
        (one.start, one.end, one.label) for one in said.spans
    ]


def _said_by(learner: Learner, example: Example) -> Prediction | None:
    """Return an example as a prediction; None where it says only what is wrong, or in a form that this does not know."""
    if example.polarity == "negative":
        return None
    try:
        if reads_of(learner) == "pairs":
            return None if example.label is None else _pair(example.label)
        if reads_of(learner) == "vectors":
            labels = labels_of(example)
            return None if labels is None else _prediction(labels[0] if labels else "", labels=labels)
        if takes_pairs(learner):
            spans = _spans(example.other or "", answers_of(example))
            return _prediction(spans[0].text if spans else "", spans=spans)
        if example.target is None:
            return None
        spans = _spans(example.text, spans_of(example))
        labels = tuple(dict.fromkeys(one.label for one in spans))
        return _prediction(labels[0] if labels else "", labels=labels, spans=spans)
    except InvalidInputError:
        return None


def _pair(label: str) -> Prediction:
    from rejoinder.models.tasks.sentence_pair import NO

    said = _prediction(label)
    return replace(said, accepted=False) if label == NO else said


def _prediction(label: str, *, labels: tuple[str, ...] = (), spans: tuple[Span, ...] = ()) -> Prediction:
    return Prediction(
        label=label,
        confidence=1.0,
        ranking=((label, 1.0),) if label else (),
        in_scope=1.0,
        accepted=bool(label or spans),
        source="memory",
        labels=labels,
        spans=spans,
    )


def _spans(text: str, found: Any) -> tuple[Span, ...]:
    return tuple(
        Span(start=one.start, end=one.end, text=text[one.start : one.end], confidence=1.0, label=one.label)
        for one in found or ()
    )
