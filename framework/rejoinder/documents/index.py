"""A tenant's passages in memory: their words under BM25, and their vectors."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final, Literal

import numpy as np

from rejoinder.documents.words import terms_of

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float32]
    Ints = NDArray[np.int64]

__all__ = ["Found", "IndexedPassage", "PassageIndex", "best_rows", "fused"]

RANK_CONSTANT: Final = 60
"""Cormack, Clarke & Büttcher 2009, section 2: k = 60, found there and hardly critical."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class IndexedPassage:
    """A passage as it is searched.

    Attributes:
        revision: the tenant's revision that brought this content of the document; what is cited is checked against it.
        headings: title of the document and headings above, outermost first.
        terms: the words of the text; `heading_terms` those of the headings.
        vector: (dim,) float32, L2-normalised, of headings and text; None while there is none of the encoder in use.
    """

    document_id: str
    revision: int
    number: int
    title: str
    url: str | None
    headings: tuple[str, ...]
    text: str
    start: int
    kind: Literal["text", "reply"]
    vector: Floats | None
    terms: tuple[str, ...] = field(init=False)
    heading_terms: tuple[str, ...] = field(init=False)

    def __post_init__(self) -> None:
        """Find the words once."""
        object.__setattr__(self, "terms", tuple(terms_of(self.text)))
        object.__setattr__(self, "heading_terms", tuple(terms_of(" ".join(self.headings))) if self.headings else ())


@dataclass(frozen=True, slots=True, eq=False)
class Found:
    """What the two sides of retrieval say of a question, and how they agree.

    Attributes:
        lexical, dense, linked: (n_passages,) float32: BM25 scores of the question's words, cosines (zeros without vectors), and BM25 scores
            of the names of the entities that the question speaks of (zeros without a graph).
        rows: passages by reciprocal-rank fusion, best first.
        ranks: (len(rows), 3) int64, from 0 on, in each of the rankings; `RANK_CONSTANT` squared where a passage is not in it.
        scores: (len(rows),) float32, the fused scores.
    """

    lexical: Floats
    dense: Floats
    linked: Floats
    rows: Ints
    ranks: Ints
    scores: Floats


class PassageIndex:
    """Passages that can be searched. Never changed: `with_changes` makes another.

    Args:
        passages: in any order.
    """

    def __init__(self, passages: Sequence[IndexedPassage]) -> None:
        import bm25s

        self.passages = tuple(passages)
        self.has_vectors = any(one.vector is not None for one in self.passages)
        self.vectors = _stacked(self.passages)
        self._words: Any = None
        self.vocabulary: dict[str, int] = {}
        self.document_frequency: Ints = np.zeros(0, dtype=np.int64)
        if not self.passages:
            return
        texts = [[*one.heading_terms, *one.terms] or [""] for one in self.passages]
        self.vocabulary = {term: number for number, term in enumerate(dict.fromkeys(t for text in texts for t in text))}
        ids = [[self.vocabulary[term] for term in text] for text in texts]
        self.starts = np.concatenate([[0], np.cumsum([len(one.terms) for one in self.passages])]).astype(np.int64)
        self.term_ids = np.array(
            [
                number
                for own, one in zip(ids, self.passages, strict=True)
                for number in own[len(one.heading_terms) :][: len(one.terms)]
            ],
            dtype=np.int64,
        )
        self.document_frequency = np.bincount(
            np.concatenate([np.unique(own) for own in ids]), minlength=len(self.vocabulary)
        ).astype(np.int64)
        self._words = bm25s.BM25()
        self._words.index(bm25s.tokenization.Tokenized(ids=ids, vocab=self.vocabulary), show_progress=False)

    def __len__(self) -> int:
        return len(self.passages)

    def with_changes(self, gone: Collection[str], new: Sequence[IndexedPassage]) -> PassageIndex:
        """Return an index without the passages of some documents and with new ones."""
        return PassageIndex([*(one for one in self.passages if one.document_id not in gone), *new])

    def idf(self, terms: Sequence[str]) -> Floats:
        """Return how telling words are: (n,) float32, larger for rarer ones, largest for those in no passage."""
        seen = np.array(
            [self.document_frequency[self.vocabulary[term]] if term in self.vocabulary else 0 for term in terms],
            dtype=np.float64,
        )
        found: Floats = np.log1p((len(self.passages) - seen + 0.5) / (seen + 0.5)).astype(np.float32)
        return found

    def lexical(self, terms: Sequence[str]) -> Floats:
        """Return (n_passages,) float32 BM25 scores (Lucene's variant, k1 1.5, b 0.75) of these words."""
        known = [self.vocabulary[term] for term in terms if term in self.vocabulary]
        if not known or self._words is None:
            return np.zeros(len(self.passages), dtype=np.float32)
        scores: Floats = self._words.get_scores_from_ids(known)
        return scores

    def search(
        self, terms: Sequence[str], vector: Floats | None, *, names: Sequence[str] = (), depth: int = 100
    ) -> Found:
        """Search by words, by meaning and by the names of entities, and fuse the three rankings.

        Args:
            terms: the question's words, of `terms_of`.
            vector: (dim,) float32 of the question; None: words only.
            names: words of the entities that the question speaks of.
            depth: how many passages of each ranking are fused, >= 1.
        """
        count = len(self.passages)
        lexical, linked = self.lexical(terms), self.lexical(names)
        dense: Floats = np.zeros(count, dtype=np.float32)
        if vector is not None and self.has_vectors and vector.shape == self.vectors.shape[1:]:
            dense = self.vectors @ vector
        rankings = [
            best_rows(lexical, depth, above=0.0),
            best_rows(dense, depth, above=0.0),
            best_rows(linked, depth, above=0.0),
        ]
        rows, scores, ranks = fused(rankings)
        return Found(lexical, dense, linked, rows, ranks, scores)


def best_rows(scores: Floats, depth: int, *, above: float) -> Ints:
    """Return the rows with the highest scores above a bound, best first, at most `depth`; of equal ones the first."""
    count = min(depth, len(scores))
    if not count:
        return np.zeros(0, dtype=np.int64)
    chosen = np.argpartition(-scores, count - 1)[:count] if count < len(scores) else np.arange(count)
    chosen = np.sort(chosen[scores[chosen] > above])
    return chosen[np.argsort(-scores[chosen], kind="stable")].astype(np.int64)


def fused(rankings: Sequence[Ints]) -> tuple[Ints, Floats, Ints]:
    """Fuse rankings: a row's score is the sum of 1 / (60 + its rank) over the rankings that name it.

    Returns:
        The rows, best first, their scores, and (n_rows, n_rankings) their ranks from 0 on (`RANK_CONSTANT` squared: not named).

    Source: Cormack, Clarke & Büttcher 2009, Reciprocal rank fusion outperforms Condorcet and individual rank learning methods (SIGIR).
    """
    rows = np.unique(np.concatenate([np.zeros(0, dtype=np.int64), *rankings]))
    ranks = np.full((len(rows), len(rankings)), RANK_CONSTANT**2, dtype=np.int64)
    for column, ranking in enumerate(rankings):
        ranks[np.searchsorted(rows, ranking), column] = np.arange(len(ranking))
    named = ranks < RANK_CONSTANT**2
    scores = (named / (RANK_CONSTANT + 1 + ranks)).sum(axis=1).astype(np.float32)
    order = np.argsort(-scores, kind="stable")
    return rows[order], scores[order], ranks[order]


def _stacked(passages: Sequence[IndexedPassage]) -> Floats:
    dim = next((len(one.vector) for one in passages if one.vector is not None), 0)
    vectors = np.zeros((len(passages), dim), dtype=np.float32)
    for row, one in enumerate(passages):
        if one.vector is not None and len(one.vector) == dim:
            vectors[row] = one.vector
    return vectors
