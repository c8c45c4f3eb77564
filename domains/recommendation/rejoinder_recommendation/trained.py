"""A trained recommender with its items' ids: on disk, and for one user at a time."""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from rejoinder.errors import InvalidInputError, ModelIntegrityError
from rejoinder.models.artefact import load_artefact, save_artefact

from rejoinder_recommendation.candidates import source_types
from rejoinder_recommendation.conditional_logit import ConditionalLogit
from rejoinder_recommendation.features import FEATURES, Evidence
from rejoinder_recommendation.histories import Bools, Histories
from rejoinder_recommendation.item_content import ItemContent
from rejoinder_recommendation.journal import Journal
from rejoinder_recommendation.model_arrays import pack, unpack
from rejoinder_recommendation.recommender import Recommender, fit_recommender
from rejoinder_recommendation.text_neighbours import TextNeighbours

__all__ = ["KIND", "Ranked", "TrainedRecommender", "train_recommender", "training_fingerprint"]

KIND: Final = "recommender/2"


@dataclass(frozen=True, slots=True)
class Ranked:
    """An item of a list, and its score: how much likelier than another it is to come next, as a logarithm."""

    item: str
    score: float


@dataclass(frozen=True, eq=False)
class TrainedRecommender:
    """A recommender, and whose items it ranks.

    Attributes:
        recommender: by items' numbers.
        items: ids by number.
        fingerprint: SHA-256 of the events and items that it was trained on.
        seed: that it was trained with.
        encoder: name of the encoder of the items' texts.
    """

    recommender: Recommender
    items: tuple[str, ...]
    fingerprint: str
    seed: int
    encoder: str

    def rank(
        self,
        history: Sequence[tuple[str, float]],
        count: int,
        *,
        only: Collection[str] | None = None,
        without: Collection[str] = (),
        repeat: bool = False,
    ) -> list[Ranked]:
        """Return the best items for one user, best first; [] where every item is filtered out.

        Args:
            history: what the user did: ids of items and seconds since the epoch, in any order; unknown items are passed over.
            count: at most so many, >= 1.
            only: ids to choose from; None: all.
            without: ids to leave out.
            repeat: whether items of the history may come again.

        Raises:
            InvalidInputError: `count` is below 1.
        """
        if count < 1:
            raise InvalidInputError(f"count must be at least 1, not {count}")
        numbers = self._numbers
        latest = dict(sorted(((item, second) for item, second in history if item in numbers), key=lambda one: one[1]))
        known = sorted(latest.items(), key=lambda one: one[1])
        query = Histories(
            np.array([0, len(known)]),
            np.array([numbers[item] for item, _ in known], dtype=np.int64),
            np.array([second for _, second in known], dtype=np.float64),
            len(self.items),
        )
        ranked = self._ranked(only, without)
        if not repeat:
            ranked[query.items] = False
        best, scores = self.recommender.best(query, ranked, count)
        return [Ranked(self.items[item], float(score)) for item, score in zip(best, scores, strict=True)]

    def save(self, folder: Path) -> None:
        """Write the model into `folder` (made if need be), as safetensors and JSON."""
        arrays, rest = self._packed()
        arrays["items"] = np.frombuffer("\n".join(self.items).encode(), dtype=np.uint8)
        said = {
            "values": rest,
            "features": list(FEATURES),
            "settings": {name: dict(settings) for name, settings in self.recommender.settings.items()},
            "fingerprint": self.fingerprint,
            "seed": self.seed,
            "encoder": self.encoder,
        }
        save_artefact(folder, kind=KIND, arrays=arrays, settings=said)

    def size(self) -> int:
        """Return the bytes of its arrays."""
        return sum(array.nbytes for array in self._packed()[0].values())

    def _packed(self) -> tuple[dict[str, NDArray[Any]], dict[str, Any]]:
        own, evidence = self.recommender, self.recommender.evidence
        return pack(
            {
                "sources": {name: source.__getstate__() for name, source in evidence.sources.items()},
                "neighbours": evidence.neighbours.__getstate__(),
                "neighbours_popularity": evidence.neighbours_popularity,
                "counts": evidence.counts,
                "last": evidence.last,
                "content": {"weights": own.content.weights, "penalty": own.content.penalty},
                "ranker": {"weights": own.ranker.weights, "penalty": own.ranker.penalty},
            }
        )

    @classmethod
    def load(cls, folder: Path) -> TrainedRecommender:
        """Read what `save` wrote.

        Raises:
            ModelIntegrityError: a file is missing or damaged, or the model was made for other features than this version has.
        """
        arrays, said = load_artefact(folder, kind=KIND)
        if said["features"] != list(FEATURES):
            raise ModelIntegrityError(f"{folder} holds a recommender of another version of this plugin; train it anew")
        items = tuple(arrays.pop("items").tobytes().decode().split("\n"))
        values = unpack(arrays, said["values"])
        sources = {name: _restored(kind, values["sources"][name]) for name, kind in source_types().items()}
        neighbours: TextNeighbours = _restored(TextNeighbours, values["neighbours"])
        evidence = Evidence(sources, neighbours, values["neighbours_popularity"], values["counts"], values["last"])
        rankers = [ConditionalLogit(**values[name]) for name in ("content", "ranker")]
        recommender = Recommender(evidence, said["settings"], *rankers)
        return cls(recommender, items, said["fingerprint"], said["seed"], said["encoder"])

    def _ranked(self, only: Collection[str] | None, without: Collection[str]) -> Bools:
        chosen = np.ones(len(self.items), dtype=bool)
        if only is not None:
            chosen[:] = False
            chosen[self._known(only)] = True
        chosen[self._known(without)] = False
        return chosen

    def _known(self, ids: Collection[str]) -> list[int]:
        return [self._numbers[item] for item in ids if item in self._numbers]

    @cached_property
    def _numbers(self) -> dict[str, int]:
        return {item: number for number, item in enumerate(self.items)}


def train_recommender(
    events: Histories,
    content: ItemContent,
    items: Sequence[str],
    *,
    seed: int,
    encoder: str,
    journal: Journal | None = None,
) -> TrainedRecommender:
    """Train on all events.

    Args:
        events: of all users.
        content: of all items.
        items: ids by number.
        seed: of what is drawn.
        encoder: name of the encoder of the items' texts.
        journal: see `rejoinder_recommendation.candidates.choose_settings`.

    Raises:
        InvalidInputError: fewer than 10 users have 3 events.
    """
    recommender = fit_recommender(events, content, seed=seed, journal=journal)
    return TrainedRecommender(recommender, tuple(items), training_fingerprint(events, content, items), seed, encoder)


def training_fingerprint(events: Histories, content: ItemContent, items: Sequence[str]) -> str:
    """Return the SHA-256 of what a recommender is trained on."""
    digest = hashlib.sha256("\n".join(items).encode())
    arrays, _ = pack(
        {"events": events, "texts": content.vectors, "attributes": content.attributes, "links": content.links}
    )
    for name, array in sorted(arrays.items()):
        digest.update(f"\n{name} {array.dtype} {array.shape}\n".encode())
        digest.update(np.ascontiguousarray(array).tobytes())
    return digest.hexdigest()


def _restored(kind: type[Any], state: Mapping[str, Any]) -> Any:
    """Return an object of this kind with the state that it was saved with."""
    made: Any = object.__new__(kind)
    if hasattr(kind, "__setstate__"):
        made.__setstate__(state)
    else:
        vars(made).update(state)
    return made
