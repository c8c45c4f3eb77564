"""Locks on files that the kernel lets go of when their holder dies, however it dies."""

from __future__ import annotations

import os
import sys
import time
from pathlib import Path

from rejoinder.errors import GraphError

if sys.platform != "win32":
    import fcntl

__all__ = ["FileHold", "is_held"]

_RETRY_S = 0.005


class FileHold:
    """A lock on a file, held until `release`, until it is garbage, or until the process ends.

    Processes that are forked meanwhile hold it too, for as long as they live; programs that are started do not.
    """

    def __init__(self, path: Path, descriptor: int) -> None:
        """Use `exclusive` or `shared`."""
        self.path = path
        self._descriptor: int | None = descriptor

    @classmethod
    def exclusive(cls, path: Path, *, patience_s: float = 0.0) -> FileHold | None:
        """Return a lock that nobody else holds, or None when others still hold it after `patience_s`."""
        return cls._take(path, shared=False, patience_s=patience_s)

    @classmethod
    def shared(cls, path: Path, *, patience_s: float = 0.0) -> FileHold | None:
        """Return a lock that others may share, or None when somebody still holds it alone after `patience_s`."""
        return cls._take(path, shared=True, patience_s=patience_s)

    @classmethod
    def _take(cls, path: Path, *, shared: bool, patience_s: float) -> FileHold | None:
        if sys.platform == "win32":
            raise GraphError(
                "the embedded graph server runs on Linux and macOS only: set [graph] url to a Neo4j server"
            )
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        deadline = time.monotonic() + patience_s
        try:
            while True:
                try:
                    fcntl.flock(descriptor, (fcntl.LOCK_SH if shared else fcntl.LOCK_EX) | fcntl.LOCK_NB)
                except BlockingIOError:
                    if time.monotonic() >= deadline:
                        os.close(descriptor)
                        return None
                    time.sleep(_RETRY_S)
                else:
                    return cls(path, descriptor)
        except BaseException:
            os.close(descriptor)
            raise

    def write(self, text: str) -> None:
        """Put a text into the locked file, in place of what is there."""
        if self._descriptor is None:
            raise GraphError(f"{self.path}: the lock was released")
        os.ftruncate(self._descriptor, 0)
        os.pwrite(self._descriptor, text.encode(), 0)

    def release(self) -> None:
        """Let go; again does nothing."""
        descriptor, self._descriptor = self._descriptor, None
        if descriptor is not None:
            os.close(descriptor)

    def __del__(self) -> None:
        self.release()


def is_held(path: Path) -> bool:
    """Return whether a process holds this file's lock alone."""
    if not path.exists():
        return False
    hold = FileHold.shared(path)
    if hold is None:
        return True
    hold.release()
    return False
