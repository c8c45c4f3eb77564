"""What a tenant's space needs before it is used: constraints and indexes, made in numbered steps that the graph itself records.

Steps are idempotent, so two processes that migrate at once do no harm. A step never changes once it was released: add another.
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Final

from rejoinder.errors import GraphError, GraphUnavailableError

if TYPE_CHECKING:
    from rejoinder.graph.space import Space

__all__ = ["MIGRATIONS", "migrate"]

_TRIES: Final = 8
_PAUSE_S: Final = 0.1


def _entities_and_names(space: Space) -> None:
    space.unique(space.entity, "id")
    space.index(space.entity, "kind")
    space.index_text(space.entity, "search")
    space.index(space.name, "text")
    space.index(space.name, "entity")
    space.index(space.name, "head")
    space.index(space.name, "tail")
    space.unique(space.audit, "id")


MIGRATIONS: Final[tuple[Callable[[Space], None], ...]] = (_entities_and_names,)
"""All steps; the first has number 1."""


def migrate(space: Space) -> int:
    """Bring a space to the newest version; return how many steps were done.

    Raises:
        GraphError: the graph was written by a newer Rejoinder, or a step failed.
        GraphUnavailableError: the server cannot be reached.
    """
    there = _version(space)
    if there > len(MIGRATIONS):
        raise GraphError(
            f"the graph of tenant {space.tenant!r} has version {there}, this Rejoinder knows {len(MIGRATIONS)}: use a newer Rejoinder"
        )
    if there == len(MIGRATIONS):
        return 0
    _patiently(lambda: space.unique(space.migration, "version"))
    for number, step in enumerate(MIGRATIONS[there:], start=there + 1):
        _patiently(partial(step, space))
        space.write(
            f"MERGE (m:{space.migration} {{version: $version}}) ON CREATE SET m.time = datetime()", version=str(number)
        )
    return len(MIGRATIONS) - there


def _version(space: Space) -> int:
    rows = space.read(f"MATCH (m:{space.migration}) RETURN m.version AS version")
    return max((int(row["version"]) for row in rows), default=0)


def _patiently(step: Callable[[], None]) -> None:
    """Do something that another process may be doing too, which makes servers refuse it for a moment."""
    for attempt in range(_TRIES):
        try:
            return step()
        except GraphUnavailableError:
            raise
        except GraphError:
            if attempt == _TRIES - 1:
                raise
            time.sleep(_PAUSE_S * 2**attempt * random.uniform(0.5, 1.5))  # noqa: S311  # no secret
    return None
