"""Questions with their answers from files as MetaQA has them: `... [topic] ...<TAB>answer|answer`, plain or gzipped."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path

from rejoinder.errors import InvalidInputError
from rejoinder.graph.answering.questions import marked_topic, masked
from rejoinder.learning.labelled_csv import read_data

_HEADER = "question"


@dataclass(frozen=True, slots=True, kw_only=True)
class GraphQuestion:
    """One question.

    Attributes:
        text: the question, its topic in square brackets.
        answers: names of all right answers.
    """

    text: str
    answers: tuple[str, ...]

    @property
    def topic(self) -> str:
        """The name of what the question is about."""
        marked = marked_topic(self.text)
        return "" if marked is None else marked[2]

    @property
    def masked(self) -> str:
        """The question with its topic masked."""
        marked = marked_topic(self.text)
        return masked(self.text, [] if marked is None else [marked[:2]])


@dataclass(frozen=True, slots=True, kw_only=True)
class GraphQuestions:
    """The questions of a file, in order, and the SHA-256 of its content."""

    path: Path
    questions: tuple[GraphQuestion, ...]
    sha256: str


def read_graph_questions(path: Path | str) -> GraphQuestions:
    """Read questions.

    Args:
        path: a text file of lines `question<TAB>answer|answer`, each question with one topic in square brackets; further columns are passed
            over, and so is a first line that begins with `question<TAB>`.

    Raises:
        InvalidInputError: the file cannot be read, is not UTF-8, or a line is not like that; the message names the line.
    """
    path = Path(path)
    data = read_data(path)
    try:
        lines = data.decode("utf-8-sig").splitlines()
    except UnicodeDecodeError as error:
        raise InvalidInputError(f"{path} is not UTF-8: {error}") from error
    questions = []
    for number, line in enumerate(lines, start=1):
        columns = line.split("\t")
        if not line.strip() or (number == 1 and columns[0].strip().casefold() == _HEADER):
            continue
        answers = (
            tuple(dict.fromkeys(one.strip() for one in columns[1].split("|") if one.strip()))
            if len(columns) > 1
            else ()
        )
        one = GraphQuestion(text=columns[0].strip(), answers=answers)
        if not answers or not one.topic:
            raise InvalidInputError(
                f"{path}, line {number}: expected `question<TAB>answer|answer` with one topic in square brackets, got {line[:200]!r}"
            )
        questions.append(one)
    if not questions:
        raise InvalidInputError(f"{path} has no question")
    return GraphQuestions(path=path, questions=tuple(questions), sha256=hashlib.sha256(data).hexdigest())
