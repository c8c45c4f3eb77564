"""What a training that may be interrupted has found so far."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path

from rejoinder.models.artefact import write_durably

__all__ = ["Journal", "Settings", "open_journal"]

Settings = Mapping[str, float]
"""Of one kind of source."""


class Journal:
    """Keeps which settings were chosen, so that they need not be searched for again.

    Attributes:
        chosen: settings by kind of source.

    Args:
        path: of the file; None: nothing is kept.
        told: called after each source that was fitted, with how many were; may raise to end the training.
    """

    def __init__(
        self,
        path: Path | None = None,
        chosen: Mapping[str, Settings] | None = None,
        *,
        told: Callable[[int], None] = lambda count: None,
    ) -> None:
        self.chosen = dict(chosen or {})
        self._path = path
        self._told = told
        self._count = 0

    def choose(self, name: str, settings: Settings) -> None:
        """Keep the settings of a kind of source."""
        self.chosen[name] = settings
        if self._path is not None:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            write_durably(self._path, json.dumps(self.chosen).encode())

    def fitted(self) -> None:
        """Count a source that was fitted."""
        self._count += 1
        self._told(self._count)


def open_journal(path: Path, *, told: Callable[[int], None]) -> Journal:
    """Return the journal of a file, which may not be there yet; one that cannot be read is begun anew."""
    try:
        chosen = json.loads(path.read_bytes())
    except (OSError, ValueError):
        chosen = {}
    return Journal(path, chosen, told=told)
