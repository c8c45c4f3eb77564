"""The seam between a task and whatever learns it.

A plugin that brings a task brings a `Learner`; the host, the instant memory, the workers and the promotion gate know nothing else of it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Final, Literal, Protocol, Self, TypeGuard, get_args, runtime_checkable

from rejoinder.errors import ModelError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    import numpy as np
    from numpy.typing import NDArray

    from rejoinder.payloads import Example

    FloatArray = NDArray[np.float32]

Reads = Literal["vectors", "pairs", "tokens"]
"""What a learner reads of the encoder, one for each example or text, in the same order:

- "vectors": (n, dim) float32, `Encoder.encode` of the texts;
- "pairs": (n, 2, dim) float32, of a pair's two texts, each encoded on its own;
- "tokens": a sequence of n `TokenStates`, `Encoder.encode_tokens` of the texts, or of pairs (`encode_windows` for long ones).

All come from the frozen base, or all from the base with the adapter that the learner was fitted with.
"""

READS: Final[tuple[Reads, ...]] = get_args(Reads)


@dataclass(frozen=True, slots=True, kw_only=True)
class Span:
    """A part of a text that a learner points at.

    Attributes:
        start, end: characters [start, end) of the text (of a pair: of the second text).
        text: those characters.
        confidence: calibrated probability in [0, 1] that the span is right as a whole.
        label: what it is, such as a slot's name; "" where spans have no labels.
    """

    start: int
    end: int
    text: str
    confidence: float
    label: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Prediction:
    """What a learner makes of one text, or one pair of texts.

    Attributes:
        label: the best label, whether accepted or not; "" where the task has none.
        confidence: calibrated probability of `label` in [0, 1], given that the text is in scope.
        ranking: the best labels with their probabilities, best first; at most the learner's `top_k`.
        in_scope: probability in [0, 1] that the text is about anything the learner knows.
        accepted: whether `in_scope` reaches the learned threshold; when False the bot should not act on `label`.
        source: who decided: "head", or "memory" for a corrected turn.
        labels: where several labels may hold, those that do, the surest first.
        spans: where the task points at parts of the text: answers, best first, or slots in the order of the text.
    """

    label: str
    confidence: float
    ranking: tuple[tuple[str, float], ...]
    in_scope: float
    accepted: bool
    source: str = "head"
    labels: tuple[str, ...] = ()
    spans: tuple[Span, ...] = ()


@runtime_checkable
class Learner(Protocol):
    """Fits, updates, predicts, evaluates, saves and loads one task.

    `inputs` are what the class attribute `reads` asks for (see `Reads`), one for each example or text, in the same order. Reading methods
    may run in any thread while one thread fits or updates: they see the state before or after, never half of it.

    A learner that reads tokens of two texts says so with `two_texts = True`, and one that gives several labels for one text with
    `several_labels = True` (see `takes_pairs` and `gives_one_label`).
    """

    reads: ClassVar[Reads]

    def fit(self, examples: Sequence[Example], inputs: Any, /, *, seed: int) -> Mapping[str, float]:
        """Learn from nothing; what was known is forgotten. Same examples, same seed, same model.

        Returns:
            What was measured on the way, such as `train_seconds` and cross-validated `accuracy`.

        Raises:
            InvalidInputError: there is no usable example, or counts or shapes do not fit; the old state is kept.
        """

    def update(self, examples: Sequence[Example], inputs: Any, /) -> None:
        """Add a few examples to what is known, in milliseconds; a correction of a known text replaces what was known of it.

        Raises:
            InvalidInputError: as for `fit`; the old state is kept.
        """

    def predict_batch(self, texts: Sequence[Any], inputs: Any, /) -> list[Prediction]:
        """Predict, in order; [] for no texts.

        Args:
            texts: a string each, or for tasks of two texts a pair of strings.

        Raises:
            ModelNotReadyError: nothing has been learned yet.
        """

    def evaluate(self, examples: Sequence[Example], inputs: Any, /) -> Mapping[str, float]:
        """Score predictions against the examples' labels; higher is better except where the name says otherwise (`ece`)."""

    def save(self, folder: Path) -> None:
        """Write the model into `folder` (made if need be), beside and renamed, with sums that `load` checks."""

    @classmethod
    def load(cls, folder: Path) -> Self:
        """Read what `save` wrote.

        Raises:
            ModelIntegrityError: a file is missing or damaged; the message names it.
        """

    def size(self) -> int:
        """Bytes that the model takes in memory."""


def reads_of(learner: object) -> Reads:
    """Return what a learner reads; "vectors" for one that does not say, as learners did before there were other kinds.

    Raises:
        ModelError: it says something that nobody can give it.
    """
    found = getattr(learner, "reads", "vectors")
    if found not in READS:
        raise ModelError(f"{type(learner).__qualname__}.reads is {found!r}, expected one of {', '.join(READS)}")
    kind: Reads = found
    return kind


def takes_pairs(learner: object) -> bool:
    """Return whether a learner's texts are pairs: it reads pairs, or tokens with `two_texts = True`."""
    return reads_of(learner) == "pairs" or bool(getattr(learner, "two_texts", False))


def gives_one_label(learner: object) -> bool:
    """Return whether a learner says one label of one text, by its vector: what the memory of corrections can stand beside."""
    return reads_of(learner) == "vectors" and not getattr(learner, "several_labels", False)


def spelled(learner: object, text: str) -> str:
    """Return what a learner wants to predict in place of a text: the same with slips of the keyboard set right, for one that can do that.

    Whoever asks it encodes what this returns. What people teach is taken as they wrote it.
    """
    corrected = getattr(learner, "spelled", None)
    return text if corrected is None else str(corrected(text))


class ScopeLearner(Learner, Protocol):
    """A learner that draws the line of what is in scope anew where a tenant's messages lie."""

    def learn_scope(self, texts: Sequence[str], inputs: Any, /) -> Mapping[str, float]:
        """Learn from messages of which nobody said what they are; return what was found."""


def learns_scope(learner: Learner) -> TypeGuard[ScopeLearner]:
    """Return whether a learner draws the line of what is in scope by messages of which nobody said what they are (`learn_scope`)."""
    return hasattr(learner, "learn_scope")


def learns_names(learner: object) -> bool:
    """Return whether a learner makes use of labels' own names as examples, and leaves them out where they do not help."""
    return gives_one_label(learner) and bool(getattr(learner, "label_names", False))


def fit_apart(
    learner: Learner, examples: Sequence[Example], inputs: Any, *, seed: int, apart: Sequence[int]
) -> Mapping[str, float]:
    """Fit a learner on what an adapted encoder gives; see `Learner.fit`.

    Args:
        apart: places of the examples that the adapter was not trained on. A learner with `calibrates_apart = True` is given them as
            `apart`, to learn from them alone how sure to be: of what the adapter saw it would be too sure.
    """
    more: dict[str, Any] = {"apart": apart} if apart and getattr(learner, "calibrates_apart", False) else {}
    return learner.fit(examples, inputs, seed=seed, **more)


def need_vectors(learner: object, purpose: str) -> None:
    """Refuse a learner that reads something else than vectors.

    Args:
        purpose: what vectors are all there is for, such as "learning at once"; put into the message.

    Raises:
        ModelError: it does not read vectors.
    """
    kind = reads_of(learner)
    if kind != "vectors":
        raise ModelError(
            f"{purpose} works with learners that read vectors; {type(learner).__qualname__} reads {kind}: use a learner that reads "
            "vectors for this task, or call this one with what it reads"
        )
