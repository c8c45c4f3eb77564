"""From documents to proposals of entities and relations, each with the sentence that it comes from; a person accepts them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

from rejoinder.graph.extraction.kinds import KindHead
from rejoinder.graph.extraction.mentions import Meant, Mention, find_mentions
from rejoinder.graph.extraction.pairs import pairs_of
from rejoinder.graph.extraction.proposals import Evidence, Named, Proposal
from rejoinder.graph.extraction.relations import NONE, Labelled, RelationHead
from rejoinder.graph.extraction.sentences import Document, Sentence, sentences_of
from rejoinder.models.artefact import load_artefact, save_artefact

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from rejoinder.graph.extraction.names import Names
    from rejoinder.graph.extraction.pairs import Pair
    from rejoinder.graph.extraction.tuning import Tuned
    from rejoinder.graph.schema import GraphSchema

__all__ = ["Extractor", "Stated"]

KIND: Final = "graph_extractor/3"

_BATCH: Final = 256
_ENTITY: Final = 0.6
"""Least probability of its kind with which an unknown name is proposed that no relation is about."""


@dataclass(frozen=True, slots=True)
class Stated:
    """A sentence, and all triples (subject id, relation, object id) that it states."""

    text: str
    triples: tuple[tuple[str, str, str], ...]


class Extractor:
    """Finds entities and relations in text.

    Args:
        schema: kinds and relations that are looked for; relations should have titles, kinds that are called otherwise too.
        encode: gives vectors of texts, (n, dim) float32, such as `Encoder.encode`.
        tuned: an encoder that `tune` trained on such pairs; without it about a tenth less is found.
        precision: wanted share of right ones among proposed relations, in (0, 1).

    Attributes:
        threshold: confidence from which a relation is proposed, learned from sentences that were held out.
    """

    def __init__(
        self,
        schema: GraphSchema,
        encode: Callable[[Sequence[str]], NDArray[np.float32]],
        *,
        tuned: Tuned | None = None,
        precision: float = 0.9,
    ) -> None:
        """Nothing is known before `fit` or `load`; see the class."""
        self.schema = schema
        self.threshold = 1.0
        self._precision = precision
        self._encode = encode
        self._kinds = KindHead(encode)
        self._head = RelationHead(schema, encode, tuned)

    def fit(
        self, stated: Sequence[Stated], names: Names, *, learned: Sequence[Labelled] = (), seed: int = 0
    ) -> Mapping[str, float]:
        """Learn from nothing: what names look like from the graph, what sentences say from examples.

        Args:
            stated: sentences with all that they state; names in them that the graph does not have are passed over.
            learned: of a person's decisions on proposals; see `labelled`.
        Returns:
            As `RelationHead.fit`.
        Raises:
            InvalidInputError: no sentence states a relation of the schema.
        """
        rows = [*learned, *self.labelled(stated, names)]
        self._kinds.fit(names, (word for row in rows for word in row.phrasing.split()))
        report = self._head.fit(rows, seed=seed, precision=self._precision)
        self.threshold = report["threshold"]
        return report

    def labelled(self, stated: Sequence[Stated], names: Names) -> list[Labelled]:
        """Return the pairs of mentions in sentences, each with the relation that its sentence states."""
        rows = []
        kinds = KindHead(self._encode)
        kinds.fit(names)
        mentions = find_mentions([one.text for one in stated], names, kinds.guess, unknown=False)
        for one, every in zip(stated, mentions, strict=True):
            triples = set(one.triples)
            for pair in pairs_of(one.text, every, self.schema):
                subject, object_ = pair.subject[1].id, pair.object[1].id
                labels = [name for name in pair.relations if (subject, name, object_) in triples] or [NONE]
                rows += [Labelled(pair.texts, pair.relations, label, pair.phrasing) for label in labels]
        return rows

    def extract(self, documents: Iterable[Document], names: Names) -> list[Proposal]:
        """Return what documents state, in order of place; what a document says twice is proposed once, from where it is surest.

        Args:
            names: of the graph: what is known, and how unknown names are told apart.
        Raises:
            InvalidInputError: nothing has been learned yet.
        """
        places = [(document, sentence) for document in documents for sentence in sentences_of(document.text)]
        best: dict[tuple[str, str, str | None, str], Proposal] = {}
        for begin in range(0, len(places), _BATCH):
            for one in self._proposed(places[begin : begin + _BATCH], names):
                key = (one.evidence.document, one.subject.id, one.relation, one.object.id if one.object else "")
                if key not in best or best[key].confidence < one.confidence:
                    best[key] = one
        return list(best.values())

    def save(self, folder: Path) -> None:
        """Write what was learned into a folder, made if need be."""
        arrays = {**self._head.arrays(), **self._kinds.arrays()}
        settings = {"threshold": self.threshold, "columns": self._head.columns, "kinds": self._kinds.kinds}
        save_artefact(folder, kind=KIND, arrays=arrays, settings=settings)

    def load(self, folder: Path) -> None:
        """Read what `save` wrote, for the same schema and encoder.

        Raises:
            ModelIntegrityError: a file is missing or damaged.
            InvalidInputError: it was learned for other relations.
        """
        arrays, settings = load_artefact(folder, kind=KIND)
        self._head.restore(arrays, tuple(settings["columns"]))
        self._kinds.restore(arrays, tuple(settings["kinds"]))
        self.threshold = settings["threshold"]

    def _proposed(self, places: Sequence[tuple[Document, Sentence]], names: Names) -> Iterable[Proposal]:
        mentions = find_mentions([sentence.text for _, sentence in places], names, self._kinds.guess)
        rows = [
            (document, sentence, pair)
            for (document, sentence), every in zip(places, mentions, strict=True)
            for pair in pairs_of(sentence.text, every, self.schema)
        ]
        likely = self._head.probabilities([pair.texts for *_, pair in rows], [pair.relations for *_, pair in rows])
        for (document, sentence), every in zip(places, mentions, strict=True):
            for mention in every:
                for meant in mention.meant[:1]:
                    if not meant.known and meant.confidence >= _ENTITY:
                        yield Proposal(
                            subject=_named(sentence, mention, meant),
                            confidence=meant.confidence,
                            evidence=_evidence(document, sentence),
                        )
        said = [
            (row, relation, share * row[2].subject[1].confidence * row[2].object[1].confidence)
            for row, shares in zip(rows, likely, strict=True)
            for relation, share in shares.items()
        ]
        means = _surest([(row, confidence) for row, _, confidence in said])
        for (document, sentence, pair), relation, confidence in said:
            if confidence >= self.threshold and all(
                means[id(mention)][1] == meant.id for mention, meant in (pair.subject, pair.object)
            ):
                yield Proposal(
                    subject=_named(sentence, *pair.subject),
                    relation=relation,
                    object=_named(sentence, *pair.object),
                    confidence=confidence,
                    evidence=_evidence(document, sentence),
                    texts=pair.texts,
                    relations=pair.relations,
                )


def _surest(rows: Iterable[tuple[tuple[Document, Sentence, Pair], float]]) -> dict[int, tuple[float, str]]:
    """What each mention (by its `id`) means: that of which a relation is surest; with the confidence of that."""
    found: dict[int, tuple[float, str]] = {}
    for (_, _, pair), confidence in rows:
        for mention, meant in (pair.subject, pair.object):
            found[id(mention)] = max(found.get(id(mention), (0.0, "")), (confidence, meant.id))
    return found


def _named(sentence: Sentence, mention: Mention, meant: Meant) -> Named:
    return Named(
        id=meant.id,
        kind=meant.kind,
        name=meant.name,
        known=meant.known,
        start=sentence.start + mention.start,
        end=sentence.start + mention.end,
    )


def _evidence(document: Document, sentence: Sentence) -> Evidence:
    return Evidence(
        document=document.id,
        sentence=sentence.text,
        start=sentence.start,
        end=sentence.start + len(sentence.text),
    )
