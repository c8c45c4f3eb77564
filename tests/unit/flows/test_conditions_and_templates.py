"""Conditions compare values, and templates carry them where they cannot do harm."""

from __future__ import annotations

from datetime import date
from pathlib import Path
from typing import Any

import pytest
from rejoinder.errors import InvalidInputError
from rejoinder.flows import Condition, load_flows
from rejoinder.flows.conditions import holds
from rejoinder.flows.picture import SUFFIXES, draw_flow
from rejoinder.flows.templates import fill_json, fill_path, fill_text, pointed_at

TODAY = date(2026, 11, 28)
VALUES: dict[str, Any] = {"n": 5, "word": "Gold", "day": "2026-09-01", "limit": "7", "yes": True}

HOLDS = [
    ({"slot": "word", "is": "gold"}, True),
    ({"slot": "word", "is_not": "gold"}, False),
    ({"slot": "word", "is_in": ["silver", "gold"]}, True),
    ({"slot": "n", "over": 4}, True),
    ({"slot": "n", "at_most": {"slot": "limit"}}, True),
    ({"slot": "n", "over": {"slot": "gone"}}, False),
    ({"slot": "word", "under": 4}, False),
    ({"slot": "day", "older_than_days": 80}, True),
    ({"slot": "day", "older_than_days": 90}, False),
    ({"slot": "day", "at_least": "2026-08-31"}, True),
    ({"slot": "gone", "is_not": "x"}, False),
    ({"slot": "gone", "filled": False}, True),
    ({"slot": "yes", "is": True}, True),
    ({"slot": "n", "is": True}, False),
    ({"all": [{"slot": "n", "is": 5}, {"any": [{"slot": "n", "is": 1}, {"not": {"slot": "n", "is": 2}}]}]}, True),
]


@pytest.mark.parametrize(("condition", "expected"), HOLDS, ids=[str(one) for one, _ in HOLDS])
def test_a_condition_holds_or_not(condition: dict[str, Any], expected: bool) -> None:
    assert holds(Condition.model_validate(condition), VALUES, TODAY) is expected


@pytest.mark.parametrize("value", ["../../admin", "a/b", "a?b=c", "a#b", "ä b", "%2e%2e", "http://evil"])
def test_a_value_stays_one_part_of_a_path(value: str) -> None:
    path = fill_path("/orders/{n}/cancel", {"n": value})
    assert path.count("/") == 3
    assert not {"?", "#", " "} & set(path)


@pytest.mark.parametrize("value", ["", ".", "..", "  ", None])
def test_a_value_that_is_no_part_of_a_path_is_refused(value: str | None) -> None:
    with pytest.raises(InvalidInputError, match="no part of a path"):
        fill_path("/orders/{n}", {"n": value})


def test_values_keep_their_type_in_a_body_and_braces_in_values_stay_as_they_are() -> None:
    body = fill_json({"n": "{n}", "t": "n is {n}", "l": ["{word}"]}, {"n": 5, "word": '{n}", "x": "'})
    assert body == {"n": 5, "t": "n is 5", "l": ['{n}", "x": "']}
    assert fill_text("{word}!", {"word": "{n}", "n": 5}, {}) == "{n}!"


@pytest.mark.parametrize(
    ("values", "text"),
    [
        ({"n": 5, "day": "Monday"}, "Order 5 is packed. It comes on Monday. Bye!"),
        ({"n": 5}, "Order 5 is packed. Bye!"),
        ({}, "Bye!"),
    ],
)
def test_a_sentence_whose_value_is_unknown_is_not_said(values: dict[str, Any], text: str) -> None:
    assert fill_text("Order {n} is packed. It comes on {day}. Bye!", values, {}) == text
    assert fill_text("Order {n}", {}, {}) == "Order "


@pytest.mark.parametrize(
    ("pointer", "expected"),
    [
        ("/a/0/b", 1),
        ("", {"a": [{"b": 1}], "c/d": 2}),
        ("/c~1d", 2),
        ("/a/9", None),
        ("/a/x", None),
        ("/a/0/b/c", None),
    ],
)
def test_a_pointer_finds_its_value_or_nothing(pointer: str, expected: object) -> None:
    assert pointed_at(pointer, {"a": [{"b": 1}], "c/d": 2}) == expected


def test_every_shipped_flow_can_be_drawn(tmp_path: Path) -> None:
    flows = pytest.importorskip("rejoinder_customer_service.plugin").FLOWS
    for name, flow in load_flows([flows]).flows.items():
        draw_flow(flow, tmp_path / f"{name}.svg")
        drawn = (tmp_path / f"{name}.svg").read_text(encoding="utf-8")
        assert all(step.id in drawn for step in flow.steps), name
    for suffix in SUFFIXES:
        draw_flow(flow, tmp_path / f"x{suffix}")
        assert (tmp_path / f"x{suffix}").stat().st_size > 1000
    with pytest.raises(InvalidInputError, match=r"a picture ends in \.png, \.svg, \.html"):
        draw_flow(flow, tmp_path / "x.gif")
