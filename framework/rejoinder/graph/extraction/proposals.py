"""What was found in documents, for a person to accept: JSON lines to look through, and the way into the graph.

A line has `"accept": null`; whoever decides writes true or false. What is accepted goes into the graph with the document as its source;
both answers teach the extraction (`labelled`).
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Protocol, get_args

from rejoinder.errors import InvalidInputError
from rejoinder.graph.extraction.pairs import Texts
from rejoinder.graph.extraction.relations import NONE, Labelled
from rejoinder.graph.values import Entity, Relation

if TYPE_CHECKING:
    from datetime import datetime

__all__ = ["Accepted", "Evidence", "Named", "Proposal", "accept", "labelled", "read_proposals", "write_proposals"]

_TEXTS: Final = len(get_args(Texts))


@dataclass(frozen=True, slots=True, kw_only=True)
class Evidence:
    """Where something was read: the document's id, the sentence, and its characters [start, end) in the document."""

    document: str
    sentence: str
    start: int
    end: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Named:
    """An entity as a document names it.

    Attributes:
        known: whether the graph has it; if not, accepting makes it.
        start, end: characters [start, end) of the document.
    """

    id: str
    kind: str
    name: str
    known: bool
    start: int
    end: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Proposal:
    """An entity that the graph does not know (`relation` and `object` are None), or a relation.

    Attributes:
        confidence: in [0, 1], that it is right.
        texts, relations: what the decision was made from; see `Labelled`.
        accept: a person's decision; None: none yet.
    """

    subject: Named
    relation: str | None = None
    object: Named | None = None
    confidence: float
    evidence: Evidence
    texts: Texts | None = None
    relations: tuple[str, ...] = ()
    accept: bool | None = None


@dataclass(frozen=True, slots=True)
class Accepted:
    """How many new entities and relations were accepted and written, of how many documents."""

    entities: int
    relations: int
    documents: int


class _Writes(Protocol):
    """What `Graph` has of it."""

    def upsert(
        self,
        entities: Iterable[Entity] = (),
        relations: Iterable[Relation] = (),
        *,
        source: str,
        time: datetime | None = None,
    ) -> Any: ...


def write_proposals(path: Path, proposals: Iterable[Proposal]) -> int:
    """Write proposals as JSON lines; return how many.

    Raises:
        InvalidInputError: the file cannot be written.
    """
    lines = [json.dumps(asdict(one), ensure_ascii=False) + "\n" for one in proposals]
    try:
        path.write_text("".join(lines), encoding="utf-8")
    except OSError as error:
        raise InvalidInputError(f"{path} cannot be written: {error.strerror or error}") from error
    return len(lines)


def read_proposals(path: Path) -> list[Proposal]:
    """Read what `write_proposals` wrote, with a person's decisions.

    Raises:
        InvalidInputError: the file cannot be read, or a line is no proposal; the text names the line.
    """
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise InvalidInputError(f"{path} cannot be read: {error}") from error
    return [_read(line, f"{path}, line {number}") for number, line in enumerate(lines, start=1) if line.strip()]


def accept(proposals: Iterable[Proposal], graph: _Writes, *, time: datetime | None = None) -> Accepted:
    """Write accepted proposals into a graph, with their documents as sources; entities that relations need are made.

    Args:
        graph: a `rejoinder.graph.graph.Graph`.
        time: of what the documents say; None: unknown.
    Raises:
        GraphSchemaError: something does not fit the schema, such as an entity without a property that it must have.
        GraphUnavailableError, GraphError: as of `Graph.upsert`.
    """
    entities: dict[str, dict[str, Entity]] = {}
    relations: dict[str, list[Relation]] = {}
    for one in proposals:
        if not one.accept:
            continue
        source = one.evidence.document
        made = entities.setdefault(source, {})
        for end in (one.subject, one.object):
            if end is not None and not end.known:
                made[end.id] = Entity(id=end.id, kind=end.kind, name=end.name, confidence=one.confidence)
        every = relations.setdefault(source, [])
        if one.relation is not None and one.object is not None:
            every.append(
                Relation(subject=one.subject.id, name=one.relation, object=one.object.id, confidence=one.confidence)
            )
    for source, made in entities.items():
        graph.upsert(made.values(), relations[source], source=source, time=time)
    return Accepted(
        len({id_ for made in entities.values() for id_ in made}),
        sum(len(every) for every in relations.values()),
        len(entities),
    )


def labelled(proposals: Iterable[Proposal]) -> list[Labelled]:
    """Return what a person's decisions teach: an accepted relation holds, a rejected one does not."""
    return [
        Labelled(one.texts, one.relations, one.relation if one.accept else NONE, one.evidence.sentence)
        for one in proposals
        if one.accept is not None and one.relation is not None and one.texts is not None
    ]


def _read(line: str, place: str) -> Proposal:
    try:
        told = json.loads(line)
        proposal = Proposal(**{**told, "subject": Named(**told["subject"]), "evidence": Evidence(**told["evidence"])})
        proposal = replace(
            proposal,
            object=Named(**told["object"]) if told["object"] else None,
            texts=tuple(told["texts"]) if told["texts"] else None,
            relations=tuple(told["relations"]),
        )
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise InvalidInputError(f"{place} is no proposal: {type(error).__name__}: {error}") from error
    if proposal.accept not in (True, False, None):
        raise InvalidInputError(f"{place}: accept is {proposal.accept!r}, expected true, false or null")
    if proposal.texts is not None and len(proposal.texts) != _TEXTS:
        raise InvalidInputError(
            f"{place} has {len(proposal.texts)} texts, expected {_TEXTS}: another version proposed it; extract the document anew"
        )
    return proposal
