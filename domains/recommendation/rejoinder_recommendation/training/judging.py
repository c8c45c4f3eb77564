"""Judge a recommender by people whom no training saw: what they did next, and the lists that they were shown."""

from __future__ import annotations

import asyncio
import hashlib
import time
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from rejoinder.items.behaviour import strength
from rejoinder.learning.version_folder import HEAD
from rejoinder.payloads import Decision, Evaluation, EvaluationRequest, Event, ListWeights, ShownList

from rejoinder_recommendation.conversation.item_index import ItemIndex
from rejoinder_recommendation.learner import RecommenderLearner
from rejoinder_recommendation.lists.asked import asked_odds, is_asked
from rejoinder_recommendation.lists.person import person_from
from rejoinder_recommendation.lists.ranking import ListPlan, plan_list
from rejoinder_recommendation.lists.shelf import Shelf
from rejoinder_recommendation.lists.trained_part import TrainedOnShelf
from rejoinder_recommendation.lists.wish import Wish, allowed_items, wish_of
from rejoinder_recommendation.settings import RecommendationSettings
from rejoinder_recommendation.training.data import held_back_people, up_to
from rejoinder_recommendation.training.reward_model import fit_by_folds

if TYPE_CHECKING:
    from rejoinder.context import Context
    from rejoinder.events.settings import TenantEventSettings
    from rejoinder.items.catalogue import BehaviourLog, Catalogue

    from rejoinder_recommendation.histories import Bools, Floats

__all__ = ["judge_recommender"]

_MOST_PEOPLE: Final = 1000
_MOST_LISTS: Final = 2000
_PLACES: Final = 10
_DRAWS: Final = 128
"""Of the weights, for a model's own chances: more than for a list that is shown, since they are compared and not drawn from."""
_MOST_EVENTS: Final = 200
_MOST_BEFORE: Final = 30
"""As much of a person is read for a list that is shown."""


async def judge_recommender(request: EvaluationRequest, context: Context) -> Evaluation:
    """Score a version's lists.

    `scores` are those of people who are held back: 1 / log2(1 + place) of the item that they turned to last in the list that would have
    been made a moment before, 0 where it is not among the first 10 (NDCG@10). `lists` are what the version would have done where the
    request's lists were shown.

    Raises:
        ModelIntegrityError: a file of the version is missing or damaged.
    """
    learner = await asyncio.to_thread(RecommenderLearner.load, Path(request.folder) / HEAD)
    items = context.items
    if items is None:
        return Evaluation(metrics={})
    lists = request.lists[-_MOST_LISTS:]
    texts = {one.decision.input for one in lists if one.decision.input}
    vectors = {text: await context.models.encode(text) for text in sorted(texts)}
    catalogue, log = await items.catalogue(), await items.behaviour()
    settings = context.settings or RecommendationSettings()
    return await asyncio.to_thread(
        _judged, request, lists, learner, catalogue, log, items.rules, settings, vectors, context.tenant
    )


def _judged(
    request: EvaluationRequest,
    lists: Sequence[ShownList],
    learner: RecommenderLearner,
    catalogue: Catalogue,
    log: BehaviourLog,
    rules: TenantEventSettings,
    settings: RecommendationSettings,
    vectors: Mapping[str, Any],
    tenant: str,
) -> Evaluation:
    bench = _Bench.of(request, learner, catalogue, log, rules, settings)
    started = time.thread_time()
    scores = _next_items(bench, tenant)
    seconds = time.thread_time() - started
    metrics = {"people": float(len(scores)), "lists": float(len(lists))}
    if scores:
        metrics["ndcg_at_10"] = sum(scores.values()) / len(scores)
    if scores and bench.trained is not None:  # the first trained one is not refused for taking longer than none
        metrics["predict_ms"] = seconds * 1e3 / len(scores)
    return Evaluation(metrics=metrics, scores=scores, lists=_list_weights(bench, lists, vectors))


@dataclass(slots=True, eq=False)
class _Bench:
    """A shelf that knows nothing of the people who are held back, a version's recommender on it, and what these people did.

    Attributes:
        events: by person who is held back, oldest first.
    """

    shelf: Shelf
    trained: TrainedOnShelf | None
    events: Mapping[str, Sequence[Event]]
    rules: TenantEventSettings
    settings: RecommendationSettings
    _index: ItemIndex | None = None

    @classmethod
    def of(
        cls,
        request: EvaluationRequest,
        learner: RecommenderLearner,
        catalogue: Catalogue,
        log: BehaviourLog,
        rules: TenantEventSettings,
        settings: RecommendationSettings,
    ) -> _Bench:
        held = held_back_people(log, request.hold_back_every)[log.people]
        if request.until is not None:
            log, held = log.keep(up_to(log, request.until)), held[up_to(log, request.until)]
        shelf = Shelf(catalogue, log.keep(~held), lambda kind, data: strength(kind, data, rules))
        trained = None if learner.trained is None else TrainedOnShelf(learner.trained, shelf)
        events: defaultdict[str, list[Event]] = defaultdict(list)
        theirs = log.keep(held)
        for row in np.argsort(theirs.seconds, kind="stable").tolist():
            events[theirs.names[theirs.people[row]]].append(_event(theirs, row))
        return cls(shelf, trained, events, rules, settings)

    def plan(
        self,
        events: Sequence[Event],
        lists: Sequence[Decision],
        wish: Wish,
        *,
        limit: int,
        now: float,
        text: str = "",
        vector: Floats | None = None,
        explore: bool = False,
        seed: int = 0,
    ) -> ListPlan:
        """Return what the version would have made a list of."""
        person = person_from(self.shelf, events[-_MOST_EVENTS:], lists[-_MOST_BEFORE:], self.strength, wish.like)
        allowed: Bools = allowed_items(self.shelf, wish, self.settings)
        return plan_list(
            self.shelf,
            person,
            allowed,
            self.settings,
            limit=limit,
            now=now,
            asked=self.asked(wish, text, vector),
            trained=None if self.trained is None else self.trained.says(person, allowed),
            explore=explore,
            noise=np.random.default_rng(seed),
            draws=_DRAWS,
        )

    def asked(self, wish: Wish, text: str, vector: Floats | None) -> Floats | None:
        """Return the odds of the items by what was asked for; None: nothing was."""
        if not is_asked(self.shelf, wish, text):
            return None
        if self._index is None:
            self._index = ItemIndex(self.shelf.catalogue)
        return asked_odds(self._index, self.shelf, wish, text, vector)

    def strength(self, kind: str, data: Any) -> float:
        """Return how much an event speaks for its item."""
        return strength(kind, data, self.rules)


def _event(log: BehaviourLog, row: int) -> Event:
    from datetime import UTC, datetime

    at = datetime.fromtimestamp(float(log.seconds[row]), UTC)
    return Event(id=f"row-{row}", kind=log.kinds[row], at=at, item_id=log.items[row], data=log.data[row] or {})


def _next_items(bench: _Bench, tenant: str) -> dict[str, float]:
    """Return how near the top of the list stands what each person turned to last, by a name that says nothing of them."""
    found: dict[str, float] = {}
    by_hash = sorted((hashlib.sha256(f"{tenant}\x00{name}".encode()).hexdigest(), name) for name in bench.events)
    for digest, name in by_hash:
        events = bench.events[name]
        last = next((one for one in reversed(events) if bench.strength(one.kind, one.data) > 0), None)
        if last is None:
            continue
        before = [one for one in events if one.at < last.at and one.item_id != last.item_id]
        place = bench.shelf.catalogue.place.get(last.item_id or "")
        if place is None or not any(bench.strength(one.kind, one.data) > 0 for one in before):
            continue
        plan = bench.plan(before, (), Wish(), limit=_PLACES, now=last.at.timestamp())
        listed = [*plan.pinned, *plan.pool[plan.orders[0]].tolist()]
        score = 1 / np.log2(2 + listed.index(place)) if place in listed else 0.0
        row = hashlib.sha256(f"{digest}\x00{last.item_id}\x00{last.at.isoformat()}".encode()).hexdigest()[:24]
        found[row] = float(score)
        if len(found) == _MOST_PEOPLE:
            break
    return found


def _list_weights(bench: _Bench, lists: Sequence[ShownList], vectors: Mapping[str, Any]) -> dict[str, ListWeights]:
    """Return what the version would have done where these lists were shown."""
    before: defaultdict[str, list[Decision]] = defaultdict(list)
    planned: list[tuple[ShownList, ListPlan, list[float], Floats]] = []
    for one in lists:
        decision = one.decision
        name = decision.user_id or ""
        logged = [candidate.propensity for candidate in decision.candidates]
        places = [bench.shelf.catalogue.place.get(item, -1) for item in decision.chosen]
        if decision.filters is not None and places and len(logged) == len(places) and all(logged) and min(places) >= 0:
            events = [event for event in bench.events.get(name, ()) if event.at < decision.at]
            plan = bench.plan(
                events,
                before[name],
                wish_of(decision.filters),
                limit=len(places),
                now=decision.at.timestamp(),
                text=decision.input,
                vector=vectors.get(decision.input),
                explore=True,
                seed=int(hashlib.sha256(decision.id.encode()).hexdigest()[:8], 16),
            )
            score_of = dict(zip(plan.pool.tolist(), plan.scores.tolist(), strict=True))
            least = min(score_of.values(), default=0.0)
            scores = np.array([score_of.get(place, least) for place in places])
            weights = [chance / float(was or 1) for chance, was in zip(plan.chances(places), logged, strict=True)]
            planned.append((one, plan, weights, scores))
        before[name].append(decision)
    return _with_predictions(planned)


def _with_predictions(planned: Sequence[tuple[ShownList, ListPlan, list[float], Floats]]) -> dict[str, ListWeights]:
    if not planned:
        return {}
    folds = [_fold(one.decision) for one, *_ in planned]
    lengths = [len(scores) for *_, scores in planned]
    models = fit_by_folds(
        np.concatenate([scores for *_, scores in planned]),
        np.concatenate([np.arange(length) for length in lengths]),
        np.concatenate([one.rewards for one, *_ in planned]),
        np.repeat(folds, lengths),
    )
    found = {}
    for (one, plan, weights, scores), fold in zip(planned, folds, strict=True):
        model = models[fold]
        own = plan.scores[plan.orders]
        positions = np.broadcast_to(np.arange(own.shape[1]) + len(plan.pinned), own.shape)
        predicted_own = model.predict(own.ravel(), positions.ravel()).reshape(own.shape).sum(axis=1).mean()
        if plan.pinned:
            pinned = model.predict(np.ones(len(plan.pinned)), np.arange(len(plan.pinned)))
            predicted_own += pinned.sum()
        found[one.decision.id] = ListWeights(
            weights=tuple(weights),
            predicted=tuple(model.predict(scores, np.arange(len(scores))).tolist()),
            predicted_own=float(predicted_own),
        )
    return found


def _fold(decision: Decision) -> int:
    return hashlib.sha256((decision.user_id or decision.id).encode()).digest()[0] & 1
