"""Why an item is shown: only what can be pointed to, a path in the graph or words that match."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from rejoinder_recommendation.conversation.catalogue import Catalogue, CatalogueItem
from rejoinder_recommendation.conversation.content_words import content_words
from rejoinder_recommendation.conversation.evidence import named_values

__all__ = ["reasons_for"]

_MOST_VALUES: Final = 2
_MOST_WORDS: Final = 3


def reasons_for(item: CatalogueItem, catalogue: Catalogue, *, liked: Sequence[str], words: str) -> list[str]:
    """Return what speaks for an item, the strongest first; [] where nothing can be pointed to.

    Args:
        liked: ids of items, of which shared values of a relation count.
        words: what was said: values that it names, and words that the item's description has too.
    """
    found: list[str] = []
    said = {key for key in named_values(catalogue, words) if key[1] in item.paths.get(key[0], ())}
    found += [f"{relation}: {value}, as you said" for relation, value in sorted(said)]
    for id_ in liked:
        other = catalogue[id_]
        for relation, values in item.paths.items():
            shared = [value for value in values if value in other.paths.get(relation, ())]
            if shared and not (relation == "tag" and all((relation, value) in said for value in shared)):
                found.append(f"same {relation} as {other.title}: {', '.join(shared[:_MOST_VALUES])}")
    own = content_words(f"{item.title} {item.text} {' '.join(item.tags)}")
    named = content_words(" ".join(value for _, value in said))
    titles = content_words(" ".join(catalogue[id_].title for id_ in liked))
    matched = [own[stem] for stem in content_words(words) if stem in own and stem not in named and stem not in titles]
    if matched:
        quoted = ", ".join(f'"{word}"' for word in matched[:_MOST_WORDS])
        found.append(f"its description says {quoted}")
    return sorted(found, key=lambda reason: reason.startswith("same tag"))
