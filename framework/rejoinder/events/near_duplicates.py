"""Near-duplicates: texts that share most of their word triples, found with MinHash and checked exactly.

Broder, "On the resemblance and containment of documents" (1997); banding as in Leskovec, Rajaraman and Ullman, "Mining of Massive
Datasets", section 3.4: two texts of resemblance s share at least one of b bands of r values with probability 1 - (1 - s^r)^b, here 0.995
for s = 0.8.
"""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from functools import cache
from typing import Any, Final

from rejoinder.errors import InvalidInputError

__all__ = ["Sketch", "sketch_of"]

_BANDS: Final = 10
_ROWS: Final = 4
_SHINGLE_WORDS: Final = 3
_MOST_CHARS: Final = 20_000
"""Of a longer text only the beginning is compared."""

_WORD: Final = re.compile(r"\w+")


@dataclass(frozen=True, slots=True)
class Sketch:
    """What a text is compared by.

    Attributes:
        bands: signed 64-bit numbers; near-duplicates share at least one, other texts seldom do.
        shingles: its triples of words.
        threshold: resemblance (Jaccard) from which on another text is a near-duplicate, in (0, 1].
    """

    bands: tuple[int, ...]
    shingles: frozenset[bytes]
    threshold: float

    def resembles(self, text: str) -> bool:
        """Tell whether another text is a near-duplicate."""
        other = _shingles(text)
        return len(self.shingles & other) >= self.threshold * len(self.shingles | other) > 0


def sketch_of(text: str, threshold: float) -> Sketch | None:
    """Return the sketch of a text; None where it has no word.

    Raises:
        InvalidInputError: datasketch is not installed.
    """
    shingles = _shingles(text)
    if not shingles:
        return None
    empty = _empty()
    signature = empty.copy()
    signature.update_batch(sorted(shingles))
    values = signature.hashvalues
    bands = (
        hashlib.blake2b(bytes([band]) + values[band * _ROWS : (band + 1) * _ROWS].tobytes(), digest_size=8).digest()
        for band in range(_BANDS)
    )
    return Sketch(tuple(int.from_bytes(band, "big", signed=True) for band in bands), shingles, threshold)


def _shingles(text: str) -> frozenset[bytes]:
    words = _WORD.findall(text[:_MOST_CHARS].casefold())
    last = max(1, len(words) - _SHINGLE_WORDS + 1)
    return frozenset(" ".join(words[n : n + _SHINGLE_WORDS]).encode() for n in range(last)) if words else frozenset()


@cache
def _empty() -> Any:
    try:
        from datasketch import MinHash
    except ImportError as error:
        raise InvalidInputError(
            "folding near-duplicates needs the package datasketch: pip install 'rejoinder[events]', or let tenants set "
            "`near_duplicates = 0` in `[events]`"
        ) from error
    return MinHash(num_perm=_BANDS * _ROWS, seed=1)
