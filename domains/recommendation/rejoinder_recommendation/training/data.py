"""A tenant's items and behaviour in the form in which a recommender learns from them."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

import numpy as np
from rejoinder.items.attributes import attributes_of
from rejoinder.items.behaviour import strength
from rejoinder.learning.holdback import held_back

from rejoinder_recommendation.histories import Bools, Histories
from rejoinder_recommendation.item_content import ItemContent, attribute_graph
from rejoinder_recommendation.lists.shelf import liked_items

if TYPE_CHECKING:
    from rejoinder.events.settings import TenantEventSettings
    from rejoinder.items.catalogue import BehaviourLog, Catalogue

__all__ = ["TrainingData", "held_back_people", "training_data", "up_to"]


@dataclass(frozen=True, slots=True, eq=False)
class TrainingData:
    """What a recommender is trained on.

    Attributes:
        events: of all people who are not held back.
        content: of all items.
        items: ids by number.
    """

    events: Histories
    content: ItemContent
    items: tuple[str, ...]


def training_data(
    catalogue: Catalogue, log: BehaviourLog, rules: TenantEventSettings, *, until: datetime, hold_back_every: int
) -> TrainingData:
    """Return what is learned from: what people who are not held back turned to up to a moment, and all items.

    Attributes are those of `attributes_of`, as lists and the graph have them; values that are ids of other items are links to them.
    """
    kept = log.keep(~held_back_people(log, hold_back_every)[log.people] & up_to(log, until))
    events = liked_items(catalogue, kept, lambda kind, data: strength(kind, data, rules))
    attributes = attribute_graph([attributes_of(item.data) for item in catalogue.items], catalogue.place)
    content = ItemContent(np.asarray(catalogue.vectors, dtype=np.float64), *attributes)
    return TrainingData(events, content, tuple(item.id for item in catalogue.items))


def held_back_people(log: BehaviourLog, every: int) -> Bools:
    """Return (people), who is kept from all training, so that models can be judged on them."""
    return np.array([held_back(name, every) for name in log.names], dtype=bool)


def up_to(log: BehaviourLog, until: datetime) -> Bools:
    """Return (events), which happened before a moment."""
    return np.asarray(log.seconds < until.timestamp())
