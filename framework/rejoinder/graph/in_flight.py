"""Calls that wait for a server: one that never answers would keep their threads for ever, for the driver has no time limit for reads."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Final, Generic, TypeVar

__all__ = ["InFlight"]

_T = TypeVar("_T")
_EVERY_S: Final = 1.0


class InFlight(Generic[_T]):
    """Notes since when each thread waits for a server, and tells when one waits too long.

    Args:
        limit_s: longest time that a call may wait.
        late: is told, in another thread, for which server a call waits longer.
    """

    def __init__(self, limit_s: float, late: Callable[[_T], None]) -> None:
        self._limit_s = limit_s
        self._late = late
        self._since: dict[int, tuple[float, _T]] = {}
        self._watcher: threading.Thread | None = None
        self._closing = threading.Event()
        self._lock = threading.Lock()

    def of(self, server: _T) -> _Call[_T]:
        """Return a context in which this thread waits for a server."""
        if self._watcher is None:
            self._watch()
        return _Call(self._since, server)

    def renew(self) -> None:
        """Say that this thread's server has answered, and that it goes on waiting for it."""
        thread = threading.get_ident()
        _, server = self._since[thread]
        self._since[thread] = (time.monotonic(), server)

    def close(self) -> None:
        """Watch no more."""
        self._closing.set()

    def _watch(self) -> None:
        with self._lock:
            if self._watcher is None:
                self._watcher = threading.Thread(target=self._run, name="rejoinder-graph-watcher", daemon=True)
                self._watcher.start()

    def _run(self) -> None:
        while not self._closing.wait(_EVERY_S):
            oldest = time.monotonic() - self._limit_s
            for since, server in list(self._since.values()):
                if since < oldest:
                    self._late(server)


class _Call(Generic[_T]):
    __slots__ = ("_server", "_since")

    def __init__(self, since: dict[int, tuple[float, _T]], server: _T) -> None:
        self._since = since
        self._server = server

    def __enter__(self) -> None:
        self._since[threading.get_ident()] = (time.monotonic(), self._server)

    def __exit__(self, *_: object) -> None:
        del self._since[threading.get_ident()]
