"""Cypher of others: read by a grammar that only reads, and written anew (decision 011)."""

from __future__ import annotations

from rejoinder.graph.cypher.guard import ENTITY, Guarded, guarded

__all__ = ["ENTITY", "Guarded", "guarded"]
