"""From text: proposes entities and relations of documents, by a tenant's own models, for a person to accept."""

from __future__ import annotations

from rejoinder.graph.extraction.extractor import Extractor, Stated
from rejoinder.graph.extraction.names import GraphNames, Known, NameList, Names
from rejoinder.graph.extraction.proposals import Accepted, Proposal, accept, labelled, read_proposals, write_proposals
from rejoinder.graph.extraction.sentences import Document

__all__ = [
    "Accepted",
    "Document",
    "Extractor",
    "GraphNames",
    "Known",
    "NameList",
    "Names",
    "Proposal",
    "Stated",
    "accept",
    "labelled",
    "read_proposals",
    "write_proposals",
]
