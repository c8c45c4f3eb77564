"""The ways of learning that `simulate` compares: one small bot each."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

import numpy as np

from rejoinder.learning.holdback import held_back
from rejoinder.learning.instant import InstantLearner
from rejoinder.learning.label_names import with_label_names
from rejoinder.learning.memory import CorrectionMemory
from rejoinder.learning.training_set import training_set
from rejoinder.models.tasks.text_classification import TextClassifier
from rejoinder.payloads import Example

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from rejoinder.models.encoding.service import TextEncoder
    from rejoinder.payloads import Polarity

    Floats = NDArray[np.float32]

_TASK: Final = "intent"

GROWTH: Final = 0.03
"""A worker waits until there is at least this share more to learn from: fits take the longer the more is known, and change the less."""


class Stream(NamedTuple):
    """Texts with their labels and vectors (n, dim)."""

    texts: Sequence[str]
    labels: Sequence[str]
    vectors: Floats


class Bot:
    """Answers, and never learns: the strategy "static", and the base of the others."""

    def __init__(self, known: Stream, *, encoder: TextEncoder, hold_back_every: int, seed: int) -> None:
        """Fit a head on what is known."""
        self._encoder = encoder
        self._seed = seed
        self._every = hold_back_every
        self._examples = [
            _example(f"train:{i}", text, label)
            for i, (text, label) in enumerate(zip(known.texts, known.labels, strict=True))
        ]
        self._vectors = list(known.vectors)
        self._head = self._fit()

    def answer(self, text: str, vector: Floats) -> str:
        """Return the label said to one text."""
        return self._head.predict_batch([text], vector[None])[0].label

    def answer_all(self, texts: Sequence[str], vectors: Floats) -> list[str]:
        """Return the labels said to many texts."""
        return [one.label for one in self._head.predict_batch(texts, vectors)]

    def corrected(self, text: str, vector: Floats, label: str) -> None:
        """Hear that `label` is the right one."""

    def judged(self, text: str, vector: Floats, said: str, *, good: bool) -> None:
        """Hear one bit on the answer `said`."""

    def checkpoint(self, seen: Stream) -> None:
        """Reach a checkpoint; `seen` are all messages up to now with their true labels, for "retrain" alone."""

    def _fit(self) -> TextClassifier:
        head = TextClassifier()
        kept = training_set(self._examples, head).examples
        vector_of = {one.id: vector for one, vector in zip(self._examples, self._vectors, strict=True)}
        examples = with_label_names(head, kept)
        names = [one.text for one in examples[len(kept) :]]
        vectors = [*(vector_of[one.id] for one in kept), *(self._encoder.encode(names) if names else ())]
        head.fit(examples, np.stack(vectors), seed=self._seed)
        return head


class InstantBot(Bot):
    """Learns from each feedback before the next message; with `worker_every`, fits anew every so often as well."""

    def __init__(
        self,
        known: Stream,
        *,
        encoder: TextEncoder,
        hold_back_every: int,
        seed: int,
        instant: bool = True,
        worker_every: int | None = None,
    ) -> None:
        """Fit, and start with an empty memory that knows the training rows."""
        super().__init__(known, encoder=encoder, hold_back_every=hold_back_every, seed=seed)
        self._instant: InstantLearner | None = None
        self._worker_every = worker_every
        self._since_fit = 0
        if instant:
            memory = CorrectionMemory(encoder_hash=encoder.hash, dim=known.vectors.shape[1])
            memory.observe(known.vectors, known.labels)
            self._instant = InstantLearner(self._head, memory, task=_TASK, hold_back_every=hold_back_every)

    def answer(self, text: str, vector: Floats) -> str:
        """Return the label said to one text."""
        return self._instant.predict(text, vector).label if self._instant else super().answer(text, vector)

    def answer_all(self, texts: Sequence[str], vectors: Floats) -> list[str]:
        """Return the labels said to many texts."""
        if self._instant is None:
            return super().answer_all(texts, vectors)
        return [self._instant.predict(text, vector).label for text, vector in zip(texts, vectors, strict=True)]

    def corrected(self, text: str, vector: Floats, label: str) -> None:
        """Learn that `label` is the right one."""
        if self._instant:
            self._instant.correct(text, vector, label)
        self._collect(text, vector, label, "correction")

    def judged(self, text: str, vector: Floats, said: str, *, good: bool) -> None:
        """Learn that `said` is right or wrong."""
        if self._instant and good:
            self._instant.confirm(text, vector, said)
        elif self._instant:
            self._instant.reject(text, vector, said)
        self._collect(text, vector, said, "positive" if good else "negative")

    def _collect(self, text: str, vector: Floats, label: str, polarity: Polarity) -> None:
        """Keep an example for the next fit, and fit when it is time."""
        if self._worker_every is None:
            return
        if not held_back(text, self._every):
            self._examples.append(_example(f"stream:{len(self._examples)}", text, label, polarity))
            self._vectors.append(vector)
        self._since_fit += 1
        if self._since_fit >= max(self._worker_every, GROWTH * len(self._examples)):
            self._since_fit = 0
            self._head = self._fit()
            if self._instant:
                self._instant.swap(self._head)


class RetrainBot(Bot):
    """Fits anew at every checkpoint with all true labels up to then."""

    def checkpoint(self, seen: Stream) -> None:
        """Fit on what was known at the start and all that was seen."""
        start = len(self._examples)
        texts = zip(seen.texts, seen.labels, strict=True)
        self._examples += [_example(f"stream:{i}", text, label) for i, (text, label) in enumerate(texts)]
        self._vectors += list(seen.vectors)
        self._head = self._fit()
        del self._examples[start:], self._vectors[start:]


def make_bot(
    name: str, known: Stream, *, encoder: TextEncoder, worker_every: int, hold_back_every: int, seed: int
) -> Bot:
    """Return a bot that learns by the strategy of that name."""
    if name == "static":
        return Bot(known, encoder=encoder, hold_back_every=hold_back_every, seed=seed)
    if name == "retrain":
        return RetrainBot(known, encoder=encoder, hold_back_every=hold_back_every, seed=seed)
    return InstantBot(
        known,
        encoder=encoder,
        hold_back_every=hold_back_every,
        seed=seed,
        instant=name in ("instant", "both"),
        worker_every=worker_every if name in ("worker", "both") else None,
    )


def _example(example_id: str, text: str, label: str, polarity: Polarity = "positive") -> Example:
    return Example(id=example_id, task=_TASK, text=text, label=label, polarity=polarity)
