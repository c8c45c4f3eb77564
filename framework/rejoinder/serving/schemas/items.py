"""Items, and lists of them."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Literal

from pydantic import Field, JsonValue

from rejoinder.serving.schemas.parts import Incoming, Outgoing, UserId, Words, example


class ItemResultOut(Outgoing):
    """What became of one row."""

    index: int = Field(description="Its place in what was sent, or its line, from 0.")
    id: str | None
    status: Literal["new", "changed", "unchanged", "refused"]
    reason: str = Field(description="Why it was refused.")


class ItemsTaken(Outgoing):
    """What became of items that were sent; all but those refused are durable."""

    new: int
    changed: int
    unchanged: int
    refused: int
    results: list[ItemResultOut] = Field(description="Of the first 10000 rows that were kept, and of refused ones.")


class ItemOut(Outgoing):
    """An item in the tenant's catalogue."""

    id: str
    title: str
    text: str
    tags: list[str]
    price: float | None
    available: bool
    image: str | None
    url: str | None
    published: str | None
    data: dict[str, Any]
    updated_at: datetime


class ItemList(Outgoing):
    """Items by id."""

    items: list[ItemOut]


class WantedList(Incoming):
    """What a list is wanted for."""

    model_config = Incoming.model_config | example(
        user_id="ann", limit=10, filters={"tags": ["fishing"], "price_max": 30}
    )

    user_id: UserId | None = Field(default=None, description="For whom; a token's own user where it is left out.")
    session_id: UserId | None = Field(default=None, description="The visit, as events name it.")
    text: Words | None = Field(default=None, description="What is asked for, in words.")
    filters: dict[str, JsonValue] = Field(
        default_factory=dict,
        description="`like` (ids), `tags`, `without` (ids or tags), `price_min`, `price_max`; a plugin may know others.",
    )
    limit: Annotated[int, Field(ge=1, le=100)] = 10
    explain: bool = Field(default=False, description="Tell what each score is made of.")


class ItemPath(Outgoing):
    """How a listed item is connected with one that the person knows."""

    item: str = Field(description="The id of the item that the person knows.")
    relation: str = Field(
        description="What both have, such as `director`, or how one names the other, such as `bought together`."
    )
    value: str | None = Field(description="The value that both have; None where one item names the other.")
    source: Literal["graph", "attributes"] = Field(
        description="Where it was read: in the tenant's knowledge graph or, where it has none, in what was sent with the items."
    )


class ListedItem(Outgoing):
    """An item in a list."""

    id: str
    position: int = Field(description="From 0 on.")
    title: str
    text: str
    image: str | None
    url: str | None
    tags: list[str]
    price: float | None
    available: bool
    reason: str = Field(description="Why it is there, for people.")
    because: str | None = Field(description="The item that the reason names.")
    propensity: float = Field(description="How likely it was to stand here.")
    parts: dict[str, float] | None = Field(description="What its score is made of; only with `explain`.")
    paths: list[ItemPath] | None = Field(
        description="How it is connected with what the person turned to of late; only with `explain`."
    )


class RecommendationList(Outgoing):
    """A list, which is kept as a decision: feedback and exports name it."""

    decision_id: str
    items: list[ListedItem]
    note: str = Field(description="Why the list is empty, or made without knowing the person; else empty.")
