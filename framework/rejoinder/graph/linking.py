"""Entities that a text speaks of: by name or alias, misspelt, by what it means, or by a pronoun for one spoken of before.

What may be a name is looked up exactly, all runs of words in one query. A name with one typo (a letter more, less, another, or two
swapped) has one half intact, which is looked up exactly too; names misspelt more are found by the words that are right. Only where
nothing is found the text's vector is compared with those of entities.

A score says how likely a person means the entity by these words: it grows with the words that are no stop words, and shrinks when the
text writes them small where the name does not, for each typo, and for aliases. Among entities of one name those with more relations win.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING, Final

from rapidfuzz.distance import OSA

from rejoinder.graph.common_words import OF_ANY, OF_PERSONS, OF_THINGS, PERSONS, PLAIN_WORDS, POINTING, STOP_WORDS
from rejoinder.graph.names import halves, normalised
from rejoinder.graph.reading import check_limit, entities
from rejoinder.graph.records import entity_of
from rejoinder.graph.search import search, similar
from rejoinder.graph.spans import Span, Word, marked_parts, spans_of, words_of
from rejoinder.graph.storable import MAX_NAME_CHARS
from rejoinder.graph.values import Entity, How, Link

if TYPE_CHECKING:
    from rejoinder.graph.embedding import Vectors
    from rejoinder.graph.schema import GraphSchema
    from rejoinder.graph.space import Space

__all__ = ["Linker"]

_MOST_LINKS: Final = 100
_MOST_ROWS: Final = 1000
_POPULAR: Final = 1000
"""Relations beyond which an entity is as popular as any."""
_SURE: Final = 0.75
"""Score from which on a link by name is taken without looking for typos in the rest."""
_LEAST: Final = 0.2
"""Score below which words are taken for no name."""
_ALIAS: Final = 0.97
_OTHER_CASE: Final = 0.965
_SMALL: Final = 0.6
_SMALL_WORD: Final = 0.85
_STOP: Final = 0.25
_PLAIN: Final = 0.4
_UNMARKED: Final = 0.5
_TYPO: Final = 1.2
"""Share of the score that is lost for each share of a name that is misspelt."""
_MOST_MISSPELT: Final = 0.25
_LONGEST_MISSPELT: Final = 8
"""Words of the longest name that is looked for with a typo."""
_MOST_MISSPELT_SPANS: Final = 500
_CONTEXT: Final = 0.7
_UNFIT_CONTEXT: Final = 0.5
_MEANING: Final = 0.75
"""(1 + cosine) / 2 below which meanings are taken for different."""
_MEANING_WEIGHT: Final = 0.6
_WORDS_FETCHED: Final = 40


@dataclass(frozen=True, slots=True)
class _Candidate:
    entity: Entity
    start: int
    end: int
    score: float
    how: How
    exact: bool = False


class Linker:
    """Links texts to the entities of one graph.

    Args:
        schema: its kinds and relations give the words that stand for a kind, such as "film", which are seldom meant as a name.
    """

    def __init__(self, space: Space, schema: GraphSchema, vectors: Vectors) -> None:
        self._space = space
        self._schema = schema
        self._vectors = vectors

    def link(
        self, text: str, *, context: Sequence[str] = (), kinds: Sequence[str] = (), limit: int = 5
    ) -> tuple[Link, ...]:
        """Return the entities that a text speaks of, best first; links of different places in the text never overlap.

        Several entities of one name are all given, at the same place. What stands in [brackets] or quotation marks is preferred.

        Args:
            context: ids of entities that were spoken of before, latest first: what "it", "she" or "that film" may mean.
            kinds: only these; none: all.
            limit: most links, 1 to 100.
        Raises:
            InvalidInputError: the limit is out of range.
            GraphUnavailableError: the server cannot be reached.
        """
        check_limit(limit, most=_MOST_LINKS)
        reading = _Reading(text, self._plain_words)
        found = self._by_name(reading)
        if reading.has_more(found):
            found += self._by_halves(reading, found)
            if not any(one.score >= _SURE / 2 for one in _fitting(found, kinds)):
                found += self._by_words(reading)
        if context:
            found += self._by_context(reading, context)
        chosen = _apart([one for one in _fitting(found, kinds) if one.score >= _LEAST])
        if not chosen:
            chosen = self._by_meaning(reading, kinds, limit)
        ranked = sorted(self._by_popularity(chosen), key=lambda one: (-one.score, one.start, one.entity.id))
        return tuple(
            Link(
                entity=one.entity,
                start=one.start,
                end=one.end,
                text=text[one.start : one.end],
                score=round(one.score, 4),
                how=one.how,
            )
            for one in ranked[:limit]
        )

    @cached_property
    def _plain_words(self) -> frozenset[str]:
        """Frequent words, and those by which the schema calls its kinds and relations, singular and plural."""
        titles: list[str] = []
        for name, kind in self._schema.kinds.items():
            titles += (name, kind.title)
        for name, relation in self._schema.relations.items():
            titles += (name, relation.title, relation.inverse_title)
        words = {word for title in titles for word in normalised(title.replace("_", " ")).split()}
        return PLAIN_WORDS.union(words, (f"{word}s" for word in words), (word.removesuffix("s") for word in words))

    def _by_name(self, reading: _Reading) -> list[_Candidate]:
        places = reading.places
        if not places:
            return []
        rows = self._space.read(
            f"MATCH (n:{self._space.name}) WHERE n.text IN $texts MATCH (e:{self._space.entity} {{id: n.entity}}) "
            f"RETURN n.text, n.alias, properties(e) LIMIT {_MOST_ROWS}",
            texts=list(places),
        )
        return [reading.candidate(place, entity_of(row[2]), alias=row[1]) for row in rows for place in places[row[0]]]

    def _by_halves(self, reading: _Reading, found: Sequence[_Candidate]) -> list[_Candidate]:
        """Names that differ from a run of words by one typo."""
        heads, tails = reading.halves(found)
        if not heads:
            return []
        rows = self._space.read(
            f"MATCH (n:{self._space.name}) WHERE n.head IN $heads RETURN n.text AS text, n.entity AS id, n.alias AS alias "
            f"LIMIT {_MOST_ROWS} "
            f"UNION MATCH (n:{self._space.name}) WHERE n.tail IN $tails "
            f"RETURN n.text AS text, n.entity AS id, n.alias AS alias LIMIT {_MOST_ROWS}",
            heads=list(heads),
            tails=list(tails),
        )
        near: dict[str, list[tuple[Span, bool, int]]] = defaultdict(list)
        for name, id_, alias in rows:
            head, tail = halves(name) or ("", "")
            for span in dict.fromkeys((*heads.get(head, ()), *tails.get(tail, ()))):
                typos = OSA.distance(name, span.text, score_cutoff=1)
                if typos == 1:
                    near[id_].append((span, alias, len(name)))
        there = entities(self._space, near)
        return [
            reading.candidate((span.first, span.last), there[id_], alias=alias, misspelt=1 / length)
            for id_, spans in near.items()
            if id_ in there
            for span, alias, length in spans
        ]

    def _by_words(self, reading: _Reading) -> list[_Candidate]:
        """Names that share words with the text, and whose other words are misspelt there."""
        wanted = " ".join(word.text for word in reading.words if reading.is_content(word.text))
        found = []
        for hit in search(self._space, wanted, limit=_WORDS_FETCHED):
            for name in (hit.entity.name, *hit.entity.aliases):
                best = reading.closest(normalised(name))
                if best is not None:
                    place, misspelt = best
                    alias = name is not hit.entity.name
                    found.append(reading.candidate(place, hit.entity, alias=alias, misspelt=misspelt))
        return found

    def _by_context(self, reading: _Reading, context: Sequence[str]) -> list[_Candidate]:
        """What pronouns, and words such as "that film", stand for."""
        spoken = list(reading.pronouns(self._kinds_of))
        if not spoken:
            return []
        there = list(entities(self._space, context).values())
        found = []
        for (first, last), fits in spoken:
            fitting = [one for one in there if fits(one.kind)]
            start, end = reading.words[first].start, reading.words[last - 1].end
            if fitting:
                found.append(_Candidate(fitting[0], start, end, _CONTEXT, "context"))
            elif there and last - first == 1:
                found.append(_Candidate(there[0], start, end, _UNFIT_CONTEXT, "context"))
        return found

    def _by_meaning(self, reading: _Reading, kinds: Sequence[str], limit: int) -> list[_Candidate]:
        if not reading.words or not self._vectors.usable:
            return []
        start, end = reading.words[0].start, reading.words[-1].end
        return [
            _Candidate(hit.entity, start, end, _MEANING_WEIGHT * hit.score, "meaning")
            for hit in similar(self._vectors, reading.text, limit=limit, kinds=kinds)
            if hit.score >= _MEANING
        ]

    def _by_popularity(self, chosen: Sequence[_Candidate]) -> list[_Candidate]:
        """The same, with up to a twentieth less for those that share their place with more popular ones."""
        places: dict[tuple[int, int], list[_Candidate]] = defaultdict(list)
        for one in chosen:
            places[one.start, one.end].append(one)
        doubtful = [one for same in places.values() if len(same) > 1 for one in same]
        if not doubtful:
            return list(chosen)
        rows = self._space.read(
            f"UNWIND $ids AS id MATCH (e:{self._space.entity} {{id: id}}) "
            f"CALL {{ WITH e MATCH (e)-[r]-() WITH r LIMIT {_POPULAR} RETURN count(r) AS links }} RETURN id, links",
            ids=list({one.entity.id for one in doubtful}),
        )
        links: dict[str, int] = {row[0]: row[1] for row in rows}
        ranked = []
        for same in places.values():
            most = math.log1p(max(links.get(one.entity.id, 0) for one in same)) or 1.0
            for one in same:
                share = math.log1p(links.get(one.entity.id, 0)) / most if len(same) > 1 else 1.0
                ranked.append(replace(one, score=one.score * (0.95 + 0.05 * share)))
        return ranked

    def _kinds_of(self, noun: str) -> Callable[[str], bool] | None:
        """Say which kinds a noun stands for; None: it stands for none."""
        singular = noun.removesuffix("s")
        fitting = {
            name
            for name, kind in self._schema.kinds.items()
            if {noun, singular} & {*normalised(name.replace("_", " ")).split(), *normalised(kind.title).split()}
        }
        if not fitting:
            return None
        return fitting.__contains__


class _Reading:
    """One text, with the runs of its words."""

    def __init__(self, text: str, plain_words: frozenset[str]) -> None:
        self.text = text
        self.words: tuple[Word, ...] = words_of(text)
        self._plain_words = plain_words
        self._shouted = text.isupper()
        self._cased = not self._shouted and any(map(str.isupper, text[1:]))
        self._marked = self._marked_words()
        self.spans = tuple(spans_of(self.words))

    @cached_property
    def places(self) -> Mapping[str, list[tuple[int, int]]]:
        """Where each run of words is, by its text."""
        found: dict[str, list[tuple[int, int]]] = defaultdict(list)
        for span in self.spans:
            if len(span.text) <= MAX_NAME_CHARS:
                found[span.text].append((span.first, span.last))
        return found

    def is_content(self, word: str) -> bool:
        """Say whether a word may belong to a name more likely than not."""
        return word not in STOP_WORDS and word not in self._plain_words

    def candidate(
        self, place: tuple[int, int], entity: Entity, *, alias: bool = False, misspelt: float = 0.0
    ) -> _Candidate:
        """Return an entity that the words at a place may mean, with a score.

        Args:
            misspelt: share of its characters that are wrong.
        """
        first, last = place
        words = self.words[first:last]
        start, end = words[0].start, words[-1].end
        written = self.text[start:end]
        weight = sum(self._weight(word.text) for word in words)
        score = 1 - 0.5 * math.exp(-weight)
        capital = not self._shouted and any(map(str.isupper, written[1:] if start == 0 else written))
        if not capital and len(words) < len(self.words):
            if not any(self.is_content(word.text) for word in words):
                alone = _STOP if all(word.text in STOP_WORDS for word in words) else _PLAIN
                score *= 1 - (1 - alone) / len(words)
            elif self._cased:
                score *= _SMALL if any(map(str.isupper, entity.name)) else _SMALL_WORD if last - first == 1 else 1.0
        if self._marked and place not in self._marked:
            score *= _UNMARKED
        if misspelt:
            score *= 1 - _TYPO * misspelt
        elif alias:
            score *= _ALIAS
        elif written != entity.name:
            score *= _OTHER_CASE
        how: How = "spelling" if misspelt else "alias" if alias else "name"
        return _Candidate(entity, start, end, score, how, exact=not misspelt)

    def has_more(self, found: Sequence[_Candidate]) -> bool:
        """Say whether words are left that may be a misspelt name."""
        return bool(self._open_words(found))

    def halves(self, found: Sequence[_Candidate]) -> tuple[dict[str, list[Span]], dict[str, list[Span]]]:
        """Return the halves of what each run of words may be a misspelling of, and the runs."""
        heads: dict[str, list[Span]] = defaultdict(list)
        tails: dict[str, list[Span]] = defaultdict(list)
        left = self._open_words(found)
        tried = 0
        for span in self.spans:
            if span.last - span.first > _LONGEST_MISSPELT or left.isdisjoint(range(span.first, span.last)):
                continue
            tried += 1
            if tried > _MOST_MISSPELT_SPANS:
                break
            size, middle = len(span.text), len(span.text) // 2
            swapped = f"{span.text[: middle - 1]}{span.text[middle - 1 : middle + 1][::-1]}{span.text[middle + 1 :]}"
            for text, length in ((span.text, size - 1), (span.text, size), (span.text, size + 1), (swapped, size)):
                both = halves(text, length)
                if both is not None:
                    heads[both[0]].append(span)
                    tails[both[1]].append(span)
        return heads, tails

    def _open_words(self, found: Sequence[_Candidate]) -> set[int]:
        """Places of the words that may be part of a name, and are in none that is surely meant."""
        sure = [one for one in found if one.score >= _SURE]
        return {
            place
            for place, word in enumerate(self.words)
            if self.is_content(word.text) and not any(one.start <= word.start < one.end for one in sure)
        }

    def closest(self, name: str) -> tuple[tuple[int, int], float] | None:
        """Return where a name stands with the fewest typos, and the share of its characters that are wrong; None: nowhere."""
        count = len(words_of(name))
        best: tuple[tuple[int, int], float] | None = None
        cutoff = int(_MOST_MISSPELT * len(name))
        for span in self.spans:
            if abs(span.last - span.first - count) <= 1:
                typos = OSA.distance(name, span.text, score_cutoff=cutoff)
                if typos <= cutoff:
                    best = (span.first, span.last), typos / len(name)
                    cutoff = typos - 1
        return best

    def pronouns(
        self, kinds_of: Callable[[str], Callable[[str], bool] | None]
    ) -> Iterable[tuple[tuple[int, int], Callable[[str], bool]]]:
        """Yield where words stand for something said before, and which kinds these may be."""
        for place, word in enumerate(self.words):
            kinds = None
            if word.text in POINTING and place + 1 < len(self.words):
                kinds = kinds_of(self.words[place + 1].text)
            if kinds is not None:
                yield (place, place + 2), kinds
            elif word.text in OF_PERSONS:
                yield (place, place + 1), _is_person
            elif word.text in OF_THINGS:
                yield (place, place + 1), lambda kind: not _is_person(kind)
            elif word.text in OF_ANY:
                yield (place, place + 1), lambda _: True

    def _weight(self, word: str) -> float:
        if word in STOP_WORDS:
            return 0.2
        return 0.6 if word in self._plain_words or len(word) == 1 else 1.0

    def _marked_words(self) -> frozenset[tuple[int, int]]:
        """Runs of words that stand in brackets or quotation marks."""
        found = set()
        for start, end in marked_parts(self.text):
            inside = [place for place, word in enumerate(self.words) if start <= word.start and word.end <= end]
            if inside:
                found.add((inside[0], inside[-1] + 1))
        return frozenset(found)


def _is_person(kind: str) -> bool:
    return not PERSONS.isdisjoint(kind.split("_"))


def _fitting(found: Iterable[_Candidate], kinds: Sequence[str]) -> list[_Candidate]:
    return [one for one in found if not kinds or one.entity.kind in kinds]


def _apart(found: Sequence[_Candidate]) -> list[_Candidate]:
    """The best, and those at its place; then the best of those that do not overlap these, and so on."""
    taken: list[tuple[int, int]] = []
    chosen: dict[tuple[int, int, str], _Candidate] = {}
    for one in sorted(found, key=lambda one: (-one.score, one.start, one.entity.id)):
        place = (one.start, one.end)
        if place in taken or not any(start < one.end and one.start < end for start, end in taken):
            if place not in taken:
                taken.append(place)
            chosen.setdefault((*place, one.entity.id), one)
    return list(chosen.values())
