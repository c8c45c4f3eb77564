"""Metrics of what stands in the record store: the same in every process, so that one of them is enough to ask."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterable
from typing import TYPE_CHECKING, Final

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.registry import Collector

from rejoinder.learning.quality import service_quality
from rejoinder.metrics import OTHER
from rejoinder.store.totals import decision_totals, run_totals, serving_versions

if TYPE_CHECKING:
    from prometheus_client.metrics_core import Metric

    from rejoinder.application import Application
    from rejoinder.learning.quality import ServiceQuality

__all__ = ["StoreMetrics"]

_EVERY_S: Final = 60.0
_FIGURES: Final = {
    "accuracy": "Share of rated decisions that were right.",
    "recall": "Mean over labels of the share that was found.",
    "csat": "Share of thumbs up, and of ratings of 4 and 5.",
    "ece": "Expected calibration error of the confidences against rewards.",
    "reward": "Mean reward.",
    "drift": "By how much ADWIN saw the mean reward change.",
    "containment": "Share of conversations that no person was called into.",
}


class StoreMetrics(Collector):
    """Figures of the last seven days, and totals; read anew once a minute at most, when somebody asks."""

    def __init__(self, application: Application) -> None:
        self._application = application
        self._families: tuple[Metric, ...] = ()
        self._read_at = float("-inf")
        self._lock = asyncio.Lock()

    async def refresh(self) -> None:
        """Read what there is, unless that was done a moment ago.

        Raises:
            StoreUnavailableError: the store does not answer.
        """
        async with self._lock:
            if time.monotonic() - self._read_at >= _EVERY_S:
                self._families = tuple(await self._read())
                self._read_at = time.monotonic()

    def collect(self) -> Iterable[Metric]:
        """Give what was read last."""
        return self._families

    async def _read(self) -> list[Metric]:
        database, names = self._application.database, self._application.metrics.tenants
        runs = GaugeMetricFamily("rejoinder_runs", "Adaptation runs.", labels=("tenant", "task", "status"))
        _add(runs, [((names.of(one.tenant_id), one.task, one.value), one.total) for one in await run_totals(database)])
        decided = CounterMetricFamily(
            "rejoinder_model_decisions",
            "What gate, trials and people decided about model versions.",
            labels=("tenant", "task", "action"),
        )
        totals = await decision_totals(database)
        _add(decided, [((names.of(one.tenant_id), one.task, one.value), one.total) for one in totals])
        return [runs, decided, *await self._quality()]

    async def _quality(self) -> list[Metric]:
        application = self._application
        labels = ("tenant", "task", "version")
        families = {
            name: GaugeMetricFamily(f"rejoinder_quality_{name}", words, labels=labels)
            for name, words in _FIGURES.items()
        }
        shown = {
            (tenant, version)
            for tenant, _, version in await serving_versions(application.database)
            if application.metrics.tenants.of(tenant) != OTHER
        }
        for tenant in sorted({tenant for tenant, _ in shown}):
            found: ServiceQuality = await service_quality(
                application.database,
                tenant,
                now=application.clock(),
                drift_error=application.settings.learning.drift_error,
            )
            for task, versions in found.versions.items():
                for one in versions:
                    if (tenant, one.version) not in shown:
                        continue
                    for name, family in families.items():
                        value = getattr(one, name)
                        if value is not None:
                            family.add_metric((tenant, task, one.version), value)
        return list(families.values())


def _add(family: GaugeMetricFamily | CounterMetricFamily, rows: list[tuple[tuple[str, ...], int]]) -> None:
    """Add rows, those of the same labels together."""
    sums: dict[tuple[str, ...], int] = {}
    for labels, count in rows:
        sums[labels] = sums.get(labels, 0) + count
    for labels, total in sums.items():
        family.add_metric(labels, total)
