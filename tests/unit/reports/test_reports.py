"""Reports, held against a log of conversations that was written by hand: every figure is counted there."""

from __future__ import annotations

import csv
import io
from collections.abc import AsyncIterator
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from rejoinder.errors import InvalidInputError
from rejoinder.handoff.settings import HelpDeskSettings
from rejoinder.payloads import Candidate, ConversationState, Decision, Feedback, Reply
from rejoinder.reports.csv import COLUMNS, report_csv
from rejoinder.reports.figures import Figures, Report, make_report
from rejoinder.reports.pictures import draw
from rejoinder.store.conversations import open_conversation
from rejoinder.store.database import Database
from rejoinder.store.feedback import add_feedback
from rejoinder.store.hand_offs import NewEvent, NewHandOff, add_hand_off
from rejoinder.store.tenants import create_tenant
from rejoinder.store.turns import NewTurn, record_turn

SETTINGS = HelpDeskSettings(time_zone="America/New_York", minutes_per_contact=6.0, low_confidence=0.5)
FIRST, LAST = date(2026, 3, 2), date(2026, 3, 11)
"""A Monday, and the Wednesday of the week after; the clocks go forward on the Sunday between."""

LOG = """
# when (UTC)        conversation  action    intent   sure  found  feedback
2026-03-02T04:59    before        answer    hours    0.9   yes    -
2026-03-02T05:00    a             answer    hours    0.9   yes    thumbs=1
2026-03-02T05:01    a             answer    refund   0.4   yes    thumbs=-1
2026-03-02T15:00    b             answer    refund   0.8   no     thumbs=-1
2026-03-02T15:01    b             hand_off  refund   0.8   no     -
2026-03-02T15:02    b             silent    -        -     -      -
2026-03-03T15:00    c             answer    hours    0.7   yes    rating=5
2026-03-03T15:01    c             ask       refund   0.3   no     rating=3
2026-03-04T15:00    d             answer    refund   0.6   no     -
2026-03-05T15:00    g             flow      cancel   0.9   no     -
2026-03-05T15:01    g             ended     -        -     no     -
2026-03-09T03:59    e             answer    hours    0.9   yes    -
2026-03-09T04:00    f             hand_off  -        -     no     -
2026-03-12T04:00    after         answer    hours    0.9   yes    thumbs=-1
"""
HAND_OFFS: tuple[tuple[str, str, str, int | None, int | None, int | None, str | None], ...] = (
    # conversation, when, reason, and seconds until it was taken, answered, ended
    ("b", "2026-03-02T15:01", "is angry", 60, 90, 360, "resolved"),
    ("f", "2026-03-09T04:00", "asked for a person", None, None, 600, "nobody"),
    ("a", "2026-03-02T20:00", "asked for a person", 20, 30, None, None),
)


@pytest.fixture
async def database(tmp_path: Path) -> AsyncIterator[Database]:
    opened = await Database.open(f"sqlite:///{tmp_path / 'log.db'}", synchronous="NORMAL")
    await opened.migrate()
    for tenant in ("acme", "other"):
        await create_tenant(opened, tenant, name=tenant, settings={}, plugins=None, at=datetime(2026, 1, 1, tzinfo=UTC))
    await write(opened, "acme")
    yield opened
    await opened.close()


def moment(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


async def write(database: Database, tenant: str) -> None:
    """Write the log into the store, as turns of customers named like their conversations."""
    numbers: dict[str, int] = {}
    for line in LOG.strip().splitlines()[1:]:
        when, conversation, action, intent, sure, found, feedback = line.split()
        at = moment(when)
        if conversation not in numbers:
            await open_conversation(database, tenant, user_id=conversation, conversation_id=conversation, at=at)
        number = numbers[conversation] = numbers.get(conversation, 0) + 1
        decision = None
        if found != "-":
            decision = Decision(
                id=f"dec-{conversation}-{number}",
                kind="turn",
                task="intent",
                at=at,
                input="?",
                user_id=conversation,
                candidates=(Candidate(id="x", score=1.0),) if found == "yes" else (),
                chosen=("x",) if found == "yes" else (),
                label=None if intent == "-" else intent,
                confidence=None if sure == "-" else float(sure),
            )
        kind: Any = "flow" if action == "ended" else action
        turn = NewTurn(
            number=number,
            action=kind,
            started_at=at,
            user_text="?",
            reply=Reply(parts=("!",)),
            flows_completed=int(action == "ended"),
        )
        await record_turn(
            database,
            tenant,
            conversation_id=conversation,
            expected_version=number - 1,
            state=ConversationState(),
            turn=turn,
            decision=decision,
        )
        if feedback != "-":
            await give(database, tenant, conversation, number, feedback, at)
    # What agents say and are suggested is nobody's turn; what staff and the bot note of itself is no satisfaction.
    agents = NewTurn(number=4, action="silent", started_at=moment("2026-03-02T15:03"), reply=Reply(parts=("Hi",)))
    await record_turn(database, tenant, conversation_id="b", expected_version=3, state=ConversationState(), turn=agents)
    await give(database, tenant, "c", 1, "thumbs=-1", moment("2026-03-03T16:00"), role="agent", user="agent:eva")
    for conversation, when, reason, taken, answered, ended, outcome in HAND_OFFS:
        at = moment(when)

        def later(seconds: int | None, at: datetime = at) -> datetime | None:
            return None if seconds is None else at + timedelta(seconds=seconds)

        values = {
            "status": "queued" if ended is None else "closed",
            "outcome": outcome,
            "first_claimed_at": later(taken),
            "first_reply_at": later(answered),
            "closed_at": later(ended),
        }
        new = NewHandOff(conversation_id=conversation, user_id=conversation, reason=reason, at=at, values=values)
        await database.run_write(add_hand_off, tenant, new, NewEvent(kind="queued", at=at))


async def give(
    database: Database,
    tenant: str,
    conversation: str,
    number: int,
    said: str,
    at: datetime,
    *,
    role: Any = "customer",
    user: str | None = None,
) -> None:
    kind, value = said.split("=")
    given = Feedback(
        id=f"fb-{conversation}-{number}-{role}",
        decision_id=f"dec-{conversation}-{number}",
        kind=kind,  # type: ignore[arg-type]
        value=int(value),
        user_id=user or conversation,
        at=at,
        role=role,
    )
    await add_feedback(database, tenant, given)


async def report(database: Database, tenant: str = "acme", **changes: Any) -> Report:
    asked = {"first": FIRST, "last": LAST, **changes}
    return await make_report(database, tenant, SETTINGS, **asked)


async def test_the_whole_is_what_the_log_says(database: Database) -> None:
    total = (await report(database)).total
    assert total == Figures(
        conversations=7,  # a to g
        handed_off=3,  # a, b, f
        containment=4 / 7,
        messages=12,
        answered=4,  # a twice, c, e
        unanswered=2,  # b and d; c was asked back
        flows_completed=1,  # g
        low_confidence=1,  # the second of a
        rated=5,
        thumbs_down=2,
        csat=0.4,  # a's first, c's first
        hours_saved=0.3,  # 6 min for c, for e and for g; d found no answer
        hand_offs=3,
        taken=2,
        wait_s=40.0,
        first_reply_s=60.0,
        handling_s=300.0,
    )


async def test_days_are_those_of_the_tenants_time_zone(database: Database) -> None:
    made = await report(database)
    assert list(made.periods) == [FIRST + timedelta(days=days) for days in range(10)]
    counts = {begin: figures.messages for begin, figures in made.periods.items() if figures.messages}
    # 04:59 UTC on the 2nd is the 1st in New York; 03:59 UTC on the 9th, after the clocks went forward, is the 8th
    assert counts == {
        date(2026, 3, 2): 5,
        date(2026, 3, 3): 2,
        date(2026, 3, 4): 1,
        date(2026, 3, 5): 2,
        date(2026, 3, 8): 1,
        date(2026, 3, 9): 1,
    }
    monday = made.periods[FIRST]
    assert (monday.conversations, monday.handed_off, monday.containment) == (2, 2, 0.0)
    assert (monday.csat, monday.rated) == (pytest.approx(1 / 3), 3)
    quiet = made.periods[date(2026, 3, 6)]
    assert (quiet.conversations, quiet.containment, quiet.csat, quiet.wait_s) == (0, None, None, None)


async def test_weeks_begin_on_mondays(database: Database) -> None:
    made = await report(database, by="week", first=date(2026, 3, 4))
    assert {begin: figures.messages for begin, figures in made.periods.items()} == {
        date(2026, 3, 2): 4,  # from Wednesday on
        date(2026, 3, 9): 1,
    }


async def test_intents_reasons_and_outcomes_are_counted(database: Database) -> None:
    made = await report(database)
    assert [(one.intent, one.messages, one.unanswered) for one in made.intents] == [
        ("refund", 5, 2),
        ("hours", 3, 0),
        ("cancel", 1, 0),
    ]
    assert made.reasons == {"asked for a person": 2, "is angry": 1}
    assert made.outcomes == {"resolved": 1, "open": 1, "nobody": 1}


async def test_what_a_customer_says_last_counts(database: Database) -> None:
    again = Feedback(
        id="again", decision_id="dec-a-2", kind="thumbs", value=1, user_id="a", at=moment("2026-03-02T05:09")
    )
    await add_feedback(database, "acme", again)
    total = (await report(database)).total
    assert (total.rated, total.thumbs_down, total.csat) == (5, 1, 0.6)


async def test_another_tenants_log_is_not_counted(database: Database) -> None:
    made = await report(database, "other")
    assert (made.total, made.intents, made.reasons) == (Figures(), (), {})


async def test_the_table_as_csv(database: Database) -> None:
    rows = list(csv.DictReader(io.StringIO(report_csv(await report(database)))))
    assert tuple(rows[0]) == COLUMNS["periods"]
    assert [row["period"] for row in rows][-2:] == ["2026-03-11", "total"]
    assert (rows[-1]["csat"], rows[-1]["containment"], rows[3]["csat"]) == ("0.4", "0.5714", "")


async def test_the_other_tables_as_csv_are_safe_in_a_spreadsheet(database: Database) -> None:
    at = moment("2026-03-10T15:00")
    new = NewHandOff(conversation_id="e", user_id="e", reason="=HYPERLINK(1)", at=at)
    await database.run_write(add_hand_off, "acme", new, NewEvent(kind="queued", at=at))
    made = await report(database)
    assert report_csv(made, "intents").splitlines() == [
        "intent,messages,unanswered",
        "refund,5,2",
        "hours,3,0",
        "cancel,1,0",
    ]
    assert report_csv(made, "reasons").splitlines()[1:] == ["asked for a person,2", "is angry,1", "'=HYPERLINK(1),1"]
    assert report_csv(made, "outcomes").splitlines()[1:] == ["open,2", "resolved,1", "nobody,1"]


async def test_pictures_are_drawn(database: Database, tmp_path: Path) -> None:
    drawn = draw(await report(database), tmp_path / "pictures")
    assert [path.name for path in drawn] == ["service.png", "failures.png", "hand-offs.png", "intents.png"]
    assert all(path.read_bytes().startswith(b"\x89PNG") for path in drawn)
    (empty,) = {len(draw(await report(database, "other"), tmp_path / "empty"))}
    assert empty == 4


@pytest.mark.parametrize(
    ("first", "last", "told"),
    [(LAST, FIRST, "exchange them"), (date(2020, 1, 1), LAST, "ask for fewer")],
)
async def test_days_that_make_no_report_are_refused(database: Database, first: date, last: date, told: str) -> None:
    with pytest.raises(InvalidInputError, match=told):
        await report(database, first=first, last=last)
