"""What people say in small talk, by kind, in our own wording."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from rejoinder.word_sets import word_set

__all__ = ["ASSENT", "PHRASES", "exact_kind"]

ASSENT: Final = "assent"
"""What is said to take note of an answer, and asks nothing; it is known by its phrases alone, never by likeness."""

PHRASES: Final[Mapping[str, tuple[str, ...]]] = {
    "greeting": (
        "hello", "hi", "hey", "hey there", "hi there", "hello there", "hiya", "howdy", "yo", "good morning", "good afternoon",
        "good evening", "morning", "greetings", "hello bot", "hi everyone", "good day to you", "hey are you there", "anyone there",
        "hello is anybody here", "nice to meet you",
    ),
    "how_are_you": (
        "how are you", "how are you doing", "how are you today", "how is it going", "how have you been", "whats up", "how do you do",
        "are you doing well", "how was your day", "hows your day going", "hope you are well", "you alright",
    ),
    "thanks": (
        "thanks", "thank you", "thank you very much", "many thanks", "thanks a lot", "thx", "ty", "cheers", "much appreciated",
        "i appreciate your help", "thanks for your help", "thank you for the answer", "that helped thank you", "thanks so much",
        "thank you kindly", "thanks that is all i needed", "i am grateful for that", "i owe you", "you saved my day",
        "i am glad you did this for me", "my gratitude to you",
    ),
    "goodbye": (
        "bye", "goodbye", "bye bye", "see you", "see you later", "see ya", "have a nice day", "have a good one", "good night", "farewell",
        "talk to you later", "take care", "that is all goodbye", "catch you later", "until next time", "im off now bye", "i have to go now",
        "it was nice talking to you",
    ),
    "praise": (
        "well done", "good job", "you are great", "that was helpful", "you are very helpful", "awesome", "brilliant answer", "nice work",
        "you are the best", "good bot", "clever bot", "i love you",
    ),
    "apology": ("sorry", "i am sorry", "my apologies", "sorry my mistake", "oops sorry", "pardon me", "excuse me"),
    "are_you_a_bot": (
        "are you a bot", "are you a robot", "are you human", "are you a real person", "am i talking to a machine",
        "am i talking to a person or a computer", "are you an ai", "is this a chatbot", "is this an automated reply", "who are you",
        "what are you", "what is your name", "what should i call you", "do you have a name", "who made you", "who built you",
        "who programmed you", "how old are you", "when were you born", "when is your birthday", "where do you live", "where are you from",
        "where were you made", "which company designed you", "are you alive", "are you an artificial intelligence", "are you for real",
    ),
    "what_can_you_do": (
        "what can you do", "what can you help me with", "what can i ask you", "how can you help me", "what are you able to do",
        "what kind of questions do you answer", "what do you know", "what are you good for", "help menu", "what are my options here",
        "which topics do you know about", "what sort of things may i ask an assistant like you",
    ),
    ASSENT: (
        "ok", "okay", "k", "alright", "all right", "right", "fine", "good", "great", "perfect", "cool", "nice", "super", "lovely",
        "excellent", "wonderful", "understood", "noted", "gotcha", "got it", "i see", "i understand", "makes sense", "sounds good",
        "that works", "good to know", "will do", "i will do that", "\U0001f44d", "\U0001f44d\U0001f44d",
    ),
}  # fmt: skip

_AROUND: Final = word_set(
    "oh ok okay well so then again bot there all everyone guys team sir madam mate friend dear very much really a lot you for now please "
    "and to everybody folks today ah great good fine perfect"
)
_BY_PHRASE: Final = {phrase: kind for kind, phrases in PHRASES.items() for phrase in phrases}


def exact_kind(said: str) -> str | None:
    """Return what a message says that is made of one or a few phrases of small talk and filling words; of several kinds, the last that is
    more than assent.

    Args:
        said: as `rejoinder_plugins.dialogue.phrases.normalised` gives it.

    Example:
        >>> [exact_kind(said) for said in ("hi there", "ok thanks bye", "hi where is my card", "ok great")]
        ['greeting', 'goodbye', None, 'assent']
    """
    words = said.split()
    if len(words) > _MOST_WORDS:
        return None
    kind: str | None = None
    place = 0
    while place < len(words):
        for end in range(min(len(words), place + _LONGEST), place, -1):
            found = _BY_PHRASE.get(" ".join(words[place:end]))
            if found is not None:
                kind = kind if kind is not None and found == ASSENT else found
                place = end
                break
        else:
            if words[place] not in _AROUND:
                return None
            place += 1
    return kind


_LONGEST: Final = max(len(phrase.split()) for phrase in _BY_PHRASE)
_MOST_WORDS: Final = 12
