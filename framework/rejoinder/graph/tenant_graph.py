"""The knowledge graph as hooks reach it: any method of `Graph`, awaited while it runs in a thread."""

from __future__ import annotations

import asyncio
import importlib.util
import logging
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import lru_cache, partial
from typing import TYPE_CHECKING, Concatenate, Final, ParamSpec, TypeVar

from rejoinder.errors import GraphError
from rejoinder.graph.schema import GraphSchema
from rejoinder.learning.encodings import Reader

if TYPE_CHECKING:
    from rejoinder.graph.graph import Graph
    from rejoinder.graph.graphs import Graphs
    from rejoinder.host import Host
    from rejoinder.models.encoding.service import EncoderService
    from rejoinder.models.learner import FloatArray
    from rejoinder.settings import DeploymentSettings

__all__ = ["TenantGraph", "TenantGraphs", "schema_of"]

_P = ParamSpec("_P")
_T = TypeVar("_T")

_LOOK_AGAIN_S: Final = 5.0
_THREADS: Final = 8
"""Questions to the graph that run at the same time in one process."""


_logger = logging.getLogger("rejoinder.graph")


class TenantGraph:
    """One tenant's graph, for hooks.

    Attributes:
        tenant: the tenant's id.
        schema: what its domains declare.

    Example:
        `films = await context.graph.ask(Graph.follow, "person:Mel Gibson", (Step(relation="directed_by", inverse=True),))`
    """

    def __init__(self, owner: TenantGraphs, tenant: str, schema: GraphSchema) -> None:
        self._owner = owner
        self.tenant = tenant
        self.schema = schema

    async def ask(self, method: Callable[Concatenate[Graph, _P], _T], /, *args: _P.args, **kwargs: _P.kwargs) -> _T:
        """Return what a method of `Graph` gives for these arguments; raises what it raises.

        Raises:
            GraphUnavailableError: the server cannot be reached now; the embedded one is being started again.
        """
        encoder = await self._owner.encoder.ready()
        loop = asyncio.get_running_loop()

        def work() -> _T:
            return method(self._owner.opened(self.tenant, self.schema, encoder.hash, loop), *args, **kwargs)

        return await loop.run_in_executor(self._owner.threads, work)


class TenantGraphs:
    """Every tenant's graph in a process that serves.

    The server is opened (an embedded one started) in a thread when a tenant is first looked at; `neo4j` is imported then, not before.

    Args:
        encoder: gives vectors; a thread of this pool waits for them, never the event loop.
    """

    def __init__(self, settings: DeploymentSettings, host: Host, encoder: EncoderService) -> None:
        self._settings = settings
        self._schema = lru_cache(maxsize=256)(partial(schema_of, host))
        self._graphs: Graphs | None = None
        self._opened: dict[str, tuple[GraphSchema, Graph]] = {}
        self._there: dict[str, tuple[bool, float]] = {}
        self._looks: set[asyncio.Future[None]] = set()
        self._lock = threading.Lock()
        self._installed = importlib.util.find_spec("neo4j") is not None
        self.encoder = encoder
        self.threads = ThreadPoolExecutor(_THREADS, thread_name_prefix="rejoinder-graph")

    async def look(self, tenant: str) -> None:
        """Find out whether a tenant has a graph; where its server cannot be reached, it is taken to have one."""
        if not self._installed or not self._settings.has_graph:
            return
        try:
            found = await asyncio.get_running_loop().run_in_executor(self.threads, self._has, tenant)
        except GraphError as error:
            _logger.warning("the graph of tenant %s cannot be looked at: %s", tenant, error)
            found = True
        self._there[tenant] = (found, time.monotonic() + _LOOK_AGAIN_S)

    def of(self, tenant: str, plugins: frozenset[str]) -> TenantGraph | None:
        """Return the graph of a tenant with these plugins; None while it has none (`rejoinder graph load` makes one).

        Of a tenant that had none, it is looked again in the background, so that a new graph serves within seconds.

        Raises:
            GraphSchemaError: what its domains declare is wrong, or contradictory.
        """
        if not self._installed or not self._settings.has_graph:
            return None
        there, until = self._there.get(tenant, (False, 0.0))
        if not there:
            if time.monotonic() >= until:
                self._there[tenant] = (False, time.monotonic() + _LOOK_AGAIN_S)
                look = asyncio.ensure_future(self.look(tenant))
                self._looks.add(look)
                look.add_done_callback(self._looks.discard)
            return None
        return TenantGraph(self, tenant, self._schema(plugins))

    def opened(self, tenant: str, schema: GraphSchema, encoder_hash: str, loop: asyncio.AbstractEventLoop) -> Graph:
        """Return the graph itself; called in a thread, since it may wait for the server."""
        found = self._opened.get(tenant)
        if found is not None and found[0] is schema:
            return found[1]
        from rejoinder.graph.graph import Graph

        encode = partial(self._encode, tenant, loop)
        graph = Graph(self._served().space(tenant), schema, encode=encode, encoder_hash=encoder_hash)
        self._opened[tenant] = (schema, graph)
        return graph

    def close(self) -> None:
        """Leave the server; an embedded one stops by itself when nobody uses it."""
        self.threads.shutdown(wait=False, cancel_futures=True)
        if self._graphs is not None:
            self._graphs.close()

    def _has(self, tenant: str) -> bool:
        return self._served().has(tenant)

    def _served(self) -> Graphs:
        from rejoinder.graph.graphs import Graphs

        with self._lock:
            if self._graphs is None:
                self._graphs = Graphs.from_settings(self._settings)
            return self._graphs

    def _encode(self, tenant: str, loop: asyncio.AbstractEventLoop, texts: Sequence[str]) -> FloatArray:
        return asyncio.run_coroutine_threadsafe(Reader(self.encoder, tenant).vectors(texts), loop).result()


def schema_of(host: Host, plugins: frozenset[str]) -> GraphSchema:
    """Return what the domains of these plugins declare, as one schema; an open one where they declare nothing.

    Raises:
        GraphSchemaError: a declaration is wrong, or two contradict one another.
    """
    return GraphSchema.merged(
        GraphSchema.parse(domain.graph_schema, place=f"graph schema of the domain {domain.name!r}")
        for plugin, domain in host.registered("register_domain")
        if plugin in plugins and domain.graph_schema
    )
