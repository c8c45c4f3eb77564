"""Values are read from what people write, and only from that."""

from __future__ import annotations

import time
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError
from rejoinder.slots import Slot
from rejoinder.slots.formats import find, problem_with, read

NOW = datetime(2026, 11, 28, 12, tzinfo=UTC)


def slot(kind: str, **more: Any) -> Slot:
    return Slot.model_validate({"type": kind, "title": kind.replace("_", " "), **more})


@pytest.mark.parametrize(
    ("locale", "text", "expected"),
    [
        ("en", "on 05/11/2026", "2026-05-11"),
        ("en-US", "on 05/11/2026", "2026-05-11"),
        ("en-GB", "on 05/11/2026", "2026-11-05"),
        ("en_gb", "5.11.2026", "2026-11-05"),
        ("de-DE", "on 05/11/2026", "2026-11-05"),
        ("en-GB", "on 05/13/2026", "2026-05-13"),
        ("en-GB", "2026-05-11", "2026-05-11"),
        ("sv-SE", "2026-05-11", "2026-05-11"),
        ("xx", "on 05/11/2026", "2026-05-11"),
    ],
)
def test_day_and_month_stand_as_the_locale_has_them(locale: str, text: str, expected: str) -> None:
    assert read(slot("date"), text, NOW, locale=locale) == expected
    assert [one.value for one in find(slot("date"), text, NOW, locale=locale)] == [expected]


CARD_REASON = {"choices": {"lost": ["lost it"], "stolen": ["was stolen", "robbed"]}}

READ = [
    ("order_number", "it's 12345.", "12345"),
    ("order_number", "#A-1234 please", "A-1234"),
    ("order_number", "twelve", None),
    ("order_number", "my amount is 12.50", None),
    ("number", "3 of them", 3),
    ("amount", "about 12,50 please", 12.5),
    ("amount", "$1,234.56", 1234.56),
    ("amount", "twenty", None),
    ("date", "two weeks ago", "2026-11-14"),
    ("date", "on 3 March", "2026-03-03"),
    ("date", "2026-03-01", "2026-03-01"),
    ("date", "yesterday", "2026-11-27"),
    ("date", "blue", None),
    ("email", "it is Ana@Example.com.", "Ana@example.com"),
    ("email", "ana at example dot com", None),
    ("postcode", "CB7 4AA", "CB7 4AA"),
    ("postcode", "it is 91207", "91207"),
    ("card_last", "ends in 4321", "4321"),
    ("card_last", "43 21", None),
    ("card", "4111 1111 1111 1111", "4111111111111111"),
    ("card", "4111 1111 1111 1112", None),
    ("iban", "to DE89 3704 0044 0532 0130 00 please", "DE89370400440532013000"),
    ("iban", "DE89 3704 0044 0532 0130 01", None),
    ("yes_no", "Yes, I do", True),
    ("yes_no", "nope", False),
    ("yes_no", "perhaps", None),
    ("text", "  it   broke ", "it broke"),
    ("text", "!!!", None),
    ("address", "7 Long Road, Ely", "7 Long Road, Ely"),
    ("address", "somewhere", None),
]


@pytest.mark.parametrize(("kind", "text", "expected"), READ, ids=[f"{kind}: {text}" for kind, text, _ in READ])
def test_an_answer_is_read(kind: str, text: str, expected: object) -> None:
    assert read(slot(kind), text, NOW) == expected


FOUND = [
    ("order_number", "cancel order 12345 for 49 dollars", ["12345"]),
    ("order_number", "cancel ORD-12345", ["ORD-12345"]),
    ("order_number", "I paid 12345", []),
    ("amount", "I paid 20 for 3", []),
    ("amount", "I paid 20 euros", [20.0]),
    ("date", "I may come at 3", []),
    ("date", "bought last Tuesday", ["2026-11-24"]),
    ("card_last", "the card ending in 4321", ["4321"]),
    ("card_last", "order 4321", []),
    ("postcode", "I live at 7 Long Road", []),
    ("postcode", "post code CB7 4AA", ["CB7 4AA"]),
    ("number", "3", []),
    ("text", "anything", []),
]


@pytest.mark.parametrize(("kind", "text", "expected"), FOUND, ids=[f"{kind}: {text}" for kind, text, _ in FOUND])
def test_a_message_fills_a_slot_unasked_only_with_clear_signs(kind: str, text: str, expected: list[object]) -> None:
    assert [one.value for one in find(slot(kind), text, NOW)] == expected


def test_codes_have_the_forms_that_are_written_down() -> None:
    code = slot("code", forms=["AB-#{4}", "@@*{2,3}"])
    assert read(code, "ab-1234", NOW) == "AB-1234"
    assert read(code, "xy9z1", NOW) == "XY9Z1"
    assert read(code, "ab-12345", NOW) is None


@pytest.mark.parametrize(
    ("form", "problem"),
    [
        ("@{1,99}@{1,99}@{1,99}#", "can be read in too many ways"),
        ("#{4,2}", "the first number cannot be larger"),
        ("#{0,300}", "is no form"),
    ],
)
def test_no_form_can_take_long_on_any_text(form: str, problem: str) -> None:
    with pytest.raises(ValidationError, match=problem):
        slot("code", forms=[form])


def test_days_are_found_in_a_long_text_in_a_moment() -> None:
    read(slot("date"), "yesterday", NOW)  # loads what it needs
    began = time.process_time()
    read(slot("date"), "1/1/1 " * 160, NOW)
    assert time.process_time() - began < 0.5, "a turn that reads for longer keeps all others waiting"
    long = "word " * 100 + "on 3 March, " + "and so on " * 30
    (found,) = find(slot("date"), long, NOW)
    assert found.value == "2026-03-03"
    assert "3 March" in long[found.start : found.end]


def test_of_two_choices_neither_is_taken() -> None:
    kind = slot("choice", **CARD_REASON)
    assert read(kind, "it was stolen", NOW) == "stolen"
    assert read(kind, "lost it or was stolen", NOW) is None


@pytest.mark.parametrize(
    ("kind", "value", "problem"),
    [
        (slot("date", when="past"), "2026-11-29", "a day in the past"),
        (slot("date", when="future"), "2026-11-27", "a day that is still to come"),
        (slot("amount", minimum=1, maximum=5), 6.0, "at most 5"),
        (slot("amount", minimum=1), 0.5, "at least 1"),
        (slot("text", minimum=3), "ab", "at least 3 characters"),
        (slot("date", when="past"), "2026-11-28", None),
    ],
)
def test_what_can_be_read_may_still_not_do(kind: Slot, value: object, problem: str | None) -> None:
    assert problem_with(kind, value, NOW.date()) == problem


KINDS = [
    *(slot(kind) for kind in sorted({kind for kind, *_ in READ})),
    slot("code", forms=["@{1,9}#{1,9}"]),
    slot("choice", **CARD_REASON),
]


@given(st.text(max_size=400), st.sampled_from([kind for kind in KINDS if kind.type != "date"]))
def test_no_text_breaks_a_reader(text: str, kind: Slot) -> None:
    value = read(kind, text, NOW)
    assert value is None or problem_with(kind, value, NOW.date()) is None
    for one in find(kind, text, NOW):
        assert 0 <= one.start < one.end <= len(text)
