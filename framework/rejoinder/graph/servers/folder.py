"""The files of an embedded graph server, and whether it answers."""

from __future__ import annotations

import http.client
from dataclasses import dataclass
from pathlib import Path
from typing import Final

__all__ = ["HOST", "ServerFolder", "answers"]

HOST: Final = "127.0.0.1"
_READY: Final = "/api/v1/ready"


@dataclass(frozen=True, slots=True)
class ServerFolder:
    """A folder that belongs to one embedded server: its data, locks, logs and passwords."""

    path: Path

    @property
    def attach_lock(self) -> Path:
        """Held by the process that looks for the server or starts it."""
        return self.path / "attach.lock"

    @property
    def server_lock(self) -> Path:
        """Held by the server's process while it lives; holds its process id."""
        return self.path / "server.lock"

    @property
    def users_lock(self) -> Path:
        """Shared by all processes that use the server."""
        return self.path / "users.lock"

    @property
    def endpoint(self) -> Path:
        """Where the server listens; there only while it answers, or after it was killed."""
        return self.path / "endpoint.json"

    @property
    def credentials(self) -> Path:
        """Passwords, which belong to the data."""
        return self.path / "credentials.json"

    @property
    def log(self) -> Path:
        """What the server printed since its last start; the log before it ends in `.1`."""
        return self.path / "server.log"

    @property
    def configuration(self) -> Path:
        """ArcadeDB's own settings."""
        return self.path / "config"

    @property
    def users(self) -> Path:
        """ArcadeDB's users, with their passwords' hashes."""
        return self.configuration / "server-users.jsonl"

    @property
    def logging(self) -> Path:
        """What ArcadeDB logs, and where to."""
        return self.configuration / "log.properties"


def answers(http_url: str, *, timeout_s: float) -> bool:
    """Return whether the server at `http://host:port` says within `timeout_s` seconds that it is ready."""
    connection = http.client.HTTPConnection(http_url.removeprefix("http://"), timeout=timeout_s)
    try:
        connection.request("GET", _READY)
        return connection.getresponse().status == http.HTTPStatus.NO_CONTENT
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()
