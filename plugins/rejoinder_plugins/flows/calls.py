"""Call a tenant's HTTP API: at the addresses that the deployment allows, with retries, once for each key."""

from __future__ import annotations

import asyncio
import hashlib
import json
import logging
import random
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final
from urllib.parse import quote

import orjson
from rejoinder.allowed_hosts import AllowedHosts
from rejoinder.errors import AccessError
from rejoinder.flows.templates import pointed_at
from rejoinder.payloads import Effect, EffectResult, Json

if TYPE_CHECKING:
    import ssl

    import httpx

    from rejoinder_plugins.flows.settings import ApiSettings

__all__ = ["Caller", "is_call", "is_fault", "longest_s", "plan"]

_MOST_BYTES: Final = 262_144
"""Of an answer; a longer one is refused."""

_FIRST_PAUSE_S: Final = 0.2
_LONGEST_PAUSE_S: Final = 2.0
_TRY_AGAIN: Final = frozenset((408, 425, 429, 500, 502, 503, 504))


def longest_s(timeout_s: float, retries: int) -> float:
    """Return the time that all tries of a call may take together."""
    pauses: float = sum(min(_FIRST_PAUSE_S * 2**number, _LONGEST_PAUSE_S) for number in range(retries))
    return min(60.0, timeout_s * (retries + 1) + pauses)


def plan(name: str, plugin: str, arguments: Mapping[str, Json], *, timeout_s: float, retries: int) -> Effect:
    """Return the effect of one call.

    Args:
        arguments: `user` (for whom it is), `method`, `path` (escaped), `query`, `body` and `save` (pointers by slot).
    """
    known = {**arguments, "timeout_s": timeout_s, "retries": retries}
    return Effect(name=name, plugin=plugin, arguments=known, timeout_s=longest_s(timeout_s, retries))


def is_call(effect: Effect) -> bool:
    """Tell whether an effect is one that `plan` made."""
    named = {"user", "method", "path", "timeout_s", "retries"} <= set(effect.arguments)
    return named and str(effect.arguments["path"]).startswith("/")


def is_fault(result: EffectResult) -> bool:
    """Tell whether a call failed by the API's or the settings' fault: no answer, one that cannot be used, or a status from 500 on."""
    status = result.value.get("status") if isinstance(result.value, Mapping) else None
    answered = isinstance(status, int) and 300 <= status < 500  # what flows expect, such as "not found"
    return not result.ok and not answered


@dataclass(frozen=True, slots=True)
class _Answer:
    status: int
    body: bytes
    retry_after_s: float | None


class Caller:
    """Makes the calls of one process.

    Args:
        hosts: hosts (or `host:port`) that may be called; empty: any whose addresses are public.
    """

    def __init__(self, hosts: Sequence[str] = ()) -> None:
        self._hosts = AllowedHosts(hosts)
        self._tls: ssl.SSLContext | None = None

    def get_ready(self) -> None:
        """Load what calls need, if that was not done yet; takes some tenths of a second."""
        if self._tls is None:
            import httpx

            self._tls = httpx.create_ssl_context()
            for name in ("httpx", "httpcore"):  # they log the addresses of calls, which hold values of slots
                logging.getLogger(name).setLevel(logging.WARNING)

    async def call(self, effect: Effect, api: ApiSettings, *, remaining_s: float) -> EffectResult:
        """Make a call; its result holds the status and what was saved, never the address or a secret.

        Every try carries the same `Idempotency-Key`, made of the turn's key and of what is asked: an API that honours it does
        the work once, however often the turn is repeated.
        """
        if api.url is None:
            return _failed(effect, "no API: set `flows.api.url` for this tenant")
        if self._tls is None:
            await asyncio.to_thread(self.get_ready)
        import httpx

        until = time.monotonic() + min(effect.timeout_s, remaining_s)
        retries = int(effect.arguments["retries"])
        error = ""
        for attempt in range(retries + 1):
            left_s = until - time.monotonic()
            if left_s <= 0:
                break
            pause_s = min(_FIRST_PAUSE_S * 2**attempt, _LONGEST_PAUSE_S) * random.uniform(0.5, 1.0)  # noqa: S311  # no secret
            try:
                timeout_s = min(float(effect.arguments["timeout_s"]), left_s)
                async with asyncio.timeout(timeout_s):  # looking up the host's address is within it
                    answer = await self._try(effect, api, timeout_s, attempt)
            except AccessError as refused:
                return _failed(effect, str(refused))
            except (TimeoutError, httpx.TimeoutException):
                error = "the API did not answer in time"
            except (httpx.HTTPError, httpx.InvalidURL, OSError, UnicodeError) as lost:
                error = f"the API cannot be reached: {type(lost).__name__}"
            else:
                if answer.status not in _TRY_AGAIN or attempt == retries:
                    return _result(effect, answer)
                error = f"the API answered with status {answer.status}"
                pause_s = max(pause_s, min(answer.retry_after_s or 0.0, _LONGEST_PAUSE_S))
            if attempt < retries:
                await asyncio.sleep(max(0.0, min(pause_s, until - time.monotonic())))
        return _failed(effect, error or "no time was left for the call")

    async def _try(self, effect: Effect, api: ApiSettings, timeout_s: float, attempt: int) -> _Answer:
        import httpx

        url, headers, extensions = await self._hosts.address(
            str(api.url).rstrip("/") + effect.arguments["path"], attempt
        )
        headers |= {"Idempotency-Key": _key(effect), "Accept": "application/json", **api.token_headers()}
        headers["Accept-Encoding"] = "identity"  # what is packed small can unfold to any size
        headers["Rejoinder-User"] = quote(str(effect.arguments["user"]))
        body = effect.arguments.get("body")
        content = None if body is None else json.dumps(body, ensure_ascii=False).encode()
        if content is not None:
            headers["Content-Type"] = "application/json"
        async with (
            # A client of its own for each call: no cookie or connection passes from tenant to tenant.
            httpx.AsyncClient(
                verify=self._tls or True, timeout=timeout_s, follow_redirects=False, trust_env=False
            ) as client,
            client.stream(
                effect.arguments["method"],
                url,
                params=effect.arguments.get("query") or None,
                content=content,
                headers=headers,
                extensions=extensions,
            ) as response,
        ):
            return _Answer(response.status_code, await _body(response), _retry_after(response.headers))


async def _body(response: httpx.Response) -> bytes:
    encoding = response.headers.get("Content-Encoding", "identity")
    if encoding.lower() != "identity":
        raise AccessError(f"the API's answer is packed ({encoding[:40]}), which was not asked for")
    body = bytearray()
    async for part in response.aiter_raw():
        body += part
        if len(body) > _MOST_BYTES:
            raise AccessError(f"the API's answer is longer than {_MOST_BYTES} bytes")
    return bytes(body)


def _key(effect: Effect) -> str:
    """Return the call's key: the same for each try and repeated turn, another for anything else that is asked."""
    asked = {name: effect.arguments.get(name) for name in ("user", "method", "path", "query", "body")}
    text = f"{effect.key}|{effect.name}|{json.dumps(asked, sort_keys=True)}"
    return hashlib.sha256(text.encode()).hexdigest()


def _retry_after(headers: httpx.Headers) -> float | None:
    value = headers.get("Retry-After", "")
    return float(value) if value.isascii() and value.isdigit() else None


def _result(effect: Effect, answer: _Answer) -> EffectResult:
    value: dict[str, Json] = {"status": answer.status, "saved": {}}
    if not 200 <= answer.status < 300:
        return EffectResult(
            name=effect.name, ok=False, value=value, error=f"the API answered with status {answer.status}"
        )
    pointers: Mapping[str, str] = effect.arguments.get("save") or {}
    if pointers:
        try:
            document = orjson.loads(answer.body)
        except ValueError:
            return EffectResult(name=effect.name, ok=False, value=value, error="the API's answer is not JSON")
        value["saved"] = {name: pointed_at(pointer, document) for name, pointer in pointers.items()}
    return EffectResult(name=effect.name, ok=True, value=value)


def _failed(effect: Effect, error: str) -> EffectResult:
    return EffectResult(name=effect.name, ok=False, error=error)
