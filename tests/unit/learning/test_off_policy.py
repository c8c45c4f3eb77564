"""Estimates of a ranker's worth from another one's lists, against the truth of a simulation."""

from __future__ import annotations

from datetime import UTC, datetime

import numpy as np
import pytest
from rejoinder.errors import InvalidInputError
from rejoinder.learning.gate import Scored, judge
from rejoinder.learning.gate.report_card import markdown
from rejoinder.learning.off_policy import LoggedLists, compare_lists, doubly_robust, ips, snips
from rejoinder.payloads import Candidate, Decision, ListWeights, ShownList
from rejoinder.settings import GateSettings

ITEMS, DEPTH = 6, 3
NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)


class World:
    """People of two kinds who like other items; positions below are looked at less. Truths are exact, not estimated."""

    def __init__(self, seed: int) -> None:
        random = np.random.default_rng(seed)
        self.welcome = random.uniform(0.05, 0.6, (2, ITEMS))
        self.seen = np.array([1.0, 0.7, 0.4])
        self.logging = np.stack([random.dirichlet(np.full(ITEMS, 2.0), DEPTH) for _ in range(2)])
        self.new = np.stack([random.dirichlet(np.full(ITEMS, 1.0), DEPTH) for _ in range(2)])

    def worth(self, policy: np.ndarray) -> float:
        return float(np.einsum("cki,ci,k->", policy, self.welcome, self.seen) / 2)

    def shown(
        self, count: int, seed: int, *, policy: np.ndarray | None = None
    ) -> tuple[list[ShownList], dict[str, ListWeights]]:
        """Return lists of `count` people, and what a policy would have done, with a model of rewards that is wrong by a tenth."""
        random, policy = np.random.default_rng(seed), self.new if policy is None else policy
        model = np.clip(self.welcome + 0.1, 0, 1)
        lists, weights = [], {}
        for number in range(count):
            kind = number % 2
            items = [int(random.choice(ITEMS, p=self.logging[kind, k])) for k in range(DEPTH)]
            was = [float(self.logging[kind, k, item]) for k, item in enumerate(items)]
            rewards = [float(random.random() < self.welcome[kind, item] * self.seen[k]) for k, item in enumerate(items)]
            decision = Decision(
                id=f"d{number}",
                kind="list",
                task="recommendation",
                at=NOON,
                user_id=f"u{number % max(1, count // 2)}",
                candidates=tuple(
                    Candidate(id=str(one), score=0.0, propensity=p) for one, p in zip(items, was, strict=True)
                ),
                chosen=tuple(map(str, items)),
            )
            lists.append(ShownList(decision=decision, rewards=tuple(rewards)))
            weights[decision.id] = ListWeights(
                weights=tuple(float(policy[kind, k, item]) / was[k] for k, item in enumerate(items)),
                predicted=tuple(float(model[kind, item] * self.seen[k]) for k, item in enumerate(items)),
                predicted_own=float(np.einsum("ki,i,k->", policy[kind], model[kind], self.seen)),
            )
        return lists, weights


def test_every_estimate_comes_near_the_truth_and_its_interval_holds_it_mostly() -> None:
    inside = dict.fromkeys(("ips", "snips", "doubly robust"), 0)
    values: dict[str, list[float]] = {name: [] for name in inside}
    world = World(0)
    truth = world.worth(world.new)
    for seed in range(40):
        found = compare_lists(*world.shown(600, seed), seed=seed, error=0.05)
        assert found is not None
        for one in found.estimates:
            values[one.name].append(one.value)
            inside[one.name] += one.low <= truth <= one.high
    assert all(abs(np.mean(some) - truth) < 0.03 for some in values.values()), (truth, values)
    assert all(count >= 34 for count in inside.values()), inside
    assert np.std(values["doubly robust"]) < np.std(values["ips"])


def test_estimates_by_hand() -> None:
    lists = LoggedLists(
        rewards=np.array([[1.0, 0.0], [1.0, 1.0]]),
        weights=np.array([[2.0, 1.0], [0.0, 0.5]]),
        predicted=np.array([[0.5, 0.5], [0.5, 0.5]]),
        predicted_own=np.array([1.0, 1.0]),
        people=np.array([0, 1]),
        lengths=np.array([2, 2]),
    )
    assert ips(lists, seed=0).value == pytest.approx((2.0 + 0.5) / 2)
    assert snips(lists, seed=0).value == pytest.approx(2 / 2 + 0.5 / 1.5)
    assert doubly_robust(lists, seed=0).value == pytest.approx(((1 + 1 - 0.5) + (1 + 0.25)) / 2)
    assert lists.coverage == pytest.approx(3.5 / 4)
    assert lists.effective == pytest.approx(3.5**2 / 5.25 / 2)


def test_what_does_not_fit_is_refused() -> None:
    one = np.ones((1, 1))
    with pytest.raises(InvalidInputError, match="finite"):
        LoggedLists(one, -one, one, np.ones(1), np.zeros(1, dtype=int), np.ones(1, dtype=int))
    with pytest.raises(InvalidInputError, match="no lists"):
        LoggedLists(one[:0], one[:0], one[:0], np.ones(0), np.zeros(0, dtype=int), np.ones(0, dtype=int))
    assert compare_lists([], {}, seed=0, error=0.05) is None


def _verdict(policy: str, count: int):
    world = World(1)
    best = np.zeros_like(world.new)
    for kind in range(2):
        order = np.argsort(world.welcome[kind] if policy == "worst" else -world.welcome[kind])
        for k in range(DEPTH):
            best[kind, k] = 0.3 * world.logging[kind, k]
            best[kind, k, order[0]] += 0.7
    found = compare_lists(*world.shown(count, 0, policy=best), seed=0, error=0.025)
    rows = {str(row): 0.5 for row in range(50)}
    return judge(Scored(scores=rows), Scored(scores=rows), settings=GateSettings(), lists=found)


def test_the_gate_lets_through_what_lists_show_to_be_better_and_stops_what_they_show_to_be_worse() -> None:
    better, worse = _verdict("best", 1000), _verdict("worst", 1000)
    assert better.decision == "promote", better.reason
    assert worse.decision == "reject"
    assert "worse: with 1,000 lists" in worse.reason
    card = markdown("recommend-2", {**_as_dict(better)})
    assert "| snips |" in card
    assert "effective lists" in card


def test_too_few_lists_tell_nothing_and_it_is_said_how_many_more_would() -> None:
    few = _verdict("best", 20)
    assert few.checks[-1].passed is None
    assert "10 more lists are needed" in few.checks[-1].text
    some = _verdict("best", 60)
    assert some.checks[-1].passed is not None or "more lists would tell" in some.checks[-1].text


def _as_dict(verdict: object) -> dict[str, object]:
    from dataclasses import asdict

    return asdict(verdict)  # type: ignore[call-overload]
