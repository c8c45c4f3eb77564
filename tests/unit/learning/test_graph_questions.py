"""Questions for a graph, from files."""

from __future__ import annotations

import gzip
from pathlib import Path

import pytest
from rejoinder.errors import InvalidInputError
from rejoinder.learning.graph_questions import read_graph_questions

LINES = (
    "who directed [Braveheart]\tMel Gibson\nwhich films did [Mel Gibson] direct?\tBraveheart|Apocalypto|Braveheart\n"
)


def test_questions_are_read_with_their_topics_and_answers(tmp_path: Path) -> None:
    (tmp_path / "qa.txt").write_text(LINES, encoding="utf-8")
    found = read_graph_questions(tmp_path / "qa.txt")
    one, two = found.questions
    assert (one.topic, one.masked, one.answers) == ("Braveheart", "who directed X", ("Mel Gibson",))
    assert (two.topic, two.masked, two.answers) == (
        "Mel Gibson",
        "which films did X direct",
        ("Braveheart", "Apocalypto"),
    )
    assert len(found.sha256) == 64


def test_a_header_further_columns_blank_lines_and_gzip_are_fine(tmp_path: Path) -> None:
    text = "question\tanswers\tqtype\tkb_exact\n\n" + LINES.replace("\n", "\tactor_to_movie\t1\n")
    (tmp_path / "qa.tsv.gz").write_bytes(gzip.compress(text.encode()))
    assert len(read_graph_questions(tmp_path / "qa.tsv.gz").questions) == 2


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (b"who directed [Braveheart]\n", "line 1: expected"),
        (b"who directed [Braveheart]\t \n", "line 1: expected"),
        (LINES.encode() + b"who directed Braveheart\tMel Gibson\n", "line 3: expected"),
        (b"[a] and [b]\tc\n", "line 1: expected"),
        (b"question\tanswers\n", "has no question"),
        (b"", "has no question"),
        (b"\xff\xfe[a]\tb", "is not UTF-8"),
    ],
)
def test_what_is_no_question_is_refused_with_its_line(tmp_path: Path, content: bytes, told: str) -> None:
    (tmp_path / "qa.txt").write_bytes(content)
    with pytest.raises(InvalidInputError, match=told):
        read_graph_questions(tmp_path / "qa.txt")


def test_a_missing_file_is_told(tmp_path: Path) -> None:
    with pytest.raises(InvalidInputError, match=r"no\.txt cannot be read"):
        read_graph_questions(tmp_path / "no.txt")
