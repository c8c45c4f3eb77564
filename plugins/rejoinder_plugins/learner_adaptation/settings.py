"""Settings of the plugin `learner_adaptation`."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

Method = Literal["head", "lora", "adalora", "prefix_tuning", "full"]


class LearnerAdaptationSettings(BaseModel):
    """How a worker makes new models of this tenant's tasks."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    method: Method = Field(
        default="head",
        description="What is trained: `head` fits the task's learner on the frozen encoder, in seconds; the others first train an adapter "
        "of the encoder, in minutes on a CPU: `lora` (small), `adalora` (small, the rank shared out by use), `prefix_tuning` (smallest), "
        "`full` (all layers; the most exact, and as large as the encoder).",
    )
    warm_start: bool = Field(
        default=True,
        description="Whether a round goes on from the live model's adapter where that was trained in the same way (encoder, method, rank): "
        "it then passes over what is new, and half of each batch is rehearsal of the old. False: each round starts from the encoder.",
    )
    epochs: int | None = Field(
        default=None, ge=1, le=1000, description="Passes over the examples for an adapter; unset: what suits the task."
    )
