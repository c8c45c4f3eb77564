"""Run the ASGI application: uvicorn on uvloop and httptools."""

from __future__ import annotations

import errno
import socket
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import uvicorn

from rejoinder.application import Application
from rejoinder.errors import SettingsError
from rejoinder.serving.app import create_app
from rejoinder.serving.local_worker import local_worker
from rejoinder.serving.long_lived import set_aside_long_lived

if TYPE_CHECKING:
    from rejoinder.settings import LoadedSettings

__all__ = ["open_socket", "serve"]

_GRACE_S = 15
_BACKLOG = 2048


def open_socket(host: str, port: int) -> socket.socket:
    """Return a socket that is bound; port 0 takes any that is free.

    Raises:
        SettingsError: the port is taken or may not be used, or the address is not this machine's.
    """
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    except (OSError, UnicodeError) as error:
        raise SettingsError(f"server.host: {host!r} is no address of this machine: {error}") from error
    family, kind, proto, _, address = found[0]
    bound = socket.socket(family, kind, proto)
    bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        bound.bind(address)
    except OSError as error:
        bound.close()
        if error.errno == errno.EADDRINUSE:
            raise SettingsError(
                f"port {port} of {host} is taken by another program (perhaps another `rejoinder serve`): "
                "choose another with --port (0 takes any that is free) or in server.port"
            ) from error
        raise SettingsError(f"cannot listen on port {port} of {host}: {error.strerror}; choose another") from error
    bound.listen(_BACKLOG)
    bound.set_inheritable(True)
    return bound


async def serve(
    loaded: LoadedSettings,
    *,
    host: str | None = None,
    port: int | None = None,
    access_log: bool = False,
    on_ready: Callable[[str], None] | None = None,
) -> None:
    """Serve until SIGINT or SIGTERM, then finish what was begun.

    Args:
        host: address to listen on; None: `server.host`.
        port: None: `server.port`; 0: any that is free.
        on_ready: called with the URL once requests are answered.
    Raises:
        SettingsError: a setting is wrong, or the port is taken.
        StoreUnavailableError: the record store does not answer.
        PluginError: a plugin does not fit.
    """
    settings = loaded.settings
    host = settings.server.host if host is None else host
    # Bound before anything is opened: a taken port must be told at once.
    bound = open_socket(host, settings.server.port if port is None else port)
    try:
        async with (
            Application.open(loaded) as application,
            local_worker(loaded),
            set_aside_long_lived(application),
        ):
            app = create_app(application)
            app.state.door.warm_up()
            config = uvicorn.Config(
                app,
                http="httptools",
                ws="websockets-sansio",
                ws_max_size=settings.server.max_body_bytes,
                lifespan="on",
                log_config=None,
                access_log=access_log,
                server_header=False,
                timeout_graceful_shutdown=_GRACE_S,
            )
            await _Server(config, lambda: on_ready and on_ready(url_of(bound))).serve(sockets=[bound])
    finally:
        bound.close()


def url_of(bound: socket.socket) -> str:
    """Return the URL of a bound socket, as a browser on this machine would open it."""
    host, port = bound.getsockname()[:2]
    host = {"0.0.0.0": "127.0.0.1", "::": "[::1]"}.get(host, f"[{host}]" if ":" in host else host)  # noqa: S104
    return f"http://{host}:{port}"


class _Server(uvicorn.Server):
    def __init__(self, config: uvicorn.Config, on_ready: Callable[[], Any]) -> None:
        super().__init__(config)
        self._on_ready = on_ready

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        if self.started:
            self._on_ready()
