"""A label that holds for one entity in a text.

The entity is marked where it stands, as Zhou & Chen 2022, An Improved Baseline for Sentence-level Relation Extraction (arXiv:2102.01373),
section 3.1, do with punctuation that the encoder knows; one that the text calls by another name is put before it.
"""

from __future__ import annotations

import re
from typing import Final

_MARK: Final = "@"


def text_about(text: str, entity: str | None) -> str:
    """Return what the encoder reads when a label is about `entity` in `text`; the text itself where there is none.

    Example:
        >>> text_about("Gold rises, silver falls", "Silver")
        'Gold rises, @ silver @ falls'
        >>> text_about("The bank cut its outlook", "HSBC")
        '@ HSBC @ The bank cut its outlook'
    """
    name = (entity or "").strip()
    if not name:
        return text
    marked, count = re.subn(
        rf"(?<!\w){re.escape(name)}(?!\w)", lambda found: f"{_MARK} {found[0]} {_MARK}", text, flags=re.IGNORECASE
    )
    return marked if count else f"{_MARK} {name} {_MARK} {text}"
