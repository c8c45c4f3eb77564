"""How well a tenant's models serve, by what people say of their answers: by task and version, over the last days."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from functools import partial
from typing import Final

from rejoinder.learning.drift import drift_of
from rejoinder.learning.metrics import ece
from rejoinder.learning.rewards import shrunk
from rejoinder.store.database import Database
from rejoinder.store.quality import RatedDecision, contained, conversation_ends, decision_counts, rated_decisions

DAYS: Final = 7.0
DRIFT_ERROR: Final = 0.002

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
        ece: expected calibration error of the confidences against rewards, in [0, 1].
        reward: mean reward of the rated decisions, in [0, 1].
        drift: by how much the mean reward changed where ADWIN saw that it did, in [-1, 1], else 0; None also where river, which brings
            ADWIN, is not installed.
        containment: share of the conversations in which it decided, and none of its turns called a person, in [0, 1].
    """

    version: str
    decisions: int
    rated: int
    accuracy: float | None
    recall: float | None
    csat: float | None
    ece: float | None
    reward: float | None = None
    drift: float | None = None
    containment: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ServiceQuality:
    """How a tenant's bot did.

    Attributes:
        containment: share of conversations that no person was called into, in [0, 1]; None without conversations.
        versions: by task, those that decided something or had a part in a decision, the newest last.
    """

    since: datetime
    conversations: int
    containment: float | None
    versions: dict[str, tuple[VersionQuality, ...]]


async def service_quality(
    database: Database,
    tenant: str,
    *,
    now: datetime,
    days: float = DAYS,
    drift_error: float = DRIFT_ERROR,
) -> ServiceQuality:
    """Return how a tenant's bot did over the last days.

    Args:
        days: > 0.
        drift_error: chance in [0, 1) of a false alarm of drift; 0: it is not looked for.
    """
    since = now - timedelta(days=days)
    every, handed = await conversation_ends(database, tenant, since=since)
    counts = await decision_counts(database, tenant, since=since)
    rated = await rated_decisions(database, tenant, since=since)
    ends = await contained(database, tenant, since=since)
    versions = {}
    for task in sorted(counts):
        found = partial(of_versions, counts[task], rated.get(task, ()), ends=ends.get(task), drift_error=drift_error)
        versions[task] = await asyncio.to_thread(found)
    return ServiceQuality(
        since=since, conversations=every, containment=1 - handed / every if every else None, versions=versions
    )


def of_versions(
    counts: Mapping[str, int],
    rated: Sequence[RatedDecision],
    *,
    ends: Mapping[str, tuple[int, int]] | None = None,
    drift_error: float = 0.0,
) -> tuple[VersionQuality, ...]:
    """Return the quality of each version.

    Args:
        counts: decisions by version.
        rated: feedback, oldest first; several on one decision are averaged by weight.
        ends: conversations by version, and how many of them were handed to a person.
        drift_error: see `service_quality`.
    """
    by_version: dict[str, list[RatedDecision]] = defaultdict(list)
    for one in rated:
        by_version[one.version].append(one)
    names = sorted(counts, key=lambda name: (len(name), name))
    made = []
    for name in names:
        every, handed = (ends or {}).get(name, (0, 0))
        rewards = [shrunk(one.reward, one.weight) for one in by_version[name] if one.reward is not None]
        quality = _of_version(name, counts[name], by_version[name])
        made.append(
            replace(
                quality,
                reward=sum(rewards) / len(rewards) if rewards else None,
                drift=drift_of(rewards, drift_error) if rewards and drift_error else None,
                containment=1 - handed / every if every else None,
            )
        )
    return tuple(made)


def _of_version(name: str, decisions: int, rated: Sequence[RatedDecision]) -> VersionQuality:
    told = _combined(rated)
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


def _combined(rated: Sequence[RatedDecision]) -> list[RatedDecision]:
    """Return one for each decision of which it is told whether it was right: all that was said of it, by weight, under the last kind."""
    said: dict[str, list[RatedDecision]] = defaultdict(list)
    for one in rated:
        if one.reward is not None:
            said[one.decision_id].append(one)
    told = []
    for ones in said.values():
        weight = sum(one.weight for one in ones)
        if not weight:
            continue
        mean = sum((one.reward or 0.0) * one.weight for one in ones) / weight
        reward = shrunk(mean, weight)
        if not _BAD_REWARD < reward < _GOOD_REWARD:
            last = next((one for one in reversed(ones) if one.kind == _CORRECTION), ones[-1])
            told.append(replace(last, reward=reward))
    return told


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
