"""What people write when they mean yes, no, or that they want a person."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Final, Literal

from rejoinder.word_sets import word_set

_MAX_CHARS: Final = 500
"""No phrase here needs more, and no pattern sees more."""

_APOSTROPHES: Final = re.compile(r"['’`´]")
_NO_WORDS: Final = re.compile(r"[^\w\U0001F44D\U0001F44E]+")


_YES: Final = word_set(
    "yes yeah yep yup ya aye sure please definitely absolutely certainly y \U0001f44d "
    "ok okay okey alright right fine good great perfect correct exactly k"
)
_PLAIN_YES: Final = word_set("yes yeah yep yup \U0001f44d")
_NO: Final = word_set("no nope nah n never not dont \U0001f44e")
_DENIES_NOTHING: Final = re.compile(r"\b(?:why not|(?:no|not a) (?:problems?|worries))\b")
_GOES_AHEAD: Final = re.compile(r"\b(?:go ahead|do it)$")
_POLITE: Final = word_set(
    "please thanks thank thx ta you very much so that would be great good nice cool ok okay fine lovely perfect do it go ahead of "
    "course i id d would like want to the a an me now then why not sounds yes yeah sure im all set need any more for with this is "
    "thats connect talk person human agent someone somebody him her them let lets s m just right no nope really worries problem "
    "mind moment at later maybe today anymore necessary"
)
_YES_WHOLE: Final = frozenset(
    {
        "go ahead",
        "do it",
        "do that",
        "do so",
        "of course",
        "why not",
        "that would be great",
        "that would be nice",
        "sounds good",
    }
    | {
        "id like that",
        "i would like that",
        "i do",
        "id love to",
        "connect me",
        "lets do it",
        "lets do that",
        "by all means",
    }
)
_NO_WHOLE: Final = frozenset(
    {
        "im good",
        "im fine",
        "im all set",
        "im ok",
        "its fine",
        "its ok",
        "forget it",
        "leave it",
        "skip it",
        "cancel",
        "later",
    }
    | {
        "maybe later",
        "thats all",
        "nevermind",
        "i dont",
        "i do not",
        "i dont want that",
        "i would rather not",
        "id rather not",
    }
)

_PERSON: Final = (
    r"(?:human(?: being)?|person|people|agents?|representatives?|reps?|operators?|advis[eo]rs?|assistants?|staff|colleague|"
    r"specialist|manager|supervisor|employee|customer (?:service|support|care)(?: (?:agent|rep|representative|person|team))?|"
    r"support (?:agent|team|person|staff|rep)|someone|somebody|anyone)"
)
_KIND_OF: Final = (
    r"(?:(?:a|an|the|some|any|your|one of your|real|actual|live|human|another|customer|service|support|proper) ){0,4}"
)
_ASKS_FOR_PERSON: Final = tuple(
    re.compile(pattern)
    for pattern in (
        rf"\b(?:talk|speak|chat|talking|speaking|chatting)(?: (?:to|with)) {_KIND_OF}{_PERSON}\b",
        rf"\b(?:connect|transfer|put|pass|hand|switch|forward|redirect|get|escalate)(?: (?:me|us|this|it))"
        rf"(?: (?:over|through|on|back))?(?: (?:to|with)) {_KIND_OF}{_PERSON}\b",
        rf"\b(?:get|give|find|fetch|bring)(?: me) {_KIND_OF}{_PERSON}\b(?! (?:elses?|s)\b)",
        rf"\b(?:want|need|prefer|like) {_KIND_OF}(?:real |live |actual )?(?:human(?: being)?|agent|representative|operator|"
        rf"real person|live person|actual person|person|human agent)(?: (?:please|now|to help|to talk|to answer)\b|$)",
        rf"^{_KIND_OF}(?:human|agent|representative|operator|person|advisor|adviser|customer service|live chat|human help)"
        r"(?: (?:please|now|help))*$",
        r"\b(?:is|are) there (?:a|an|any)(?: (?:real|live|actual))? (?:human|person|agent|people|humans|agents)"
        r"(?: (?:here|there|available|around|please|online|now|i can|who can|that can|to (?:talk|speak|chat|help))\b|$)",
    )
)
_NEGATED: Final = re.compile(
    r"\b(?:dont|do not|not|no need|without|instead of|rather than|never|refuse)(?: \w+){0,3} (?:talk|speak|chat|talking|speaking|"
    r"chatting|connect|transfer|need|want|human|person|agent)\b"
)


def normalised(text: str) -> str:
    """Return a text in lower case, without apostrophes, its words (and thumbs) separated by single spaces.

    Example:
        >>> normalised("  I'd like THAT, please!")
        'id like that please'
    """
    return _NO_WORDS.sub(" ", _APOSTROPHES.sub("", text[:_MAX_CHARS].casefold())).replace("_", " ").strip()


def says_yes_or_no(text: str, *, yes: Iterable[str] = (), no: Iterable[str] = ()) -> Literal["yes", "no"] | None:
    """Tell whether a whole message means yes or no; None when it says something else, or more.

    Args:
        yes: more messages that mean yes; `no` likewise.

    Example:
        >>> [says_yes_or_no(text) for text in ("Yes please!", "no, thank you", "ok, and what does it cost?")]
        ['yes', 'no', None]
    """
    said = normalised(text)
    if said in {normalised(one) for one in yes}:
        return "yes"
    if said in {normalised(one) for one in no}:
        return "no"
    if said in _YES_WHOLE:  # with "why not" in it
        return "yes"
    if said in _NO_WHOLE:
        return "no"
    words = plain_words(text)
    if " ".join(words) in _YES_WHOLE:
        return "yes"
    first, *rest = words or [""]
    denials = _NO.intersection(rest)
    if not denials.union(_POLITE).issuperset(rest) or said == "not":
        return None
    if first in _NO:
        takes_it_back = _PLAIN_YES.intersection(rest) or _GOES_AHEAD.search(" ".join(rest))
        return None if takes_it_back and not denials else "no"
    if first not in _YES:
        return None
    if not denials:
        return "yes"
    refused = rest[1:] if rest[0] == "do" else rest  # "please do not"
    return "no" if refused[:1] and refused[0] in _NO else None


def plain_words(text: str) -> list[str]:
    """Return the words of a normalised text without those that deny nothing though they look so.

    Example:
        >>> plain_words("No problem, go ahead!")
        ['go', 'ahead']
    """
    return _DENIES_NOTHING.sub(" ", normalised(text)).split()


def asks_for_person(text: str, *, more: Iterable[str] = ()) -> bool:
    """Tell whether a message asks outright to be served by a person.

    Args:
        more: more messages that do.

    Example:
        >>> [asks_for_person(text) for text in ("Can I speak to a real person?", "How do I send money to another person?")]
        [True, False]
    """
    said = normalised(text)
    if not said:
        return False
    if said in {normalised(one) for one in more}:
        return True
    return any(pattern.search(said) for pattern in _ASKS_FOR_PERSON) and not _NEGATED.search(said)
