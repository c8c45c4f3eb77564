"""`rejoinder graph serve` and `stop`: the graph server that comes with Rejoinder, kept in the foreground, and ended."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import typer

from rejoinder.cli.graph_tenant import opened
from rejoinder.cli.output import JsonOption, say
from rejoinder.errors import SettingsError
from rejoinder.settings import DeploymentSettings, load_settings

if TYPE_CHECKING:
    from rejoinder.graph.servers.endpoint import Endpoint

__all__ = ["serve", "stop"]

_LOOK_S: Final = 1.0


def serve(
    tenant: Annotated[str | None, typer.Option("--tenant", help="Say also which database is this tenant's.")] = None,
    show_password: Annotated[
        bool, typer.Option("--show-password", help="Print the password, which otherwise stays in its file.")
    ] = False,
    json: JsonOption = False,
) -> None:
    """Run the graph server of this deployment, or join the one that runs, until Ctrl-C.

    Other commands and `rejoinder serve` start it when they need it; this keeps it ready, for programs that speak Bolt too.
    """
    from rejoinder.graph.servers.embedded import EmbeddedServer

    settings = load_settings().settings
    folder = _folder(settings)

    def attached() -> Endpoint:
        graph = settings.graph
        found = EmbeddedServer.attach(folder, memory_mb=graph.memory_mb, query_timeout_s=graph.query_timeout_s)
        database = None if tenant is None else _database(tenant)
        _tell(found, folder, database, show_password=show_password, json=json)
        return found

    endpoint: Endpoint | None = None
    try:
        while True:
            if endpoint is not None and EmbeddedServer.status(folder).state == "stopped":
                typer.echo("The graph server has ended; starting it again.", err=True)
                endpoint.close()
                endpoint = None
            endpoint = endpoint or attached()
            time.sleep(_LOOK_S)
    except KeyboardInterrupt:
        typer.echo("The graph server stops as soon as nobody uses it.", err=True)
    finally:
        if endpoint is not None:
            endpoint.close()


def stop(json: JsonOption = False) -> None:
    """Stop the graph server of this deployment, whoever uses it; what it acknowledged is kept."""
    from rejoinder.graph.servers.embedded import EmbeddedServer

    stopped = EmbeddedServer.stop(_folder(load_settings().settings))
    say("The graph server is stopped." if stopped else "No graph server runs.", json=json, data={"stopped": stopped})


def _folder(settings: DeploymentSettings) -> Path:
    if settings.graph.url is not None:
        raise SettingsError("graph.url names a server elsewhere: it is started and stopped there")
    return settings.graph_folder


def _database(tenant: str) -> str | None:
    with opened(tenant, make=True) as graph:
        return graph.space.dialect.database_of(graph.space.key)


def _tell(endpoint: Endpoint, folder: Path, database: str | None, *, show_password: bool, json: bool) -> None:
    from rejoinder.graph.servers.folder import ServerFolder

    place = ServerFolder(folder.absolute()).credentials
    data = {"bolt": endpoint.bolt_url, "user": endpoint.user, "password_file": str(place)}
    words = [f"Bolt: {endpoint.bolt_url}", f"user: {endpoint.user}"]
    if database is not None:
        data["database"] = database
        words.append(f"database: {database}")
    if show_password:
        data["password"] = endpoint.password
        words.append(f"password: {endpoint.password}")
    else:
        words.append(f"password: in {place}, which only its owner reads; --show-password prints it")
    say("\n".join(words), json=json, data=data)
