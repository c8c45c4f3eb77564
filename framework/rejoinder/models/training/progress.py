"""What the loop tells while it works."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Progress:
    """One step done.

    Attributes:
        step: optimiser steps done, from 1.
        total: steps in all, if training does not stop early.
        epoch: from 1.
        loss: of this step, weighted mean.
        metric: the objective's, in the best evaluation so far; None before the first or without a held-out part.
        batch_rows: features run at once; smaller than the batch after memory ran out.
    """

    step: int
    total: int
    epoch: int
    loss: float
    metric: float | None
    batch_rows: int
