"""From a question to the passages that answer it, the surest first."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

from rejoinder.context import Context
from rejoinder.errors import GraphError, ModelError

from rejoinder_plugins.documents.settings import DocumentsSettings

if TYPE_CHECKING:
    from rejoinder.documents.index import IndexedPassage
    from rejoinder.graph.graph import Graph
    from rejoinder.models.learner import FloatArray

RANKING: Final = "passage_ranking"
"""The task of the reranker."""

_GRAPH_MAX_CHARS: Final = 2000


@dataclass(frozen=True, slots=True, kw_only=True)
class FoundPassage:
    """A passage, what the reranker saw of it, and how probable it answers the question.

    Attributes:
        probability: in [0, 1]; of the first one, that any passage answers: several may say the same.
        features: see `rejoinder.documents.features.NAMES`.
    """

    passage: IndexedPassage
    probability: float
    features: tuple[float, ...]


async def find(text: str, context: Context, *, limit: int) -> list[FoundPassage]:
    """Return the passages that answer a question best, at most `limit`."""
    documents = context.documents
    index = None if documents is None else await documents.index(wait_s=min(1.5, context.remaining_s / 2))
    if index is None:
        return []
    from rejoinder.documents.features import QuestionWords, products, scalar_features
    from rejoinder.documents.ranker import PassageRanker

    settings: DocumentsSettings = context.settings
    vector = await _vector(text, context) if index.has_vectors else None
    question = QuestionWords.of(text, index)
    found = index.search(question.terms, vector, names=await _names(text, context), depth=settings.depth)
    rows = found.rows[: settings.candidates]
    if not len(rows):
        return []
    taught = context.models.learner(RANKING)
    ranker = taught if isinstance(taught, PassageRanker) else PassageRanker()
    scalars = scalar_features(question, index, found, rows)
    vectors = index.vectors[rows]
    usable = None if vector is None or vector.shape != vectors.shape[1:] else vector
    chances = ranker.probabilities(scalars, vectors[:, :0] if usable is None else products(usable, vectors))
    order = sorted(range(len(rows)), key=lambda place: (-chances[place], place))
    best = [
        FoundPassage(
            passage=index.passages[rows[place]],
            probability=float(chances[place]),
            features=tuple(scalars[place].tolist()),
        )
        for place in order[:limit]
    ]
    return [replace(best[0], probability=min(1.0, float(chances.sum()))), *best[1:]]


async def _vector(text: str, context: Context) -> FloatArray | None:
    try:
        return await context.models.encode(text)
    except ModelError:
        return None  # words alone still find something


async def _names(text: str, context: Context) -> tuple[str, ...]:
    """Return the words of the names of the entities that the graph knows in a text."""
    settings: DocumentsSettings = context.settings
    graph = context.graph
    if graph is None or not settings.max_entities or len(text) > _GRAPH_MAX_CHARS:
        return ()
    from rejoinder.documents.words import terms_of

    try:
        names = await graph.ask(_linked_names, text, settings.max_entities)
    except (GraphError, ModelError) as error:
        context.logger.info("the graph is left out: %s", error)
        return ()
    return tuple(dict.fromkeys(term for name in names for term in terms_of(name)))


def _linked_names(graph: Graph, text: str, limit: int) -> list[str]:
    return [name for link in graph.link(text, limit=limit) for name in (link.entity.name, *link.entity.aliases)]
