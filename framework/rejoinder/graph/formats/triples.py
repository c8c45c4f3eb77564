r"""Triples: `subject|relation|object` lines, where subject and object are names.

An entity's id is "kind:name"; the kinds are those that the schema says the relation joins, or "thing" in an open schema that says nothing.
Within a name `\|` is a bar, `\n` a line feed, `\r` a carriage return and `\\` a backslash; any other backslash is itself.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from rejoinder.errors import GraphSchemaError
from rejoinder.graph.formats.files import TextLines, bad_encoding
from rejoinder.graph.formats.rows import BadRow, Row
from rejoinder.graph.names import entity_id
from rejoinder.graph.schema import THING, GraphSchema
from rejoinder.graph.storable import shown
from rejoinder.graph.values import Entity, Relation

__all__ = ["TripleRejects", "TriplesReader", "kinds_at", "triple_line"]

_PARTS: Final = 3
_REASON: Final = "# "
_BAR: Final = re.compile(r"(?:[^|\\]|\\.|\\$)*", re.DOTALL)
_ESCAPED: Final = re.compile(r"\\([|\\nr])")
_TO_ESCAPE: Final = re.compile(r"[|\n\r]|\\(?=[|\\nr]|$)")
_WRITTEN: Final = {"|": r"\|", "\n": r"\n", "\r": r"\r", "\\": r"\\"}
_READ: Final = {"|": "|", "n": "\n", "r": "\r", "\\": "\\"}


class TriplesReader:
    """Reads a file of triples.

    Raises:
        InvalidInputError: the file cannot be read.
    """

    def __init__(self, path: Path, schema: GraphSchema) -> None:
        self._lines = TextLines(path)
        self._schema = schema
        self._kinds: dict[str, tuple[str, str]] = {}

    @property
    def fraction(self) -> float:
        """How much of the file was read, in [0, 1]."""
        return self._lines.fraction

    def rejects(self) -> TripleRejects:
        """Return how its rows are written to a reject file."""
        return TripleRejects()

    def __iter__(self) -> Iterator[Row | BadRow]:
        """Return its rows."""
        for number, line in enumerate(self._lines, start=1):
            text = line.rstrip("\r\n")
            if not text or text.isspace():
                continue
            try:
                yield self._row(number, text)
            except GraphSchemaError as error:
                yield BadRow(number, str(error), text)

    def _row(self, number: int, text: str) -> Row:
        if bad_encoding(text):
            raise GraphSchemaError("is not UTF-8; convert the file")
        parts = _split(text)
        if len(parts) == _PARTS + 1 and parts[-1].startswith(_REASON):
            parts.pop()
        if len(parts) != _PARTS:
            raise GraphSchemaError(f"{len(parts)} parts with `|` between, expected subject|relation|object")
        subject, name, object_ = parts
        if not subject or not object_:
            raise GraphSchemaError(f"the {'object' if subject else 'subject'} is empty")
        kinds = self._kinds.get(name)
        if kinds is None:
            kinds = self._kinds[name] = kinds_at(self._schema, name)
        first, last = entity_id(kinds[0], subject), entity_id(kinds[1], object_)
        return Row(
            number,
            Relation(subject=first, name=name, object=last),
            text,
            (Entity(id=first, kind=kinds[0], name=subject), Entity(id=last, kind=kinds[1], name=object_)),
        )


class TripleRejects:
    """Writes bad lines with the reason as a fourth part."""

    def head(self) -> str:
        """Return nothing: there is no header."""
        return ""

    def line(self, raw: str, line: int, reason: str) -> str:
        """Return a line."""
        parts = _raw_parts(raw)
        if len(parts) == _PARTS + 1 and parts[-1].startswith(_REASON):
            raw = "|".join(parts[:_PARTS])
        return f"{raw}|{_REASON}line {line}: {_escaped(reason)}\n"


def kinds_at(schema: GraphSchema, relation: str) -> tuple[str, str]:
    """Return the kinds that entities get that are known by a triple only.

    Raises:
        GraphSchemaError: the relation is unknown, or may join several kinds.
    """
    declared = schema.relation(relation)
    kinds = []
    for end, allowed in (("from", declared.domain), ("to", declared.range)) if declared else ():
        if len(allowed) > 1 or not (allowed or schema.open or THING in schema.kinds):
            choices = " or ".join(map(repr, allowed)) or "any"
            raise GraphSchemaError(
                f"relation {relation!r}: a triple does not say of which kind its ends are, and {end} may be {choices}; "
                "use CSV or JSON lines"
            )
        kinds.append(allowed[0] if allowed else THING)
    return (kinds[0], kinds[1]) if kinds else (THING, THING)


def triple_line(subject: Entity, relation: str, object: Entity, schema: GraphSchema) -> str:  # noqa: A002
    """Return a relation as a line that `TriplesReader` reads.

    Raises:
        GraphSchemaError: an entity would get another id or kind when it is read.
    """
    for one, kind in zip((subject, object), kinds_at(schema, relation), strict=True):
        if one.kind != kind or one.id != entity_id(kind, one.name):
            raise GraphSchemaError(
                f"entity {shown(one.id)} cannot be written as a part of a triple: it would be read as "
                f"{shown(entity_id(kind, one.name))}; use CSV or JSON lines"
            )
    return f"{_escaped(subject.name)}|{relation}|{_escaped(object.name)}\n"


def _split(text: str) -> list[str]:
    if "\\" not in text:
        return text.split("|")
    return [_ESCAPED.sub(lambda found: _READ[found[1]], part) for part in _raw_parts(text)]


def _raw_parts(text: str) -> list[str]:
    if "\\" not in text:
        return text.split("|")
    parts, place = [], 0
    while True:
        found = _BAR.match(text, place)
        end = found.end() if found else len(text)
        parts.append(text[place:end])
        if end >= len(text):
            return parts
        place = end + 1


def _escaped(name: str) -> str:
    return _TO_ESCAPE.sub(lambda found: _WRITTEN[found[0]], name)
