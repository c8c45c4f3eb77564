"""The figures of a report, and how each is counted."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, date, datetime, time, timedelta
from statistics import mean, median
from typing import Final, Literal
from zoneinfo import ZoneInfo

from rejoinder.errors import InvalidInputError
from rejoinder.handoff.hours import time_zone_of
from rejoinder.handoff.settings import HelpDeskSettings
from rejoinder.payloads import Count, Share, payload
from rejoinder.store.database import Database
from rejoinder.store.reports import GivenFeedback, HandedOff, ReportedTurn, ReportRows, report_rows

__all__ = ["Figures", "IntentFigures", "PeriodKind", "Report", "make_report", "report_of"]

PeriodKind = Literal["day", "week"]

_MOST_DAYS: Final = 1100
_MOST_INTENTS: Final = 20
_GOOD_RATING: Final = 4


@payload
class Figures:
    """What happened in a stretch of time. None: nothing happened that would tell.

    Attributes:
        conversations: in which the customer said something.
        handed_off: of these, those in which a person was wanted.
        containment: share of conversations in which none was, in [0, 1].
        messages: of customers.
        answered: messages to which the bot found an answer.
        unanswered: messages to which it looked for one and found none.
        flows_completed: flows that came to their end, and were not given up or declined.
        low_confidence: answers of which it was less sure than `help_desk.low_confidence`.
        rated: thumbs and ratings of customers; what one of them says last of an answer counts.
        thumbs_down: of them.
        csat: share of thumbs up and of ratings of 4 and 5 among them, in [0, 1].
        hours_saved: `help_desk.minutes_per_contact` for each conversation with an answer or a completed flow in which no person was
            wanted.
        hand_offs: how often a person was wanted.
        taken: how many of these an agent took.
        wait_s: median time from the call for a person until an agent took it, in seconds; `first_reply_s`: until the agent's first word.
        handling_s: mean time from then on until the end.
    """

    conversations: Count = 0
    handed_off: Count = 0
    containment: Share | None = None
    messages: Count = 0
    answered: Count = 0
    unanswered: Count = 0
    flows_completed: Count = 0
    low_confidence: Count = 0
    rated: Count = 0
    thumbs_down: Count = 0
    csat: Share | None = None
    hours_saved: float = 0.0
    hand_offs: Count = 0
    taken: Count = 0
    wait_s: float | None = None
    first_reply_s: float | None = None
    handling_s: float | None = None


@payload
class IntentFigures:
    """How often an intent was what customers wanted, and how often nothing was found for it."""

    intent: str
    messages: Count
    unanswered: Count


@payload
class Report:
    """A report: of all days from `first` to `last`, and of each period by its first day.

    Attributes:
        intents: the most frequent ones, at most 20.
        reasons: of hand-offs, with how often; `outcomes`: how they ended, "open" for those that did not.
    """

    tenant: str
    first: date
    last: date
    time_zone: str
    by: PeriodKind
    total: Figures
    periods: Mapping[date, Figures]
    intents: tuple[IntentFigures, ...] = ()
    reasons: Mapping[str, int]
    outcomes: Mapping[str, int]


async def make_report(
    database: Database, tenant: str, settings: HelpDeskSettings, *, first: date, last: date, by: PeriodKind = "day"
) -> Report:
    """Return a tenant's report of the days from `first` to `last`, both included, in the tenant's time zone.

    Args:
        by: how days are put together; weeks begin on Mondays.
    Raises:
        InvalidInputError: the last day is before the first, or they are more than 1100 days apart.
    """
    if last < first:
        raise InvalidInputError(f"the report's last day, {last}, is before its first, {first}: exchange them")
    if (last - first).days > _MOST_DAYS:
        raise InvalidInputError(f"the report is of more than {_MOST_DAYS} days: ask for fewer at once")
    zone = time_zone_of(settings.time_zone)
    since, until = _midnight(first, zone), _midnight(last + timedelta(days=1), zone)
    rows = await report_rows(database, tenant, since=since, until=until)
    return report_of(rows, tenant, settings, first=first, last=last, by=by)


def report_of(
    rows: ReportRows, tenant: str, settings: HelpDeskSettings, *, first: date, last: date, by: PeriodKind = "day"
) -> Report:
    """Return the report of rows; see `make_report`."""
    zone = time_zone_of(settings.time_zone)

    def start(at: datetime) -> date:
        day = at.astimezone(zone).date()
        return day - timedelta(days=day.weekday()) if by == "week" else day

    turns, feedback = defaultdict[date, list[ReportedTurn]](list), defaultdict[date, list[GivenFeedback]](list)
    hand_offs = defaultdict[date, list[HandedOff]](list)
    for turn in rows.turns:
        turns[start(turn.at)].append(turn)
    for given in rows.feedback:
        feedback[start(given.at)].append(given)
    for handed in rows.hand_offs:
        hand_offs[start(handed.queued_at)].append(handed)
    periods = {
        begin: _figures(ReportRows(turns[begin], feedback[begin], hand_offs[begin]), settings)
        for begin in _starts(first, last, by)
    }
    return Report(
        tenant=tenant,
        first=first,
        last=last,
        time_zone=settings.time_zone,
        by=by,
        total=_figures(rows, settings),
        periods=periods,
        intents=_intents(rows.turns),
        reasons=dict(Counter(one.reason or "no reason" for one in rows.hand_offs).most_common()),
        outcomes=dict(Counter(one.outcome or "open" for one in rows.hand_offs).most_common()),
    )


def _figures(rows: ReportRows, settings: HelpDeskSettings) -> Figures:
    said = {turn.conversation_id for turn in rows.turns}
    handed = {one.conversation_id for one in rows.hand_offs} & said
    helped = {turn.conversation_id for turn in rows.turns if turn.answered or turn.flows_completed} - handed
    answered = [turn for turn in rows.turns if turn.answered]
    good = [_is_good(given) for given in rows.feedback]
    taken = [one for one in rows.hand_offs if one.first_claimed_at is not None]
    return Figures(
        conversations=len(said),
        handed_off=len(handed),
        containment=1 - len(handed) / len(said) if said else None,
        messages=len(rows.turns),
        answered=len(answered),
        unanswered=sum(_is_unanswered(turn) for turn in rows.turns),
        flows_completed=sum(turn.flows_completed for turn in rows.turns),
        low_confidence=sum(
            turn.confidence is not None and turn.confidence < settings.low_confidence for turn in answered
        ),
        rated=len(good),
        thumbs_down=sum(given.kind == "thumbs" and given.value < 0 for given in rows.feedback),
        csat=sum(good) / len(good) if good else None,
        hours_saved=len(helped) * settings.minutes_per_contact / 60,
        hand_offs=len(rows.hand_offs),
        taken=len(taken),
        wait_s=_median_s((one.queued_at, one.first_claimed_at) for one in taken),
        first_reply_s=_median_s((one.queued_at, one.first_reply_at) for one in taken),
        handling_s=_mean_s((one.first_claimed_at, one.closed_at) for one in taken),
    )


def _intents(turns: Sequence[ReportedTurn]) -> tuple[IntentFigures, ...]:
    every = Counter(turn.label for turn in turns if turn.label is not None)
    without = Counter(turn.label for turn in turns if turn.label is not None and _is_unanswered(turn))
    first = sorted(every.items(), key=lambda one: (-one[1], one[0]))[:_MOST_INTENTS]
    return tuple(IntentFigures(intent=name, messages=count, unanswered=without[name]) for name, count in first)


def _is_unanswered(turn: ReportedTurn) -> bool:
    return turn.decided and turn.action == "answer" and not turn.answered


def _is_good(given: GivenFeedback) -> bool:
    return given.value > 0 if given.kind == "thumbs" else given.value >= _GOOD_RATING


def _median_s(spans: Iterable[tuple[datetime | None, datetime | None]]) -> float | None:
    seconds = _seconds(spans)
    return median(seconds) if seconds else None


def _mean_s(spans: Iterable[tuple[datetime | None, datetime | None]]) -> float | None:
    seconds = _seconds(spans)
    return mean(seconds) if seconds else None


def _seconds(spans: Iterable[tuple[datetime | None, datetime | None]]) -> list[float]:
    return [(end - begin).total_seconds() for begin, end in spans if begin is not None and end is not None]


def _starts(first: date, last: date, by: PeriodKind) -> list[date]:
    """Return the first days of all periods, also of those in which nothing happened."""
    if by == "week":
        first -= timedelta(days=first.weekday())
    step = 7 if by == "week" else 1
    return [first + timedelta(days=days) for days in range(0, (last - first).days + 1, step)]


def _midnight(day: date, zone: ZoneInfo) -> datetime:
    return datetime.combine(day, time(), zone).astimezone(UTC)
