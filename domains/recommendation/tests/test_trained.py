"""A trained recommender on disk, and its lists."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest
from rejoinder.cli import app
from rejoinder.errors import InvalidInputError, ModelIntegrityError
from rejoinder.events.settings import TenantEventSettings
from rejoinder.items.catalogue import BehaviourLog, Catalogue, CatalogueItem
from rejoinder.models.artefact import load_artefact, save_artefact
from rejoinder_recommendation.features import add_content
from rejoinder_recommendation.histories import Histories
from rejoinder_recommendation.item_content import ItemContent, attribute_graph
from rejoinder_recommendation.journal import open_journal
from rejoinder_recommendation.recommender import fit_recommender
from rejoinder_recommendation.trained import KIND, TrainedRecommender, train_recommender
from rejoinder_recommendation.training.data import training_data
from typer.testing import CliRunner

PER_TOPIC = 10
ITEMS = [f"{topic}-{number}" for topic in "abc" for number in range(PER_TOPIC)]


@pytest.fixture(scope="module")
def trained() -> TrainedRecommender:
    """Each of 30 users has six items of one topic of three."""
    random = np.random.default_rng(0)
    items = np.concatenate([random.permutation(PER_TOPIC)[:6] + PER_TOPIC * (user % 3) for user in range(30)])
    events = Histories(np.arange(0, 181, 6), items, np.arange(180.0), len(ITEMS))
    attributes = attribute_graph([{"topic": [item[0]]} for item in ITEMS], {})
    vectors = np.eye(3)[[ord(item[0]) - ord("a") for item in ITEMS]]
    return train_recommender(events, ItemContent(vectors, *attributes), ITEMS, seed=0, encoder="none")


def test_attributes_are_those_that_lists_and_the_graph_have() -> None:
    said = {"data": {"director": "Ang Lee|Mira Nair", "bought_together": "b|none", "page": "https://a.example/1"}}
    items = [CatalogueItem("a", "A", "", said, available=True), CatalogueItem("b", "B", "", {}, available=True)]
    nothing = BehaviourLog(np.zeros(0, dtype=np.int64), (), (), (), np.zeros(0))
    noon = datetime(2026, 3, 2, 12, tzinfo=UTC)
    shop = Catalogue(items, np.zeros((2, 3), dtype=np.float32))
    data = training_data(shop, nothing, TenantEventSettings(), until=noon, hold_back_every=10)
    assert data.content.attributes.toarray().sum(axis=1).tolist() == [4, 0]
    assert data.content.links.toarray().tolist() == [[0, 1], [1, 0]]


def test_a_list_is_of_what_fits_and_holds_no_item_of_the_history(trained: TrainedRecommender) -> None:
    found = trained.rank([("b-1", 200.0), ("b-2", 201.0), ("unheard of", 202.0)], 5)

    assert {one.item[0] for one in found} == {"b"}
    assert not {one.item for one in found} & {"b-1", "b-2"}
    assert [one.score for one in found] == sorted((one.score for one in found), reverse=True)
    assert {one.item for one in trained.rank([("b-1", 200.0)], 30, repeat=True)} == set(ITEMS)


def test_the_shortened_ranking_is_the_whole_one(trained: TrainedRecommender) -> None:
    query = Histories(np.array([0, 2]), np.array([11, 12]), np.array([200.0, 201.0]), len(ITEMS))
    ranked = np.ones((1, len(ITEMS)), dtype=bool)
    scores = trained.recommender.scores(query, ranked)[0]

    best, found = trained.recommender.best(query, ranked[0], 7)

    assert found == pytest.approx(np.sort(scores)[::-1][:7])
    assert scores[best] == pytest.approx(found)


def test_filters_hold_and_may_leave_nothing(trained: TrainedRecommender) -> None:
    history = [("a-0", 1.0)]

    assert {one.item for one in trained.rank(history, 9, only=["c-1", "a-1", "a-0", "z"])} == {"a-1", "c-1"}
    assert "a-1" not in {one.item for one in trained.rank(history, 30, without=["a-1"])}
    assert trained.rank(history, 9, only=[]) == []
    assert len(trained.rank([], 3)) == 3
    with pytest.raises(InvalidInputError, match="count must be at least 1, not 0"):
        trained.rank(history, 0)


def test_what_is_loaded_ranks_as_what_was_saved(trained: TrainedRecommender, tmp_path: Path) -> None:
    history = [("c-1", 5.0), ("a-2", 4.0)]
    trained.save(tmp_path / "model")

    loaded = TrainedRecommender.load(tmp_path / "model")

    assert loaded.rank(history, 10) == trained.rank(history, 10)
    assert loaded.fingerprint == trained.fingerprint
    assert (loaded.items, loaded.seed, loaded.encoder) == (trained.items, 0, "none")
    assert loaded.recommender.settings == trained.recommender.settings
    next((tmp_path / "model").glob("*.safetensors")).write_bytes(b"damaged")
    with pytest.raises(ModelIntegrityError, match="damaged"):
        TrainedRecommender.load(tmp_path / "model")


def test_a_training_that_was_interrupted_goes_on_from_what_was_chosen(tmp_path: Path) -> None:
    random = np.random.default_rng(0)
    items = np.concatenate([random.permutation(PER_TOPIC)[:6] for _ in range(12)])
    events = Histories(np.arange(0, 73, 6), items, np.arange(72.0), PER_TOPIC)
    content = ItemContent.of_texts(np.eye(PER_TOPIC))
    counts: list[int] = []

    def killed(count: int) -> None:
        if count == 9:
            raise KeyboardInterrupt

    def train(told: Callable[[int], None]) -> TrainedRecommender:
        journal = open_journal(tmp_path / "run.json", told=told)
        return train_recommender(events, content, ITEMS[:PER_TOPIC], seed=0, encoder="none", journal=journal)

    with pytest.raises(KeyboardInterrupt):
        train(killed)
    resumed = train(counts.append)

    assert counts[-1] == 2 + 6 * 4 + 8, "of two kinds, the settings are known"
    whole = train_recommender(events, content, ITEMS[:PER_TOPIC], seed=0, encoder="none")
    assert resumed.rank([("a-1", 1.0)], 5) == whole.rank([("a-1", 1.0)], 5)


def users_with_three_items(count: int) -> Histories:
    random = np.random.default_rng(0)
    items = np.concatenate([random.permutation(PER_TOPIC)[:3] for _ in range(count)])
    return Histories(np.arange(0, 3 * count + 1, 3), items, np.arange(3.0 * count), PER_TOPIC)


def test_ten_users_with_three_items_are_enough_and_nine_are_not() -> None:
    content = ItemContent.of_texts(np.eye(PER_TOPIC))

    assert len(fit_recommender(users_with_three_items(10), content, seed=0).sources) == 8
    with pytest.raises(
        InvalidInputError, match="9 users have 3 or more different items left to learn from, and a ranker needs 10"
    ):
        fit_recommender(users_with_three_items(9), content, seed=0)


def test_the_weights_depend_on_the_length_of_the_history(trained: TrainedRecommender) -> None:
    recommender = trained.recommender
    evidence = recommender.evidence
    long, short = recommender.ranker.weights
    assert not np.array_equal(long, short)
    query = Histories(np.array([0, 1, 8]), np.array([11, 10, 12, 13, 14, 15, 16, 11]), np.full(8, 200.0), len(ITEMS))
    ranked = np.ones((2, len(ITEMS)), dtype=bool)
    scores = evidence.scores(query)

    found = recommender.scores(query, ranked)

    for row, weights in enumerate([short, (long + short) / 2]):
        of_row = {name: one[row] for name, one in scores.items()}
        features = evidence.features(of_row, 200.0, ranked[row], np.arange(len(ITEMS)))
        add_content(features, recommender.content)
        assert found[row] == pytest.approx(features @ weights)


def test_a_model_of_an_earlier_version_is_refused(trained: TrainedRecommender, tmp_path: Path) -> None:
    trained.save(tmp_path)
    arrays, said = load_artefact(tmp_path, kind=KIND)
    save_artefact(tmp_path, kind="recommender/1", arrays=arrays, settings=said)

    with pytest.raises(ModelIntegrityError, match=r"kind 'recommender/1', expected 'recommender/2'.*fit it again"):
        TrainedRecommender.load(tmp_path)


def test_the_command_lists_what_the_model_says(trained: TrainedRecommender, tmp_path: Path) -> None:
    trained.save(tmp_path)
    command = ["recommender", "rank", "--folder", str(tmp_path), "--history", "b-1", "--count", "4", "--without", "b-3"]

    done = CliRunner().invoke(app, [*command, "--json"], catch_exceptions=False)

    assert done.exit_code == 0, done.output
    listed = json.loads(done.stdout)
    assert len(listed) == 4
    assert all(one["item"] not in {"b-1", "b-3"} for one in listed)
