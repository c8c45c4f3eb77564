"""The plugin's hooks."""

from __future__ import annotations

import asyncio
import json
from typing import Final

from rejoinder.allowed_hosts import AllowedHosts, has_host_and_port
from rejoinder.context import Context, Deployment
from rejoinder.errors import AccessError, InvalidInputError
from rejoinder.fetching import Fetched, Fetcher
from rejoinder.hooks import hookimpl
from rejoinder.payloads import Poll, Source

from rejoinder_plugins.feeds.reading import read_feed

KIND: Final = "feed"

_MOST_BYTES: Final = 10_000_000
_TIMEOUT_S: Final = 15.0
_ACCEPT: Final = "application/rss+xml, application/atom+xml, application/xml;q=0.9, text/xml;q=0.9, */*;q=0.1"
_CONDITIONS: Final = {"etag": "If-None-Match", "last-modified": "If-Modified-Since"}


class FeedsPlugin:
    """Fetches documents from sources of the kind `feed`."""

    rejoinder_spec = ">=1.0,<2"

    def __init__(self) -> None:
        self._fetcher = Fetcher(AllowedHosts(), most_bytes=_MOST_BYTES)

    @hookimpl()
    def start(self, deployment: Deployment) -> None:
        """Note which hosts the deployment allows."""
        self._fetcher = Fetcher(AllowedHosts(deployment.api_hosts), most_bytes=_MOST_BYTES)

    @hookimpl()
    async def poll_source(self, source: Source, cursor: str | None, context: Context) -> Poll | None:
        """Fetch a feed where it has changed since the last time; None for sources of other kinds.

        The cursor is what the server said of its version (`ETag`, `Last-Modified`). Only hosts that the deployment allows are reached.
        """
        if source.kind != KIND:
            return None
        if not source.location.startswith(("http://", "https://")) or not has_host_and_port(source.location):
            return _failed(cursor, "the location of a feed is an address such as https://news.example/rss")
        import httpx

        known = json.loads(cursor or "{}")
        conditions = {header: known[name] for name, header in _CONDITIONS.items() if name in known}
        headers = {"Accept": _ACCEPT, "User-Agent": "Rejoinder", **conditions}
        try:
            answer = await self._fetcher.get(source.location, headers, timeout_s=_TIMEOUT_S)
            if answer.status == 304:
                return Poll(rows=(), cursor=cursor)
            if answer.status != 200:
                return _failed(cursor, f"the server answered with status {answer.status}")
            rows = await asyncio.to_thread(read_feed, answer.body, answer.headers.get("content-type", ""))
        except (AccessError, InvalidInputError) as error:
            return _failed(cursor, str(error))
        except (TimeoutError, httpx.TimeoutException):
            return _failed(cursor, f"the server did not answer within {_TIMEOUT_S:g} s")
        except (httpx.HTTPError, httpx.InvalidURL, OSError, UnicodeError) as error:
            return _failed(cursor, f"the server cannot be reached: {type(error).__name__}")
        return Poll(rows=tuple(rows), cursor=_cursor(answer))


def _cursor(answer: Fetched) -> str | None:
    said = {name: value for name in _CONDITIONS if (value := answer.headers.get(name, "")) and value.isascii()}
    return json.dumps(said) if said else None


def _failed(cursor: str | None, reason: str) -> Poll:
    return Poll(rows=(), cursor=cursor, error=reason)
