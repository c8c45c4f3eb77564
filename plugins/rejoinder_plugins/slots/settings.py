"""Settings of the plugin `slots`."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, Field
from rejoinder.slots import Slot
from rejoinder.slots.kinds import Identifier


def _usual() -> dict[str, Slot]:
    return {
        "order_number": Slot(type="order_number", title="order number"),
        "date": Slot(type="date", title="date"),
        "amount": Slot(type="amount", title="amount"),
        "email": Slot(type="email", title="e-mail address"),
        "postcode": Slot(type="postcode", title="postcode"),
        "product": Slot(type="text", title="product"),
        "address": Slot(type="address", title="address"),
    }


class SlotsSettings(BaseModel):
    """Which values are read from messages."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    enabled: bool = Field(
        default=False,
        description="Whether values are read from every message and carried on; needs the extra `rejoinder[flows]`.",
    )
    slots: dict[Identifier, Slot] = Field(
        default_factory=_usual,
        max_length=50,
        description="The values to read, by name, each with `type` and `title` as in flows. Types `text` and `address` have no format: "
        "they are found by the learned model of the task `slots`, whose labels are these names.",
    )
    least_confidence: float = Field(
        default=0.6, ge=0.0, le=1.0, description="How sure the learned model must be of a value for it to count."
    )
    earlier: int = Field(
        default=5, ge=0, le=50, description="How many earlier values of a slot are kept, for `the other order`."
    )
