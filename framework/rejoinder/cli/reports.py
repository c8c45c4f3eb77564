"""`rejoinder reports`: what a tenant's bot achieved."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from rejoinder.cli.output import JsonOption, say, show_record, show_table
from rejoinder.errors import InvalidInputError

if TYPE_CHECKING:
    from rejoinder.reports.figures import Figures, Report

__all__ = ["app"]

app = typer.Typer(help="What a tenant's bot achieved: tables, CSV, pictures.", no_args_is_help=True)

_DAYS = 28
_SHOWN = (
    "period",
    "conversations",
    "containment",
    "csat",
    "messages",
    "unanswered",
    "low_confidence",
    "thumbs_down",
    "hand_offs",
    "wait_s",
    "hours_saved",
)


class Period(StrEnum):
    """How days are put together."""

    day = "day"
    week = "week"


@app.callback()
def _group() -> None:
    """What a tenant's bot achieved: tables, CSV, pictures."""


@app.command()
def show(
    tenant: Annotated[str, typer.Option("--tenant", help="Whose bot.", metavar="ID")],
    first: Annotated[str | None, typer.Option("--from", help="First day, e.g. 2026-01-31.", metavar="DAY")] = None,
    last: Annotated[str | None, typer.Option("--to", help="Last day, included; default: today.", metavar="DAY")] = None,
    by: Annotated[Period, typer.Option("--by", help="How days are put together; weeks begin on Mondays.")] = Period.day,
    csv: Annotated[
        Path | None,
        typer.Option(
            "--csv",
            help="Write the table into this file; intents, reasons and outcomes into files beside it.",
            metavar="FILE",
        ),
    ] = None,
    pictures: Annotated[
        Path | None, typer.Option("--pictures", help="Draw PNG pictures into this folder.", metavar="FOLDER")
    ] = None,
    json: JsonOption = False,
) -> None:
    """Show containment, satisfaction, intents, failures, time saved and hand-offs, by day or week of the tenant's time zone."""
    from rejoinder.cli.runtime import run
    from rejoinder.reports.csv import report_table
    from rejoinder.wire import to_json

    report = run(_report(tenant, _day(first, "--from"), _day(last, "--to"), by))
    written = [] if csv is None else _write_csv(report, csv)
    drawn: list[Path] = []
    if pictures is not None:
        from rejoinder.reports.pictures import draw

        drawn = draw(report, pictures)
    if json:
        say("", json=True, data={**to_json(report), "pictures": [str(path) for path in drawn]})
        return
    title = f"{report.tenant}, {report.first} to {report.last} ({report.time_zone})"
    show_table(report_table(report), _SHOWN, json=False, title=title)
    intents = [{"intent": one.intent, "messages": one.messages, "unanswered": one.unanswered} for one in report.intents]
    show_table(intents, ("intent", "messages", "unanswered"), json=False, title="Intents", empty="No intents.")
    show_record(_told(report.total, report), json=False)
    for path in (*written, *drawn):
        say(f"written: {path}")


async def _report(tenant: str, first: date | None, last: date | None, by: Period) -> Report:
    from rejoinder.cli.runtime import InstalledPlugins, open_database
    from rejoinder.context import utc_now
    from rejoinder.handoff.hours import time_zone_of
    from rejoinder.handoff.settings import help_desk_of
    from rejoinder.reports.figures import make_report
    from rejoinder.settings import load_settings
    from rejoinder.tenants.service import Tenants

    loaded = load_settings()
    async with open_database(loaded.settings) as database:
        tenants = Tenants(database, InstalledPlugins(loaded.settings), loaded)
        await tenants.get(tenant)  # which names the closest one where there is none
        settings = help_desk_of((await tenants.resolved(tenant)).settings)
        last = last or utc_now().astimezone(time_zone_of(settings.time_zone)).date()
        first = first or last - timedelta(days=_DAYS - 1)
        return await make_report(database, tenant, settings, first=first, last=last, by=by.value)


def _write_csv(report: Report, path: Path) -> list[Path]:
    """Write the periods into a file, and each other table into one beside it, named after both; return the files."""
    from rejoinder.reports.csv import COLUMNS, report_csv

    written = []
    for table in COLUMNS:
        target = path if table == "periods" else path.with_name(f"{path.stem}-{table}{path.suffix}")
        try:
            target.write_text(report_csv(report, table), encoding="utf-8", newline="")
        except OSError as error:
            raise InvalidInputError(f"--csv: {target} cannot be written: {error.strerror or error}") from error
        written.append(target)
    return written


def _told(total: Figures, report: Report) -> dict[str, object]:
    """Return in words what the table has no column for."""
    return {
        "contained": f"{total.conversations - total.handed_off} of {total.conversations} conversations",
        "answered": f"{total.answered} of {total.messages} messages",
        "rated": total.rated,
        "hand_offs_taken": f"{total.taken} of {total.hand_offs}",
        "first_reply_s": total.first_reply_s,
        "handling_s": total.handling_s,
        "reasons": ", ".join(f"{reason} ({count})" for reason, count in report.reasons.items()) or None,
        "outcomes": ", ".join(f"{outcome} ({count})" for outcome, count in report.outcomes.items()) or None,
    }


def _day(text: str | None, option: str) -> date | None:
    if text is None:
        return None
    try:
        return datetime.strptime(text, "%Y-%m-%d").date()  # noqa: DTZ007  # a day, of the tenant's time zone
    except ValueError:
        raise InvalidInputError(f"{option}: expected a day such as 2026-01-31, not {text!r}") from None
