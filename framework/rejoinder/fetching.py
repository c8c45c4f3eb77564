"""Fetches from addresses that tenants set up."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import TYPE_CHECKING, Final, NamedTuple
from urllib.parse import urljoin

from rejoinder.allowed_hosts import has_host_and_port
from rejoinder.errors import InvalidInputError

if TYPE_CHECKING:
    import ssl

    import httpx

    from rejoinder.allowed_hosts import AllowedHosts

__all__ = ["Fetched", "Fetcher"]

_MOST_REDIRECTS: Final = 5


class Fetched(NamedTuple):
    """An answer. `headers`: their names in small letters. `url`: where it came from, after redirects."""

    status: int
    headers: Mapping[str, str]
    body: bytes
    url: str


class Fetcher:
    """Fetches from the hosts that a deployment allows.

    Args:
        hosts: those hosts; redirects lead to no other.
        most_bytes: of a body, unpacked.
    """

    def __init__(self, hosts: AllowedHosts, *, most_bytes: int) -> None:
        self._hosts = hosts
        self._most_bytes = most_bytes
        self._tls: ssl.SSLContext | None = None

    async def get(self, url: str, headers: Mapping[str, str], *, timeout_s: float, attempt: int = 0) -> Fetched:
        """Return the answer to one request, after at most five redirects.

        The client is of this request only, so that no cookie or connection passes from tenant to tenant.

        Args:
            timeout_s: for all of it together, in seconds.
            attempt: how often it was tried before; see `AllowedHosts.address`.
        Raises:
            AccessError: the deployment does not allow the host.
            InvalidInputError: the body is too large, or redirects do not end, or lead to what is no address.
            TimeoutError: it took too long.
            httpx.HTTPError, OSError: the host cannot be reached.
        """
        import httpx

        if self._tls is None:
            self._tls = await asyncio.to_thread(httpx.create_ssl_context)
        async with (
            asyncio.timeout(timeout_s),
            httpx.AsyncClient(verify=self._tls, timeout=timeout_s, follow_redirects=False, trust_env=False) as client,
        ):
            for _ in range(_MOST_REDIRECTS + 1):
                checked, named, extensions = await self._hosts.address(url, attempt)
                async with client.stream("GET", checked, headers={**headers, **named}, extensions=extensions) as answer:
                    if not answer.has_redirect_location:
                        return Fetched(answer.status_code, dict(answer.headers), await self._body(answer), url)
                    url = _followed(url, answer.headers["location"])
        raise InvalidInputError(f"it redirects more than {_MOST_REDIRECTS} times")

    async def _body(self, answer: httpx.Response) -> bytes:
        body = bytearray()
        async for piece in answer.aiter_bytes():
            body += piece
            if len(body) > self._most_bytes:
                raise InvalidInputError(f"the answer is larger than {self._most_bytes} bytes")
        return bytes(body)


def _followed(url: str, location: str) -> str:
    """Return where a redirect leads.

    Raises:
        InvalidInputError: it is no address of a web page.
    """
    try:
        followed = urljoin(url, location)
    except ValueError:
        followed = ""
    if not followed.startswith(("http://", "https://")) or not has_host_and_port(followed):
        raise InvalidInputError("it redirects to what is no address of a web page")
    return followed
