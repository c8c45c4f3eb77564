"""An item of a list as it is shown in conversation."""

from __future__ import annotations

from dataclasses import replace

from rejoinder.payloads import Card

__all__ = ["shown"]


def shown(card: Card) -> Card:
    """Return a list's card with what is said of the item: its text, what is known of price and length, and why it is here."""
    said = card.data
    price, minutes = said.get("price"), said.get("minutes")
    facts = [f"price {price:g}" if price is not None else "", f"{minutes:g} minutes" if minutes is not None else ""]
    parts = [card.text, ", ".join(fact for fact in facts if fact), f"Why: {said['reason'].rstrip('.')}."]
    return replace(card, text="\n".join(part for part in parts if part))
