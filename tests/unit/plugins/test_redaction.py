"""The plugin `redaction`: what must not be kept is masked, nothing else, in time linear in the text."""

from __future__ import annotations

import time
from typing import Any

import pytest
from hypothesis import given, settings, strategies
from rejoinder_plugins.redaction import RedactionPlugin, RedactionSettings
from rejoinder_plugins.redaction.redact import redact

CARDS = [
    "4111111111111111",
    "5555555555554444",
    "378282246310005",
    "6011111111111117",
    "30569309025904",
    "2223003122003222",
]
IBANS = [
    "DE89370400440532013000",
    "GB29NWBK60161331926819",
    "FR1420041010050500013M02606",
    "NO9386011117947",
    "MT84MALT011000012345MTLCAST001S",
]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Charge 4111 1111 1111 1111 12/25, CVV 123", "Charge [CARD_NUMBER] 12/25, CVV 123"),
        ("4111-1111-1111-1111.", "[CARD_NUMBER]."),
        ("amex 3782 822463 10005", "amex [CARD_NUMBER]"),
        ("card4111111111111111x", "card[CARD_NUMBER]x"),
        ("4 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1", "[CARD_NUMBER]"),
        ("４１１１ １１１１ １１１１ １１１１", "[CARD_NUMBER]"),
        ("to DE89 3704 0044 0532 0130 00 please", "to [IBAN] please"),
        ("gb29nwbk60161331926819", "[IBAN]"),
        ("Ann.O'Neil+shop@mail.example.co.uk!", "[EMAIL]!"),
        ("jürgen@müller.example", "[EMAIL]"),
        ("call +44 7911 123456 now", "call [PHONE] now"),
        ("+49 (0)30 1234567", "[PHONE]"),
        ("(+44) 20 7946 0958", "([PHONE]"),
        ("0049 30 1234567", "[PHONE]"),
        ("ring 07911123456 or 0151-2345678", "ring [PHONE] or [PHONE]"),
        ("(555) 010-1234? 1-800-555-0199", "[PHONE]? [PHONE]"),
        ("4111111111111111, ann@example.org", "[CARD_NUMBER], [EMAIL]"),
    ],
)
def test_masked(text: str, expected: str) -> None:
    assert redact(text) == expected


@pytest.mark.parametrize(
    "text",
    [
        "",
        "My card has not arrived yet.",
        "order 00004587345 and 370795561790",
        "4111 1111 1111 1112 fails the check digit",
        "0000 0000 0000 0000",
        "DE88370400440532013000 fails its check digits",
        "on 01/02/2024 at 10:30, 2024-01-02 10:30:22, 01.02.2024 10:15",
        "I paid 1234567.89 EUR of 1,000,000,000",
        "version 1.2.3.4, 192.168.100.200, #1234567890123",
        "x@y, @handle, me@home, a@b.c",
        "pi is 3.14159265358979",
        "[CARD_NUMBER] [IBAN] [EMAIL] [PHONE]",
    ],
)
def test_left_alone(text: str) -> None:
    assert redact(text) == text


@pytest.mark.parametrize("kind", ["card_numbers", "ibans", "emails", "phones"])
async def test_each_kind_can_be_switched_off(bench: Any, kind: str) -> None:
    text = "4111111111111111 | GB29NWBK60161331926819 | ann@example.org | +447911123456"
    own = {"card_numbers": 0, "ibans": 1, "emails": 2, "phones": 3}[kind]
    chosen = RedactionSettings(**{kind: False})
    one = bench(settings={"redaction": chosen}, redaction=RedactionPlugin())
    got = (await one.call("redact_text", text, "store")).split(" | ")
    assert [given == part for given, part in zip(text.split(" | "), got, strict=True)] == [
        number == own for number in range(4)
    ]


def test_the_companys_own_stay_readable() -> None:
    chosen = RedactionSettings(keep=("+44 20 7946 0958", "help@bank.example", "DE89 3704 0044 0532 0130 00"))
    text = "Call +44-20-7946-0958, not +44 20 7946 0959; Help@bank.example, not me@bank.example; DE89370400440532013000"
    assert redact(text, chosen) == (
        "Call +44-20-7946-0958, not [PHONE]; Help@bank.example, not [EMAIL]; DE89370400440532013000"
    )


spaces = strategies.sampled_from(["", " ", "-", "\u00a0", "."])
anything = strategies.text(max_size=80)
numberish = strategies.text(alphabet="0123456789 +-()./@aGB\u00a0[]", max_size=80)
pieces = strategies.lists(
    strategies.one_of(
        anything, numberish, strategies.sampled_from([*CARDS, *IBANS, "a@b.co", "+447911123456", "07911123456"])
    ),
    max_size=5,
).map("".join)


@settings(max_examples=400, deadline=None)
@given(pieces)
def test_twice_is_the_same_as_once(text: str) -> None:
    once = redact(text)
    assert redact(once) == once


@given(
    strategies.sampled_from(CARDS),
    spaces,
    strategies.sampled_from(["", "card: ", "("]),
    strategies.sampled_from(["", ".", ", thanks"]),
)
def test_cards_in_any_grouping(card: str, separator: str, before: str, after: str) -> None:
    grouped = separator.join(card[start : start + 4] for start in range(0, len(card), 4))
    assert redact(f"{before}{grouped}{after}") == f"{before}[CARD_NUMBER]{after}"


@given(strategies.sampled_from(IBANS), strategies.booleans(), strategies.sampled_from(["", " ", "-"]))
def test_ibans_in_any_grouping(iban: str, lower: bool, separator: str) -> None:
    grouped = separator.join(iban[start : start + 4] for start in range(0, len(iban), 4))
    assert redact(f"pay {grouped.lower() if lower else grouped}, now") == "pay [IBAN], now"


@given(strategies.text(alphabet="abcdefgh ,;:!?", max_size=200))
def test_text_without_numbers_or_addresses_stays(text: str) -> None:
    assert redact(text) == text


N = 100_000
HOSTILE = {
    "letters": "a" * N,
    "addresses": "a@" * (N // 2),
    "domains": ("a@" + "a." * N)[:N],
    "no ending": ("a@b." * N)[:N],
    "digits": "4" * N,
    "single digits": "4 " * (N // 2),
    "pairs": "61 " * (N // 3),
    "zeros": "0 " * (N // 2),
    "national": "01 " * (N // 3),
    "plus": "+1 " * (N // 3),
    "brackets": "1(" * (N // 2),
    "countries": "GB29" * (N // 4),
    "countries apart": "GB29 " * (N // 5),
    "cards": "4111111111111111 " * (N // 17),
    "mixed": "4111111111111111GB29NWBK60161331926819" * (N // 38),
}


@pytest.mark.parametrize("text", HOSTILE.values(), ids=HOSTILE.keys())
def test_time_is_linear_whatever_comes(text: str) -> None:
    redact(text[:1000])

    def seconds(size: int) -> float:
        started = time.process_time()
        redact(text[:size])
        return time.process_time() - started

    whole = min(seconds(N) for _ in range(2))
    tenth = min(seconds(N // 10) for _ in range(2))
    assert whole < 1.0  # some 100 ms on two shared cores; a pattern that backtracks takes minutes
    assert whole < 40 * max(tenth, 0.002)


def test_an_ordinary_message_takes_microseconds() -> None:
    text = "Hi, I paid 25.99 with 4111 1111 1111 1111 at 10:30, ring me on +44 7911 123456 or ann@example.org please"
    redact(text)
    started = time.process_time()
    for _ in range(100):
        redact(text)
    assert (time.process_time() - started) / 100 < 0.001
