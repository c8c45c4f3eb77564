"""What one process tells Prometheus: how many turns, how long, what failed, what waits.

Turns and feedback are counted where they happen, for some ten microseconds each. All else is read when somebody asks: from the host's
counters and circuit breaker, from the encoder's, and from the record store (`rejoinder.serving.store_metrics`).

Each process has figures of its own and is asked by itself. Labels are bounded: of tenants, the first `MOST_TENANTS` that appear have
their names, and all others together are `_other`.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Final

from prometheus_client import CollectorRegistry, Counter, Histogram
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.registry import Collector

if TYPE_CHECKING:
    from prometheus_client.metrics_core import Metric

    from rejoinder.host import Host
    from rejoinder.models.encoding.service import EncoderService
    from rejoinder.trace import Trace

__all__ = ["MOST_TENANTS", "OTHER", "Metrics", "TenantLabels"]

MOST_TENANTS: Final = 200
OTHER: Final = "_other"  # no tenant can be called that

_SECONDS: Final = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0)


class TenantLabels:
    """Names for tenants, at most `most` different ones and `_other`."""

    def __init__(self, most: int = MOST_TENANTS) -> None:
        self._most = most
        self._known: set[str] = set()

    def of(self, tenant: str) -> str:
        """Return a tenant's name, or `_other`."""
        if tenant in self._known:
            return tenant
        if len(self._known) >= self._most:
            return OTHER
        self._known.add(tenant)
        return tenant


class Metrics:
    """The metrics of one process.

    Attributes:
        registry: what Prometheus is told of.
        tenants: the names that tenants have in all metrics of this process.
    """

    def __init__(self, host: Host, encoder: EncoderService) -> None:
        self.registry = CollectorRegistry()
        self.tenants = TenantLabels()
        self._turns = Counter(
            "rejoinder_turns", "Turns that were recorded.", ("tenant", "action"), registry=self.registry
        )
        self._feedback = Counter(
            "rejoinder_feedback", "Pieces of feedback that were stored.", ("tenant", "kind"), registry=self.registry
        )
        self._turn_seconds = Histogram(
            "rejoinder_turn_seconds",
            "From the first hook of a turn until it is recorded.",
            ("tenant",),
            buckets=_SECONDS,
            registry=self.registry,
        )
        self._stage_seconds = Histogram(
            "rejoinder_stage_seconds",
            "From the start of a hook's first call in a turn to the end of its last.",
            ("hook",),
            buckets=_SECONDS,
            registry=self.registry,
        )
        # Looking children up by their labels is most of what an observation costs.
        self._counters: dict[tuple[str, str, str], Counter] = {}
        self._histograms: dict[tuple[str, str], Histogram] = {}
        self.registry.register(_HostCollector(host, self.tenants))
        self.registry.register(_EncoderCollector(encoder))

    def turn(self, tenant: str, action: str, trace: Trace, duration_ms: float) -> None:
        """Count a turn that was recorded."""
        name = self.tenants.of(tenant)
        self._counter(self._turns, "turns", name, action).inc()
        self._histogram(self._turn_seconds, "turn", name).observe(duration_ms / 1e3)
        spans: dict[str, tuple[float, float]] = {}
        for call in trace.calls:
            if call.outcome == "skipped":
                continue
            begun, ended = call.at_ms, call.at_ms + call.took_ms
            if call.hook in spans:
                first, last = spans[call.hook]
                begun, ended = min(first, begun), max(last, ended)
            spans[call.hook] = (begun, ended)
        for hook, (begun, ended) in spans.items():
            self._histogram(self._stage_seconds, "stage", hook).observe((ended - begun) / 1e3)

    def feedback(self, tenant: str, kind: str) -> None:
        """Count a piece of feedback that was stored."""
        self._counter(self._feedback, "feedback", self.tenants.of(tenant), kind).inc()

    def _counter(self, counter: Counter, what: str, tenant: str, value: str) -> Counter:
        key = (what, tenant, value)
        found = self._counters.get(key)
        if found is None:
            found = self._counters[key] = counter.labels(tenant, value)
        return found

    def _histogram(self, histogram: Histogram, what: str, value: str) -> Histogram:
        key = (what, value)
        found = self._histograms.get(key)
        if found is None:
            found = self._histograms[key] = histogram.labels(value)
        return found


class _HostCollector(Collector):
    """Failures of hooks, and the plugins that are left alone."""

    def __init__(self, host: Host, tenants: TenantLabels) -> None:
        self._host = host
        self._tenants = tenants

    def collect(self) -> Iterable[Metric]:
        failures = CounterMetricFamily(
            "rejoinder_hook_failures",
            "Calls of hooks that failed; outcome is error, timeout or wrong_result.",
            labels=("plugin", "hook", "outcome"),
        )
        for failed, count in list(self._host.calls.failures.items()):
            failures.add_metric(failed, count)
        open_now: dict[tuple[str, str], int] = {}
        for plugin, tenant in self._host.calls.breaker.open_circuits():
            key = (plugin, "" if tenant is None else self._tenants.of(tenant))
            open_now[key] = open_now.get(key, 0) + 1
        breaker = GaugeMetricFamily(
            "rejoinder_breaker_open",
            "Tenants for whom a plugin is left alone after repeated failures.",
            labels=("plugin", "tenant"),
        )
        for plugin in sorted(self._host.plugin_names):  # 0 as well, so that an alert sees it end
            if not any(key[0] == plugin for key in open_now):
                breaker.add_metric((plugin, ""), 0)
        for labels, count in open_now.items():
            breaker.add_metric(labels, count)
        return failures, breaker


class _EncoderCollector(Collector):
    """The encoder's queue, batches and cache."""

    def __init__(self, encoder: EncoderService) -> None:
        self._encoder = encoder

    def collect(self) -> Iterable[Metric]:
        stats = self._encoder.stats
        told = (
            (GaugeMetricFamily, "rejoinder_encoder_queue", "Texts that wait to be encoded.", stats.queued),
            (GaugeMetricFamily, "rejoinder_encoder_cached", "Vectors that are kept.", stats.cached),
            (CounterMetricFamily, "rejoinder_encoder_texts", "Texts encoded; by batches: their size.", stats.encoded),
            (CounterMetricFamily, "rejoinder_encoder_batches", "Batches encoded.", stats.batches),
            (CounterMetricFamily, "rejoinder_encoder_cache_hits", "Texts found in the cache.", stats.hits),
            (CounterMetricFamily, "rejoinder_encoder_cache_misses", "Texts not found in the cache.", stats.misses),
            (CounterMetricFamily, "rejoinder_encoder_dropped", "Texts nobody waited for any more.", stats.dropped),
        )
        for family, name, words, value in told:
            yield family(name, words, value=value)
