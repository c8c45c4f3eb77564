"""What speaks for each item after what was said: how often people speak of it, texts, what is talked of together, and the graph."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from rejoinder.graph.names import normalised
from rejoinder.graph.spans import spans_of, words_of
from scipy import sparse

from rejoinder_recommendation.conversation.catalogue import Catalogue, split_year
from rejoinder_recommendation.conversation.content_words import content_words
from rejoinder_recommendation.histories import Floats, Ints
from rejoinder_recommendation.text_neighbours import TextNeighbours

__all__ = ["FEATURES", "GROUPS", "Asked", "Evidence", "Talk", "named_values"]

GROUPS: Final[Mapping[str, tuple[str, ...]]] = {
    "popularity": ("popularity", "popularity_of_neighbours", "popularity_of_year"),
    "text": ("words", "words_learned", "words_shared", "items_mean", "items_best", "titles"),
    "co_mention": ("together", "together_best", "alike_dialogues"),
    "graph": ("graph", "graph_best", "tags", "named_relation", "named_tag", "years_near"),
    "against": ("against_text", "against_graph"),
}
"""The features by what they know."""

FEATURES: Final = tuple(name for names in GROUPS.values() for name in names)
_COLUMN: Final = {name: number for number, name in enumerate(FEATURES)}
_SHRINKAGE: Final = 3.0
_RIDGE: Final = 30.0
_SHARPNESS: Final = 12.0
_YEARS: Final = 10.0
_PRIOR_YEARS: Final = 20.0


@dataclass(frozen=True, slots=True, eq=False)
class Asked:
    """One question for items: what was said so far, numbered.

    Attributes:
        liked, disliked: numbers of items, in the order of the dialogue.
        vector: (dim), of the words.
        words: what was said.
    """

    liked: Ints
    disliked: Ints
    vector: Floats
    words: str


@dataclass(frozen=True, slots=True, eq=False)
class Talk:
    """What is learned from: dialogues of others.

    Attributes:
        together: the items (numbers) of each dialogue.
        asked: what was said before each recommendation.
        recommended: the item (number) of each.
    """

    together: Sequence[Ints]
    asked: Sequence[Asked]
    recommended: Ints


class Evidence:
    """Features of all items for a question.

    Args:
        vectors: (items, dim) of the items' descriptions, rows of length 1.
        talk: None: nobody has talked yet; features that need it are 0.
    """

    def __init__(self, catalogue: Catalogue, vectors: Floats, talk: Talk | None = None) -> None:
        self.catalogue = catalogue
        self._vectors = vectors
        self._single = vectors.astype(np.float32)
        self.dim = self._vectors.shape[1]
        count = len(catalogue)
        counts = np.array([float(item.mentions) for item in catalogue.items])
        self._together: Any = None
        self._asked: Floats | None = None
        if talk is not None:
            np.add.at(counts, talk.recommended, 1.0)
            self._together = _together(talk.together, count)
            self._asked = np.stack([asked.vector for asked in talk.asked])
            self._recommended = talk.recommended
            self._map = _ridge(self._asked, self._vectors[talk.recommended])
        self._graph = catalogue_matrix(catalogue, [name for name in catalogue.relations if name != "tag"])
        self._tags = catalogue_matrix(catalogue, ["tag"])
        self._titles, _ = _word_matrix([normalised(split_year(item.title)[0]).split() for item in catalogue.items])
        words, self._stems = _word_matrix([content_words(item.description) for item in catalogue.items])
        self._words = words.tocsc()
        self._years = np.array([float(item.year or 0) for item in catalogue.items])
        popularity = np.log1p(counts)
        self._fixed = {
            "popularity": popularity,
            "popularity_of_neighbours": TextNeighbours(self._vectors, np.ones(count, dtype=bool)).lift(popularity),
            "popularity_of_year": _by_year(self._years, counts),
        }

    def features(self, asked: Asked) -> Floats:
        """Return (items, features)."""
        found = np.zeros((len(self.catalogue), len(FEATURES)))
        for name, values in self._fixed.items():
            found[:, _COLUMN[name]] = values

        def put(name: str, values: Any) -> None:
            found[:, _COLUMN[name]] = values

        shared = [self._stems[word] for word in content_words(asked.words) if word in self._stems]
        if shared:
            put("words_shared", np.asarray(self._words[:, shared].sum(axis=1)).ravel())
        wanted = np.zeros(self.dim)
        if self._asked is not None:
            wanted = asked.vector @ self._map
            wanted /= np.linalg.norm(wanted) + 1e-9
            shares = np.exp(_SHARPNESS * (self._asked @ asked.vector - 1))
            alike = np.bincount(self._recommended, shares, minlength=len(found))
            put("alike_dialogues", np.log1p(alike / (shares.sum() + 1e-9) * 100))
        near = self._cosines(asked, wanted)
        put("words", near[:, 0])
        put("words_learned", near[:, 1])
        if len(asked.liked):
            of_liked = near[:, 2 : 2 + len(asked.liked)]
            put("items_mean", of_liked.mean(axis=1))
            put("items_best", of_liked.max(axis=1))
            put("titles", _likeness(self._titles, asked.liked).max(axis=1))
            if self._together is not None:
                talked = self._together[asked.liked].toarray()
                put("together", np.log1p(10 * talked.sum(axis=0)))
                put("together_best", talked.max(axis=0))
            linked = _likeness(self._graph, asked.liked)
            put("graph", linked.mean(axis=1))
            put("graph_best", linked.max(axis=1))
            put("tags", _likeness(self._tags, asked.liked).mean(axis=1))
            put("years_near", self._near_in_time(asked.liked))
        for relation, value in named_values(self.catalogue, asked.words):
            holders = self.catalogue.holders[relation, value]
            found[list(holders), _COLUMN["named_tag" if relation == "tag" else "named_relation"]] += 1.0
        if len(asked.disliked):
            put("against_text", -near[:, 2 + len(asked.liked) :].max(axis=1))
            put("against_graph", -_likeness(self._graph, asked.disliked).max(axis=1))
        return found

    def _cosines(self, asked: Asked, wanted: Floats) -> Floats:
        """Return (items, 2 + liked + disliked): likeness to what was said, to what is wanted after it, and to each item named."""
        named = self._vectors[[*asked.liked, *asked.disliked]]
        others = np.concatenate([asked.vector[None], wanted[None], named]).astype(np.float32)
        return np.asarray(self._single @ others.T, dtype=np.float64)

    def _near_in_time(self, liked: Ints) -> Floats:
        years = self._years[liked]
        known = years[years > 0]
        if not len(known):
            return np.zeros(len(self._years))
        return np.asarray(np.where(self._years > 0, np.exp(-np.abs(self._years - known.mean()) / _YEARS), 0.0))


def named_values(catalogue: Catalogue, text: str) -> list[tuple[str, str]]:
    """Return which values of relations a text names, as (relation, value), each once."""
    names = _names_of(catalogue)
    found: dict[tuple[str, str], None] = {}
    for span in spans_of(words_of(text), longest=5):
        for key in names.get(span.text, ()):
            found[key] = None
    return list(found)


def catalogue_matrix(catalogue: Catalogue, relations: Sequence[str]) -> Any:
    """Return a sparse (items, values) matrix of what items are linked to, rarer values weighing more, rows of length 1."""
    rows: list[int] = []
    columns: list[int] = []
    weights: list[float] = []
    count = len(catalogue)
    wanted = set(relations)
    holders = [(key, numbers) for key, numbers in catalogue.holders.items() if key[0] in wanted]
    for column, (_, numbers) in enumerate(holders):
        rows += numbers
        columns += [column] * len(numbers)
        weights += [np.log(1 + count / len(numbers))] * len(numbers)
    matrix = sparse.csr_matrix((weights, (rows, columns)), shape=(count, max(1, len(holders))))
    return _unit(matrix)


def _names_of(catalogue: Catalogue) -> Mapping[str, list[tuple[str, str]]]:
    """Return the values of relations by how they are written in small letters, tags also in the plural; kept with the catalogue."""
    kept: dict[str, list[tuple[str, str]]] | None = catalogue.__dict__.get("_value_names")
    if kept is None:
        kept = {}
        for relation, value in catalogue.holders:
            name = normalised(value)
            if len(name) < 3:
                continue
            forms = (name, f"{name}s", name.replace(" ", "")) if relation == "tag" else (name,)
            if relation == "tag" and name.endswith("y"):
                forms = (*forms, f"{name[:-1]}ies")
            for form in dict.fromkeys(forms):
                kept.setdefault(form, []).append((relation, value))
        catalogue.__dict__["_value_names"] = kept
    return kept


def _word_matrix(texts: Sequence[Iterable[str]]) -> tuple[Any, dict[str, int]]:
    """Return a sparse (texts, words) matrix, rarer words weighing more, rows of length 1, and the column of each word."""
    holders: dict[str, list[int]] = {}
    for number, words in enumerate(texts):
        for word in set(words):
            holders.setdefault(word, []).append(number)
    rows = [number for numbers in holders.values() for number in numbers]
    columns = [column for column, numbers in enumerate(holders.values()) for _ in numbers]
    weights = [np.log(1 + len(texts) / len(numbers)) for numbers in holders.values() for _ in numbers]
    matrix = sparse.csr_matrix((weights, (rows, columns)), shape=(len(texts), max(1, len(holders))))
    return _unit(matrix), {word: column for column, word in enumerate(holders)}


def _unit(matrix: Any) -> Any:
    length = np.sqrt(np.asarray(matrix.multiply(matrix).sum(axis=1)).ravel())
    return sparse.diags(1 / np.where(length > 0, length, 1)) @ matrix


def _likeness(matrix: Any, numbers: Ints) -> Floats:
    """Return (items, len(numbers)) cosines."""
    return np.asarray((matrix @ matrix[numbers].T).todense())


def _together(dialogues: Sequence[Ints], count: int) -> Any:
    """Return a sparse (items, items) matrix: in how many dialogues both are named, per root of how often each is, shrunk."""
    rows = np.concatenate([np.full(len(items), row) for row, items in enumerate(dialogues)] or [np.zeros(0)])
    columns = np.concatenate([*dialogues, np.zeros(0, dtype=np.int64)])
    named = sparse.csr_matrix((np.ones(len(columns)), (rows, columns)), shape=(max(1, len(dialogues)), count))
    named.data[:] = 1
    both = (named.T @ named).tocoo()
    often = np.asarray(named.sum(axis=0)).ravel()
    apart = both.row != both.col
    weights = both.data[apart] / (np.sqrt(often[both.row[apart]] * often[both.col[apart]]) + _SHRINKAGE)
    return sparse.csr_matrix((weights, (both.row[apart], both.col[apart])), shape=(count, count))


def _ridge(inputs: Floats, outputs: Floats) -> Floats:
    """Return the (dim, dim) map from what was said to what was recommended, pulled towards leaving texts as they are."""
    dim = inputs.shape[1]
    gram = inputs.T @ inputs + _RIDGE * np.eye(dim, dtype=inputs.dtype)
    return np.asarray(np.linalg.solve(gram, inputs.T @ outputs + _RIDGE * np.eye(dim, dtype=inputs.dtype)))


def _by_year(years: Floats, counts: Floats) -> Floats:
    """Return for each item the logarithm of how much its year's items are spoken of, in proportion to all, shrunk."""
    mean = (counts.sum() + 1) / max(1, len(counts))
    found = np.zeros(len(years))
    for year in np.unique(years[years > 0]):
        those = years == year
        found[those] = np.log((counts[those].sum() + _PRIOR_YEARS * mean) / (those.sum() + _PRIOR_YEARS) / mean)
    return found
