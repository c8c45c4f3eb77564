"""Where a graph server listens and who may log in: a file that only its owner reads."""

from __future__ import annotations

import json
import os
import secrets
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Any, TypeVar
from uuid import uuid4

from rejoinder.errors import GraphError
from rejoinder.graph.servers.locks import FileHold

__all__ = ["Credentials", "Endpoint", "ServerAddress", "read_address", "read_credentials", "write_privately"]


_T = TypeVar("_T", bound="Credentials")


@dataclass(frozen=True, slots=True, kw_only=True)
class Credentials:
    """Passwords of the two users of a server: one that may do all, and one that only reads."""

    password: str = field(repr=False)
    reader_password: str = field(repr=False)
    user: str = "root"
    reader_user: str = "reader"

    @classmethod
    def random(cls) -> Credentials:
        """Return passwords of 256 random bits each."""
        return cls(password=secrets.token_urlsafe(32), reader_password=secrets.token_urlsafe(32))


@dataclass(frozen=True, slots=True, kw_only=True)
class ServerAddress(Credentials):
    """A running server.

    Attributes:
        bolt_url: such as `bolt://127.0.0.1:40313`.
        http_url: such as `http://127.0.0.1:42119`, without a slash at the end.
        user: may do everything; `reader_user` may only read, in every database.
        pid: of the server's process.
        version: of the wheel that it runs.
    """

    bolt_url: str
    http_url: str
    pid: int
    version: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Endpoint(ServerAddress):
    """A running server that this process uses: it stays up at least until `close`, or until nobody refers to this object.

    Processes that are forked while an endpoint is open keep the server up too, for as long as they live.
    """

    hold: FileHold = field(repr=False, compare=False)

    def close(self) -> None:
        """Stop using the server; when nobody uses it, it stops by itself soon. Again does nothing."""
        self.hold.release()

    @classmethod
    def of(cls, address: ServerAddress, hold: FileHold) -> Endpoint:
        """Return the endpoint of a server that is held."""
        return cls(**asdict(address), hold=hold)


def write_privately(path: Path, value: Credentials) -> None:
    """Write a file (mode 0600) beside and rename it: whoever reads meanwhile, or after a crash, sees all of it or nothing."""
    beside = path.with_name(f".{path.name}.{uuid4().hex[:8]}")
    try:
        descriptor = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            json.dump(asdict(value), file, indent=1)
            file.flush()
            os.fsync(file.fileno())
        beside.replace(path)
    finally:
        beside.unlink(missing_ok=True)


def read_address(path: Path) -> ServerAddress | None:
    """Return what the file says, or None when there is none or it cannot be understood (then it is not from a server that runs).

    Raises:
        GraphError: the file is there and may not be read.
    """
    return _read(path, ServerAddress)


def read_credentials(path: Path) -> Credentials | None:
    """Return what the file says, or None when there is none or it cannot be understood.

    Raises:
        GraphError: the file is there and may not be read.
    """
    return _read(path, Credentials)


def _read(path: Path, kind: type[_T]) -> _T | None:
    try:
        told: Any = json.loads(path.read_bytes())
    except (FileNotFoundError, ValueError):
        return None
    except OSError as error:
        raise GraphError(f"{path} cannot be read: {error.strerror or error}") from error
    types = {one.name: int if one.name == "pid" else str for one in fields(kind)}
    if not isinstance(told, dict) or told.keys() != types.keys():
        return None
    return kind(**told) if all(type(told[name]) is types[name] for name in types) else None
