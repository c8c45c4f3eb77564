"""From observations of one series to alerts that explain themselves."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final, Literal

from rejoinder.payloads import Alert, Citation, Detection, DetectorState, Json, Observation

from rejoinder_finance_sentiment.surge.counts import CountSeries, Surge
from rejoinder_finance_sentiment.surge.linked import linked_companies

if TYPE_CHECKING:
    from rejoinder.context import Context

    from rejoinder_finance_sentiment.settings import FinanceSentimentSettings
    from rejoinder_finance_sentiment.surge.settings import SurgeSettings

__all__ = ["detect_surges", "surges_in"]

SENTIMENT: Final = "sentiment"
_POSITION: Final = "position"
_TOPIC: Final = "topic"
_CRITICAL_RATIO: Final = 5.0
_WARNING_RATIO: Final = 2.5
_CRITICAL_DOCUMENTS: Final = 20
_WHAT: Final = {"mention": "texts about {}", _TOPIC: "texts on the topic {}", SENTIMENT: "bad news about {}"}


async def detect_surges(
    observations: Sequence[Observation],
    state: DetectorState,
    settings: FinanceSentimentSettings,
    context: Context,
    name_of: Callable[[str], str],
) -> Detection | None:
    """Return the next state of a series and the surges that its observations make; None for a series that is not watched.

    Observations are taken in the order of their dates. One whose bucket is over is left out: trends count it, an alarm would come late.

    Args:
        name_of: tells what a company is called.
    """
    kind, _, key = state.key.partition(":")
    if kind not in settings.surges.watch or not key:
        return None
    after, found = surges_in(observations, state, settings.surges)
    alerts = []
    for surge, at in found:
        companies = [] if kind == _TOPIC else await linked_companies(context, key, settings.company_kinds)
        name = key if kind == _TOPIC else name_of(key)
        alerts.append(_alert(kind, key, name, surge, at, companies, settings.surges))
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
    name: str,
    surge: Surge,
    at: datetime,
    companies: Sequence[dict[str, Json]] | None,
    settings: SurgeSettings,
) -> Alert:
    what = _WHAT.get(kind, f"{kind} {{}}").format(name)
    since = datetime.fromtimestamp(surge.since, UTC)
    told = [
        f"{surge.observed} {what} since {since:%Y-%m-%d %H:%M} UTC, where {surge.expected:.1f} are usual: {surge.ratio:.1f} times as many."
    ]
    if companies:
        links = "; ".join(str(one["told"]) for one in companies)
        told.append(f"Companies that may be touched: {links}.")
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
