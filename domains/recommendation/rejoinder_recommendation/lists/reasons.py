"""Why an item is listed, in words: only what the score is really made of."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from rejoinder.documents.words import terms_of

from rejoinder_recommendation.lists.ranking import Listed

if TYPE_CHECKING:
    from rejoinder_recommendation.lists.shelf import Shelf

__all__ = ["reason_of"]

_MOST_WORDS: Final = 4
_LEAST: Final = 0.02


def reason_of(shelf: Shelf, listed: Listed) -> tuple[str, str]:
    """Return the kind of the strongest part of a score, and a sentence."""
    if "pinned" in listed.parts:
        return "pinned", "Chosen by the shop."
    kind = max(listed.parts, key=lambda name: listed.parts[name])
    if listed.parts[kind] < _LEAST:
        return "new", "Few have seen it yet."
    because = None if listed.because is None else shelf.catalogue.items[listed.because]
    if kind == "together" and because is not None:
        return kind, f"People who liked {because.title} liked it too."
    if kind == "text" and because is not None:
        words = _shared(shelf, listed.place, listed.because or 0)
        return (
            kind,
            f"Like {because.title}: {', '.join(words)}." if words else f"Its text is like that of {because.title}.",
        )
    if kind == "text":
        return kind, "Its text is like that of what you chose."
    if kind == "session":
        return kind, "Like what you chose from the last lists."
    if kind == "rules":
        return kind, "Put forward by the shop."
    return "popular", "Often chosen of late."


def _shared(shelf: Shelf, place: int, other: int) -> list[str]:
    one, two = shelf.catalogue.items[place], shelf.catalogue.items[other]
    tags = [tag for tag in one.data.get("tags", ()) if tag in two.data.get("tags", ())]
    known = set(terms_of(f"{two.title} {two.text}"))
    words = [word for word in dict.fromkeys(terms_of(f"{one.title} {one.text}")) if word in known and len(word) > 3]
    return [*tags, *words][:_MOST_WORDS]
