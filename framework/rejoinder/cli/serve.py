"""`rejoinder serve`: the API."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path
from typing import Annotated

import typer

from rejoinder.cli.output import JsonOption
from rejoinder.settings import load_settings

__all__ = ["app"]

app = typer.Typer(help="The HTTP and WebSocket API.")


@app.command()
def serve(
    host: Annotated[
        str | None, typer.Option("--host", help="Address to listen on, 0.0.0.0 for all; default: server.host.")
    ] = None,
    port: Annotated[
        int | None,
        typer.Option("--port", min=0, max=65535, help="Port, 0 for any that is free; default: server.port."),
    ] = None,
    config: Annotated[
        Path | None, typer.Option("--config", help="The settings file; default: rejoinder.toml here, if there is one.")
    ] = None,
    access_log: Annotated[bool, typer.Option("--access-log", help="Log every request.")] = False,
    json: JsonOption = False,
) -> None:
    """Serve the API until it is interrupted; what was begun is finished first."""
    from rejoinder.logs import log_to_stderr
    from rejoinder.serving.server import serve as run_server

    loaded = load_settings(config)
    log_to_stderr(loaded.settings.log_level)

    def tell(url: str) -> None:
        if json:
            typer.echo(f'{{"url": "{url}", "docs": "{url}/docs"}}')
        else:
            typer.echo(f"Rejoinder answers on {url}\nThe API is described at {url}/docs\nStop with Ctrl+C.")
        sys.stdout.flush()

    work = run_server(loaded, host=host, port=port, access_log=access_log, on_ready=tell)
    try:
        with asyncio.Runner(loop_factory=_loop_factory()) as runner:
            runner.run(work)
    except KeyboardInterrupt:
        typer.echo("stopped", err=True)


def _loop_factory() -> type[asyncio.AbstractEventLoop] | None:
    """Return uvloop's event loop where there is one."""
    try:
        import uvloop
    except ImportError:  # there is none on Windows
        return None
    return uvloop.Loop
