"""Pairs of entities that may be one, for a person to decide on (`rejoinder.graph.merging`).

Two entities of one kind are proposed when they share a name or an alias, however it is written, or when their vectors are close. Vectors
are compared by the 256 signs of random projections that lie beside them: only pairs that agree on 16 signs in a row are looked at, and
only the best of these by their vectors, so that tens of thousands of entities take seconds.

Source: Charikar 2002, "Similarity estimation techniques from rounding algorithms" (the share of equal signs estimates the angle).
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import TYPE_CHECKING, Final, Literal

import numpy as np

from rejoinder.graph.names import normalised
from rejoinder.graph.reading import check_limit, entities
from rejoinder.graph.values import Entity

if TYPE_CHECKING:
    from rejoinder.graph.embedding import Vectors
    from rejoinder.graph.space import Space

__all__ = ["MergeProposal", "propose_merges"]

_MOST: Final = 10_000
_LARGEST_GROUP: Final = 20
"""Entities of one name of which all pairs are looked at; of more, only those with the first."""
_LARGEST_BLOCK: Final = 200
_BAND: Final = 4
"""Hexadecimal digits of a signature, four signs each, in which a pair must agree."""
_CLOSE: Final = 0.9
"""Cosine from which on two entities are proposed."""
_CHECKED: Final = 4
"""Pairs by signature that are looked at for each that is wanted."""
_MEANING: Final = 0.7
_POPULAR: Final = 1000
_DIGITS: Final = re.compile(r"\d+")

_Pair = tuple[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class MergeProposal:
    """Two entities of one kind that may be the same.

    Attributes:
        keep: the one with more relations.
        score: in [0, 1], higher is likelier.
        reason: why, for a person to read.
        how: what they have in common.
    """

    keep: Entity
    drop: Entity
    score: float
    reason: str
    how: Literal["name", "alias", "meaning"]


def propose_merges(
    space: Space, vectors: Vectors, *, limit: int = 100, kinds: Sequence[str] = ()
) -> tuple[MergeProposal, ...]:
    """Return pairs of entities of one kind that may be the same, likeliest first; what was rejected or undone is left out.

    The score is 0.95 for equal names (1 where they are written the same), 0.85 for a name that is an alias of the other, 0.75 for a
    common alias, and 0.7 of the cosine for vectors. Names that differ in a number, as those of sequels, are not taken for close.

    Args:
        limit: most proposals, 1 to 10,000.
        kinds: only these; none: all.
    Raises:
        InvalidInputError: the limit is out of range.
        GraphUnavailableError, GraphError: the server failed.
    """
    check_limit(limit, most=_MOST)
    decided = _decided(space)
    found = {pair: why for pair, why in _by_name(space).items() if pair not in decided}
    if vectors.usable:
        near = _by_meaning(vectors, kinds, wanted=limit * _CHECKED, known=decided | found.keys())
        found |= {pair: (_MEANING * cosine, "meaning") for pair, cosine in near.items()}
    there = entities(space, [one for pair in found for one in pair])
    fitting = {
        pair: why
        for pair, why in found.items()
        if all(one in there for one in pair)
        and there[pair[0]].kind == there[pair[1]].kind
        and (not kinds or there[pair[0]].kind in kinds)
    }
    scored = sorted(
        ((_score(why, there[pair[0]], there[pair[1]]), pair, why[1]) for pair, why in fitting.items()),
        key=lambda one: (-one[0], one[1]),
    )[:limit]
    links = _links(space, {one for _, pair, _ in scored for one in pair})
    return tuple(_proposal(score, pair, how, there, links) for score, pair, how in scored)


_Why = tuple[float, Literal["name", "alias", "meaning"]]


def _decided(space: Space) -> set[_Pair]:
    """Pairs of which somebody said that they are not the same."""
    rows = space.read(f"MATCH (a:{space.audit}) WHERE a.action IN ['reject', 'undo'] RETURN a.keep, a.drop")
    return {_pair(row[0], row[1]) for row in rows}


def _by_name(space: Space) -> dict[_Pair, _Why]:
    shared = space.read(f"MATCH (n:{space.name}) WITH n.text AS text, count(n) AS many WHERE many > 1 RETURN text")
    rows = space.read(
        f"UNWIND $texts AS text MATCH (n:{space.name} {{text: text}}) RETURN text, n.entity, n.alias",
        texts=[row[0] for row in shared],
    )
    groups: dict[str, dict[str, bool]] = defaultdict(dict)
    for text, id_, alias in rows:
        groups[text][id_] = alias
    found: dict[_Pair, _Why] = {}
    for group in groups.values():
        for first, second in _pairs(sorted(group)):
            aliases = group[first] + group[second]
            why: _Why = (0.95, "name") if not aliases else (0.85 if aliases == 1 else 0.75, "alias")
            pair = _pair(first, second)
            found[pair] = max(found.get(pair, why), why)
    return found


def _by_meaning(vectors: Vectors, kinds: Sequence[str], *, wanted: int, known: Iterable[_Pair]) -> dict[_Pair, float]:
    """Pairs whose vectors are close, with their cosines."""
    space = vectors.space
    label = space.vector(vectors.encoder_hash)
    rows = space.read(
        f"MATCH (v:{label}) MATCH (e:{space.entity} {{id: v.entity}}) WHERE size($kinds) = 0 OR e.kind IN $kinds "
        "RETURN e.kind, e.id, e.name, v.signature ORDER BY e.kind, e.id",
        kinds=list(kinds),
    )
    blocks: dict[tuple[str, int, str], list[int]] = defaultdict(list)
    for place, (kind, _, _, signature) in enumerate(rows):
        for start in range(0, len(signature), _BAND):
            blocks[kind, start, signature[start : start + _BAND]].append(place)
    pairs = np.array(sorted({pair for block in blocks.values() for pair in _block_pairs(block)}), dtype=np.int64)
    if not len(pairs):
        return {}
    signs = np.array([np.frombuffer(bytes.fromhex(row[3]), dtype=np.uint8) for row in rows])
    differ = np.bitwise_count(signs[pairs[:, 0]] ^ signs[pairs[:, 1]]).sum(axis=1)
    passed = set(known)
    candidates: list[_Pair] = []
    for place in np.argsort(differ, kind="stable"):
        first, second = (rows[one] for one in pairs[place])
        pair = _pair(first[1], second[1])
        if pair not in passed and _DIGITS.findall(first[2]) == _DIGITS.findall(second[2]):
            candidates.append(pair)
        if len(candidates) >= wanted:
            break
    known_vectors = vectors.stored({one for pair in candidates for one in pair})
    cosines = {
        pair: float(known_vectors[pair[0]] @ known_vectors[pair[1]])
        for pair in candidates
        if all(one in known_vectors for one in pair)
    }
    return {pair: min(cosine, 1.0) for pair, cosine in cosines.items() if cosine >= _CLOSE}


def _pairs(group: Sequence[str]) -> Iterator[_Pair]:
    if len(group) <= _LARGEST_GROUP:
        yield from combinations(group, 2)
    else:
        yield from ((group[0], one) for one in group[1:])


def _block_pairs(block: Sequence[int]) -> Iterator[tuple[int, int]]:
    """Pairs of a block; a large one, whose members share a part of what all have in common, says little."""
    if len(block) <= _LARGEST_BLOCK:
        yield from combinations(block, 2)


def _pair(first: str, second: str) -> _Pair:
    return (first, second) if first < second else (second, first)


def _score(why: _Why, first: Entity, second: Entity) -> float:
    return 1.0 if why[1] == "name" and first.name == second.name else why[0]


def _links(space: Space, ids: Iterable[str]) -> dict[str, int]:
    rows = space.read(
        f"UNWIND $ids AS id MATCH (e:{space.entity} {{id: id}}) "
        f"CALL {{ WITH e MATCH (e)-[r]-() WITH r LIMIT {_POPULAR} RETURN count(r) AS links }} RETURN id, links",
        ids=sorted(ids),
    )
    return {row[0]: row[1] for row in rows}


def _proposal(
    score: float,
    pair: _Pair,
    how: Literal["name", "alias", "meaning"],
    there: Mapping[str, Entity],
    links: Mapping[str, int],
) -> MergeProposal:
    first, second = (there[one] for one in pair)
    if links.get(second.id, 0) > links.get(first.id, 0):
        first, second = second, first
    return MergeProposal(
        keep=first, drop=second, score=round(score, 4), reason=_reason(how, score, first, second), how=how
    )


def _reason(how: Literal["name", "alias", "meaning"], score: float, first: Entity, second: Entity) -> str:
    if how == "name":
        return (
            f"both are called {first.name!r}"
            if first.name == second.name
            else f"{first.name!r} and {second.name!r} are one name"
        )
    if how == "alias":
        common = sorted(
            {normalised(one) for one in (first.name, *first.aliases)}
            & {normalised(one) for one in (second.name, *second.aliases)}
        )
        return f"both are known as {common[0]!r}" if common else "they have a name in common"
    return f"{first.name!r} and {second.name!r} mean about the same (cosine {score / _MEANING:.2f})"
