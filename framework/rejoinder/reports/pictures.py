"""Pictures of a report, as PNG."""

from __future__ import annotations

import math
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from rejoinder.errors import InvalidInputError, RejoinderError
from rejoinder.reports.figures import Report

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["draw"]

_BLUE: Final = "#2f659b"
_ORANGE: Final = "#b0650f"
_RED: Final = "#ae3645"
_GREY: Final = "#9aa1ab"
_DPI: Final = 130


def draw(report: Report, folder: Path) -> list[Path]:
    """Draw a report into a folder, which is made if need be; return the files: service, failures, hand-offs and intents.

    Raises:
        InvalidInputError: a file cannot be written.
        RejoinderError: matplotlib is missing.
    """
    try:
        from matplotlib.figure import Figure
    except ImportError as error:
        raise RejoinderError("pictures need matplotlib: pip install 'rejoinder[models]'") from error
    drawn = []
    for name, title, paint in (
        ("service", "Conversations, containment and satisfaction", _service),
        ("failures", "What went wrong", _failures),
        ("hand-offs", "Hand-offs, and how long customers waited", _hand_offs),
        ("intents", "What customers wanted", _intents),
    ):
        figure = Figure(figsize=(9, 4.5), layout="constrained")
        axes = figure.subplots()
        paint(axes, report)
        figure.suptitle(f"{title}\n{report.tenant}, {report.first} to {report.last} ({report.time_zone})", fontsize=11)
        path = folder / f"{name}.png"
        try:
            folder.mkdir(parents=True, exist_ok=True)
            figure.savefig(path, dpi=_DPI)
        except OSError as error:
            raise InvalidInputError(f"{path} cannot be written: {error.strerror or error}") from error
        drawn.append(path)
    return drawn


def _service(axes: Axes, report: Report) -> None:
    days, figures = list(report.periods), list(report.periods.values())
    axes.bar(_places(report), [one.conversations for one in figures], color=_GREY, label="conversations")
    axes.set_ylabel("conversations")
    shares = axes.twinx()
    shares.plot(_places(report), [_percent(one.containment) for one in figures], "o-", color=_BLUE, label="containment")
    shares.plot(_places(report), [_percent(one.csat) for one in figures], "s-", color=_ORANGE, label="CSAT")
    shares.set_ylim(0, 105)
    shares.set_ylabel("%")
    _name(axes, days)
    _legend(axes, shares)


def _failures(axes: Axes, report: Report) -> None:
    figures = list(report.periods.values())
    kinds = (("unanswered", _RED), ("low_confidence", _ORANGE), ("thumbs_down", _BLUE))
    bottom = [0] * len(figures)
    for kind, colour in kinds:
        counts = [getattr(one, kind) for one in figures]
        axes.bar(_places(report), counts, bottom=bottom, color=colour, label=kind.replace("_", " "))
        bottom = [below + count for below, count in zip(bottom, counts, strict=True)]
    axes.set_ylabel("messages")
    _name(axes, list(report.periods))
    _legend(axes)


def _hand_offs(axes: Axes, report: Report) -> None:
    figures = list(report.periods.values())
    axes.bar(_places(report), [one.hand_offs for one in figures], color=_GREY, label="hand-offs")
    axes.bar(_places(report), [one.taken for one in figures], color=_BLUE, label="taken by an agent")
    axes.set_ylabel("hand-offs")
    waits = axes.twinx()
    minutes = [math.nan if one.wait_s is None else one.wait_s / 60 for one in figures]
    waits.plot(_places(report), minutes, "o-", color=_ORANGE, label="median wait")
    waits.set_ylim(bottom=0)
    waits.set_ylabel("min")
    _name(axes, list(report.periods))
    _legend(axes, waits)


def _intents(axes: Axes, report: Report) -> None:
    shown = report.intents[::-1]
    names = [one.intent for one in shown]
    axes.barh(names, [one.messages for one in shown], color=_BLUE, label="messages")
    axes.barh(names, [one.unanswered for one in shown], color=_RED, label="without an answer")
    axes.set_xlabel("messages")
    _legend(axes)


def _places(report: Report) -> list[int]:
    return list(range(len(report.periods)))


def _name(axes: Axes, days: list[Any]) -> None:
    """Name the periods below the picture, not more of them than can be read."""
    every = max(1, round(len(days) / 14))
    places = list(range(0, len(days), every))
    axes.set_xticks(places, [f"{days[place]:%d %b}" for place in places], rotation=45, ha="right")


def _legend(*axes: Axes) -> None:
    handles, labels = [], []
    for one in axes:
        found = one.get_legend_handles_labels()
        handles += found[0]
        labels += found[1]
    axes[0].figure.legend(handles, labels, loc="outside lower center", ncols=len(labels), fontsize=8)


def _percent(share: float | None) -> float:
    return math.nan if share is None else 100 * share
