"""An HTTP API that answers as a file of dialogues says, and remembers what it was asked.

It honours idempotency keys as a real one should: work that was done for a key is not done again, and its answer is given again
(a GET is answered anew each time, and counts once).
"""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from rejoinder.payloads import Json
from rejoinder.testing.dialogues.script import ApiAnswer, ApiRoute

__all__ = ["ApiLog", "ApiServer", "Received", "api_server"]

_UNKNOWN = ApiAnswer(status=404, body={"error": "no such thing"})


@dataclass(frozen=True, slots=True)
class Received:
    """One request: `worked` tells whether work was done for it that was not done before."""

    request: str
    headers: dict[str, str]
    body: Json
    status: int
    worked: bool


@dataclass(slots=True)
class ApiLog:
    """What came since the log was begun."""

    received: list[Received] = field(default_factory=list)

    @property
    def calls(self) -> tuple[str, ...]:
        """The requests for which work was done, in order."""
        return tuple(one.request for one in self.received if one.worked)


class ApiServer:
    """A server on 127.0.0.1; requests are answered in threads of their own."""

    def __init__(self, routes: Sequence[ApiRoute] = ()) -> None:
        self._lock = threading.Lock()
        self._routes: tuple[ApiRoute, ...] = ()
        self._given: dict[int, int] = {}
        self._done: dict[str, ApiAnswer] = {}
        self._log = ApiLog()
        self.answer_with(routes)
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), _handler_of(self))
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True)

    @property
    def url(self) -> str:
        """Its address."""
        return f"http://127.0.0.1:{self._server.server_address[1]}"

    def answer_with(self, routes: Sequence[ApiRoute]) -> None:
        """Answer by these routes from now on, the first that fits; what was answered is forgotten."""
        with self._lock:
            self._routes = tuple(routes)
            self._given.clear()
            self._done.clear()

    def new_log(self) -> ApiLog:
        """Begin a new log, and return it."""
        with self._lock:
            self._log = ApiLog()
            return self._log

    def answer(self, request: str, headers: dict[str, str], body: Json) -> ApiAnswer:
        """Return the answer to a request, and write the request down."""
        key = headers.get("idempotency-key", "")
        with self._lock:
            known = self._done.get(key) if key and not request.startswith("GET ") else None
            answer = known or self._next(request)
            worked = key not in self._done and 200 <= answer.status < 300
            if worked and key:
                self._done[key] = answer.model_copy(update={"lost": False, "delay_s": 0.0})
            self._log.received.append(Received(request, headers, body, answer.status, worked))
        return answer

    def _next(self, request: str) -> ApiAnswer:
        for place, route in enumerate(self._routes):
            if _fits(route.request, request):
                given = self._given.get(place, 0)
                self._given[place] = given + 1
                return route.answers[min(given, len(route.answers) - 1)]
        return _UNKNOWN

    def start(self) -> None:
        """Begin to answer."""
        self._thread.start()

    def stop(self) -> None:
        """Answer no more."""
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


@contextmanager
def api_server(routes: Sequence[ApiRoute] = ()) -> Iterator[ApiServer]:
    """Start a server, and stop it at the end."""
    server = ApiServer(routes)
    server.start()
    try:
        yield server
    finally:
        server.stop()


def _fits(pattern: str, request: str) -> bool:
    """Tell whether a request is what a route says; a query counts only where the route names one."""
    said = request if "?" in pattern else request.partition("?")[0]
    wanted, got = pattern.split("/"), said.split("/")
    return len(wanted) == len(got) and all(one in ("*", other) for one, other in zip(wanted, got, strict=True))


def _handler_of(server: ApiServer) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def _handle(self) -> None:
            length = int(self.headers.get("content-length") or 0)
            raw = self.rfile.read(length)
            try:
                body = json.loads(raw) if raw else None
            except ValueError:
                body = raw.decode(errors="replace")
            headers = {name.lower(): value for name, value in self.headers.items()}
            answer = server.answer(f"{self.command} {self.path}", headers, body)
            time.sleep(answer.delay_s)
            if answer.lost:
                self.close_connection = True
                return
            content = json.dumps(answer.body).encode()
            try:
                self.send_response(answer.status)
                self.send_header("content-type", "application/json")
                self.send_header("content-length", str(len(content)))
                self.end_headers()
                self.wfile.write(content)
            except OSError:
                self.close_connection = True  # the caller waits no longer

        do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = _handle  # noqa: N815  # names of the standard library

        def log_message(self, format: str, *args: Any) -> None:  # noqa: A002  # as there
            """Print nothing."""

    return Handler
