"""Whether a message is plainly angry: by its words, or by a learned head over its vector.

The words go by a rule of thumb that wants to be sure: one sharp sign (an insult, a curse, a threat to leave or to sue) is enough; a
complaint needs a second sign beside it, since many people curse in a plain question. The rule knows English only, and little of it; what
it sees is evidence for the head as well.

The head is a logistic regression over the vector of the encoder and four signs. The one for the shipped encoder, which hears English, was
fitted by `benchmarks/anger.py`; for any other it is fitted on the examples beside it, which speak seven languages, so that with an encoder
of several languages anger is heard in these.
"""

from __future__ import annotations

import csv
import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from importlib import resources
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from rejoinder.errors import ModelError

if TYPE_CHECKING:
    from rejoinder.models.learner import FloatArray

__all__ = ["SIGNS", "AngerExample", "AngerHead", "examples", "is_angry", "shipped_head", "signs_of"]

SIGNS: Final = ("sharp", "complaints", "shouted", "exclaimed")
"""What the words of a message say beside its vector, each in [0, 1]."""

_LONGEST: Final = 500
_MOST_COMPLAINTS: Final = 3
_RIDGE: Final = 0.3
_ENGLISH: Final = "en"
_FOLDS: Final = 3
_TOLD_APART: Final = 0.8
"""Share of texts, those in English and those in other languages, that an encoder must let a head judge right, texts left out, for anger
in them to be learned."""

_SHARP: Final = re.compile(
    r"\b(?:fuck (?:you|off|this|that)|what the fuck|wtf|bullshit|bastards?|you (?:\w+ )?(?:idiots?|morons?)|go to hell"
    r"|(?:you|this|it) sucks?|pissed off|sick of (?:this|you)"
    r"|fed up|furious|had enough of (?:this|you)|are you (?:kidding|joking)|worst (?:\w+ ){0,3}(?:ever|company|service)"
    r"|(?:i will|i'll|going to) sue|my lawyer|useless (?:bot|thing|machine|robot|crap))\b",
    re.IGNORECASE,
)
_COMPLAINT: Final = re.compile(
    r"\b(?:angry|ridiculous|unacceptable|outrageous|disgusting|terrible|horrible|awful|useless|pathetic|joke|incompetent|shame"
    r"|disgrace(?:ful)?|rubbish|crap|hell|damn|stupid|annoy(?:ed|ing)|hate|worst|lies|liars?|never again|fuck\w*|shut up|scam(?:mers?)?)\b",
    re.IGNORECASE,
)
_LETTERS: Final = re.compile(r"[A-Za-z]")
_CAPITAL_WORDS: Final = re.compile(r"\b[A-Z]{3,}\b")
_MOST_QUIET_SHARE: Final = 0.7
_SHOUTED_WORDS: Final = 3


def is_angry(text: str) -> bool:
    """Tell whether the words of a message are plainly angry.

    Example:
        >>> [is_angry(text) for text in ("THIS IS RIDICULOUS!!", "I'm fed up with you", "a terrible rash", "CANCEL ORDER ABC-12")]
        [True, True, False, False]
    """
    sharp, complaints, shouted, exclaimed = signs_of(text)
    return sharp > 0 or (complaints > 0 and _MOST_COMPLAINTS * complaints + exclaimed + shouted >= 2)


def signs_of(text: str) -> tuple[float, float, float, float]:
    """Return the signs of anger in a message's words, in the order of `SIGNS`."""
    text = text[:_LONGEST]
    complaints = min(_MOST_COMPLAINTS, len(_COMPLAINT.findall(text)))
    return (
        float(_SHARP.search(text) is not None),
        complaints / _MOST_COMPLAINTS,
        float(_is_shouted(text)),
        float("!!" in text),
    )


def _is_shouted(text: str) -> bool:
    letters = _LETTERS.findall(text)
    capitals = sum(letter.isupper() for letter in letters)
    return capitals > _MOST_QUIET_SHARE * len(letters) > 0 and len(_CAPITAL_WORDS.findall(text)) >= _SHOUTED_WORDS


@dataclass(frozen=True, slots=True, eq=False)
class AngerHead:
    """A logistic regression over the vectors of one encoder and the signs.

    Attributes:
        weight: (dim + 4,) float32, the signs' last.
    """

    weight: FloatArray
    bias: float

    @classmethod
    def fitted(
        cls,
        texts: Sequence[str],
        vectors: FloatArray,
        angry: Sequence[bool],
        weights: Sequence[float] | None = None,
    ) -> AngerHead:
        """Learn from texts, their vectors (n, dim), and which of them are angry.

        Args:
            weights: how much each text counts, > 0; None: all the same.

        Source: `rejoinder.models.heads.logistic`.
        """
        import numpy as np
        from rejoinder.models.heads.logistic import Logistic

        x = np.concatenate([vectors, np.array([signs_of(text) for text in texts])], axis=1).astype(np.float32)
        truth = np.array(angry, dtype=np.intp)
        counts = np.ones(len(x), dtype=np.float32) if weights is None else np.array(weights, dtype=np.float32)
        mean = Logistic.unknown(2, _RIDGE, x.shape[1]).learned(x, truth, counts).mean
        return cls(mean[1, :-1] - mean[0, :-1], float(mean[1, -1] - mean[0, -1]))

    @classmethod
    def of_examples(
        cls,
        vectors: FloatArray,
        *,
        weight: float = 1.0,
        calm: Sequence[str] = (),
        calm_vectors: FloatArray | None = None,
    ) -> AngerHead:
        """Learn from the shipped examples.

        Where the encoder does not tell angry from calm in other languages than English, all that is in them is learned as calm: to an
        encoder of one language, whatever is foreign sounds alike.

        Args:
            vectors: (n, dim), those of `examples()` in their order.
            weight: how much an example counts beside one of `calm`.
            calm: more texts that are calm; `calm_vectors` theirs.
        Raises:
            ModelError: the encoder does not tell angry from calm in English either.
        """
        import numpy as np

        known = examples()
        texts = [one.text for one in known]
        angry = np.array([one.angry for one in known])
        foreign = np.array([one.language != _ENGLISH for one in known])
        part = np.arange(len(known)) % _FOLDS
        right = np.zeros(len(known), dtype=np.bool_)
        for fold in range(_FOLDS):
            rows = np.flatnonzero(part != fold)
            head = cls.fitted([texts[row] for row in rows], vectors[rows], angry[rows].tolist())
            for row in np.flatnonzero(part == fold):
                right[row] = (head.probability(texts[row], vectors[row]) >= 0.5) == angry[row]
        if right[~foreign].mean() < _TOLD_APART:
            raise ModelError("the encoder does not tell angry texts from calm ones")
        kept = np.flatnonzero(~(foreign & angry)) if right[foreign].mean() < _TOLD_APART else np.arange(len(known))
        all_vectors = vectors[kept] if calm_vectors is None else np.concatenate([vectors[kept], calm_vectors])
        return cls.fitted(
            [*(texts[row] for row in kept), *calm],
            all_vectors,
            [*angry[kept].tolist(), *(False for _ in calm)],
            [weight] * len(kept) + [1.0] * len(calm),
        )

    def probability(self, text: str, vector: FloatArray) -> float:
        """Return how probable it is, in [0, 1], that a message is angry; `vector` is (dim,), its text's."""
        import numpy as np

        row = np.concatenate([vector, np.array(signs_of(text), dtype=np.float32)])
        return float(1.0 / (1.0 + np.exp(-(float(row @ self.weight) + self.bias))))


class AngerExample(NamedTuple):
    """A text, whether it is angry, and its language as two letters."""

    text: str
    angry: bool
    language: str


@cache
def examples() -> tuple[AngerExample, ...]:
    """Return the shipped texts, written for this project."""
    rows = csv.DictReader(_read("anger.csv").splitlines())
    return tuple(AngerExample(row["text"], row["label"] == "angry", row["language"]) for row in rows)


@cache
def shipped_head() -> tuple[str, AngerHead]:
    """Return the head for the shipped encoder, and the hash of that encoder."""
    import numpy as np

    stored: dict[str, Any] = json.loads(_read("anger_head.json"))
    return stored["encoder"], AngerHead(np.array(stored["weight"], dtype=np.float32), stored["bias"])


def _read(name: str) -> str:
    return (resources.files("rejoinder_plugins.dialogue") / "data" / name).read_text(encoding="utf-8")
