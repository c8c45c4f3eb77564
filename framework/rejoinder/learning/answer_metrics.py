"""How good extracted answers are: exact match and F1 as SQuAD defines them.

Source: Rajpurkar et al. 2016, SQuAD (arXiv:1606.05250), section 6.1, and its evaluation script v1.1; Rajpurkar, Jia & Liang 2018 (arXiv:
1806.03822) and script v2.0 for questions without an answer. The scripts print percentages; here all is in [0, 1].
"""

from __future__ import annotations

import re
import string
from collections import Counter
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Sequence

_ARTICLES: Final = re.compile(r"\b(a|an|the)\b")
_PUNCTUATION: Final = frozenset(string.punctuation)


def normalise_answer(text: str) -> str:
    """Return a text in lower case, without punctuation and articles, its white space made single spaces.

    Example:
        >>> normalise_answer("The  Denver Broncos!")
        'denver broncos'
    """
    bare = "".join(one for one in text.lower() if one not in _PUNCTUATION)
    return " ".join(_ARTICLES.sub(" ", bare).split())


def exact_match(said: str, answers: Sequence[str]) -> float:
    """Return 1.0 when `said` equals one of the answers after normalising, else 0.0.

    Args:
        said: the answer given; "" for none.
        answers: the right ones; [] where there is none, which only "" matches.
    """
    return max(float(normalise_answer(said) == normalise_answer(answer)) for answer in _usable(answers))


def token_f1(said: str, answers: Sequence[str]) -> float:
    """Return the best F1 of the words of `said` and of an answer, in [0, 1]; see `exact_match`.

    Example:
        >>> token_f1("in the city of Paris", ["Paris", "the city of Paris"])
        0.8571428571428571
    """
    return max(_f1(normalise_answer(said).split(), normalise_answer(answer).split()) for answer in _usable(answers))


def answer_report(said: Sequence[str], answers: Sequence[Sequence[str]]) -> dict[str, float]:
    """Return `exact_match` and `f1` over all questions, and `has_answer_f1` and `no_answer_f1` where there are such questions.

    Args:
        said: the answer given to each question; "" for none.
        answers: for each question the right answers; [] where there is none.
    """
    if not said:
        return {"exact_match": 0.0, "f1": 0.0}
    f1 = [token_f1(*pair) for pair in zip(said, answers, strict=True)]
    found = {
        "exact_match": sum(exact_match(*pair) for pair in zip(said, answers, strict=True)) / len(said),
        "f1": sum(f1) / len(f1),
    }
    for name, has in (("has_answer_f1", True), ("no_answer_f1", False)):
        own = [value for value, right in zip(f1, answers, strict=True) if bool(right) is has]
        if own:
            found[name] = sum(own) / len(own)
    return found


def _usable(answers: Sequence[str]) -> Sequence[str]:
    """Without an answer that has a word, the right one is the empty one (script v2.0)."""
    return [answer for answer in answers if normalise_answer(answer)] or [""]


def _f1(said: Sequence[str], right: Sequence[str]) -> float:
    if not said or not right:
        return float(said == right)
    common = sum((Counter(said) & Counter(right)).values())
    return 2 * common / (len(said) + len(right))
