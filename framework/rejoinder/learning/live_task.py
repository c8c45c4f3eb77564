"""One task of one tenant as it serves: a head, and the memory of corrections beside it."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from rejoinder.errors import ModelNotReadyError
from rejoinder.learning.direct import DirectLearner
from rejoinder.learning.instant import InstantLearner
from rejoinder.learning.memory import CorrectionMemory, Match, turn_of
from rejoinder.models.learner import reads_of, takes_pairs
from rejoinder.payloads import Example

if TYPE_CHECKING:
    from rejoinder.models.learner import FloatArray, Learner, Prediction


NO_VERSION: Final = "memory"
"""What decisions name where a task has no version yet."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Opinion:
    """What a task's models say of a text: the head's best labels, best first, of those that it knows, and the remembered turn that fits."""

    ranking: tuple[str, ...] = ()
    known: frozenset[str] = frozenset()
    match: Match | None = None

    @property
    def labels(self) -> int:
        """How many labels the head knows."""
        return len(self.known)


@dataclass(frozen=True, slots=True, weakref_slot=True, eq=False)
class LiveTask:
    """One task of one tenant: the memory of corrections, and the head with the version that it started from, if there is one.

    The head is in `instant` where it gives one label of one text, else in `direct`. Where the version has an adapter, named by its key
    in the cache, the head reads adapted vectors or states; the memory never does.
    """

    memory: CorrectionMemory
    instant: InstantLearner | None = None
    direct: DirectLearner | None = None
    version: str = NO_VERSION
    version_id: str = ""
    adapter: str | None = None

    @property
    def name(self) -> str:
        """The version, and how much was learned on top of it."""
        taught = len(self.memory) if self.direct is None else len(self.direct)
        return f"{self.version}+{taught}" if taught else self.version

    @property
    def learner(self) -> Learner | None:
        """The head."""
        if self.direct is not None:
            return self.direct.learner
        return None if self.instant is None else self.instant.learner

    @property
    def encoded(self) -> set[str | None]:
        """By which adapters (None: the base) it wants the vectors of a text."""
        if self.direct is None:
            return {None, self.adapter}
        of_head = set() if reads_of(self.direct.learner) == "tokens" else {self.adapter}
        return of_head | {None} if len(self.memory) else of_head

    @property
    def reads_states(self) -> bool:
        """Whether its head reads the states that the base gives of the tokens of one text."""
        if self.direct is None or self.adapter is not None:
            return False
        return reads_of(self.direct.learner) == "tokens" and not takes_pairs(self.direct.learner)

    def opinion(self, text: str, vector: FloatArray, adapted: FloatArray | None) -> Opinion:
        """Return what head and memory say of a text, each by itself.

        Args:
            vector: (dim,) float32 of the base encoder, L2-normalised.
            adapted: (dim,) float32 that the head reads, where it has an adapter; None: the same.
        """
        match = self.memory.match(text, vector) if len(self.memory) else None
        if self.instant is None:
            return Opinion(match=match)
        head = self.instant.learner
        known = frozenset(getattr(head, "labels", ()))
        try:
            said = head.predict_batch([text], (vector if adapted is None else adapted)[None])[0]
        except ModelNotReadyError:
            return Opinion(match=match)
        return Opinion(ranking=tuple(label for label, _ in said.ranking), known=known, match=match)

    def predictions(self, texts: Sequence[str], vectors: FloatArray, adapted: FloatArray) -> list[Prediction]:
        """Return what head and memory together say of texts.

        Args:
            vectors: (n, dim) float32 of the base encoder, L2-normalised.
            adapted: the same as the head reads them.

        Raises:
            ModelNotReadyError: the head knows nothing yet, or does not give one label of one text.
        """
        if self.instant is None:
            raise ModelNotReadyError("this task gives no labels of texts")
        return self.instant.predict_many(texts, vectors, adapted)

    def learn(self, examples: Sequence[Example], vectors: FloatArray, adapted: FloatArray | None) -> None:
        """Take in feedback with labels, in order."""
        if self.instant is None:
            self.memory.add_many([turn_of(*pair) for pair in zip(examples, vectors, strict=True)])
        else:
            self.instant.replay(examples, vectors, adapted=adapted)

    def forget(self, example_ids: Collection[str]) -> None:
        """Forget what people taught by these examples, as far as that can be done without fitting anew."""
        if self.instant is not None:
            self.instant.forget(example_ids)
        else:
            self.memory.remove(example_ids)
        if self.direct is not None:
            self.direct.forget(example_ids)
