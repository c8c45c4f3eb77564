"""Which hosts plugins may call for tenants, by the deployment's setting `security.api_hosts`; nothing else is reached.

A tenant writes the address, so that without this it could reach what only the server can see: services of its own network, or the
addresses under which clouds tell machines their secrets (server-side request forgery).
"""

from __future__ import annotations

import asyncio
import ipaddress
import socket
from collections.abc import Sequence
from typing import Any, Final
from urllib.parse import urlsplit

from rejoinder.errors import AccessError

__all__ = ["AllowedHosts", "has_host_and_port"]

_Address = ipaddress.IPv4Address | ipaddress.IPv6Address

_NAT64: Final = ipaddress.IPv6Network("64:ff9b::/96")


class AllowedHosts:
    """The hosts that may be called.

    Args:
        hosts: as `host` or `host:port`; empty: any whose addresses are public.
    """

    def __init__(self, hosts: Sequence[str] = ()) -> None:
        self._hosts = frozenset(host.lower() for host in hosts)

    async def address(self, url: str, attempt: int = 0) -> tuple[str, dict[str, str], dict[str, Any]]:
        """Return a URL that names the host by a checked address, with what names it by its name: headers, and extensions of httpx.

        The address that was checked is the one that is called: a name cannot come to mean another one in between.

        Args:
            attempt: of a host with several addresses, each attempt takes the next one; >= 0.
        Raises:
            AccessError: the deployment does not allow the host.
            OSError, UnicodeError: the host's name is unknown, or is none.
        """
        parts = urlsplit(url)
        host = (parts.hostname or "").lower()
        port = parts.port or (443 if parts.scheme == "https" else 80)
        named = {host, f"{host}:{port}"} & self._hosts
        if self._hosts and not named:
            raise AccessError("`security.api_hosts` of the deployment does not list this host")
        loop = asyncio.get_running_loop()
        found = await loop.getaddrinfo(host, port, type=socket.SOCK_STREAM)
        addresses = [ipaddress.ip_address(str(one[4][0]).partition("%")[0]) for one in found]
        if not named and not all(_is_public(address) for address in addresses):
            raise AccessError("this host is not public; an operator can allow it in `security.api_hosts`")
        address = addresses[attempt % len(addresses)]
        literal = f"[{address}]" if address.version == 6 else str(address)
        headers = {"Host": parts.netloc}
        extensions = {"sni_hostname": host} if parts.scheme == "https" else {}
        return parts._replace(netloc=f"{literal}:{port}").geturl(), headers, extensions


def has_host_and_port(url: str) -> bool:
    """Tell whether a URL names a host and, where it names a port, one from 1 to 65535.

    Example:
        >>> [has_host_and_port(url) for url in ("https://a.example:8443/x", "http://:80", "http://a:99999")]
        [True, False, False]
    """
    try:
        parts = urlsplit(url)
        return parts.port != 0 and bool(parts.hostname) and "\\" not in url
    except ValueError:
        return False


def _is_public(address: _Address) -> bool:
    """Tell whether an address is the internet's, and so is the IPv4 address that an IPv6 one may stand for."""
    if isinstance(address, ipaddress.IPv6Address):
        inner = address.ipv4_mapped or address.sixtofour
        if inner is None and address in _NAT64:
            inner = ipaddress.IPv4Address(int(address) & 0xFFFFFFFF)
        if inner is not None and not _is_public(inner):
            return False
    return address.is_global and not address.is_multicast
