"""Read which of the offered options a person chose."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final

from rejoinder.payloads import Option
from rejoinder.word_sets import word_set

from rejoinder_plugins.dialogue.phrases import normalised

NONE: Final = ""
"""The value of the option that rejects all others."""

_NUMBERS: Final = {
    word: number
    for number, words in enumerate(
        (
            "1 1st first one",
            "2 2nd second two",
            "3 3rd third three",
            "4 4th fourth four",
            "5 5th fifth five",
            "6 6th sixth six",
            "7 7th seventh seven",
            "8 8th eighth eight",
            "9 9th ninth nine",
            "10 10th tenth ten",
        )
    )
    for word in words.split()
}
_AROUND: Final = word_set(
    "the one option options number no nr choice answer please i mean meant want would like id go with for its it is that this my "
    "thanks thank you pick choose chose take ill lets say probably think yes yeah sure a an to about"
)
_REJECTS: Final = re.compile(
    r"(?:(?:no|nope|nah) )?(?:none|neither|nothing|not (?:any|one|either))(?: of)?"
    r"(?: (?:these|those|them|the above|above|this|that|the options))?(?: (?:please|thanks|thank you|really|actually|sorry)){0,3}"
    r"|no|nope|nah|(?:no )?(?:something|anything) else|others?|(?:i mean |i meant )?something different|no (?:thanks|thank you)"
)


def chosen(text: str, options: Sequence[Option]) -> Option | None:
    """Return the option that a message chooses: by its title, value, number, or words that only its title has; else None.

    A rejection of all ("none of these") chooses the option whose value is `NONE`; where there is none, a new one is made.

    Example:
        >>> options = [Option(title="Lost card", value="lost_card"), Option(title="Card not arrived", value="card_arrival")]
        >>> [found.value for text in ("2", "the second one", "LOST card!", "arrived") if (found := chosen(text, options))]
        ['card_arrival', 'card_arrival', 'lost_card', 'card_arrival']
    """
    said = normalised(text)
    if not said:
        return None
    for option in options:
        if said in (normalised(option.title), normalised(option.value)):
            return option
    if _REJECTS.fullmatch(said):
        return next(
            (option for option in options if option.value == NONE), Option(title=text.strip()[:100], value=NONE)
        )
    return _by_number(said, options) or _by_words(said, [option for option in options if option.value != NONE])


def _by_number(said: str, options: Sequence[Option]) -> Option | None:
    words = said.split()
    left = [word for word in words if word not in _AROUND]
    if not left and words.count("one") == 1 and not {"the", "that", "this"} & set(words):
        left = ["one"]
    if len(left) != 1:
        return None
    if left == ["last"]:
        return next((option for option in reversed(options) if option.value != NONE), None)
    number = _NUMBERS.get(left[0])
    return options[number] if number is not None and number < len(options) else None


def _by_words(said: str, options: Sequence[Option]) -> Option | None:
    words = {word for word in said.split() if word not in _AROUND}
    if not words:
        return None
    fits = [option for option in options if words <= set(normalised(option.title).split())]
    return fits[0] if len(fits) == 1 else None
