"""The companies of a tenant: those of its settings and those of its knowledge graph, read again every minute."""

from __future__ import annotations

import logging
import time
from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from rejoinder.context import Context
from rejoinder.errors import GraphError

from rejoinder_finance_sentiment.reading.companies import Company, CompanyIndex
from rejoinder_finance_sentiment.settings import FinanceSentimentSettings

if TYPE_CHECKING:
    from rejoinder.graph.graph import Graph

__all__ = ["Companies", "companies_in_graph"]

_FRESH_S: Final = 60.0
_MOST: Final = 100_000
_TIMEOUT_S: Final = 30.0

_logger = logging.getLogger("rejoinder.plugins.finance_sentiment")


@dataclass(frozen=True, slots=True)
class _Known:
    index: CompanyIndex
    settings: FinanceSentimentSettings
    has_graph: bool
    until: float


class Companies:
    """Every tenant's companies in this process."""

    def __init__(self) -> None:
        self._known: dict[str, _Known] = {}

    async def of(self, context: Context) -> CompanyIndex:
        """Return a tenant's companies; where its graph cannot be read, those known before serve on."""
        settings: FinanceSentimentSettings = context.settings
        known, now = self._known.get(context.tenant), time.monotonic()
        graph = context.graph
        if (
            known is not None
            and known.settings is settings
            and known.has_graph == (graph is not None)
            and now < known.until
        ):
            return known.index
        companies = [
            Company(key=key, name=one.name, aliases=one.aliases, tickers=one.tickers, owner=one.owner)
            for key, one in settings.companies.items()
        ]
        if graph is not None:
            try:
                found = await graph.ask(companies_in_graph, settings.company_kinds, settings.owner_relations)
            except GraphError as error:
                context.logger.warning("companies are not read from the graph: %s", error)
                if known is not None and known.settings is settings:
                    return known.index
                found = []
            companies = [*found, *companies]
        index = CompanyIndex(companies)
        self._known[context.tenant] = _Known(index, settings, graph is not None, now + _FRESH_S)
        return index

    def forget(self, tenant: str) -> None:
        """Drop what is kept of a tenant."""
        self._known.pop(tenant, None)


def companies_in_graph(graph: Graph, kinds: Iterable[str], owner_relations: Iterable[str]) -> list[Company]:
    """Return the entities of these kinds as companies, at most 100,000.

    Raises:
        GraphError: the graph cannot be read.
    """
    owners: dict[str, str] = {}
    for relation in owner_relations:
        asked = f"MATCH (c:Entity)-[:{relation}]->(o:Entity) RETURN c.id, o.id"
        owners |= {row[0]: row[1] for row in _rows(graph, asked)}
    asked = "MATCH (c:Entity) WHERE c.kind IN $kinds RETURN c.id, c.name, c.aliases, c.ticker, c.tickers"
    return [
        Company(key=key, name=name, aliases=_all(aliases), tickers=_all(ticker, tickers), owner=owners.get(key))
        for key, name, aliases, ticker, tickers in _rows(graph, asked, kinds=list(kinds))
    ]


def _rows(graph: Graph, cypher: str, **parameters: Any) -> tuple[tuple[Any, ...], ...]:
    found = graph.query(cypher, parameters, timeout_s=_TIMEOUT_S, max_rows=_MOST)
    if found.truncated:
        _logger.warning(
            "the graph of tenant %s has more companies than are read: %d are", graph.tenant, len(found.rows)
        )
    return found.rows


def _all(*values: Any) -> tuple[str, ...]:
    """Return all texts that are in properties, each a text, a list of them, or nothing."""
    found: list[str] = []
    for value in values:
        found += [value] if isinstance(value, str) else value or ()
    return tuple(str(one) for one in found if str(one).strip())
