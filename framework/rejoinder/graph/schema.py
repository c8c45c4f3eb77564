"""What a tenant's graph may hold: kinds of entities and relations, as domains declare them; all that is written is checked against it.

open: false
kinds:
  movie: {title: film, properties: {year: {type: integer, required: true}, tags: "string[]"}}
  person: {}
relations:
  directed_by: {from: [movie], to: [person], title: was directed by, inverse_title: directed}
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from datetime import date, datetime
from typing import Annotated, Any, Final, Literal, Self, get_args

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError, model_validator

from rejoinder.errors import GraphSchemaError, did_you_mean
from rejoinder.graph.storable import KIND_PATTERN, PROPERTY_PATTERN, RESERVED, check_storable, relation_place, shown
from rejoinder.graph.values import Entity, Properties, Relation, Scalar

__all__ = ["THING", "GraphSchema", "Kind", "PropertyType", "RelationKind", "Type"]

THING: Final = "thing"
"""The kind of an entity of which no more is known."""

Type = Literal[
    "string",
    "integer",
    "number",
    "boolean",
    "date",
    "datetime",
    "string[]",
    "integer[]",
    "number[]",
    "boolean[]",
    "date[]",
    "datetime[]",
]

_FITS: Final[Mapping[str, Callable[[object], bool]]] = {
    "string": lambda value: isinstance(value, str),
    "integer": lambda value: isinstance(value, int) and not isinstance(value, bool),
    "number": lambda value: isinstance(value, int | float) and not isinstance(value, bool),
    "boolean": lambda value: isinstance(value, bool),
    "date": lambda value: isinstance(value, date) and not isinstance(value, datetime),
    "datetime": lambda value: isinstance(value, datetime),
}


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, populate_by_name=True)


class PropertyType(_Part):
    """What a property holds; in a declaration also its type alone, as in `year: integer`.

    Attributes:
        required: whether each entity of the kind, or each such relation, must have it.
    """

    type: Type = "string"
    required: bool = False
    title: str = ""
    description: str = ""


def _long_form(value: Any) -> Any:
    return {"type": value} if isinstance(value, str) else {} if value is None else value


def _no_less(value: Any) -> Any:
    return {} if value is None else value


def _several(value: Any) -> Any:
    return (value,) if isinstance(value, str) else value


_Name = Annotated[str, Field(pattern=rf"^{KIND_PATTERN}$")]
_PropertyName = Annotated[str, Field(pattern=rf"^{PROPERTY_PATTERN}$")]
_Properties = dict[_PropertyName, Annotated[PropertyType, BeforeValidator(_long_form)]]
_Kinds = Annotated[tuple[_Name, ...], BeforeValidator(_several)]


class _Described(_Part):
    title: str = ""
    description: str = ""
    properties: _Properties = Field(default_factory=dict)

    @model_validator(mode="after")
    def _not_reserved(self) -> Self:
        for name in self.properties.keys() & RESERVED:
            raise ValueError(f"property {name!r} has the name of a field; give it another name")
        return self


class Kind(_Described):
    """A kind of entity; `title` is what a person would call one."""


class RelationKind(_Described):
    """A kind of relation.

    Attributes:
        domain, range: kinds that it may start from and lead to, in a declaration `from` and `to`; empty: any.
        title: read from subject to object, such as "was directed by".
        inverse_title: read the other way, such as "directed".
    """

    domain: _Kinds = Field(default=(), alias="from")
    range: _Kinds = Field(default=(), alias="to")
    inverse_title: str = ""


class GraphSchema(_Part):
    """Kinds, relations and their properties.

    Attributes:
        open: whether what is not declared may be written too; where nothing is said, it may when nothing is declared.
    """

    open: bool
    kinds: dict[_Name, Annotated[Kind, BeforeValidator(_no_less)]] = Field(default_factory=dict)
    relations: dict[_Name, Annotated[RelationKind, BeforeValidator(_no_less)]] = Field(default_factory=dict)

    @model_validator(mode="before")
    @classmethod
    def _open_when_empty(cls, data: Any) -> Any:
        if isinstance(data, Mapping) and "open" not in data:
            return {**data, "open": not data.get("kinds") and not data.get("relations")}
        return data

    @model_validator(mode="after")
    def _ends_declared(self) -> Self:
        if not self.open:
            for name, relation in self.relations.items():
                for end, kinds in (("from", relation.domain), ("to", relation.range)):
                    for kind in kinds:
                        if kind not in self.kinds:
                            hint = did_you_mean(kind, self.kinds)
                            raise ValueError(f"relation {name!r}: {end}: kind {kind!r} is not declared.{hint}")
        return self

    @classmethod
    def parse(cls, declared: Mapping[str, Any], *, place: str = "graph schema") -> GraphSchema:
        """Return the schema that a domain declared.

        Args:
            place: where it stands, for the error.

        Raises:
            GraphSchemaError: it cannot be understood; the message names the key.
        """
        try:
            return cls.model_validate(declared)
        except ValidationError as error:
            told = "; ".join(
                ": ".join((".".join(str(part) for part in one["loc"]), _reason(one["msg"]))).removeprefix(": ")
                for one in error.errors(include_url=False)
            )
            raise GraphSchemaError(f"{place}: {told}") from error

    @classmethod
    def merged(cls, schemas: Iterable[GraphSchema]) -> GraphSchema:
        """Return what several domains declare together; open where each that declares anything is open.

        Raises:
            GraphSchemaError: two of them declare the same kind, relation or property differently.
        """
        every = list(schemas)
        telling = [one for one in every if one.kinds or one.relations or not one.open]
        return cls(
            open=all(one.open for one in telling),
            kinds=_united("kind", [one.kinds for one in telling]),
            relations=_united("relation", [one.relations for one in telling]),
        )

    def check_entity(self, entity: Entity) -> None:
        """Check an entity that is to be written.

        Raises:
            GraphSchemaError: it cannot be stored, its kind is unknown, or its properties do not fit.
        """
        check_storable(entity)
        kind = self.kinds.get(entity.kind)
        place = f"entity {shown(entity.id)}"
        if kind is None:
            if not self.open:
                raise GraphSchemaError(f"{place}: unknown kind {entity.kind!r}.{_choices(entity.kind, self.kinds)}")
            return
        self._check_properties(f"{place} ({entity.kind})", entity.properties, kind.properties)

    def check_relation(self, relation: Relation) -> None:
        """Check a relation that is to be written; its ends are for `check_ends`.

        Raises:
            GraphSchemaError: it cannot be stored, is unknown, or its properties do not fit.
        """
        check_storable(relation)
        place = relation_place(relation)
        declared = self.relation(relation.name, place)
        if declared is not None:
            self._check_properties(place, relation.properties, declared.properties)

    def check_ends(self, relation: Relation, subject_kind: str, object_kind: str) -> None:
        """Check that a relation may join entities of these kinds.

        Raises:
            GraphSchemaError: it may not, or is unknown.
        """
        declared = self.relation(relation.name, relation_place(relation))
        if declared is None:
            return
        for end, kind, allowed in (
            ("subject", subject_kind, declared.domain),
            ("object", object_kind, declared.range),
        ):
            if allowed and kind not in allowed:
                raise GraphSchemaError(
                    f"{relation_place(relation)}: {end} is of kind {kind!r}, expected {' or '.join(map(repr, allowed))}"
                )

    def may_be_bare(self, kind: str) -> bool:
        """Say whether an entity of a kind may be without properties."""
        declared = self.kinds.get(kind)
        return declared is None or not any(one.required for one in declared.properties.values())

    def relation(self, name: str, place: str = "") -> RelationKind | None:
        """Return what is declared of a relation; None in an open schema that says nothing of it.

        Raises:
            GraphSchemaError: the relation is unknown and the schema is not open.
        """
        declared = self.relations.get(name)
        if declared is None and not self.open:
            start = f"{place}: " if place else ""
            raise GraphSchemaError(f"{start}unknown relation {shown(name)}.{_choices(name, self.relations)}")
        return declared

    def property_type(self, kind_or_relation: str, name: str, *, relation: bool = False) -> Type | None:
        """Return the declared type of a property of a kind, or of a relation; None: not declared."""
        declared: Mapping[str, _Described] = self.relations if relation else self.kinds
        described = declared.get(kind_or_relation)
        told = described.properties.get(name) if described else None
        return told.type if told else None

    def _check_properties(self, place: str, given: Properties, declared: Mapping[str, PropertyType]) -> None:
        for name, value in given.items():
            expected = declared.get(name)
            if expected is None:
                if not self.open:
                    raise GraphSchemaError(f"{place}: unknown property {name!r}.{_choices(name, declared)}")
            elif not _fits(value, expected.type):
                raise GraphSchemaError(f"{place}: property {name!r}: got {shown(value)}, expected {expected.type}")
        for name, expected in declared.items():
            if expected.required and name not in given:
                raise GraphSchemaError(f"{place}: property {name!r} is missing; each must have one ({expected.type})")


def _fits(value: Scalar | tuple[Scalar, ...], expected: Type) -> bool:
    if expected.endswith("[]"):
        fits = _FITS[expected.removesuffix("[]")]
        return isinstance(value, tuple | list) and all(fits(one) for one in value)
    return _FITS[expected](value)


def _choices(word: str, known: Iterable[str]) -> str:
    choices = sorted(known)
    return did_you_mean(word, choices) or f" Known: {', '.join(choices[:20]) or 'none'}."


def _reason(message: str) -> str:
    """What pydantic says, with the types of properties shorter."""
    message = message.removeprefix("Value error, ")
    if "'datetime[]'" in message:
        return f"expected one of {', '.join(get_args(Type))}"
    return re.sub(r"^String should match pattern '(.*)'$", r"is no name of the form \1", message)


def _united(what: str, every: list[dict[str, Any]]) -> dict[str, Any]:
    united: dict[str, Any] = {}
    for declared in every:
        for name, one in declared.items():
            if united.setdefault(name, one) != one:
                raise GraphSchemaError(
                    f"{what} {name!r} is declared by two domains, and differently; declare it alike or rename one"
                )
    return united
