"""Why an item is listed, in words: only what the score is really made of."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

from rejoinder.documents.words import terms_of

from rejoinder_recommendation.lists.ranking import Listed

if TYPE_CHECKING:
    from rejoinder_recommendation.lists.paths import ItemPath
    from rejoinder_recommendation.lists.shelf import Shelf

__all__ = ["reason_of"]

_MOST_WORDS: Final = 4
_LEAST: Final = 0.02


def reason_of(shelf: Shelf, listed: Listed, paths: Sequence[ItemPath] = ()) -> tuple[str, str, str | None]:
    """Return the kind of the strongest part of a score, a sentence, and the id of the item that the sentence names.

    Where likeness to what the person turned to is the strongest part, the first of the paths says what the likeness is.

    Args:
        paths: from what the person turned to, the most telling first.
    """
    if "pinned" in listed.parts:
        return "pinned", "Chosen by the shop.", None
    kind = max(listed.parts, key=lambda name: listed.parts[name])
    if listed.parts[kind] < _LEAST:
        return "new", "Few have seen it yet.", None
    items = shelf.catalogue.items
    because = None if listed.because is None else items[listed.because]
    path = paths[0] if paths else None
    said = None if path is None else path.sentence(items[shelf.catalogue.place[path.item]].title)
    if kind == "together" and because is not None:
        reason = f"People who liked {because.title} liked it too."
        return kind, f"{reason} {said}" if said else reason, because.id
    if kind in ("text", "session") and path is not None and said is not None:
        return "path", said, path.item
    if kind == "text" and because is not None:
        words = _shared(shelf, listed.place, listed.because or 0)
        like = f"Like {because.title}: {', '.join(words)}."
        return kind, like if words else f"Its text is like that of {because.title}.", because.id
    if kind == "text":
        return kind, "Its text is near to what was asked for.", None
    if kind == "session":
        return kind, "Like what you chose from the last lists.", None
    if kind == "rules":
        return kind, "Put forward by the shop.", None
    return "popular", "Often chosen of late.", None


def _shared(shelf: Shelf, place: int, other: int) -> list[str]:
    one, two = shelf.catalogue.items[place], shelf.catalogue.items[other]
    tags = [tag for tag in one.data.get("tags", ()) if tag in two.data.get("tags", ())]
    known = set(terms_of(f"{two.title} {two.text}"))
    words = [word for word in dict.fromkeys(terms_of(f"{one.title} {one.text}")) if word in known and len(word) > 3]
    return [*tags, *words][:_MOST_WORDS]
