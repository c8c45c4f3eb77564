"""Posts to addresses that tenants set up."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import TYPE_CHECKING

from rejoinder.allowed_hosts import AllowedHosts

if TYPE_CHECKING:
    import ssl

__all__ = ["Poster"]


class Poster:
    """Posts to the hosts that a deployment allows.

    Args:
        hosts: those hosts.
    """

    def __init__(self, hosts: AllowedHosts) -> None:
        self._hosts = hosts
        self._tls: ssl.SSLContext | None = None

    async def post(
        self, url: str, body: bytes, headers: Mapping[str, str], *, timeout_s: float, attempt: int = 0
    ) -> int:
        """Return the status of one post; what the receiver answers besides is not read, and redirects are not followed.

        The client is of this post only, so that no cookie or connection passes from tenant to tenant.

        Args:
            attempt: how often it was tried before; see `AllowedHosts.address`.
        Raises:
            AccessError: the deployment does not allow the host.
            httpx.HTTPError, OSError: the receiver cannot be reached.
        """
        import httpx

        if self._tls is None:
            self._tls = await asyncio.to_thread(httpx.create_ssl_context)
        checked, named, extensions = await self._hosts.address(url, attempt)
        async with (
            httpx.AsyncClient(verify=self._tls, timeout=timeout_s, follow_redirects=False, trust_env=False) as client,
            client.stream("POST", checked, content=body, headers={**headers, **named}, extensions=extensions) as answer,
        ):
            return answer.status_code
