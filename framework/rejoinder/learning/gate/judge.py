"""The verdict on a candidate: better on what no training saw, not worse on what must never break, and fit to serve."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, Literal

from rejoinder.errors import InvalidInputError
from rejoinder.learning.gate.paired import Pairs, mcnemar, not_worse, paired_bootstrap, rows_needed
from rejoinder.learning.gate.spending import error_of_attempt
from rejoinder.settings import GateSettings

if TYPE_CHECKING:
    from rejoinder.learning.off_policy import ListComparison

Decision = Literal["promote", "reject", "wait"]
"""wait: there are too few held-back rows to tell; the candidate may be judged again when there are more."""

_LIKELY_GAIN: Final = 0.02
"""The smallest gain that is planned for where the rows say too little of the true one."""
_LIKELY_DISAGREEMENT: Final = 0.1
_LATENCY_SLACK_MS: Final = 0.5
"""Differences of latency below this are noise."""
_LEAST_LISTS: Final = 30
"""Fewer shown lists say nothing that could be relied on: so few do not make a bootstrap's interval."""
_LEAST_COVERAGE: Final = 0.5
"""Where less of a candidate's lists could have been shown, the estimates rest on the model of rewards."""
_RULES: Final = ("error", "regression_margin", "regression_error", "ece_margin", "latency_ratio")
"""The settings that a verdict depends on."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Scored:
    """What one model made of some rows.

    Attributes:
        scores: by row id, in [0, 1], higher is better; 0.0 and 1.0 alone where an answer is right or wrong.
        ece: expected calibration error in [0, 1]; None: unknown.
        latency_ms: mean time of a prediction; None: unknown.
    """

    scores: Mapping[str, float]
    ece: float | None = None
    latency_ms: float | None = None

    @property
    def mean(self) -> float:
        """Mean score; 0.0 without rows."""
        return sum(self.scores.values()) / len(self.scores) if self.scores else 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """One thing that the gate looked at.

    Attributes:
        passed: None where there was nothing to look at.
        value: what was found, such as a p-value; `limit`: what it was held against.
        text: both in words.
    """

    name: Literal["better", "regression", "calibration", "latency", "lists"]
    passed: bool | None
    text: str
    value: float | None = None
    limit: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """What the gate decided, and why.

    Attributes:
        attempt: of how many-th attempt on these rows it is.
        rows: held-back rows that both models were scored on; `rows_needed`: more of them that it would take; 0 unless `decision` is wait.
        live, candidate: mean scores on these rows.
        rules: the settings that it was judged by, and the bootstrap's seed.
        lists: what the candidate would have earned with lists that the live model showed; None: there were none.
    """

    decision: Decision
    reason: str
    checks: tuple[Check, ...]
    rows: int
    live: float
    candidate: float
    attempt: int = 1
    rows_needed: int = 0
    rules: Mapping[str, float] = field(default_factory=dict)
    lists: ListComparison | None = None


def judge(
    live: Scored,
    candidate: Scored,
    *,
    regression: tuple[Scored, Scored] | None = None,
    settings: GateSettings | None = None,
    seed: int = 0,
    attempt: int = 1,
    lists: ListComparison | None = None,
) -> Verdict:
    """Compare a candidate with the live model.

    With `lists`, there are two ways to be better, each at half of the error: on held-back rows, and by what its lists would have earned.

    Args:
        live, candidate: on the same held-back rows.
        regression: live and candidate on the domain's frozen set; None: there is none.
        settings: how strict it is; None: the defaults.
        seed: of the bootstrap.
        attempt: see `rejoinder.learning.gate.spending.attempt_number`.
        lists: the off-policy comparison, for a model that ranks; see `rejoinder.learning.off_policy`.

    Raises:
        InvalidInputError: the two were not scored on the same rows.
    """
    settings = settings or GateSettings()
    limit = error_of_attempt(attempt, error=settings.error) / (1 if lists is None else 2)
    before, after = _aligned(live, candidate, "held-back examples")
    better = _better(before, after, limit, seed)
    checks = (
        better,
        _regression(regression, settings, seed),
        _calibration(live, candidate, settings),
        _latency(live, candidate, settings),
        *(() if lists is None else (_lists(lists, limit),)),
    )
    failed = [check for check in checks[1:] if check.passed is False]
    decision: Decision = "promote"
    reason = "; ".join(check.text for check in checks if check.passed)
    more = 0
    if failed:
        decision, reason = "reject", "; ".join(check.text for check in failed)
    elif not better.passed and lists is not None and checks[-1].passed:
        if _better(after, before, limit, seed).passed:
            decision, reason = "reject", f"worse on held-back rows, though lists would have earned more: {better.text}"
    elif not better.passed:
        more = _missing_rows(before, after, limit)
        decision = "wait" if more else "reject"
        reason = better.text + (f"; about {more:,} more held-back rows would tell" if more else "")
        if lists is not None:
            reason += f"; {checks[-1].text}"
    return Verdict(
        decision=decision,
        reason=reason,
        checks=checks,
        rows=len(before),
        live=live.mean,
        candidate=candidate.mean,
        attempt=attempt,
        rows_needed=more,
        rules={**settings.model_dump(include=set(_RULES)), "seed": seed},
        lists=lists,
    )


def _aligned(live: Scored, candidate: Scored, what: str) -> tuple[list[float], list[float]]:
    if live.scores.keys() != candidate.scores.keys():
        apart = live.scores.keys() ^ candidate.scores.keys()
        raise InvalidInputError(
            f"live model and candidate were not scored on the same {what}: {len(apart)} rows have one score only, such as "
            f"{min(apart)!r}. Score both anew"
        )
    rows = sorted(live.scores)
    return [live.scores[row] for row in rows], [candidate.scores[row] for row in rows]


def _right_or_wrong(*scores: list[float]) -> bool:
    return all(score in (0.0, 1.0) for some in scores for score in some)


def _pairs(before: list[float], after: list[float]) -> Pairs:
    return Pairs.of([score == 1.0 for score in before], [score == 1.0 for score in after])


def _better(before: list[float], after: list[float], limit: float, seed: int) -> Check:
    if not before:
        return Check(name="better", passed=False, text="there are no held-back examples to compare on", limit=limit)
    if _right_or_wrong(before, after):
        pairs = _pairs(before, after)
        p = mcnemar(pairs)
        seen = (
            f"it gains {pairs.gained} and loses {pairs.lost} of {pairs.rows:,} held-back rows ({pairs.difference:+.1%})"
        )
    else:
        p = paired_bootstrap(before, after, seed=seed)
        seen = f"its mean score on {len(before):,} held-back rows is {_mean(after):.3f}, the live model's {_mean(before):.3f}"
    passed = p <= limit
    words = "better" if passed else "not shown to be better"
    return Check(
        name="better", passed=passed, value=p, limit=limit, text=f"{words}: {seen}, p = {p:.2g}, limit {limit:.2g}"
    )


def _regression(regression: tuple[Scored, Scored] | None, settings: GateSettings, seed: int) -> Check:
    if regression is None or not regression[0].scores:
        return Check(name="regression", passed=None, text="there is no regression set")
    before, after = _aligned(*regression, "rows of the regression set")
    margin, limit = settings.regression_margin, settings.regression_error
    if _right_or_wrong(before, after):
        pairs = _pairs(before, after)
        p, change = not_worse(pairs, margin=margin), pairs.difference
    else:
        p, change = paired_bootstrap(before, after, seed=seed, margin=margin), _mean(after) - _mean(before)
    passed = p <= limit
    words = "no loss" if passed else "a loss is not ruled out"
    text = f"{words} on the regression set of {len(before):,} rows: {change:+.1%}, margin {margin:.1%}, p = {p:.2g}, limit {limit:.2g}"
    return Check(name="regression", passed=passed, value=p, limit=limit, text=text)


def _calibration(live: Scored, candidate: Scored, settings: GateSettings) -> Check:
    if live.ece is None or candidate.ece is None:
        return Check(name="calibration", passed=None, text="calibration was not measured")
    worse = candidate.ece - live.ece
    passed = worse <= settings.ece_margin
    text = f"calibration error {candidate.ece:.3f}, the live model's {live.ece:.3f}, allowed {settings.ece_margin:+.3f}"
    return Check(name="calibration", passed=passed, value=worse, limit=settings.ece_margin, text=text)


def _latency(live: Scored, candidate: Scored, settings: GateSettings) -> Check:
    if not live.latency_ms or candidate.latency_ms is None:
        return Check(name="latency", passed=None, text="latency was not measured")
    ratio = candidate.latency_ms / live.latency_ms
    passed = ratio <= settings.latency_ratio or candidate.latency_ms - live.latency_ms <= _LATENCY_SLACK_MS
    text = f"a prediction takes {candidate.latency_ms:.2f} ms, the live model's {live.latency_ms:.2f} ms"
    return Check(name="latency", passed=passed, value=ratio, limit=settings.latency_ratio, text=text)


def _lists(lists: ListComparison, limit: float) -> Check:
    """Say whether the lists show a gain (passed), a loss (failed), or neither."""
    found = lists.difference
    seen = (
        f"with {lists.lists:,} lists shown to {lists.people:,} held-back people it would have earned {lists.live + found.value:.3f} "
        f"welcome items a list, {found.value:+.3f} ({found.low:+.3f} to {found.high:+.3f}, doubly robust; "
        f"{lists.effective:,.0f} effective lists)"
    )
    if lists.lists < _LEAST_LISTS or lists.coverage < _LEAST_COVERAGE:
        few = lists.lists < _LEAST_LISTS
        why = (
            f"{_LEAST_LISTS - lists.lists} more lists are needed"
            if few
            else (f"only {lists.coverage:.0%} of what it would show could have been shown, so that lists cannot tell")
        )
        return Check(name="lists", passed=None, value=lists.p_better, limit=limit, text=f"{why}: {seen}")
    if lists.p_better <= limit:
        return Check(name="lists", passed=True, value=lists.p_better, limit=limit, text=f"better: {seen}")
    if lists.p_worse <= limit:
        return Check(name="lists", passed=False, value=lists.p_worse, limit=limit, text=f"worse: {seen}")
    more = f"; about {lists.more:,} more lists would tell" if lists.more else ""
    return Check(name="lists", passed=None, value=lists.p_better, limit=limit, text=f"not told: {seen}{more}")


def _missing_rows(before: list[float], after: list[float], limit: float) -> int:
    """Return how many more rows would tell, if what they show so far is true; 0 where they show no gain worth waiting for."""
    rows = len(before)
    if not rows:
        return rows_needed(difference=_LIKELY_GAIN, disagreement=_LIKELY_DISAGREEMENT, error=limit)
    change = _mean(after) - _mean(before)
    if change <= 0:
        return 0
    disagreement = max(sum(abs(now - then) for then, now in zip(before, after, strict=True)) / rows, change)
    return max(0, rows_needed(difference=change, disagreement=disagreement, error=limit) - rows)


def _mean(scores: list[float]) -> float:
    return sum(scores) / len(scores)
