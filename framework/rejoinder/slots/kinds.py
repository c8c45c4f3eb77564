"""What a slot is: a value that is read from messages, by a kind that says how it is written and checked."""

from __future__ import annotations

import re
from collections.abc import Mapping
from math import prod
from typing import Annotated, Final, Literal

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, field_validator, model_validator

__all__ = ["ORDERED", "Identifier", "Phrase", "Slot", "SlotType"]

Phrase = Annotated[str, StringConstraints(min_length=1, max_length=200)]
Identifier = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_]{0,59}$")]
SlotType = Literal[
    "text",
    "address",
    "order_number",
    "code",
    "number",
    "amount",
    "date",
    "email",
    "postcode",
    "card_last",
    "card",
    "iban",
    "choice",
    "yes_no",
]
ORDERED: Final = frozenset({"number", "amount", "date"})
_COUNTS: Final = re.compile(r"\{(\d+),(\d+)\}")
_MOST_WAYS: Final = 200
"""Lengths, together, of the parts of a form: a text that nearly fits is tried in each of them."""
_FORM: Final = re.compile(r"(?:[@#*](?:\{\d{1,2}(?:,\d{1,2})?\})?|[A-Za-z0-9/_.\-])+")


class Slot(BaseModel):
    """A value that people say. It is taken from any message that says it; a flow asks for it where none did.

    Attributes:
        type: how it is read and checked; see `rejoinder.slots.formats`.
        title: what a person calls it; by it people correct it ("no, the other order").
        hint: said when an answer could not be read, after "Sorry, I need".
        forms: of a `code`: `@` a letter, `#` a digit, `*` either, `{2,4}` after them how many; all else stands for itself.
        choices: of a `choice`: the words for each value.
        minimum: least number or amount; of a `text` or `address`, least characters. `maximum` likewise.
        when: of a `date`: whether it lies in the past or the future, today included in both.
        sensitive: kept encrypted, and never shown to models; `card` and `iban` always are.
        keep: stays known after the flow, for the next one that asks for it.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    type: SlotType
    title: Phrase
    hint: Phrase | None = None
    forms: Annotated[
        tuple[Annotated[str, StringConstraints(min_length=1, max_length=40)], ...], Field(max_length=20)
    ] = ()
    choices: Mapping[Annotated[str, StringConstraints(min_length=1, max_length=60)], tuple[Phrase, ...]] = Field(
        default_factory=dict
    )
    minimum: float | None = None
    maximum: float | None = None
    when: Literal["past", "future", "any"] = "any"
    sensitive: bool = False
    keep: bool = False

    @field_validator("choices", mode="before")
    @classmethod
    def _choices_have_words(cls, choices: object) -> object:
        if isinstance(choices, list | tuple):
            wanted = "name each choice with the words that people say for it, as in `{home: [at home, my place]}`"
            raise ValueError(wanted)  # noqa: TRY004  # what pydantic tells the author
        return choices

    @field_validator("forms")
    @classmethod
    def _forms_can_be_read(cls, forms: tuple[str, ...]) -> tuple[str, ...]:
        for form in forms:
            if not _FORM.fullmatch(form):
                raise ValueError(
                    f"{form!r} is no form: use @ (letter), # (digit), * (either), {{2,4}} after them, letters, digits, / _ . -"
                )
            lengths = [int(most) - int(least) + 1 for least, most in _COUNTS.findall(form)]
            if min(lengths, default=1) < 1:
                raise ValueError(f"{form!r}: in {{least,most}} the first number cannot be larger")
            if prod(lengths) > _MOST_WAYS:
                raise ValueError(f"{form!r} can be read in too many ways: say more exactly how many signs it has")
        return forms

    @model_validator(mode="after")
    def _fits_its_type(self) -> Slot:
        if (self.type == "code") != bool(self.forms):
            raise ValueError("`forms` belong to a slot of type `code`, which needs at least one")
        if (self.type == "choice") != bool(self.choices):
            raise ValueError("`choices` belong to a slot of type `choice`, which needs at least one")
        if self.when != "any" and self.type != "date":
            raise ValueError("`when` belongs to a slot of type `date`")
        return self

    @property
    def is_secret(self) -> bool:
        """Whether its value is always kept encrypted."""
        return self.sensitive or self.type in ("card", "iban")

    @property
    def is_free(self) -> bool:
        """Whether any words can be its value, so that it is only read where it was asked for."""
        return self.type in ("text", "address")
