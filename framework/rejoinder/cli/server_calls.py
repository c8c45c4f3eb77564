"""Calls that commands make to a running server."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final

from rejoinder.errors import AccessError, BacklogError, InvalidInputError, RejoinderError, StoreUnavailableError

if TYPE_CHECKING:
    import httpx

__all__ = ["ask", "opened_client"]

_TIMEOUT_S: Final = 60.0


def opened_client(url: str) -> httpx.AsyncClient:
    """Return a client for the server at a URL, to be closed.

    Raises:
        InvalidInputError: it is no URL.
    """
    import httpx

    try:
        return httpx.AsyncClient(base_url=url, timeout=_TIMEOUT_S)
    except httpx.InvalidURL as error:
        raise InvalidInputError(f"--url: {url!r} is no URL: {error}") from error


async def ask(
    client: httpx.AsyncClient,
    method: str,
    path: str,
    headers: Mapping[str, str],
    body: Mapping[str, Any] | None = None,
    **more: Any,
) -> dict[str, Any]:
    """Return the JSON object of an answer.

    Args:
        body: sent as JSON.
        more: further arguments of httpx, such as `params` or `content`.
    Raises:
        AccessError: the server refuses the key or token.
        BacklogError: the server has too much to do, and says when to come back.
        StoreUnavailableError: the server does not answer, or is none of ours.
        RejoinderError: what else the server says went wrong.
    """
    import httpx

    try:
        response = await client.request(method, path, headers=headers, json=body, **more)
    except httpx.TimeoutException as error:
        raise StoreUnavailableError(f"{client.base_url} gave no answer in {_TIMEOUT_S:.0f} s; try again") from error
    except (httpx.TransportError, httpx.UnsupportedProtocol) as error:
        raise StoreUnavailableError(
            f"{client.base_url} cannot be reached: {error}; is `rejoinder serve` running?"
        ) from error
    except (UnicodeEncodeError, httpx.InvalidURL) as error:
        raise InvalidInputError(f"this cannot be sent: {error}") from error
    try:
        told = response.json()
    except ValueError:
        told = None
    if not isinstance(told, dict):
        raise StoreUnavailableError(f"{client.base_url} is no Rejoinder server: it answered {response.status_code}")
    if response.is_success:
        return told
    detail = str(told.get("detail", response.reason_phrase))
    later = response.headers.get("retry-after", "")
    if later.isdecimal():
        raise BacklogError(detail, retry_after_s=float(later))
    raise (AccessError if response.status_code in (401, 403) else RejoinderError)(detail)
