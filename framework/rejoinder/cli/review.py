"""`rejoinder learning review`: the questions of today, asked in the terminal, or in and out as JSON."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import orjson
import typer

from rejoinder.cli.output import say
from rejoinder.errors import InvalidInputError
from rejoinder.payloads import Caller
from rejoinder.settings import load_settings

if TYPE_CHECKING:
    from rejoinder.application import Application
    from rejoinder.learning.review import ReviewQuestion

__all__ = ["answer_from_file", "ask_one_by_one", "opened_for", "show_questions"]

_HELP = "A number takes that label, Enter the first; or type a label. s skips the question for good, q ends."


@asynccontextmanager
async def opened_for(tenant: str) -> AsyncIterator[Application]:
    """Open the deployment's application, for a tenant that there is.

    Raises:
        NotFoundError: there is no such tenant.
    """
    from rejoinder.application import Application

    async with Application.open(load_settings()) as application:
        await application.tenants.get(tenant)
        yield application


async def show_questions(tenant: str) -> None:
    """Print the questions as JSON."""
    from rejoinder.learning.review import questions_of_today
    from rejoinder.wire import to_json

    async with opened_for(tenant) as application:
        found = await questions_of_today(application, tenant)
    say("", json=True, data=[to_json(one) for one in found])


async def ask_one_by_one(tenant: str, by: str) -> None:
    """Ask a person about one question after the other."""
    from rejoinder.learning.review import answer_question, questions_of_today, skip_question

    reviewer = Caller(id=by, role="admin")
    async with opened_for(tenant) as application:
        questions = await questions_of_today(application, tenant)
        if not questions:
            say("There is nothing to review today.")
            return
        say(_HELP)
        done = 0
        for number, question in enumerate(questions, start=1):
            said = _ask(question, f"{number} of {len(questions)}")
            if said == "q":
                break
            if said == "s":
                await skip_question(application, tenant, reviewer, question.id)
                continue
            result = await answer_question(application, tenant, reviewer, question.id, said)
            done += 1
            if result.note:
                say(f"  {result.note}")
        say(f"{done} labels were learned.")


async def answer_from_file(tenant: str, file: Path, by: str) -> dict[str, Any]:
    """Take answers from JSON lines `{"id", "label"}`; return how many were answered and skipped, and the notes on new labels.

    Raises:
        InvalidInputError: the file cannot be read, or a line is no answer; the lines before it were taken.
    """
    from rejoinder.learning.review import answer_question, skip_question

    reviewer = Caller(id=by, role="admin")
    done: dict[str, Any] = {"answered": 0, "skipped": 0, "notes": []}
    lines = _lines(file)
    async with opened_for(tenant) as application:
        for line in lines:
            if line["label"] is None:
                await skip_question(application, tenant, reviewer, line["id"])
                done["skipped"] += 1
                continue
            result = await answer_question(application, tenant, reviewer, line["id"], line["label"])
            done["answered"] += 1
            if result.note:
                done["notes"].append(result.note)
    return done


def _ask(question: ReviewQuestion, place: str) -> str:
    """Return the label that a person gave a question, "s" to skip it or "q" to end."""
    say(f"\n{place}: {question.text}")
    for number, guess in enumerate(question.guesses, start=1):
        say(f"  {number} {guess.label} ({guess.confidence:.0%})")
    labels = [guess.label for guess in question.guesses]
    while True:
        said = str(typer.prompt("label", default=labels[0] if labels else "s", show_default=bool(labels))).strip()
        if said.isdigit() and not 1 <= int(said) <= len(labels):
            say(f"  there is no number {said}: 1 to {len(labels)}, or a label")
        elif said:
            return labels[int(said) - 1] if said.isdigit() else said


def _lines(file: Path) -> list[Mapping[str, Any]]:
    try:
        rows = [orjson.loads(line) for line in file.read_bytes().splitlines() if line.strip()]
    except OSError as error:
        raise InvalidInputError(f"{file} cannot be read: {error.strerror or error}") from error
    except orjson.JSONDecodeError as error:
        raise InvalidInputError(f"{file} is not JSON lines in UTF-8: {error}") from error
    for number, row in enumerate(rows, start=1):
        fits = isinstance(row, dict) and set(row) == {"id", "label"} and isinstance(row["id"], str)
        if not fits or not (row["label"] is None or isinstance(row["label"], str)):
            raise InvalidInputError(f'{file}, line {number}: expected {{"id": text, "label": text or null}}')
    return rows
