"""What speaks for each item after what was said: how often people speak of it, texts, what is talked of together, and the graph."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from rejoinder.items.attributes import TAG
from scipy import sparse

from rejoinder_recommendation.conversation.content_words import content_words
from rejoinder_recommendation.conversation.item_index import ItemIndex
from rejoinder_recommendation.conversation.item_words import likeness
from rejoinder_recommendation.histories import Floats, Ints

__all__ = ["FEATURES", "GROUPS", "OF_TALK", "Asked", "Evidence", "Talk"]

GROUPS: Final[Mapping[str, tuple[str, ...]]] = {
    "popularity": ("popularity", "popularity_of_year"),
    "text": ("words", "words_learned", "words_shared", "items_mean", "items_best", "titles"),
    "co_mention": ("together", "together_best", "alike_dialogues"),
    "graph": ("graph", "graph_best", "tags", "named_relation", "named_tag", "years_near"),
    "against": ("against_text", "against_graph"),
}
"""The features by what they know."""

FEATURES: Final = tuple(name for names in GROUPS.values() for name in names)
OF_TALK: Final = frozenset({"words_learned", "together", "together_best", "alike_dialogues"})
"""Those that only other people's dialogues tell."""
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
        popularity: (items), the logarithm of 1 + how often people spoke of each or turned to it.
        talk: None: nobody has talked yet; features that need it are 0.
    """

    def __init__(self, index: ItemIndex, popularity: Floats, talk: Talk | None = None) -> None:
        self.index = index
        self._vectors = index.catalogue.vectors
        self._together: Any = None
        self._asked: Floats | None = None
        if talk is not None:
            self._together = _together(talk.together, len(index))
            self._asked = np.stack([asked.vector for asked in talk.asked])
            self._recommended = talk.recommended
            self._map = _ridge(self._asked, self._vectors[talk.recommended].astype(np.float64))
        self._fixed = {
            "popularity": popularity,
            "popularity_of_year": _by_year(index.years, np.expm1(popularity)),
        }

    def features(self, asked: Asked) -> Floats:
        """Return (items, features)."""
        index = self.index
        found = np.zeros((len(index), len(FEATURES)))

        def put(name: str, values: Any) -> None:
            found[:, _COLUMN[name]] = values

        for name, values in self._fixed.items():
            put(name, values)
        stems, words = index.stems, index.words
        shared = [
            stems[word] for word in content_words(asked.words) if stems.get(word, words.shape[1]) < words.shape[1]
        ]
        if shared:
            put("words_shared", np.asarray(words[:, shared].sum(axis=1)).ravel())
        wanted = np.zeros(len(asked.vector))
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
            put("titles", likeness(index.titles, asked.liked).max(axis=1))
            if self._together is not None:
                talked = self._together[asked.liked].toarray()
                put("together", np.log1p(10 * talked.sum(axis=0)))
                put("together_best", talked.max(axis=0))
            linked = likeness(index.graph, asked.liked)
            put("graph", linked.mean(axis=1))
            put("graph_best", linked.max(axis=1))
            put("tags", likeness(index.tags, asked.liked).mean(axis=1))
            put("years_near", self._near_in_time(asked.liked))
        for value in index.named_values(asked.words):
            found[index.holders(value), _COLUMN["named_tag" if value[0] == TAG else "named_relation"]] += 1.0
        if len(asked.disliked):
            put("against_text", -near[:, 2 + len(asked.liked) :].max(axis=1))
            put("against_graph", -likeness(index.graph, asked.disliked).max(axis=1))
        return found

    def _cosines(self, asked: Asked, wanted: Floats) -> Floats:
        """Return (items, 2 + liked + disliked): likeness to what was said, to what is wanted after it, and to each item named.

        A vector of another encoder than the items' is no use, and all is 0.
        """
        named = [*asked.liked, *asked.disliked]
        if self._vectors.shape[1] != len(asked.vector):
            return np.zeros((len(self.index), 2 + len(named)))
        others = np.concatenate([asked.vector[None], wanted[None], self._vectors[named]]).astype(np.float32)
        return np.asarray(self._vectors @ others.T, dtype=np.float64)

    def _near_in_time(self, liked: Ints) -> Floats:
        every = self.index.years
        known = every[liked][every[liked] > 0]
        if not len(known):
            return np.zeros(len(every))
        return np.asarray(np.where(every > 0, np.exp(-np.abs(every - known.mean()) / _YEARS), 0.0))


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
