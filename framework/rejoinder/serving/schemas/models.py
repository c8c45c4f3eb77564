"""Model versions."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

from pydantic import Field, StringConstraints

from rejoinder.payloads import Json
from rejoinder.serving.schemas.parts import Incoming, Outgoing, example


class ModelVersionOut(Outgoing):
    """One fitted model of one task."""

    id: str
    task: str
    number: int
    state: str
    metrics: dict[str, float]
    created_at: datetime
    promoted_at: datetime | None = None
    erased_at: datetime | None = Field(
        default=None, description="Since when examples that it was trained on are erased: it is to be replaced."
    )


class ModelEvaluation(Outgoing):
    """What a model version scored on some examples."""

    id: str
    data: str = Field(description="Which examples, e.g. `held_back`: those that no training saw.")
    metrics: dict[str, float]
    correct: dict[str, bool] = Field(description="By example.")
    verdict: Json = Field(default=None, description="The gate's, where it was asked.")
    created_at: datetime


class ModelAncestor(Outgoing):
    """A version that another one comes from."""

    id: str
    task: str
    number: int
    state: str
    metrics: dict[str, float]
    created_at: datetime


class ModelDetails(ModelVersionOut):
    """One model version with its lineage and evaluations."""

    base_hash: str = Field(description="Of the encoder whose vectors it reads.")
    data_fingerprint: str = Field(description="Equal only for the same training data.")
    code_version: str
    settings: dict[str, Json]
    seed: int
    parent_id: str | None = None
    retired_at: datetime | None = None
    evaluations: list[ModelEvaluation]
    lineage: list[ModelAncestor] = Field(description="The parent first.")


class RollbackIn(Incoming):
    """Which task is to go back to the version before."""

    model_config = example(task="intent")

    task: Annotated[str, StringConstraints(pattern=r"^[a-z0-9_.-]{1,64}$")]


class RollbackOut(Outgoing):
    """What a roll-back changed."""

    live: ModelVersionOut
    retired: ModelVersionOut


class ModelList(Outgoing):
    """A tenant's model versions, newest first; those in state `live` answer."""

    versions: list[ModelVersionOut]
