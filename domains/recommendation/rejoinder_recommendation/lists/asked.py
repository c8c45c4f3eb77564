"""What was asked for in words, or by items that it is like, as odds of each item."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

from rejoinder_recommendation.conversation.evidence import Asked, Evidence
from rejoinder_recommendation.conversation.ranker import ConversationRanker, shipped_weights

if TYPE_CHECKING:
    from rejoinder_recommendation.conversation.item_index import ItemIndex
    from rejoinder_recommendation.histories import Floats
    from rejoinder_recommendation.lists.shelf import Shelf
    from rejoinder_recommendation.lists.wish import Wish

__all__ = ["asked_odds", "is_asked"]

_MOST_EVENTS: Final = 50.0
"""Events of the most popular item, as words are weighed against popularity: the weights were learned where people named films so often."""


def is_asked(shelf: Shelf, wish: Wish, text: str) -> bool:
    """Tell whether somebody said what they want, in words or by items that it is like."""
    return bool(text) or len(shelf.places((*wish.like, *wish.dislike))) > 0


def asked_odds(index: ItemIndex, shelf: Shelf, wish: Wish, text: str, vector: Floats | None) -> Floats | None:
    """Return (items), the logarithms of their odds by what was asked for; None: nothing was.

    Args:
        vector: (dim), of the text; None: there is none, or no encoder that reads it.
    """
    if not is_asked(shelf, wish, text):
        return None
    counts = shelf.counts * min(1.0, _MOST_EVENTS / max(1.0, float(shelf.counts.max(initial=0.0))))
    said = np.zeros(shelf.text.shape[1]) if vector is None else vector
    asked = Asked(index.places(wish.like), index.places(wish.dislike), said, text)
    return ConversationRanker(Evidence(index, np.log1p(index.mentions + counts)), shipped_weights()).scores(asked)
