"""What the bot may learn from what an agent answered: questions of the customer, each with the agent's answer to it.

An agent says far more than answers: greetings, questions back, things that are true of this one customer only. What is learned without
anybody's word for it is therefore picked with care; an agent may say of each message whether it is to be learned.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from rejoinder.payloads import Json

__all__ = ["Lesson", "Line", "is_a_question", "is_worth_learning", "lessons_of"]

_FEWEST_WORDS_ASKED: Final = 3
_FEWEST_WORDS_ANSWERED: Final = 4
_LONGEST_NUMBER: Final = 3
_WORD: Final = re.compile(r"\w+")
_PLACEHOLDER: Final = re.compile(r"\[[A-Z_]+\]|<[A-Z_]+>")
_ABOUT_A_PERSON: Final = re.compile(
    r"\b(?:person|human|agent|someone|somebody|operator|representative|colleague|advisor|staff)\b", re.IGNORECASE
)
_NO_QUESTION: Final = re.compile(
    r"\W*(?:hi|hello|hey|good (?:morning|afternoon|evening)|thanks?|thank you|thx|ok(?:ay)?|yes|yeah|no|nope|bye|goodbye|"
    r"are you (?:there|still))\b",
    re.IGNORECASE,
)
_NO_ANSWER: Final = re.compile(
    r"\W*(?:hi|hello|hey|good (?:morning|afternoon|evening)|(?:just )?(?:one|a) (?:moment|second|minute)|please (?:wait|hold)|let me|"
    r"i(?:'ll| will| am|'m) (?:check|look|see|find|have a look)|my name is|this is \w+|thanks?|thank you|you(?:'re| are) welcome|bye|"
    r"goodbye|have a (?:nice|good|great)|is there anything|anything else|sorry)\b",
    re.IGNORECASE,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """One line of a conversation, as it is stored: `turn_id` is the turn's."""

    turn_id: str
    speaker: str
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Lesson:
    """A question, and what an agent answered in the turn `turn_id`."""

    question: str
    answer: str
    turn_id: str


def lessons_of(lines: Sequence[Line], slots: Mapping[str, Json]) -> list[Lesson]:
    """Return the questions of a customer with the agent's answers, where both are worth learning.

    Args:
        lines: of the conversation, oldest first.
        slots: what is known of the customer's matter, by name: an answer that says any of it is for this customer only.
    """
    return [
        Lesson(question=question, answer=answer.text, turn_id=answer.turn_id)
        for question, answer in _answered(lines)
        if is_worth_learning(question, answer.text, slots)
    ]


def is_worth_learning(question: str, answer: str, slots: Mapping[str, Json]) -> bool:
    """Tell whether an agent's answer is one to the question, and one that holds for other customers too.

    Example:
        >>> is_worth_learning("how long does a refund take?", "Refunds take five working days.", {})
        True
        >>> is_worth_learning("where is my order 4711?", "Your order 4711 is on its way.", {})
        False
    """
    if not is_a_question(question) or len(_WORD.findall(answer)) < _FEWEST_WORDS_ANSWERED:
        return False
    if _NO_ANSWER.match(answer) or answer.rstrip().endswith("?") or _PLACEHOLDER.search(answer):
        return False
    return not _is_personal(question, answer, slots)


def is_a_question(text: str) -> bool:
    """Tell whether a customer's message says what they want, and that is not just to talk to somebody."""
    if len(_WORD.findall(text)) < _FEWEST_WORDS_ASKED:
        return False
    return not (_NO_QUESTION.match(text) or _ABOUT_A_PERSON.search(text))


def _answered(lines: Sequence[Line]) -> Iterator[tuple[str, Line]]:
    """Yield what a customer said last before an agent spoke, with the first thing that the agent said to it."""
    question = None
    for line in lines:
        if line.speaker == "user":
            question = line.text
        elif line.speaker == "agent" and question is not None:
            yield question, line
            question = None


def _is_personal(question: str, answer: str, slots: Mapping[str, Json]) -> bool:
    """Tell whether an answer says what is true of one customer: their numbers, what they told, or any long number."""
    told = {word.casefold() for value in slots.values() for word in _WORD.findall(str(value)) if len(word) > 1}
    asked = {word.casefold() for word in _WORD.findall(question)}
    for word in _WORD.findall(answer.casefold()):
        has_digit = any(sign.isdigit() for sign in word)
        if has_digit and (word in asked or sum(sign.isdigit() for sign in word) > _LONGEST_NUMBER):
            return True
        if word in told and (has_digit or len(word) > _LONGEST_NUMBER):
            return True
    return False
