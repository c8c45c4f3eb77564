"""How well a tenant's models serve, by what people say of their answers: by task and version, over the last days."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from rejoinder.learning.metrics import ece
from rejoinder.store.database import Database
from rejoinder.store.quality import RatedDecision, conversation_ends, decision_counts, rated_decisions

DAYS: Final = 7.0

_GOOD_REWARD: Final = 0.75
_BAD_REWARD: Final = 0.25
_GOOD_RATING: Final = 4
_CORRECTION: Final = "corrected_intent"


@dataclass(frozen=True, slots=True, kw_only=True)
class VersionQuality:
    """How one version did, as far as people said. None: nobody said anything that tells.

    Attributes:
        decisions: how many it made.
        rated: of how many of them a feedback says whether they were right.
        accuracy: share of these that were right.
        recall: for each label that was right or asked for, the share found; their mean.
        csat: share of thumbs up, and of ratings of 4 or 5, among thumbs and ratings.
        ece: expected calibration error of the confidences, in [0, 1].
    """

    version: str
    decisions: int
    rated: int
    accuracy: float | None
    recall: float | None
    csat: float | None
    ece: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class ServiceQuality:
    """How a tenant's bot did.

    Attributes:
        containment: share of conversations that no person was called into, in [0, 1]; None without conversations.
        versions: by task, those that decided something, the newest last.
    """

    since: datetime
    conversations: int
    containment: float | None
    versions: dict[str, tuple[VersionQuality, ...]]


async def service_quality(
    database: Database, tenant: str, tasks: Sequence[str], *, now: datetime, days: float = DAYS
) -> ServiceQuality:
    """Return how a tenant's bot did over the last days.

    Args:
        tasks: to look at.
        days: > 0.
    """
    since = now - timedelta(days=days)
    every, handed = await conversation_ends(database, tenant, since=since)
    versions = {}
    for task in tasks:
        counts = await decision_counts(database, tenant, task, since=since)
        rated = await rated_decisions(database, tenant, task, since=since)
        if counts:
            versions[task] = of_versions(counts, rated)
    return ServiceQuality(
        since=since, conversations=every, containment=1 - handed / every if every else None, versions=versions
    )


def of_versions(counts: dict[str, int], rated: Sequence[RatedDecision]) -> tuple[VersionQuality, ...]:
    """Return the quality of each version.

    Args:
        counts: decisions by version.
        rated: feedback, oldest first; of several on one decision the last that tells counts.
    """
    by_version: dict[str, list[RatedDecision]] = defaultdict(list)
    for one in rated:
        by_version[one.version].append(one)
    names = sorted(counts, key=lambda name: (len(name), name))
    return tuple(_of_version(name, counts[name], by_version[name]) for name in names)


def _of_version(name: str, decisions: int, rated: Sequence[RatedDecision]) -> VersionQuality:
    last: dict[str, RatedDecision] = {}
    for one in rated:
        if one.reward is not None and not _BAD_REWARD < one.reward < _GOOD_REWARD:
            last[one.decision_id] = one
    told = list(last.values())
    right = [one.reward is not None and one.reward >= _GOOD_REWARD for one in told]
    sure = [(one.confidence, ok) for one, ok in zip(told, right, strict=True) if one.confidence is not None]
    return VersionQuality(
        version=name,
        decisions=decisions,
        rated=len(told),
        accuracy=sum(right) / len(right) if right else None,
        recall=_recall(told, right),
        csat=_csat(rated),
        ece=ece([share for share, _ in sure], [ok for _, ok in sure]) if sure else None,
    )


def _recall(told: Sequence[RatedDecision], right: Sequence[bool]) -> float | None:
    found: dict[str, list[bool]] = defaultdict(list)
    for one, ok in zip(told, right, strict=True):
        if ok and one.label is not None:
            found[one.label].append(True)
        elif one.kind == _CORRECTION and isinstance(one.value, str):
            found[one.value].append(False)
    return sum(sum(hits) / len(hits) for hits in found.values()) / len(found) if found else None


def _csat(rated: Sequence[RatedDecision]) -> float | None:
    content = [
        one.value >= _GOOD_RATING if one.kind == "rating" else one.value == 1
        for one in rated
        if one.kind in ("thumbs", "rating") and isinstance(one.value, int)
    ]
    return sum(content) / len(content) if content else None
