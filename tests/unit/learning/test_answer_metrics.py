"""Exact match and F1 on cases worked out by hand from SQuAD's evaluation scripts."""

from __future__ import annotations

import pytest
from rejoinder.learning.answer_metrics import answer_report, exact_match, normalise_answer, token_f1


@pytest.mark.parametrize(
    ("text", "plain"),
    [
        ("The  Denver Broncos!", "denver broncos"),
        ("an A-Team, a theme", "ateam theme"),
        ("$1,000.50", "100050"),
        ("the", ""),
        ("Anthem", "anthem"),
        ("  tabs\tand\nlines ", "tabs and lines"),
        ("\u201cquoted\u201d", "\u201cquoted\u201d"),
    ],
)
def test_normalising(text: str, plain: str) -> None:
    assert normalise_answer(text) == plain


def test_the_best_of_several_answers_counts() -> None:
    assert exact_match("Denver", ["Denver Broncos", "the denver."]) == 1.0
    assert exact_match("Denver", ["Denver Broncos"]) == 0.0
    assert token_f1("Denver", ["Broncos", "Denver Broncos"]) == pytest.approx(2 / 3)


def test_words_that_repeat_count_as_often_as_they_do_in_both() -> None:
    assert token_f1("new new york", ["new york city"]) == pytest.approx(2 * 2 / 6)


def test_only_silence_is_right_where_there_is_no_answer() -> None:
    assert exact_match("", []) == token_f1("", []) == 1.0
    assert exact_match("Denver", []) == token_f1("Denver", []) == 0.0
    assert exact_match("", ["Denver"]) == token_f1("", ["Denver"]) == 0.0
    assert token_f1("", ["the"]) == 1.0


def test_a_report_tells_questions_with_and_without_answers_apart() -> None:
    found = answer_report(["Denver", "", "x", ""], [["Denver Broncos"], ["a b"], [], []])

    assert found == {
        "exact_match": pytest.approx(1 / 4),
        "f1": pytest.approx((2 / 3 + 0 + 0 + 1) / 4),
        "has_answer_f1": pytest.approx(1 / 3),
        "no_answer_f1": pytest.approx(1 / 2),
    }


def test_a_report_leaves_out_what_there_is_not() -> None:
    assert "no_answer_f1" not in answer_report(["x"], [["x"]])
    assert "has_answer_f1" not in answer_report(["x"], [[]])
    assert answer_report([], []) == {"exact_match": 0.0, "f1": 0.0}
