"""Settings of the plugin `slots`."""

from __future__ import annotations

from typing import Annotated, Final

from pydantic import BaseModel, ConfigDict, Field, StringConstraints
from rejoinder.slots import Slot
from rejoinder.slots.kinds import Identifier

Cue = Annotated[str, StringConstraints(min_length=1, max_length=60, to_lower=True)]

_CUES: Final = tuple(
    word
    for words in (
        "address apartment avenue boulevard close crescent drive flat house lane live living moved road street",
        "arrived bought broke broken burnt came color colour cracked damaged defective delivered dent exchange faulty fit fits flickers",
        "leaks missing ordered price received replace replacement return returned scratched shipped size small stock stopped swap",
        "torn warranty work working works wrong",
    )
    for word in words.split()
)
"""Words beside which products and addresses are named."""


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

    enabled: bool | None = Field(
        default=None,
        description="Whether values are read from messages and carried on; needs the extra `rejoinder[flows]`. Unset: where that is "
        "installed and the task `slots` has a model, such as the one of a domain that ships examples.",
    )
    slots: dict[Identifier, Slot] = Field(
        default_factory=_usual,
        max_length=50,
        description="The values to read, by name, each with `type` and `title` as in flows. Types `text` and `address` have no format: "
        "they are found by the learned model of the task `slots`, whose labels are these names.",
    )
    cues: tuple[Cue, ...] = Field(
        default=_CUES,
        max_length=1000,
        description="Words of which a message must hold one, or a digit, to be read by the learned model too, which takes some "
        "milliseconds; while a flow asks for a value, every message is. Empty: every message is.",
    )
    least_confidence: float = Field(
        default=0.6, ge=0.0, le=1.0, description="How sure the learned model must be of a value for it to count."
    )
    earlier: int = Field(
        default=5, ge=0, le=50, description="How many earlier values of a slot are kept, for `the other order`."
    )
