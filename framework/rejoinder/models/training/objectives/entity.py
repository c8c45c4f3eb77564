"""A label that holds for one entity in a text.

The entity is marked where it stands, as Zhou & Chen 2022, An Improved Baseline for Sentence-level Relation Extraction (arXiv:2102.01373),
section 3.1, do with punctuation that the encoder knows; one that the text calls by another name is put before it. Other entities are
masked (Sinha et al. 2022, SEntFiN 1.0, arXiv:2305.12257): so even an encoder that nobody trained for it tells the two sides apart.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence
from typing import Final

_MARK: Final = "@"
_OTHER: Final = "other"


def text_about(text: str, entity: str | None, others: Collection[str] = ()) -> str:
    """Return what the encoder reads when a label is about `entity` in `text`; the text itself where there is none.

    Args:
        others: other entities that the text names.

    Example:
        >>> text_about("Gold rises, silver falls", "Silver", ["Gold"])
        'other rises, @ silver @ falls'
        >>> text_about("The bank cut its outlook", "HSBC")
        '@ HSBC @ The bank cut its outlook'
    """
    name = (entity or "").strip()
    if not name:
        return text
    names = sorted({name, *(one.strip() for one in others if one.strip())}, key=len, reverse=True)
    own, marked = name.casefold(), False

    def replaced(found: re.Match[str]) -> str:
        nonlocal marked
        if found[0].casefold() != own:
            return _OTHER
        marked = True
        return f"{_MARK} {found[0]} {_MARK}"

    pattern = rf"(?<!\w)(?:{'|'.join(map(re.escape, names))})(?!\w)"
    made = re.sub(pattern, replaced, text, flags=re.IGNORECASE)
    return made if marked else f"{_MARK} {name} {_MARK} {made}"


def texts_about(texts: Sequence[str], entities: Sequence[str]) -> tuple[str, ...]:
    """Return what the encoder reads of rows of texts and entities; the others of a text are the entities of its other rows."""
    named: dict[str, set[str]] = {}
    for text, entity in zip(texts, entities, strict=True):
        if entity:
            named.setdefault(text, set()).add(entity)
    return tuple(
        text_about(text, entity, named.get(text, set()) - {entity})
        for text, entity in zip(texts, entities, strict=True)
    )
