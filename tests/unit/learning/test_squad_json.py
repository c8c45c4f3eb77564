"""Reading SQuAD files, and errors that name the place."""

from __future__ import annotations

import gzip
import json
from pathlib import Path
from typing import Any

import pytest
from rejoinder.errors import InvalidInputError
from rejoinder.learning.squad_json import read_squad_json

PASSAGE = "Das Haus in K\u00f6ln steht seit 1900. 1900 war ein gutes Jahr."


def content(**question: Any) -> dict[str, Any]:
    asked = {"id": "q1", "question": "When?", "answers": [{"text": "1900", "answer_start": 28}], **question}
    return {"version": "1.1", "data": [{"title": "t", "paragraphs": [{"context": PASSAGE, "qas": [asked]}]}]}


def write(folder: Path, data: Any) -> Path:
    path = folder / "squad.json"
    path.write_text(json.dumps(data), encoding="utf-8")
    return path


def test_questions_become_examples(tmp_path: Path) -> None:
    found = read_squad_json(write(tmp_path, content()))
    (example,) = found.examples()

    assert (example.id, example.task, example.text, example.other) == ("q1", "qa", "When?", PASSAGE)
    assert example.target == {"answers": [{"start": 28, "end": 32, "text": "1900"}]}
    assert found.questions[0].right == ["1900"]


def test_a_gzipped_file_is_the_same_data(tmp_path: Path) -> None:
    plain = read_squad_json(write(tmp_path, content()))
    packed = tmp_path / "squad.json.gz"
    packed.write_bytes(gzip.compress((tmp_path / "squad.json").read_bytes()))

    assert read_squad_json(packed).sha256 == plain.sha256


def test_what_most_people_answered_comes_first(tmp_path: Path) -> None:
    answers = [{"text": text, "answer_start": start} for text, start in (("1900.", 28), ("1900", 28), ("1900", 28))]
    assert read_squad_json(write(tmp_path, content(answers=answers))).questions[0].right == ["1900", "1900."]


@pytest.mark.parametrize("question", [{"answers": []}, {"is_impossible": True}])
def test_a_question_may_have_no_answer(tmp_path: Path, question: dict[str, Any]) -> None:
    found = read_squad_json(write(tmp_path, content(**question)))

    assert found.questions[0].answers == ()
    assert found.examples()[0].target == {"answers": []}


def test_a_wrong_place_is_mended_by_the_nearest_one_that_has_the_text(tmp_path: Path) -> None:
    found = read_squad_json(write(tmp_path, content(answers=[{"text": "1900", "answer_start": 33}])))
    assert found.examples()[0].target["answers"][0]["start"] == 34


def test_an_answer_that_is_nowhere_is_named(tmp_path: Path) -> None:
    found = read_squad_json(write(tmp_path, content(answers=[{"text": "1901", "answer_start": 28}])))
    with pytest.raises(InvalidInputError, match="question 'q1': the answer '1901' is nowhere"):
        found.examples()


@pytest.mark.parametrize(
    ("data", "said"),
    [
        ([], "at data: "),
        ({"data": []}, "has no question"),
        ({"data": [{}]}, "there is no 'paragraphs'"),
        (content(question=None), r"at data\[0\].paragraphs\[0\].qas\[0\]: question is not a text"),
        (content(answers=[{"text": "1900"}]), "there is no 'answer_start'"),
        (content(answers=[{"text": 1900, "answer_start": 1}]), "its text is not a text"),
    ],
)
def test_other_json_is_refused_with_the_place(tmp_path: Path, data: Any, said: str) -> None:
    with pytest.raises(InvalidInputError, match=said):
        read_squad_json(write(tmp_path, data))


def test_a_file_that_is_no_json_is_refused(tmp_path: Path) -> None:
    (tmp_path / "squad.json").write_text("text,label\n")
    with pytest.raises(InvalidInputError, match="is not JSON"):
        read_squad_json(tmp_path / "squad.json")
    with pytest.raises(InvalidInputError, match="cannot be read"):
        read_squad_json(tmp_path / "missing.json")
