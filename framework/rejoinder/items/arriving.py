"""An item as it is sent: checked field by field."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Annotated, Any, Final

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, JsonValue, StringConstraints

from rejoinder.items.attributes import TAG, attributes_of
from rejoinder.store.items import NewItem

__all__ = ["ItemIn", "item_text", "understood"]

_Word = Annotated[str, StringConstraints(pattern=r"^[^\x00-\x1f\x7f]{1,100}$")]
_MOST_CHARS: Final = 20_000
_MOST_VALUES: Final = 4
_MOST_ATTRIBUTE_CHARS: Final = 400
_LONGEST_SHORT_WORD: Final = 5


def _aware(moment: str) -> str:
    found = datetime.fromisoformat(moment)
    return (found if found.tzinfo else found.replace(tzinfo=UTC)).isoformat()


class ItemIn(BaseModel):
    """Something that can be recommended, as it is sent."""

    model_config = ConfigDict(
        extra="forbid",
        strict=True,
        frozen=True,
        json_schema_extra={
            "examples": [
                {
                    "id": "sku-7",
                    "title": "Fly rod, 9 ft",
                    "text": "A light rod for trout.",
                    "tags": ["fishing", "outdoor"],
                    "price": 29.5,
                    "available": True,
                }
            ]
        },
    )

    id: Annotated[str, StringConstraints(pattern=r"^[^\x00-\x1f\x7f]{1,200}$")]
    title: Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=500)]
    text: Annotated[str, StringConstraints(max_length=_MOST_CHARS)] = ""
    tags: list[_Word] = Field(default_factory=list, max_length=100)
    price: Annotated[float, Field(ge=0, le=1e12, allow_inf_nan=False, strict=False)] | None = Field(
        default=None, description="In the shop's currency, >= 0."
    )
    available: bool = Field(
        default=True, description="False: it stays known, and is listed only where that is asked for."
    )
    image: Annotated[str, StringConstraints(max_length=2000, pattern=r"^https?://[!-~]+$")] | None = None
    url: Annotated[str, StringConstraints(max_length=2000, pattern=r"^https?://[!-~]+$")] | None = None
    published: Annotated[str, StringConstraints(max_length=40), AfterValidator(_aware)] | None = Field(
        default=None, description="When it came out, ISO 8601: newer items can be put further up."
    )
    data: dict[str, JsonValue] = Field(default_factory=dict, description="Anything else, given back with the item.")


def understood(sent: ItemIn) -> NewItem:
    """Return an item to be kept."""
    said: dict[str, Any] = {
        "tags": list(dict.fromkeys(sent.tags)),
        "price": sent.price,
        "image": sent.image,
        "url": sent.url,
        "published": sent.published,
        "data": sent.data,
    }
    kept = {name: value for name, value in said.items() if value not in (None, [], {})}
    return NewItem(id=sent.id, title=sent.title, text=sent.text.strip(), data=kept, active=sent.available)


def item_text(title: str, text: str, data: Mapping[str, Any]) -> str:
    """Return what the encoder reads of an item: title, tags, attributes, text.

    Of each attribute of `attributes_of`, in the order of their names, its name and its first four values. Left out are values without a
    letter and those that look like ids: one word of more than five characters with a digit in it. Attributes take 400 characters at most.

    Example:
        >>> item_text("Us", "A family meets its doubles.", {"tags": ["horror"], "data": {"director": "Jordan Peele", "alike": "tt6857112"}})
        'Us. horror. director: Jordan Peele. A family meets its doubles.'
    """
    attributes = attributes_of(data)
    parts = [title, ", ".join(attributes.pop(TAG, ()))]
    left = _MOST_ATTRIBUTE_CHARS
    for name in sorted(attributes):
        values = [value for value in attributes[name] if _says_something(value)][:_MOST_VALUES]
        said = f"{name}: {', '.join(values)}"
        if values and len(said) <= left:
            left -= len(said)
            parts.append(said)
    return ". ".join(part for part in (*parts, text) if part)


def _says_something(value: str) -> bool:
    is_id = len(value) > _LONGEST_SHORT_WORD and " " not in value and any(one.isdigit() for one in value)
    return not is_id and any(one.isalpha() for one in value)
