"""A report as CSV: one row for each period, and one for all of it."""

from __future__ import annotations

import csv
import io
from dataclasses import fields

from rejoinder.payloads import Json
from rejoinder.reports.figures import Figures, Report

__all__ = ["COLUMNS", "report_csv", "report_table"]

COLUMNS = ("period", *(field.name for field in fields(Figures)))
_DIGITS = 4


def report_table(report: Report) -> list[dict[str, Json]]:
    """Return the rows by column: each period by its first day, then "total"."""
    rows = [(begin.isoformat(), figures) for begin, figures in report.periods.items()]
    return [
        {"period": period, **{name: _rounded(getattr(figures, name)) for name in COLUMNS[1:]}}
        for period, figures in (*rows, ("total", report.total))
    ]


def report_csv(report: Report) -> str:
    """Return the rows as CSV with a header (RFC 4180); what nothing tells is empty."""
    out = io.StringIO()
    writer = csv.DictWriter(out, COLUMNS)
    writer.writeheader()
    writer.writerows(report_table(report))
    return out.getvalue()


def _rounded(value: float | None) -> float | None:
    return round(value, _DIGITS) if isinstance(value, float) else value
