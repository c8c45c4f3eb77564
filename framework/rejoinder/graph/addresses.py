"""Where a graph server is, and as whom to speak to it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final
from urllib.parse import unquote, urlsplit

from rejoinder.errors import SettingsError

__all__ = ["Address", "address_of"]

_SCHEMES: Final = ("bolt", "neo4j")
_SECURITY: Final = ("", "s", "ssc")


@dataclass(frozen=True, slots=True)
class Address:
    """Where a graph server is, and as whom to speak to it.

    Attributes:
        url: Bolt URL without user and password.
        database: database to use; None: the user's own.
        http: URL of ArcadeDB's HTTP API; None: it is a Neo4j server.
        release: to be called once when the server is no longer used.
    """

    url: str
    user: str
    password: str = field(repr=False)
    database: str | None = None
    http: str | None = None
    release: Callable[[], None] | None = field(default=None, repr=False, compare=False)


def address_of(url: str) -> Address:
    """Read a URL such as `neo4j+s://user:password@host:7687/database`.

    Raises:
        SettingsError: it is none of a Neo4j server; the text never has the password.
    """
    try:
        parts = urlsplit(url)
        host, _ = parts.hostname, parts.port
    except ValueError as error:
        raise SettingsError(f"graph.url: this is no URL: {error}") from None
    scheme, _, security = parts.scheme.partition("+")
    if scheme not in _SCHEMES or security not in _SECURITY or not host:
        raise SettingsError(
            f"graph.url: got a URL of scheme {parts.scheme!r}, expected `bolt://user:password@host:7687` or "
            "`neo4j://...`, with `+s` before the colon for TLS"
        )
    return Address(
        url=f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}",
        user=unquote(parts.username or "neo4j"),
        password=unquote(parts.password or ""),
        database=parts.path.strip("/") or None,
    )
