"""Doubles are deterministic and stand in for the real thing."""

from __future__ import annotations

import asyncio
import subprocess
import sys

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from rejoinder.testing import FixedClock, HashEncoder, HashModels


@given(st.lists(st.text(max_size=30), max_size=5))
def test_vectors_are_normalised_float32(texts: list[str]) -> None:
    vectors = HashEncoder(dim=16).encode(texts)

    assert vectors.shape == (len(texts), 16)
    assert vectors.dtype == np.float32
    for norm in np.linalg.norm(vectors, axis=1):
        assert norm == pytest.approx(1.0, abs=1e-5) or norm == 0.0


@given(st.text(max_size=30), st.text(max_size=30))
def test_a_vector_does_not_depend_on_its_neighbours(one: str, other: str) -> None:
    encoder = HashEncoder()

    assert np.array_equal(encoder.encode([one, other])[0], encoder.encode([one])[0])


def test_texts_that_share_words_are_nearer() -> None:
    card, same, other = HashEncoder(256).encode(["my card is lost", "I lost my card", "opening hours on sunday"])

    assert card @ same > 0.5 > card @ other


def test_vectors_are_the_same_in_every_process() -> None:
    code = "from rejoinder.testing import HashEncoder; print(HashEncoder(8).encode(['my card']).tolist())"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    assert done.stdout.strip() == str(HashEncoder(8).encode(["my card"]).tolist())


def test_encoders_of_different_length_have_different_hashes() -> None:
    assert HashEncoder(8).hash != HashEncoder(16).hash
    assert (HashEncoder(8).dim, HashEncoder(8).name) == (8, "hash-8")


def test_a_clock_stands_still_until_told() -> None:
    clock = FixedClock()
    first = clock()
    assert clock() == first
    assert first.tzinfo is not None

    clock.advance(1.5)

    assert (clock() - first).total_seconds() == 1.5


def test_models_say_what_the_test_laid_down() -> None:
    from rejoinder.models.learner import Prediction

    sure = Prediction(label="a", confidence=0.9, ranking=(("a", 0.9),), in_scope=0.9, accepted=True)
    models = HashModels(predictions={("intent", "hello"): sure})

    assert asyncio.run(models.predict("intent", "hello")) is sure
    assert asyncio.run(models.predict("intent", "bye")) is None
    assert asyncio.run(models.recall("intent", "hello")) is None
    assert asyncio.run(models.encode("hello")).shape == (64,)
