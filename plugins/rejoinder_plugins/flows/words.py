"""What a message says to a flow: begin, stop, yes, no, or "not that one"."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Final, Literal

from rejoinder.word_sets import word_set

from rejoinder_plugins.dialogue.phrases import normalised, plain_words, says_yes_or_no

__all__ = ["Phrases", "asks_about", "denies_next", "gives_up", "looks_like_question", "says_other", "yes_or_no"]

_GAP: Final = 2
"""Words that may stand between two words of a phrase."""

_BEFORE: Final = r"(?:(?:oh|ok|okay|no|well|actually|sorry|please|hmm|um|wait|just|hey|nah|you know what) ){0,3}"
_AFTER: Final = (
    r"(?: (?:please|thanks|thank you|then|now|sorry|it|this|that|instead|about it|for now|anymore|after all)){0,3}"
)
_GIVES_UP: Final = re.compile(
    _BEFORE
    + r"(?:never ?mind|forget (?:it|that|about it|this)|(?:i want to |lets |can we |can you |i d like to )?(?:stop|cancel|abort|quit|exit)"
    r"|leave it(?: be)?|drop it|i (?:ve |have )?changed my mind|ive changed my mind|i dont want (?:to|it|this|that)"
    r"|dont bother|let it be|no longer needed|not needed)" + _AFTER
)
_OTHER: Final = re.compile(
    r"\b(?:no|nope|not|wrong|other|another|different|change|correction|mistake|actually|sorry|i meant?|instead|typo|wait|oops"
    r"|correct (?:the|my|it|this|that|to)|(?:please|to) correct)\b"
)
_QUESTION_STARTS: Final = word_set(
    "what when where which who whom whose why how can could do does did is are was will would should may might"
)
_FIRST_FILLERS: Final = word_set(
    "oh ok okay well hmm um and but so hey hi please wait sorry actually just yes yeah first also then"
)
_CHANGES: Final = re.compile(
    r"^(?:no|nope|nah)\b|\b(?:instead|rather|change|correct|correction|i meant?|make (?:it|that)|switch|swap|mistake|typo|wrong)\b"
)
_ASKS_TO_DO: Final = re.compile(
    r"^(?:can|could|would|will|may|might) (?:you|i|we)\b(?! (?:please |also |just |maybe ){0,2}"
    r"(?:tell|say|explain|show|let|check|find|look|know|ask|see|remind|give)\b)|^(?:what|how) about\b"
)
_ASKS_INDIRECTLY: Final = re.compile(
    r"\b(?:tell me|(?:want|like|need) to know|wonder(?:ing)?|asking|(?:do|dont) (?:you )?know)\b.*"
    r"\b(?:what|when|where|which|who|whose|why|how|if|whether)\b"
)
_LEAST_ASKING: Final = 4
"""Words from which on a question mark alone makes a question; of fewer it may be a value said in doubt ("order 67890?")."""
_YES_STARTS: Final = word_set("yes yeah yep yup sure ok okay right correct please definitely absolutely exactly")
_NO_STARTS: Final = word_set("no nope nah")
_UNSURE: Final = word_set(
    "but wait no not dont wrong other another different instead actually except what how why "
    "never nevermind forget stop abort quit exit hold change fix edit update cant cannot wont isnt wasnt doesnt didnt"
)
_LONGEST_YES: Final = 8
_DENIED: Final = re.compile(
    r"\b(?:dont|do not|didnt|did not|wont|will not|wouldnt|would not|shouldnt|should not|not|never|without|no (?:need|wish|longer))"
    r"(?: (?:want|wish|need|like|plan|intend|going|have|mean|meant|ask|asked|asking|try|trying|to|you|me|it|my|the|a|an|yet|really|actually"
    r"|ever|please)){0,4}$"
)
"""A denial of the words that follow."""
_DENIAL: Final = re.compile(
    r"(?:\bnot|\b(?:it|that|this) (?:isnt|wasnt)|\b(?:dont|didnt|did not|do not) (?:want|mean|say)|\binstead of)$"
)
_LONGEST_DENIAL: Final = 100
"""Characters before a value in which its denial stands."""
_TO_A_VALUE: Final = word_set("the that this my a an for on in at to by of number")
_ASKS_WHY_NOT: Final = re.compile(r"\bwhy (?:dont|do not|not|wont|will not)\b")


class Phrases:
    """Phrases that stand for something, to be found in messages: their words in their order, with at most two others between, not denied.

    Args:
        meanings: phrases, and what each stands for; of several that fit, the one of most words counts.

    Example:
        >>> Phrases({"block card": "block_card"}).find("Please block my new card!")
        'block_card'
    """

    def __init__(self, meanings: Mapping[str, str]) -> None:
        self._by_first: dict[str, list[tuple[list[str], str]]] = {}
        for phrase, meaning in meanings.items():
            words = normalised(phrase).split()
            if words:
                self._by_first.setdefault(words[0], []).append((words, meaning))

    def find(self, text: str) -> str | None:
        """Return what a message's best phrase stands for, or None: it has none."""
        if not self._by_first:
            return None
        said = normalised(text).split()
        best: tuple[int, str] | None = None
        for place, word in enumerate(said):
            for words, meaning in self._by_first.get(word, ()):
                longer = best is None or len(words) > best[0]
                if longer and _follow(words, said, place) and not _is_denied(said[:place]):
                    best = (len(words), meaning)
        return best[1] if best is not None else None

    def opening(self, text: str) -> str | None:
        """Return what the phrase stands for with which a message begins, but for words such as "actually"; None: it begins otherwise.

        Example:
            >>> phrases = Phrases({"track order": "track_order"})
            >>> [phrases.opening(text) for text in ("Actually, track my order first", "12345, the one I want to track in order")]
            ['track_order', None]
        """
        said = _without_fillers(normalised(text).split())
        found = [one for one in self._by_first.get(said[0], ()) if _follow(one[0], said, 0)] if said else []
        return max(found, key=lambda one: len(one[0]))[1] if found else None


def _without_fillers(said: list[str]) -> list[str]:
    while len(said) > 1 and said[0] in _FIRST_FILLERS:
        said = said[1:]
    return said


def _is_denied(before: Sequence[str]) -> bool:
    """Tell whether the words before others deny these: "i do not want to" does, "why not" does not."""
    return _DENIED.search(_ASKS_WHY_NOT.sub(" ", " ".join(before))) is not None


def _follow(words: Sequence[str], said: Sequence[str], place: int) -> bool:
    for word in words[1:]:
        following = said[place + 1 : place + 2 + _GAP]
        if word not in following:
            return False
        place += 1 + following.index(word)
    return True


def gives_up(text: str, more: Iterable[str] = ()) -> bool:
    """Tell whether a whole message gives up what is being done.

    Example:
        >>> [gives_up(text) for text in ("oh, never mind", "Cancel that please", "cancel order 12")]
        [True, True, False]
    """
    said = normalised(text)
    return _GIVES_UP.fullmatch(said) is not None or any(said == normalised(one) for one in more)


def says_other(text: str) -> bool:
    """Tell whether a message says that something is not as it was taken.

    Example:
        >>> [says_other(text) for text in ("no, the other order", "I meant 4567", "4567")]
        [True, True, False]
    """
    return _OTHER.search(normalised(text)) is not None


def denies_next(before: str, title: str) -> bool:
    """Tell whether a text denies the value that follows it, with nothing between but the title of its slot.

    Example:
        >>> [denies_next(text, "order number") for text in ("no, not order ", "it isn't the ", "no, order ", "I did not get order ")]
        [True, True, False, False]
    """
    last = normalised(before[-_LONGEST_DENIAL:]).split()
    between = _TO_A_VALUE.union(normalised(title).split())
    while last and last[-1] in between:
        last.pop()
    return _DENIAL.search(" ".join(last)) is not None


def looks_like_question(text: str) -> bool:
    """Tell whether a message is a question, by its first word or its mark."""
    said = normalised(text).split()
    return len(said) > 1 and (text.rstrip().endswith("?") or said[0] in _QUESTION_STARTS)


def asks_about(text: str) -> bool:
    """Tell whether a message only asks something, so that no value in it is meant to take another's place.

    Example:
        >>> [asks_about(text) for text in ("What does order 67890 cost?", "no, order 67890", "could you cancel 67890 instead?")]
        [True, False, False]
    """
    said = _without_fillers(normalised(text).split())
    words = " ".join(said)
    if len(said) < 2:
        return False
    marked = text.rstrip().endswith("?") and len(said) >= _LEAST_ASKING
    asks = marked or said[0] in _QUESTION_STARTS or _ASKS_INDIRECTLY.search(words) is not None
    return asks and not _CHANGES.search(words) and not _ASKS_TO_DO.search(words)


def yes_or_no(text: str, *, yes: Iterable[str] = (), no: Iterable[str] = ()) -> Literal["yes", "no"] | None:
    """Tell whether an answer means yes or no, generously: "yes cancel it please" is a yes, "yes but not that one" neither.

    What gives up ("ok, cancel that") is neither, save where `yes` or `no` hold it. Whether values are said beside the yes is not looked at.

    Example:
        >>> [yes_or_no(text) for text in ("Yes, cancel it", "nope!", "no don't do that", "yes but which one?", "ok, stop")]
        ['yes', 'no', 'no', None, None]
    """
    said = says_yes_or_no(text, yes=yes, no=no)
    if said is not None:
        return said
    words = plain_words(text)
    if not words or len(words) > _LONGEST_YES or text.rstrip().endswith("?") or gives_up(text):
        return None
    if words[0] in _YES_STARTS and not _UNSURE & set(words[1:]) and not says_other(" ".join(words)):
        return "yes"
    if words[0] in _NO_STARTS and not {"but", "other", "another"} & set(words[1:]):
        return "no"
    return None
