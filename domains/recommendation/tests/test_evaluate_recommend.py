"""`rejoinder evaluate recommend`, over files and through the command line."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from rejoinder.cli import app
from rejoinder.errors import InvalidInputError
from rejoinder.testing import check_plugin
from rejoinder.testing.doubles import HashEncoder
from rejoinder_recommendation import RecommendationPlugin
from rejoinder_recommendation.candidates import SETTINGS, SOURCES
from rejoinder_recommendation.evaluate import OURS, RecommendReport, evaluate_recommend
from typer.testing import CliRunner

TOPICS = ("space travel and rockets", "cooking pasta at home", "football and cups", "gardens with roses")
PER_TOPIC = 12
MODELS = [*SOURCES, OURS]


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """60 users who like one topic of four each, and sometimes take something else."""
    folder = tmp_path_factory.mktemp("recommend")
    random = np.random.default_rng(0)
    items = [f"{topic}-{number}" for topic in range(len(TOPICS)) for number in range(PER_TOPIC)]
    rows = []
    for user in range(60):
        liked = random.permutation(PER_TOPIC)[:7] + PER_TOPIC * (user % len(TOPICS))
        others = random.permutation(len(items))[:2]
        chosen = dict.fromkeys(random.permutation([*liked, *others]).tolist())
        rows += [
            f"u{user},{items[item]},{random.integers(1, 6)},{1_000_000 + user * 50_000 + place * 60}"
            for place, item in enumerate(chosen)
        ]
    (folder / "ratings.csv").write_text("\n".join(["user,item,rating,timestamp", *rows]) + "\n")
    described = [f"{item},Volume {item[2:]},about {TOPICS[int(item[0])]}" for item in items]
    (folder / "items.csv").write_text("\n".join(["item,title,text", *described]) + "\n")
    return folder


def evaluate(files: Path, **settings: Any) -> RecommendReport:
    return evaluate_recommend(files / "ratings.csv", files / "items.csv", encoder=HashEncoder(), **settings)


@pytest.fixture(scope="module")
def report(files: Path) -> RecommendReport:
    return evaluate(files, seed=3, cold_share=0.5)


def test_all_models_are_in_the_report_ours_last(report: RecommendReport) -> None:
    assert [one.model for one in report.models] == MODELS
    assert report.models[-1].ndcg_at_10 == report.ndcg_at_10
    assert (report.users, report.items, report.tested, report.seed) == (60, 48, 60, 3)
    assert {one.choices for one in report.models[:-1]} == {4}
    assert all(one.settings in SETTINGS[one.model] for one in report.models[:-1])
    json.dumps(report.to_json(), allow_nan=False)


def test_ours_finds_what_users_like(report: RecommendReport) -> None:
    by_name = {one.model: one for one in report.models}

    assert report.recall_at_10 > 0.5
    assert by_name["popularity"].recall_at_10 < 0.4
    assert (by_name["popularity"].ours_ahead_low or 0) > 0
    for one in report.models[:-1]:
        assert one.ours_ahead == pytest.approx(report.ndcg_at_10 - one.ndcg_at_10)
        assert one.ours_ahead_low is not None
        assert one.ours_ahead_high is not None
        assert one.ours_ahead_low <= one.ours_ahead <= one.ours_ahead_high


def test_cold_items_are_found_by_their_text_only(report: RecommendReport) -> None:
    by_name = {one.model: one.cold_recall_at_10 for one in report.models}

    assert 15 <= report.cold <= 33
    assert 0 < report.cold_tested <= 60
    assert report.random_cold_recall_at_10 is not None
    assert report.cold_recall_at_10 is not None
    assert report.cold_recall_at_10 > report.random_cold_recall_at_10
    for name in set(SOURCES) - {"text", "paths", "sequence"}:
        assert by_name[name] == 0


def test_cold_users_are_asked_about_after_three_events(report: RecommendReport) -> None:
    by_name = {one.model: one for one in report.models}

    assert 15 <= report.cold_users_tested <= 45
    assert report.cold_user_recall_at_10 == by_name[OURS].cold_user_recall_at_10
    assert (report.cold_user_recall_at_10 or 0) > (by_name["popularity"].cold_user_recall_at_10 or 0)


def test_a_run_gives_the_same_again_with_or_without_cold_items(files: Path, report: RecommendReport) -> None:
    again = evaluate(files, seed=3)

    assert (again.ndcg_at_10, again.weights) == (report.ndcg_at_10, report.weights)
    assert again.cold_recall_at_10 is again.random_cold_recall_at_10 is None


def test_the_command_prints_a_table_and_writes_the_report(files: Path) -> None:
    out = files / "out" / "report.json"
    command = ["evaluate", "recommend", "--ratings", str(files / "ratings.csv"), "--items", str(files / "items.csv")]

    done = CliRunner().invoke(app, [*command, "--report", str(out), "--seed", "1"], catch_exceptions=False)

    assert done.exit_code == 0, done.output
    report = json.loads(out.read_text())
    assert report["seed"] == 1
    assert [one["model"] for one in report["models"]] == MODELS
    named = [line.split()[0] for line in done.stdout.splitlines() if line.split() and line.split()[0] in MODELS]
    assert named == MODELS
    assert f"{report['ndcg_at_10']:.4f}" in done.stdout


def test_too_little_to_learn_from_is_said(files: Path, tmp_path: Path) -> None:
    rows = (files / "ratings.csv").read_text().splitlines()[:20]
    (tmp_path / "ratings.csv").write_text("\n".join(rows) + "\n")
    (tmp_path / "items.csv").write_text((files / "items.csv").read_text())

    with pytest.raises(InvalidInputError, match="users have 3 or more different items left to learn from"):
        evaluate(tmp_path)
    with pytest.raises(InvalidInputError, match="--cold-share must be at least 0 and below 1, not 1"):
        evaluate(files, cold_share=1)


def test_the_plugin_keeps_the_rules() -> None:
    check_plugin(RecommendationPlugin(), name="recommendation")


def test_the_plugin_pulls_in_nothing_heavy() -> None:
    code = "import sys, rejoinder_recommendation; print(*{'numpy', 'scipy', 'torch', 'typer'} & set(sys.modules))"

    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split() == []
