"""Word features: what a text says letter by letter, beside what the encoder makes of it.

Frozen sentence vectors blur names and rare words ("Apple Pay" and "Google Pay" lie close); hashed words and word pairs keep them apart.
Hashing needs no vocabulary, so words never seen before count at once when an example with them is added.
"""

from __future__ import annotations

import math
import re
import zlib
from collections import Counter
from itertools import pairwise
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from scipy import sparse

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from numpy.typing import NDArray

BUCKETS: Final = 2**15
"""Hash buckets; a data set of 15,000 short texts has some 25,000 different words and pairs."""

_MAX_CHARS: Final = 2000
_DENSE_COLUMNS: Final = 400
# A run of letters or digits is a word; ideographs, kana and Thai letters, written without spaces, are words of one letter.
_WORD: Final = re.compile(
    r"[\u0e00-\u0e7f\u3040-\u30ff\u3400-\u9fff\uf900-\ufaff]|[^\W\u0e00-\u0e7f\u3040-\u30ff\u3400-\u9fff\uf900-\ufaff]+"
)


def word_hashes(text: str) -> Counter[int]:
    """Count the words and pairs of neighbouring words of a text, lower-cased, by bucket in [0, BUCKETS)."""
    words = [word.encode() for word in _WORD.findall(text[:_MAX_CHARS].lower())]
    pairs = [first + b" " + second for first, second in pairwise(words)]
    return Counter(zlib.crc32(gram) % BUCKETS for gram in (*words, *pairs))


def inverse_document_frequency(texts: Iterable[str]) -> NDArray[np.float32]:
    """Return (BUCKETS,) float32: log((1 + n_texts) / (1 + n_texts_with)) + 1, the smooth form of Sparck Jones 1972."""
    counts = np.zeros(BUCKETS, dtype=np.float64)
    total = 0
    for text in texts:
        counts[list(word_hashes(text))] += 1
        total += 1
    return (np.log((1 + total) / (1 + counts)) + 1).astype(np.float32)


def word_row(text: str, idf: NDArray[np.float32]) -> tuple[NDArray[np.int32], NDArray[np.float32]]:
    """Return the buckets of one text, ascending, and their weights (log-scaled count times idf, L2-normalised)."""
    counts = word_hashes(text)
    buckets = np.array(sorted(counts), dtype=np.int32)
    weights = idf[buckets]
    if len(counts) < counts.total():  # few short texts say a word twice
        weights *= 1 + np.log(np.array([counts[bucket] for bucket in buckets.tolist()], dtype=np.float32))
    norm = math.sqrt(weights @ weights)
    if norm > 0:
        weights /= norm
    return buckets, weights


def word_rows(texts: Sequence[str], idf: NDArray[np.float32]) -> Any:
    """Return a scipy CSR matrix (n_texts, BUCKETS) float32, rows L2-normalised (all zero for a text without words)."""
    rows = [word_row(text, idf) for text in texts]
    ends = np.cumsum([0, *(len(buckets) for buckets, _ in rows)])
    indices = np.concatenate([buckets for buckets, _ in rows]) if rows else np.zeros(0, dtype=np.int32)
    data = np.concatenate([weights for _, weights in rows]) if rows else np.zeros(0, dtype=np.float32)
    return sparse.csr_matrix((data, indices, ends), shape=(len(rows), BUCKETS))


def word_cosines(left: Any, right: Any) -> NDArray[np.float32]:
    """Return (n_left, n_right) float32 cosines of two `word_rows` matrices.

    The few very common words make a sparse product slow and nearly full, so they are multiplied densely and only the rest sparsely.
    """
    if min(left.shape[0], right.shape[0]) < 500:
        small: NDArray[np.float32] = (left @ right.T).toarray().astype(np.float32, copy=False)
        return small
    common = np.argsort(-np.bincount(right.indices, minlength=BUCKETS), kind="stable")
    dense, rest = common[:_DENSE_COLUMNS], np.sort(common[_DENSE_COLUMNS:])
    known = right[:, dense].toarray()
    # One and the same array on both sides lets BLAS compute half of the symmetric product only.
    product: NDArray[np.float32] = (known if left is right else left[:, dense].toarray()) @ known.T
    rare = (left[:, rest] @ right[:, rest].T).tocoo()
    product[rare.row, rare.col] += rare.data
    return product
