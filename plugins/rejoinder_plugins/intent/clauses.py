"""Where a message may be cut into parts that say different things: at ends of sentences, and at words that add something."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final

from rejoinder.payloads import Span
from rejoinder.word_sets import word_set

__all__ = ["clauses", "is_background"]

_MOST: Final = 6
_FEWEST_WORDS: Final = 2
_MAX_CHARS: Final = 1000
_CUT: Final = re.compile(
    r"(?<=[.!?;\n])[\s\"')]{0,4}(?=\S)"
    r"|[,;]?\s{1,3}(?:and then|and also|and|also|plus|then|as well as|but also|oh and|besides|in addition|additionally)[,:]?\s{1,3}"
    r"|,\s{1,3}",
    re.IGNORECASE,
)
_WORD: Final = re.compile(r"\w+")
_APOSTROPHES: Final = str.maketrans("", "", "'’`´")
_FIRST_FILLERS: Final = re.compile(
    r"(?:(?:and|also|plus|then|oh|but|so|secondly|second|finally|lastly)\b[,:]?\s+)+", re.IGNORECASE
)


_SAYS_NOTHING: Final = word_set(
    "a an and any anything at be been can could did do does doing done for from get give go going got had has have here how i id ill im "
    "in is it its ive just kindly let like may me might my need needs now of oh ok okay on or out please pls plz really should so some "
    "somehow someone that the them then there these this those to too u up want way we well what whats when where which who why will "
    "with would ya yes you your "
    "advance advice advise answer anyone appreciate appreciated asap ask asking assist assistance cheers explain fast fix hear hello help "
    "helping hey hi hope immediately instructions know lot many matter much out possible problem process question quickly regards reply "
    "resolve respond response show solve soon sorry steps sure tell thank thankful thanks thx today tried try trying understand urgent "
    "urgently very wait waiting wondering"
)
"""Words of courtesy, of asking for help as such, and of grammar: a part of nothing else says no matter of its own."""

_MEANS_NOTHING: Final = re.compile(
    r"\b(?:is|was|would|will|isnt|wont) it (?:be )?(?:possible|ok|okay|safe|normal|necessary|true|allowed|free|better|easy|worth)\b"
    r"|\b(?:does|will|would|might|can) it (?:usually |normally |typically |generally )?take\b|\bit takes\b"
)
"""Where "it" stands for nothing said before."""

_REFERS_BACK: Final = re.compile(
    r"\b(?:it|them)\b|\b(?:get|have|need|want|use|order|buy) one\b"
    r"|\b(?:do|does|did|done|doing|about|like|with|why|how) (?:this|that|so)\b|\b(?:this|that|these|those)$"
)
_LEADS_ON: Final = re.compile(
    r"(?:to|if|when|whenever|while|since|because|although|though|even though|even if|as soon as|after|before|until|once|in order to|"
    r"due to|despite|given that|now that|regarding|concerning|at|during) \w+ \w+"
)
"""How a part begins that only says when, why or what for the other is."""

_TELLS: Final = re.compile(
    r"(?:(?:hi|hello|hey|well|so|yes|no|and|but|also|however|unfortunately|today|yesterday|recently|just) ){0,3}"
    r"(?:i|im|ive|id|we|weve|my|our|the|your|you|there|theres|this|that|they|he|she|someone|somebody|something|a|an|one|some"
    r"|looks like|seems)\b"
)
"""How a part begins that is about somebody or something, not a request."""
_WANTS: Final = re.compile(
    r"\b(?:want|wanna|wish|need|needs|needed|like|love|prefer|must|gotta|should|interested|looking|wonder|wondering|please|help|assistance"
    r"|(?:have|has|got|going|try|trying|able|how|where|what|which|why|when) to|how (?:do|can|could|would|should|i)|what (?:is|are|do)"
    r"|where (?:do|can|is)|why|can you|could you|tell me|let me know)\b"
)


def clauses(text: str) -> list[Span]:
    """Return the parts of a message, in order; the whole where it cannot be cut, or has more than a few parts.

    A part has at least two words; shorter ones stay with the part before them. So does one that says no matter of its own ("can you help
    me?", "please tell me how") or speaks of what was said before ("how do I do it?"); one that only leads on to the next ("if I lose my
    card, ...") stays with that.

    Example:
        >>> text = "Where is my card? And how do I change my PIN, can you help me?"
        >>> [text[one.start : one.end] for one in clauses(text)]
        ['Where is my card?', 'how do I change my PIN, can you help me?']
    """
    text = text[:_MAX_CHARS]
    found: list[tuple[int, int]] = []
    begin = 0
    for match in [*_CUT.finditer(text), None]:
        end = len(text) if match is None else match.start()
        if match is None or len(_WORD.findall(text[begin:end])) >= _FEWEST_WORDS:
            found.append((begin, end))
            begin = end if match is None else match.end()
    found = _joined(text, found)
    if not 1 < len(found) <= _MOST:
        return [Span(start=0, end=len(text))]
    return [_trimmed(text, *one) for one in found]


def is_background(part: str) -> bool:
    """Tell whether a part of a message only tells how things are: it asks nothing and wants nothing.

    Example:
        >>> [is_background(part) for part in ("I live in the US", "My card was stolen.", "I want a new card", "cancel my order")]
        [True, True, False, False]
    """
    said = _plain(part)
    return not part.rstrip().endswith("?") and _TELLS.match(said) is not None and _WANTS.search(said) is None


def _joined(text: str, parts: Sequence[tuple[int, int]]) -> list[tuple[int, int]]:
    """Return parts of which each can be understood by itself."""
    joined: list[tuple[int, int]] = []
    leads_on = False
    for start, end in parts:
        said = _plain(text[start:end])
        if joined and (leads_on or _leans_back(said)):
            joined[-1] = (joined[-1][0], end)
        else:
            joined.append((start, end))
        leads_on = _LEADS_ON.match(said) is not None or (len(joined) == 1 and _says_nothing(text[slice(*joined[0])]))
    return joined


def _leans_back(said: str) -> bool:
    few = len(said.split()) < _FEWEST_WORDS
    return (
        few or _SAYS_NOTHING.issuperset(said.split()) or _REFERS_BACK.search(_MEANS_NOTHING.sub(" ", said)) is not None
    )


def _says_nothing(part: str) -> bool:
    return _SAYS_NOTHING.issuperset(_plain(part).split())


def _plain(text: str) -> str:
    """Return the words of a text in lower case, without apostrophes, with single spaces between."""
    return " ".join(_WORD.findall(text.translate(_APOSTROPHES).casefold()))


def _trimmed(text: str, start: int, end: int) -> Span:
    filler = _FIRST_FILLERS.match(text, start, end)
    start = filler.end() if filler is not None and filler.end() < end else start
    own = text[start:end]
    return Span(start=start + len(own) - len(own.lstrip()), end=end - (len(own) - len(own.rstrip())))
