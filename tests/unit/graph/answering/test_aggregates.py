"""Counting, picking and filtering, as questions ask for them."""

from __future__ import annotations

from datetime import UTC, date, datetime
from math import inf

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rejoinder.graph.answering.aggregates import (
    Bound,
    attribute_named,
    number_of,
    picked,
    singulars,
    wanted_in,
)


@pytest.mark.parametrize(
    ("question", "text"),
    [
        ("how many films did X direct", "which films did X direct"),
        ("what is the number of films directed by X", "which films directed by X"),
        ("number of films of X", "which films of X"),
        ("count the films of X", "which films of X"),
    ],
)
def test_counts(question: str, text: str) -> None:
    found = wanted_in(question)
    assert (found.text, found.count, found.pick, found.bounds) == (text, True, "all", ())


@pytest.mark.parametrize(
    ("question", "text", "pick", "attribute"),
    [
        ("what is the latest film by X", "what is the film by X", "most", "time"),
        ("which is X's most recent film", "which is X's film", "most", "time"),
        ("what was X's first film", "what was X's film", "least", "time"),
        ("what was the last film of X", "what was the film of X", "most", "time"),
        ("X's oldest film", "X's film", "least", "time"),
        ("what is the highest rated film of X", "what is the film of X", "most", "rating"),
        ("X's worst-rated film", "X's film", "least", "rating"),
        ("cheapest hotel in X", "hotel in X", "least", "price"),
        ("the film with the highest rating by X", "the film by X", "most", "rating"),
        ("the film of X that has the fewest votes", "the film of X", "least", "popularity"),
        ("the film with the biggest crew by X", "the film by X", "most", "crew"),
        ("what is the most common genre of films by X", "what is the genre of films by X", "commonest", ""),
        ("who acted most often in films by X", "who acted in films by X", "commonest", ""),
    ],
)
def test_picks(question: str, text: str, pick: str, attribute: str) -> None:
    found = wanted_in(question)
    assert (found.text, found.pick, found.attribute, found.count) == (text, pick, attribute, False)


@pytest.mark.parametrize(
    ("question", "text", "bound"),
    [
        ("films by X after 1990", "films by X", Bound(attribute="time", low=1990, strict=True)),
        ("films by X since 1990", "films by X", Bound(attribute="time", low=1990)),
        ("films by X released before 2000", "films by X", Bound(attribute="time", high=2000, strict=True)),
        ("which films of X came out until 2000", "which films of X", Bound(attribute="time", high=2000)),
        ("films by X between 2000 and 1990", "films by X", Bound(attribute="time", low=1990, high=2000)),
        ("films by X from 1990 to 2000", "films by X", Bound(attribute="time", low=1990, high=2000)),
        ("which films of X were released in 1994", "which films of X", Bound(attribute="time", low=1994, high=1994)),
        ("films of X from the 90s", "films of X", Bound(attribute="time", low=1990, high=1999)),
        ("films of X in the 2010s", "films of X", Bound(attribute="time", low=2010, high=2019)),
        ("films of X rated above 7.5", "films of X", Bound(attribute="rating", low=7.5, strict=True)),
        ("films of X with a rating of at least 8", "films of X", Bound(attribute="rating", low=8)),
        ("films by X with more than 1,000 votes", "films by X", Bound(attribute="popularity", low=1000, strict=True)),
        (
            "which hotels in X have a price below 100",
            "which hotels in X",
            Bound(attribute="price", high=100, strict=True),
        ),
        ("towns near X with at most 500 chairs", "towns near X", Bound(attribute="chair", high=500)),
    ],
)
def test_filters(question: str, text: str, bound: Bound) -> None:
    found = wanted_in(question)
    assert (found.text, found.bounds) == (text, (bound,))


def test_they_go_together() -> None:
    found = wanted_in("how many films did X make after 1990 and before 2000")
    assert (found.text, found.count) == ("which films did X make", True)
    assert {(one.low, one.high) for one in found.bounds} == {(1990, inf), (-inf, 2000)}
    assert wanted_in("what is the latest film by X before 2000").pick == "most"


@pytest.mark.parametrize(
    "question",
    [
        "who directed X",
        "when was X released",
        "what is the last name of X",
        "how popular is X",
        "how long is X",
        "can you give a few words describing what X is about",
        "what are the primary languages in the films acted by X",
        "X",
        "",
    ],
)
def test_plain_questions_stay_as_they_are(question: str) -> None:
    found = wanted_in(question)
    assert found.text == question
    assert found.plain


def test_a_language_that_is_not_wanted_is_not_understood() -> None:
    assert wanted_in("how many films did X direct", languages=()).plain


@given(st.text(max_size=200))
def test_any_text_can_be_read(text: str) -> None:
    assert isinstance(wanted_in(text).text, str)


def test_a_long_text_is_read_quickly() -> None:
    import time

    started = time.perf_counter()
    for part in ("with more than 1 ", "released ", "that which ", "the most ", " "):
        wanted_in(part * (1000 // len(part)))
    assert time.perf_counter() - started < 2.0


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (3, 3.0),
        (2.5, 2.5),
        ("1994", 1994.0),
        ("7.5/10", 7.5),
        ("$1,234.50", 1234.5),
        ("-3", -3.0),
        (date(1994, 1, 1), 1994.0),
        (datetime(1994, 7, 2, tzinfo=UTC), 1994 + 182 / 365),
        ("1994-07-02", 1994 + 182 / 365),
        ("1994-13-45", None),
        ("12 Angry Men", 12.0),
        ("German", None),
        ("", None),
        (True, None),
        (None, None),
        (("a",), None),
    ],
)
def test_values_as_numbers(value: object, expected: float | None) -> None:
    assert number_of(value) == expected


@pytest.mark.parametrize(
    ("attribute", "names", "expected"),
    [
        ("time", ["has_genre", "release_year"], "release_year"),
        ("time", ["year", "birthDate", "release_year"], "year"),
        ("rating", ["has_imdb_votes", "has_imdb_rating"], "has_imdb_rating"),
        ("popularity", ["has_imdb_votes", "has_imdb_rating"], "has_imdb_votes"),
        ("crew", ["crew_size"], "crew_size"),
        ("crew", ["screw"], None),
        ("time", [], None),
        ("a.*", ["abc"], None),
    ],
)
def test_attributes_are_found_by_their_names(attribute: str, names: list[str], expected: str | None) -> None:
    assert attribute_named(attribute, names) == expected


def test_the_most_and_the_least_and_ties() -> None:
    values = {"a": 1.0, "b": 2.0, "c": 2.0}
    assert picked(values, "most") == ("b", "c")
    assert picked(values, "least") == ("a",)
    assert picked({}, "most") == ()


def test_only_the_year_of_a_time_counts() -> None:
    assert not Bound(attribute="time", low=1990, strict=True).holds(1990.7)
    assert Bound(attribute="time", low=1990, high=1990).holds(1990.7)
    assert Bound(attribute="rating", low=7, strict=True).holds(7.5)


@pytest.mark.parametrize(
    ("word", "singular"), [("comedies", "comedy"), ("dramas", "drama"), ("heroes", "hero"), ("boss", "boss")]
)
def test_plurals(word: str, singular: str) -> None:
    assert singulars(word)[0] == singular
    assert singulars(word)[-1] == word
