"""Entities found by the words of a text, or by its meaning."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Final

import numpy as np

from rejoinder.errors import InvalidInputError
from rejoinder.graph.reading import check_limit
from rejoinder.graph.records import entity_of
from rejoinder.graph.values import Hit

if TYPE_CHECKING:
    from neo4j import Record

    from rejoinder.graph.embedding import Vectors
    from rejoinder.graph.space import Space
    from rejoinder.models.learner import FloatArray

__all__ = ["search", "similar", "words_query"]

_SYNTAX: Final = re.compile(r'[+\-&|!(){}\[\]^"~*?:\\/<>=]+')
_MOST_WORDS: Final = 64
_MOST_CHARS: Final = 64
_HALF: Final = 10.0
"""Raw score that becomes 0.5: about that of one word that is in one of 50,000 names."""
_MORE: Final = 10
_MOST_FETCHED: Final = 5000
_WIDTH: Final = 64
"""Vectors that an index is asked for at least: its search is approximate, and finds no better ones than it looks at."""


def search(space: Space, text: str, *, limit: int = 10, kinds: Sequence[str] = ()) -> tuple[Hit, ...]:
    """Return the entities whose names, aliases or descriptions have words of a text, best first, ties by id.

    The score is s / (s + 10) of the index's BM25 score s: it grows with the words found and with how rare they are, and compares
    within one graph. Nothing in the text is syntax. A text without words gives nothing.

    Args:
        limit: most hits, 1 to 1000.
        kinds: only these; none: all.
    Raises:
        InvalidInputError: the limit is out of range.
    """
    check_limit(limit)
    query = words_query(text)
    if not query:
        return ()
    cypher = (
        f"{space.text_query()} WITH node, score WHERE size($kinds) = 0 OR node.kind IN $kinds "
        "RETURN properties(node), score"
    )
    scale = space.dialect.text_scale
    fetched = _fetched(limit, kinds)
    while True:
        rows = space.read(cypher, text=query, limit=fetched, kinds=list(kinds))
        if len(rows) >= limit or not kinds or fetched == _MOST_FETCHED:
            return _hits(rows, limit, lambda raw: raw * scale / (raw * scale + _HALF))
        fetched = _MOST_FETCHED


def similar(
    vectors: Vectors, text_or_vector: str | FloatArray | Sequence[float], *, limit: int = 10, kinds: Sequence[str] = ()
) -> tuple[Hit, ...]:
    """Return the entities whose vectors are closest to that of a text, or to a vector (dim,), best first, ties by id.

    The score is (1 + cosine) / 2.

    Args:
        limit: most hits, 1 to 1000.
        kinds: only these; none: all.
    Raises:
        InvalidInputError: there is no encoder, no entity has a vector yet, the vector has the wrong length or is no direction,
            or the limit is out of range.
    """
    check_limit(limit)
    space = vectors.space
    query = space.vector_query(vectors.encoder_hash)
    dim = vectors.dim
    if not dim:
        raise InvalidInputError("no entity of this graph has a vector of this encoder yet: run `embed` first")
    vector = (
        vectors.of([text_or_vector])[0]
        if isinstance(text_or_vector, str)
        else np.asarray(text_or_vector, dtype=np.float32)
    )
    if vector.shape != (dim,):
        raise InvalidInputError(f"the vector has the shape {vector.shape}, expected ({dim},)")
    if not np.isfinite(vector).all() or not vector.any():
        raise InvalidInputError("the vector is zero or not finite, so nothing is close to it")
    cypher = (
        f"{query} MATCH (e:{space.entity} {{id: node.entity}}) WHERE size($kinds) = 0 OR e.kind IN $kinds "
        "WITH e, score ORDER BY score DESC, e.id LIMIT $most RETURN properties(e), score"
    )
    fetched = max(_fetched(limit, kinds), _WIDTH)
    while True:
        rows = space.read(cypher, vector=vector.tolist(), limit=fetched, kinds=list(kinds), most=limit)
        if len(rows) >= limit or not kinds or fetched == _MOST_FETCHED:
            return _hits(rows, limit, lambda raw: min(max(raw, 0.0), 1.0))
        fetched = _MOST_FETCHED


def words_query(text: str) -> str:
    """Return the words of a text as a query in Lucene's syntax, without anything that is syntax; "" where there is no word.

    Example:
        >>> words_query("Jaws AND (name:*) ~2 OR Jaws")
        'jaws and name 2 or'
    """
    words = _SYNTAX.sub(" ", unicodedata.normalize("NFKC", text).lower()).split()
    kept = dict.fromkeys(word[:_MOST_CHARS] for word in words if any(map(str.isalnum, word)))
    return " ".join(list(kept)[:_MOST_WORDS])


def _fetched(limit: int, kinds: Sequence[str]) -> int:
    """How many are asked for: more than wanted where some will not fit."""
    return min(limit * _MORE, _MOST_FETCHED) if kinds else limit


def _hits(rows: Sequence[Record], limit: int, scored: Callable[[float], float]) -> tuple[Hit, ...]:
    found = [Hit(entity=entity_of(row[0]), score=scored(row[1])) for row in rows]
    found.sort(key=lambda hit: (-hit.score, hit.entity.id))
    return tuple(found[:limit])
