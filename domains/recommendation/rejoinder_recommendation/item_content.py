"""What is known of items without anybody's behaviour."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy import sparse

from rejoinder_recommendation.histories import Floats

__all__ = ["ItemContent", "attribute_graph"]


@dataclass(frozen=True, slots=True, eq=False)
class ItemContent:
    """Texts and attributes of items.

    Attributes:
        vectors: (items, dim) of texts, rows of length 1, or 0 for an item without text.
        attributes: CSR (items, values), 1 where an item has a value, such as a brand, a director, a tag.
        links: CSR (items, items), symmetric, 1 where one item names the other, such as what is bought with it.
    """

    vectors: Floats
    attributes: Any
    links: Any

    @classmethod
    def of_texts(cls, vectors: Floats) -> ItemContent:
        """Return the content of items without attributes."""
        return cls(vectors, *attribute_graph([{}] * len(vectors), {}))


def attribute_graph(described: Sequence[Mapping[str, Sequence[str]]], numbers: Mapping[str, int]) -> tuple[Any, Any]:
    """Return `attributes` and `links` of `ItemContent`.

    Args:
        described: of each item the values by attribute.
        numbers: of items by id; a value that is another item's id is a link to it besides.
    """
    columns: dict[tuple[str, str], int] = {}
    cells, links = set(), set()
    for item, attributes in enumerate(described):
        for name, values in attributes.items():
            for value in values:
                cells.add((item, columns.setdefault((name, value), len(columns))))
                other = numbers.get(value, item)
                if other != item:
                    links |= {(item, other), (other, item)}
    count = len(described)
    return _ones(cells, (count, len(columns))), _ones(links, (count, count))


def _ones(cells: set[tuple[int, int]], shape: tuple[int, int]) -> Any:
    rows, columns = np.array(sorted(cells), dtype=np.int64).reshape(-1, 2).T
    return sparse.csr_matrix((np.ones(len(rows)), (rows, columns)), shape=shape)
