"""What the commands of `rejoinder graph` open: one tenant's graph, and the entities that people name."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated, Any, Final, Literal

import typer

from rejoinder.cli.runtime import load_encoder, load_host, open_database, run
from rejoinder.errors import InvalidInputError, NotFoundError
from rejoinder.settings import LoadedSettings, load_settings

if TYPE_CHECKING:
    from rejoinder.graph.graph import Graph
    from rejoinder.graph.schema import GraphSchema
    from rejoinder.graph.values import Entity
    from rejoinder.host import Host

__all__ = ["Kinds", "Tenant", "Vectors", "bar", "entity_record", "named_entity", "opened", "schema_of_tenant"]

Tenant = Annotated[str, typer.Option("--tenant", help="The tenant's id.")]
Kinds = Annotated[
    list[str] | None, typer.Option("--kind", help="Only entities of this kind; can be repeated.", metavar="KIND")
]

Vectors = Literal["none", "if there are any", "needed"]
"""Whether a command needs the encoder: loading it takes seconds."""

_LISTED: Final = 20


@contextmanager
def opened(tenant: str, *, make: bool = False, vectors: Vectors = "none") -> Iterator[Graph]:
    """Open a tenant's graph, with the schema that its domains declare.

    Args:
        make: make the tenant's graph where there is none yet.
        vectors: whether the graph gets the deployment's encoder.
    Raises:
        NotFoundError: there is no such tenant, or it has no graph yet.
        GraphUnavailableError, GraphError: the server cannot be reached, or packages are missing.
        PluginError, GraphSchemaError: a plugin, or what a domain declares, does not fit.
    """
    from rejoinder.graph.graph import Graph
    from rejoinder.graph.graphs import Graphs

    loaded = load_settings()
    schema = schema_of_tenant(tenant, loaded)
    graphs = Graphs.from_settings(loaded.settings)
    try:
        if not make and not (loaded.settings.has_graph and graphs.has(tenant)):
            raise NotFoundError(
                f"tenant {tenant!r} has no graph yet; make one: rejoinder graph load FILE --tenant {tenant} --source NAME"
            )
        space = graphs.space(tenant)
        if vectors == "needed" or (vectors == "if there are any" and space.encoders()):
            encoder = load_encoder()
            yield Graph(space, schema, encode=encoder.encode, encoder_hash=encoder.hash)
        else:
            yield Graph(space, schema)
    finally:
        graphs.close()


def schema_of_tenant(tenant: str, loaded: LoadedSettings | None = None) -> GraphSchema:
    """Return what the domains of a tenant's plugins declare.

    Raises:
        NotFoundError: there is no such tenant.
        PluginError, GraphSchemaError: a plugin, or what a domain declares, does not fit.
    """
    from rejoinder.graph.tenant_graph import schema_of

    loaded = loaded or load_settings()
    host = load_host(loaded.settings)
    return schema_of(host, run(_plugins(tenant, host, loaded)))


async def _plugins(tenant: str, host: Host, loaded: LoadedSettings) -> frozenset[str]:
    from rejoinder.tenants.service import Tenants

    async with open_database(loaded.settings) as database:
        tenants = Tenants(database, host, loaded)
        await tenants.get(tenant)
        return frozenset((await tenants.resolved(tenant)).plugins)


def named_entity(graph: Graph, text: str) -> Entity:
    """Return the entity that a person names, by its id or by its name.

    Raises:
        NotFoundError: there is none; the text names those that have words of it.
        InvalidInputError: several have this name; the text lists their ids.
    """
    found = graph.entity(text)
    if found is not None:
        return found
    same = graph.named(text, limit=_LISTED + 1)
    if len(same) == 1:
        return same[0]
    if same:
        more = " and more" if len(same) > _LISTED else ""
        ids = ", ".join(repr(one.id) for one in same[:_LISTED])
        raise InvalidInputError(f"several entities are called {text!r}; name one by its id: {ids}{more}")
    close = [
        *(hit.entity.id for hit in graph.search(text, limit=3)),
        *(one.entity.id for one in graph.link(text, limit=3)),
    ]
    near = ", ".join(map(repr, list(dict.fromkeys(close))[:3]))
    hint = f" Did you mean {near}?" if near else ""
    raise NotFoundError(f"the graph of tenant {graph.tenant!r} has no entity of the id or name {text!r}.{hint}")


def entity_record(entity: Entity) -> dict[str, Any]:
    """Return an entity as JSON has it."""
    return {**asdict(entity), "properties": dict(entity.properties)}


@contextmanager
def bar(title: str, *, shown: bool) -> Iterator[Callable[[float, str], None]]:
    """Show a bar on the error stream, where that is a terminal; give what moves it: a share in [0, 1], and words to it."""
    from rich.console import Console

    console = Console(stderr=True)
    if not shown or not console.is_terminal:
        yield lambda share, said: None
        return
    from rich.markup import escape
    from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn

    columns = (
        TextColumn(escape(title)),
        BarColumn(),
        TaskProgressColumn(),
        TextColumn("{task.fields[said]}", markup=False),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=console) as progress:
        task = progress.add_task(title, total=1.0, said="")
        yield lambda share, said: progress.update(task, completed=share, said=said)
