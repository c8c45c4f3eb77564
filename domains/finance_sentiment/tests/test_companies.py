"""Companies named in texts."""

from __future__ import annotations

import pytest
from rejoinder_finance_sentiment.reading.companies import Company, CompanyIndex

INDEX = CompanyIndex(
    [
        Company(key="apple", name="Apple Inc.", tickers=("AAPL",)),
        Company(key="acme", name="Acme Holdings plc", aliases=("the roadrunner firm",), tickers=("ACM",)),
        Company(key="acme labs", name="Acme Labs Ltd", owner="acme"),
        Company(key="umbrella", name="Umbrella", owner="stark"),
        Company(key="stark", name="Stark Industries", owner="umbrella"),
        Company(key="tata steel", name="Tata Steel"),
        Company(key="delta air", name="Delta Corporation", tickers=("DAL",)),
        Company(key="delta taps", name="Delta Ltd", tickers=("DLT",)),
        Company(key="att", name="AT&T", tickers=("T",)),
        Company(key="all", name="Allstate Corporation", tickers=("ALL",)),
    ]
)


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("Apple beats Acme", {"apple": "name", "acme": "name"}),
        ("APPLE INC. and acme holdings PLC", {"apple": "name", "acme": "name"}),
        ("I eat an apple a day, says Ada", {}),
        ("apple falls from the tree", {"apple": "name"}),
        ("$AAPL beats $msft, and $AAPL again", {"apple": "cashtag", "MSFT": "cashtag"}),
        ("($BRK.B) up; $T.", {"BRK.B": "cashtag", "att": "cashtag"}),
        ("it costs $5, US$AAPL, $$AAPL, $TOOLONG, $", {}),
        ("rt $ aapl beats $ msft and $ ACM, $ all in all", {"apple": "cashtag", "acme": "cashtag"}),
        ("Profits of ACM and of AT&T (NYSE: T) rose, says ALL", {"acme": "ticker", "att": "name"}),
        ("The roadrunner firm hires", {"acme": "alias"}),
        ("Acme Labs hires", {"acme labs": "name", "acme": "subsidiary"}),
        ("Umbrella hires", {"umbrella": "name", "stark": "subsidiary"}),
        ("Tata sells steel; Tata Steel buys", {"tata steel": "name"}),
        ("", {}),
        ("Steel", {}),
    ],
)
def test_companies_are_named(text: str, named: dict[str, str]) -> None:
    assert {one.key: one.how for one in INDEX.mentions(text)} == named


def test_the_span_is_that_of_the_first_mention() -> None:
    text = "Is Apple back? $AAPL is"
    [found] = INDEX.mentions(text)
    assert text[found.start : found.end] == "Apple"


def test_companies_of_one_name_share_the_confidence_unless_the_text_tells_which() -> None:
    assert {one.key: one.confidence for one in INDEX.mentions("Delta hires")} == {"delta air": 0.5, "delta taps": 0.5}
    assert {one.key: one.confidence for one in INDEX.mentions("Delta (NYSE: DAL) hires")} == {"delta air": 1.0}


def test_an_owner_says_through_whom() -> None:
    found = {one.key: one for one in INDEX.mentions("Acme Labs hires")}
    assert (found["acme"].via, found["acme labs"].via) == ("acme labs", None)


def test_many_companies_are_looked_for_at_once() -> None:
    index = CompanyIndex(Company(key=str(n), name=f"Company Number{n} Inc") for n in range(20_000))
    assert [one.key for one in index.mentions("Number7 and Company Number19999 merge")] == ["19999"]
    assert len(index) == 20_000
