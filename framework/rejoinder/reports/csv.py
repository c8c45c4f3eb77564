"""A report as CSV: the figures of its periods, the intents, and the reasons and outcomes of hand-offs, each a table of its own."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping
from dataclasses import fields
from typing import Final, Literal

from rejoinder.payloads import Json
from rejoinder.reports.figures import Figures, IntentFigures, Report

__all__ = ["COLUMNS", "ReportTable", "report_csv", "report_table"]

ReportTable = Literal["periods", "intents", "reasons", "outcomes"]

COLUMNS: Final[Mapping[ReportTable, tuple[str, ...]]] = {
    "periods": ("period", *(field.name for field in fields(Figures))),
    "intents": tuple(field.name for field in fields(IntentFigures)),
    "reasons": ("reason", "hand_offs"),
    "outcomes": ("outcome", "hand_offs"),
}
_DIGITS = 4
_FORMULA = ("=", "+", "-", "@", "\t", "\r")


def report_table(report: Report, table: ReportTable = "periods") -> list[dict[str, Json]]:
    """Return the rows of a table by column; the periods by their first day, then "total"."""
    match table:
        case "intents":
            return [{name: getattr(one, name) for name in COLUMNS[table]} for one in report.intents]
        case "reasons":
            return [{"reason": reason, "hand_offs": count} for reason, count in report.reasons.items()]
        case "outcomes":
            return [{"outcome": outcome, "hand_offs": count} for outcome, count in report.outcomes.items()]
    rows = [(begin.isoformat(), figures) for begin, figures in report.periods.items()]
    return [
        {"period": period, **{name: _rounded(getattr(figures, name)) for name in COLUMNS[table][1:]}}
        for period, figures in (*rows, ("total", report.total))
    ]


def report_csv(report: Report, table: ReportTable = "periods") -> str:
    """Return a table as CSV with a header (RFC 4180); what nothing tells is empty.

    A text that a spreadsheet would take for a formula has an apostrophe before it (OWASP, CSV injection).
    """
    out = io.StringIO()
    writer = csv.DictWriter(out, COLUMNS[table])
    writer.writeheader()
    writer.writerows({name: _guarded(value) for name, value in row.items()} for row in report_table(report, table))
    return out.getvalue()


def _guarded(value: Json) -> Json:
    return f"'{value}" if isinstance(value, str) and value.startswith(_FORMULA) else value


def _rounded(value: float | None) -> float | None:
    return round(value, _DIGITS) if isinstance(value, float) else value
