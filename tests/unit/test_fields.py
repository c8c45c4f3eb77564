"""Settings models in words, and what is secret in them."""

from __future__ import annotations

import enum
from pathlib import Path
from typing import Annotated, Any, Literal

import pytest
from pydantic import BaseModel, Field, SecretStr
from rejoinder.fields import (
    describe,
    describe_field,
    field_at,
    holds_secret,
    keys_of,
    problems_of,
    seal_secrets,
    unit_of,
)


class Colour(enum.Enum):
    RED = "red"


class Inner(BaseModel):
    password: SecretStr = SecretStr("")
    parent: Inner | None = None


class Model(BaseModel):
    number: Annotated[int, Field(ge=1)] | None = None
    share: float = Field(default=0.5, gt=0, lt=1)
    name: str = Field(default="", max_length=9, pattern="[a-z]+")
    inner: Inner = Inner()
    many: list[Inner] = []
    table: dict[str, Annotated[float, Field(gt=0)]] = {}
    with_alias: int = Field(default=1, alias="withAlias")


@pytest.mark.parametrize(
    ("annotation", "words"),
    [
        (bool, "true or false"),
        (int | None, "integer or unset"),
        (Literal["a", "b"], "one of 'a', 'b'"),
        (Colour, "one of 'red'"),
        (list[str], "list of text"),
        (tuple[int, ...], "list of integer"),
        (dict[str, float], "table of number"),
        (dict[str, Annotated[float, Field(gt=0, le=2)]], "table of number above 0 and at most 2"),
        (Path, "path"),
        (SecretStr | None, "secret text or unset"),
        (Inner, "table"),
        (Any, "any value"),
    ],
    ids=str,
)
def test_types_are_told_in_words(annotation: Any, words: str) -> None:
    assert describe(annotation) == words


def test_ranges_are_told_in_words() -> None:
    told = {name: describe_field(info) for name, info in Model.model_fields.items()}
    assert told["number"] == "integer at least 1 or unset"
    assert told["share"] == "number above 0 and below 1"
    assert told["name"] == "text, at most 9 long like [a-z]+"


@pytest.mark.parametrize(
    ("name", "unit"), [("deadline_s", "seconds"), ("wait_ms", "milliseconds"), ("address", ""), ("s", "")]
)
def test_units_are_in_names(name: str, unit: str) -> None:
    assert unit_of(name) == unit


def test_secrets_are_found_however_deep() -> None:
    assert holds_secret(list[dict[str, Inner]])
    assert holds_secret(Annotated[SecretStr, "x"] | None)
    assert not holds_secret(dict[str, list[int]])


def test_unknown_keys_are_found_however_deep() -> None:
    values = {
        "inner": {"pasword": "x"},
        "many": [{}, {"parent": {"x": 1}}],
        "table": {"any": 1.0},
        "withAlias": 2,
        "with_alias": 3,
    }
    found = dict(problems_of(Model, values))
    assert set(found) == {("inner", "pasword"), ("many", "1", "parent", "x"), ("with_alias",)}
    assert "Did you mean 'password'" in found["inner", "pasword"]


def test_a_boolean_is_no_number() -> None:
    values = {"number": True, "table": {"a": False}}
    assert {path for path, _ in problems_of(Model, values)} == {("number",), ("table", "a")}


def test_a_model_that_holds_itself_is_walked_to_an_end() -> None:
    assert ("inner", "password") in {path for path, _ in keys_of(Model)}


def test_an_error_is_placed_as_far_as_the_model_goes() -> None:
    known, info = field_at(Model, ("inner", "password", "more"))
    assert known == ("inner", "password")
    assert info is not None


def test_only_secrets_are_sealed() -> None:
    def seal(value: Any) -> str:
        return "sealed"

    assert seal_secrets(Model, ("inner",), {"password": "x", "parent": None}, seal) == {
        "password": "sealed",
        "parent": None,
    }
    assert seal_secrets(Model, ("inner", "password"), "x", seal) == "sealed"
    assert seal_secrets(Model, ("many",), [{"password": "x"}], seal) == "sealed"
    assert seal_secrets(Model, ("inner", "pasword"), "x", seal) == "sealed"
    assert seal_secrets(Model, ("number",), 3, seal) == 3
    assert seal_secrets(Model, ("inner", "password"), None, seal) is None
