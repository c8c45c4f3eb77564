"""Why an item is shown: only what can be pointed to, a path in the graph or words that match."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from rejoinder.items.attributes import TAG

from rejoinder_recommendation.conversation.content_words import content_words

if TYPE_CHECKING:
    from rejoinder_recommendation.conversation.item_index import ItemIndex

__all__ = ["Told", "reasons_for"]

_MOST_VALUES: Final = 2
_MOST_WORDS: Final = 3


@dataclass(frozen=True, slots=True)
class Told:
    """What somebody said.

    Attributes:
        liked: ids of items, of which shared values of a relation count.
        words: values that they name count, and words that the item's description has too.
    """

    liked: Sequence[str]
    words: str


def reasons_for(place: int, index: ItemIndex, told: Told) -> list[str]:
    """Return what speaks for an item, the strongest first; [] where nothing can be pointed to."""
    found: list[str] = []
    item, own = index.catalogue.items[place], index.facts[place].values
    said = {value for value in index.named_values(told.words) if value[1] in own.get(value[0], ())}
    found += [f"{relation}: {value}, as you said" for relation, value in sorted(said)]
    liked = index.places(tuple(told.liked)).tolist()
    for other in liked:
        title, theirs = index.catalogue.items[other].title, index.facts[other].values
        for relation, values in own.items():
            shared = [value for value in values if value in theirs.get(relation, ())]
            if shared and not (relation == TAG and all((relation, value) in said for value in shared)):
                found.append(f"same {relation} as {title}: {', '.join(shared[:_MOST_VALUES])}")
    description = content_words(f"{item.title} {item.text} {' '.join(own.get(TAG, ()))}")
    named = content_words(" ".join(value for _, value in said))
    titles = content_words(" ".join(index.catalogue.items[other].title for other in liked))
    known = named.keys() | titles.keys()
    matched = [description[stem] for stem in content_words(told.words) if stem in description and stem not in known]
    if matched:
        quoted = ", ".join(f'"{word}"' for word in matched[:_MOST_WORDS])
        found.append(f"its description says {quoted}")
    return sorted(found, key=lambda reason: reason.startswith(f"same {TAG}"))
