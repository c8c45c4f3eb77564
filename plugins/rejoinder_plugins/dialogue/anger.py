"""Whether a message is plainly angry, by its words, its capitals and its exclamation marks.

A rule of thumb that wants to be sure: one sharp sign (an insult, a curse, a threat to leave or to sue) is enough; a complaint
needs a second sign beside it: many people curse in a plain question. It knows English only; a learned sentiment is to take its place.
"""

from __future__ import annotations

import re
from typing import Final

__all__ = ["is_angry"]

_LONGEST: Final = 500

_SHARP: Final = re.compile(
    r"\b(?:fuck (?:you|off|this|that)|what the fuck|wtf|bullshit|bastards?|you (?:\w+ )?(?:idiots?|morons?)|go to hell"
    r"|(?:you|this|it) sucks?|pissed off|sick of (?:this|you)"
    r"|fed up|furious|had enough of (?:this|you)|are you (?:kidding|joking)|worst (?:\w+ ){0,3}(?:ever|company|service)"
    r"|(?:i will|i'll|going to) sue|my lawyer|useless (?:bot|thing|machine|robot|crap))\b",
    re.IGNORECASE,
)
_COMPLAINT: Final = re.compile(
    r"\b(?:angry|ridiculous|unacceptable|outrageous|disgusting|terrible|horrible|awful|useless|pathetic|joke|incompetent|shame"
    r"|disgrace(?:ful)?|rubbish|crap|hell|damn|stupid|annoy(?:ed|ing)|hate|worst|lies|liars?|never again|fuck\w*|shut up|scam(?:mers?)?)\b",
    re.IGNORECASE,
)
_LETTERS: Final = re.compile(r"[A-Za-z]")
_CAPITAL_WORDS: Final = re.compile(r"\b[A-Z]{3,}\b")
_MOST_QUIET_SHARE: Final = 0.7
_SHOUTED_WORDS: Final = 3


def is_angry(text: str) -> bool:
    """Tell whether a message is plainly angry.

    Example:
        >>> [is_angry(text) for text in ("THIS IS RIDICULOUS!!", "I'm fed up with you", "a terrible rash", "CANCEL ORDER ABC-12")]
        [True, True, False, False]
    """
    text = text[:_LONGEST]
    if _SHARP.search(text):
        return True
    complaints = len(_COMPLAINT.findall(text))
    return complaints > 0 and complaints + ("!!" in text) + _is_shouted(text) >= 2


def _is_shouted(text: str) -> bool:
    letters = _LETTERS.findall(text)
    capitals = sum(letter.isupper() for letter in letters)
    return capitals > _MOST_QUIET_SHARE * len(letters) > 0 and len(_CAPITAL_WORDS.findall(text)) >= _SHOUTED_WORDS
