"""`rejoinder evaluate recommend`: every source and the ranker over them, on every user's last item."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
from rejoinder.errors import InvalidInputError
from rejoinder.learning.evaluation_report import EvaluationReport, versions
from rejoinder.models.encoding.service import TextEncoder

from rejoinder_recommendation.candidates import SETTINGS, SOURCES, Settings, places, slices
from rejoinder_recommendation.encoded_items import content_of
from rejoinder_recommendation.histories import Ints
from rejoinder_recommendation.hold_out import (
    CLICKS,
    HoldOut,
    cold_share_of,
    hold_out_cold_items,
    hold_out_cold_users,
    hold_out_last,
    without_cold,
)
from rejoinder_recommendation.item_content import ItemContent
from rejoinder_recommendation.ranking_metrics import CUT, bootstrap_interval, ndcg, ranks, recall
from rejoinder_recommendation.rating_files import DEFAULT_SCALE, RatingFiles, read_rating_files
from rejoinder_recommendation.recommender import Recommender, fit_recommender

__all__ = ["OURS", "ModelFigures", "RecommendReport", "evaluate_recommend"]

OURS: Final = "ours"


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelFigures:
    """One model's figures.

    Attributes:
        model: a kind of source, or "ours".
        settings: chosen within the training part, among `choices` settings.
        ndcg_at_10, recall_at_10: means over users.
        cold_recall_at_10: among cold items; None without them.
        cold_user_ndcg_at_10, cold_user_recall_at_10: of users of whom three events are known and nothing was learned; None without them.
        ours_ahead: mean of the difference "ours - this one" in NDCG@10, and `ours_ahead_low`, `ours_ahead_high` its 95 % interval by
            paired bootstrap over users; None for ours.
    """

    model: str
    settings: Settings
    choices: int
    ndcg_at_10: float
    recall_at_10: float
    cold_recall_at_10: float | None
    cold_user_ndcg_at_10: float | None
    cold_user_recall_at_10: float | None
    ours_ahead: float | None
    ours_ahead_low: float | None
    ours_ahead_high: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class RecommendReport(EvaluationReport):
    """What an evaluation found.

    Attributes:
        ndcg_at_10, recall_at_10: ours, over users with at least two items; their last is to be found among all items that they have not
            seen.
        cold_recall_at_10: ours, trained without the cold items and ranking among them; `random_cold_recall_at_10` what a random order
            has on average; None without `cold_share`.
        cold_user_recall_at_10: ours, of the fourth event of users of whom three are known and nothing was learned; None without
            `cold_share`.
        models: all models, ours last.
        weights: of our ranker, by feature.
        users, items, events: how many; `events` after repeats.
        tested, cold_tested, cold_users_tested: users that count in the figures; `cold` how many items are cold.
        repeats: ratings replaced by a later one of the same user and item.
        unknown_items: items that the ratings name and the items file does not; they are ranked without text.
        seed, cold_share, scale: as asked.
        seconds: for training and ranking of all models, `encoding_seconds` for the texts.
        sha256: of the files read.
    """

    ndcg_at_10: float
    recall_at_10: float
    cold_recall_at_10: float | None
    random_cold_recall_at_10: float | None
    cold_user_recall_at_10: float | None
    models: tuple[ModelFigures, ...]
    weights: Mapping[str, float]
    users: int
    items: int
    events: int
    tested: int
    cold: int
    cold_tested: int
    cold_users_tested: int
    repeats: int
    unknown_items: tuple[str, ...]
    seed: int
    cold_share: float
    scale: tuple[float, float]
    encoder: str
    encoding_seconds: float
    seconds: float
    sha256: str
    versions: Mapping[str, str]


def evaluate_recommend(
    ratings: Path | str,
    items: Path | str,
    *,
    encoder: TextEncoder,
    seed: int = 0,
    cold_share: float = 0.0,
    scale: tuple[float, float] = DEFAULT_SCALE,
) -> RecommendReport:
    """Train on all but every user's last item, and rank it among all that the user has not seen; ties count against the model.

    Args:
        ratings: CSV `user,item,rating,timestamp`.
        items: CSV `item,title,text`, and further columns for attributes.
        encoder: of the texts.
        seed: of what is drawn.
        cold_share: 0 to below 1; above 0 a second training leaves so many of the items and of the users out, ranks among those items,
            and asks about those users after three events.
        scale: lowest and highest rating.

    Raises:
        InvalidInputError: files cannot be read, or hold too little to learn from or to test.
    """
    if not 0 <= cold_share < 1:
        raise InvalidInputError(f"--cold-share must be at least 0 and below 1, not {cold_share:g}")
    files = read_rating_files(Path(ratings), Path(items), scale=scale)
    begun = time.perf_counter()
    content = content_of(files, encoder)
    encoding_seconds = time.perf_counter() - begun
    begun = time.perf_counter()
    hold_out = hold_out_last(files.histories)
    recommender = fit_recommender(hold_out.training, content, seed=seed)
    found = _places(recommender, hold_out)
    cold = _cold(files, content, cold_share, seed) if cold_share else None
    models = tuple(_figures(name, recommender, found, cold, seed) for name in (*SOURCES, OURS))
    ours = models[-1]
    return RecommendReport(
        ndcg_at_10=ours.ndcg_at_10,
        recall_at_10=ours.recall_at_10,
        cold_recall_at_10=ours.cold_recall_at_10,
        random_cold_recall_at_10=None if cold is None else cold.by_chance,
        cold_user_recall_at_10=ours.cold_user_recall_at_10,
        models=models,
        weights=recommender.weights,
        users=len(files.histories),
        items=len(files.items),
        events=len(files.histories.items),
        tested=len(hold_out),
        cold=0 if cold is None else cold.items,
        cold_tested=0 if cold is None else len(cold.by_item[OURS]),
        cold_users_tested=0 if cold is None else len(cold.by_user[OURS]),
        repeats=files.repeats,
        unknown_items=files.unknown,
        seed=seed,
        cold_share=cold_share,
        scale=scale,
        encoder=encoder.name,
        encoding_seconds=encoding_seconds,
        seconds=time.perf_counter() - begun,
        sha256=files.sha256,
        versions=versions(),
    )


@dataclass(frozen=True, slots=True)
class _Cold:
    """How many items are cold, places of the items to be found by model, and Recall@10 of a random order of cold items."""

    items: int
    by_item: Mapping[str, Ints]
    by_user: Mapping[str, Ints]
    by_chance: float


def _cold(files: RatingFiles, content: ItemContent, share: float, seed: int) -> _Cold:
    cold, cold_users = cold_share_of(files.items, share), cold_share_of(files.users, share)
    training = without_cold(files.histories, cold, cold_users)
    by_item = hold_out_cold_items(files.histories, cold, training)
    by_user = hold_out_cold_users(files.histories, cold, cold_users, training)
    for tested, what in (
        (by_item, "user has a cold item after another one"),
        (by_user, f"cold user has more than {CLICKS} items"),
    ):
        if not len(tested):
            raise InvalidInputError(f"no {what}; choose a larger --cold-share than {share:g}, or bring more ratings")
    recommender = fit_recommender(training, content, seed=seed)
    ranked = np.concatenate([ranked.sum(axis=1) for _, _, ranked in slices(by_item)])
    return _Cold(
        int(cold.sum()),
        _places(recommender, by_item),
        _places(recommender, by_user),
        float(np.minimum(CUT / ranked, 1).mean()),
    )


def _places(recommender: Recommender, hold_out: HoldOut) -> dict[str, Ints]:
    """Return the place of every held-out item, by model."""
    found = {name: places(hold_out, source.scores) for name, source in recommender.sources.items()}
    ours = [
        ranks(recommender.scores(queries, ranked), ranked, hold_out.targets[rows])
        for rows, queries, ranked in slices(hold_out)
    ]
    return {**found, OURS: np.concatenate(ours)}


def _figures(
    name: str, recommender: Recommender, found: Mapping[str, Ints], cold: _Cold | None, seed: int
) -> ModelFigures:
    gains, ours = ndcg(found[name]), ndcg(found[OURS])
    low, high = (None, None) if name == OURS else bootstrap_interval(ours, gains, seed=seed)
    return ModelFigures(
        model=name,
        settings=recommender.settings.get(name, {"penalty": recommender.ranker.penalty}),
        choices=len(SETTINGS.get(name, ())),
        ndcg_at_10=float(gains.mean()),
        recall_at_10=float(recall(found[name]).mean()),
        cold_recall_at_10=float(recall(cold.by_item[name]).mean()) if cold else None,
        cold_user_ndcg_at_10=float(ndcg(cold.by_user[name]).mean()) if cold else None,
        cold_user_recall_at_10=float(recall(cold.by_user[name]).mean()) if cold else None,
        ours_ahead=None if name == OURS else float((ours - gains).mean()),
        ours_ahead_low=low,
        ours_ahead_high=high,
    )
