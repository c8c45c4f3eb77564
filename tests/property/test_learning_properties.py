"""Bounds, round trips and idempotence of the learning parts, over generated inputs."""

from __future__ import annotations

import csv
import io
import tempfile
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

pytest.importorskip("scipy", reason="needs the extra rejoinder[models]")

from rejoinder.learning.holdback import held_back
from rejoinder.learning.labelled_csv import read_labelled_csv
from rejoinder.learning.memory import CorrectionMemory
from rejoinder.learning.metrics import ece
from rejoinder.learning.trust import TrustCurve
from rejoinder.models.heads.calibration import fit_logistic, fit_sharpness, probabilities
from rejoinder.models.heads.ridge import extend, factor, inverse, leave_one_out, solve
from rejoinder.models.heads.words import inverse_document_frequency, word_row, word_rows
from rejoinder.models.tasks.text_classification import TextClassifier
from rejoinder.payloads import Example

seeds = st.integers(0, 2**32 - 1)
words = st.text(min_size=1, max_size=40).filter(str.strip)


def unit_rows(rng: np.random.Generator, rows: int, dim: int = 8) -> np.ndarray[tuple[int, int], np.dtype[np.float32]]:
    made = rng.standard_normal((rows, dim)).astype(np.float32)
    return np.asarray(made / np.linalg.norm(made, axis=1, keepdims=True))


@given(st.text(), st.integers(1, 50))
def test_holding_back_depends_on_the_words_alone(text: str, every: int) -> None:
    assert held_back(text, every) == held_back(f"  {text} ", every)
    assert held_back(text, 1)
    assert not held_back(text, 0)


def test_about_one_in_ten_is_held_back() -> None:
    assert 850 < sum(held_back(f"text {i}", 10) for i in range(10_000)) < 1150


@given(seeds, st.integers(1, 20), st.integers(1, 6), st.floats(0.1, 100))
def test_probabilities_are_a_distribution_in_the_order_of_the_scores(
    seed: int, rows: int, labels: int, sharpness: float
) -> None:
    scores = np.random.default_rng(seed).normal(size=(rows, labels)).astype(np.float32)
    found = probabilities(scores, sharpness)
    np.testing.assert_allclose(found.sum(axis=1), 1, atol=1e-5)
    assert (found >= 0).all()
    assert (found.argmax(axis=1) == scores.argmax(axis=1)).all() or sharpness < 1


@given(seeds, st.integers(0, 40), st.integers(1, 5))
def test_fitted_calibration_stays_in_its_range(seed: int, rows: int, labels: int) -> None:
    rng = np.random.default_rng(seed)
    scores = rng.normal(size=(rows, labels)).astype(np.float32)
    assert 1 <= fit_sharpness(scores, rng.integers(labels, size=rows)) <= 100.1
    slope, offset = fit_logistic(scores[: rows // 2, 0], scores[rows // 2 :, 0])
    assert slope > 0
    assert np.isfinite(offset)


@given(st.lists(st.tuples(st.floats(0, 1), st.booleans())))
def test_calibration_error_is_a_share(pairs: list[tuple[float, bool]]) -> None:
    assert 0 <= ece([sure for sure, _ in pairs], [right for _, right in pairs]) <= 1


@given(st.lists(st.tuples(st.floats(-1, 1), st.booleans()), max_size=60))
def test_trust_is_a_rising_probability(pairs: list[tuple[float, bool]]) -> None:
    curve = TrustCurve()
    curve.learn(np.array([cosine for cosine, _ in pairs]), np.array([same for _, same in pairs], dtype=np.bool_))
    levels = [curve.trust(cosine) for cosine in np.linspace(-1, 1, 21)]
    assert levels == sorted(levels)
    assert all(0 <= level <= 1 for level in levels)
    assert -1 <= curve.radius(0.65) <= 1


@given(st.text(max_size=200))
def test_a_word_row_is_normalised_and_the_same_alone_and_in_a_matrix(text: str) -> None:
    idf = inverse_document_frequency(["a b", "b c"])
    buckets, values = word_row(text, idf)
    assert len(buckets) == 0 or abs(float(values @ values) - 1) < 1e-4
    assert (np.diff(buckets) > 0).all()
    matrix = word_rows(["x", text], idf)
    np.testing.assert_array_equal(matrix[1].indices, buckets)
    np.testing.assert_array_equal(matrix[1].data, values)


@given(seeds, st.integers(2, 12))
def test_closed_form_leave_one_out_equals_fitting_without_the_row(seed: int, rows: int) -> None:
    rng = np.random.default_rng(seed)
    vectors = unit_rows(rng, rows)
    kernel = np.exp(vectors @ vectors.T - 1)
    targets = rng.normal(size=(rows, 3)).astype(np.float32)
    ridge = np.full(rows, 0.3, dtype=np.float32)
    lower = factor(kernel.copy(), ridge)
    weights = solve(lower, targets)
    left_out = leave_one_out(inverse(lower.copy()), weights, targets)
    rest = np.arange(1, rows)
    alone = solve(factor(kernel[np.ix_(rest, rest)].copy(), ridge[rest]), targets[rest])
    np.testing.assert_allclose(left_out[0], kernel[0, rest] @ alone, atol=2e-3)


@given(seeds, st.integers(1, 10), st.integers(1, 4))
def test_an_extended_factor_equals_a_new_one(seed: int, rows: int, more: int) -> None:
    vectors = unit_rows(np.random.default_rng(seed), rows + more)
    kernel = np.exp(vectors @ vectors.T - 1)
    ridge = np.full(rows + more, 0.3, dtype=np.float32)
    old = factor(kernel[:rows, :rows].copy(), ridge[:rows])
    grown = extend(old, kernel[:rows, rows:], kernel[rows:, rows:], ridge[rows:])
    np.testing.assert_allclose(grown, np.tril(factor(kernel.copy(), ridge)), atol=1e-3)


@settings(max_examples=25, deadline=None)
@given(seeds, st.lists(words, min_size=1, max_size=12), st.integers(1, 4))
def test_a_classifier_survives_the_disk_whatever_it_was_taught(seed: int, texts: list[str], labels: int) -> None:
    rng = np.random.default_rng(seed)
    vectors = unit_rows(rng, len(texts))
    examples = [
        Example(
            id=str(i), task="t", text=text, label=f"l{rng.integers(labels)}", polarity=str(polarity), weight=float(w)
        )  # type: ignore[arg-type]
        for i, (text, polarity, w) in enumerate(
            zip(
                texts,
                rng.choice(["positive", "correction"], len(texts)),
                rng.uniform(0.01, 20, len(texts)),
                strict=True,
            )
        )
    ]
    made = TextClassifier()
    made.fit(examples, vectors, seed=0)
    made.update(examples[:1], vectors[:1])
    with tempfile.TemporaryDirectory() as folder:
        made.save(Path(folder))
        again = TextClassifier.load(Path(folder))
    for one, two in zip(made.predict_batch(texts, vectors), again.predict_batch(texts, vectors), strict=True):
        assert {label for label, _ in one.ranking} == {label for label, _ in two.ranking}
        assert abs(one.confidence - two.confidence) < 1e-3
        assert 0 <= one.confidence <= 1 + 1e-5
        assert 0 <= one.in_scope <= 1


@given(seeds, st.lists(st.tuples(st.integers(0, 5), st.sampled_from("abc"), st.booleans()), max_size=25))
def test_a_memory_agrees_with_the_last_word_on_each_text(seed: int, turns: list[tuple[int, str, bool]]) -> None:
    vectors = unit_rows(np.random.default_rng(seed), 6)
    memory = CorrectionMemory(encoder_hash="h", dim=8, capacity=50)
    said: dict[int, str] = {}
    for i, (place, label, remember) in enumerate(turns):
        if remember:
            memory.add(str(i), f"text {place}", vectors[place], label)
            memory.add(str(i), f"text {place}", vectors[place], label)
            said[place] = label
        else:
            memory.add(str(i), f"text {place}", vectors[place], label, kind="is_not")
            if said.get(place) == label:
                del said[place]
    for place, label in said.items():
        found = memory.match(f"text {place}", vectors[place])
        assert found is not None
        assert (found.label, found.exact) == (label, True)
        assert label not in memory.rejected(f"text {place}", vectors[place])
    assert len(memory) <= 50


@settings(deadline=None)
@given(st.lists(st.tuples(words, words), min_size=1, max_size=8))
def test_what_csv_wrote_is_read_back(rows: list[tuple[str, str]]) -> None:
    out = io.StringIO()
    writer = csv.writer(out)
    writer.writerows([("text", "label"), *rows])
    encoded = out.getvalue().encode("utf-8", "surrogatepass")
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "x.csv"
        path.write_bytes(encoded)
        try:
            found = read_labelled_csv(path)
        except ValueError:
            assert b"\xed" in encoded or "\x00" in out.getvalue()
            return
    assert [label.strip() for _, label in rows] == list(found.labels)
    assert [text for text, _ in rows] == list(found.texts)
