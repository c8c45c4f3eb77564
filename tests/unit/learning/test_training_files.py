"""Examples for training, from files."""

from __future__ import annotations

import gzip
from pathlib import Path

import pytest
from rejoinder.errors import InvalidInputError
from rejoinder.learning.training_files import read_examples


def write(folder: Path, name: str, text: str) -> Path:
    path = folder / name
    path.write_bytes(gzip.compress(text.encode()) if name.endswith(".gz") else text.encode())
    return path


def test_a_csv_file_of_classification_with_entities(tmp_path: Path) -> None:
    path = write(tmp_path, "a.csv", 'text,label,entity\n"Gold up, silver down",positive,Gold\nAll quiet,neutral,\n')
    found, sha256 = read_examples(path, "classification")
    assert [(one.text, one.label) for one in found] == [
        ("@ Gold @ up, silver down", "positive"),
        ("All quiet", "neutral"),
    ]
    assert found[0].id == "a.csv:1"
    assert len(sha256) == 64


def test_a_csv_file_of_several_labels(tmp_path: Path) -> None:
    found, _ = read_examples(
        write(tmp_path, "a.csv", "text,label\nlate and broken,late | broken\nlate,late\n"), "multi-label"
    )
    assert [one.target for one in found] == [["late", "broken"], ["late"]]


@pytest.mark.parametrize("name", ["a.jsonl", "a.jsonl.gz"])
def test_json_lines_of_any_kind(name: str, tmp_path: Path) -> None:
    text = '{"text": "a", "other": "b", "label": "yes", "weight": 2}\n\n{"text": "c", "other": "d", "label": "no"}\n'
    found, _ = read_examples(write(tmp_path, name, text), "pairs")
    assert [(one.text, one.other, one.label, one.weight) for one in found] == [
        ("a", "b", "yes", 2),
        ("c", "d", "no", 1),
    ]
    assert [one.id for one in found] == [f"{name}:1", f"{name}:3"]


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("{", "line 1: not JSON"),
        ("[1]", 'line 1: expected an object with at least "text"'),
        ('{"text": "a", "label": 3}', "line 1: label is '3', expected str"),
        ('{"text": "a", "target": "x"}', "line 1: target is 'x', expected list or dict"),
        ('{"text": "a", "polarity": "no"}', "line 1: polarity is 'no', expected one of positive"),
        ('{"text": "a", "weight": -1}', "line 1: weight is -1, expected a number >= 0"),
        (" ", "has no line with an example"),
    ],
)
def test_bad_lines_are_told_with_their_place(line: str, said: str, tmp_path: Path) -> None:
    with pytest.raises(InvalidInputError, match=said):
        read_examples(write(tmp_path, "a.jsonl", line + "\n"), "tags")


def test_a_kind_that_wants_json_lines_says_so(tmp_path: Path) -> None:
    with pytest.raises(InvalidInputError, match="examples of pairs come as JSON lines"):
        read_examples(write(tmp_path, "a.csv", "text,label\na,b\n"), "pairs")
