"""Questions with their topic taken out."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rejoinder.graph.answering.questions import marked_topic, masked


@pytest.mark.parametrize(
    ("question", "span", "expected"),
    [
        ("Who directed  Braveheart?", (14, 24), "who directed X"),
        ("What is Mel Gibson's latest film?", (8, 18), "what is X's latest film"),
        ("Braveheart, when was it released?", (0, 10), "X, when was it released"),
        ("BRAVEHEART", (0, 10), "X"),
        ("in Braveheart, who acted?!", (3, 13), "in X, who acted"),
    ],
)
def test_the_topic_becomes_a_placeholder(question: str, span: tuple[int, int], expected: str) -> None:
    assert masked(question, [span]) == expected


@pytest.mark.parametrize(
    ("question", "expected"),
    [
        ("who directed [Braveheart]", (13, 25, "Braveheart")),
        ("[ A  B ]?", (0, 8, "A  B")),
        ("who directed Braveheart", None),
        ("[a] and [b]", None),
        ("[]", None),
        ("[ ]", None),
        ("[[x]", (1, 4, "x")),
    ],
)
def test_brackets_mark_a_topic(question: str, expected: tuple[int, int, str] | None) -> None:
    assert marked_topic(question) == expected


@given(st.text(max_size=60), st.integers(0, 60), st.integers(0, 60))
def test_any_text_and_place_can_be_masked(text: str, one: int, other: int) -> None:
    start, end = sorted((min(one, len(text)), min(other, len(text))))
    assert "  " not in masked(text, [(start, end)])
