"""A list in words and cards."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from rejoinder.payloads import Card

from rejoinder_recommendation.conversation.catalogue import Catalogue, CatalogueItem
from rejoinder_recommendation.conversation.memory import Memory
from rejoinder_recommendation.conversation.reasons import reasons_for

__all__ = ["card_of", "introduction", "reason_of"]


def reason_of(item: CatalogueItem, catalogue: Catalogue, wish: Memory) -> list[str]:
    """Return why an item is in a list; see `reasons_for`."""
    liked = [id_ for id_ in wish.liked if id_ in catalogue]
    return reasons_for(item, catalogue, liked=liked, words=wish.words)


def card_of(item: CatalogueItem, reasons: Sequence[str]) -> Card:
    """Return an item as a card: what is known of it, and why it is shown."""
    facts: dict[str, Any] = {
        "item": item.id,
        "reasons": list(reasons),
        "source": "catalogue",
        "price": item.price,
        "minutes": item.minutes,
        "year": item.year,
        "tags": list(item.tags),
    }
    known = [f"{item.price:g}" if item.price is not None else "", f"{item.minutes:g} minutes" if item.minutes else ""]
    text = "; ".join((*reasons, *(one for one in known if one))) or item.text
    shown = {name: value for name, value in facts.items() if value not in (None, [])}
    return Card(title=item.title, text=text, image_url=item.image, data=shown)


def introduction(wish: Memory, catalogue: Catalogue, notes: Sequence[str]) -> str:
    """Return the sentence before a list: what it goes by, and what was left out."""
    liked = [catalogue[id_].title for id_ in wish.liked[-2:] if id_ in catalogue]
    by = [f"like {' and '.join(liked)}"] if liked else []
    if limits := wish.filters.in_words():
        by.append(limits)
    text = f"Here is what I found ({'; '.join(by)}):" if by else "Here is what I found:"
    return " ".join((*notes, text))
