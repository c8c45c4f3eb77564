"""Surges of real texts, planted: they are distinct, go through folding, and are found."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest
from rejoinder.errors import InvalidInputError

pytest.importorskip("datasketch", reason="needs the extra rejoinder[events]")

from rejoinder_finance_sentiment.surge.planted import (
    Document,
    Folding,
    SeriesOfTexts,
    TextStream,
    find_planted,
)
from rejoinder_finance_sentiment.surge.settings import SurgeSettings

DAY_S = 86_400.0
VERBS = ("wins", "loses", "buys", "sells", "sues", "hires", "warns of", "plans")


def texts(days: int, seed: int) -> list[Document]:
    """Some ten texts a day, all different."""
    random = np.random.default_rng(seed)
    found = []
    for day in range(days):
        for _ in range(random.negative_binomial(8, 8 / (8 + 10.0))):
            words = [f"w{number}" for number in random.integers(0, 500, 8)]
            at = (day + float(random.random())) * DAY_S
            found.append(Document(at, f"Acme {VERBS[int(random.integers(len(VERBS)))]} {' '.join(words)}"))
    return sorted(found)


def stream(documents: Sequence[Document], settings: SurgeSettings | None = None) -> TextStream:
    folded, kept = TextStream.of(documents)
    rows = tuple(range(len(kept)))
    daily = settings or SurgeSettings(bucket_minutes=1440)
    return TextStream(folded.documents, folded.folding, [SeriesOfTexts(name="acme", rows=rows, settings=daily)])


def test_near_duplicates_are_folded_within_the_time_that_tenants_have() -> None:
    folding = Folding()
    text = "Acme wins a large contract from Globex for the new plant in Springfield, sources say"
    assert folding.keeps(Document(0.0, text))
    assert not folding.keeps(Document(DAY_S, text.replace(",", " -")))
    assert folding.keeps(Document(4 * DAY_S, text))
    over = Folding(over=folding)
    assert not over.keeps(Document(5 * DAY_S, text))
    assert over.keeps(Document(5 * DAY_S, "Globex loses everything that it ever had in one night of trading"))
    assert folding.keeps(Document(0.0, "!"))


def test_what_repeats_itself_is_no_document_of_the_stream() -> None:
    documents = texts(5, 1)
    twice = sorted([*documents, *(Document(one.at + 60.0, one.text) for one in documents)])
    folded, kept = TextStream.of(twice)
    assert list(folded.documents) == documents
    assert [twice[place] for place in kept] == documents


def test_large_surges_are_found_and_small_ones_seldom() -> None:
    found = find_planted(stream(texts(150, 2)), sizes=(1.0, 4.0), surges=20, seed=1)
    assert found.recall[1.0] < 0.35 < 0.9 < found.recall[4.0]
    assert found.median_delay[4.0] is not None
    assert found.median_delay[4.0] <= 1
    assert found.false_alarms < 1.0
    assert found.documents > 20 * 3 * 3 * 8
    assert found.folded < 0.01 * found.documents
    assert found == find_planted(stream(texts(150, 2)), sizes=(1.0, 4.0), surges=20, seed=1)


def test_shares_are_watched_through_the_places_in_the_stream() -> None:
    """Documents of one series among others: what is planted makes the stream longer, and the share larger."""
    documents = texts(120, 3)
    others = [Document(one.at, one.text.replace("Acme", "Globex")) for seed in range(4, 8) for one in texts(120, seed)]
    folded, _ = TextStream.of(sorted([*documents, *others]))
    rows = tuple(row for row, one in enumerate(folded.documents) if one.text.startswith("Acme"))
    shares = SurgeSettings(bucket_minutes=1440, measure="share")
    series = [SeriesOfTexts(name="acme", rows=rows, settings=shares)]
    found = find_planted(TextStream(folded.documents, folded.folding, series), sizes=(4.0,), surges=20, seed=1)
    assert found.recall[4.0] > 0.8


def test_a_series_without_enough_texts_of_other_times_is_named() -> None:
    with pytest.raises(InvalidInputError, match="acme"):
        find_planted(stream(texts(100, 5)), sizes=(40.0,), surges=5, seed=1)
    with pytest.raises(InvalidInputError, match="no series"):
        find_planted(stream(texts(20, 5)))
