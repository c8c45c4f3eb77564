"""Rules: conditions on what is said of a key, of which users want to be told when they begin to hold.

They are looked at on the way of detected surges: whenever documents about the key were read, at the dates of those documents, so that a
replay raises what would have been raised then.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from typing import Final, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from rejoinder.monitoring.trends import NEGATIVE, mean_sentiment, negative_of
from rejoinder.payloads import Alert, Citation, Observation
from rejoinder.store.alert_rules import Looked, rules_about
from rejoinder.store.database import Database
from rejoinder.store.tables import AlertRule
from rejoinder.store.trends import Seen, Stretch, seen_in

__all__ = ["Comparison", "Condition", "Measure", "condition_of", "told_by_rules"]

Measure = Literal["sentiment", "negative_share", "negative_count", "count"]
Comparison = Literal["below", "above", "times"]

KIND: Final = "mention"
"""The type of the observations whose keys rules are about."""

_MOST_EVIDENCE: Final = 5
_AN_INSTANT: Final = timedelta(microseconds=1)
_WORDS: Final[dict[Measure, str]] = {
    "sentiment": "the mean sentiment on {name}",
    "negative_share": "the share of negative texts about {name}",
    "negative_count": "the number of negative texts about {name}",
    "count": "the number of texts about {name}",
}


class Condition(BaseModel):
    """A condition on the documents about a key in the last hours."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    measure: Measure = Field(
        description="`sentiment`: the mean in [-1, 1]; `negative_share`: of the documents about the key, in [0, 1]; `negative_count`, "
        "`count`: documents."
    )
    comparison: Comparison = Field(
        description="`times`: the number is so many times that of the window before, or more; for counts only."
    )
    threshold: float = Field(ge=-1e6, le=1e6, description="What the measure is compared with.")
    window_hours: float = Field(default=24.0, ge=1, le=8760, description="Documents of so many last hours count.")
    least_documents: int = Field(default=3, ge=1, le=10_000, description="It holds with so many documents at least.")

    @model_validator(mode="after")
    def _is_possible(self) -> Self:
        if self.comparison == "times" and (self.measure not in ("negative_count", "count") or self.threshold <= 1):
            raise ValueError("`times` needs a count, and a threshold above 1")
        lowest, highest = {"sentiment": (-1.0, 1.0), "negative_share": (0.0, 1.0)}.get(self.measure, (0.0, 1e6))
        if not lowest <= self.threshold <= highest:
            raise ValueError(f"a threshold of `{self.measure}` lies between {lowest:g} and {highest:g}")
        return self

    def in_words(self, name: str) -> str:
        """Say it of something that is called `name`.

        Example:
            >>> Condition(measure="sentiment", comparison="below", threshold=-0.2).in_words("Acme")
            'the mean sentiment on Acme over 24 hours falls below -0.20 (of 3 texts or more)'
        """
        what = _WORDS[self.measure].format(name=name)
        hours = f"{self.window_hours:g} hours"
        if self.comparison == "times":
            return f"{what} in {hours} is {self.threshold:g} times that of the {hours} before (and {self.least_documents} texts or more)"
        verb = "falls below" if self.comparison == "below" else "rises above"
        return f"{what} over {hours} {verb} {self.shown(self.threshold)} (of {self.least_documents} texts or more)"

    def shown(self, value: float) -> str:
        """Return a value of the measure as people read it."""
        match self.measure:
            case "sentiment":
                return f"{value:+.2f}"
            case "negative_share":
                return f"{value:.0%}"
            case _:
                return f"{value:g}"


def condition_of(rule: AlertRule) -> Condition:
    """Return the condition of a stored rule."""
    return Condition.model_validate({name: getattr(rule, name) for name in Condition.model_fields})


async def told_by_rules(
    database: Database, tenant: str, observations: Sequence[Observation], *, at: datetime
) -> tuple[list[Alert], dict[str, Looked]]:
    """Look at the rules about what was observed; return the alerts of those that begin to hold, and what came of each look.

    Args:
        at: the present moment: documents that had arrived by then count.
    """
    moments: dict[str, set[datetime]] = {}
    for one in observations:
        if one.type == KIND and one.key:
            moments.setdefault(one.key, set()).add(one.at)
    alerts: list[Alert] = []
    looked: dict[str, Looked] = {}
    for rule in await rules_about(database, tenant, list(moments)):
        ends = sorted({max(moment, rule.looked_at or moment) for moment in moments[rule.key]})
        window = timedelta(hours=rule.window_hours)
        stretch = Stretch(ends[0] - 2 * window, ends[-1] + _AN_INSTANT, at)
        seen = await seen_in(database, tenant, KIND, [rule.key], stretch)
        holds = rule.holds
        for end in ends:
            found = _look(rule, seen, end)
            if found is not None and not holds:
                alerts.append(found)
            holds = found is not None
        looked[rule.id] = Looked(holds, ends[-1])
    return alerts, looked


def _look(rule: AlertRule, seen: Sequence[Seen], end: datetime) -> Alert | None:
    """Return the alert of a rule whose condition holds at a moment."""
    window = timedelta(hours=rule.window_hours)
    now = [one for one in seen if end - window < one.at <= end]
    before = [one for one in seen if end - 2 * window < one.at <= end - window]
    condition = condition_of(rule)
    counted = _counted(condition, now)
    value = _value(condition, now)
    if len(counted) < condition.least_documents or value is None:
        return None
    usual = _value(condition, before)
    match condition.comparison:
        case "below":
            holds = value < condition.threshold
        case "above":
            holds = value > condition.threshold
        case "times":
            holds = value >= condition.threshold * (usual or 0.0)
    return _alert(rule, condition, value, usual, counted, end) if holds else None


def _counted(condition: Condition, seen: Iterable[Seen]) -> list[Seen]:
    """Return the documents that `least_documents` is about."""
    if condition.measure == "negative_count":
        return [one for one in seen if one.label == NEGATIVE]
    if condition.measure == "count":
        return list(seen)
    return [one for one in seen if one.score is not None]


def _value(condition: Condition, seen: Sequence[Seen]) -> float | None:
    match condition.measure:
        case "sentiment":
            return mean_sentiment(seen)
        case "negative_share":
            known = [one for one in seen if one.score is not None]
            return negative_of(known) / len(known) if known else None
        case "negative_count":
            return float(negative_of(seen))
        case _:
            return float(len(seen))


def _alert(
    rule: AlertRule, condition: Condition, value: float, usual: float | None, counted: Sequence[Seen], end: datetime
) -> Alert:
    name = rule.name or rule.key
    measured = _WORDS[condition.measure].format(name=name)
    before = "nothing is known of" if usual is None else f"it was {condition.shown(usual)} in"
    best = condition.measure == "sentiment" and condition.comparison == "above"
    drove = sorted(counted, key=lambda one: (-(one.score or 0.0) if best else (one.score or 0.0), one.event_id))
    return Alert(
        incident=f"rule:{rule.id}@{end:%Y-%m-%dT%H:%M:%S}Z",
        title=f"Rule: {condition.in_words(name)}",
        severity="warning",
        at=end,
        key=rule.key,
        explanation=f"{measured[0].upper()}{measured[1:]} is {condition.shown(value)} in the {rule.window_hours:g} hours to "
        f"{end:%Y-%m-%d %H:%M} UTC; {before} the same time before.",
        evidence=tuple(Citation(source=one.event_id) for one in drove[:_MOST_EVIDENCE]),
        data={
            "type": "rule",
            "rule": rule.id,
            "user": rule.user_id,
            **condition.model_dump(),
            "value": value,
            "before": usual,
            "documents": len(counted),
            "since": (end - timedelta(hours=rule.window_hours)).isoformat(),
        },
    )
