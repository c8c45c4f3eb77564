"""What a catalogue's items say, ready to be spoken of: words, values that they share, titles."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from rejoinder.graph.names import normalised
from rejoinder.graph.spans import spans_of, words_of
from rejoinder.items.arriving import item_text
from rejoinder.items.attributes import TAG

from rejoinder_recommendation.conversation.content_words import content_words
from rejoinder_recommendation.conversation.item_words import Columns, weighted
from rejoinder_recommendation.conversation.title_linking import Title, TitleLinker
from rejoinder_recommendation.item_facts import ItemFacts, facts_of, split_year

if TYPE_CHECKING:
    from rejoinder.items.catalogue import Catalogue, CatalogueItem

    from rejoinder_recommendation.histories import Floats, Ints

__all__ = ["ItemIndex", "Value"]

_LONGEST_NAME: Final = 5
_SHORTEST_NAME: Final = 3

Value = tuple[str, str]
"""A relation and what stands in it: `("director", "Jordan Peele")`."""


@dataclass(frozen=True, slots=True, eq=False)
class _Said:
    """One item, read once."""

    item: CatalogueItem
    facts: ItemFacts
    words: Ints
    title: Ints
    graph: Ints
    tags: Ints


class _Reader:
    """Reads items one by one; what it gave numbers to keeps them."""

    def __init__(self) -> None:
        self.words, self.titles, self.graph, self.tags = Columns(), Columns(), Columns(), Columns()
        self.names: dict[str, list[Value]] = {}

    def read(self, item: CatalogueItem) -> _Said:
        facts = facts_of(item)
        values = [(name, value) for name, those in facts.relations for value in those]
        tags = [(TAG, tag) for tag in dict.fromkeys(facts.tags)]
        for columns, some in ((self.graph, values), (self.tags, tags)):
            for value in some:
                if value not in columns.of:
                    self._name(value)
        words = content_words(item_text(item.title, item.text, item.data))
        title = dict.fromkeys(normalised(split_year(item.title)[0]).split())
        return _Said(
            item,
            facts,
            self.words.numbers(list(words)),
            self.titles.numbers(list(title)),
            self.graph.numbers(values),
            self.tags.numbers(tags),
        )

    def _name(self, value: Value) -> None:
        """Let a value be found by its name in small letters, a tag also in the plural."""
        name = normalised(value[1])
        if len(name) < _SHORTEST_NAME:
            return
        forms = [name]
        if value[0] == TAG:
            forms += [f"{name}s", name.replace(" ", "")]
            if name.endswith("y"):
                forms.append(f"{name[:-1]}ies")
        for form in dict.fromkeys(forms):
            self.names.setdefault(form, []).append(value)


class ItemIndex:
    """What the items of one catalogue say. Never changed: where items change, another is made after it, which reads only these anew.

    Attributes:
        facts: of each item.
        words: CSC (items, stems) of titles, tags and texts; `stems` numbers them.
        titles: CSR (items, words) of titles without their years.
        graph: CSR (items, values) of relations.
        tags: CSR (items, tags).
        years: (items), 0 where it is not known.
        mentions: (items), >= 0.
        linker: of titles.

    Args:
        before: an index of the same shop's items at another moment.
    """

    def __init__(self, catalogue: Catalogue, before: ItemIndex | None = None) -> None:
        self.catalogue = catalogue
        reader: _Reader = before._reader if before else _Reader()
        self._reader: _Reader = reader
        known = before._said if before else {}
        self._said: dict[str, _Said] = {}
        for item in catalogue.items:
            said = known.get(item.id)
            self._said[item.id] = said if said is not None and said.item is item else reader.read(item)
        said_by = list(self._said.values())
        self.facts = [said.facts for said in said_by]
        self.stems = reader.words.of
        self.words: Any = weighted([said.words for said in said_by], len(reader.words)).tocsc()
        self.titles: Any = weighted([said.title for said in said_by], len(reader.titles))
        self.graph: Any = weighted([said.graph for said in said_by], len(reader.graph))
        self.tags: Any = weighted([said.tags for said in said_by], len(reader.tags))
        self._holders: dict[str, Any] = {"graph": self.graph.tocsc(), TAG: self.tags.tocsc()}
        self.years: Floats = np.array([float(facts.year or 0) for facts in self.facts])
        self.mentions: Floats = np.array([facts.mentions for facts in self.facts])
        titles = {id_: _title(said) for id_, said in self._said.items()}
        if before is None:
            self.linker = TitleLinker(titles.values())
        else:
            changed = [
                title
                for id_, title in titles.items()
                if (old := known.get(id_)) is None or (old is not self._said[id_] and _title(old) != title)
            ]
            gone = known.keys() - titles.keys()
            self.linker = before.linker.with_changes(gone, changed) if changed or gone else before.linker

    def __len__(self) -> int:
        return len(self.catalogue)

    def places(self, ids: tuple[str, ...]) -> Ints:
        """Return the places of those of the ids that there are."""
        place = self.catalogue.place
        return np.array([place[id_] for id_ in ids if id_ in place], dtype=np.int64)

    def holders(self, value: Value) -> Ints:
        """Return the places of the items that have a value."""
        columns = self._reader.tags if value[0] == TAG else self._reader.graph
        matrix = self._holders[TAG if value[0] == TAG else "graph"]
        column = columns.of.get(value, matrix.shape[1])
        if column >= matrix.shape[1]:
            return np.zeros(0, dtype=np.int64)
        return np.asarray(matrix.indices[matrix.indptr[column] : matrix.indptr[column + 1]], dtype=np.int64)

    def named_values(self, text: str) -> list[Value]:
        """Return which values that items have a text names, each once."""
        found: dict[Value, None] = {}
        for span in spans_of(words_of(text), longest=_LONGEST_NAME):
            for value in self._reader.names.get(span.text, ()):
                if value not in found and len(self.holders(value)):
                    found[value] = None
        return list(found)


def _title(said: _Said) -> Title:
    return Title(said.item.id, said.item.title, said.facts.year, said.facts.mentions)
