"""Going on from what an earlier training ended with: its adapter, and its head by the names of the head's rows.

A round of few examples that starts from nothing learns everything anew from what it rehearses. One that goes on has only to learn what is
new, and rehearses so as not to forget the rest.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, Final

from rejoinder.models.adapters.method import as_float32, find_method
from rejoinder.models.artefact import load_artefact, save_artefact

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    import numpy as np
    import torch
    from numpy.typing import NDArray

    from rejoinder.models.adapters.adapter import Adapter
    from rejoinder.models.training.base import Base
    from rejoinder.models.training.objectives.objective import Objective

KIND: Final = "warm_start/1"


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class WarmStart:
    """Where a training can go on.

    Attributes:
        lineage: what must be the same for that: see `lineage_of`.
        adapter: as it was kept.
        head: the head's parameters, by name; the first axis of each is that of `rows`.
        rows: what each row of the head stands for, such as a label.
    """

    lineage: Mapping[str, Any]
    adapter: Adapter
    head: Mapping[str, NDArray[np.float32]]
    rows: tuple[str, ...]


def lineage_of(base: Base, method: str, method_settings: Any, objective: Objective) -> dict[str, Any]:
    """Return, as JSON says it, what two trainings must have in common so that one can go on from the other.

    Args:
        method_settings: an instance of the method's settings; None: its defaults.
    """
    made = method_settings if method_settings is not None else find_method(method).settings()
    found: dict[str, Any] = json.loads(
        json.dumps({"base": base.hash, "method": method, "settings": asdict(made), "objective": objective.name})
    )
    return found


def warm_start_of(
    lineage: Mapping[str, Any], adapter: Adapter, head: torch.nn.Module, rows: Sequence[str]
) -> WarmStart:
    """Return where a training ended; see `WarmStart` for the arguments."""
    arrays = {name: as_float32(one) for name, one in head.named_parameters()}
    return WarmStart(lineage=lineage, adapter=adapter, head=arrays, rows=tuple(rows))


def start_head(head: torch.nn.Module, rows: Sequence[str], start: WarmStart) -> None:
    """Write into a new head the rows that the earlier one had, too; the others stay as they were drawn."""
    import torch

    before = {name: place for place, name in enumerate(start.rows)}
    shared = [(place, before[name]) for place, name in enumerate(rows) if name in before]
    if not shared:
        return
    own, theirs = (list(places) for places in zip(*shared, strict=True))
    with torch.no_grad():
        for name, parameter in head.named_parameters():
            known = torch.tensor(start.head[name], dtype=parameter.dtype, device=parameter.device)
            parameter[own] = known[theirs]


def save_warm_start(folder: Path, start: WarmStart) -> None:
    """Write lineage and head; the adapter is kept as an artefact of its own. See `save_artefact`."""
    settings = {"lineage": dict(start.lineage), "rows": list(start.rows)}
    save_artefact(folder, kind=KIND, arrays=start.head, settings=settings)


def load_warm_start(folder: Path, adapter: Adapter) -> WarmStart:
    """Read what `save_warm_start` wrote.

    Raises:
        ModelIntegrityError: a file is missing, damaged or of another kind; the message names it.
    """
    arrays, settings = load_artefact(folder, kind=KIND)
    return WarmStart(lineage=settings["lineage"], adapter=adapter, head=arrays, rows=tuple(settings["rows"]))
