"""One task of one tenant as it serves: a head, and the memory of corrections beside it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from rejoinder.learning.direct import DirectLearner
from rejoinder.learning.instant import InstantLearner
from rejoinder.learning.memory import CorrectionMemory, turn_of
from rejoinder.models.learner import reads_of
from rejoinder.payloads import Example

if TYPE_CHECKING:
    from rejoinder.models.learner import FloatArray, Learner


@dataclass(frozen=True, slots=True, weakref_slot=True, eq=False)
class LiveTask:
    """One task of one tenant: the memory of corrections, and the head with the version that it started from, if there is one.

    The head is in `instant` where it gives one label of one text, else in `direct`. Where the version has an adapter, named by its key
    in the cache, the head reads adapted vectors or states; the memory never does.
    """

    memory: CorrectionMemory
    instant: InstantLearner | None = None
    direct: DirectLearner | None = None
    version: str = "memory"
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

    def learn(self, examples: Sequence[Example], vectors: FloatArray, adapted: FloatArray | None) -> None:
        """Take in feedback with labels, in order."""
        if self.instant is None:
            self.memory.add_many([turn_of(*pair) for pair in zip(examples, vectors, strict=True)])
        else:
            self.instant.replay(examples, vectors, adapted=adapted)
