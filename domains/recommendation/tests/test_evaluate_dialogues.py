"""Recommendations in dialogues found again, from files to the report."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from rejoinder.errors import InvalidInputError
from rejoinder.testing import HashEncoder
from rejoinder_recommendation.conversation.dialogues import as_typed, read_dialogues
from rejoinder_recommendation.conversation.evaluate_dialogues import evaluate_dialogues
from rejoinder_recommendation.conversation.filters import read_filters
from rejoinder_recommendation.lists.filters import Filters

KINDS = ("horror", "comedy", "western", "musical")
NAMES = ("Lantern", "Orchard", "Harbour", "Mountain", "Meadow", "Bridge", "Tower", "Garden", "River", "Castle")


@pytest.fixture
def files(tmp_path: Path) -> tuple[Path, Path]:
    """Forty films of four kinds, and dialogues in which films of the kind that is asked for are recommended."""
    films = {
        str(100 + number): {
            "name": f"{kind.title()} {name} ({1960 + number})",
            "genre": [kind],
            "plot": f"A {kind} about a {name.lower()}.",
            "director": [f"Director {kind} {place % 2}"],
        }
        for number, (kind, place, name) in enumerate(
            (kind, place, name) for kind in KINDS for place, name in enumerate(NAMES)
        )
    }
    random = np.random.default_rng(5)
    lines = []
    for number in range(80):
        kind = int(random.integers(4))
        liked, given = (str(100 + 10 * kind + int(place)) for place in random.permutation(10)[:2])
        messages = [
            {"senderWorkerId": 1, "text": f"Hello, I would like a {KINDS[kind]}. I loved @{liked}"},
            {"senderWorkerId": 2, "text": f"Then try @{given}"},
        ]
        mentions = {id_: films[id_]["name"] for id_ in (liked, given)}
        row = {"conversationId": number, "movieMentions": mentions, "respondentWorkerId": 2, "messages": messages}
        lines.append(json.dumps(row))
    (tmp_path / "films.json").write_text(json.dumps(films))
    (tmp_path / "dialogues.jsonl").write_text("\n".join(lines))
    return tmp_path / "dialogues.jsonl", tmp_path / "films.json"


def test_ours_is_ahead_and_titles_are_linked(files: tuple[Path, Path], tmp_path: Path) -> None:
    found = evaluate_dialogues(*files, encoder=HashEncoder(64), seed=0)
    recall = {model.model: model.recall_at_10 for model in found.models}
    assert found.recommendations == 80
    assert recall["ours"] > recall["popularity"]
    assert found.recall_at_1 <= found.recall_at_10 <= found.recall_at_50
    assert found.link_precision >= 0.9
    assert found.link_recall >= 0.9
    found.write(tmp_path / "report.json")
    assert json.loads((tmp_path / "report.json").read_text())["folds"] == 5


def test_dialogues_to_learn_from_may_be_a_file_of_their_own(files: tuple[Path, Path], tmp_path: Path) -> None:
    rows = files[0].read_text().splitlines()
    (tmp_path / "train.jsonl").write_text("\n".join(rows[:60]))
    (tmp_path / "test.jsonl").write_text("\n".join(rows[60:]))
    found = evaluate_dialogues(
        tmp_path / "test.jsonl", files[1], encoder=HashEncoder(64), train=tmp_path / "train.jsonl", seed=0
    )
    assert (found.recommendations, found.folds) == (20, 1)
    again = evaluate_dialogues(
        tmp_path / "test.jsonl", files[1], encoder=HashEncoder(64), train=tmp_path / "train.jsonl", seed=0
    )
    assert again.models == found.models
    with pytest.raises(InvalidInputError, match="too few to learn from"):
        evaluate_dialogues(files[0], files[1], encoder=HashEncoder(64), train=_short(rows, tmp_path))


def _short(rows: list[str], folder: Path) -> Path:
    (folder / "short.jsonl").write_text("\n".join(rows[:3]))
    return folder / "short.jsonl"


def test_a_share_of_the_titles_is_typed_otherwise(files: tuple[Path, Path]) -> None:
    dialogues, titles = read_dialogues(files[0])
    random = np.random.default_rng(0)
    changed = whole = 0
    for one in dialogues:
        typed = as_typed(one, titles, share=0.25, random=random)
        for line in typed.lines:
            assert "@" not in line.text
            for item in line.items:
                whole += 1
                changed += titles[item] not in line.text
    assert 0.15 < changed / whole < 0.35


def test_files_that_cannot_be_read_say_where(tmp_path: Path) -> None:
    broken = tmp_path / "broken.jsonl"
    broken.write_text('{"messages": []}\n')
    with pytest.raises(InvalidInputError, match=r"broken\.jsonl, line 1: no dialogue"):
        read_dialogues(broken)
    broken.write_text("\n")
    with pytest.raises(InvalidInputError, match="holds no dialogue"):
        read_dialogues(broken)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("under 30", Filters(price_max=30)),
        ("less than $20,50 please", Filters(price_max=20.5)),
        ("at least 2 hours", Filters(minutes_min=120)),
        ("90 minutes max", Filters(minutes_max=90)),
        ("between 10 and 20 euros", Filters(price_min=10, price_max=20)),
        ("something from the 80s", Filters(year_min=1980, year_max=1989)),
        ("nothing before 1990", Filters(year_min=1990)),
        ("after 2010", Filters(year_min=2010)),
        ("I have 3 children", Filters()),
    ],
)
def test_bounds_are_read(text: str, expected: Filters) -> None:
    found = read_filters(text)
    assert found == expected
    assert Filters.from_json(found.to_json()) == found
