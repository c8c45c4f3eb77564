"""Opening hours, the estimate of the wait, addresses in messages, and what is worth learning."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from pydantic import ValidationError
from rejoinder.errors import InvalidInputError
from rejoinder.handoff.contacts import find_contact
from rejoinder.handoff.hours import OpeningHours
from rejoinder.handoff.lessons import Line, is_worth_learning, lessons_of
from rejoinder.handoff.settings import HelpDeskSettings
from rejoinder.handoff.waiting import estimated_wait_s


@pytest.mark.parametrize(
    ("local", "there"),
    [
        ("2026-01-05T08:59", False),  # a Monday
        ("2026-01-05T09:00", True),
        ("2026-01-05T17:29", True),
        ("2026-01-05T17:30", False),
        ("2026-01-09T23:59", True),  # a Friday
        ("2026-01-10T00:30", True),
        ("2026-01-11T00:30", False),
    ],
)
def test_hours_are_read_line_by_line(local: str, there: bool) -> None:
    hours = OpeningHours.read(["mon-thu 9:00-17:30", "fri 9:00-24:00", "sat 00:00-02:00"])
    assert hours.are_on(datetime.fromisoformat(local)) is there


def test_a_range_of_days_may_go_round_the_end_of_the_week() -> None:
    hours = OpeningHours.read(["sat-mon 10:00-12:00"])
    there = [hours.are_on(datetime(2026, 1, day, 11)) for day in range(5, 12)]  # noqa: DTZ001  # the clock on the wall
    assert there == [True, False, False, False, False, True, True]


@pytest.mark.parametrize(
    ("line", "told"),
    [
        ("mon-fri 9-17", "expected a line like"),
        ("mun 09:00-17:00", "Did you mean 'sun'"),
        ("mon 25:00-26:00", "there is no time 25:00"),
        ("mon 17:00-09:00", "write two lines around midnight"),
    ],
)
def test_a_line_that_says_something_else_is_refused(line: str, told: str) -> None:
    with pytest.raises(InvalidInputError, match=told):
        OpeningHours.read([line])
    with pytest.raises(ValidationError, match=told):
        HelpDeskSettings(hours=(line,))


def test_hours_are_of_the_tenants_time_zone() -> None:
    settings = HelpDeskSettings(hours=("mon-sun 09:00-17:00",), time_zone="Asia/Tokyo")
    assert settings.are_people_there(datetime(2026, 1, 5, 0, 30, tzinfo=UTC))
    assert not settings.are_people_there(datetime(2026, 1, 5, 9, 30, tzinfo=UTC))
    with pytest.raises(ValidationError, match="no time zone 'Mars'"):
        HelpDeskSettings(time_zone="Mars")


@pytest.mark.parametrize(
    ("position", "agents", "busy", "expected"),
    [(1, 0, 0, None), (1, 1, 0, 0.0), (1, 1, 1, 300.0), (3, 2, 1, 300.0), (4, 2, 2, 600.0)],
)
def test_the_wait_is_estimated(position: int, agents: int, busy: int, expected: float | None) -> None:
    assert estimated_wait_s(position, agents=agents, busy=busy, typical_s=300.0) == expected


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("ana.b+c@mail.shop.example!", "ana.b+c@mail.shop.example"),
        ("it's (021) 555-0199", "(021) 555-0199"),
        ("+44 20 7946 0958 after six", "+44 20 7946 0958"),
        ("order A-17", None),
        ("on 12.5.", None),
        ("at 12345", None),
        ("no thanks", None),
        ("ok, then cancel order 12345678", None),
        ("order number is 0012345678", None),
        ("call me about order #0012345678", None),
        ("number 12345678", None),
        ("my number is 212 555 0199", "212 555 0199"),
        ("212 555 0199 please", "212 555 0199"),
        ("I paid 12345678 for it", None),
        ("it was delivered on 2026-11-29", None),
        ("29/11/2026", None),
        ("the order 12345678 is late, ring 021 555 0199", "021 555 0199"),
    ],
)
def test_an_address_in_a_message_is_found(text: str, found: str | None) -> None:
    assert find_contact(text) == found


@pytest.mark.parametrize(
    ("question", "answer", "worth"),
    [
        ("How long does a refund take?", "A refund takes five working days.", True),
        ("can I pay with two cards", "No, one order is paid with one card.", True),
        ("when do you open on Sundays", "We are there from 10 to 16 on Sundays.", True),
        ("I want to talk to a real person", "Of course, you are talking to me now.", False),
        ("hello there my friend", "Refunds take five working days.", False),
        ("refund?", "A refund takes five working days.", False),
        ("How long does a refund take?", "Hello, this is Eva, I can help you.", False),
        ("How long does a refund take?", "Let me look that up for you.", False),
        ("How long does a refund take?", "Which order is it about, please?", False),
        ("where is my parcel 4711", "Parcel 4711 leaves our house today.", False),
        ("where is my parcel please", "Your parcel JD0146000 leaves our house today.", False),
        ("where is my parcel please", "We wrote to [EMAIL] this very morning.", False),
        ("where is my parcel please", "It goes to Baker Street in London.", False),
    ],
)
def test_only_answers_that_hold_for_others_are_worth_learning(question: str, answer: str, worth: bool) -> None:
    assert is_worth_learning(question, answer, {"address": "12 Baker Street"}) is worth


def test_the_first_answer_to_the_last_question_is_the_lesson() -> None:
    said = [
        ("t1", "user", "do you ship to Norway"),
        ("t1", "bot", "Sorry, I don't know."),
        ("t2", "user", "do you ship to Norway or not"),
        ("t3", "agent", "Yes, we ship to Norway every Friday."),
        ("t4", "agent", "And also to Sweden every Monday."),
    ]
    lines = [Line(turn_id=turn_id, speaker=speaker, text=text) for turn_id, speaker, text in said]
    (lesson,) = lessons_of(lines, {})
    assert (lesson.question, lesson.answer, lesson.turn_id) == (
        "do you ship to Norway or not",
        "Yes, we ship to Norway every Friday.",
        "t3",
    )
