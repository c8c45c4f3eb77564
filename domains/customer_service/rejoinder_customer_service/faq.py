"""Score the entries of a catalogue for one message: what the intent model says, and what words and meaning say where it is unsure.

The evidence of a text is the largest cosine between it and an entry's question, title and first examples, plus a share for words in
common (BM25). A logistic curve turns it into the probability that the best entry is right.

`tools/fit_evidence.py` fits the constants on 700 of Banking77's train texts that the domain does not ship and 200 of CLINC150's
out-of-scope texts of train and validation: with a threshold of 0.35, text alone then answers 80 % of those questions rightly and 2 % of
the strangers. The model's readings come first, and text decides where they leave room.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from rejoinder_customer_service.catalogue import Entry

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Floats = NDArray[np.float32]

INDEXED_EXAMPLES: Final = 5
"""Examples of each intent that are indexed beside its question and title; more cost warm-up time and bring little to a trained model."""

BEST_SCORE: Final = 0.95
"""No entry scores above this, so that what a person taught can win against it."""

WORD_SHARE: Final = 0.4
_WORD_HALF: Final = 8.0
"""BM25 score that counts as half of all that words can say."""

_WITH_MEANING: Final = (10.5, -7.9)
_WORDS_ONLY: Final = (12.1, -3.9)
"""Slope and offset of the logistic curves: for meaning and words together, and for words while there are no vectors yet."""

_SURE: Final = 2 / 3
"""From this probability p on an intent wins whatever the text says: no other reaches more than 1.5 (1 - p)."""

_TEXT_WEIGHT: Final = 0.5
"""How much of the room that the intent model leaves the text may fill; no more, so that a reading above two thirds always wins."""

_WORD: Final = re.compile(r"\w+")
_STOP_WORDS: Final = frozenset(
    word
    for words in (
        "a an the i my me is are was do does did can could to of in on at for it this that and or be have has what how why when",
        "where with you your please",
    )
    for word in words.split()
)
_ENDINGS: Final = ("ing", "ed", "es", "s")


def words_of(text: str) -> list[str]:
    """Return a text's telling words, without their endings.

    Example:
        >>> words_of("Why is my card payment still pending?")
        ['card', 'payment', 'still', 'pend']
    """
    return [_stem(word) for word in _WORD.findall(text.casefold()) if word not in _STOP_WORDS]


def _stem(word: str) -> str:
    for ending in _ENDINGS:
        if word.endswith(ending) and len(word) - len(ending) >= 3:
            return word[: -len(ending)]
    return word


@dataclass(frozen=True, slots=True)
class Readings:
    """What the intent model said of a message: a probability by intent, and whether a person settled it already."""

    shares: Mapping[str, float]
    settled: bool = False

    @property
    def leave_room(self) -> bool:
        """Whether the text can still make another intent the best: not where a person settled it, nor from two thirds on."""
        return not self.settled and max(self.shares.values(), default=0.0) < _SURE


class FaqIndex:
    """Entries of one catalogue with their words, and with their vectors once these were given.

    Args:
        entries: what can be answered.
        examples: by intent, how people ask; the first `INDEXED_EXAMPLES` are indexed.
    """

    def __init__(self, entries: Sequence[Entry], examples: Mapping[str, Sequence[str]]) -> None:
        import bm25s

        self.entries = tuple(entries)
        texts = [(entry.title, entry.question, *examples.get(entry.intent, ())[:INDEXED_EXAMPLES]) for entry in entries]
        self.texts = [text for group in texts for text in group]
        self._starts = [sum(len(group) for group in texts[:number]) for number in range(len(texts))]
        self._words: Any = bm25s.BM25()
        self._words.index([words_of(" ".join(group)) for group in texts], show_progress=False)
        self._vectors: Floats | None = None

    @property
    def has_vectors(self) -> bool:
        """Whether the vectors of `texts` were given."""
        return self._vectors is not None

    def set_vectors(self, vectors: Floats) -> None:
        """Take the vectors of `texts`: (n_texts, dim) float32, rows L2-normalised, in the same order.

        Raises:
            ValueError: there are more or fewer rows than texts.
        """
        if len(vectors) != len(self.texts):
            raise ValueError(f"got {len(vectors)} vectors for {len(self.texts)} texts")
        self._vectors = vectors

    def word_scores(self, text: str) -> Floats:
        """Return for each entry what the words in common say: (n_entries,) float32 in [0, 1)."""
        import numpy as np

        known = [word for word in words_of(text) if word in self._words.vocab_dict]
        if not known:
            return np.zeros(len(self.entries), dtype=np.float32)
        found: Floats = self._words.get_scores(known)
        return found / (found + _WORD_HALF)

    def meaning_scores(self, vector: Floats) -> Floats:
        """Return for each entry the largest cosine to one of its texts: (n_entries,) float32; the vectors must have been given."""
        import numpy as np

        cosines: Floats = np.maximum.reduceat(self._vectors @ vector, self._starts)  # type: ignore[operator]  # given
        return cosines

    def evidence(self, text: str, vector: Floats | None) -> list[float]:
        """Return for each entry the probability in [0, 1] that it answers the text, by the text alone."""
        import numpy as np

        scores = self.word_scores(text)
        slope, offset = _WORDS_ONLY
        if vector is not None and self._vectors is not None and vector.shape == self._vectors.shape[1:]:
            slope, offset = _WITH_MEANING
            scores = self.meaning_scores(vector) + WORD_SHARE * scores
        shares: list[float] = (1.0 / (1.0 + np.exp(-(slope * scores + offset)))).tolist()
        return [share if math.isfinite(share) else 0.0 for share in shares]


def scores_of(intents: Sequence[str], readings: Readings, evidence: Sequence[float]) -> list[float]:
    """Return a score in [0, `BEST_SCORE`] for each intent: its probability, and its share of the room that the model leaves to the text.

    Args:
        evidence: for each intent what the text alone says, in [0, 1].

    Example:
        >>> scores = scores_of(["lost_card", "card_arrival"], Readings({"lost_card": 0.8}), [0.1, 0.9])
        >>> [round(score, 3) for score in scores]
        [0.769, 0.085]
    """
    room = 0.0 if readings.settled else 1.0 - max(readings.shares.values(), default=0.0)
    weight = _TEXT_WEIGHT if readings.shares else 1.0
    return [
        BEST_SCORE * min(1.0, readings.shares.get(intent, 0.0) + weight * room * share)
        for intent, share in zip(intents, evidence, strict=True)
    ]
