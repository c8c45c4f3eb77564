"""A catalogue made ready to be spoken of: its titles linked, its texts encoded, its items ranked."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING, Final

import numpy as np
from rejoinder.context import Context
from rejoinder.errors import EncoderBusyError, ModelError

from rejoinder_recommendation.conversation.catalogue import Catalogue, read_catalogue
from rejoinder_recommendation.conversation.evidence import Asked, Evidence
from rejoinder_recommendation.conversation.filters import Filters
from rejoinder_recommendation.conversation.ranker import ConversationRanker
from rejoinder_recommendation.conversation.title_linking import TitleLinker

if TYPE_CHECKING:
    from rejoinder.models.learner import FloatArray

    from rejoinder_recommendation.histories import Floats, Ints

__all__ = ["Shelf", "Shelves", "shipped_catalogue", "shipped_weights"]

_CHUNK: Final = 4
_BUSY_WAIT_S: Final = 1.0
_CHARACTERS: Final = 600


@cache
def shipped_catalogue() -> Catalogue:
    """Return the films that the domain ships (ReDial, CC BY 4.0)."""
    return read_catalogue(Path(str(files("rejoinder_recommendation") / "data" / "movies.jsonl.gz")))


@cache
def shipped_weights() -> Mapping[str, float]:
    """Return the weights of the ranker by feature, learned from ReDial's dialogues."""
    found: dict[str, float] = json.loads(
        (files("rejoinder_recommendation") / "data" / "conversation_weights.json").read_text()
    )
    return found


@dataclass(frozen=True, slots=True, eq=False)
class Shelf:
    """One catalogue, ready.

    Attributes:
        encoded: whether items have vectors yet; until then words and the graph alone rank them.
    """

    catalogue: Catalogue
    linker: TitleLinker
    ranker: ConversationRanker
    encoded: bool

    @classmethod
    def of(cls, catalogue: Catalogue, vectors: Floats | None, weights: Mapping[str, float]) -> Shelf:
        """Make a catalogue ready; `vectors` are (items, dim), rows of length 1."""
        known = np.zeros((len(catalogue), 1)) if vectors is None else vectors
        ranker = ConversationRanker(Evidence(catalogue, known), weights)
        return cls(catalogue, TitleLinker(catalogue), ranker, vectors is not None)

    def ranked(
        self,
        *,
        liked: tuple[str, ...],
        disliked: tuple[str, ...],
        excluded: frozenset[str],
        filters: Filters,
        words: str,
        vector: Floats | None,
        limit: int,
    ) -> list[tuple[str, float]]:
        """Return ids of available items that fit, best first, each with a score in [0, 1]: its share of the best ones' odds.

        Args:
            vector: (dim), of the words; None: it is not known.
        """
        known = excluded.union(liked, disliked)
        fitting = np.array(
            [item.available and item.id not in known and filters.fits(item) for item in self.catalogue.items],
            dtype=bool,
        )
        if not fitting.any():
            return []
        dim = self.ranker.evidence.dim
        asked = Asked(
            self._numbers(liked),
            self._numbers(disliked),
            np.zeros(dim) if vector is None or not self.encoded else vector,
            words,
        )
        scores = np.where(fitting, self.ranker.scores(asked), -np.inf)
        best = np.argsort(-scores, kind="stable")[: min(limit, int(fitting.sum()))]
        odds = np.exp(scores[best] - scores[best[0]])
        return [(self.catalogue.items[number].id, float(share)) for number, share in zip(best, odds, strict=True)]

    def _numbers(self, ids: tuple[str, ...]) -> Ints:
        return np.array([self.catalogue.numbers[id_] for id_ in ids if id_ in self.catalogue], dtype=np.int64)


def _shipped_shelf() -> Shelf:
    return Shelf.of(shipped_catalogue(), None, shipped_weights())


class Shelves:
    """The tenants' shelves; those of the shipped catalogue are one."""

    def __init__(self) -> None:
        self._own: dict[str, Shelf] = {}
        self._shipped: Shelf | None = None
        self._warming: dict[str, asyncio.Task[None]] = {}

    def put(self, context: Context, catalogue: Catalogue) -> None:
        """Give a tenant a catalogue of its own; its texts are encoded beside the turns."""
        self._own[context.tenant] = Shelf.of(catalogue, None, shipped_weights())
        self._warm(context.tenant, catalogue, context)

    async def prepare(self, context: Context) -> None:
        """Make the shipped catalogue ready without holding up the turns, and begin to encode it."""
        if self._shipped is None:
            self._shipped = await asyncio.to_thread(_shipped_shelf)
        self.of(context)

    def of(self, context: Context) -> Shelf | None:
        """Return what a tenant recommends from: its own catalogue, or the shipped one where the tenant's settings say so."""
        own = self._own.get(context.tenant)
        if own is not None or context.settings.catalogue == "none":
            return own
        if self._shipped is None:
            self._shipped = _shipped_shelf()
        if not self._shipped.encoded:
            self._warm("", self._shipped.catalogue, context)
        return self._shipped

    def forget(self, tenant: str) -> None:
        """Drop a tenant's own catalogue."""
        self._own.pop(tenant, None)
        self._stop(tenant)

    def close(self) -> None:
        """Drop all."""
        for name in list(self._warming):
            self._stop(name)
        self._own.clear()
        self._shipped = None

    async def warmed(self) -> None:
        """Wait until everything is encoded."""
        await asyncio.gather(*self._warming.values(), return_exceptions=True)

    def _stop(self, name: str) -> None:
        task = self._warming.pop(name, None)
        if task is not None:
            task.cancel()

    def _warm(self, name: str, catalogue: Catalogue, context: Context) -> None:
        running = self._warming.get(name)
        if running is None or running.done():
            self._warming[name] = asyncio.get_running_loop().create_task(self._encode(name, catalogue, context))

    async def _encode(self, name: str, catalogue: Catalogue, context: Context) -> None:
        """Encode the items' texts, a few at a time, so that no turn waits long behind them."""
        texts = [item.description[:_CHARACTERS] for item in catalogue.items]
        rows: list[FloatArray] = []
        try:
            while len(rows) < len(texts):
                chunk = texts[len(rows) : len(rows) + _CHUNK]
                try:
                    rows += await asyncio.gather(*(context.models.encode(text) for text in chunk))
                except EncoderBusyError as error:
                    await asyncio.sleep(max(_BUSY_WAIT_S, error.retry_after_s))
        except ModelError as error:
            context.logger.info("items are recommended by words and relations alone: %s", error)
            return
        shelf = await asyncio.to_thread(Shelf.of, catalogue, np.stack(rows).astype(np.float64), shipped_weights())
        if name:
            self._own[name] = shelf
        else:
            self._shipped = shelf
