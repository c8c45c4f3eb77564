"""A question asked of the graph, from its text to the answer: the one way that the plugin and the evaluation both go."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Concatenate, ParamSpec, Protocol, TypeVar

from rejoinder.graph.answering.answers import (
    THRESHOLD,
    GraphAnswer,
    answer_from,
    asked_in_words,
    candidates_for,
    known_steps,
    unsure,
)
from rejoinder.graph.answering.paths import MAX_HOPS
from rejoinder.graph.answering.readings import readings_of

if TYPE_CHECKING:
    from rejoinder.graph.graph import Graph
    from rejoinder.graph.schema import GraphSchema
    from rejoinder.models.learner import FloatArray, Prediction

_P = ParamSpec("_P")
_T = TypeVar("_T")


class Means(Protocol):
    """What it takes to answer: a graph, and one tenant's path ranker and encoder."""

    @property
    def schema(self) -> GraphSchema:
        """The graph's schema, whose titles questions are compared with."""

    async def ask(self, function: Callable[Concatenate[Graph, _P], _T], /, *args: _P.args, **kwargs: _P.kwargs) -> _T:
        """Return what a function of the graph gives; see `rejoinder.graph.tenant_graph.TenantGraph.ask`."""

    async def rank(self, text: str) -> Prediction | None:
        """Return the ranked paths for a masked question; None while nothing was learned."""

    async def encode(self, text: str) -> FloatArray:
        """Return the encoder's vector of a text, (dim,) float32, L2-normalised."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """How far to go for an answer.

    Attributes:
        threshold: confidence below which nothing is answered, in [0, 1].
        max_hops: longest path, 1 to 3.
        most_named: most entities that the text names, >= 1.
        most_walks: most entities for which it is said how they are reached, >= 0.
        languages: whose words for counting, picking and filtering are understood; see `rejoinder.graph.answering.aggregates`.
    """

    threshold: float = THRESHOLD
    max_hops: int = MAX_HOPS
    most_named: int = 10
    most_walks: int = 3
    languages: tuple[str, ...] = ("en",)


async def ask(
    question: str, means: Means, *, context: Sequence[str] = (), limits: Limits | None = None
) -> GraphAnswer | None:
    """Return the graph's answer to a question, or None: it doesn't know.

    Args:
        question: any text; a topic in square brackets is taken for the topic.
        means: what it takes.
        context: ids of entities that were spoken of before, latest first: what "it" may mean.

    Raises:
        GraphUnavailableError, GraphQueryError: see `rejoinder.graph.space.Space.read`.
        EncoderBusyError: the encoder's queue is full.
    """
    limits = limits or Limits()
    readings = await means.ask(readings_of, question, context=context, languages=limits.languages)
    if not readings:
        return None
    texts = list(dict.fromkeys(reading.text for reading in readings))
    said = dict(zip(texts, await asyncio.gather(*map(means.rank, texts)), strict=True))
    doubtful = frozenset(unsure(said))
    weighed = [reading for reading in readings if reading.text in doubtful]
    steps = await means.ask(known_steps, weighed) if weighed else {}
    asking = asked_in_words(steps, means.schema)
    strange = [text for text in doubtful if (found := said[text]) is None or not found.accepted] if asking else []
    wanted = [*strange, *asking] if strange else []
    vectors = dict(zip(wanted, await asyncio.gather(*map(means.encode, wanted)), strict=True))
    candidates = candidates_for(readings, said, steps=steps, asking=asking, vectors=vectors, max_hops=limits.max_hops)
    return await means.ask(
        answer_from,
        candidates,
        threshold=limits.threshold,
        most_named=limits.most_named,
        most_walks=limits.most_walks,
    )
