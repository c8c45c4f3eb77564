"""From observations of one series to alerts that explain themselves."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final, Literal

from rejoinder.errors import GraphError
from rejoinder.payloads import Alert, Citation, Detection, DetectorState, Json, Observation

from rejoinder_finance_sentiment.surge.counts import CountSeries, Surge

if TYPE_CHECKING:
    from rejoinder.context import Context
    from rejoinder.graph.tenant_graph import TenantGraph

    from rejoinder_finance_sentiment.surge.settings import SurgeSettings

__all__ = ["detect_surges", "surges_in"]

SENTIMENT: Final = "sentiment"
_POSITION: Final = "position"
_MOST_COMPANIES: Final = 20
_CRITICAL_RATIO: Final = 5.0
_WARNING_RATIO: Final = 2.5
_CRITICAL_DOCUMENTS: Final = 20
_WHAT: Final = {"mention": "texts about {}", "topic": "texts on the topic {}", SENTIMENT: "bad news about {}"}


async def detect_surges(
    observations: Sequence[Observation], state: DetectorState, settings: SurgeSettings, context: Context
) -> Detection | None:
    """Return the next state of a series and the surges that its observations make; None for a series that is not watched.

    Observations are taken in the order of their dates. One whose bucket is over is left out: trends count it, an alarm would come late.
    """
    kind, _, key = state.key.partition(":")
    if kind not in settings.watch or not key:
        return None
    after, found = surges_in(observations, state, settings)
    alerts = []
    for surge, at in found:
        companies = await _touched(context.graph, key, context)
        alerts.append(_alert(kind, key, surge, at, companies, settings))
    return Detection(state=after, alerts=tuple(alerts))


def surges_in(
    observations: Sequence[Observation], state: DetectorState, settings: SurgeSettings
) -> tuple[DetectorState, list[tuple[Surge, datetime]]]:
    """Return the next state of a series and the surges that its observations make, each with the date of the one that made it."""
    kind = state.key.partition(":")[0]
    series = CountSeries.from_json(
        settings.for_counts(), {name: one for name, one in state.data.items() if name != _POSITION}
    )
    last = state.data.get(_POSITION)
    found = []
    for one in sorted(_counted(kind, observations), key=lambda one: one.at):
        exposure = None
        if settings.measure == "share" and one.position is not None:
            exposure = float(max(0, one.position - last)) if isinstance(last, int) else 1.0
            last = max(one.position, last if isinstance(last, int) else 0)
        surge = series.add(one.at.timestamp(), one.event_id, exposure=exposure, marked=state.threshold)
        if surge is not None:
            found.append((surge, one.at))
    return DetectorState(key=state.key, data={**series.to_json(), _POSITION: last}), found


def _counted(kind: str, observations: Iterable[Observation]) -> Iterator[Observation]:
    """Yield what counts, each event once: of sentiments what is negative."""
    seen = set()
    for one in observations:
        if kind == SENTIMENT and not (isinstance(one.value, dict) and one.value.get("label") == "negative"):
            continue
        if one.event_id not in seen:
            seen.add(one.event_id)
            yield one


def _alert(
    kind: str,
    key: str,
    surge: Surge,
    at: datetime,
    companies: Sequence[dict[str, Json]] | None,
    settings: SurgeSettings,
) -> Alert:
    what = _WHAT.get(kind, f"{kind} {{}}").format(key)
    since = datetime.fromtimestamp(surge.since, UTC)
    told = [
        f"{surge.observed} {what} since {since:%Y-%m-%d %H:%M} UTC, where {surge.expected:.1f} are usual: {surge.ratio:.1f} times as many."
    ]
    if companies:
        names = ", ".join(f"{one['name']} ({one['relation']})" for one in companies)
        told.append(f"Linked in the graph, and perhaps touched: {names}.")
    elif companies is None:
        told.append("The graph could not be asked which companies may be touched.")
    return Alert(
        incident=f"{kind}:{key}@{since:%Y-%m-%dT%H:%M}Z/{at:%Y-%m-%dT%H:%M:%S}Z",
        title=f"Surge of {what}: {surge.ratio:.1f} times the usual",
        severity=_severity(surge),
        at=at,
        key=key,
        explanation=" ".join(told),
        evidence=tuple(Citation(source=document) for document in surge.documents),
        data={
            "type": kind,
            "since": since.isoformat(),
            "observed": surge.observed,
            "expected": round(surge.expected, 3),
            "ratio": round(surge.ratio, 3),
            "evidence": round(surge.evidence, 3),
            "bucket_minutes": settings.bucket_minutes,
            "measure": settings.measure,
            "companies": list(companies or ()),
        },
    )


def _severity(surge: Surge) -> Literal["info", "warning", "critical"]:
    if surge.ratio >= _CRITICAL_RATIO and surge.observed >= _CRITICAL_DOCUMENTS:
        return "critical"
    return "warning" if surge.ratio >= _WARNING_RATIO else "info"


async def _touched(graph: TenantGraph | None, key: str, context: Context) -> list[dict[str, Json]] | None:
    """Return what lies one step around a company in the graph; None where the graph cannot be asked now."""
    if graph is None:
        return []
    from rejoinder.graph.graph import Graph

    try:
        entity = await graph.ask(Graph.entity, key)
        if entity is None:
            named = await graph.ask(Graph.named, key, limit=1)
            entity = named[0] if named else None
        if entity is None:
            return []
        around = await graph.ask(Graph.neighbourhood, entity.id, hops=1, limit=_MOST_COMPANIES)
    except GraphError as error:
        context.logger.warning("companies linked with %s were not looked up: %s", key, error)
        return None
    others = {one.id: one for one in around.entities if one.id != entity.id}
    found: list[dict[str, Json]] = []
    for relation in around.relations:
        other = others.pop(relation.object if relation.subject == entity.id else relation.subject, None)
        if other is not None:
            direction = "out" if relation.subject == entity.id else "in"
            found.append({"id": other.id, "name": other.name, "relation": relation.name, "direction": direction})
    return found
