"""A label that holds for one entity in a text."""

from __future__ import annotations


def text_about(text: str, entity: str | None) -> str:
    """Return what the encoder reads when a label is about `entity` in `text`; the text itself where there is none.

    Example:
        >>> text_about("Gold rises, silver falls", "silver")
        'silver: Gold rises, silver falls'
    """
    return f"{entity.strip()}: {text}" if entity and entity.strip() else text
