"""What a message asks of the one who recommends."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

from rejoinder.items.attributes import TAG

from rejoinder_recommendation.conversation.content_words import content_words
from rejoinder_recommendation.conversation.filters import COMPARISONS, read_filters
from rejoinder_recommendation.conversation.item_index import ItemIndex
from rejoinder_recommendation.conversation.tastes import speaks_against
from rejoinder_recommendation.lists.filters import Filters

__all__ = ["Request", "pointed_to", "read_request"]

_WANTS: Final = re.compile(
    r"\b(?:recommend(?:ations?)?|suggest(?:ions?)?|"
    r"(?:some|any)thing (?:like|similar|with|by|for|about|(?!earl)\w+ier\b|to (?:watch|read|see|play|wear|eat|give))|"
    r"(?:some|any) (?:good )?(?:\w+ )?(?:movies?|films?|books?|shows?|games?|songs?|products?|items?)|"
    r"an? (?:\w+ )?(?:movie|film|book|show|game|song|product) (?:about|with|by|for|like|from)|"
    r"similar to|in the mood for|(?:a |the )?(?:gift|present) for|"
    r"(?:looking for|show me|find me)(?! (?:my|our|your|the|this|that|how|where|when)\b)|"
    r"what (?:should|could|can|shall) (?:i|we) (?:watch|read|buy|get|see|play|give)|what (?:movie|film|book|game|show))\b",
    re.IGNORECASE,
)
_TASTE: Final = re.compile(
    r"\bI(?:['’]ve)? (?:really |just |also |absolutely )*(?:liked?|loved?|enjoy|enjoyed|hated?|disliked?)\b|"
    r"\bI didn['’]?t like\b",
    re.IGNORECASE,
)
_WHY: Final = re.compile(r"\bwhy\b(?! not)", re.IGNORECASE)
_MORE: Final = re.compile(
    r"\b(?:something|anything) (?:else|different)\b|\b(?:any|what|show me|some) (?:others?|more)\b|"
    r"^\W*(?:more|others?|next|another(?: one)?)\W*$",
    re.IGNORECASE,
)
_SHOWN: Final = r"(?:this|that|these|those|them|the|it|any|number)"
_REJECTS: Final = re.compile(
    rf"\bnot {_SHOWN}\b|\bnone of\b|\bno thanks\b|\b(?:already|have) (?:seen|read|watched|own|have|got)\b|"
    rf"\bseen {_SHOWN}\b|\b(?:do|did)(?:n['’]?t| not) (?:like|want) {_SHOWN}\b|\bi (?:hate|dislike) {_SHOWN}\b",
    re.IGNORECASE,
)
_LIKES: Final = re.compile(
    rf"\b(?:like|love|prefer|more like|similar to|such as) {_SHOWN}\b|"
    r"\b(?:one|it|this|that|first|second|third|fourth|fifth|last) (?:is|looks|sounds|seems) "
    r"(?:(?:very|really|quite|pretty|just) )?(?:nice|good|great|lovely|perfect|interesting|cool)\b",
    re.IGNORECASE,
)
_ALL: Final = re.compile(r"\b(?:none|these|those|them|all|any)\b", re.IGNORECASE)
_ORDINALS: Final = tuple(
    rf"{words}|#{number}|number {number}"
    for number, words in enumerate(("first|1st|top", "second|2nd", "third|3rd", "fourth|4th", "fifth|5th"), 1)
)
_COMPARED: Final = re.compile(rf"\b({'|'.join(COMPARISONS)})\b(?! than (?:[$€£]\s?)?\d)", re.IGNORECASE)
_NOT_BEFORE: Final = re.compile(
    r"\b(?:no|not|without|except|nothing with|anything but|hate|avoid|don['’]?t (?:like|want))\b[^,.;!?]*$",
    re.IGNORECASE,
)
_NO_CONTENT: Final = re.compile(
    r"\b(?:under|below|over|above|less|more|most|least|than|cheaper|shorter|longer|newer|older|expensive|recent|why|first|second|third|"
    r"euros?|dollars?|minutes?|hours?|one|not|don['’]?t)\b",
    re.IGNORECASE,
)
_SURE: Final = 0.75


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """One message, read.

    Attributes:
        wants: it asks for items.
        explains: it asks why an item was shown.
        more: it asks for other items than those shown.
        liked, disliked: ids of items that it names, for and against.
        preferred, rejected: ids of items of the last list that it points to, for and against.
        compared: the words of `COMPARISONS` in it.
        filters: bounds and kinds.
        words: what it is about, without the titles.
        content: whether these say anything to look for.
        tells: it tells of a taste.
    """

    wants: bool = False
    explains: bool = False
    more: bool = False
    tells: bool = False
    liked: tuple[str, ...] = ()
    disliked: tuple[str, ...] = ()
    preferred: tuple[str, ...] = ()
    rejected: tuple[str, ...] = ()
    compared: tuple[str, ...] = ()
    filters: Filters = field(default_factory=Filters)
    words: str = ""
    content: bool = False

    @property
    def refines(self) -> bool:
        """Whether it says something of a list that was shown."""
        changes = (self.more, self.rejected, self.preferred, self.compared, self.filters != Filters(), self.explains)
        return any(changes)

    @property
    def says_something(self) -> bool:
        """Whether there is anything to look for."""
        return bool(self.liked or self.preferred or self.content or self.filters != Filters())


def read_request(text: str, index: ItemIndex, last_list: Sequence[str] = ()) -> Request:
    """Read a message.

    Args:
        last_list: ids of the items shown last, in order; what "this one" or "the second" may mean.
    """
    links = [link for link in index.linker.link(text) if link.score >= _SURE]
    without_titles = text
    for link in reversed(links):
        without_titles = f"{without_titles[: link.start]} {without_titles[link.end :]}"
    without_titles = re.sub(r"\(\s*(?:\d{4}\s*)?\)", " ", without_titles)
    explains = bool(_WHY.search(without_titles)) and bool(last_list)
    pointed = pointed_to(without_titles, last_list)
    named_in_list = tuple(link.item for link in links if link.item in last_list)
    rejects = bool(last_list) and bool(_REJECTS.search(without_titles))
    likes = bool(last_list) and not rejects and bool(_LIKES.search(without_titles))
    against = tuple(
        link.item for link in links if speaks_against(text, link) or (rejects and link.item in named_in_list)
    )
    filters = read_filters(without_titles).merged(_kinds(without_titles, index))
    return Request(
        wants=bool(_WANTS.search(text)),
        explains=explains,
        more=bool(last_list) and bool(_MORE.search(without_titles)),
        tells=bool(_TASTE.search(text)),
        liked=() if explains else tuple(link.item for link in links if link.item not in against),
        disliked=against,
        preferred=pointed if likes else (),
        rejected=(named_in_list or pointed or tuple(last_list[:1])) if rejects else (),
        compared=tuple(dict.fromkeys(match[1].casefold() for match in _COMPARED.finditer(without_titles))),
        filters=filters,
        words=" ".join(without_titles.split()),
        content=bool(content_words(_unbounded(without_titles))),
    )


def pointed_to(text: str, last_list: Sequence[str]) -> tuple[str, ...]:
    """Return the items of the last list that a message points to: by a place, or all of them; otherwise the first."""
    places = [
        place for place, words in enumerate(_ORDINALS) if re.search(rf"(?<!\w)(?:{words})\b", text, re.IGNORECASE)
    ]
    if re.search(r"\bthe last(?: one)?\b", text, re.IGNORECASE) and last_list:
        places.append(len(last_list) - 1)
    found = tuple(last_list[place] for place in places if place < len(last_list))
    if found:
        return found
    return tuple(last_list) if _ALL.search(text) else tuple(last_list[:1])


def _kinds(text: str, index: ItemIndex) -> Filters:
    """Return the tags that a message wants, and those that it does not."""
    wanted: list[str] = []
    without: list[str] = []
    for relation, tag in index.named_values(text):
        if relation == TAG:
            place = re.search(re.escape(tag[: max(3, len(tag) - 1)]), text, re.IGNORECASE)
            before = text[: place.start()] if place else ""
            (without if _NOT_BEFORE.search(before) else wanted).append(tag)
    return Filters(tags=tuple(wanted), without=tuple(without))


def _unbounded(text: str) -> str:
    """Return a text without the words that compare."""
    return _NO_CONTENT.sub(" ", _MORE.sub(" ", text))
