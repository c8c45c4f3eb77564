"""What the reranker sees of a question and a passage: all from words and vectors that are there already."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

from rejoinder.documents.index import RANK_CONSTANT, Found, PassageIndex
from rejoinder.documents.words import terms_of

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float32]
    Ints = NDArray[np.int64]

__all__ = ["NAMES", "QuestionWords", "products", "scalar_features"]

NAMES: Final = (
    "cosine",
    "cosine below the best",
    "bm25",
    "bm25 share of the best",
    "reciprocal rank by words",
    "reciprocal rank by meaning",
    "reciprocal rank by entities",
    "coverage",
    "coverage by idf",
    "coverage of headings by idf",
    "coverage of the best window by idf",
    "rarest word found",
    "pairs of words found",
    "length",
    "a number wanted and there",
    "is a reply",
    "cosine times coverage",
)
"""The scalar features, in order; each is in [-1, 1] or nearly."""

_WINDOW: Final = 16
"""Telling words: about a sentence and a half."""

_BM25_HALF: Final = 12.0
_LONG: Final = 80.0
_WANTS_NUMBER: Final = re.compile(
    r"\b(?:when|how (?:many|much|long|far|old|often|tall|large|big|high)|what (?:year|date|time|percent\w*|number))\b",
    re.I,
)
_NUMBER: Final = re.compile(r"\d")


@dataclass(frozen=True, slots=True, eq=False)
class QuestionWords:
    """A question's words: all in order, and the different ones with how telling they are."""

    text: str
    terms: tuple[str, ...]
    different: tuple[str, ...]
    idf: Floats

    @classmethod
    def of(cls, text: str, index: PassageIndex) -> QuestionWords:
        """Return the words of a question to an index."""
        terms = tuple(terms_of(text))
        different = tuple(dict.fromkeys(terms))
        return cls(text, terms, different, index.idf(different))


def scalar_features(question: QuestionWords, index: PassageIndex, found: Found, rows: Ints) -> Floats:
    """Return (n_rows, len(NAMES)) float32 for some passages.

    Args:
        found: of this question.
        rows: passages of the index that are among `found.rows`.
    """
    made = np.zeros((len(rows), len(NAMES)), dtype=np.float32)
    if not len(rows):
        return made
    cosine, lexical = found.dense[rows], found.lexical[rows]
    order = np.argsort(found.rows)
    ranks = found.ranks[order[np.searchsorted(found.rows, rows, sorter=order)]]
    near = (RANK_CONSTANT / 6) / (RANK_CONSTANT / 6 + ranks)
    coverage = _Coverage(question, index, rows)
    wants_number = _WANTS_NUMBER.search(question.text) is not None
    passages = [index.passages[row] for row in rows.tolist()]
    made[:, 0] = cosine
    made[:, 1] = cosine - found.dense.max(initial=0.0)
    made[:, 2] = lexical / (lexical + _BM25_HALF)
    made[:, 3] = lexical / max(1e-6, float(found.lexical.max(initial=0.0)))
    made[:, 4:7] = np.where(ranks < RANK_CONSTANT**2, near, 0.0)
    made[:, 7] = coverage.plain
    made[:, 8] = coverage.by_idf
    made[:, 9] = coverage.of_headings
    made[:, 10] = coverage.of_window
    made[:, 11] = coverage.rarest
    made[:, 12] = coverage.pairs
    made[:, 13] = np.minimum(1.0, np.log1p([len(one.terms) for one in passages]) / np.log1p(_LONG))
    if wants_number:
        made[:, 14] = [_NUMBER.search(one.text) is not None for one in passages]
    made[:, 15] = [one.kind == "reply" for one in passages]
    made[:, 16] = cosine * coverage.by_idf
    return made


def products(vector: Floats, passages: Floats) -> Floats:
    """Return (n, dim) float32: elementwise products of a question's vector and passages', scaled so that their mean square is about 1."""
    found: Floats = passages * vector * np.float32(passages.shape[1])
    return found


class _Coverage:
    """Which of a question's words passages have, and how close together; all passages at once."""

    def __init__(self, question: QuestionWords, index: PassageIndex, rows: Ints) -> None:
        idf, count = question.idf, len(question.different)
        total = max(1e-6, float(idf.sum()))
        lengths = index.starts[rows + 1] - index.starts[rows]
        ends = np.cumsum(lengths)
        owner = np.repeat(np.arange(len(rows)), lengths)
        places = np.arange(int(ends[-1])) - np.repeat(ends - lengths, lengths) + np.repeat(index.starts[rows], lengths)
        asked = np.full(len(index.vocabulary) + 1, -1, dtype=np.int64)
        for number, term in enumerate(question.different):
            asked[index.vocabulary.get(term, len(index.vocabulary))] = number
        asked[-1] = -1
        hits = asked[index.term_ids[places]]
        has = np.zeros((len(rows), count + 1), dtype=bool)
        has[owner, hits] = True
        has = has[:, :count]
        heading = np.array(
            [
                [term in one.heading_terms for term in question.different]
                for one in (index.passages[row] for row in rows.tolist())
            ],
            dtype=bool,
        ).reshape(len(rows), count)
        either = has | heading
        self.plain = either.mean(axis=1) if count else np.zeros(len(rows))
        self.by_idf = either @ idf / total
        self.of_headings = heading @ idf / total
        self.rarest = (either * idf).max(axis=1, initial=0.0) / max(1e-6, float(idf.max(initial=0.0)))
        self.of_window = self._window(hits, owner, ends, count, idf) / total
        self.pairs = self._pairs(question, hits, owner, len(rows))

    @staticmethod
    def _window(hits: Ints, owner: Ints, ends: Ints, count: int, idf: Floats) -> Floats:
        """The largest sum of idf over different words within `_WINDOW` words of one passage."""
        best = np.zeros(len(ends), dtype=np.float32)
        at = np.flatnonzero(hits >= 0)
        if not len(at):
            return best
        inside = np.zeros((len(at), count), dtype=bool)
        for ahead in range(_WINDOW):
            after = at + ahead
            fits = after < ends[owner[at]]
            found = np.where(fits, hits[np.minimum(after, len(hits) - 1)], -1)
            which = np.flatnonzero(found >= 0)
            inside[which, found[which]] = True
        np.maximum.at(best, owner[at], (inside @ idf).astype(np.float32))
        return best

    @staticmethod
    def _pairs(question: QuestionWords, hits: Ints, owner: Ints, count: int) -> Floats:
        """The share of the question's neighbouring words that are neighbours in a passage too."""
        number = {term: place for place, term in enumerate(question.different)}
        asked = {(number[one], number[two]) for one, two in zip(question.terms, question.terms[1:], strict=False)}
        if not asked or len(hits) < 2:
            return np.zeros(count, dtype=np.float32)
        width = len(number) + 1
        wanted = np.array([one * width + two for one, two in asked])
        first, second = hits[:-1], hits[1:]
        joined = np.where((first >= 0) & (second >= 0) & (owner[:-1] == owner[1:]), first * width + second, -1)
        at = np.flatnonzero(np.isin(joined, wanted))
        different = (
            np.unique(np.stack([owner[at], joined[at]], axis=1), axis=0)
            if len(at)
            else np.zeros((0, 2), dtype=np.int64)
        )
        return (np.bincount(different[:, 0], minlength=count) / len(asked)).astype(np.float32)
