"""Questions with passages from files in SQuAD's JSON format, 1.1 or 2.0, gzipped or plain."""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rejoinder.errors import InvalidInputError
from rejoinder.learning.labelled_csv import read_data
from rejoinder.payloads import Example

if TYPE_CHECKING:
    from collections.abc import Iterator

    from rejoinder.payloads import Json


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """One question about a passage.

    Attributes:
        answers: (first character, text) of each right answer, what most people answered first; () where the passage has none.
    """

    id: str
    text: str
    passage: str
    answers: tuple[tuple[int, str], ...]

    @property
    def right(self) -> list[str]:
        """The answers' texts."""
        return [text for _, text in self.answers]


@dataclass(frozen=True, slots=True, kw_only=True)
class Questions:
    """The questions of a file, in order, and the SHA-256 of its content."""

    path: Path
    questions: tuple[Question, ...]
    sha256: str

    def examples(self, *, task: str = "qa") -> list[Example]:
        """Return one example for each question.

        Raises:
            InvalidInputError: an answer's text is nowhere in its passage.
        """
        return [_example(self.path, one, task) for one in self.questions]


def read_squad_json(path: Path | str) -> Questions:
    """Read questions.

    Args:
        path: a JSON file `{"data": [{"paragraphs": [{"context", "qas": [{"id", "question", "answers": [{"text", "answer_start"}]}]}]}]}`;
            in 2.0, `"is_impossible": true` (or no answers) says that the passage has none.

    Raises:
        InvalidInputError: the file cannot be read, is not such JSON, or has no question; the message names the place.
    """
    path = Path(path)
    data = read_data(path)
    try:
        content = json.loads(data.decode("utf-8-sig"))
    except ValueError as error:
        raise InvalidInputError(f"{path} is not JSON in UTF-8: {error}") from error
    questions = tuple(_questions(path, content))
    if not questions:
        raise InvalidInputError(f"{path} has no question")
    return Questions(path=path, questions=questions, sha256=hashlib.sha256(data).hexdigest())


def _questions(path: Path, content: Any) -> Iterator[Question]:
    at = "data"
    try:
        for i, article in enumerate(content["data"]):
            for j, paragraph in enumerate(article["paragraphs"]):
                at = f"data[{i}].paragraphs[{j}]"
                passage = _text(paragraph, "context")
                for k, asked in enumerate(paragraph["qas"]):
                    at = f"data[{i}].paragraphs[{j}].qas[{k}]"
                    yield _question(asked, passage, fallback_id=at)
    except (KeyError, TypeError, IndexError, AttributeError) as error:
        what = f"there is no {error}" if isinstance(error, KeyError) else str(error)
        raise InvalidInputError(f"{path}, at {at}: {what}; expected SQuAD 1.1 or 2.0 JSON") from error


def _question(asked: Any, passage: str, *, fallback_id: str) -> Question:
    question = _text(asked, "question")
    found = [] if asked.get("is_impossible") else [(one["answer_start"], one["text"]) for one in asked["answers"]]
    if not all(isinstance(start, int) and isinstance(text, str) for start, text in found):
        raise TypeError("an answer's answer_start is not a whole number, or its text is not a text")
    ordered = [answer for answer, _ in Counter(one for one in found if one[1].strip()).most_common()]
    return Question(id=str(asked.get("id", fallback_id)), text=question, passage=passage, answers=tuple(ordered))


def _text(record: Any, name: str) -> str:
    found = record[name]
    if not isinstance(found, str):
        raise TypeError(f"{name} is not a text")
    return found


def _example(path: Path, one: Question, task: str) -> Example:
    answers: list[Json] = []
    for start, text in one.answers:
        place = start if one.passage.startswith(text, max(0, start)) else _nearest(one.passage, text, start)
        if place is None:
            raise InvalidInputError(f"{path}, question {one.id!r}: the answer {text[:80]!r} is nowhere in its passage")
        answers.append({"start": place, "end": place + len(text), "text": text})
    return Example(id=one.id[:200], task=task, text=one.text, other=one.passage, target={"answers": answers})


def _nearest(passage: str, text: str, start: int) -> int | None:
    """Return where the text stands nearest to a place that was told wrongly; some files count bytes, or cut white space."""
    places = []
    at = passage.find(text)
    while at >= 0:
        places.append(at)
        at = passage.find(text, at + 1)
    return min(places, key=lambda place: abs(place - start)) if places else None
