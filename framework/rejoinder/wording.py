"""How a tenant's bot words what it says: the table `[wording]` of its settings, which is the host's own and no plugin's.

Answers are found and kept in plain words, so that feedback is about them alone; the tone is put around them when a reply is composed.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Annotated, Final, Literal

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from rejoinder.payloads import Query

__all__ = ["SECTION", "Tone", "WordingSettings", "WordingTexts", "filled", "named_in", "worded", "wording_of"]

SECTION: Final = "wording"

Template = Annotated[str, StringConstraints(min_length=1, max_length=2000)]
Tone = Literal["plain", "friendly", "formal", "own"]


class WordingTexts(BaseModel):
    """What is said around answers where the tone is `own`. Names in braces are filled: `{title}`, `{heading}`, `{url}` of what is cited,
    those of `values`, and those of what the message named, such as `{order_number}`."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    greeting: str = Field(default="", max_length=2000, description="Said before the first answer of a conversation.")
    answer: Template = Field(default="{answer}", description="An answer; must hold `{answer}`.", pattern=r"\{answer\}")
    closing: str = Field(
        default="", max_length=2000, description="Said after an answer, save where a question follows."
    )


class WordingSettings(BaseModel):
    """How the bot words answers, whatever plugin found them, and small talk."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    tone: Tone = Field(
        default="plain",
        description="How answers and small talk are worded: `plain`, `friendly` or `formal` with shipped words, `own` with `texts`.",
    )
    texts: WordingTexts = Field(default_factory=WordingTexts, description="The words around an answer of one's own.")
    values: dict[str, str] = Field(
        default_factory=dict, description="What names in braces in `texts` become, such as `company`."
    )


SHIPPED: Final[Mapping[Tone, WordingTexts]] = {
    "plain": WordingTexts(),
    "friendly": WordingTexts(greeting="Hi, happy to help!", closing="Anything else I can do for you?"),
    "formal": WordingTexts(
        greeting="Thank you for your inquiry.", closing="Please let us know if you have any further questions."
    ),
}
"""The words of each tone."""

_NO_WORD: Final = re.compile(r"\W+")
_SLOT: Final = re.compile(r"\{\{\s*([^{}\n]{1,80}?)\s*\}\}|\{(\w{1,80})\}")


def wording_of(settings: Mapping[str, object]) -> WordingSettings:
    """Return the table out of a tenant's settings; the defaults where they have none."""
    found = settings.get(SECTION)
    return found if isinstance(found, WordingSettings) else WordingSettings()


def worded(
    answers: Sequence[str], settings: WordingSettings, slots: Mapping[str, str], *, first: bool, closes: bool
) -> tuple[str, ...]:
    """Return answers in the tenant's tone, as parts of a reply.

    Args:
        slots: by name, what the message named and what is cited; `settings.values` come first.
        first: whether these are the first answers of a conversation.
        closes: whether nothing is said after them; an answer that ends with the closing words already gets them once.
    """
    texts = settings.texts if settings.tone == "own" else SHIPPED[settings.tone]
    values = {**slots, **settings.values}
    greeting = filled(texts.greeting, values).strip() if first else ""
    closing = filled(texts.closing, values).strip() if closes else ""
    said = [filled(texts.answer, {**values, "answer": answer}) for answer in answers]
    if closing and said and said[-1].rstrip().endswith(closing):
        closing = ""
    return tuple(part for part in (greeting, *said, closing) if part.strip())


def named_in(query: Query) -> dict[str, str]:
    """Return what the customer named, as words by name: the slots that hold one value, before the entities."""
    named = {entity.name: entity.value for entity in query.entities}
    single = {name: one for name, one in query.filters.items() if isinstance(one, str | int | float)}
    return named | {name: str(one) for name, one in single.items() if not isinstance(one, bool)}


def filled(text: str, values: Mapping[str, str]) -> str:
    """Return a text with its slots filled: `{name}`, or `{{Some Name}}` as past replies have them.

    Of one without a value, `{name}` stays, and `{{Some Name}}` becomes its words, so that a person can read it.

    Example:
        >>> filled("Order {{Order Number}} of {company}: call {{Support Phone}}.", {"order_number": "17", "company": "Acme"})
        'Order 17 of Acme: call (support phone).'
    """
    known = {_named(name): value for name, value in values.items()}

    def value(found: re.Match[str]) -> str:
        name = found[1] or found[2]
        return known.get(_named(name), f"({name.lower()})" if found[1] else found[0])

    return _SLOT.sub(value, text)


def _named(name: str) -> str:
    return _NO_WORD.sub("_", name.strip().casefold()).strip("_")
