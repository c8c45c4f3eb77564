"""Relation paths as text.

A path's text is the label that the path ranker learns: steps joined by "/", a step against the relation's direction marked by "^", as in
SPARQL's property paths: "^directed_by/has_genre".
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from rejoinder.errors import InvalidInputError
from rejoinder.graph.values import Step

if TYPE_CHECKING:
    from rejoinder.graph.values import RelationPath

MAX_HOPS: Final = 3
"""Longest path that is learned, ranked and followed."""

_STEP: Final = re.compile(r"\^?[a-z][a-z0-9_]{0,63}")


def path_text(path: RelationPath) -> str:
    """Return a path as text.

    Example:
        >>> path_text((Step(relation="directed_by", inverse=True), Step(relation="has_genre")))
        '^directed_by/has_genre'
    """
    return "/".join(str(step) for step in path)


def parse_path(text: str) -> RelationPath:
    """Return the path that a text says.

    Raises:
        InvalidInputError: it is not the text of a path of 1 to `MAX_HOPS` steps.

    Example:
        >>> parse_path("^directed_by")
        (Step(relation='directed_by', inverse=True),)
    """
    steps = text.split("/")
    if len(steps) > MAX_HOPS or not all(_STEP.fullmatch(step) for step in steps):
        raise InvalidInputError(
            f"{text[:200]!r} is not a relation path: expected 1 to {MAX_HOPS} relations joined by '/', each with '^' before it "
            "where it is followed backwards, such as '^directed_by/has_genre'"
        )
    return tuple(Step(relation=step.removeprefix("^"), inverse=step.startswith("^")) for step in steps)
