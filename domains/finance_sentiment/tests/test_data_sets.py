"""Readers of published sets, and that no sentence of a test is learned from."""

from __future__ import annotations

import gzip
import os
import subprocess
import sys
from pathlib import Path

import pytest
from rejoinder.errors import InvalidInputError
from rejoinder_finance_sentiment.data_sets import (
    PHRASEBANK,
    Labelled,
    in_test,
    phrasebank,
    same_text,
    sentfin,
    twitter,
    write_csv,
)
from rejoinder_finance_sentiment.seeds import shipped

DATA = os.environ.get("REJOINDER_DATA")
needs_data = pytest.mark.skipif(DATA is None, reason="REJOINDER_DATA names no folder of public data sets")


def test_sentfin_with_apostrophes_and_spoilt_names(tmp_path: Path) -> None:
    (tmp_path / "s.csv").write_text(
        "S No.,Title,Decisions,Words\n"
        "1,Sun and  Dr Reddy's rise,\"{'Sun': 'positive', 'Dr Reddy's': 'positive'}\",5\n"
        "2,IIFL Holdings surges,{'IIFL neutralings': 'positive'},3\n"
    )
    assert sentfin(tmp_path / "s.csv") == [
        Labelled("Sun and Dr Reddy's rise", "positive", "Sun"),
        Labelled("Sun and Dr Reddy's rise", "positive", "Dr Reddy's"),
        Labelled("IIFL Holdings surges", "positive", "IIFL Holdings"),
    ]


def test_phrasebank_and_twitter(tmp_path: Path) -> None:
    (tmp_path / "Sentences_AllAgree.txt").write_bytes(
        "Näin @ 5 % @positive\nNäin @ 5 %@positive\n".encode("iso-8859-1")
    )
    assert phrasebank(tmp_path, "AllAgree") == [Labelled("Näin @ 5 %", "positive")]
    (tmp_path / "t.csv.gz").write_bytes(gzip.compress(b'text,label\n"down, again",0\nup,1\n'))
    assert [row.label for row in twitter(tmp_path / "t.csv.gz")] == ["negative", "positive"]


def test_what_cannot_be_read_is_named(tmp_path: Path) -> None:
    with pytest.raises(InvalidInputError, match="holds neither Sentences_50Agree"):
        phrasebank(tmp_path)
    (tmp_path / "Sentences_50Agree.txt").write_text("fine@neutral\nwrong\n")
    with pytest.raises(InvalidInputError, match="line 2: expected `sentence@label`"):
        phrasebank(tmp_path)
    (tmp_path / "t.csv").write_text("text,label\nup,9\n")
    with pytest.raises(InvalidInputError, match="row 2: expected a text and a label from 0 to 2"):
        twitter(tmp_path / "t.csv")


def test_rows_are_written_as_evaluations_read_them(tmp_path: Path) -> None:
    write_csv(tmp_path / "x.csv", [Labelled('A, "B"', "neutral", "B")])
    assert (tmp_path / "x.csv").read_text() == 'text,label,entity\n"A, ""B""",neutral,B\n'


def test_the_same_text_is_in_one_part() -> None:
    texts = [f"Profit rose by {n} %" for n in range(500)]
    assert [in_test(one) for one in texts] == [in_test(f"  {one.upper()}!") for one in texts]
    assert 70 <= sum(map(in_test, texts)) <= 130


def test_what_is_shipped_to_learn_from_is_none_of_what_is_tested_on() -> None:
    train, frozen = ({same_text(row.text) for row in shipped(name)} for name in ("train", "regression"))
    assert not train & frozen
    assert not any(map(in_test, train))
    assert all(map(in_test, frozen))


@needs_data
def test_no_sentence_of_a_test_stands_in_the_shipped_training_set() -> None:
    folder = Path(DATA or "")
    train = {same_text(row.text) for row in shipped("train")}
    for subset in PHRASEBANK:
        assert not train & {same_text(row.text) for row in phrasebank(folder / "financial_phrasebank", subset)}
    tested = {same_text(row.text) for row in twitter(folder / "twitter_fin_sentiment" / "sent_valid.csv.gz")}
    assert not train & tested


@needs_data
def test_the_shipped_files_are_what_the_source_gives() -> None:
    tool = Path(__file__).parents[1] / "tools" / "build_data.py"
    subprocess.run([sys.executable, tool, "--check"], check=True, timeout=60)
