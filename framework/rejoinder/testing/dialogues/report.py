"""What came of dialogues, for people, for programs, and for CI servers."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Any, Final
from xml.etree import ElementTree as Xml

from rejoinder.payloads import Json
from rejoinder.testing.dialogues.runner import DialogueResult, TurnResult

if TYPE_CHECKING:
    from rich.text import Text

__all__ = ["as_json", "as_junit", "lines", "told"]

_STYLES: Final = {"+": "green", "-": "red", " ": "", "✓": "green", "✗": "bold red"}


def lines(results: Sequence[DialogueResult], *, verbose: bool = False) -> Iterator[tuple[str, str]]:
    """Yield sign and text of each line: a dialogue each, and of those that failed the conversation and the differences.

    Args:
        verbose: the conversations of those that passed as well.
    """
    for one in results:
        yield ("✓" if one.passed else "✗"), f"{one.name}  ({one.seconds:.2f} s)"
        if one.passed and not verbose:
            continue
        if not one.passed:
            yield " ", f"    {one.place}"
        for turn in one.turns:
            yield from _turn_lines(turn)
        if one.error is not None:
            yield "+", f"    {one.error}"
    failed = sum(not one.passed for one in results)
    yield " ", f"{len(results) - failed} passed, {failed} failed"


def _turn_lines(turn: TurnResult) -> Iterator[tuple[str, str]]:
    yield " ", f"    user: {turn.user}"
    for part in turn.bot or ("(nothing)",):
        for number, line in enumerate(part.splitlines()):
            yield " ", f"    {'bot: ' if number == 0 else '     '} {line}"
    for difference in turn.differences:
        yield " ", f"    {turn.place}: {difference.about}"
        yield "-", f"      expected  {_shown(difference.expected)}"
        yield "+", f"      got       {_shown(difference.got)}"


def _shown(value: Json) -> str:
    if isinstance(value, str):
        return value.replace("\n", " / ")
    return ", ".join(map(str, value)) or "(none)" if isinstance(value, list | tuple) else str(value)


def told(results: Sequence[DialogueResult], *, verbose: bool = False) -> str:
    """Return the report as plain text."""
    return "\n".join(f"{sign} {text}".rstrip() for sign, text in lines(results, verbose=verbose))


def coloured(results: Sequence[DialogueResult], *, verbose: bool = False) -> Text:
    """Return the report with colours for a terminal."""
    from rich.text import Text

    text = Text()
    for sign, line in lines(results, verbose=verbose):
        text.append(f"{sign} {line}\n", style=_STYLES[sign])
    return text


def as_json(results: Sequence[DialogueResult]) -> dict[str, Any]:
    """Return the report as JSON: `passed`, `failed`, and under `dialogues` all turns with their differences."""
    return {
        "passed": sum(one.passed for one in results),
        "failed": sum(not one.passed for one in results),
        "dialogues": [{**asdict(one), "passed": one.passed} for one in results],
    }


def as_junit(results: Sequence[DialogueResult]) -> str:
    """Return the report as JUnit XML, a test case for each dialogue."""
    failed = sum(not one.passed for one in results)
    suite = Xml.Element("testsuite", name="dialogues", tests=str(len(results)), failures=str(failed))
    for one in results:
        case = Xml.SubElement(suite, "testcase", classname=one.place, name=one.name, time=f"{one.seconds:.3f}")
        if not one.passed:
            Xml.SubElement(case, "failure", message="not as it should be").text = told([one])
    return Xml.tostring(suite, encoding="unicode", xml_declaration=True)
